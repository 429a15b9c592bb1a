//! Taking times of the calendar for posts: no two posts take one.

use crate::api::App;
use crate::api::content::which_account;
use crate::api::problem::{FieldError, Problem, ProblemKind};
use crate::api::rows::Rows;
use crate::domain::account::Account;
use crate::domain::calendar::free_slots;
use crate::domain::id::{AccountId, PostId, UserId};
use crate::domain::platform::Platform;
use crate::domain::time::{Millis, Timestamp};
use crate::domain::zone::Zone;
use crate::store::calendar::Whereabouts;
use crate::store::plans::CalendarSlot;
use chrono::Days;

/// How far ahead a free slot is looked for.
const AHEAD_DAYS: u64 = 60;
/// How long before a slot a post may still take it.
const NOTICE: Millis = Millis::from_secs(300);
/// How many slots are tried while others take them.
const TRIES_MAX: usize = 8;

/// The account whose times are meant: the one asked for, or the only one of the platform.
///
/// # Errors
/// 422 naming those there are; 503 when the database does not answer.
pub async fn place<O, R>(
    app: &App<O, R>,
    user: &UserId,
    platform: Platform,
    asked: Option<&AccountId>,
) -> Result<Whereabouts, Problem> {
    let listed = app.accounts.list(user).await?;
    let of_it = listed.into_iter().map(|report| report.account);
    let of_it: Vec<Account> = of_it.filter(|account| account.platform == platform).collect();
    let account = match (asked, of_it.as_slice()) {
        (Some(asked), all) => all.iter().find(|account| account.id == *asked),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let Some(account) = account else {
        let errors = vec![FieldError::field("account_id", which_account(platform, asked, &of_it))];
        return Err(Problem::of(ProblemKind::AccountRequired, errors));
    };
    Ok(Whereabouts {
        platform,
        account: account.id.clone(),
    })
}

/// Takes the first slot that is free for that post. A post that has one keeps it.
///
/// # Errors
/// 422 where it is not clear whose slot; 409 when none is free; 503 when the database does not answer.
pub async fn take_next_slot<O, R: Rows>(
    app: &App<O, R>,
    user: &UserId,
    zone: &Zone,
    (platform, account): (Platform, Option<&AccountId>),
    post: &PostId,
) -> Result<Timestamp, Problem> {
    let now = app.clock.now();
    let (store, place) = (app.rows.store()?, place(app, user, platform, account).await?);
    // Asked again after a lost answer, it is not given a second one.
    if let Some((of, at)) = store.slot_of_post(user, post).await?
        && of == place
        && at > now
    {
        return Ok(at);
    }
    let today = zone.date(now);
    let until = zone.day_start(today.checked_add_days(Days::new(AHEAD_DAYS)).unwrap_or(today));
    let busy = store.times_taken(user, &place, (now, until), Some(post), now).await?;
    let free: Vec<Timestamp> = free_slots(platform, zone, (today, AHEAD_DAYS), now + NOTICE, &busy)
        .take(TRIES_MAX)
        .collect();
    for at in free {
        if claim(app, user, &place, post, at).await? {
            return Ok(at);
        }
    }
    Err(Problem::new(
        ProblemKind::Conflict,
        format!(
            "no slot of {} is free within {AHEAD_DAYS} days, or others take them just now: give a time, or try again",
            platform.title()
        ),
    ))
}

/// Takes that time for a post; whether it got it.
///
/// # Errors
/// 503 when the database does not answer.
pub async fn claim<O, R: Rows>(
    app: &App<O, R>,
    user: &UserId,
    place: &Whereabouts,
    post: &PostId,
    at: Timestamp,
) -> Result<bool, Problem> {
    let slot = CalendarSlot {
        platform: place.platform,
        account: Some(place.account.clone()),
        at,
        post: post.clone(),
    };
    let store = app.rows.store()?;
    Ok(store.slot_claim(user, &slot, app.clock.now()).await?)
}
