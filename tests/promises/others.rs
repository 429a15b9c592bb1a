//! As one user, every route tried with the ids of another: nothing is read, nothing is changed, and what is named is not
//! there. A route of the description without a try here fails the test. (What the database itself lets a user reach is
//! tried table by table in `tests/store/tables.rs`.)

use crate::client::Client;
use crate::samples::Sample;
use crate::support::{self, KEY, Stage, World};
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use psn::api::auth::fresh_token;
use psn::dev::emulators::x::XAccount;
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::domain::id::{ApiTokenId, RemoteUserId, UserId};
use psn::domain::platform::Platform;
use psn::domain::time::Millis;
use psn::ports::entropy::Entropy as _;
use psn::ports::media::Owners;
use psn::store::Secret;
use psn::store::accounts::AccountImport;
use psn::store::api_tokens::{NewApiToken, digest};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tower_service::Service as _;

const DATABASE: &str = "promises_others";
/// What stands in everything of Bob's that could be read.
const MARK: &str = "bobs-own";

/// Something of Bob's that a route can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Post,
    Account,
    Medium,
    Idea,
    Series,
    Hub,
    Token,
    Destination,
    Letter,
}

/// How a route is tried as Ada.
enum Try {
    /// Each of Bob's is named in the path, with that body: it is not there.
    Named(Thing, Value),
    /// It is about whoever asks: with these ends of the address and that body, nothing of Bob's is in the answer.
    Own(&'static [&'static str], Value),
    /// It is about everybody: only the operator may, and Ada is refused.
    Operators(Value),
    /// It is about nobody; why that is so.
    Nobodys(&'static str),
}

use Thing::{Account, Destination, Hub, Idea, Letter, Medium, Post, Series, Token};
use Try::{Named, Nobodys, Operators, Own};

const NOTHING: Value = Value::Null;
const BARE: &[&str] = &[""];

/// A try for every route, in the order of the description.
fn tries() -> Vec<Row> {
    let mut all = open();
    all.extend(posts());
    all.extend(materials());
    all.extend(people());
    all
}

type Row = (&'static str, &'static str, Try);

/// What comes without a token, and tokens.
fn open() -> Vec<Row> {
    vec![
        ("GET", "/healthz", Nobodys("answers without a token")),
        ("GET", "/docs", Nobodys("answers without a token")),
        ("GET", "/v1/tokens", Own(BARE, NOTHING)),
        (
            "POST",
            "/v1/tokens",
            Own(BARE, json!({"name": "hers", "scopes": ["read"]})),
        ),
        ("GET", "/v1/tokens/{id}", Named(Token, NOTHING)),
        ("DELETE", "/v1/tokens/{id}", Named(Token, NOTHING)),
        ("GET", "/v1/audit", Own(BARE, NOTHING)),
        ("GET", "/openapi.json", Nobodys("answers without a token")),
        (
            "GET",
            "/oauth/callback",
            Nobodys("keeps what a browser brings for a state that was announced"),
        ),
        (
            "GET",
            "/.well-known/oauth-protected-resource",
            Nobodys("answers without a token"),
        ),
        (
            "OPTIONS",
            "/.well-known/oauth-protected-resource",
            Nobodys("answers without a token"),
        ),
        (
            "GET",
            "/.well-known/oauth-protected-resource/mcp",
            Nobodys("answers without a token"),
        ),
        (
            "OPTIONS",
            "/.well-known/oauth-protected-resource/mcp",
            Nobodys("answers without a token"),
        ),
        (
            "GET",
            "/.well-known/oauth-authorization-server",
            Nobodys("answers without a token"),
        ),
        (
            "OPTIONS",
            "/.well-known/oauth-authorization-server",
            Nobodys("answers without a token"),
        ),
        (
            "GET",
            "/oauth/authorize",
            Nobodys("shows what an assistant asks for, and nothing of anybody"),
        ),
        (
            "POST",
            "/oauth/authorize",
            Nobodys("takes a token as the proof of who consents"),
        ),
        (
            "POST",
            "/oauth/token",
            Nobodys("takes what was given to an assistant alone"),
        ),
        ("OPTIONS", "/oauth/token", Nobodys("answers without a token")),
        ("POST", "/oauth/register", Nobodys("stores nothing")),
        ("OPTIONS", "/oauth/register", Nobodys("answers without a token")),
        (
            "POST",
            "/oauth/revoke",
            Nobodys("takes what was given to an assistant alone"),
        ),
        ("OPTIONS", "/oauth/revoke", Nobodys("answers without a token")),
        ("GET", "/media/{id}", Nobodys("takes an address that was signed")),
    ]
}

/// Posts and accounts.
fn posts() -> Vec<Row> {
    let verdict = json!({"part": 1, "outcome": "not_published"});
    let one = json!({"platform": "x", "content": "hers"});
    vec![
        // Beside this, each of its tools: see `every_tool_is_tried`.
        ("POST", "/mcp", Own(BARE, rpc("tools/list", json!({})))),
        (
            "GET",
            "/v1/posts",
            Own(&["", "?status=draft", "?platform=x", "?limit=100"], NOTHING),
        ),
        ("POST", "/v1/posts", Own(BARE, one.clone())),
        ("GET", "/v1/posts/{id}", Named(Post, NOTHING)),
        ("PATCH", "/v1/posts/{id}", Named(Post, json!({"content": "hers"}))),
        ("DELETE", "/v1/posts/{id}", Named(Post, NOTHING)),
        ("POST", "/v1/posts/{id}/publish", Named(Post, NOTHING)),
        ("POST", "/v1/posts/{id}/cancel", Named(Post, NOTHING)),
        ("POST", "/v1/posts/{id}/retry", Named(Post, NOTHING)),
        ("POST", "/v1/posts/{id}/submit", Named(Post, NOTHING)),
        ("POST", "/v1/posts/{id}/approve", Named(Post, NOTHING)),
        ("POST", "/v1/posts/{id}/reject", Named(Post, NOTHING)),
        ("POST", "/v1/posts/{id}/resolve", Named(Post, verdict)),
        ("GET", "/v1/posts/{id}/events", Named(Post, NOTHING)),
        ("GET", "/v1/posts/{id}/metrics", Named(Post, NOTHING)),
        ("GET", "/v1/metrics", Own(BARE, NOTHING)),
        ("GET", "/v1/metrics/summary", Own(BARE, NOTHING)),
        ("POST", "/v1/validate", Own(BARE, one)),
        ("GET", "/v1/accounts", Own(BARE, NOTHING)),
        ("GET", "/v1/accounts/{id}", Named(Account, NOTHING)),
        ("DELETE", "/v1/accounts/{id}", Named(Account, NOTHING)),
        ("POST", "/v1/accounts/{id}/refresh", Named(Account, NOTHING)),
        ("POST", "/v1/accounts/{id}/wake", Named(Account, NOTHING)),
        (
            "POST",
            "/v1/accounts/{id}/reseal",
            Named(Account, json!({"user_id": "ada", "platform": "x"})),
        ),
        ("POST", "/v1/accounts/{id}/test", Named(Account, json!({}))),
    ]
}

/// What posts are made of and planned by.
fn materials() -> Vec<Row> {
    vec![
        ("GET", "/v1/media", Own(BARE, NOTHING)),
        (
            "POST",
            "/v1/media",
            Own(BARE, json!({"bytes": 10, "sha256": "ab".repeat(32)})),
        ),
        ("GET", "/v1/media/{id}", Named(Medium, NOTHING)),
        ("DELETE", "/v1/media/{id}", Named(Medium, NOTHING)),
        ("PUT", "/v1/media/{id}/chunks/{number}", Named(Medium, NOTHING)),
        (
            "POST",
            "/v1/media/{id}/complete",
            Named(Medium, json!({"upload": "1.x", "chunks": [{"number": 1, "etag": "e"}]})),
        ),
        ("GET", "/v1/ideas", Own(&["", "?limit=100"], NOTHING)),
        ("POST", "/v1/ideas", Own(BARE, json!({"text": "hers"}))),
        ("GET", "/v1/ideas/{id}", Named(Idea, NOTHING)),
        ("PATCH", "/v1/ideas/{id}", Named(Idea, json!({"notes": "hers"}))),
        ("DELETE", "/v1/ideas/{id}", Named(Idea, NOTHING)),
        ("POST", "/v1/ideas/{id}/move", Named(Idea, json!({"status": "seed"}))),
        ("POST", "/v1/ideas/{id}/rate", Named(Idea, json!({"rating": "love"}))),
        ("GET", "/v1/series", Own(BARE, NOTHING)),
        (
            "POST",
            "/v1/series",
            Own(BARE, json!({"name": "hers", "platform": "x", "cadence": "weekly"})),
        ),
        ("GET", "/v1/series/{id}", Named(Series, NOTHING)),
        ("PATCH", "/v1/series/{id}", Named(Series, json!({"name": "hers"}))),
        // A week is nobody's: everybody has a plan of their own for it.
        ("GET", "/v1/plans/{week}", Own(BARE, NOTHING)),
        ("PUT", "/v1/plans/{week}", Own(BARE, json!({"slots": []}))),
        ("GET", "/v1/calendar", Own(BARE, NOTHING)),
        (
            "PUT",
            "/v1/calendar/slots/{id}",
            Named(Post, json!({"scheduled_at": "2027-01-04T09:00:00Z"})),
        ),
        ("DELETE", "/v1/calendar/slots/{id}", Named(Post, NOTHING)),
    ]
}

/// Hubs, settings, messages, tasks.
fn people() -> Vec<Row> {
    let slack = json!({"kind": "slack", "url": "https://hooks.slack.com/hers", "enabled": false});
    vec![
        ("GET", "/v1/hubs", Own(BARE, NOTHING)),
        ("POST", "/v1/hubs", Own(BARE, json!({"slug": "hers"}))),
        ("GET", "/v1/hubs/{id}/members", Named(Hub, NOTHING)),
        (
            "PATCH",
            "/v1/hubs/{id}/members/{user}",
            Named(Hub, json!({"role": "member"})),
        ),
        ("DELETE", "/v1/hubs/{id}/members/{user}", Named(Hub, NOTHING)),
        ("GET", "/v1/hubs/{id}/invites", Named(Hub, NOTHING)),
        ("POST", "/v1/hubs/{id}/invites", Named(Hub, json!({}))),
        ("DELETE", "/v1/hubs/{id}/invites/{invite}", Named(Hub, NOTHING)),
        ("GET", "/join", Nobodys("is the same page for everybody")),
        ("POST", "/v1/join", Own(BARE, json!({"code": "of nobody"}))),
        ("GET", "/v1/takeover", Operators(NOTHING)),
        ("POST", "/v1/takeover", Operators(json!({"action": "adopt"}))),
        ("GET", "/v1/settings", Own(BARE, NOTHING)),
        ("PATCH", "/v1/settings", Own(BARE, json!({"time_zone": "Asia/Tokyo"}))),
        ("GET", "/v1/notifications", Own(BARE, NOTHING)),
        ("PATCH", "/v1/notifications", Own(BARE, json!({"push_enabled": false}))),
        ("POST", "/v1/notifications/destinations", Own(BARE, slack)),
        (
            "PATCH",
            "/v1/notifications/destinations/{id}",
            Named(Destination, json!({"enabled": true})),
        ),
        (
            "DELETE",
            "/v1/notifications/destinations/{id}",
            Named(Destination, NOTHING),
        ),
        ("POST", "/v1/notifications/test", Own(BARE, NOTHING)),
        (
            "POST",
            "/v1/notifications/undelivered/{id}/retry",
            Named(Letter, NOTHING),
        ),
        ("GET", "/approve/{id}", Nobodys("takes an address that was signed")),
        ("POST", "/approve/{id}", Nobodys("takes an address that was signed")),
        ("POST", "/hooks/waha", Nobodys("takes a signature")),
        ("POST", "/hooks/twilio", Nobodys("takes a signature")),
        ("GET", "/v1/pause", Own(BARE, NOTHING)),
        ("POST", "/v1/pause", Own(BARE, json!({}))),
        ("POST", "/v1/resume", Own(BARE, json!({}))),
        ("GET", "/v1/keys", Nobodys("names the keys of the Worker")),
        ("GET", "/v1/tasks", Own(BARE, NOTHING)),
        ("POST", "/v1/tasks/{name}/run", Nobodys("runs for all users")),
        ("POST", "/v1/oauth/pending", Own(BARE, json!({"state": "a".repeat(32)}))),
        ("POST", "/v1/oauth/result", Own(BARE, json!({"state": "b".repeat(32)}))),
        ("POST", "/v1/oauth/sign-in", Own(BARE, NOTHING)),
    ]
}

struct Ground {
    stage: Stage,
    router: axum::Router,
    /// Ada's token.
    token: String,
    /// Bob's things, by id.
    things: BTreeMap<Thing, Vec<String>>,
    /// An invite to Bob's hub.
    invite: String,
}

struct Answer {
    status: u16,
    text: String,
}

impl Ground {
    async fn new() -> Self {
        let postgres = support::postgres().await;
        let stage = support::stage(&postgres, DATABASE, 81, XSettings::default()).await;
        let token = person(&stage.world, "ada").await;
        let router = Client::new(&stage.world, "default").router();
        let (things, invite) = bobs_things(&stage).await;
        Self {
            stage,
            router,
            token,
            things,
            invite,
        }
    }

    async fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        // Slowly enough for one token.
        self.stage.world.advance(Millis(2_000));
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let request = match body {
            // The route that takes bytes.
            Value::Null if method == "PUT" => request.body(Body::from("x")),
            Value::Null => request.body(Body::empty()),
            body => request
                .header("content-type", "application/json")
                .body(Body::from(body.to_string())),
        };
        let response = self.router.clone().call(request.unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status, text }
    }

    /// All rows that are Bob's, and what the objects of his posts say.
    async fn all_of_bobs(&self) -> String {
        let tables = self.stage.ask(
            "select string_agg(distinct table_name, ' ') from information_schema.columns \
             where table_schema = 'public' and column_name in ('user_id', 'created_by')",
        );
        let mut all = String::new();
        for table in tables.await.split(' ') {
            let rows = format!(
                "select string_agg(t::text, ';' order by t::text) from {table} t where to_jsonb(t) ->> 'user_id' = 'bob' \
                 or to_jsonb(t) ->> 'created_by' = 'bob'"
            );
            all.push_str(&format!("{table}: {}\n", self.stage.ask(&rows).await));
        }
        for id in &self.things[&Post] {
            let shown = self.stage.world.show(&id.as_str().into()).await;
            all.push_str(&format!("{shown:?}\n"));
        }
        let (media, bob) = (self.stage.world.media_store(), UserId::from("bob"));
        let media = Owners(media.as_ref()).list(&bob, None, 100).await.unwrap();
        all.push_str(&format!("{media:?}\n"));
        all
    }
}

/// A token of that user, with every scope.
async fn person(world: &World, name: &str) -> String {
    let around = world.around();
    let mut random = [0; 32];
    around.fill(&mut random);
    let token = fresh_token(random);
    let scopes = ["read", "write", "publish", "admin"].map(str::to_owned).to_vec();
    let new = NewApiToken {
        id: ApiTokenId::from_random(around.bytes16()),
        user: UserId::from(name),
        name: "laptop".to_owned(),
        digest: digest(&token),
        scopes,
        expires_at: None,
        now: world.now(),
    };
    world.store().api_token_create(&new).await.unwrap();
    token
}

/// An account for Bob, on which things can go out.
async fn bobs_account(stage: &Stage) -> String {
    stage
        .x
        .add_account(XAccount {
            id: "4712".to_owned(),
            username: MARK.to_owned(),
            access_token: "token-of-bob".to_owned(),
        })
        .unwrap();
    let import = AccountImport {
        user: UserId::from("bob"),
        platform: Platform::X,
        remote_user_id: RemoteUserId::from("4712"),
        username: Some(MARK.to_owned()),
        access_token: Secret::new("token-of-bob"),
        refresh_token: None,
        expires_at: None,
        scopes: None,
        metadata: serde_json::Map::new(),
    };
    let sealer = support::sealer(&[KEY.to_owned()]);
    stage.world.store().account_import(&import, &sealer).await.unwrap().id.0
}

/// Bob has some of everything.
async fn bobs_things(stage: &Stage) -> (BTreeMap<Thing, Vec<String>>, String) {
    let bob = Client::new(&stage.world, "bob");
    let id = |made: &Value| made["id"].as_str().unwrap().to_owned();
    let account = bobs_account(stage).await;
    let series = json!({"name": MARK, "platform": "x", "cadence": "weekly"});
    let series = id(&bob.post("/v1/series", series).await.ok());
    let idea = id(&bob.post("/v1/ideas", json!({ "text": MARK })).await.ok());
    let mut posts = Vec::new();
    let soon = (stage.world.now() + Millis(1_000)).to_rfc3339();
    let later = (stage.world.now() + Millis(50 * 3_600_000)).to_rfc3339();
    for (number, scheduled_at) in [(1, json!(soon)), (2, json!(later)), (3, Value::Null)] {
        let mut post = json!({"platform": "x", "content": format!("{MARK} post {number}"), "series_id": series});
        post["scheduled_at"] = scheduled_at;
        if number == 3 {
            post.as_object_mut().unwrap().remove("scheduled_at");
        }
        posts.push(id(&bob.post("/v1/posts", post).await.ok()["posts"][0]));
    }
    stage.world.run_for(Millis(120_000)).await;
    assert!(bob.get(&format!("/v1/posts/{}", posts[0])).await.ok()["status"] == "published");
    bob.patch("/v1/settings", json!({"time_zone": "Europe/Berlin"}))
        .await
        .ok();
    let hub = id(&bob.post("/v1/hubs", json!({"slug": "bobs", "name": MARK})).await.ok());
    let token = json!({"name": MARK, "scopes": ["read"]});
    let token = id(&bob.post("/v1/tokens", token).await.ok());
    let invites = format!("/v1/hubs/{hub}/invites");
    bob.post(&invites, json!({})).await.ok();
    let invite = id(&bob.get(&invites).await.ok()["items"][0]);
    let slack = json!({"kind": "slack", "url": "https://hooks.slack.com/his", "enabled": false, "label": MARK});
    let destination = id(&bob.post("/v1/notifications/destinations", slack).await.ok());
    let letter = bobs_letter(stage, &destination).await;
    let things = BTreeMap::from([
        (Destination, vec![destination]),
        (Letter, vec![letter]),
        (Post, posts),
        (Account, vec![account]),
        (Medium, vec![bobs_medium(&bob).await]),
        (Idea, vec![idea]),
        (Series, vec![series]),
        (Hub, vec![hub]),
        (Token, vec![token]),
    ]);
    (things, invite)
}

/// A message to Bob that could not be delivered.
async fn bobs_letter(stage: &Stage, destination: &str) -> String {
    let letter = "0d7f2a4e-9c31-4b58-a6e0-5f1c8b3d2e97";
    stage
        .ask(&format!(
            "with told as (insert into psn_outbox (user_id, event_key, event_type, tier, payload, state, not_before, created_at) \
               values ('bob', 'k', 'post.failed', 'push', '{{}}', 'routed', now(), now()) returning id) \
             insert into psn_deliveries (id, user_id, outbox_id, destination_id, status, last_error, next_at, created_at) \
               select '{letter}', 'bob', id, '{destination}', 'dead', '{MARK}', now(), now() from told"
        ))
        .await;
    letter.to_owned()
}

/// Bob uploads a picture.
async fn bobs_medium(bob: &Client) -> String {
    let request = Request::builder().method("POST").uri("/v1/media");
    let request = request.header("authorization", "Bearer secret");
    let bytes = Sample::Image(9).bytes();
    let response = bob
        .router()
        .call(request.body(Body::from(bytes)).unwrap())
        .await
        .unwrap();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let medium: Value = serde_json::from_slice(&bytes).unwrap();
    medium["id"].as_str().unwrap().to_owned()
}

fn rpc(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

/// Each tool of the assistant's, with Bob's ids wherever one can be named.
async fn every_tool_is_tried(ground: &Ground) {
    let document: Value = serde_json::from_str(include_str!("../../src/api/mcp/tools.json")).unwrap();
    let tools = document["tools"].as_array().unwrap();
    assert!(tools.len() > 20, "{}", tools.len());
    for tool in tools {
        let name = tool["name"].as_str().unwrap();
        let mut arguments = json!({});
        for property in tool["properties"].as_object().unwrap().keys() {
            let of = |thing: Thing| json!(ground.things[&thing][0]);
            arguments[property] = match property.as_str() {
                "post_id" => of(Post),
                "account_id" => of(Account),
                "series_id" => of(Series),
                "idea_id" => of(Idea),
                "hub_id" => of(Hub),
                "content" | "text" | "name" | "title" => json!("hers"),
                "platform" => json!("x"),
                "part" => json!(1),
                "outcome" => json!("not_published"),
                "action" => json!("approve"),
                "cadence" => json!("weekly"),
                "scheduled_at" => json!("2027-01-04T09:00:00Z"),
                _ => continue,
            };
        }
        let call = rpc("tools/call", json!({"name": name, "arguments": arguments}));
        let answer = ground.ask("POST", "/mcp", &call).await;
        assert!(answer.status < 500, "{name}: {} {}", answer.status, answer.text);
        assert!(!answer.text.contains(MARK), "{name} {arguments}: {}", answer.text);
        let is_answered = answer.text.contains("\"result\"") || answer.text.contains("\"error\"");
        assert!(is_answered, "{name}: {}", answer.text);
    }
}

/// The routes of the description.
fn described() -> BTreeSet<(String, String)> {
    let text = include_str!("../../src/api/openapi.json");
    let document: Value = serde_json::from_str(text).unwrap();
    let mut all = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let methods = methods.as_object().unwrap().keys();
        let methods = methods.filter(|method| *method != "parameters");
        all.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    all
}

pub async fn nothing_of_anothers_is_reached() {
    let tries = tries();
    let tried: BTreeSet<_> = tries
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    let described = described();
    let untried: Vec<_> = described.difference(&tried).collect();
    assert!(
        untried.is_empty(),
        "routes without a try in `tests/promises/others.rs`: {untried:?}"
    );
    let gone: Vec<_> = tried.difference(&described).collect();
    assert!(gone.is_empty(), "tried, and not described: {gone:?}");

    let ground = Ground::new().await;
    let before = ground.all_of_bobs().await;
    assert!(before.matches(MARK).count() > 6, "{before}");
    let mut named = 0;
    for (method, path, how) in &tries {
        match how {
            Nobodys(why) => assert!(!why.is_empty()),
            Operators(body) => {
                let answer = ground.ask(method, path, body).await;
                assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text);
            }
            Own(ends, body) => {
                for end in *ends {
                    let address = format!("{}{end}", path.replace("{week}", "2026-W48"));
                    let answer = ground.ask(method, &address, body).await;
                    assert!(
                        answer.status < 500,
                        "{method} {address}: {} {}",
                        answer.status,
                        answer.text
                    );
                    assert!(!answer.text.contains(MARK), "{method} {address}: {}", answer.text);
                }
            }
            Named(thing, body) => {
                for id in &ground.things[thing] {
                    let address = path.replace("{id}", id).replace("{number}", "1?upload=1.x");
                    let address = address.replace("{user}", "bob").replace("{invite}", &ground.invite);
                    let answer = ground.ask(method, &address, body).await;
                    assert_eq!(answer.status, 404, "{method} {address}: {}", answer.text);
                    assert!(!answer.text.contains(MARK), "{method} {address}: {}", answer.text);
                    named += 1;
                }
            }
        }
    }
    assert!(named > 30, "{named}");
    every_tool_is_tried(&ground).await;
    assert_eq!(ground.all_of_bobs().await, before);
}
