//! One scenario's account on one platform, in one place: what people and the platform do there.

use crate::emulated::Emulated;
use crate::place::Place;
use crate::samples::Sample;
use crate::subject::{Call, Doubts, Shape, Subject, Trouble};
use psn::dev::emulators::engine::InFlight;
use psn::dev::emulators::oauth::Grant;
use psn::dev::faults::Rule;
use psn::dev::ledger::{Arrival, Entry};
use psn::domain::id::{AccountId, RemoteUserId, UserId};
use psn::domain::time::Millis;
use psn::store::Secret;
use psn::store::accounts::AccountImport;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Accounts are numbered through the whole run.
static ACCOUNTS: AtomicU64 = AtomicU64::new(1);

pub struct Bench {
    pub subject: &'static dyn Subject,
    pub place: Arc<dyn Place>,
    pub emulated: Arc<dyn Emulated>,
    /// The scenario.
    pub name: &'static str,
    /// The account as the platform calls it, and as psn does.
    pub account: String,
    pub account_id: AccountId,
    /// The last call that had arrived before.
    before: u64,
    http: reqwest::Client,
}

pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Bench {
    /// An account of its own on that platform.
    pub async fn new(subject: &'static dyn Subject, place: Arc<dyn Place>, name: &'static str) -> Self {
        let emulated = place.emulated(subject.platform());
        let account = subject.account(ACCOUNTS.fetch_add(1, Ordering::SeqCst));
        emulated.add_account(&account);
        let before = emulated.ledger().arrivals.last().map_or(0, |arrival| arrival.n);
        let http = reqwest::Client::builder()
            .no_proxy()
            // A connection to a killed runtime is not to be used again.
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_secs(30));
        let mut bench = Self {
            subject,
            place,
            emulated,
            name,
            account,
            account_id: AccountId(String::new()),
            before,
            http: http.build().unwrap(),
        };
        bench.account_id = bench.connect(Millis(0)).await.0;
        bench
    }

    /// The owner consents, so long ago.
    pub async fn connect(&self, age: Millis) -> (AccountId, Grant) {
        let grant = self.emulated.grant(&self.account, age);
        let import = AccountImport {
            user: UserId::from("default"),
            platform: self.subject.platform(),
            remote_user_id: RemoteUserId(self.subject.remote_user_id(&self.account)),
            username: Some(format!("user.{}", self.account)),
            access_token: Secret::new(grant.access_token.clone()),
            refresh_token: grant.refresh_token.clone().map(Secret::new),
            expires_at: Some(self.place.now() - age + Millis::from_secs(grant.expires_in)),
            scopes: Some(grant.scopes.join(",")),
            metadata: serde_json::Map::new(),
        };
        let id = self.place.import(import).await;
        if age > Millis(0) {
            // The row says when its tokens were granted.
            let at = (self.place.now() - age).to_rfc3339();
            let keys = json!({"lastRefreshedAt": at, "lastRefreshAt": at});
            let sql = format!("update oauth_tokens set metadata = metadata || '{keys}' where id = '{id}'");
            self.place.sql(sql).await;
        }
        if !self.account_id.as_str().is_empty() {
            self.wake().await;
        }
        (id, grant)
    }

    /// What the account waits for is over.
    pub async fn wake(&self) {
        let path = format!("/v1/accounts/{}/wake", self.account_id);
        let woken = self.call(Method::POST, &path, None).await;
        assert_eq!(woken.status, 200, "{}", woken.body);
    }

    /// A request to the API, sent again while nobody answers: a killed runtime refuses for a moment.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let began = Instant::now();
        loop {
            match self.try_call(method.clone(), path, body).await {
                Ok(answer) if answer.status < 500 => return answer,
                Ok(answer) => assert!(began.elapsed() < PATIENCE, "{path}: {} {}", answer.status, answer.body),
                Err(error) => assert!(began.elapsed() < PATIENCE, "{path}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn try_call(&self, method: Method, path: &str, body: Option<&Value>) -> reqwest::Result<Answer> {
        let url = format!("{}{path}", self.place.url());
        let mut request = self.http.request(method, url).bearer_auth(self.place.token());
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, body })
    }

    async fn keep(&self, sample: Sample) -> Value {
        let url = format!("{}/v1/media", self.place.url());
        let request = self.http.post(url).bearer_auth(self.place.token());
        let request = request.header("content-type", "application/octet-stream");
        let answer = request.body(sample.bytes()).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert!([200, 201].contains(&status), "{sample:?}: {status} {text}");
        serde_json::from_str::<Value>(&text).unwrap()["id"].clone()
    }

    /// The text of this scenario's posts.
    pub fn text(&self) -> String {
        format!("{} {}", self.name.replace('_', " "), self.account)
    }

    /// A request for a post of that shape, with what else it says.
    pub async fn body(&self, shape: &Shape, more: Value) -> Value {
        let mut media = Vec::new();
        for sample in &shape.media {
            let id = self.keep(*sample).await;
            // LinkedIn shows a document by its title.
            media.push(match sample {
                Sample::Document => json!({"id": id, "title": "Pages"}),
                _ => json!({ "id": id }),
            });
        }
        let platform = self.subject.platform().name();
        let text = if shape.has_text { self.text() } else { String::new() };
        let mut body = json!({"platform": platform, "account_id": self.account_id, "content": text, "media": media});
        if !shape.options.is_null() {
            body[platform] = shape.options.clone();
        }
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    }

    /// Asks for a post.
    pub async fn ask(&self, shape: &Shape, more: Value) -> Answer {
        let body = self.body(shape, more).await;
        self.call(Method::POST, "/v1/posts", Some(&body)).await
    }

    /// Makes a post and gives its id.
    pub async fn make(&self, shape: &Shape, more: Value) -> String {
        let answer = self.ask(shape, more).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body["posts"][0]["id"].as_str().unwrap().to_owned()
    }

    pub async fn make_now(&self, shape: &Shape) -> String {
        self.make(shape, json!({"publish": "now"})).await
    }

    pub async fn make_in(&self, shape: &Shape, wait: Millis) -> String {
        let due = (self.place.now() + wait).to_rfc3339();
        self.make(shape, json!({ "scheduled_at": due })).await
    }

    pub async fn show(&self, id: &str) -> Value {
        let answer = self.call(Method::GET, &format!("/v1/posts/{id}"), None).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    pub async fn events(&self, id: &str) -> Vec<Value> {
        let answer = self.call(Method::GET, &format!("/v1/posts/{id}/events"), None).await;
        answer.body["events"].as_array().unwrap().clone()
    }

    /// What a person asks of a post, which must be allowed.
    pub async fn command(&self, id: &str, command: &str, body: Option<Value>) -> Value {
        let path = format!("/v1/posts/{id}/{command}");
        let answer = self.call(Method::POST, &path, body.as_ref()).await;
        assert_eq!(answer.status, 200, "{command}: {}", answer.body);
        answer.body
    }

    /// Lets things happen until the post is so.
    pub async fn until(&self, id: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let post = self.show(id).await;
            if is_so(&post) {
                return post;
            }
            if began.elapsed() > PATIENCE || !self.place.go_on().await {
                panic!("it does not become {what}: {post}\n{:#?}", self.events(id).await);
            }
        }
    }

    pub async fn rested(&self, id: &str) -> Value {
        self.until(id, "rest", |post| post["resting"] == true).await
    }

    /// The post once that is said of it.
    pub async fn ends(&self, id: &str, ends: (&str, Option<&str>)) -> Value {
        let is_so = |post: &Value| post["status"] == ends.0 && post["sub_status"].as_str() == ends.1;
        let wait = |post: &Value| is_so(post) || post["resting"] == true;
        let post = self.until(id, &format!("{ends:?}"), wait).await;
        assert!(is_so(&post), "expected {ends:?}: {post}\n{:#?}", self.events(id).await);
        post
    }

    /// That it comes out, and is out so many times in all on this account.
    pub async fn published(&self, id: &str, copies: usize) -> Value {
        let post = self.ends(id, ("published", None)).await;
        assert_eq!(self.copies(), copies, "{post}");
        for remote_id in post["platform_post_ids"].as_array().unwrap() {
            assert!(!remote_id.as_str().unwrap().is_empty(), "{post}");
        }
        post
    }

    /// What is out, drafts for a person included.
    pub fn out(&self) -> Vec<Entry> {
        let ledger = self.emulated.ledger();
        let all = ledger.entries.into_iter().chain(ledger.drafts);
        all.filter(|entry| entry.account == self.account && entry.deleted_at.is_none())
            .collect()
    }

    pub fn copies(&self) -> usize {
        self.out().len()
    }

    /// Calls of that kind that arrived.
    pub fn arrivals(&self, call: &Call) -> Vec<Arrival> {
        let arrivals = self.emulated.ledger().arrivals.into_iter();
        let is_ours = |arrival: &Arrival| match call.is_signed {
            true => arrival.account.as_deref() == Some(self.account.as_str()),
            // Who sends such calls plays alone.
            false => arrival.account.is_none() && arrival.n > self.before,
        };
        arrivals
            .filter(|arrival| arrival.method == call.method && arrival.path.starts_with(&call.path))
            .filter(is_ours)
            .collect()
    }

    /// Lets what fits do that.
    pub fn rule(&self, call: &Call, action: Value, times: Option<u64>) {
        let mut matches = json!({"method": call.method, "path": call.path});
        if let Some(nth) = call.nth {
            matches["nth"] = nth.into();
        }
        if call.is_signed {
            matches["account"] = self.account.clone().into();
        }
        let mut rule = json!({"match": matches, "action": action});
        if let Some(times) = times {
            rule["times"] = times.into();
        }
        let rule: Rule = serde_json::from_value(rule).unwrap();
        self.emulated.add_rule(rule);
    }

    /// The next call that publishes such a post does that.
    pub fn next_publishing(&self, shape: &Shape, action: Value) -> Call {
        let call = self.subject.publishing(shape, &self.account);
        self.rule(&call, action, Some(1));
        call
    }

    pub fn make_trouble(&self, trouble: &Trouble) {
        self.emulated.change(&trouble.settings);
        if let Some((call, how, times)) = &trouble.rule {
            self.rule(call, json!({"fail": "before", "how": how}), *times);
        }
    }

    /// Waits until a call of this account is held.
    pub async fn until_held(&self) -> InFlight {
        self.place.run_behind();
        let began = Instant::now();
        let is_ours = |call: &InFlight| call.account.as_deref().is_none_or(|account| account == self.account);
        loop {
            let calls = self.emulated.in_flight();
            if let Some(call) = calls.into_iter().find(|call| call.held && is_ours(call)) {
                return call;
            }
            assert!(began.elapsed() < PATIENCE, "no call is held");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Lets the held call go on.
    pub async fn release(&self, call: &InFlight) {
        self.emulated.release(call.id);
        self.place.stand().await;
    }

    /// Makes a post, and kills the program while that call is held at that point.
    pub async fn kill_in(&self, shape: &Shape, call: &Call, point: &str) -> String {
        self.rule(call, json!({ "hold": point }), Some(1));
        let id = self.make_now(shape).await;
        self.until_held().await;
        self.place.kill().await;
        id
    }

    /// A publishing call took effect, and psn does not know: the post is out once in the end.
    pub async fn settles_as_out(&self, id: &str) {
        if self.subject.doubts() == Doubts::AreAskedAbout {
            let post = self.ends(id, ("failed", Some("needs_review"))).await;
            assert_eq!(self.copies(), 1, "{post}");
            let remote_id = self.out()[0].id.clone();
            let verdict = json!({"part": 1, "outcome": "published", "remote_id": remote_id});
            self.command(id, "resolve", Some(verdict)).await;
        }
        let post = self.published(id, 1).await;
        assert!(self.has(id, "doubted").await, "{post}");
        let ids = post["platform_post_ids"].as_array().unwrap();
        assert_eq!(ids.len(), 1, "{post}");
    }

    /// A publishing call had no effect, and psn does not know: the post is out once in the end.
    pub async fn settles_as_absent(&self, id: &str) {
        if self.subject.doubts() == Doubts::AreAskedAbout {
            let post = self.ends(id, ("failed", Some("needs_review"))).await;
            assert_eq!(self.copies(), 0, "{post}");
            let verdict = json!({"part": 1, "outcome": "not_published"});
            self.command(id, "resolve", Some(verdict)).await;
            self.command(id, "retry", None).await;
        }
        let post = self.published(id, 1).await;
        assert!(self.has(id, "doubted").await, "{post}");
    }

    /// Whether something of that kind happened to the post.
    pub async fn has(&self, id: &str, kind: &str) -> bool {
        self.events(id).await.iter().any(|event| event["kind"] == kind)
    }

    /// What the post's owner is told.
    pub fn reason(post: &Value) -> &str {
        post["fail_reason"].as_str().unwrap_or_default()
    }
}
