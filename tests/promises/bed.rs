//! A database that the legacy program left behind, taken over by psn: all platforms, one account on each, cron.

use crate::bench::Bench;
use crate::native::Native;
use crate::place::Place as _;
use crate::{MINUTE, subjects, support};
use psn::cli::zones::BundledZones;
use psn::dev::ledger::Entry;
use psn::dev::postgres::Postgres;
use psn::domain::id::PostId;
use psn::domain::time::{Millis, Timestamp};
use psn::tasks::{Context, on_cron};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const LEGACY: &str = include_str!("../store/legacy.sql");
/// The string of the watchdog.
const WATCH: &str = "*/15 * * * *";
const QUARTER: Millis = Millis(15 * MINUTE.0);

pub const X: usize = 0;
pub const LINKEDIN: usize = 1;

pub struct Bed {
    postgres: Arc<Postgres>,
    database: &'static str,
    pub place: Arc<Native>,
    /// In the order of `subjects::ALL`.
    pub accounts: Vec<Arc<Bench>>,
    rows: AtomicU32,
}

/// A row as the legacy program wrote it.
#[derive(Clone, Debug)]
pub struct Row {
    pub user: String,
    pub platform: &'static str,
    pub content: String,
    pub status: String,
    pub sub_status: Option<String>,
    pub metadata: Map<String, Value>,
    pub media: bool,
    pub approval: Option<&'static str>,
    pub scheduled_at: Option<Timestamp>,
    pub touched: Timestamp,
}

impl Row {
    /// A post for X of one text, due and touched at that time.
    pub fn new(status: &str, content: impl Into<String>, at: Timestamp) -> Self {
        Self {
            user: "default".to_owned(),
            platform: "x",
            content: content.into(),
            status: status.to_owned(),
            sub_status: None,
            metadata: Map::new(),
            media: false,
            approval: None,
            scheduled_at: Some(at),
            touched: at,
        }
    }

    /// The same as a thread.
    pub fn thread(status: &str, parts: &[String], at: Timestamp) -> Self {
        Self::new(status, json!(parts).to_string(), at)
    }

    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.metadata.insert(key.to_owned(), value.into());
        self
    }

    /// The record of a thread of which those are out.
    pub fn progress(self, out: &[String], total: usize) -> Self {
        let last = out.last().cloned().unwrap_or_default();
        let record = json!({"posted": out.len(), "total": total, "lastPostedId": last, "tweetIds": out});
        self.with("threadProgress", record.to_string())
    }

    pub fn on(self, platform: &'static str) -> Self {
        Self { platform, ..self }
    }
}

impl Bed {
    pub async fn new(database: &'static str) -> Self {
        let postgres = support::postgres().await;
        postgres.create_database(database, None).await.unwrap();
        postgres.owner_script(database, LEGACY).await.unwrap();
        let place = Arc::new(Native::start_on(&postgres, database, &subjects::ALL, &[]).await);
        place.world.store().migrate().await.unwrap();
        let mut accounts = Vec::new();
        for subject in subjects::ALL {
            accounts.push(Arc::new(Bench::new(subject, place.clone(), "legacy").await));
        }
        Self {
            postgres,
            database,
            place,
            accounts,
            rows: AtomicU32::new(0),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.place.now()
    }

    /// Asks the database as its owner: the rows, their values separated by `|`.
    pub async fn ask(&self, sql: &str) -> Vec<String> {
        let rows = self.postgres.owner_script(self.database, sql).await.unwrap();
        let line = |row: &Vec<Option<String>>| {
            let values = row.iter().map(|value| value.clone().unwrap_or_default());
            values.collect::<Vec<_>>().join("|")
        };
        rows.iter().map(line).collect()
    }

    /// Writes a row as the legacy program does.
    pub async fn insert(&self, row: &Row) -> PostId {
        let number = self.rows.fetch_add(1, Ordering::SeqCst) + 1;
        let id = format!("0b5e0000-0000-4000-8000-{number:012}");
        let text = |value: Option<&str>| value.map_or("null".to_owned(), |value| format!("$t${value}$t$"));
        let media = if row.media {
            "'[\"content/media/a.png\"]'"
        } else {
            "null"
        };
        let due = row.scheduled_at.map(|at| at.to_rfc3339());
        let metadata = Value::Object(row.metadata.clone()).to_string();
        self.ask(&format!(
            "insert into posts (id, user_id, platform, content, media_urls, status, sub_status, scheduled_at, metadata, \
             approval_status, created_at, updated_at) values ('{id}', '{}', '{}', {}, {media}, '{}', {}, {}, {}, {}, '{}', '{}')",
            row.user,
            row.platform,
            text(Some(&row.content)),
            row.status,
            text(row.sub_status.as_deref()),
            text(due.as_deref()),
            text(Some(&metadata)),
            text(row.approval),
            row.touched,
            row.touched,
        ))
        .await;
        PostId(id)
    }

    /// The whole row, as the database shows it.
    pub async fn row(&self, id: &PostId) -> String {
        let rows = self
            .ask(&format!("select to_jsonb(p) from posts p where id = '{id}'"))
            .await;
        rows.into_iter().next().unwrap_or_default()
    }

    /// Status, sub-status and reason of the row.
    pub async fn said(&self, id: &PostId) -> String {
        let rows = self
            .ask(&format!(
                "select status, sub_status, fail_reason from posts where id = '{id}'"
            ))
            .await;
        rows.into_iter().next().unwrap_or_default()
    }

    /// Publishes on X what psn knows nothing of, as an answer to that post if one is given.
    pub async fn tweet(&self, text: &str, reply_to: Option<&str>) -> String {
        let account = &self.accounts[X];
        let token = self.place.access_token(account.account_id.clone()).await;
        let mut body = json!({ "text": text });
        if let Some(id) = reply_to {
            body["reply"] = json!({ "in_reply_to_tweet_id": id });
        }
        let url = format!("{}/2/tweets", account.emulated.urls()[0]);
        let request = reqwest::Client::builder().no_proxy().build().unwrap().post(url);
        let request = request.bearer_auth(token).header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        let made: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        made["data"]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{made}"))
            .to_owned()
    }

    /// The first parts of a thread, published.
    pub async fn tweets(&self, parts: &[String]) -> Vec<String> {
        let mut ids: Vec<String> = Vec::new();
        for part in parts {
            let id = self.tweet(part, ids.last().map(String::as_str)).await;
            ids.push(id);
        }
        ids
    }

    /// Fires the watchdog's cron string.
    pub async fn watch(&self) {
        let world = &self.place.world;
        let context = Context {
            store: Arc::new(world.store()),
            objects: world.clone(),
            http: world.http().clone(),
            media: world.media_store(),
            settings: world.settings(),
            zones: Box::new(BundledZones),
        };
        on_cron(WATCH, &context, &|_| {}).await.unwrap();
    }

    /// Lets so much time pass, with the watchdog at its times.
    pub async fn pass(&self, length: Millis) {
        let until = self.now() + length;
        while self.now() < until {
            self.watch().await;
            let next = Timestamp(self.now().0 - self.now().0 % QUARTER.0 + QUARTER.0).min(until);
            self.place.world.run_for(next.since(self.now())).await;
            self.place.fetched().await;
        }
    }

    /// What is out with that text, on that account.
    pub fn out(&self, on: usize, text: &str) -> Vec<Entry> {
        let entries = self.accounts[on].out().into_iter();
        entries.filter(|entry| entry.text == text).collect()
    }

    /// Calls that arrived to publish on X.
    pub fn sends(&self) -> usize {
        let arrivals = self.accounts[X].emulated.ledger().arrivals.into_iter();
        let sends = arrivals.filter(|arrival| arrival.method == "POST" && arrival.path == "/2/tweets");
        sends.count()
    }

    /// Each part is out once, and answers the one before.
    pub fn assert_exact(&self, parts: &[String], what: &str) {
        let mut before: Option<String> = None;
        for part in parts {
            let out = self.out(X, part);
            assert_eq!(out.len(), 1, "{what}: `{part}`");
            assert_eq!(out[0].reply_to, before, "{what}: `{part}`");
            before = Some(out[0].id.clone());
        }
    }
}
