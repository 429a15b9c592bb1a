//! What the router is given in these tests: objects and rows that answer as they are told, and a client.

use crate::described;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use psn::api::auth::ApiToken;
use psn::api::messaging::Messaging;
use psn::api::rows::{Cursor, NamedThings, RowFilter, RowSummary, Rows, RowsError};
use psn::api::{Accounts, AccountsAnswer, ApiSettings, App, KeyNames, MissingVariable, TaskAnswer, TaskRunner, router};
use psn::domain::account::Account;
use psn::domain::id::{AccountId, HubId, PostId, UserId};
use psn::domain::labels::{Labels, PlanSlotRef};
use psn::domain::platform::Platform;
use psn::domain::post::{PartState, Status};
use psn::domain::publish::Plan;
use psn::domain::publish::view::{PartView, PostView, TimelineItem};
use psn::domain::time::{Millis, Timestamp};
use psn::ports::memory::{ManualClock, MemoryMedia, MemoryTable, SeededEntropy};
use psn::ports::objects::{
    AccountReply, AccountRequest, IndexReply, IndexRequest, ObjectError, Objects, PostReply, PostRequest, PostSnapshot,
};
use psn::ports::pauses::Pauses;
use psn::store::Store;
use psn::store::account_list::AccountRow;
use psn::store::seal::{AddressSigner, Marks};
use psn::tasks::account_test::{Trial, Tried};
use psn::tasks::connected::{AccountReport, Revocation, by_hand, reports};
use psn::tasks::consent::Consents;
use psn::tasks::runs::Runs;
use psn::tasks::settings::Settings;
use psn::tasks::{Outcome, Ran};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tower_service::Service;

pub const TOKEN: &str = "a-token-for-tests";

/// 2026-11-23T09:00:00Z
pub const NOW: Timestamp = Timestamp(1_795_424_400_000);

/// Objects that keep posts in a map, remember what they were asked, and answer with what a test puts before that.
#[derive(Default)]
pub struct World {
    pub posts: BTreeMap<PostId, PostSnapshot>,
    pub asked: Vec<PostRequest>,
    pub index_asked: Vec<IndexRequest>,
    pub account_next: Option<AccountReply>,
    pub accounts_asked: Vec<(AccountId, AccountRequest)>,
    pub keys: BTreeMap<String, (String, Option<(u16, String)>)>,
    pub next: Option<Result<PostReply, ObjectError>>,
    pub database_down: bool,
    pub rows: Vec<RowSummary>,
    pub consents: MemoryTable,
    pub runs: MemoryTable,
    pub disconnected: bool,
    /// The platforms of further accounts, whose ids end in 1, 2, …
    pub connected: Vec<Platform>,
    /// From this creation on, counted from 1, objects are away; 0 is never.
    pub away_from: usize,
    pub created: usize,
    pub media: Arc<MemoryMedia>,
    pub time_zone: Option<String>,
    /// What is known of that which labels name.
    pub named: NamedThings,
    pub slot_taken: bool,
    /// What the index answers next about pauses.
    pub pauses: Option<IndexReply>,
    /// Who reviews for which hub.
    pub admins: Vec<(UserId, HubId)>,
}

#[derive(Clone, Default)]
pub struct Fake(pub Arc<Mutex<World>>);

impl Fake {
    pub fn answer_next(&self, reply: PostReply) {
        self.0.lock().unwrap().next = Some(Ok(reply));
    }

    pub fn asked(&self) -> Vec<PostRequest> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }

    pub fn put(&self, snapshot: PostSnapshot) -> String {
        let id = snapshot.plan.post_id.clone();
        self.0.lock().unwrap().posts.insert(id.clone(), snapshot);
        id.0
    }
}

impl Objects for Fake {
    async fn post(&self, id: &PostId, request: PostRequest) -> Result<PostReply, ObjectError> {
        let mut world = self.0.lock().unwrap();
        world.asked.push(request.clone());
        if !matches!(request, PostRequest::Show | PostRequest::Events)
            && let Some(next) = world.next.take()
        {
            return next;
        }
        if let PostRequest::Create { plan } = &request {
            world.created += 1;
            if world.away_from > 0 && world.created >= world.away_from {
                return Err(ObjectError("secret".to_owned()));
            }
            world.posts.entry(id.clone()).or_insert_with(|| snapshot(plan.clone()));
        }
        let Some(post) = world.posts.get(id) else {
            return Ok(PostReply::NotFound);
        };
        if request == PostRequest::Events {
            let events = vec![TimelineItem {
                at: NOW,
                kind: "attempt_started".to_owned(),
                part: Some(2),
                detail: "attempt 1".to_owned(),
            }];
            let user_id = post.plan.user_id.clone();
            return Ok(PostReply::Events {
                user_id,
                events,
                boot_id: "0123456789abcdef0123456789abcdef".to_owned(),
            });
        }
        Ok(PostReply::Post(Box::new(post.clone())))
    }

    async fn account(&self, id: &AccountId, request: AccountRequest) -> Result<AccountReply, ObjectError> {
        let mut world = self.0.lock().unwrap();
        world.accounts_asked.push((id.clone(), request));
        Ok(world
            .account_next
            .take()
            .unwrap_or(AccountReply::Usable { renewed: false }))
    }

    async fn index(&self, request: IndexRequest) -> Result<IndexReply, ObjectError> {
        let mut world = self.0.lock().unwrap();
        world.index_asked.push(request.clone());
        let consents = Consents {
            table: &world.consents,
            now: NOW,
        };
        let runs = Runs {
            table: &world.runs,
            now: NOW,
        };
        match &request {
            IndexRequest::TaskRuns => return runs.all().map_err(ObjectError),
            IndexRequest::Pauses(_) => {
                return Ok(world
                    .pauses
                    .take()
                    .unwrap_or_else(|| IndexReply::Pauses(Pauses::default())));
            }
            IndexRequest::ConsentExpect { state } => return consents.expect(state).map_err(ObjectError),
            IndexRequest::ConsentReceive { state, answer } => {
                return consents.receive(state, answer.clone()).map_err(ObjectError);
            }
            IndexRequest::ConsentTake { state } => return consents.take(state).map_err(ObjectError),
            _ => {}
        }
        Ok(match request {
            IndexRequest::Begin { key, body_hash } => match world.keys.get(&key) {
                Some((known, _)) if *known != body_hash => IndexReply::OtherBody,
                Some((_, None)) => IndexReply::Running,
                Some((_, Some((status, body)))) => IndexReply::Answered {
                    status: *status,
                    body: body.clone(),
                },
                None => {
                    world.keys.insert(key, (body_hash, None));
                    IndexReply::Fresh
                }
            },
            IndexRequest::End { key, answer: None } => {
                world.keys.remove(&key);
                IndexReply::Done
            }
            IndexRequest::End { key, answer } => {
                world.keys.get_mut(&key).unwrap().1 = answer;
                IndexReply::Done
            }
            _ => IndexReply::Done,
        })
    }
}

impl Rows for Fake {
    type Http = psn::net::Client;
    type Around = psn::cli::ambient::System;

    /// What only a real database answers is tried on one (`tests/planning.rs`).
    fn store(&self) -> Result<&Store<Self::Http, Self::Around>, RowsError> {
        Err(RowsError::Unavailable("secret of the database".to_owned()))
    }

    async fn list(
        &self,
        _: &UserId,
        _: &RowFilter,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<(Vec<RowSummary>, Option<Cursor>), RowsError> {
        let world = self.0.lock().unwrap();
        if world.database_down {
            return Err(RowsError::Unavailable("secret of the database".to_owned()));
        }
        let from: usize = cursor
            .map_or(Ok(0), |cursor| cursor.0.parse())
            .map_err(|_| RowsError::Cursor)?;
        let page: Vec<RowSummary> = world.rows.iter().skip(from).take(limit).cloned().collect();
        let next = (from + limit < world.rows.len()).then(|| Cursor((from + limit).to_string()));
        Ok((page, next))
    }

    async fn similar(&self, _: &UserId, _: Platform) -> Result<Vec<(PostId, String)>, RowsError> {
        let world = self.0.lock().unwrap();
        if world.database_down {
            return Err(RowsError::Unavailable("secret of the database".to_owned()));
        }
        Ok(world
            .rows
            .iter()
            .map(|row| (row.id.clone(), row.content.clone()))
            .collect())
    }

    async fn time_zone(&self, _: &UserId) -> Result<Option<String>, RowsError> {
        let world = self.0.lock().unwrap();
        match world.database_down {
            true => Err(RowsError::Unavailable("secret of the database".to_owned())),
            false => Ok(world.time_zone.clone()),
        }
    }

    async fn named(&self, _: &UserId, _: &Labels) -> Result<NamedThings, RowsError> {
        let world = self.0.lock().unwrap();
        match world.database_down {
            true => Err(RowsError::Unavailable("secret of the database".to_owned())),
            false => Ok(world.named.clone()),
        }
    }

    async fn reviews(&self, user: &UserId, hub: &HubId) -> Result<bool, RowsError> {
        let world = self.0.lock().unwrap();
        Ok(world.admins.contains(&(user.clone(), hub.clone())))
    }

    async fn take_slot(&self, _: &UserId, _: &PlanSlotRef, _: &PostId, _: bool) -> Result<bool, RowsError> {
        Ok(!self.0.lock().unwrap().slot_taken)
    }

    async fn ping(&self) -> Result<(), RowsError> {
        match self.0.lock().unwrap().database_down {
            true => Err(RowsError::Unavailable("secret of the database".to_owned())),
            false => Ok(()),
        }
    }
}

pub struct Tasks;

impl TaskRunner for Tasks {
    fn run<'a>(&'a self, name: &'a str, ahead: bool) -> TaskAnswer<'a> {
        Box::pin(async move {
            Some(match name {
                "analytics_collector" => Ran::Done(Outcome::new(&json!({ "ahead": ahead }), None)),
                "watchdog" => Ran::Done(Outcome::new(&json!({ "woken": 0 }), None)),
                "token_refresher" => Ran::Busy { since: NOW },
                _ => return None,
            })
        })
    }
}

pub fn snapshot(plan: Plan) -> PostSnapshot {
    let parts = plan.parts.iter().enumerate().map(|(position, text)| PartView {
        index: position + 1,
        text: text.clone(),
        remote_id: None,
        state: PartState::Pending,
    });
    let view = PostView {
        status: if plan.scheduled_at.is_some() {
            Status::Scheduled
        } else {
            Status::Draft
        },
        sub_status: None,
        resting: plan.scheduled_at.is_none(),
        scheduled_at: plan.scheduled_at,
        published_at: None,
        message: None,
        account_id: Some(account().id),
        run: None,
        approval: None,
        parts: parts.collect(),
    };
    PostSnapshot {
        plan,
        view,
        username: Some("ada".to_owned()),
        addresses: Default::default(),
        similar: Vec::new(),
        version: 1,
    }
}

pub fn account() -> Account {
    Account {
        id: AccountId::from("00000000-0000-4000-8000-00000000000a"),
        platform: Platform::X,
        remote_user_id: None,
        username: Some("ada".to_owned()),
    }
}

pub fn plan(user: &str, parts: &[&str]) -> Plan {
    Plan {
        media: Vec::new(),
        options: None,
        post_id: PostId::from_random([1; 16]),
        user_id: UserId::from(user),
        platform: Platform::X,
        account_id: None,
        parts: parts.iter().map(|&part| part.to_owned()).collect(),
        hash: String::new(),
        scheduled_at: Some(NOW),
        group_id: None,
        labels: Default::default(),
        created_at: NOW,
    }
}

/// The settings of a worker that writes to people.
fn messaging() -> Messaging {
    let settings = Settings::read(|name| {
        let value = match name {
            "DATABASE_URL" => "postgresql://u:p@h.example/d",
            "PSN_API_TOKEN" => TOKEN,
            "HUB_ENCRYPTION_KEY" => return Some("07".repeat(32)),
            "PUBLIC_URL" => "https://psn.example",
            "WAHA_BASE_URL" => "https://waha.example",
            "WAHA_HMAC_KEY" => "waha-hmac",
            _ => return None,
        };
        Some(value.to_owned())
    });
    Messaging::new(&settings.unwrap(), psn::net::Client::new().unwrap()).unwrap()
}

pub fn app(fake: &Fake, missing: Vec<MissingVariable>) -> Router {
    router(state(fake, missing))
}

/// The routes for callers in the same process.
pub fn routes(fake: &Fake) -> Router {
    psn::api::routes(state(fake, Vec::new()))
}

fn state(fake: &Fake, missing: Vec<MissingVariable>) -> Arc<App<Fake, Fake>> {
    Arc::new(App {
        media: fake.0.lock().unwrap().media.clone(),
        web: psn::api::media::Web::new(psn::net::Client::new().unwrap(), false),
        objects: fake.clone(),
        rows: fake.clone(),
        clock: Box::new(ManualClock::new(NOW)),
        entropy: Box::new(SeededEntropy::new(7)),
        tasks: Box::new(Tasks),
        accounts: Box::new(fake.clone()),
        zones: Box::new(psn::cli::zones::BundledZones),
        messaging: missing.is_empty().then(messaging),
        settings: ApiSettings {
            x: psn::platforms::x::Allowance::default(),
            api_token: ApiToken::new(TOKEN),
            user_id: UserId::from("default"),
            limiter: Default::default(),
            version: "0.1.0".to_owned(),
            keys: missing.is_empty().then(|| KeyNames {
                seals_with: "702860da".to_owned(),
                opens: vec!["702860da".to_owned(), "01020304".to_owned()],
                form: "psn1",
            }),
            addresses: Some(AddressSigner::new(&"07".repeat(32).as_str().into()).unwrap()),
            marks: Some(Marks::new(&"07".repeat(32).as_str().into()).unwrap()),
            public_url: None,
            missing,
        },
    })
}

pub struct Client {
    pub fake: Fake,
    pub router: Router,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
    pub text: String,
}

impl Answer {
    /// Status, headers that matter and body: what a snapshot compares.
    pub fn whole(&self) -> Value {
        let mut headers = BTreeMap::new();
        for name in [
            "content-type",
            "retry-after",
            "www-authenticate",
            "allow",
            "idempotency-replayed",
        ] {
            if let Some(value) = self.headers.get(name) {
                headers.insert(name, value.to_str().unwrap().to_owned());
            }
        }
        json!({ "status": self.status.as_u16(), "headers": headers, "body": self.body })
    }

    pub fn detail(&self) -> String {
        format!(
            "{} {}",
            self.status.as_u16(),
            self.body["detail"].as_str().unwrap_or("(no detail)")
        )
    }
}

impl Client {
    pub fn new() -> Self {
        let fake = Fake::default();
        Self {
            router: app(&fake, Vec::new()),
            fake,
        }
    }

    pub async fn send(&mut self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().to_string());
        let (parts, body) = self.router.call(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = match bytes.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&bytes).unwrap(),
        };
        let kind = parts
            .headers
            .get("content-type")
            .map_or("", |kind| kind.to_str().unwrap());
        described::check_answer(method.as_str(), &path, parts.status.as_u16(), kind, &body);
        if parts.status.is_client_error() {
            assert_eq!(parts.headers["content-type"], "application/problem+json");
            assert_eq!(body["status"], parts.status.as_u16());
        }
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub async fn call(&mut self, method: &str, path: &str, body: Value) -> Answer {
        self.call_with(method, path, body, &[]).await
    }

    pub async fn call_with(&mut self, method: &str, path: &str, body: Value, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("authorization", format!("Bearer {TOKEN}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = body.clone();
        let body = match body {
            Value::Null => Body::empty(),
            body => {
                request = request.header("content-type", "application/json; charset=utf-8");
                Body::from(body.to_string())
            }
        };
        let answer = self.send(request.body(body).unwrap()).await;
        if answer.status.is_success() && !sent.is_null() && answer.body["valid"] != false {
            described::check_request(method, path, &sent);
        }
        answer
    }

    pub async fn create(&mut self, body: Value) -> Answer {
        self.call("POST", "/v1/posts", body).await
    }
}

impl Accounts for Fake {
    fn list<'a>(&'a self, user: &'a UserId) -> AccountsAnswer<'a, Vec<AccountReport>> {
        Box::pin(async move {
            let world = self.0.lock().unwrap();
            if world.database_down {
                return Err(RowsError::Unavailable("secret of the database".to_owned()));
            }
            assert_eq!(user.as_str(), "default");
            let row = |account| AccountRow {
                account,
                expires_at: Some(NOW + Millis::from_secs(3 * 86_400)),
                has_refresh_token: false,
                scopes: Some(["tweet.read", "tweet.write", "users.read"].map(str::to_owned).to_vec()),
                ended: None,
                waiting_posts: 2,
                tried: None,
            };
            let mut rows = Vec::new();
            if world.connected.is_empty() && !world.disconnected {
                rows.push(row(account()));
            }
            for (number, &platform) in (1..).zip(&world.connected) {
                rows.push(row(Account {
                    id: AccountId(format!("00000000-0000-4000-8000-00000000000{number}")),
                    platform,
                    remote_user_id: Some(number.to_string().as_str().into()),
                    username: Some(format!("ada{number}")),
                }));
            }
            Ok(reports(&rows, NOW))
        })
    }

    /// What only a platform answers is tried on one (`tests/platform_contract`).
    fn trial<'a>(&'a self, _: &'a UserId, _: &'a AccountId, _: &'a Trial) -> AccountsAnswer<'a, Option<Tried>> {
        Box::pin(async { Err(RowsError::Unavailable("secret of the platform".to_owned())) })
    }

    fn disconnect<'a>(&'a self, _: &'a UserId, id: &'a AccountId) -> AccountsAnswer<'a, Option<Revocation>> {
        Box::pin(async move {
            let mut world = self.0.lock().unwrap();
            let is_it = *id == account().id && !world.disconnected;
            world.disconnected |= is_it;
            let message = by_hand(Platform::Instagram).to_owned();
            Ok(is_it.then_some(Revocation::ByHand { message }))
        })
    }
}
