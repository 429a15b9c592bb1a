//! A whole psn in one process: the real cores, driver, clients, a real Postgres behind the Neon endpoint and the X
//! emulator, with the journals in memory and a clock that stands until somebody sleeps.
#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    reason = "shared by tests; each uses a part of it"
)]

use psn::cli::zones::BundledZones;
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::dev::emulators::x::{XAccount, XEmulator, XHandle, XOptions};
use psn::dev::neon::{NeonEndpoint, NeonOptions};
use psn::dev::postgres::{self, Postgres, PostgresOptions, Version};
use psn::domain::hash::{content_hash, hex};
use psn::domain::id::{AccountId, PostId, RemoteUserId, UserId};
use psn::domain::media::{MediaId, MediaKind, Medium};
use psn::domain::platform::Platform;
use psn::domain::publish::Plan;
use psn::domain::time::{Millis, Timestamp};
use psn::net;
use psn::platforms::oauth;
use psn::ports::clock::Clock;
use psn::ports::entropy::Entropy;
use psn::ports::http::{HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse};
use psn::ports::journal::{AppendError, Journal, Record};
use psn::ports::media::MediaStore as _;
use psn::ports::memory::{ManualClock, MemoryJournal, MemoryMedia, MemoryTable, SeededEntropy};
use psn::ports::objects::{
    AccountReply, AccountRequest, IndexReply, IndexRequest, ObjectError, Objects, PostReply, PostRequest, PostSnapshot,
};
use psn::ports::pause::{Pause, Surroundings as Ambient};
use psn::ports::table::Table;
use psn::ports::waker::Waker;
use psn::store::accounts::AccountImport;
use psn::store::seal::Sealer;
use psn::store::{Neon, Secret, Store};
use psn::tasks::account::{self, AccountObject};
use psn::tasks::index;
use psn::tasks::notification_dispatcher::Telling;
use psn::tasks::publish::{PostObject, Surroundings};
use psn::tasks::settings::Settings;
use psn::tasks::{outbox_alarm, pauses};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

pub const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

#[derive(Clone)]
pub struct SharedClock(pub Arc<ManualClock>);
impl Clock for SharedClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

#[derive(Clone)]
pub struct SharedEntropy(pub Arc<SeededEntropy>);
impl Entropy for SharedEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.fill(buffer);
    }
}

/// Waiting moves the clock on, and takes no time; what waits for long only waits beside a call, and never gets its turn.
#[derive(Clone)]
pub struct SharedPause(pub Arc<ManualClock>);
impl Pause for SharedPause {
    async fn pause(&self, length: Millis) {
        if length.0 > 3_000 {
            std::future::pending::<()>().await;
        }
        self.0.advance(Millis(length.0.max(0)));
    }
}

pub type Around = Ambient<SharedClock, SharedEntropy, SharedPause>;
pub type Object = PostObject<FaultyHttp, Around, World, SharedWaker>;
pub type AccountCore = AccountObject<FaultyHttp, Around, World, SharedWaker>;

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails before anything reached anybody, though nobody can know.
    Before,
    /// It takes effect, and its answer is lost.
    After,
    /// The program dies before the call takes effect.
    DieBefore,
    /// The program dies after the call took effect.
    DieAfter,
}

/// The real client, except for one call.
#[derive(Clone)]
pub struct FaultyHttp {
    inner: net::Client,
    pub calls: Arc<AtomicU64>,
    pub plan: Arc<Mutex<Option<(u64, Fault)>>>,
    pub log: Arc<Mutex<Vec<String>>>,
    /// When the database was asked.
    pub asked: Arc<Mutex<Vec<Timestamp>>>,
    sql_url: String,
    clock: Arc<ManualClock>,
    /// Told when a call is reached that never returns: the program is dead.
    pub died: Arc<tokio::sync::Notify>,
}

impl FaultyHttp {
    fn new(media: Arc<MemoryMedia>, sql_url: String, clock: Arc<ManualClock>) -> Self {
        let inner = net::Client::new().unwrap().with_media(media);
        Self {
            inner,
            calls: Arc::default(),
            plan: Arc::default(),
            log: Arc::default(),
            asked: Arc::default(),
            sql_url,
            clock,
            died: Arc::default(),
        }
    }
}

impl HttpClient for FaultyHttp {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        self.log.lock().unwrap().push(format!("{request:?}"));
        if request.url == self.sql_url {
            self.asked.lock().unwrap().push(self.clock.now());
        }
        let fault = self
            .plan
            .lock()
            .unwrap()
            .filter(|(nth, _)| *nth == number)
            .map(|(_, fault)| fault);
        let lost = || {
            Err(HttpError {
                kind: HttpErrorKind::MaybeSent,
                message: "the connection was cut".to_owned(),
            })
        };
        match fault {
            None => self.inner.send(request).await,
            Some(Fault::Before) => lost(),
            Some(Fault::After) => {
                let _ = self.inner.send(request).await;
                lost()
            }
            Some(Fault::DieBefore) => {
                self.died.notify_one();
                std::future::pending().await
            }
            Some(Fault::DieAfter) => {
                let _ = self.inner.send(request).await;
                self.died.notify_one();
                std::future::pending().await
            }
        }
    }
}

#[derive(Clone, Default)]
pub struct SharedWaker(Arc<Mutex<Option<Timestamp>>>);
impl SharedWaker {
    pub fn alarm(&self) -> Option<Timestamp> {
        *self.0.lock().unwrap()
    }
}
impl Waker for SharedWaker {
    async fn set_alarm(&self, at: Option<Timestamp>) -> Result<(), String> {
        *self.0.lock().unwrap() = at;
        Ok(())
    }
}

#[derive(Clone, Default)]
struct SharedJournal(Arc<MemoryJournal>);
impl Journal for SharedJournal {
    fn read(&self) -> Result<Vec<Record>, String> {
        self.0.read()
    }
    fn append(&self, expected: u64, records: &[Record]) -> Result<(), AppendError> {
        self.0.append(expected, records)
    }
}

#[derive(Clone, Default)]
struct SharedTable(Arc<MemoryTable>);
impl Table for SharedTable {
    fn get(&self, key: &str) -> Result<Option<String>, String> {
        self.0.get(key)
    }
    fn put(&self, key: &str, value: &str) -> Result<(), String> {
        self.0.put(key, value)
    }
    fn delete(&self, key: &str) -> Result<(), String> {
        self.0.delete(key)
    }
    fn scan(&self, from: &str, to: &str, limit: usize) -> Result<Vec<(String, String)>, String> {
        self.0.scan(from, to, limit)
    }
}

#[derive(Clone, Default)]
struct Slot {
    journal: SharedJournal,
    table: SharedTable,
    waker: SharedWaker,
    object: Arc<Mutex<Option<Arc<Object>>>>,
}

/// Whose alarm rings.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rings {
    Post(PostId),
    Account(AccountId),
    Index,
}

/// Everything that outlives an object.
#[derive(Clone)]
pub struct World {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Arc<ManualClock>,
    entropy: Arc<SeededEntropy>,
    http: FaultyHttp,
    media: Arc<MemoryMedia>,
    settings: Mutex<Arc<Settings>>,
    posts: Mutex<BTreeMap<PostId, Slot>>,
    accounts: Mutex<BTreeMap<AccountId, AccountSlot>>,
    index: MemoryTable,
    lifts: AtomicUsize,
    /// How often an object was asked, and how often the alarm of one rang.
    object_calls: AtomicU64,
    alarms: AtomicU64,
    /// The keys of the accounts' objects, the one that seals first.
    keys: Mutex<Vec<String>>,
    /// What accounts' owners were told.
    told: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone, Default)]
struct AccountSlot {
    table: SharedTable,
    waker: SharedWaker,
    object: Arc<Mutex<Option<Arc<AccountCore>>>>,
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ObjectError>> + Send + 'a>>;

impl Objects for World {
    fn post(&self, id: &PostId, request: PostRequest) -> impl Future<Output = Result<PostReply, ObjectError>> + Send {
        self.inner.object_calls.fetch_add(1, Ordering::Relaxed);
        let object = self.object(id);
        let answer: Answer<'_, PostReply> = Box::pin(async move { object.answer(request).await.map_err(ObjectError) });
        answer
    }

    fn account(
        &self,
        id: &AccountId,
        request: AccountRequest,
    ) -> impl Future<Output = Result<AccountReply, ObjectError>> + Send {
        self.inner.object_calls.fetch_add(1, Ordering::Relaxed);
        let (object, id) = (self.account_object(id), id.clone());
        let answer: Answer<'_, AccountReply> =
            Box::pin(async move { object.answer(&id, request).await.map_err(ObjectError) });
        answer
    }

    fn index(&self, request: IndexRequest) -> impl Future<Output = Result<IndexReply, ObjectError>> + Send {
        self.inner.object_calls.fetch_add(1, Ordering::Relaxed);
        let answer: Answer<'_, IndexReply> = Box::pin(async move {
            if matches!(request, IndexRequest::Lift { .. }) {
                self.inner.lifts.fetch_add(1, Ordering::Relaxed);
            }
            let missed = |error: ObjectError| panic!("{error}");
            let served = index::serve(&self.inner.index, &self.clock(), self, request, missed).await;
            served.map_err(ObjectError)
        });
        answer
    }
}

impl World {
    /// Connects an account as `psn account import` does.
    pub async fn connect(&self, platform: Platform, remote_user_id: &str, username: &str, token: &str) -> AccountId {
        let sealer = Sealer::new(&Secret::new(KEY)).unwrap();
        let import = AccountImport {
            user: UserId::from("default"),
            platform,
            remote_user_id: RemoteUserId::from(remote_user_id),
            username: Some(username.to_owned()),
            access_token: Secret::new(token),
            refresh_token: None,
            expires_at: None,
            scopes: None,
            metadata: serde_json::Map::new(),
        };
        self.store().account_import(&import, &sealer).await.unwrap().id
    }

    /// Keeps a medium as `POST /v1/media` does.
    pub async fn add_medium(&self, kind: MediaKind, mime: &str, bytes: Vec<u8>) -> Medium {
        let id = MediaId(hex(&Sha256::digest(&bytes)));
        let length = bytes.len() as u64;
        self.inner.media.put(&id, bytes.into()).await.unwrap();
        Medium {
            id,
            kind,
            mime: mime.to_owned(),
            bytes: length,
            width: None,
            height: None,
            duration_ms: None,
            alt_text: None,
            title: None,
        }
    }

    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// How often the index was asked to end holds: it looks through every open post for that.
    pub fn lifts(&self) -> usize {
        self.inner.lifts.load(Ordering::Relaxed)
    }

    /// How often an object was asked or the alarm of one rang: each is a request that Cloudflare counts.
    pub fn object_requests(&self) -> u64 {
        self.inner.object_calls.load(Ordering::Relaxed) + self.inner.alarms.load(Ordering::Relaxed)
    }

    pub fn clock(&self) -> SharedClock {
        SharedClock(self.inner.clock.clone())
    }

    pub fn http(&self) -> &FaultyHttp {
        &self.inner.http
    }

    pub fn settings(&self) -> Arc<Settings> {
        self.inner.settings.lock().unwrap().clone()
    }

    /// Deploys the program anew with other settings.
    pub fn deploy(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = (*self.settings()).clone();
        change(&mut settings);
        *self.inner.settings.lock().unwrap() = Arc::new(settings);
        self.crash();
    }

    /// Where the bytes of media lie.
    pub fn media(&self) -> &MemoryMedia {
        &self.inner.media
    }

    /// The same, to share.
    pub fn media_store(&self) -> Arc<MemoryMedia> {
        self.inner.media.clone()
    }

    pub fn around(&self) -> Around {
        Ambient {
            clock: self.clock(),
            entropy: SharedEntropy(self.inner.entropy.clone()),
            pause: SharedPause(self.inner.clock.clone()),
        }
    }

    pub fn store(&self) -> Store<FaultyHttp, Around> {
        let settings = self.settings();
        let sql_url = settings.sql_url.as_deref();
        let neon = Neon::new(self.inner.http.clone(), settings.database_url.clone(), sql_url).unwrap();
        Store::new(neon, self.around())
    }

    fn slot(&self, id: &PostId) -> Slot {
        self.inner.posts.lock().unwrap().entry(id.clone()).or_default().clone()
    }

    pub fn object(&self, id: &PostId) -> Arc<Object> {
        let slot = self.slot(id);
        let mut object = slot.object.lock().unwrap();
        object.get_or_insert_with(|| self.build(&slot)).clone()
    }

    fn build(&self, slot: &Slot) -> Arc<Object> {
        let around = Surroundings {
            http: self.inner.http.clone(),
            ambient: self.around(),
            objects: self.clone(),
            store: self.store(),
            settings: self.settings(),
        };
        let (journal, table) = (Box::new(slot.journal.clone()), Box::new(slot.table.clone()));
        Arc::new(PostObject::new(around, journal, table, slot.waker.clone()).unwrap())
    }

    /// The object of an account.
    pub fn account_object(&self, id: &AccountId) -> Arc<AccountCore> {
        let slot = self
            .inner
            .accounts
            .lock()
            .unwrap()
            .entry(id.clone())
            .or_default()
            .clone();
        let mut object = slot.object.lock().unwrap();
        let build = || {
            let told = self.inner.told.clone();
            let around = account::Surroundings {
                ambient: self.around(),
                objects: self.clone(),
                store: self.store(),
                oauth: oauth::Client::new(
                    self.inner.http.clone(),
                    self.around(),
                    self.settings().platforms.oauth.clone(),
                ),
                sealer: sealer(&self.inner.keys.lock().unwrap()),
                tell: Box::new(move |message| told.lock().unwrap().push(message.to_owned())),
            };
            Arc::new(AccountObject::new(
                around,
                Box::new(slot.table.clone()),
                slot.waker.clone(),
            ))
        };
        object.get_or_insert_with(build).clone()
    }

    /// What the index's alarm does: tells what is due in the outbox.
    pub async fn tell(&self) -> outbox_alarm::Report {
        let (settings, store) = (self.settings(), self.store());
        let sealer = sealer(&self.inner.keys.lock().unwrap());
        let links = settings.links();
        let telling = Telling {
            store: &store,
            http: &self.inner.http,
            sealer: &sealer,
            settings: &settings.notify,
            zones: &BundledZones,
            links: links.as_ref(),
        };
        outbox_alarm::ring(&self.inner.index, &telling).await
    }

    /// Starts everything again, the accounts' objects with those keys.
    pub fn change_keys(&self, keys: &[&str]) {
        *self.inner.keys.lock().unwrap() = keys.iter().map(ToString::to_string).collect();
        self.crash();
    }

    /// What accounts' owners were told so far.
    pub fn told(&self) -> Vec<String> {
        self.inner.told.lock().unwrap().clone()
    }

    /// Loses every alarm, as a runtime that lost its storage of alarms would.
    pub fn lose_alarms(&self) {
        for slot in self.inner.posts.lock().unwrap().values() {
            *slot.waker.0.lock().unwrap() = None;
        }
    }

    /// Empties the index, as if all of it had been lost.
    pub fn forget_index(&self) {
        for (key, _) in self.inner.index.scan("", "~", usize::MAX).unwrap() {
            self.inner.index.delete(&key).unwrap();
        }
    }

    /// When the alarm of a post is set.
    pub fn alarm_of(&self, id: &PostId) -> Option<Timestamp> {
        self.slot(id).waker.alarm()
    }

    /// Moves the clock on without letting an alarm ring.
    pub fn advance(&self, length: Millis) {
        self.inner.clock.advance(length);
    }

    /// Lets alarms ring for that long, and the clock end there.
    pub async fn run_for(&self, length: Millis) {
        let until = self.now() + length;
        self.run(until).await;
        self.inner.clock.set(until);
    }

    /// Forgets the instances: all that was in memory is lost.
    pub fn crash(&self) {
        for slot in self.inner.posts.lock().unwrap().values() {
            *slot.object.lock().unwrap() = None;
        }
        for slot in self.inner.accounts.lock().unwrap().values() {
            *slot.object.lock().unwrap() = None;
        }
    }

    /// Creates a post as whoever has an idempotency key does: without an answer, the same is asked again.
    pub async fn create(&self, plan: &Plan) {
        for _ in 0..3 {
            let ask = self.ask(&plan.post_id, PostRequest::Create { plan: plan.clone() });
            let reply = tokio::select! {
                reply = ask => Some(reply),
                () = self.inner.http.died.notified() => None,
            };
            match reply {
                Some(PostReply::Post(_)) => return,
                Some(PostReply::CreationUnknown) => {}
                Some(other) => panic!("{other:?}"),
                None => self.crash(),
            }
        }
        panic!("never created");
    }

    /// Creates the post and lets it go on for so long.
    pub async fn publish_within(&self, plan: &Plan, time: Millis) -> PostSnapshot {
        self.create(plan).await;
        self.run_for(time).await;
        self.show(&plan.post_id).await
    }

    pub async fn ask(&self, id: &PostId, request: PostRequest) -> PostReply {
        self.post(id, request).await.unwrap()
    }

    pub async fn show(&self, id: &PostId) -> PostSnapshot {
        match self.ask(id, PostRequest::Show).await {
            PostReply::Post(post) => *post,
            other => panic!("{other:?}"),
        }
    }

    async fn ring(&self, who: &Rings) {
        self.inner.alarms.fetch_add(1, Ordering::Relaxed);
        match who {
            Rings::Post(id) => {
                *self.slot(id).waker.0.lock().unwrap() = None;
                self.object(id).alarm().await.unwrap();
            }
            Rings::Account(id) => {
                let slot = self.inner.accounts.lock().unwrap()[id].clone();
                *slot.waker.0.lock().unwrap() = None;
                self.account_object(id).alarm().await.unwrap();
            }
            Rings::Index => {
                let released = pauses::release_due(&self.inner.index, &self.clock(), self).await;
                released.unwrap();
                self.tell().await;
            }
        }
    }

    /// Lets alarms ring, in the order of their times, until none is set or the time is up.
    pub async fn run(&self, until: Timestamp) {
        for _ in 0..2_000 {
            if !self.step(until).await {
                return;
            }
        }
        panic!("alarms without end");
    }

    /// Lets the next alarm ring, if there is one by then. A call that never returns is the death of the program: the
    /// instances are forgotten, and the alarms go on.
    pub async fn step(&self, until: Timestamp) -> bool {
        let next = {
            let posts = self.inner.posts.lock().unwrap();
            let accounts = self.inner.accounts.lock().unwrap();
            let posts = posts
                .iter()
                .map(|(id, slot)| (slot.waker.alarm(), Rings::Post(id.clone())));
            let accounts = accounts
                .iter()
                .map(|(id, slot)| (slot.waker.alarm(), Rings::Account(id.clone())));
            let at = index::alarm_at(&self.inner.index, self.now()).unwrap();
            let index = std::iter::once((at, Rings::Index));
            let set = posts
                .chain(accounts)
                .chain(index)
                .filter_map(|(at, who)| at.map(|at| (at, who)));
            set.min()
        };
        let Some((at, who)) = next.filter(|(at, _)| *at <= until) else {
            return false;
        };
        if at > self.now() {
            self.inner.clock.set(at);
        }
        tokio::select! {
            () = self.ring(&who) => {}
            () = self.inner.http.died.notified() => self.crash(),
        }
        true
    }
}

/// Seals with the first key and opens with all.
pub fn sealer(keys: &[String]) -> Sealer {
    let (first, others) = keys.split_first().unwrap();
    let sealer = Sealer::new(&Secret::new(first)).unwrap();
    others
        .iter()
        .fold(sealer, |sealer, key| sealer.with_former_key(&Secret::new(key)).unwrap())
}

/// A world with its servers.
pub struct Stage {
    pub world: World,
    pub x: XHandle,
    pub neon: NeonEndpoint,
    pub account_id: AccountId,
    database: String,
    postgres: Arc<Postgres>,
}

/// The server of this process: it runs while one of the tests has it, and they run at the same time.
static SERVER: tokio::sync::Mutex<Weak<Postgres>> = tokio::sync::Mutex::const_new(Weak::new());

/// A database on it that is migrated once, to be copied.
const MIGRATED: &str = "psn_migrated";

/// The server that the tests of this process share.
pub async fn postgres() -> Arc<Postgres> {
    let mut server = SERVER.lock().await;
    if let Some(running) = server.upgrade() {
        return running;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let package_dir = postgres::package_dir(root, Version::V15).unwrap();
    let started = Postgres::start(PostgresOptions::temporary(package_dir)).await.unwrap();
    let database_url = started.create_database(MIGRATED, None).await.unwrap();
    let neon = NeonEndpoint::start(NeonOptions::local(started.port())).await.unwrap();
    let sql = Neon::new(
        net::Client::new().unwrap(),
        Secret::new(database_url),
        Some(&neon.sql_url()),
    )
    .unwrap();
    let store = Store::new(sql, psn::cli::ambient::SYSTEM);
    store.migrate().await.unwrap();
    let started = Arc::new(started);
    *server = Arc::downgrade(&started);
    started
}

/// A world with an empty, migrated database, an X account and the given settings of the emulator.
pub async fn stage(postgres: &Arc<Postgres>, database: &str, seed: u64, x_settings: XSettings) -> Stage {
    stage_with(postgres, database, seed, x_settings, &[]).await
}

/// The time at which a world begins.
pub const BEGINS: Timestamp = Timestamp(1_795_000_000_000);

/// A world with an empty, migrated database and those variables of the operator, on a clock that its emulators share.
pub async fn world(
    postgres: &Arc<Postgres>,
    database: &str,
    seed: u64,
    clock: &Arc<ManualClock>,
    more: &[(&'static str, &str)],
) -> (World, NeonEndpoint) {
    create_migrated(postgres, database).await;
    world_on(postgres, database, seed, clock, more).await
}

/// Makes a database that is migrated already.
pub async fn create_migrated(postgres: &Postgres, database: &str) {
    postgres.create_database(database, Some(MIGRATED)).await.unwrap();
}

/// A world on a database that is there already.
pub async fn world_on(
    postgres: &Arc<Postgres>,
    database: &str,
    seed: u64,
    clock: &Arc<ManualClock>,
    more: &[(&'static str, &str)],
) -> (World, NeonEndpoint) {
    let database_url = postgres.connection_string(database);
    let neon = NeonEndpoint::start(NeonOptions::local(postgres.port())).await.unwrap();
    let mut variables: BTreeMap<&str, String> = BTreeMap::from([
        ("DATABASE_URL", database_url),
        ("NEON_SQL_URL", neon.sql_url()),
        ("HUB_ENCRYPTION_KEY", KEY.to_owned()),
        ("PSN_API_TOKEN", "secret".to_owned()),
    ]);
    variables.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let settings = Arc::new(Settings::read(|name| variables.get(name).cloned()).unwrap());
    let shown: Arc<dyn Clock> = clock.clone();
    let media = Arc::new(MemoryMedia::with_clock(shown));
    let inner = Inner {
        clock: clock.clone(),
        entropy: Arc::new(SeededEntropy::new(seed)),
        http: FaultyHttp::new(media.clone(), neon.sql_url(), clock.clone()),
        media,
        settings: Mutex::new(settings),
        posts: Mutex::default(),
        accounts: Mutex::default(),
        index: MemoryTable::default(),
        lifts: AtomicUsize::default(),
        object_calls: AtomicU64::default(),
        alarms: AtomicU64::default(),
        keys: Mutex::new(vec![KEY.to_owned()]),
        told: Arc::default(),
    };
    (World { inner: Arc::new(inner) }, neon)
}

/// The same with further variables of the operator.
pub async fn stage_with(
    postgres: &Arc<Postgres>,
    database: &str,
    seed: u64,
    x_settings: XSettings,
    more: &[(&'static str, &str)],
) -> Stage {
    let clock = Arc::new(ManualClock::new(BEGINS));
    let shared_clock: Arc<dyn Clock> = clock.clone();
    let options = XOptions {
        settings: x_settings,
        seed,
        clock: Some(shared_clock),
        ..XOptions::default()
    };
    let x = XEmulator::start(options).await.unwrap();
    x.add_account(XAccount {
        id: "4711".to_owned(),
        username: "ada".to_owned(),
        access_token: "token-of-ada".to_owned(),
    })
    .unwrap();
    let mut variables = vec![("X_API_URL", x.url())];
    variables.extend(more);
    let (world, neon) = world(postgres, database, seed, &clock, &variables).await;
    let account_id = world.connect(Platform::X, "4711", "ada", "token-of-ada").await;
    Stage {
        world,
        x,
        neon,
        account_id,
        database: database.to_owned(),
        postgres: postgres.clone(),
    }
}

impl Stage {
    /// Asks the database as its owner, past every fault: the first row, its values separated by `|`.
    pub async fn ask(&self, sql: &str) -> String {
        let rows = self.postgres.owner_script(&self.database, sql).await.unwrap();
        let row = rows.first().map(Vec::as_slice).unwrap_or_default();
        let values: Vec<_> = row.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect();
        values.join("|")
    }

    /// A plan for those parts, due in a second.
    pub fn plan(&self, number: u8, parts: &[String]) -> Plan {
        Plan {
            post_id: PostId::from_random([number; 16]),
            user_id: UserId::from("default"),
            platform: Platform::X,
            account_id: None,
            parts: parts.to_vec(),
            hash: content_hash(parts),
            media: Vec::new(),
            options: None,
            scheduled_at: Some(self.world.now() + Millis(1_000)),
            group_id: None,
            labels: Default::default(),
            created_at: self.world.now(),
        }
    }
}
