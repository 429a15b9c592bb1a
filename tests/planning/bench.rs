//! The API over a whole psn: real objects, a real Postgres, a clock that stands until it is moved.

use crate::described;
use crate::support::{Stage, World, postgres, sealer, stage};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use psn::api::auth::ApiToken;
use psn::api::rate::Limiter;
use psn::api::store_accounts::StoreAccounts;
use psn::api::store_rows::StoreRows;
use psn::api::{ApiSettings, App, KeyNames, TaskAnswer, TaskRunner, router};
use psn::cli::ambient::SystemEntropy;
use psn::cli::zones::BundledZones;
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::domain::id::UserId;
use psn::domain::time::Timestamp;
use psn::platforms::oauth;
use psn::ports::http::{HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse};
use serde_json::Value;
use std::sync::Arc;
use tower_service::Service;

pub const TOKEN: &str = "secret";

/// A Monday: 2026-11-23T09:00:00Z.
pub const NOW: Timestamp = Timestamp(1_795_424_400_000);

struct NoTasks;

impl TaskRunner for NoTasks {
    fn run<'a>(&'a self, _: &'a str, _: bool) -> TaskAnswer<'a> {
        Box::pin(async { None })
    }
}

/// A stage and who asks on it.
pub struct Bench {
    pub stage: Stage,
    pub ada: Client,
}

impl Bench {
    /// A world of its own, at [`NOW`].
    pub async fn new(database: &str) -> Self {
        let stage = stage(&postgres().await, database, 1, XSettings::default()).await;
        stage.world.clock().0.set(NOW);
        let ada = Client::new(&stage.world, "default");
        Self { stage, ada }
    }

    /// The same worker for another user.
    pub fn user(&self, name: &str) -> Client {
        Client::new(&self.stage.world, name)
    }
}

/// Asks on behalf of a user.
#[derive(Clone)]
pub struct Client {
    router: Router,
    /// The token that is shown; `None` shows none.
    token: Option<String>,
}

pub struct Answer {
    pub status: u16,
    #[allow(dead_code, reason = "not every test looks at them")]
    pub headers: HeaderMap,
    pub body: Value,
}

/// A web in which nothing is found.
struct Nowhere;

impl HttpClient for Nowhere {
    async fn send(&self, _: HttpRequest) -> Result<HttpResponse, HttpError> {
        Err(HttpError {
            kind: HttpErrorKind::NotSent,
            message: "there is no web here".to_owned(),
        })
    }
}

impl Answer {
    /// The body of a success.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{} {:#}", self.status, self.body);
        self.body
    }

    /// Status and sentence of what was refused, and the fields that are wrong.
    pub fn refusal(&self) -> String {
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        let fields: Vec<String> = errors
            .iter()
            .filter_map(|error| error["field"].as_str().map(str::to_owned))
            .collect();
        format!(
            "{} [{}] {}",
            self.status,
            fields.join(" "),
            self.body["detail"].as_str().unwrap_or("?")
        )
    }
}

impl Client {
    pub fn new(world: &World, user: &str) -> Self {
        Self::limited(world, user, Limiter::default())
    }

    /// A worker with that limit for the tokens of people.
    pub fn limited(world: &World, user: &str, limiter: Limiter) -> Self {
        let store = Arc::new(world.store());
        let oauth = oauth::Client::new(
            world.http().clone(),
            world.around(),
            world.settings().platforms.oauth.clone(),
        );
        let router = router(Arc::new(App {
            objects: world.clone(),
            rows: StoreRows(Some(Arc::clone(&store))),
            clock: Box::new(world.clock()),
            entropy: Box::new(SystemEntropy),
            tasks: Box::new(NoTasks),
            accounts: Box::new(StoreAccounts {
                store,
                oauth,
                sealer: sealer(&[crate::support::KEY.to_owned()]),
                settings: world.settings(),
                reach: (world.http().clone(), world.around()),
            }),
            media: world.media_store(),
            web: psn::api::media::Web::new(Nowhere, false),
            zones: Box::new(BundledZones),
            messaging: psn::api::messaging::Messaging::new(&world.settings(), world.http().clone()).ok(),
            settings: ApiSettings {
                api_token: ApiToken::new(TOKEN),
                user_id: UserId::from(user),
                limiter: Arc::new(limiter),
                version: "0.1.0".to_owned(),
                keys: Some(KeyNames {
                    seals_with: "0123abcd".to_owned(),
                    opens: vec!["0123abcd".to_owned()],
                    form: "psn1",
                }),
                addresses: world.settings().address_signer().ok(),
                marks: world.settings().marks().ok(),
                public_url: None,
                x: psn::platforms::x::Allowance::default(),
                missing: Vec::new(),
            },
        }));
        let token = Some(TOKEN.to_owned());
        Self { router, token }
    }

    /// The same worker asked with another token, or with none.
    pub fn showing(&self, token: Option<&str>) -> Self {
        Self {
            router: self.router.clone(),
            token: token.map(str::to_owned),
        }
    }

    /// What answers.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Sends a request; question and answer are held against the description.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        self.call_with(method, path, body, &[]).await
    }

    /// The same with more headers.
    pub async fn call_with(&self, method: &str, path: &str, body: Value, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = match &body {
            Value::Null => request.body(Body::empty()),
            body => request
                .header("content-type", "application/json")
                .body(Body::from(body.to_string())),
        };
        let response = self.router().call(request.unwrap()).await.unwrap();
        let (parts, content) = response.into_parts();
        let bytes = content.collect().await.unwrap().to_bytes();
        let answered: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let kind = parts
            .headers
            .get("content-type")
            .map_or("", |kind| kind.to_str().unwrap());
        described::check_answer(method, path, parts.status.as_u16(), kind, &answered);
        if parts.status.is_success() && !body.is_null() {
            described::check_request(method, path, &body);
        }
        assert_ne!(
            parts.status,
            StatusCode::INTERNAL_SERVER_ERROR,
            "{method} {path}: {answered:#}"
        );
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: answered,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, body).await
    }

    #[allow(dead_code, reason = "not every test needs it")]
    pub async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, Value::Null).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call("PATCH", path, body).await
    }
}
