//! Hubs and who belongs to them. Row-level security decides what is seen and changed; this says why something was not.

use crate::api::auth::Caller;
use crate::api::body::Json;
use crate::api::listing::{Listing, Named};
use crate::api::planned::text_of;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::scopes::Scope;
use crate::api::{App, Shared, audit};
use crate::domain::hub::{self, SLUG_EXPECTED, USER_EXPECTED};
use crate::domain::id::{HubId, PostId, UserId};
use crate::domain::secret::Secret;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::objects::Objects;
use crate::store::joining::{HubRow, NewHub, NewInvite};
use crate::store::teams::{Invite, Member, Role};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// How long the name of a hub may be.
const NAME_MAX: usize = 100;
/// How long an invite is good unless something else is said, as in the legacy program.
const INVITE_HOURS: u64 = 48;
/// How long at most: two weeks.
const INVITE_HOURS_MAX: u64 = 14 * 24;

/// Whether answers at that path hold what is to be given once.
pub fn gives_once(path: &str) -> bool {
    path.starts_with("/v1/hubs/") && path.ends_with("/invites")
}

fn no_hub() -> Problem {
    Problem::new(
        ProblemKind::NotFound,
        "there is no hub with this id, or you do not belong to it: `GET /v1/hubs` lists yours",
    )
}

fn json_of(hub: &HubRow, user: &UserId) -> Value {
    json!({
        "id": hub.id,
        "slug": hub.slug,
        "name": hub.name,
        "user": user,
        "role": hub.role,
        "joined_at": hub.joined_at.to_rfc3339(),
        "members": hub.members,
    })
}

/// `GET /v1/hubs`
pub async fn list<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let listing: Listing<Named> = Listing::read(asked.query(), &[])?;
    let hubs = app.rows.store()?.hub_list(&caller.user).await?;
    Ok(listing.page_of(hubs, |hub| hub.id.to_string(), |hub| json_of(hub, &caller.user)))
}

/// `POST /v1/hubs`: the caller is its first admin. The id follows from who asks and the slug, so asking twice makes one hub,
/// and nobody makes themselves the admin of a hub whose id they know.
pub async fn create<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let mut fields = asked.object()?;
    let slug = fields.text("slug");
    match &slug {
        Some(slug) if !hub::is_slug(slug) => fields.refuse("slug", format!("`slug` is no slug: {SLUG_EXPECTED}")),
        None if !fields.names("slug") => fields.refuse("slug", format!("`slug` is missing: {SLUG_EXPECTED}")),
        _ => {}
    }
    let name = text_of(&mut fields, "name", NAME_MAX);
    let errors = fields.finish();
    let (Some(slug), true) = (slug, errors.is_empty()) else {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    };
    let mut random = [0; 16];
    let digest = Sha256::digest(format!("psn hub {} {slug}", caller.user));
    random.copy_from_slice(&digest[..16]);
    let new = NewHub {
        id: hub::hub_id(random),
        name: name.unwrap_or_else(|| slug.clone()),
        slug,
        admin: caller.user.clone(),
        by_token: caller.token.clone(),
        now: app.clock.now(),
    };
    let store = app.rows.store()?;
    if !store.hub_found(&new).await? {
        return Err(Problem::new(
            ProblemKind::Conflict,
            "you made this hub before and are no admin of it any more: ask one of its admins, or take another slug",
        ));
    }
    let hubs = store.hub_list(&caller.user).await?;
    let made = hubs.iter().find(|hub| hub.id == new.id).ok_or_else(no_hub)?;
    let answer = (StatusCode::CREATED, Json(json_of(made, &caller.user))).into_response();
    // The transaction that founded it has noted so.
    Ok(audit::as_deeds(answer, Vec::new()))
}

fn json_of_member(member: &Member) -> Value {
    json!({
        "user": member.user,
        "role": member.role,
        "name": member.display_name,
        "email": member.email,
        "joined_at": member.joined_at.to_rfc3339(),
        "left_at": member.left_at.map(Timestamp::to_rfc3339),
    })
}

/// The members of a hub, former ones included, for one of them.
async fn members<O, R: Rows>(app: &App<O, R>, caller: &Caller, hub: &HubId) -> Result<Vec<Member>, Problem> {
    let members = app.rows.store()?.member_list(&caller.user, hub).await?;
    // Whoever left still sees their own row.
    let belongs = |member: &Member| member.user == caller.user && member.left_at.is_none();
    match members.iter().any(belongs) {
        true => Ok(members),
        false => Err(no_hub()),
    }
}

fn is_admin(members: &[Member], user: &UserId) -> bool {
    let is_one = |member: &&Member| member.left_at.is_none() && member.role == Role::Admin.name();
    members.iter().filter(is_one).any(|member| member.user == *user)
}

/// Makes sure that the caller is an admin of the hub.
async fn admin<O, R: Rows>(app: &App<O, R>, caller: &Caller, hub: &HubId) -> Result<Vec<Member>, Problem> {
    let members = members(app, caller, hub).await?;
    match is_admin(&members, &caller.user) {
        true => Ok(members),
        false => Err(no_admin()),
    }
}

fn no_admin() -> Problem {
    Problem::new(
        ProblemKind::Forbidden,
        "only admins of this hub may do this: ask one of them",
    )
}

/// `GET /v1/hubs/{id}/members`
pub async fn member_list<O: Objects, R: Rows>(
    app: Shared<O, R>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, Problem> {
    let listing: Listing<Named> = Listing::read(asked.query(), &[])?;
    let members = members(&app, &caller, &HubId(asked.id)).await?;
    Ok(listing.page_of(members, |member| member.user.to_string(), json_of_member))
}

/// The member that a path names.
fn member<'a>(members: &'a [Member], user: &UserId) -> Result<&'a Member, Problem> {
    let found = members
        .iter()
        .find(|member| member.user == *user && member.left_at.is_none());
    found.ok_or_else(|| {
        Problem::new(
            ProblemKind::NotFound,
            "nobody of that name belongs to this hub: `GET /v1/hubs/{id}/members` lists who does",
        )
    })
}

fn last_admin() -> Problem {
    Problem::new(
        ProblemKind::Conflict,
        "this is the only admin of the hub, and a hub keeps one: make somebody else an admin first",
    )
}

/// `PATCH /v1/hubs/{id}/members/{user}`
pub async fn member_amend<O: Objects, R: Rows>(
    app: Shared<O, R>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, Problem> {
    let mut fields = asked.object()?;
    let (hub, user) = (HubId(asked.id), UserId(asked.within));
    let role = fields.text("role");
    let parsed = role.as_deref().and_then(Role::parse);
    if parsed.is_none() && !fields.names("role") {
        fields.refuse("role", "`role` has to be `admin` or `member`");
    }
    let errors = fields.finish();
    let (Some(role), true) = (parsed, errors.is_empty()) else {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    };
    let members = admin(&app, &caller, &hub).await?;
    let before = member(&members, &user)?.clone();
    let changed = app
        .rows
        .store()?
        .member_role(&caller.user, (&hub, &user), role, app.clock.now())
        .await?;
    if !changed {
        return Err(last_admin());
    }
    let role = role.name().to_owned();
    Ok(Json(json_of_member(&Member { role, ..before })).into_response())
}

/// `DELETE /v1/hubs/{id}/members/{user}`: an admin sends somebody away, or somebody leaves. Their tokens end in the same
/// moment, unless they belong to another hub here.
pub async fn member_end<O: Objects, R: Rows>(
    app: Shared<O, R>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, Problem> {
    asked.no_body()?;
    let (hub, user, now) = (HubId(asked.id), UserId(asked.within), app.clock.now());
    if user != caller.user {
        caller.needs(Scope::Admin)?;
    }
    let members = members(&app, &caller, &hub).await?;
    if user != caller.user && !is_admin(&members, &caller.user) {
        return Err(no_admin());
    }
    let before = member(&members, &user)?.clone();
    if !app.rows.store()?.member_leave(&caller.user, (&hub, &user), now).await? {
        return Err(last_admin());
    }
    let (left_at, role) = (Some(now), Role::Member.name().to_owned());
    Ok(Json(json_of_member(&Member {
        left_at,
        role,
        ..before
    }))
    .into_response())
}

fn json_of_invite(invite: &Invite, now: Timestamp) -> Value {
    let state = match (&invite.used_by, invite.used_at) {
        (None, None) if invite.expires_at <= now => "expired",
        (None, None) => "open",
        _ => "used",
    };
    json!({
        "id": invite.id,
        "state": state,
        "user": invite.for_user,
        "created_by": invite.created_by,
        "expires_at": invite.expires_at.to_rfc3339(),
        "used_by": invite.used_by,
        "used_at": invite.used_at.map(Timestamp::to_rfc3339),
    })
}

/// `GET /v1/hubs/{id}/invites`
pub async fn invite_list<O: Objects, R: Rows>(
    app: Shared<O, R>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, Problem> {
    let listing: Listing<Named> = Listing::read(asked.query(), &[])?;
    let hub = HubId(asked.id);
    admin(&app, &caller, &hub).await?;
    let invites = app.rows.store()?.invite_list(&caller.user, &hub).await?;
    let now = app.clock.now();
    Ok(listing.page_of(
        invites,
        |invite| invite.id.clone(),
        |invite| json_of_invite(invite, now),
    ))
}

/// `POST /v1/hubs/{id}/invites`: the code is in this answer only.
pub async fn invite_create<O: Objects, R: Rows>(
    app: Shared<O, R>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, Problem> {
    let mut fields = asked.object()?;
    let (hub, now) = (HubId(asked.id), app.clock.now());
    let user = fields.text("user");
    if user
        .as_ref()
        .is_some_and(|user| hub::is_reserved(user, &app.settings.user_id))
    {
        fields.refuse(
            "user",
            format!("`user` is a name that nobody may take: {USER_EXPECTED}"),
        );
    }
    let hours = match fields.value("hours") {
        None => INVITE_HOURS,
        Some(value) => match value.as_u64().filter(|hours| (1..=INVITE_HOURS_MAX).contains(hours)) {
            Some(hours) => hours,
            None => {
                fields.refuse(
                    "hours",
                    format!("`hours` is no whole number from 1 to {INVITE_HOURS_MAX}"),
                );
                INVITE_HOURS
            }
        },
    };
    let errors = fields.finish();
    if !errors.is_empty() {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    }
    admin(&app, &caller, &hub).await?;
    let code = hub::invite_code(app.entropy.bytes16());
    let new = NewInvite {
        id: PostId::from_random(app.entropy.bytes16()).0,
        hub,
        code: Secret::new(code.as_str()),
        for_user: user.map(UserId),
        expires_at: now + Millis::from_secs(i64::try_from(hours * 3_600).unwrap_or(0)),
        now,
    };
    app.rows.store()?.invite_create(&caller.user, &new).await?;
    let made = json!({
        "id": new.id,
        "state": "open",
        "user": new.for_user,
        "created_by": caller.user,
        "expires_at": new.expires_at.to_rfc3339(),
        "used_by": null,
        "used_at": null,
        "code": code,
        "path": format!("{}#{code}", hub::JOIN_PATH),
    });
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// `DELETE /v1/hubs/{id}/invites/{invite}`
pub async fn invite_withdraw<O: Objects, R: Rows>(
    app: Shared<O, R>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, Problem> {
    asked.no_body()?;
    let hub = HubId(asked.id);
    admin(&app, &caller, &hub).await?;
    let invite = PostId::parse(&asked.within).map(|id| id.0).unwrap_or_default();
    if !app.rows.store()?.invite_withdraw(&caller.user, &hub, &invite).await? {
        return Err(Problem::new(
            ProblemKind::NotFound,
            "there is no open invite with this id: it was used, withdrawn, or never made",
        ));
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
