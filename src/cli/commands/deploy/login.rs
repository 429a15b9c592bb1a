//! Who may change things at Cloudflare: an API token, or what `wrangler login` has stored; and in which account.

use super::wrangler::{Tools, Wrangler};
use crate::cli::cloudflare::{AccountName, CallError, Cloudflare, TOKEN_HINT};
use crate::cli::config::{Chosen, Secret, Variables};
use crate::cli::error::{CliResult, Lack};
use crate::cli::printer::excerpt;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Where an account's id is seen.
const WHERE_ACCOUNT: &str = "dash.cloudflare.com > Account home > the 32 digits in the address";

/// A login that works.
#[derive(Clone, Debug)]
pub struct Login {
    /// The account's id.
    pub account: String,
    token: Secret,
    /// Whether the token is `wrangler login`'s own, which wrangler finds by itself.
    stored: bool,
}

impl Login {
    /// The token that wrangler has to be given.
    #[must_use]
    pub fn given_token(&self) -> Option<&str> {
        (!self.stored).then_some(self.token.0.as_str())
    }

    /// Texts that must not be shown.
    #[must_use]
    pub fn hidden(&self) -> Vec<String> {
        vec![self.token.0.clone()]
    }

    /// Cloudflare's API with it.
    ///
    /// # Errors
    /// A token that cannot be one.
    pub fn cloudflare(&self, environment: &Variables) -> CliResult<Cloudflare> {
        Cloudflare::new(environment, &self.token.0)
    }

    /// Finds the login and the account: that of an earlier deployment, that of the settings, or the only one.
    ///
    /// # Errors
    /// What is missing.
    pub async fn find(
        chosen: &Chosen,
        environment: &Variables,
        tools: &Tools,
        folder: &Path,
        earlier: Option<&str>,
    ) -> Result<Self, Lack> {
        let given = chosen
            .local(environment, "CLOUDFLARE_API_TOKEN")
            .map(|token| Secret(token.to_owned()));
        let (token, stored) = match given {
            Some(token) => (token, false),
            None => match stored_token(environment, tools, folder).await {
                Some(token) => (token, true),
                None => return Err(no_login(environment)),
            },
        };
        let said = |error: &CallError| match error {
            error if error.is_token() && stored => Lack::new(
                format!("Cloudflare does not accept the session of `wrangler login` ({error})"),
                format!("run `npx wrangler login` again; or {TOKEN_HINT}"),
            ),
            error if error.is_token() => Lack::new(
                format!("Cloudflare does not accept `CLOUDFLARE_API_TOKEN` ({error})"),
                TOKEN_HINT,
            ),
            error => Lack::new(error.to_string(), error.todo()),
        };
        let api = Cloudflare::new(environment, &token.0).map_err(|error| Lack::of(&error, TOKEN_HINT))?;
        let wanted = chosen
            .local(environment, "CLOUDFLARE_ACCOUNT_ID")
            .or(earlier)
            .map(str::to_owned);
        let accounts = api.accounts().await.map_err(|error| said(&error))?;
        let account = match (wanted, accounts.as_slice()) {
            (Some(id), all) if all.iter().any(|one| one.id == id) => id,
            // Tokens need not be allowed to list accounts; whether they reach this one, its workers.dev name tells.
            (Some(id), all) => match api.subdomain(&id).await {
                Ok(_) => id,
                Err(CallError::Refused { .. }) => {
                    let what = format!("the login does not reach the account `{}`", excerpt(&id, 64));
                    return Err(Lack::new(
                        what,
                        match all {
                            [] => format!("correct `CLOUDFLARE_ACCOUNT_ID` in `config/keys.env` ({WHERE_ACCOUNT})"),
                            all => format!(
                                "set `CLOUDFLARE_ACCOUNT_ID` in `config/keys.env` to an account that it reaches: {}",
                                names(all)
                            ),
                        },
                    ));
                }
                Err(error) => return Err(said(&error)),
            },
            (None, [one]) => one.id.clone(),
            (None, []) => {
                return Err(Lack::new(
                    "the login sees no account at Cloudflare",
                    format!("set `CLOUDFLARE_ACCOUNT_ID` in `config/keys.env` ({WHERE_ACCOUNT})"),
                ));
            }
            (None, several) => {
                return Err(Lack::new(
                    "the login sees several accounts at Cloudflare",
                    format!(
                        "set `CLOUDFLARE_ACCOUNT_ID` in `config/keys.env` to one of {}",
                        names(several)
                    ),
                ));
            }
        };
        Ok(Self { account, token, stored })
    }
}

/// Why there is no login: none was made, or the one that wrangler keeps has ended.
fn no_login(environment: &Variables) -> Lack {
    if has_session(environment) {
        return Lack::new(
            "the session of `wrangler login` has ended and was not renewed",
            format!("run `npx wrangler login` again; or {TOKEN_HINT}"),
        );
    }
    Lack::new(
        "there is no login at Cloudflare",
        format!("{TOKEN_HINT}; or run `npx wrangler login`"),
    )
}

/// Whether wrangler keeps a session, in any of the folders where it does: what is in it is wrangler's own.
fn has_session(environment: &Variables) -> bool {
    let folder = |name: &str, below: &str| Some(PathBuf::from(environment.get(name)?).join(below));
    let folders = [
        folder("XDG_CONFIG_HOME", ".wrangler"),
        folder("HOME", ".config/.wrangler"),
        folder("HOME", ".wrangler"),
        folder("HOME", "Library/Preferences/.wrangler"),
    ];
    let mut folders = folders.into_iter().flatten();
    folders.any(|folder| folder.join("config/default.toml").is_file())
}

fn names(accounts: &[AccountName]) -> String {
    let names: Vec<String> = accounts
        .iter()
        .map(|one| format!("`{}` ({})", one.id, one.name))
        .collect();
    names.join(", ")
}

/// The token that `wrangler login` has stored, renewed where it has ended.
async fn stored_token(environment: &Variables, tools: &Tools, folder: &Path) -> Option<Secret> {
    let nobody = Login {
        account: String::new(),
        token: Secret(String::new()),
        stored: true,
    };
    let wrangler = Wrangler::new(tools, folder, &nobody, environment, Vec::new()).ok()?;
    let said = wrangler.run(&["auth", "token", "--json"], None).await;
    wrangler.clean();
    let said = said.ok().filter(|said| said.ok)?;
    let from = said.text.find('{')?;
    let mut documents = serde_json::Deserializer::from_str(&said.text[from..]).into_iter::<Value>();
    let answer = documents.next()?.ok()?;
    answer["token"]
        .as_str()
        .filter(|token| !token.is_empty())
        .map(|token| Secret(token.to_owned()))
}
