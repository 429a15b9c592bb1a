//! Joining a hub. Open: whoever joins has no token yet, and the invite's code is what lets them in. It is good for one person;
//! what they get is a token of their own, and nothing that opens a database or a sealed value.

use crate::api::body::Json;
use crate::api::page::{Page, Tone};
use crate::api::planned::text_of;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::scopes::Scope;
use crate::api::{App, Shared, auth, body, body_bytes};
use crate::domain::hub::{self, USER_EXPECTED};
use crate::domain::id::{ApiTokenId, UserId};
use crate::domain::limits;
use crate::domain::secret::Secret;
use crate::ports::objects::{IndexReply, IndexRequest, Objects};
use crate::store::joining::{FirstToken, HubRow, Joined, Joining};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Where invites are presented.
pub const PATH: &str = "/v1/join";

/// What the token of a member may do. An admin's may everything.
const MEMBER_SCOPES: [Scope; 3] = [Scope::Read, Scope::Write, Scope::Publish];

const NAME_MAX: usize = 100;
const EMAIL_MAX: usize = 254;

/// `GET /join`: what a browser shows of an invite. The code is behind `#` and does not reach this.
pub async fn page<O, R>(_: Shared<O, R>, _: Asked<Body>) -> Page {
    let [title, text, next] = [
        "You were invited",
        "This address is an invite to a hub of psn. It is good for one person, and a browser cannot take it.",
        "Copy the whole address, with what stands behind #, and run: psn team join 'ADDRESS' --user NAME",
    ]
    .map(str::to_owned);
    Page {
        status: StatusCode::OK,
        tone: Tone::Neutral,
        title,
        text,
        next,
    }
}

/// What a request to join asks for.
struct Wanted {
    code: String,
    user: Option<String>,
    token: Option<String>,
    name: Option<String>,
    email: Option<String>,
}

fn read<O, R>(app: &App<O, R>, headers: &HeaderMap, bytes: &Bytes, is_known: bool) -> Result<Wanted, Problem> {
    let mut fields = body::object(headers, bytes)?;
    let code = fields.text("code");
    match &code {
        Some(code) if !hub::is_invite_code(code) => {
            fields.refuse(
                "code",
                "`code` is no code of an invite: expected its 32 hexadecimal digits",
            );
        }
        None if !fields.names("code") => fields.refuse("code", "`code` is missing: give that of your invite"),
        _ => {}
    }
    let user = fields.text("user");
    match &user {
        Some(_) if is_known => fields.refuse("user", "`user` is known by your token: leave it out"),
        Some(user) if hub::is_reserved(user, &app.settings.user_id) => {
            fields.refuse(
                "user",
                format!("`user` is a name that nobody may take: {USER_EXPECTED}"),
            );
        }
        None if !is_known && !fields.names("user") => {
            fields.refuse(
                "user",
                format!("`user` is missing: give the name you want to go by; {USER_EXPECTED}"),
            );
        }
        _ => {}
    }
    let token = fields.text("token");
    match &token {
        Some(_) if is_known => fields.refuse("token", "`token` is for those who have none: leave it out"),
        Some(token) if !auth::is_of_a_person(token) => fields.refuse(
            "token",
            "`token` is no token: expected `psn_` and 32 random bytes in base64url, or leave it out to be given one",
        ),
        _ => {}
    }
    let name = text_of(&mut fields, "name", NAME_MAX);
    let email = text_of(&mut fields, "email", EMAIL_MAX);
    let errors = fields.finish();
    match code {
        Some(code) if errors.is_empty() => Ok(Wanted {
            code,
            user,
            token,
            name,
            email,
        }),
        _ => Err(Problem::of(ProblemKind::FieldInvalid, errors)),
    }
}

/// `POST /v1/join`: makes whoever holds an invite a member, with a token of their own, which is shown in this answer only. Whoever
/// gives the token that they made themselves may ask again when the answer was lost. Whoever shows a token they have joins
/// with that.
pub async fn join<O: Objects, R: Rows>(app: Shared<O, R>, asked: Asked<Body>) -> Result<Response, Problem> {
    let body = body_bytes(asked.body, limits::BODY_BYTES_MAX).await?;
    let caller = match asked.headers.contains_key(header::AUTHORIZATION) {
        true => Some(auth::identify(&app, &asked.headers).await?),
        false => None,
    };
    let wanted = read(&app, &asked.headers, &body, caller.is_some())?;
    let now = app.clock.now();
    let (user, first) = match &caller {
        Some(caller) => (caller.user.clone(), None),
        None => {
            attempt(&app, &asked.headers).await?;
            let token = wanted.token.unwrap_or_else(|| {
                let mut random = [0; 32];
                app.entropy.fill(&mut random);
                auth::fresh_token(random)
            });
            let first = FirstToken {
                id: ApiTokenId::from_random(app.entropy.bytes16()),
                token: Secret::new(token),
                name: "joined".to_owned(),
                member_scopes: MEMBER_SCOPES.map(|scope| scope.name().to_owned()).to_vec(),
                admin_scopes: Scope::ALL.map(|scope| scope.name().to_owned()).to_vec(),
            };
            (UserId(wanted.user.unwrap_or_default()), Some(first))
        }
    };
    let joining = Joining {
        user: user.clone(),
        code: Secret::new(wanted.code),
        display_name: wanted.name,
        email: wanted.email,
        token: first.clone(),
        now,
    };
    let store = app.rows.store()?;
    let hub = match store.hub_join(&joining).await? {
        Joined::Joined { hub, .. } | Joined::Member(hub) => hub,
        refused => return Err(refusal(&refused)),
    };
    let hubs = store.hub_list(&user).await?;
    let joined = hubs.iter().find(|row| row.id == hub);
    let named = |of: fn(&HubRow) -> Option<&String>| joined.and_then(of);
    let answer = json!({
        "hub": { "id": hub, "slug": named(|row| row.slug.as_ref()), "name": named(|row| row.name.as_ref()) },
        "user": user,
        "role": joined.map(|row| row.role.as_str()),
        "token": first.as_ref().map(|first| first.token.expose()),
    });
    let mut response = (StatusCode::CREATED, Json(answer)).into_response();
    let no_store = header::HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    Ok(response)
}

fn refusal(joined: &Joined) -> Problem {
    let conflict = |sentence: &str| Problem::new(ProblemKind::Conflict, sentence);
    match joined {
        Joined::Used => conflict("this invite was used by somebody: ask for another"),
        Joined::Expired => conflict(
            "this invite is not good any more: its time is over, or whoever made it is no admin now; ask for another",
        ),
        Joined::ForAnother => conflict("this invite is for another name: give the one that it was made for as `user`"),
        Joined::Taken => Problem::field(
            "user",
            "this name belongs to somebody here: take another, or, if it is you, ask an admin for an invite for this name",
        ),
        Joined::TokenInUse => Problem::field("token", "this token is in use: make another"),
        Joined::Joined { .. } | Joined::Member(_) | Joined::Unknown => Problem::new(
            ProblemKind::NotFound,
            "there is no such invite: it was withdrawn, or not copied whole",
        ),
    }
}

/// Counts attempts of those who have no token: a code cannot be guessed, but each try would wake the database.
async fn attempt<O: Objects, R>(app: &App<O, R>, headers: &HeaderMap) -> Result<(), Problem> {
    // Cloudflare sets it, whatever the client sent.
    let from = headers.get("cf-connecting-ip").and_then(|value| value.to_str().ok());
    let from: String = from.unwrap_or("nowhere").chars().take(64).collect();
    match app.objects.index(IndexRequest::JoinAttempt { from }).await {
        Ok(IndexReply::Done) => Ok(()),
        Ok(IndexReply::TooMany { until }) => {
            let seconds = until.since(app.clock.now()).0.max(0) / 1_000 + 1;
            let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
            Err(Problem::too_many("too many invites were tried", seconds))
        }
        Ok(_) | Err(_) => Err(Problem::object_away()),
    }
}
