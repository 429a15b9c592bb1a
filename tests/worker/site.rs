//! A stack of its own with a client that waits out a restart.

use psn::cli::local::{self, Local, LocalOptions};
use psn::dev::emulators::engine;
use psn::dev::emulators::x::XHandle;
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::dev::faults::{Action, Match, Plan, Point, Rule};
use psn::dev::ledger::judge;
use psn::dev::stack::X_ACCOUNT_ID;
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(90);

pub struct Answer {
    pub status: u16,
    pub kind: String,
    pub body: Value,
}

/// Which instance of a post's object answers, and its journal.
#[derive(Debug, PartialEq, Eq)]
pub struct Life {
    pub boot_id: String,
    pub events: Vec<Value>,
}

pub struct Site {
    pub local: Local,
    pub http: reqwest::Client,
    pub folder: tempfile::TempDir,
}

impl Site {
    pub async fn start(delays: &str, deadline: &str, x: XSettings) -> Self {
        Self::start_from(Path::new(env!("CARGO_MANIFEST_DIR")), delays, deadline, x).await
    }

    /// The same with another clone.
    pub async fn start_from(root: &Path, delays: &str, deadline: &str, x: XSettings) -> Self {
        assert!(
            root.join("build/index.js").is_file(),
            "the Worker is not built, so that it cannot be tried: run `scripts/setup --worker` first"
        );
        let folder = tempfile::tempdir().unwrap();
        let environment = [("LOOKUP_DELAYS_MS", delays), ("CALL_DEADLINE_MS", deadline)];
        let options = LocalOptions {
            root: root.to_owned(),
            state_dir: folder.path().join("state"),
            port: None,
            temporary: true,
            environment: environment
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            x,
        };
        let local = local::start(options, |line| println!("{line}"))
            .await
            .unwrap_or_else(|error| panic!("the stack did not start: {error}"));
        let http = reqwest::Client::builder()
            .no_proxy()
            // A connection to a killed runtime is not to be used again.
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap();
        Self { local, http, folder }
    }

    pub fn x(&self) -> &XHandle {
        self.local.stack.x()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.local.get("PSN_URL"))
    }

    /// Sends a request once.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let kind = answer.headers().get("content-type");
        let kind = kind.map_or("", |kind| kind.to_str().unwrap()).to_owned();
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, kind, body })
    }

    pub fn request(&self, method: Method, path: &str, body: Option<&Value>) -> reqwest::RequestBuilder {
        let request = self
            .http
            .request(method, self.url(path))
            .bearer_auth(self.local.get("PSN_API_TOKEN"));
        match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(body.to_string()),
            None => request,
        }
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        self.send(self.request(method, path, body)).await.unwrap()
    }

    pub async fn post(&self, path: &str) -> Answer {
        self.call(Method::POST, path, None).await
    }

    /// Reads until there is an answer: a killed runtime refuses for a moment.
    pub async fn get(&self, path: &str) -> Value {
        let began = Instant::now();
        loop {
            let answer = self.send(self.request(Method::GET, path, None)).await;
            match answer {
                Ok(answer) if answer.status == 200 => return answer.body,
                Ok(answer) if answer.status < 500 => panic!("{path}: {} {}", answer.status, answer.body),
                _ => assert!(began.elapsed() < PATIENCE, "{path}: no answer"),
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Makes a post on X. The key makes it safe to ask again across a kill.
    pub async fn create(&self, mut body: Value, key: &str) -> Value {
        body["platform"] = json!("x");
        self.create_all(body, key).await[0].clone()
    }

    /// Makes a post for each of the platforms that the body names.
    pub async fn create_all(&self, body: Value, key: &str) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let request = self.request(Method::POST, "/v1/posts", Some(&body));
            match self.send(request.header("idempotency-key", key)).await {
                Ok(answer) if answer.status == 201 => return answer.body["posts"].as_array().unwrap().clone(),
                Ok(answer) if !matches!(answer.status, 409 | 500..) => panic!("{} {}", answer.status, answer.body),
                Ok(answer) => assert!(
                    began.elapsed() < PATIENCE,
                    "not created: {} {}",
                    answer.status,
                    answer.body
                ),
                Err(error) => assert!(began.elapsed() < PATIENCE, "not created: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The post once it rests.
    pub async fn rested(&self, id: &str) -> Value {
        self.rested_within(id, PATIENCE).await
    }

    pub async fn rested_within(&self, id: &str, patience: Duration) -> Value {
        let began = Instant::now();
        loop {
            let post = self.get(&format!("/v1/posts/{id}")).await;
            if post["resting"] == true {
                return post;
            }
            assert!(began.elapsed() < patience, "does not come to rest: {post}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The post once it is as that says.
    pub async fn until(&self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let post = self.get(&format!("/v1/posts/{id}")).await;
            if is_so(&post) {
                return post;
            }
            assert!(began.elapsed() < PATIENCE, "does not become so: {post}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn events(&self, id: &str) -> Vec<Value> {
        self.life(id).await.events
    }

    pub async fn life(&self, id: &str) -> Life {
        let mut answer = self.get(&format!("/v1/posts/{id}/events")).await;
        let boot_id = answer["boot_id"].as_str().expect("an instance has an id").to_owned();
        match answer["events"].take() {
            Value::Array(events) => Life { boot_id, events },
            other => panic!("no events: {other}"),
        }
    }

    /// Holds that publishing call, counted from now, before its effect or between that and its answer.
    pub fn hold(&self, nth: u64, point: Point) {
        hold(self.x(), "POST", "/2/tweets", nth, point);
    }

    pub async fn wait_held(&self) {
        assert!(self.x().wait_held(PATIENCE).await.is_some(), "no call was held");
    }

    /// Publishing calls that arrived so far.
    pub fn sent(&self) -> usize {
        let arrivals = self.x().ledger().arrivals;
        arrivals
            .iter()
            .filter(|arrival| arrival.method == "POST" && arrival.path == "/2/tweets")
            .count()
    }

    /// That the thread is out exactly once and the post says just that.
    pub fn assert_exact(&self, post: &Value, parts: &[String]) {
        assert_eq!(post["status"], "published", "{post}");
        assert_eq!(post["sub_status"], Value::Null, "{post}");
        let ledger = self.x().ledger();
        let verdict = judge(&ledger.entries, parts, X_ACCOUNT_ID);
        assert!(verdict.exact(), "{verdict:?} of {post}");
        let ids: Vec<&str> = parts
            .iter()
            .map(|text| {
                let entry = ledger.entries.iter().find(|entry| entry.text == *text);
                entry.unwrap().id.as_str()
            })
            .collect();
        assert_eq!(post["platform_post_ids"], json!(ids));
    }

    pub async fn stop(self) {
        self.local.stack.stop().await;
    }
}

/// Holds that call of those below that path, counted from now.
pub fn hold<S: engine::Site>(emulator: &engine::Handle<S>, method: &str, path: &str, nth: u64, point: Point) {
    let matches = Match {
        method: Some(method.to_owned()),
        path: Some(path.to_owned()),
        nth: Some(nth),
        ..Match::default()
    };
    let action = Action {
        hold: Some(point),
        ..Action::default()
    };
    let times = Some(1);
    let settings = emulator.faults().settings;
    let rules = vec![Rule { matches, action, times }];
    emulator.set_faults(Plan { settings, rules }).unwrap();
}

/// The texts of a thread that nobody else publishes.
pub fn thread(name: &str, parts: usize) -> Vec<String> {
    (1..=parts).map(|part| format!("{name}: part {part} of it")).collect()
}
