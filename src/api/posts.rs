//! Making, showing, listing, changing and removing posts.

use crate::api::auth::Caller;
use crate::api::body::Json;
use crate::api::content::is_similar;
use crate::api::listing::{Listing, Place, bad_cursor};
use crate::api::post_json::{PostJson, has_doubt};
use crate::api::problem::{FieldError, Problem, ProblemKind};
use crate::api::request::{self, Amendment, Material, PostRequestBody};
use crate::api::route::Asked;
use crate::api::rows::{Cursor, RowFilter, Rows, RowsError};
use crate::api::scopes::Scope;
use crate::api::settings::{Settled, settle_time};
use crate::api::slots::take_next_slot;
use crate::api::{App, Shared, content, etag, idempotency, labels};
use crate::domain::content::Content;
use crate::domain::hash::whole_hash;
use crate::domain::id::{AccountId, PostId, UserId};
use crate::domain::labels::Labels;
use crate::domain::media::Medium;
use crate::domain::platform::Platform;
use crate::domain::post::Status;
use crate::domain::publish::{Edition, Plan};
use crate::domain::time::Timestamp;
use crate::platforms::{PlannedPost, Rules};
use crate::ports::json;
use crate::ports::objects::{Objects, PostReply, PostRequest, PostSnapshot};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

const STATUSES: [&str; 7] = [
    "draft",
    "scheduled",
    "publishing",
    "published",
    "failed",
    "retry",
    "partially_posted",
];

/// The answer to a creation.
#[derive(Serialize)]
struct Created {
    posts: Vec<PostJson>,
}

/// A page of posts.
#[derive(Serialize)]
struct PostList {
    items: Vec<PostJson>,
    next_cursor: Option<String>,
}

/// `POST /v1/posts`
pub async fn create<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let (user, now) = (&caller.user, app.clock.now());
    let mut fields = asked.object()?;
    let settled = settle_time(&app, &caller.user, &mut fields).await?;
    let (wanted, errors) = request::read(fields, now);
    if !errors.is_empty() {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    }
    if wanted.scheduled_at.is_some() {
        caller.needs(Scope::Publish)?;
    }
    let key = idempotency::key(&asked.headers)?;
    // Every post is planned before the first is made: a text that one platform refuses makes no post at all.
    let media = content::media(&app, &caller.user, &wanted.media).await?;
    let rules = content::rules(&app, user, wanted.account(Platform::X)).await?;
    let planned = plans(&app, user, &wanted, &media, rules, key.as_deref())?;
    content::check_accounts(&app, user, &wanted).await?;
    // Asked for again with its key, the slot is filled by the post of the first time.
    let first = planned.first().map(|(plan, _)| &plan.post_id);
    labels::check(&app, user, &wanted.labels, first).await?;
    let mut posts = Vec::with_capacity(planned.len());
    let mut made: Vec<(Platform, PostId)> = Vec::with_capacity(planned.len());
    for (mut plan, mut warnings) in planned {
        let scheduled_as = match &settled {
            Settled::Slot(zone) => {
                let place = (plan.platform, plan.account_id.as_ref());
                let at = take_next_slot(&app, user, zone, place, &plan.post_id).await;
                let at = at.map_err(|problem| problem.after(&made))?;
                plan.scheduled_at = Some(at);
                Some(zone.echo(at))
            }
            Settled::Words(words) => Some(words.clone()),
            Settled::AsGiven => None,
        };
        let (id, platform) = (plan.post_id.clone(), plan.platform);
        let snapshot = create_one(&app, plan, key.is_some()).await;
        let snapshot = snapshot.map_err(|problem| problem.after(&made))?;
        warnings.extend(snapshot.similar.iter().map(similar_warning));
        posts.push(PostJson::new(&snapshot, warnings).scheduled_as(scheduled_as));
        made.push((platform, id));
    }
    Ok((StatusCode::CREATED, Json(Created { posts })).into_response())
}

async fn create_one<O: Objects, R>(app: &App<O, R>, plan: Plan, has_key: bool) -> Result<PostSnapshot, Problem> {
    let (id, user, hash) = (plan.post_id.clone(), plan.user_id.clone(), plan.hash.clone());
    let (platform, account_id) = (plan.platform, plan.account_id.clone());
    let snapshot = match app.objects.post(&id, PostRequest::Create { plan }).await {
        Ok(PostReply::Account { accounts }) => {
            let message = content::which_account(platform, account_id.as_ref(), &accounts);
            let errors = vec![FieldError::field("account_id", message)];
            return Err(Problem::of(ProblemKind::AccountRequired, errors));
        }
        Ok(reply) => snapshot_of(&user, &id, reply)?,
        Err(_) => return Err(creation_unknown(&id)),
    };
    if has_key && snapshot.plan.hash != hash {
        return Err(Problem::new(
            ProblemKind::KeyReused,
            "this `Idempotency-Key` already made a post with another text: take a new key for a new request",
        )
        .about(&id));
    }
    Ok(snapshot)
}

/// The plans that a request asks for, each with its warnings.
fn plans<O, R>(
    app: &App<O, R>,
    user: &UserId,
    wanted: &PostRequestBody,
    media: &[Vec<Medium>],
    rules: Rules,
    key: Option<&str>,
) -> Result<Vec<(Plan, Vec<String>)>, Problem> {
    let created_at = app.clock.now();
    let group_id = (wanted.platforms.len() > 1).then(|| match key {
        Some(key) => idempotency::group_id(user, key),
        None => PostId::from_random(app.entropy.bytes16()).0,
    });
    let mut plans = Vec::with_capacity(wanted.platforms.len());
    let mut errors: Vec<FieldError> = Vec::new();
    for (index, &platform) in wanted.platforms.iter().enumerate() {
        let Some(content) = &wanted.content else { continue };
        let material = Material {
            content,
            numbering: wanted.numbering,
            media,
            options: &wanted.options,
            rules,
        };
        let (PlannedPost { plan, options }, wrong) = request::plan(&material, platform);
        match wanted.platforms.len() {
            1 => errors.extend(wrong),
            _ => errors.extend(wrong.into_iter().map(|error| error.on(platform))),
        }
        let warnings = plan.warnings;
        let parts: Vec<String> = plan.parts.into_iter().map(|part| part.text).collect();
        let plan = Plan {
            post_id: match key {
                Some(key) => idempotency::post_id(user, key, index),
                None => PostId::from_random(app.entropy.bytes16()),
            },
            user_id: user.clone(),
            platform,
            account_id: wanted.account(platform).cloned(),
            hash: whole_hash(&parts, media, options.as_deref()),
            media: media.to_vec(),
            options,
            parts,
            scheduled_at: wanted.scheduled_at,
            group_id: group_id.clone(),
            labels: wanted.labels.clone(),
            created_at,
        };
        plans.push((plan, warnings));
    }
    if errors.is_empty() {
        return Ok(plans);
    }
    Err(Problem::of(ProblemKind::ContentInvalid, errors))
}

/// `GET /v1/posts/{id}`
pub async fn show<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let snapshot = find(&app, &caller.user, &asked.id).await?;
    answer(&app, &snapshot, Vec::new()).await
}

/// `PATCH /v1/posts/{id}`
pub async fn amend<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let mut fields = asked.object()?;
    let settled = settle_time(&app, &caller.user, &mut fields).await?;
    let (amendment, errors) = request::read_amendment(fields, app.clock.now());
    if !errors.is_empty() {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    }
    let before = find_as(&app, &caller.user, &asked.id, &asked.headers).await?;
    if before.view.status != Status::Draft || matches!(amendment.schedule, Some(Some(_))) {
        caller.needs(Scope::Publish)?;
    }
    let mut warnings = Vec::new();
    let mut content = None;
    if amendment.changes_content() {
        let edition = edition(&app, &caller.user, &before.plan, &amendment, &mut warnings).await?;
        let (id, platform) = (&before.plan.post_id, before.plan.platform);
        warnings.extend(similar_warnings(&app, &caller.user, platform, &edition.parts, Some(id)).await);
        content = Some(edition);
    }
    let changed = amendment.labels.apply(&before.plan.labels);
    let changed = (changed != before.plan.labels).then_some(changed);
    if let Some(changed) = &changed {
        take_labels(&app, &before, changed).await?;
    }
    let id = before.plan.post_id.clone();
    let mut schedule = amendment.schedule;
    let scheduled_as = match settled {
        Settled::Slot(zone) => {
            let account = before.view.account_id.as_ref().or(before.plan.account_id.as_ref());
            let at = take_next_slot(&app, &caller.user, &zone, (before.plan.platform, account), &id).await?;
            schedule = Some(Some(at));
            Some(zone.echo(at))
        }
        settled => settled.words(),
    };
    let takes_slot = changed
        .as_ref()
        .is_some_and(|changed| changed.slot != before.plan.labels.slot);
    let amend = PostRequest::Amend {
        content,
        schedule,
        labels: changed,
    };
    let request = guarded(amend, &asked.headers, before.version)?;
    let answer = amended(&app, &caller.user, &id, request, (warnings, scheduled_as)).await;
    if takes_slot && answer.as_ref().is_err_and(Problem::is_refusal) {
        give_slot_back(&app, &before.plan).await;
    }
    answer
}

/// A post that could not be changed fills the slot that it filled before. What cannot be done now is done when its labels
/// change again.
async fn give_slot_back<O, R: Rows>(app: &App<O, R>, before: &Plan) {
    let slot = before.labels.slot.as_ref();
    if let Ok(store) = app.rows.store() {
        let kept = store.plan_slots_keep(&before.user_id, slot, &before.post_id, app.clock.now());
        let _ = kept.await;
    }
}

/// Asks for a change of a post; 200 with the post, and how the words that named its time were understood.
pub(super) async fn amended<O: Objects, R: Rows>(
    app: &App<O, R>,
    user: &UserId,
    id: &PostId,
    request: PostRequest,
    (warnings, scheduled_as): (Vec<String>, Option<String>),
) -> Result<Response, Problem> {
    let snapshot = ask(app, user, id, request).await?;
    let post = shown(app, &snapshot, warnings).await;
    Ok(etag::tagged(post.scheduled_as(scheduled_as), snapshot.version))
}

/// Makes sure that a post can have other labels, and takes its new slot.
async fn take_labels<O, R: Rows>(app: &App<O, R>, before: &PostSnapshot, changed: &Labels) -> Result<(), Problem> {
    let (id, user, status) = (&before.plan.post_id, &before.plan.user_id, before.view.status);
    labels::check(app, user, changed, Some(id)).await?;
    let Some(slot) = changed
        .slot
        .as_ref()
        .filter(|slot| before.plan.labels.slot.as_ref() != Some(slot))
    else {
        return Ok(());
    };
    let taken = app.rows.take_slot(user, slot, id, status == Status::Draft).await;
    match taken.map_err(|_| Problem::database_away())? {
        true => Ok(()),
        false => Err(Problem::field(
            "slot",
            format!("another post fills slot `{slot}` by now: take another slot"),
        )),
    }
}

/// What a post becomes by a change of that user: what is not named stays as it is.
pub(super) async fn edition<O, R>(
    app: &App<O, R>,
    user: &UserId,
    before: &Plan,
    amendment: &Amendment,
    warnings: &mut Vec<String>,
) -> Result<Edition, Problem> {
    let kept = Content::Parts(before.parts.clone());
    let media = match &amendment.media {
        Some(wanted) => content::media(app, user, wanted).await?,
        None => before.media.clone(),
    };
    let mut options = amendment.options.clone();
    if let Some((other, _)) = options.iter().find(|(platform, _)| *platform != before.platform) {
        let message = format!("`{other}` is given, but the post does not go there: leave it out");
        return Err(Problem::field(other.name(), message));
    }
    let stored = before.options.as_deref().map(json::tree);
    if let (true, Some(Ok(stored))) = (options.is_empty(), stored) {
        options.push((before.platform, stored));
    }
    let material = Material {
        content: amendment.content.as_ref().unwrap_or(&kept),
        numbering: amendment.numbering,
        media: &media,
        options: &options,
        rules: content::rules(app, &before.user_id, before.account_id.as_ref()).await?,
    };
    let (PlannedPost { plan, options }, errors) = request::plan(&material, before.platform);
    if !errors.is_empty() {
        return Err(Problem::of(ProblemKind::ContentInvalid, errors));
    }
    warnings.extend(plan.warnings);
    let parts = plan.parts.into_iter().map(|part| part.text).collect();
    Ok(Edition::new(parts, media, options))
}

/// `DELETE /v1/posts/{id}`
pub async fn remove<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let before = find_as(&app, &caller.user, &asked.id, &asked.headers).await?;
    if before.view.status != Status::Draft {
        caller.needs(Scope::Publish)?;
    }
    let id = before.plan.post_id;
    let remove = guarded(PostRequest::Remove, &asked.headers, before.version)?;
    match app.objects.post(&id, remove).await {
        // The post is gone, by this request or by one beside it.
        Ok(PostReply::Post(_) | PostReply::NotFound) => Ok(StatusCode::NO_CONTENT.into_response()),
        Ok(reply) => Err(problem_of(&id, reply)),
        Err(_) => Err(Problem::object_away().about(&id)),
    }
}

/// `GET /v1/posts`
pub async fn list<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let known = [
        "status",
        "platform",
        "account_id",
        "waiting_for",
        "group_id",
        "scheduled_from",
        "scheduled_before",
    ];
    let listing: Listing<Cursor> = Listing::read(asked.query(), &known)?;
    let limit = usize::try_from(listing.limit).unwrap_or(usize::MAX);
    let rows = app
        .rows
        .list(&caller.user, &filter(&listing)?, listing.after.as_ref(), limit)
        .await;
    let (rows, next) = rows.map_err(|error| match error {
        RowsError::Unavailable(_) => Problem::database_away(),
        RowsError::Cursor => bad_cursor(),
    })?;
    let list = PostList {
        items: rows.into_iter().map(PostJson::from).collect(),
        next_cursor: next.map(|cursor| URL_SAFE_NO_PAD.encode(cursor.0)),
    };
    Ok(Json(list).into_response())
}

impl Place for Cursor {
    fn read(text: &str) -> Option<Self> {
        Some(Self(text.to_owned()))
    }
}

/// Which posts a list is asked for.
fn filter(listing: &Listing<Cursor>) -> Result<RowFilter, Problem> {
    let time = |name: &str| match listing.filter(name).map(Timestamp::parse) {
        None => Ok(None),
        Some(Ok(at)) => Ok(Some(at)),
        Some(Err(error)) => Err(Problem::field(name, error.to_string())),
    };
    Ok(RowFilter {
        statuses: listing.some_of("status", &STATUSES, Status::parse)?,
        platform: listing.platform()?,
        account_id: listing.filter("account_id").map(AccountId::from),
        group_id: listing.filter("group_id").map(str::to_owned),
        scheduled_from: time("scheduled_from")?,
        scheduled_before: time("scheduled_before")?,
        to_review: match listing.filter("waiting_for") {
            None => false,
            Some("review") => true,
            Some(_) => {
                let message = "`waiting_for` takes `review`: posts that you are to review, whoever wrote them";
                return Err(Problem::field("waiting_for", message));
            }
        },
    })
}

/// The caller's post of that id, as its object shows it.
pub(super) async fn find<O: Objects, R>(app: &App<O, R>, user: &UserId, id: &str) -> Result<PostSnapshot, Problem> {
    let id = PostId::parse(id).ok_or_else(Problem::no_post)?;
    ask(app, user, &id, PostRequest::Show).await
}

/// The caller's post of that id, where it has the version that the request wants.
pub(super) async fn find_as<O: Objects, R>(
    app: &App<O, R>,
    user: &UserId,
    id: &str,
    headers: &HeaderMap,
) -> Result<PostSnapshot, Problem> {
    let wanted = etag::wanted(headers)?;
    let found = find(app, user, id).await?;
    match wanted {
        Some(version) if version != found.version.to_string() => Err(changed(&found)),
        _ => Ok(found),
    }
}

/// It is not as the caller saw it any more: what it is now.
pub(super) fn changed(now: &PostSnapshot) -> Problem {
    let what = format!("the post, which is `{}` now,", now.view.status.name());
    etag::changed_meanwhile(&what).about(&now.plan.post_id)
}

/// That request to a post, which is carried out only on that version where the headers want one.
pub(super) fn guarded(request: PostRequest, headers: &HeaderMap, version: u64) -> Result<PostRequest, Problem> {
    Ok(match etag::wanted(headers)? {
        None => request,
        Some(_) => PostRequest::IfUnchanged {
            version,
            request: Box::new(request),
        },
    })
}

/// What a post's object answers, when that is the post.
pub(super) async fn ask<O: Objects, R>(
    app: &App<O, R>,
    user: &UserId,
    id: &PostId,
    request: PostRequest,
) -> Result<PostSnapshot, Problem> {
    match app.objects.post(id, request).await {
        Ok(reply) => snapshot_of(user, id, reply),
        Err(_) => Err(Problem::object_away().about(id)),
    }
}

/// The post of that id, whoever's it is: for those who have to look whether the caller may see it.
pub(super) async fn show_unasked<O: Objects, R>(app: &App<O, R>, id: &PostId) -> Result<PostSnapshot, Problem> {
    match app.objects.post(id, PostRequest::Show).await {
        Ok(PostReply::Post(snapshot)) => Ok(*snapshot),
        Ok(reply) => Err(problem_of(id, reply)),
        Err(_) => Err(Problem::object_away().about(id)),
    }
}

fn snapshot_of(user: &UserId, id: &PostId, reply: PostReply) -> Result<PostSnapshot, Problem> {
    match reply {
        PostReply::Post(snapshot) if snapshot.plan.user_id == *user => Ok(*snapshot),
        // That another user has it is nobody's business.
        PostReply::Post(_) => Err(Problem::no_post()),
        reply => Err(problem_of(id, reply)),
    }
}

/// 200 with the post; parts in doubt are shown with the time since when.
pub(super) async fn answer<O: Objects, R>(
    app: &App<O, R>,
    snapshot: &PostSnapshot,
    warnings: Vec<String>,
) -> Result<Response, Problem> {
    Ok(etag::tagged(shown(app, snapshot, warnings).await, snapshot.version))
}

async fn shown<O: Objects, R>(app: &App<O, R>, snapshot: &PostSnapshot, warnings: Vec<String>) -> PostJson {
    let mut post = PostJson::new(snapshot, warnings);
    if has_doubt(snapshot) {
        let id = &snapshot.plan.post_id;
        if let Ok(PostReply::Events { events, .. }) = app.objects.post(id, PostRequest::Events).await {
            post = post.with_times(&events);
        }
    }
    post
}

/// The problem that a reply other than the post means.
pub(super) fn problem_of(id: &PostId, reply: PostReply) -> Problem {
    match reply {
        PostReply::NotFound => Problem::no_post(),
        PostReply::Conflict { message } => Problem::new(ProblemKind::Conflict, message).about(id),
        PostReply::Changed => etag::changed_meanwhile("the post").about(id),
        PostReply::Unprocessable { field, message } => Problem::field(&field, message).about(id),
        PostReply::CreationUnknown => creation_unknown(id),
        PostReply::Unavailable => Problem::database_away().about(id),
        PostReply::Post(_) | PostReply::Events { .. } | PostReply::Account { .. } => Problem::new(
            ProblemKind::Internal,
            "the post's object gave an answer to another question: try again in a moment",
        ),
    }
}

fn creation_unknown(id: &PostId) -> Problem {
    Problem::new(
        ProblemKind::CreationUnknown,
        format!(
            "whether post `{id}` was created is not known yet: send the request again with the same \
             `Idempotency-Key`, or ask for that post in a minute before making another"
        ),
    )
    .about(id)
}

fn similar_warning(id: &PostId) -> String {
    format!("the text is similar to that of post `{id}` of the last 7 days or still to come")
}

/// Warnings about similar texts. They are a courtesy: without the database there is one that says so, not an error.
pub(super) async fn similar_warnings<O, R: Rows>(
    app: &App<O, R>,
    user: &UserId,
    platform: Platform,
    parts: &[String],
    except: Option<&PostId>,
) -> Vec<String> {
    let text = parts.join("\n\n");
    match app.rows.similar(user, platform).await {
        Ok(others) => others
            .iter()
            .filter(|(id, other)| Some(id) != except && is_similar(&text, other))
            .map(|(id, _)| similar_warning(id))
            .collect(),
        Err(_) => vec!["whether there are similar posts could not be looked up: the database is away".to_owned()],
    }
}
