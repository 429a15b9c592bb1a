//! A whole psn that assistants are let into, and an assistant.

use crate::described;
use crate::support::{KEY, Stage, World, postgres, sealer, stage};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::BodyExt;
use psn::api::auth::ApiToken;
use psn::api::media::Web;
use psn::api::store_accounts::StoreAccounts;
use psn::api::store_rows::StoreRows;
use psn::api::{ApiSettings, App, TaskAnswer, TaskRunner, router};
use psn::cli::ambient::SystemEntropy;
use psn::cli::zones::BundledZones;
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::domain::id::{ApiTokenId, UserId};
use psn::domain::time::{Millis, Timestamp};
use psn::net;
use psn::platforms::oauth;
use psn::store::Secret;
use psn::store::api_tokens::{ApiTokenRow, NewApiToken, digest};
use psn::store::audit::{Deed, DeedFilter};
use psn::store::seal::Marks;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tower_service::Service;

/// The operator's token.
pub const TOKEN: &str = "secret";
pub const ORIGIN: &str = "https://psn.example";
pub const CLAUDE: &str = "https://claude.ai/api/mcp/auth_callback";
/// A Monday: 2026-11-23T09:00:00Z.
pub const NOW: Timestamp = Timestamp(1_795_424_400_000);

struct NoTasks;

impl TaskRunner for NoTasks {
    fn run<'a>(&'a self, _: &'a str, _: bool) -> TaskAnswer<'a> {
        Box::pin(async { None })
    }
}

/// What was answered.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Answer {
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text);
        self.body
    }

    /// Status and code of an error for programs.
    pub fn refusal(&self) -> String {
        format!("{} {}", self.status, self.body["error"].as_str().unwrap_or(&self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// What the page is about, and the rest of what it says.
    pub fn says(&self, what: &str) -> bool {
        assert!(self.header("content-type").starts_with("text/html"), "{}", self.text);
        self.text.contains(what)
    }

    /// A parameter of the address that a redirect, or the page's link of that id, leads to.
    pub fn leads_with(&self, link: &str, name: &str) -> Option<String> {
        let address = match self.status {
            302 => self.header("location").to_owned(),
            _ => self.link(link),
        };
        let address = url::Url::parse(&address).unwrap();
        address
            .query_pairs()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    }

    pub fn link(&self, id: &str) -> String {
        let rest = self.text.split(&format!("id=\"{id}\" href=\"")).nth(1);
        let rest = rest.unwrap_or_else(|| panic!("no link {id}: {}", self.text));
        rest.split('"').next().unwrap().replace("&amp;", "&")
    }

    /// What the page's form brings along.
    pub fn request(&self) -> String {
        let rest = self.text.split("name=\"request\" value=\"").nth(1);
        let rest = rest.unwrap_or_else(|| panic!("no form: {}", self.text));
        rest.split('"').next().unwrap().to_owned()
    }
}

/// An assistant as this server knows it.
#[derive(Clone)]
pub struct Assistant {
    pub id: String,
    pub redirect: String,
    pub verifier: String,
}

impl Assistant {
    pub fn new(id: &str, redirect: &str) -> Self {
        Self {
            id: id.to_owned(),
            redirect: redirect.to_owned(),
            verifier: URL_SAFE_NO_PAD.encode(Sha256::digest(id.as_bytes())),
        }
    }

    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }

    /// What it sends a browser with, some of it replaced or, where empty, left out.
    pub fn asks(&self, changed: &[(&str, &str)]) -> String {
        let challenge = self.challenge();
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", &self.redirect),
            ("state", "a state & more"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("resource", "https://psn.example/mcp"),
            ("scope", "read write"),
        ];
        pairs.retain(|(name, _)| changed.iter().all(|(other, _)| other != name));
        pairs.extend(changed.iter().filter(|(_, value)| !value.is_empty()));
        format!("/oauth/authorize?{}", encoded(&pairs))
    }
}

pub fn encoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

/// A worker over a stage of its own.
pub struct Place {
    pub stage: Stage,
    router: Router,
}

impl Place {
    pub async fn new(database: &str) -> Self {
        let stage = stage(&postgres().await, database, 1, XSettings::default()).await;
        stage.world.clock().0.set(NOW);
        let router = worker(&stage.world, Some(ORIGIN), &[KEY]);
        Self { stage, router }
    }

    pub fn world(&self) -> &World {
        &self.stage.world
    }

    /// The same worker on other keys: the first marks, all are known.
    pub fn change_keys(&mut self, keys: &[&str]) {
        self.router = worker(&self.stage.world, Some(ORIGIN), keys);
    }

    /// How often the database was asked until now.
    pub fn calls(&self) -> u64 {
        self.world().http().calls.load(Ordering::SeqCst)
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        send(&self.router, request).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn form(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(encoded(pairs))).unwrap()).await
    }

    pub async fn json(&self, path: &str, body: &Value) -> Answer {
        let request = Request::post(path).header("content-type", "application/json");
        let answer = self.send(request.body(Body::from(body.to_string())).unwrap()).await;
        if answer.status < 300 {
            described::check_request("POST", path, body);
        }
        answer
    }

    /// Registers an assistant.
    pub async fn register(&self, name: &str, redirect: &str) -> Assistant {
        let body = json!({"client_name": name, "redirect_uris": [redirect], "token_endpoint_auth_method": "client_secret_post"});
        let registered = self.json("/oauth/register", &body).await;
        assert_eq!(registered.status, 201, "{}", registered.text);
        Assistant::new(registered.body["client_id"].as_str().unwrap(), redirect)
    }

    /// What a person decides on a page.
    pub async fn decide(&self, page: &Answer, token: &str, scopes: &[&str]) -> Answer {
        let request = page.request();
        let mut pairs = vec![("request", request.as_str()), ("username", "psn"), ("token", token)];
        pairs.extend(scopes.iter().map(|scope| ("scope", *scope)));
        self.form("/oauth/authorize", &pairs).await
    }

    /// A code for the page, made with that token.
    pub async fn sign_in_code(&self, token: &str) -> String {
        let request = Request::post("/v1/oauth/sign-in").header("authorization", format!("Bearer {token}"));
        let made = self.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.body["code"].as_str().unwrap().to_owned()
    }

    /// A code that a person who shows that token lets the assistant have.
    pub async fn code(&self, assistant: &Assistant, token: &str) -> String {
        let page = self.get(&assistant.asks(&[])).await;
        let answer = self.decide(&page, token, &["read", "write"]).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.leads_with("back", "code").unwrap()
    }

    pub async fn redeem(&self, assistant: &Assistant, code: &str, changed: &[(&str, &str)]) -> Answer {
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("client_id", assistant.id.as_str()),
            ("code", code),
            ("redirect_uri", assistant.redirect.as_str()),
            ("code_verifier", assistant.verifier.as_str()),
            ("resource", "https://psn.example/mcp"),
        ];
        pairs.retain(|(name, _)| changed.iter().all(|(other, _)| other != name));
        pairs.extend(changed.iter().filter(|(_, value)| !value.is_empty()));
        self.form("/oauth/token", &pairs).await
    }

    /// The tokens that an assistant gets whom the person of that token lets in.
    pub async fn let_in(&self, assistant: &Assistant, token: &str) -> (String, String) {
        let code = self.code(assistant, token).await;
        pair(&self.redeem(assistant, &code, &[]).await.ok())
    }

    pub async fn refresh(&self, assistant: &Assistant, refresh: &str) -> Answer {
        let pairs = [
            ("grant_type", "refresh_token"),
            ("client_id", assistant.id.as_str()),
            ("refresh_token", refresh),
        ];
        self.form("/oauth/token", &pairs).await
    }

    /// The status of a request with that token.
    pub async fn opens(&self, access: &str) -> u16 {
        let request = Request::get("/v1/posts").header("authorization", format!("Bearer {access}"));
        self.send(request.body(Body::empty()).unwrap()).await.status
    }

    /// A token of a person's own.
    pub async fn token_of(&self, user: &str, n: u8, scopes: &[&str]) -> (String, ApiTokenId) {
        let token = format!("psn_{}", URL_SAFE_NO_PAD.encode([n; 32]));
        let new = NewApiToken {
            id: ApiTokenId::from_random([n; 16]),
            user: UserId::from(user),
            name: "laptop".to_owned(),
            digest: digest(&token),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            expires_at: Some(NOW + Millis::from_secs(30 * 86_400)),
            now: NOW,
        };
        self.world().store().api_token_create(&new).await.unwrap();
        (token, new.id)
    }

    /// The tokens of a user, as they are listed.
    pub async fn listed(&self, user: &UserId) -> Vec<ApiTokenRow> {
        let store = self.world().store();
        store.api_token_page(user, user, None, None, 100).await.unwrap().items
    }

    /// What a user did, the last first.
    pub async fn deeds(&self, user: &UserId) -> Vec<(i64, Deed)> {
        let (store, all) = (self.world().store(), DeedFilter::default());
        store.deed_list(user, &all, None, 10).await.unwrap()
    }

    /// The worker behind a socket, found where it listens.
    pub async fn listening(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let router = worker(&self.stage.world, None, &[KEY]);
        tokio::spawn(async move { axum::serve(listener, router).await });
        origin
    }
}

/// Access and refresh token of an answer.
pub fn pair(answer: &Value) -> (String, String) {
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

pub fn worker(world: &World, public_url: Option<&str>, keys: &[&str]) -> Router {
    let store = Arc::new(world.store());
    let settings = world.settings();
    let oauth = oauth::Client::new(world.http().clone(), world.around(), settings.platforms.oauth.clone());
    let marks = Marks::new(&Secret::new(keys[0])).unwrap();
    let marks = keys[1..]
        .iter()
        .fold(marks, |marks, key| marks.with_former_key(&Secret::new(*key)).unwrap());
    router(Arc::new(App {
        objects: world.clone(),
        rows: StoreRows(Some(Arc::clone(&store))),
        clock: Box::new(world.clock()),
        entropy: Box::new(SystemEntropy),
        tasks: Box::new(NoTasks),
        accounts: Box::new(StoreAccounts {
            store,
            oauth,
            sealer: sealer(&[KEY.to_owned()]),
            settings,
            reach: (world.http().clone(), world.around()),
        }),
        media: world.media_store(),
        messaging: psn::api::messaging::Messaging::new(&world.settings(), world.http().clone()).ok(),
        web: Web::new(net::Client::new().unwrap(), true),
        zones: Box::new(BundledZones),
        settings: ApiSettings {
            api_token: ApiToken::new(TOKEN),
            user_id: UserId::from("default"),
            limiter: Default::default(),
            version: "0.1.0".to_owned(),
            keys: None,
            addresses: None,
            marks: Some(marks),
            public_url: public_url.map(str::to_owned),
            x: psn::platforms::x::Allowance::default(),
            missing: Vec::new(),
        },
    }))
}

/// Sends a request; the answer has to be one that is described.
pub async fn send(router: &Router, request: Request<Body>) -> Answer {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let (parts, content) = router.clone().call(request).await.unwrap().into_parts();
    let bytes = content.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let kind = parts
        .headers
        .get("content-type")
        .map_or("", |kind| kind.to_str().unwrap());
    let body = match kind {
        "text/html; charset=utf-8" => Value::String(text.clone()),
        _ => serde_json::from_str(&text).unwrap_or(Value::Null),
    };
    let status = parts.status.as_u16();
    described::check_answer(&method, &path, status, kind.split(';').next().unwrap(), &body);
    assert_ne!(status, 500, "{method} {path}: {text}");
    Answer {
        status,
        headers: parts.headers,
        text,
        body,
    }
}
