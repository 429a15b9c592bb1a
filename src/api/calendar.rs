//! The calendar: a week of posts with the times that are free, and taking one for a post.

use crate::api::auth::Caller;
use crate::api::body::Json;
use crate::api::listing::Listing;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::settings::{self, Settled, settle_time};
use crate::api::slots::{claim, place, take_next_slot};
use crate::api::week::Week;
use crate::api::{Shared, posts};
use crate::domain::account::Account;
use crate::domain::calendar::{SLOT_LENGTH, free_slots};
use crate::domain::limits;
use crate::domain::order;
use crate::domain::post::Status;
use crate::domain::time::{Millis, Timestamp};
use crate::domain::zone::Zone;
use crate::ports::objects::{Objects, PostRequest};
use crate::store::calendar::{CalendarPost, Whereabouts};
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use serde_json::{Value, json};

/// `GET /v1/calendar`
pub async fn show<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let listing: Listing = Listing::read_with(asked.query(), &["week"], None)?;
    let wanted = listing.filter("week").unwrap_or("current");
    let zone = settings::zone_of_user(&app, &caller.user)
        .await?
        .unwrap_or_else(Zone::utc);
    let (user, now) = (&caller.user, app.clock.now());
    let week = Week::read(wanted, zone.date(now))?;
    let (from, before) = week.bounds(&zone);
    let posts = app.rows.store()?.calendar_posts(user, from, before).await?;
    let accounts = app.accounts.list(user).await?;
    let mut free = Vec::new();
    for account in accounts.iter().map(|report| &report.account) {
        let place = Whereabouts {
            platform: account.platform,
            account: account.id.clone(),
        };
        let busy = app
            .rows
            .store()?
            .times_taken(user, &place, (from, before), None, now)
            .await?;
        let slots = free_slots(account.platform, &zone, (week.monday, 7), now, &busy);
        free.extend(slots.map(|at| (at, account)));
    }
    order::sort_by_key(&mut free, |(at, account)| (*at, account.platform));
    let days: Vec<Value> = week.days().map(|date| day(&zone, date, &posts, &free)).collect();
    let count = |status: &str| posts.iter().filter(|post| post.status == status).count();
    let last = week.days().last().unwrap_or(week.monday);
    Ok(Json(json!({
        "week_start": week.monday.to_string(),
        "week_end": last.to_string(),
        "time_zone": zone.name(),
        "days": days,
        "totals": {
            "scheduled": count("scheduled"),
            "published": count("published"),
            "draft": count("draft"),
            "failed": count("failed"),
            "pending_approval": posts.iter().filter(|post| post.approval_status.as_deref() == Some("submitted")).count(),
        },
    }))
    .into_response())
}

fn day(zone: &Zone, date: NaiveDate, posts: &[CalendarPost], free: &[(Timestamp, &Account)]) -> Value {
    let time = |at: Timestamp| zone.local(at).format("%H:%M").to_string();
    let posts = posts.iter().filter(|post| zone.date(post.at) == date).map(|post| {
        json!({
            "id": post.id,
            "platform": post.platform,
            "account_id": post.account,
            "status": post.status,
            "sub_status": post.sub_status,
            "approval_status": post.approval_status,
            "at": post.at.to_rfc3339(),
            "local_time": time(post.at),
            "text": post.text.chars().take(80).collect::<String>(),
        })
    });
    let free = free
        .iter()
        .filter(|(at, _)| zone.date(*at) == date)
        .map(|(at, account)| {
            json!({
                "platform": account.platform,
                "account_id": account.id,
                "at": at.to_rfc3339(),
                "local_time": time(*at),
            })
        });
    json!({
        "date": date.to_string(),
        "weekday": date.format("%A").to_string().to_lowercase(),
        "posts": posts.collect::<Vec<_>>(),
        "free_slots": free.collect::<Vec<_>>(),
    })
}

/// `PUT /v1/calendar/slots/{id}`: takes a time for a post, and schedules it then.
pub async fn take<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let mut fields = asked.object()?;
    let settled = settle_time(&app, &caller.user, &mut fields).await?;
    let at = fields
        .text("scheduled_at")
        .and_then(|text| Timestamp::parse(&text).ok());
    let now = app.clock.now();
    if at.is_none() && fields.is_sound() {
        fields.refuse(
            "scheduled_at",
            "`scheduled_at` is missing: give a time such as `tomorrow 9:00`, or `next_free_slot`",
        );
    }
    if at.is_some_and(|at| at < now - limits::PAST_TOLERANCE_MS || at > now + limits::AHEAD_MAX_MS) {
        fields.refuse(
            "scheduled_at",
            "`scheduled_at` is over, or more than ten years ahead: give another time",
        );
    }
    let errors = fields.finish();
    let (Some(at), true) = (at, errors.is_empty()) else {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    };
    let before = posts::find_as(&app, &caller.user, &asked.id, &asked.headers).await?;
    let (post, user) = (&before.plan.post_id, &caller.user);
    let account = before.view.account_id.as_ref().or(before.plan.account_id.as_ref());
    let (at, shown) = match settled {
        Settled::Slot(zone) => {
            let at = take_next_slot(&app, user, &zone, (before.plan.platform, account), post).await?;
            (at, Some(zone.echo(at)))
        }
        settled => {
            let place = place(&app, user, before.plan.platform, account).await?;
            let store = app.rows.store()?;
            let around = (at - SLOT_LENGTH + Millis(1), at + SLOT_LENGTH);
            let is_busy = !store
                .times_taken(user, &place, around, Some(post), now)
                .await?
                .is_empty();
            if is_busy || !claim(&app, user, &place, post, at).await? {
                return Err(Problem::new(
                    ProblemKind::Conflict,
                    format!("another post goes out within an hour of {at}: take another time, or `next_free_slot`"),
                )
                .about(post));
            }
            (at, settled.words())
        }
    };
    let request = PostRequest::Amend {
        content: None,
        schedule: Some(Some(at)),
        labels: None,
    };
    let request = posts::guarded(request, &asked.headers, before.version)?;
    let answer = posts::amended(&app, user, post, request, (Vec::new(), shown)).await;
    // What is refused keeps no time from others. A claim that stays behind even so ends by itself.
    if before.view.status != Status::Scheduled && answer.as_ref().is_err_and(Problem::is_refusal) {
        let _ = app.rows.store()?.slot_release(user, post).await;
    }
    answer
}

/// `DELETE /v1/calendar/slots/{id}`: gives a post's time back, and makes the post a draft.
pub async fn give_back<O: Objects, R: Rows>(
    app: Shared<O, R>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, Problem> {
    let before = posts::find_as(&app, &caller.user, &asked.id, &asked.headers).await?;
    let (post, user) = (&before.plan.post_id, &caller.user);
    let store = app.rows.store()?;
    if store.slot_of_post(user, post).await?.is_none() {
        return Err(Problem::new(
            ProblemKind::NotFound,
            "this post has no slot of the calendar: there is nothing to give back",
        )
        .about(post));
    }
    let request = PostRequest::Amend {
        content: None,
        schedule: Some(None),
        labels: None,
    };
    let request = posts::guarded(request, &asked.headers, before.version)?;
    let answer = posts::amended(&app, user, post, request, (Vec::new(), None)).await?;
    store.slot_release(user, post).await?;
    Ok(answer)
}
