//! What the runtime calls from outside: requests and cron events.

use crate::api::auth::ApiToken;
use crate::api::messaging::Messaging;
use crate::api::rate::{Limiter, PER_MINUTE_DEFAULT};
use crate::api::served::{self, Streamed};
use crate::api::store_accounts::{NoAccounts, StoreAccounts};
use crate::api::{self, Accounts, ApiSettings, App, KeyNames, MissingVariable, TaskAnswer, TaskRunner};
use crate::domain::id::UserId;
use crate::net;
use crate::platforms::oauth;
use crate::ports::media::MediumRange;
use crate::store::{Neon, Secret, Store};
use crate::tasks::settings::{Missing, Settings};
use crate::tasks::{self, Asker, Task};
use crate::worker::ambient::Runtime;
use crate::worker::buffer::inbound;
use crate::worker::media::R2Media;
use crate::worker::objects::Bindings;
use crate::worker::zones::IntlZones;
use crate::worker::{describe, http, settings};
use axum::body::Body;
use std::sync::{Arc, OnceLock};
use tower_service::Service;
use worker::send::SendFuture;
use worker::web_sys::{Request, Response};
use worker::{Env, IntoResponse, ResponseBuilder, ScheduleContext, ScheduledEvent, event};

type Database = Store<net::Client, Runtime>;

type Context = tasks::Context<net::Client, Runtime, Bindings>;

/// The tasks' surroundings in an environment whose settings are complete.
fn context(env: &Env, settings: Arc<Settings>, store: Arc<Database>) -> Result<Context, String> {
    Ok(Context {
        store,
        objects: Bindings::new(env.clone()),
        http: http(env)?,
        media: Arc::new(R2Media::of(env)),
        zones: Box::new(IntlZones),
        settings,
    })
}

/// The tasks by hand; none while the settings are incomplete.
struct Tasks(Option<Context>);

impl TaskRunner for Tasks {
    fn run<'a>(&'a self, name: &'a str, ahead: bool) -> TaskAnswer<'a> {
        Box::pin(SendFuture::new(async move {
            Some(tasks::run(Task::find(name)?, self.0.as_ref()?, Asker::Person { ahead }).await)
        }))
    }
}

/// What this isolate knows of how fast tokens ask: it outlives the request.
fn limiter(settings: &Settings) -> Arc<Limiter> {
    static KEPT: OnceLock<Arc<Limiter>> = OnceLock::new();
    let per_minute = settings.rate_limit_per_minute.unwrap_or(PER_MINUTE_DEFAULT);
    Arc::clone(KEPT.get_or_init(|| Arc::new(Limiter::new(per_minute))))
}

fn missing(items: Vec<Missing>) -> Vec<MissingVariable> {
    let variable = |item: Missing| MissingVariable {
        name: item.name.to_owned(),
        hint: item.hint,
    };
    items.into_iter().map(variable).collect()
}

/// The store of an environment whose settings are complete.
fn store(database_url: Secret, sql_url: Option<&str>) -> Result<Database, String> {
    let http = net::Client::new().map_err(|error| error.to_string())?;
    let neon = Neon::new(http, database_url, sql_url).map_err(|error| error.to_string())?;
    Ok(Store::new(neon, Runtime))
}

/// The accounts of an environment whose settings are complete.
fn connected(settings: &Arc<Settings>, store: Arc<Database>) -> Result<Box<dyn Accounts>, String> {
    let http = net::Client::new().map_err(|error| error.to_string())?;
    let sealer = settings.sealer().map_err(|error| error.to_string())?;
    let oauth = oauth::Client::new(http.clone(), Runtime, settings.platforms.oauth.clone());
    Ok(Box::new(StoreAccounts {
        store,
        oauth,
        sealer,
        settings: Arc::clone(settings),
        reach: (http, Runtime),
    }))
}

/// The version, and behind it the build that `psn deploy` named.
fn version(env: &Env) -> String {
    let version = env!("CARGO_PKG_VERSION");
    match env.var("PSN_BUILD") {
        Ok(build) => format!("{version}+{build}"),
        Err(_) => version.to_owned(),
    }
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: worker::Context) -> worker::Result<Response> {
    let media = R2Media::of(&env);
    let is_head = request.method() == "HEAD";
    let objects = Bindings::new(env.clone());
    let mut api_settings = ApiSettings {
        api_token: None,
        user_id: UserId::from("default"),
        limiter: Arc::default(),
        version: version(&env),
        keys: None,
        addresses: None,
        marks: None,
        public_url: None,
        x: crate::platforms::x::Allowance::default(),
        missing: Vec::new(),
    };
    let (mut database, mut tasks, mut messaging) = (None, None, None);
    let mut accounts: Box<dyn Accounts> = Box::new(NoAccounts);
    match settings(&env) {
        Ok(settings) => {
            api_settings.api_token = ApiToken::new(settings.api_token.expose());
            api_settings.user_id = settings.user_id.clone();
            api_settings.limiter = limiter(&settings);
            api_settings.x = settings.platforms.x.allowance.clone();
            api_settings.keys = settings.sealer().ok().as_ref().map(KeyNames::from);
            api_settings.addresses = settings.address_signer().ok();
            api_settings.marks = settings.marks().ok();
            api_settings.public_url.clone_from(&settings.public_url);
            let client = net::Client::new().map_err(|error| worker::Error::RustError(error.message))?;
            messaging = Messaging::new(&settings, client).ok();
            match store(settings.database_url.clone(), settings.sql_url.as_deref()).map(Arc::new) {
                Ok(store) => {
                    accounts = connected(&settings, Arc::clone(&store)).map_err(worker::Error::RustError)?;
                    let around = context(&env, Arc::clone(&settings), Arc::clone(&store));
                    tasks = Some(around.map_err(worker::Error::RustError)?);
                    database = Some(store);
                }
                Err(hint) => api_settings.missing.push(MissingVariable {
                    name: "DATABASE_URL".to_owned(),
                    hint,
                }),
            }
        }
        Err(items) => {
            api_settings.api_token = env
                .var("PSN_API_TOKEN")
                .ok()
                .and_then(|token| ApiToken::new(&token.to_string()));
            api_settings.missing = missing(items);
        }
    }
    let client = net::Client::new().map_err(|error| worker::Error::RustError(error.message))?;
    let fetches_from_loopback = env
        .var("MEDIA_FROM_LOOPBACK")
        .is_ok_and(|value| value.to_string() == "1");
    let app = App {
        tasks: Box::new(Tasks(tasks)),
        accounts,
        media: Arc::new(media.clone()),
        web: api::media::Web::new(client, fetches_from_loopback),
        rows: api::store_rows::StoreRows(database),
        objects,
        clock: Box::new(Runtime),
        entropy: Box::new(Runtime),
        zones: Box::new(IntlZones),
        messaging,
        settings: api_settings,
    };
    let mut router = api::router(Arc::new(app));
    let response = router.call(inbound(request)?).await;
    let response = response.map_err(|error| worker::Error::RustError(error.to_string()))?;
    match response.extensions().get::<Streamed>() {
        Some(Streamed(range)) if !is_head => streamed(&media, range, &response).await,
        _ => raw(response),
    }
}

fn raw(response: http::Response<Body>) -> worker::Result<Response> {
    let raw = IntoResponse::into_raw(response);
    raw.map_err(|error| worker::Error::RustError(Into::<Box<dyn std::error::Error>>::into(error).to_string()))
}

/// That response with the bytes of a medium for its body. The runtime itself moves them.
async fn streamed(media: &R2Media, range: &MediumRange, response: &http::Response<Body>) -> worker::Result<Response> {
    let stream = match media.stream(range).await {
        Ok(stream) => stream,
        Err(error) => {
            worker::console_error!("a medium could not be served: {error}");
            return raw(axum::response::IntoResponse::into_response(served::away()));
        }
    };
    let answer = ResponseBuilder::new()
        .with_status(response.status().as_u16())
        .with_headers(response.headers().into());
    Ok(answer.stream(stream).into())
}

#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    let cron = event.cron();
    let context = settings(&env).map_err(|items| describe(&items)).and_then(|settings| {
        let store = store(settings.database_url.clone(), settings.sql_url.as_deref())?;
        context(&env, settings, Arc::new(store))
    });
    let served = match &context {
        Ok(context) => tasks::on_cron(&cron, context, &|line| worker::console_log!("{line}")).await,
        Err(message) => Err(format!("no task of `{cron}` can run: {message}")),
    };
    if let Err(message) = served {
        worker::console_error!("{message}");
    }
}
