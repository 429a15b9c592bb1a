//! psn in this process: cores, driver and clients of `tests/support`, its API served on a port, the clock virtual.
#![allow(dead_code, reason = "shared by tests; each uses a part of it")]

use crate::emulated::Emulated;
use crate::place::{Boxed, Place, run_sql};
use crate::subject::{APP_ID, APP_SECRET, Subject};
use crate::support::{self, KEY, World};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use psn::api::auth::ApiToken;
use psn::api::served::Streamed;
use psn::api::store_accounts::StoreAccounts;
use psn::api::store_rows::StoreRows;
use psn::api::{ApiSettings, App, TaskAnswer, TaskRunner, media, router};
use psn::dev::emulators::oauth::App as OauthApp;
use psn::dev::neon::NeonEndpoint;
use psn::dev::postgres::Postgres;
use psn::domain::id::{AccountId, UserId};
use psn::domain::platform::Platform;
use psn::domain::time::{Millis, Timestamp};
use psn::net;
use psn::platforms::oauth;
use psn::ports::clock::Clock;
use psn::ports::media::MediaBytes as _;
use psn::ports::memory::{ManualClock, MemoryMedia};
use psn::store::accounts::AccountImport;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Nothing that a scenario waits for comes later.
const HORIZON: Millis = Millis(72 * 3_600_000);

pub struct Native {
    pub world: World,
    neon: NeonEndpoint,
    emulated: Vec<(Platform, Arc<dyn Emulated>)>,
    url: String,
    began: Timestamp,
    behind: Mutex<Option<JoinHandle<()>>>,
    stands: Arc<AtomicBool>,
    /// How many requests came to the API.
    requests: Arc<AtomicU64>,
    server: JoinHandle<()>,
}

impl Drop for Native {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Native {
    /// A place with a database of that name and those platforms.
    pub async fn start(postgres: &Arc<Postgres>, database: &str, subjects: &[&dyn Subject]) -> Self {
        support::create_migrated(postgres, database).await;
        Self::start_on(postgres, database, subjects, &[]).await
    }

    /// The same on a database that is there already, with further variables of the operator.
    pub async fn start_on(
        postgres: &Arc<Postgres>,
        database: &str,
        subjects: &[&dyn Subject],
        more: &[(&'static str, &str)],
    ) -> Self {
        let clock = Arc::new(ManualClock::new(support::BEGINS));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut emulated = Vec::new();
        let mut variables = vec![("PUBLIC_URL", url.clone())];
        for subject in subjects {
            let shared: Arc<dyn Clock> = clock.clone();
            let one = subject.start(shared).await;
            one.add_app(OauthApp {
                id: APP_ID.to_owned(),
                name: "psn".to_owned(),
                secret: Some(APP_SECRET.to_owned()),
                redirect_uris: Vec::new(),
            });
            variables.extend(subject.variables(one.as_ref()));
            emulated.push((subject.platform(), one));
        }
        let mut variables: Vec<(&'static str, &str)> =
            variables.iter().map(|(name, value)| (*name, &**value)).collect();
        variables.extend(more);
        let (world, neon) = support::world_on(postgres, database, 7, &clock, &variables).await;
        let requests = Arc::<AtomicU64>::default();
        let api = api(&world, &requests);
        let server = tokio::spawn(async move { axum::serve(listener, api).await.unwrap() });
        Self {
            began: world.now(),
            world,
            neon,
            emulated,
            url,
            behind: Mutex::default(),
            stands: Arc::default(),
            requests,
            server,
        }
    }
}

impl Native {
    /// How many requests came to the API so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Waits until the platforms have fetched what they were to fetch.
    pub async fn fetched(&self) {
        for (_, emulated) in &self.emulated {
            emulated.fetched().await;
        }
    }
}

impl Place for Native {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn token(&self) -> String {
        "secret".to_owned()
    }

    fn emulated(&self, platform: Platform) -> Arc<dyn Emulated> {
        let found = self.emulated.iter().find(|(of, _)| *of == platform);
        found.unwrap().1.clone()
    }

    fn import(&self, import: AccountImport) -> Boxed<'_, AccountId> {
        Box::pin(async move {
            let sealer = support::sealer(&[KEY.to_owned()]);
            self.world.store().account_import(&import, &sealer).await.unwrap().id
        })
    }

    fn sql(&self, sql: String) -> Boxed<'_, ()> {
        Box::pin(async move {
            let settings = self.world.settings();
            let http = self.world.http().clone();
            run_sql(http, settings.database_url.clone(), settings.sql_url.as_deref(), sql).await;
        })
    }

    fn access_token(&self, account: AccountId) -> Boxed<'_, String> {
        Box::pin(async move {
            let user = UserId::from("default");
            let row = self.world.store().token_read(&user, &account).await.unwrap().unwrap();
            let sealer = support::sealer(&[KEY.to_owned()]);
            row.open_access(&sealer).unwrap().expose().to_owned()
        })
    }

    fn is_virtual(&self) -> bool {
        true
    }

    fn now(&self) -> Timestamp {
        self.world.now()
    }

    fn go_on(&self) -> Boxed<'_, bool> {
        Box::pin(async move {
            let goes_on = self.world.step(self.began + HORIZON).await;
            self.fetched().await;
            goes_on
        })
    }

    fn run_behind(&self) {
        self.stands.store(false, Ordering::SeqCst);
        let (world, stands, until) = (self.world.clone(), self.stands.clone(), self.now() + HORIZON);
        let running = tokio::spawn(async move { while !stands.load(Ordering::SeqCst) && world.step(until).await {} });
        *self.behind.lock().unwrap() = Some(running);
    }

    fn stand(&self) -> Boxed<'_, ()> {
        self.stands.store(true, Ordering::SeqCst);
        let running = self.behind.lock().unwrap().take();
        Box::pin(async move {
            if let Some(running) = running {
                running.await.unwrap();
            }
        })
    }

    fn pass(&self, time: Millis) -> Boxed<'_, ()> {
        Box::pin(self.world.run_for(time))
    }

    fn kill(&self) -> Boxed<'_, ()> {
        if self.behind.lock().unwrap().is_some() {
            // What is under way notices, and forgets every instance.
            self.world.http().died.notify_one();
        } else {
            self.world.crash();
        }
        self.stand()
    }

    fn set_database_down(&self, down: bool) {
        self.neon.set_down(down);
    }
}

struct NoTasks;

impl TaskRunner for NoTasks {
    fn run<'a>(&'a self, _: &'a str, _: bool) -> TaskAnswer<'a> {
        Box::pin(async { None })
    }
}

/// The API, put together as the Worker does.
fn api(world: &World, requests: &Arc<AtomicU64>) -> Router {
    let settings = world.settings();
    let store = Arc::new(world.store());
    let media = world.media_store();
    let http = world.http().clone();
    let app = App {
        media: media.clone(),
        web: media::Web::new(net::Client::new().unwrap(), false),
        accounts: Box::new(StoreAccounts {
            store: store.clone(),
            oauth: oauth::Client::new(http, world.around(), settings.platforms.oauth.clone()),
            sealer: settings.sealer().unwrap(),
            settings: settings.clone(),
            reach: (world.http().clone(), world.around()),
        }),
        objects: world.clone(),
        rows: StoreRows(Some(store)),
        zones: Box::new(psn::cli::zones::BundledZones),
        messaging: None,
        clock: Box::new(world.clock()),
        entropy: Box::new(world.around().entropy),
        tasks: Box::new(NoTasks),
        settings: ApiSettings {
            x: settings.platforms.x.allowance.clone(),
            api_token: ApiToken::new("secret"),
            user_id: settings.user_id.clone(),
            limiter: Default::default(),
            version: String::new(),
            keys: None,
            addresses: settings.address_signer().ok(),
            marks: settings.marks().ok(),
            public_url: settings.public_url.clone(),
            missing: Vec::new(),
        },
    };
    router(Arc::new(app)).layer(from_fn_with_state((media, requests.clone()), flow))
}

/// Counts a request, and gives its answer the bytes that the Worker's shell would let flow.
async fn flow(
    State((media, requests)): State<(Arc<MemoryMedia>, Arc<AtomicU64>)>,
    request: Request,
    next: Next,
) -> Response {
    requests.fetch_add(1, Ordering::Relaxed);
    let mut response = next.run(request).await;
    if let Some(Streamed(range)) = response.extensions_mut().remove::<Streamed>() {
        *response.body_mut() = Body::from(media.read(&range).await.unwrap());
    }
    response
}
