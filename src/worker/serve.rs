//! What the runtime calls from outside: requests and cron events.

use crate::api::auth::ApiToken;
use crate::api::served::{self, Streamed};
use crate::api::store_accounts::{NoAccounts, StoreAccounts};
use crate::api::{self, Accounts, ApiSettings, App, KeyNames, MissingVariable, TaskAnswer, TaskRunner};
use crate::domain::id::UserId;
use crate::net;
use crate::platforms::oauth;
use crate::ports::media::MediumRange;
use crate::store::{Neon, Secret, Store};
use crate::tasks::settings::{Missing, Settings};
use crate::tasks::{analytics_collector, token_refresher, watchdog};
use crate::worker::ambient::Runtime;
use crate::worker::buffer::inbound;
use crate::worker::media::R2Media;
use crate::worker::objects::Bindings;
use crate::worker::zones::IntlZones;
use crate::worker::{describe, settings};
use axum::body::Body;
use std::sync::Arc;
use tower_service::Service;
use worker::send::SendFuture;
use worker::web_sys::{Request, Response};
use worker::{Context, Env, IntoResponse, ResponseBuilder, ScheduleContext, ScheduledEvent, event};

type Database = Store<net::Client, Runtime>;

/// The tasks and their cron strings, in the order of `wrangler.toml`.
const TASKS: [(&str, &str); 3] = [
    ("watchdog", "*/15 * * * *"),
    ("token_refresher", "7 * * * *"),
    ("analytics_collector", "22 * * * *"),
];

/// Runs a task; `None` when there is none of that name. `by_person`: whether or not the database is due to be asked.
async fn run_task(
    name: &str,
    store: &Database,
    objects: &Bindings,
    settings: &Settings,
    by_person: bool,
) -> Option<serde_json::Value> {
    match name {
        "analytics_collector" => {
            let around = analytics_collector::Surroundings {
                http: net::Client::new().ok()?,
                ambient: Runtime,
                store,
                objects,
                platforms: &settings.platforms,
                sealer: &settings.sealer().ok()?,
            };
            serde_json::to_value(analytics_collector::run(&around, by_person).await).ok()
        }
        "watchdog" => serde_json::to_value(watchdog::run(store, objects, by_person).await).ok(),
        "token_refresher" => serde_json::to_value(token_refresher::run(store, objects, by_person).await).ok(),
        _ => None,
    }
}

struct Tasks {
    store: Option<Arc<Database>>,
    settings: Option<Arc<Settings>>,
    objects: Bindings,
}

impl TaskRunner for Tasks {
    fn names(&self) -> Vec<&'static str> {
        TASKS.iter().map(|(name, _)| *name).collect()
    }

    fn run<'a>(&'a self, name: &'a str) -> TaskAnswer<'a> {
        Box::pin(SendFuture::new(async move {
            let (store, settings) = (self.store.as_ref()?, self.settings.as_ref()?);
            run_task(name, store, &self.objects, settings, true).await
        }))
    }
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
fn connected(settings: &Settings, store: Arc<Database>) -> Result<Box<dyn Accounts>, String> {
    let http = net::Client::new().map_err(|error| error.to_string())?;
    let sealer = settings.sealer().map_err(|error| error.to_string())?;
    let oauth = oauth::Client::new(http, Runtime, settings.platforms.oauth.clone());
    Ok(Box::new(StoreAccounts { store, oauth, sealer }))
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> worker::Result<Response> {
    let media = R2Media::of(&env);
    let is_head = request.method() == "HEAD";
    let objects = Bindings::new(env.clone());
    let mut api_settings = ApiSettings {
        api_token: None,
        user_id: UserId::from("default"),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        keys: None,
        addresses: None,
        x: crate::platforms::x::Allowance::default(),
        missing: Vec::new(),
    };
    let mut database = None;
    let mut known = None;
    let mut accounts: Box<dyn Accounts> = Box::new(NoAccounts);
    match settings(&env) {
        Ok(settings) => {
            api_settings.api_token = ApiToken::new(settings.api_token.expose());
            api_settings.user_id = settings.user_id.clone();
            api_settings.x = settings.platforms.x.allowance.clone();
            api_settings.keys = settings.sealer().ok().as_ref().map(KeyNames::from);
            api_settings.addresses = settings.address_signer().ok();
            match store(settings.database_url.clone(), settings.sql_url.as_deref()).map(Arc::new) {
                Ok(store) => {
                    accounts = connected(&settings, Arc::clone(&store)).map_err(worker::Error::RustError)?;
                    database = Some(store);
                    known = Some(Arc::clone(&settings));
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
        tasks: Box::new(Tasks {
            store: database.clone(),
            settings: known,
            objects: objects.clone(),
        }),
        accounts,
        media: Arc::new(media.clone()),
        web: api::media::Web::new(client, fetches_from_loopback),
        rows: api::store_rows::StoreRows(database),
        objects,
        clock: Box::new(Runtime),
        entropy: Box::new(Runtime),
        zones: Box::new(IntlZones),
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
    let Some((name, _)) = TASKS.iter().find(|(_, known)| *known == cron) else {
        let known: Vec<_> = TASKS.iter().map(|(name, cron)| format!("`{cron}` ({name})")).collect();
        worker::console_error!("no task runs at `{cron}`: known are {}", known.join(" and "));
        return;
    };
    let settings = match settings(&env) {
        Ok(settings) => settings,
        Err(items) => {
            worker::console_error!("{name} cannot run: {}", describe(&items));
            return;
        }
    };
    match store(settings.database_url.clone(), settings.sql_url.as_deref()) {
        Ok(store) => {
            let report = run_task(name, &store, &Bindings::new(env), &settings, false).await;
            worker::console_log!("{name}: {}", report.unwrap_or_default());
        }
        Err(message) => worker::console_error!("{name} cannot run: {message}"),
    }
}
