//! The world of one seed: the real driver over a database and a platform that fail, on a clock that only waiting moves.

use crate::platform::Tokens;
use crate::random::Random;
use bytes::Bytes;
use http::HeaderMap;
use psn::domain::id::{AccountId, PostId, UserId};
use psn::domain::platform::Platform;
use psn::domain::secret::Secret;
use psn::domain::time::{Millis, Timestamp};
use psn::platforms::oauth;
use psn::ports::clock::Clock;
use psn::ports::entropy::Entropy;
use psn::ports::http::{HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse};
use psn::ports::objects::{
    AccountReply, AccountRequest, IndexReply, IndexRequest, ObjectError, Objects, PostReply, PostRequest,
};
use psn::ports::pause::Pause;
use psn::ports::table::Table;
use psn::ports::waker::Waker;
use psn::store::seal::{Place, Sealer};
use psn::store::{Neon, Store};
use psn::tasks::account::{AccountObject, Surroundings};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const ACCOUNT: &str = "00000000-0000-4000-8000-00000000000a";
pub const USER: &str = "default";
const KEYS: [&str; 2] = [
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100",
];
const START: Timestamp = Timestamp(1_795_000_000_000);

pub type Core = AccountObject<Http, Ambient, World, Alarm>;

/// The row as the database has it.
pub struct Row {
    pub access: String,
    pub refresh: Option<String>,
    pub expires_at: Option<Timestamp>,
    pub metadata: Map<String, Value>,
    pub version: u64,
}

pub struct Inner {
    pub random: Random,
    pub tokens: Tokens,
    pub row: Row,
    pub table: BTreeMap<String, String>,
    pub alarm: Option<Timestamp>,
    pub healed: bool,
    /// Faults per thousand.
    pub chaos: u64,
    pub down: Vec<(Timestamp, Timestamp)>,
    /// Refresh tokens whose successors psn knows for good.
    known: BTreeSet<String>,
    /// What psn read last.
    read: Option<String>,
    presenting: u32,
    pub told: u32,
    pub parked: bool,
    pub marks: BTreeSet<&'static str>,
    pub trace: Vec<String>,
    pub broken: Option<String>,
    current: Option<Instance>,
}

#[derive(Clone)]
struct Instance {
    core: Arc<Core>,
    alive: Arc<AtomicBool>,
}

#[derive(Clone)]
pub struct World(pub Arc<Mutex<Inner>>, tokio::time::Instant, Arc<tokio::sync::Notify>);

#[derive(Clone)]
pub struct Ambient(World);
impl Clock for Ambient {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}
impl Entropy for Ambient {
    fn fill(&self, buffer: &mut [u8]) {
        let mut inner = self.0.0.lock().unwrap();
        buffer.fill_with(|| inner.random.next().to_le_bytes()[0]);
    }
}
impl Pause for Ambient {
    async fn pause(&self, length: Millis) {
        sleep(length).await;
    }
}

fn after(length: Millis) -> Duration {
    Duration::from_millis(length.0.max(0).unsigned_abs())
}

pub async fn sleep(length: Millis) {
    tokio::time::sleep(after(length)).await;
}

pub fn place(field: &str, platform: Platform) -> Place<'_> {
    Place {
        user: USER,
        platform: platform.name(),
        account: ACCOUNT,
        field,
    }
}

pub fn sealer(now: usize) -> Sealer {
    let sealer = Sealer::new(&Secret::new(KEYS[now])).unwrap();
    sealer.with_former_key(&Secret::new(KEYS[1 - now])).unwrap()
}

/// The network of one instance: dead, it hears of nothing any more.
#[derive(Clone)]
pub struct Http {
    world: World,
    alive: Arc<AtomicBool>,
}

fn lost() -> HttpError {
    HttpError {
        kind: HttpErrorKind::MaybeSent,
        message: "no answer came".to_owned(),
    }
}

impl HttpClient for Http {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if !self.alive.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let is_database = request.url.ends_with("/sql");
        if !is_database {
            self.world.presents(&request);
        }
        let (before, after, fate) = self.world.fate(is_database);
        let (sender, answer) = tokio::sync::oneshot::channel();
        let (world, deadline) = (self.world.clone(), request.deadline);
        // What has left takes effect whatever becomes of whoever sent it.
        tokio::spawn(async move {
            sleep(before).await;
            let response = match (fate, is_database) {
                (Fate::NeverArrives, false) => {
                    world.0.lock().unwrap().presenting -= 1;
                    None
                }
                (Fate::NeverArrives, true) => None,
                (_, true) => world.query(&request),
                (_, false) => Some(world.renew(&request)),
            };
            sleep(after).await;
            let _ = sender.send(response.filter(|_| fate == Fate::Answered));
        });
        let limit = Duration::from_millis(deadline.0.unsigned_abs());
        let answer = tokio::time::timeout(limit, answer).await;
        if !self.alive.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        answer.ok().and_then(Result::ok).flatten().ok_or_else(lost)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    NeverArrives,
    AnswerLost,
    Answered,
}

/// The storage of one instance.
struct Storage {
    world: World,
    alive: Arc<AtomicBool>,
}

impl Storage {
    fn check(&self) -> Result<(), String> {
        let alive = self.alive.load(Ordering::SeqCst);
        alive.then_some(()).ok_or_else(|| "the instance is dead".to_owned())
    }
}

impl Table for Storage {
    fn get(&self, key: &str) -> Result<Option<String>, String> {
        self.check()?;
        Ok(self.world.0.lock().unwrap().table.get(key).cloned())
    }

    fn put(&self, key: &str, value: &str) -> Result<(), String> {
        self.check()?;
        let mut inner = self.world.0.lock().unwrap();
        if inner.strikes(3, "died before a write") {
            self.alive.store(false, Ordering::SeqCst);
            return Err("the instance died".to_owned());
        }
        if value.contains("tokena") || value.contains("tokenr") {
            inner
                .broken
                .get_or_insert("a token lies in the object in the clear".to_owned());
        }
        inner.table.insert(key.to_owned(), value.to_owned());
        if key == "state" {
            let now = self.world.1.elapsed().as_secs();
            inner.trace.push(format!("{now} s: {}", &value[..value.len().min(90)]));
            if value.contains("\"phase\":\"held\"")
                && let Some(read) = inner.read.clone()
            {
                inner.known.insert(read);
            }
        }
        if inner.strikes(3, "died after a write") {
            self.alive.store(false, Ordering::SeqCst);
            return Err("the instance died".to_owned());
        }
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<(), String> {
        self.check()?;
        self.world.0.lock().unwrap().table.remove(key);
        Ok(())
    }

    fn scan(&self, _: &str, _: &str, _: usize) -> Result<Vec<(String, String)>, String> {
        Ok(Vec::new())
    }
}

pub struct Alarm {
    world: World,
    alive: Arc<AtomicBool>,
}
impl Waker for Alarm {
    async fn set_alarm(&self, at: Option<Timestamp>) -> Result<(), String> {
        if self.alive.load(Ordering::SeqCst) {
            self.world.0.lock().unwrap().alarm = at;
            self.world.2.notify_one();
        }
        Ok(())
    }
}

impl Objects for World {
    async fn post(&self, _: &PostId, _: PostRequest) -> Result<PostReply, ObjectError> {
        Err(ObjectError("there are no posts here".to_owned()))
    }

    async fn account(&self, id: &AccountId, request: AccountRequest) -> Result<AccountReply, ObjectError> {
        self.instance().core.answer(id, request).await.map_err(ObjectError)
    }

    async fn index(&self, request: IndexRequest) -> Result<IndexReply, ObjectError> {
        let mut inner = self.0.lock().unwrap();
        match request {
            IndexRequest::Hold(_) => inner.parked = true,
            IndexRequest::Lift { .. } => inner.parked = false,
            _ => {}
        }
        Ok(IndexReply::Done)
    }
}

impl Inner {
    /// Whether a fault strikes now.
    pub fn strikes(&mut self, per_mille: u64, mark: &'static str) -> bool {
        let strikes = !self.healed && self.random.per_mille(per_mille * self.chaos / 10);
        if strikes {
            self.marks.insert(mark);
        }
        strikes
    }

    fn open(&self, sealed: &str, field: &str) -> String {
        let plain = sealer(0).open(sealed, &place(field, self.tokens.platform));
        plain.unwrap().expose().to_owned()
    }

    pub fn row_access(&self) -> String {
        self.open(&self.row.access, "access_token")
    }

    /// What the row's tokens are renewed with.
    pub fn row_credential(&self) -> String {
        match &self.row.refresh {
            Some(sealed) => self.open(sealed, "refresh_token"),
            None => self.row_access(),
        }
    }
}

impl World {
    pub fn new(mut random: Random) -> Self {
        let platform = match random.below(10) {
            0..=4 => Platform::X,
            5..=6 => Platform::TikTok,
            7 => Platform::LinkedIn,
            _ => Platform::Instagram,
        };
        let (forgives, ends_former) = (random.per_mille(500), random.per_mille(400));
        let chaos = *[0, 10, 30, 80].get(random.below(4) as usize).unwrap();
        let mut tokens = Tokens::new(platform, forgives, ends_former);
        let pair = tokens.consent(START);
        let expires_at = Some(START + tokens.life());
        let row = Row {
            access: String::new(),
            refresh: None,
            expires_at: None,
            metadata: Map::new(),
            version: 0,
        };
        let inner = Inner {
            random,
            tokens,
            row,
            table: BTreeMap::new(),
            alarm: None,
            healed: false,
            chaos,
            down: Vec::new(),
            known: BTreeSet::new(),
            read: None,
            presenting: 0,
            told: 0,
            parked: false,
            marks: BTreeSet::new(),
            trace: Vec::new(),
            broken: None,
            current: None,
        };
        let world = Self(Arc::new(Mutex::new(inner)), tokio::time::Instant::now(), Arc::default());
        world.write(&pair.access, pair.refresh.as_deref(), expires_at);
        world
    }

    pub fn now(&self) -> Timestamp {
        START + Millis(i64::try_from(self.1.elapsed().as_millis()).unwrap())
    }

    pub fn fail(&self, why: String) {
        self.0.lock().unwrap().broken.get_or_insert(why);
    }

    /// Another program writes the row, sealed with either key.
    pub fn write(&self, access: &str, refresh: Option<&str>, expires_at: Option<Timestamp>) {
        let ambient = Ambient(self.clone());
        let (platform, key) = {
            let mut inner = self.0.lock().unwrap();
            (inner.tokens.platform, inner.random.below(2) as usize)
        };
        let seal = |text: &str, field| {
            let sealed = sealer(key).seal(&Secret::new(text), &place(field, platform), &ambient);
            sealed.unwrap()
        };
        let (access, refresh) = (
            seal(access, "access_token"),
            refresh.map(|refresh| seal(refresh, "refresh_token")),
        );
        let now = self.now();
        let mut inner = self.0.lock().unwrap();
        inner.row.access = access;
        inner.row.refresh = refresh;
        inner.row.expires_at = expires_at;
        inner.row.version += 1;
        inner
            .row
            .metadata
            .insert("lastRefreshedAt".to_owned(), json!(now.to_rfc3339()));
        inner.row.metadata.remove("requiresReauth");
    }

    /// Another program seals the same tokens anew.
    pub fn reseal(&self) {
        let (access, refresh, expires_at, metadata) = {
            let inner = self.0.lock().unwrap();
            let refresh = inner.row.refresh.is_some().then(|| inner.row_credential());
            let (row, access) = (&inner.row, inner.row_access());
            (access, refresh, row.expires_at, row.metadata.clone())
        };
        self.write(&access, refresh.as_deref(), expires_at);
        self.0.lock().unwrap().row.metadata = metadata;
    }

    fn instance(&self) -> Instance {
        let found = self.0.lock().unwrap().current.clone();
        if let Some(instance) = found.filter(|instance| instance.alive.load(Ordering::SeqCst)) {
            return instance;
        }
        let alive = Arc::new(AtomicBool::new(true));
        let http = Http {
            world: self.clone(),
            alive: alive.clone(),
        };
        let ambient = || Ambient(self.clone());
        let url = Secret::new("postgresql://u:p@db.example/d");
        let neon = Neon::new(http.clone(), url, Some("http://db.example/sql")).unwrap();
        let mut settings = oauth::Settings::new(oauth::CALL_DEADLINE_MS);
        for platform in Platform::ALL {
            settings.set_app(platform, "app", Some("secret"));
        }
        let told = self.clone();
        let key = self.0.lock().unwrap().random.below(2) as usize;
        let around = Surroundings {
            ambient: ambient(),
            objects: self.clone(),
            store: Store::new(neon, ambient()),
            oauth: oauth::Client::new(http, ambient(), settings),
            sealer: sealer(key),
            tell: Box::new(move |_| told.0.lock().unwrap().told += 1),
        };
        let storage = Storage {
            world: self.clone(),
            alive: alive.clone(),
        };
        let alarm = Alarm {
            world: self.clone(),
            alive: alive.clone(),
        };
        let core = Arc::new(Core::new(around, Box::new(storage), alarm));
        let instance = Instance { core, alive };
        self.0.lock().unwrap().current = Some(instance.clone());
        instance
    }

    /// The instance dies, or goes on beside the next one.
    pub fn crash(&self, stale: bool) {
        let mut inner = self.0.lock().unwrap();
        inner.marks.insert(if stale { "stale instance" } else { "crash" });
        if let Some(instance) = inner.current.take()
            && !stale
        {
            instance.alive.store(false, Ordering::SeqCst);
        }
    }

    /// Asks, and asks again when nobody answers.
    pub async fn ask(&self, request: AccountRequest) -> AccountReply {
        let id = AccountId::from(ACCOUNT);
        for _ in 0..200 {
            let asked = tokio::time::timeout(Duration::from_secs(60), self.account(&id, request.clone())).await;
            if let Ok(Ok(reply)) = asked {
                return reply;
            }
            sleep(Millis(5_000)).await;
        }
        self.fail("nobody answers any more".to_owned());
        AccountReply::NotFound
    }

    pub fn usable(&self, refused: Option<String>) -> AccountRequest {
        let user_id = UserId::from(USER);
        AccountRequest::Usable { user_id, refused }
    }

    /// Rings when the alarm is due, late at times.
    pub async fn ring(self) {
        let changed = self.2.clone();
        loop {
            let (alarm, late) = {
                let mut inner = self.0.lock().unwrap();
                (inner.alarm, Millis(inner.random.between(0, 2_000)))
            };
            let Some(at) = alarm else {
                changed.notified().await;
                continue;
            };
            if at > self.now() {
                // Another alarm may be set meanwhile.
                let _ = tokio::time::timeout(after(at.since(self.now())), changed.notified()).await;
                continue;
            }
            sleep(late).await;
            self.0.lock().unwrap().alarm = None;
            let instance = self.instance();
            let _ = tokio::time::timeout(Duration::from_secs(120), instance.core.alarm()).await;
            if !instance.alive.load(Ordering::SeqCst) {
                // The runtime rings again when the handler died.
                let again = self.now() + Millis(2_000);
                self.0.lock().unwrap().alarm.get_or_insert(again);
            }
        }
    }

    // ---- network -------------------------------------------------------------------------------------------------

    fn fate(&self, is_database: bool) -> (Millis, Millis, Fate) {
        let now = self.now();
        let mut inner = self.0.lock().unwrap();
        let is_down = is_database && inner.down.iter().any(|(from, to)| *from <= now && now < *to);
        let never = is_down || inner.strikes(30, "request lost");
        let lost = inner.strikes(40, "answer lost");
        let slow = inner.strikes(20, "slow answer");
        let before = Millis(inner.random.between(1, if slow { 19_000 } else { 200 }));
        let after = Millis(inner.random.between(1, if slow { 8_000 } else { 200 }));
        let fate = if never {
            Fate::NeverArrives
        } else if lost {
            Fate::AnswerLost
        } else {
            Fate::Answered
        };
        (before, after, fate)
    }

    fn credential(request: &HttpRequest) -> String {
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        let query = request.url.split_once('?').map_or("", |(_, query)| query);
        let named = ["refresh_token=", "access_token="];
        let field = body.split('&').chain(query.split('&')).find_map(|field| {
            let mut names = named.iter();
            names.find_map(|name| field.strip_prefix(name))
        });
        field.unwrap().to_owned()
    }

    /// psn presents a token: the detector looks.
    fn presents(&self, request: &HttpRequest) {
        let credential = Self::credential(request);
        let now = self.1.elapsed().as_secs();
        let mut inner = self.0.lock().unwrap();
        inner.trace.push(format!("{now} s: presents {credential}"));
        let rotates = inner.tokens.rotates();
        if rotates && inner.known.contains(&credential) {
            inner
                .broken
                .get_or_insert(format!("{credential} is replayed: its successor is known"));
        }
        inner.presenting += 1;
        if inner.presenting > 1 {
            inner
                .broken
                .get_or_insert(format!("{credential} is presented beside another call"));
        }
    }

    fn renew(&self, request: &HttpRequest) -> HttpResponse {
        let credential = Self::credential(request);
        let now = self.now();
        let mut inner = self.0.lock().unwrap();
        inner.presenting -= 1;
        let answer = |status, body: Value| HttpResponse {
            status,
            headers: HeaderMap::new(),
            body: Bytes::from(body.to_string()),
        };
        if inner.strikes(15, "platform busy") {
            return answer(503, json!({}));
        }
        if inner.strikes(15, "app refused") {
            return answer(401, json!({"error": "invalid_client"}));
        }
        if inner.strikes(15, "rate limited") {
            return answer(429, json!({}));
        }
        let was_known = inner.known.contains(&credential);
        let former = inner.row_access();
        let life = inner.tokens.life().0 / 1_000;
        match inner.tokens.renew(&credential, Some(&former), was_known, now) {
            Some(pair) => answer(
                200,
                json!({"access_token": pair.access, "refresh_token": pair.refresh, "expires_in": life}),
            ),
            None if inner.tokens.platform == Platform::Instagram => answer(
                400,
                json!({"error": {"message": "the token is not valid", "code": 190}}),
            ),
            None => answer(400, json!({"error": "invalid_grant", "error_description": "dead"})),
        }
    }

    /// The database: the three statements that the driver sends.
    fn query(&self, request: &HttpRequest) -> Option<HttpResponse> {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let statement = &body["queries"][1];
        let sql = statement["query"].as_str().unwrap();
        let text = |index: usize| statement["params"][index].as_str().map(str::to_owned);
        let mut inner = self.0.lock().unwrap();
        let matches = text(2).as_ref() == Some(&inner.row.access) && text(3) == inner.row.refresh;
        let (fields, rows): (Vec<&str>, Vec<Vec<Option<String>>>) = if sql.starts_with("select") {
            inner.read = Some(inner.row_credential());
            let row = &inner.row;
            let fields = "id user_id platform access_token refresh_token scopes metadata version expires_at";
            let values = vec![
                Some(ACCOUNT.to_owned()),
                Some(USER.to_owned()),
                Some(inner.tokens.platform.name().to_owned()),
                Some(row.access.clone()),
                row.refresh.clone(),
                None,
                Some(Value::Object(row.metadata.clone()).to_string()),
                Some(row.version.to_string()),
                row.expires_at.map(|at| at.0.to_string()),
            ];
            (fields.split(' ').collect(), vec![values])
        } else if !matches {
            (vec!["version"], Vec::new())
        } else if sql.starts_with("update oauth_tokens set access_token") {
            let used = inner.row_credential();
            inner.row.access = text(4).unwrap();
            inner.row.refresh = text(5);
            inner.row.expires_at = text(6).map(|at| Timestamp::parse(&at).unwrap());
            inner.row.version += 1;
            for key in ["lastRefreshedAt", "lastRefreshAt"] {
                inner.row.metadata.insert(key.to_owned(), json!(text(8)));
            }
            inner.row.metadata.remove("requiresReauth");
            let has_successor = inner.row_credential() != used;
            if has_successor {
                inner.known.insert(used);
            }
            (vec!["version"], vec![vec![Some(inner.row.version.to_string())]])
        } else {
            inner.row.metadata.insert("requiresReauth".to_owned(), json!(true));
            (vec!["id"], vec![vec![Some(ACCOUNT.to_owned())]])
        };
        let fields: Vec<Value> = fields.iter().map(|name| json!({"name": name})).collect();
        let results = json!({"results": [
            {"fields": [], "rows": [], "rowCount": null},
            {"fields": fields, "rows": rows, "rowCount": rows.len()},
        ]});
        Some(HttpResponse {
            status: 200,
            headers: HeaderMap::new(),
            body: Bytes::from(results.to_string()),
        })
    }
}
