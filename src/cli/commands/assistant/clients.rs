//! How each assistant is told of an MCP server over HTTP: their own formats, as their documentation has them.

use super::Client;
use serde_json::{Value, json};

/// Where the token comes from.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// From a variable that the assistant reads.
    Variable(String),
    /// It stands there itself.
    Itself(String),
}

/// What an assistant is connected to.
pub(super) struct Connection {
    /// The address of the MCP server.
    pub(super) url: String,
    /// Whether that is this machine.
    pub(super) is_here: bool,
    /// How it gets in.
    pub(super) token: Token,
}

/// One way to connect an assistant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// What to do with the text.
    pub(super) how: &'static str,
    /// A command, or what a file holds.
    pub(super) text: String,
}

/// All ways to connect an assistant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ways {
    name: &'static str,
    /// What it is called.
    pub(super) title: &'static str,
    /// The ways, the best first.
    pub(super) ways: Vec<Way>,
    /// What to know about it.
    pub(super) note: Option<&'static str>,
}

impl Ways {
    /// The same as data.
    pub(super) fn to_json(&self) -> Value {
        let ways: Vec<Value> = self
            .ways
            .iter()
            .map(|way| json!({ "how": way.how, "text": way.text }))
            .collect();
        json!({ "name": self.name, "title": self.title, "ways": ways, "note": self.note })
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

impl Connection {
    /// The token as a configuration names it, whose form of a variable is this.
    fn bearer(&self, variable: impl Fn(&str) -> String) -> String {
        match &self.token {
            Token::Variable(name) => format!("Bearer {}", variable(name)),
            Token::Itself(token) => format!("Bearer {token}"),
        }
    }

    /// The same in a shell, which fills the variable in.
    fn shell_header(&self) -> String {
        format!("\"Authorization: {}\"", self.bearer(|name| format!("${name}")))
    }

    /// How to connect an assistant.
    pub(super) fn ways_of(&self, client: Client) -> Ways {
        match client {
            Client::ClaudeCode => self.claude_code(),
            Client::Claude => self.claude(),
            Client::Cursor => self.cursor(),
            Client::Vscode => self.vscode(),
            Client::Codex => self.codex(),
            Client::Gemini => self.gemini(),
        }
    }

    fn claude_code(&self) -> Ways {
        let (url, header) = (&self.url, self.shell_header());
        let server = json!({
            "type": "http",
            "url": url,
            "headers": { "Authorization": self.bearer(|name| format!("${{{name}}}")) },
        });
        Ways {
            name: "claude-code",
            title: "Claude Code",
            ways: vec![
                Way {
                    how: "for a project, in `.mcp.json`, which is read at every start",
                    text: pretty(&json!({ "mcpServers": { "psn": server } })),
                },
                Way {
                    how: "for yourself, on the command line (it keeps the token in its own file)",
                    text: format!("claude mcp add --transport http --scope user psn {url} --header {header}"),
                },
            ],
            note: Some("`psn assistant install --commands` adds /psn:post, /psn:plan and the others."),
        }
    }

    fn claude(&self) -> Ways {
        let mut ways = Vec::new();
        if !self.is_here {
            ways.push(Way {
                how: "in Customize > Connectors > Add custom connector",
                text: format!("Name: psn\nRemote MCP server URL: {}", self.url),
            });
        }
        let mut server = json!({
            "command": "npx",
            "args": ["-y", "mcp-remote", self.url, "--header", "Authorization:${PSN_AUTHORIZATION}"],
            "env": { "PSN_AUTHORIZATION": self.bearer(|_| "YOUR-TOKEN".to_owned()) },
        });
        if self.is_here
            && let Some(arguments) = server["args"].as_array_mut()
        {
            arguments.push(json!("--allow-http"));
        }
        ways.push(Way {
            how: "with a token, in Claude Desktop's `claude_desktop_config.json` (Settings > Developer)",
            text: pretty(&json!({ "mcpServers": { "psn": server } })),
        });
        Ways {
            name: "claude",
            title: "claude.ai and Claude Desktop",
            ways,
            note: Some(match self.is_here {
                true => "This worker runs on your own machine: a connector reaches only one that is deployed.",
                false => {
                    "A connector asks you on a page of the worker; `psn assistant code` prints what to paste there."
                }
            }),
        }
    }

    fn cursor(&self) -> Ways {
        let server = json!({
            "url": self.url,
            "headers": { "Authorization": self.bearer(|name| format!("${{env:{name}}}")) },
        });
        Ways {
            name: "cursor",
            title: "Cursor",
            ways: vec![Way {
                how: "in `~/.cursor/mcp.json`, or in `.cursor/mcp.json` of a project",
                text: pretty(&json!({ "mcpServers": { "psn": server } })),
            }],
            note: None,
        }
    }

    fn vscode(&self) -> Ways {
        let server = json!({
            "type": "http",
            "url": self.url,
            "headers": { "Authorization": self.bearer(|_| "${input:psn-token}".to_owned()) },
        });
        let mut file = json!({ "servers": { "psn": server } });
        if matches!(self.token, Token::Variable(_)) {
            file["inputs"] = json!([
                { "type": "promptString", "id": "psn-token", "description": "Token of psn", "password": true },
            ]);
        }
        Ways {
            name: "vscode",
            title: "VS Code",
            ways: vec![Way {
                how: "in `.vscode/mcp.json` of a project, or by the command `MCP: Open User Configuration`",
                text: pretty(&file),
            }],
            note: Some("It asks for the token once and keeps it.").filter(|_| matches!(self.token, Token::Variable(_))),
        }
    }

    fn codex(&self) -> Ways {
        let url = &self.url;
        let ways = match &self.token {
            Token::Variable(name) => vec![
                Way {
                    how: "on the command line",
                    text: format!("codex mcp add psn --url {url} --bearer-token-env-var {name}"),
                },
                Way {
                    how: "or in `~/.codex/config.toml`",
                    text: format!("[mcp_servers.psn]\nurl = \"{url}\"\nbearer_token_env_var = \"{name}\""),
                },
            ],
            Token::Itself(token) => vec![Way {
                how: "in `~/.codex/config.toml`",
                text: format!(
                    "[mcp_servers.psn]\nurl = \"{url}\"\nhttp_headers = {{ \"Authorization\" = \"Bearer {token}\" }}"
                ),
            }],
        };
        Ways {
            name: "codex",
            title: "Codex",
            ways,
            note: None,
        }
    }

    fn gemini(&self) -> Ways {
        let (url, header) = (&self.url, self.shell_header());
        let server = json!({
            "httpUrl": url,
            "headers": { "Authorization": self.bearer(|name| format!("${name}")) },
        });
        Ways {
            name: "gemini",
            title: "Gemini CLI",
            ways: vec![
                Way {
                    how: "in `~/.gemini/settings.json`",
                    text: pretty(&json!({ "mcpServers": { "psn": server } })),
                },
                Way {
                    how: "or on the command line (it keeps the token in that file)",
                    text: format!("gemini mcp add --scope user --transport http --header {header} psn {url}"),
                },
            ],
            note: None,
        }
    }
}
