//! Weekly plans and the calendar's slots.
//!
//! The legacy table allows several rows for a week and its program inserts one at each save; the newest counts here, and
//! saving again replaces it. Weeks begin at midnight of the user's zone, those of the legacy program at that of UTC: what
//! begins within a day of the other is the same week.

use crate::domain::id::{AccountId, PostId, UserId, WeekPlanId};
use crate::domain::platform::Platform;
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::json;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::calendar::live_slot;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, opt_param, param};
use crate::store::row::{Row, millis_of};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A slot of a weekly plan, in the legacy program's shape; members it does not name are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanSlot {
    /// The day, as its writer names it.
    pub day: String,
    /// Where it appears.
    pub platform: String,
    /// What about.
    #[serde(default)]
    pub topic: String,
    /// In which format.
    #[serde(default)]
    pub format: String,
    /// The pillar it belongs to.
    #[serde(default)]
    pub pillar: String,
    /// In which language.
    #[serde(default)]
    pub language: String,
    /// The series it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series_id: Option<String>,
    /// Its number there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series_episode: Option<u32>,
    /// The idea it is made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idea_id: Option<String>,
    /// The post that fills it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_id: Option<String>,
    /// `outlined`, `drafted`, `approved`, `scheduled`, `published` or `skipped`.
    pub status: String,
    /// Every other member.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A row of `weekly_plans`.
#[derive(Clone, Debug, PartialEq)]
pub struct WeekPlan {
    /// The plan.
    pub id: WeekPlanId,
    /// When the week begins.
    pub week_start: Timestamp,
    /// When it ends.
    pub week_end: Timestamp,
    /// The slots; what cannot be read as one is left out.
    pub slots: Vec<PlanSlot>,
    /// How many there are.
    pub total_slots: u32,
    /// How many of them are published.
    pub completed_slots: u32,
    /// Tells whether the row has changed.
    pub version: String,
}

/// A plan to be saved.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanSave {
    /// Whose it is.
    pub user: UserId,
    /// When the week begins.
    pub week_start: Timestamp,
    /// When it ends.
    pub week_end: Timestamp,
    /// The slots.
    pub slots: Vec<PlanSlot>,
    /// The version that the plan has to have still; `None` takes the place of any.
    pub expected: Option<String>,
    /// The caller's now.
    pub now: Timestamp,
}

/// A time of the calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarSlot {
    /// Where.
    pub platform: Platform,
    /// With which account; `None` where the post has none yet.
    pub account: Option<AccountId>,
    /// When.
    pub at: Timestamp,
    /// The post that takes it.
    pub post: PostId,
}

const LOCK: &str =
    "select pg_advisory_xact_lock(hashtextextended(jsonb_build_array('psn week', $1::text, $2::text)::text, 0))";

const GET: &str = concat!(
    "select id, slots, total_slots, completed_slots, updated_at::text as version, ",
    millis_of!("week_start"),
    ", ",
    millis_of!("week_end"),
    " from weekly_plans where user_id = $1 and week_start between $2::timestamptz - interval '26 hours' and $2::timestamptz + interval '26 hours' order by weekly_plans.created_at desc, id desc limit 1"
);

/// `$1` user, `$2` start, `$3` end, `$4` slots, `$5` how many, `$6` how many are done, `$7` now, `$8` the version it has to have.
const SAVE: &str = "with newest as (select id, updated_at from weekly_plans where user_id = $1 and week_start between $2::timestamptz - interval '26 hours' and $2::timestamptz + interval '26 hours' \
      order by created_at desc, id desc limit 1), \
    replaced as (update weekly_plans p set week_start = $2::timestamptz, week_end = $3::timestamptz, slots = $4::jsonb, total_slots = $5::int, \
      completed_slots = $6::int, updated_at = $7::timestamptz from newest where p.id = newest.id \
      and ($8::text is null or newest.updated_at::text = $8) returning p.id), \
    made as (
insert into weekly_plans (user_id, week_start, week_end, slots, total_slots, completed_slots, created_at, updated_at) \
    select $1, $2::timestamptz, $3::timestamptz, $4::jsonb, $5::int, $6::int, $7::timestamptz, $7::timestamptz \
    where not exists (select from newest) and $8::text is null returning id) \
    select id from replaced union all select id from made";

/// Writes where the plan's slot names the post. `$1` user, `$2` post, `$3` status, `$4` now.
const SLOT_OF_POST: &str = "with changed as (select p.id, jsonb_agg(case when s.slot ->> 'postId' = $2 \
        then s.slot || jsonb_build_object('status', $3::text) else s.slot end order by s.place) as slots \
      from weekly_plans p, jsonb_array_elements(case when jsonb_typeof(p.slots) = 'array' then p.slots else '[]'::jsonb end) \
        with ordinality as s (slot, place) \
      where p.user_id = $1 and p.week_start > $4::timestamptz - interval '60 days' \
        and p.slots @> jsonb_build_array(jsonb_build_object('postId', $2::text)) group by p.id) \
    update weekly_plans p set slots = changed.slots, updated_at = $4::timestamptz, completed_slots = \
      (select count(*) from jsonb_array_elements(changed.slots) e where e ->> 'status' = 'published') \
    from changed where p.id = changed.id returning p.id";

/// Clears a slot that nobody holds any more: its post is a draft again, failed, gone, or goes out at another time.
const CLEAR: &str = concat!(
    "delete from psn_slots s where s.user_id = $1 and s.platform = $2 and s.account_id = $3 \
     and s.slot_at = $4::timestamptz and s.post_id <> $5::uuid and not ",
    live_slot!("$6")
);

/// A post moves by taking another slot; it keeps the one it has where the other is taken.
const CLAIM: &str = "with free as (select not exists (select from psn_slots where user_id = $1 and platform = $2 \
        and account_id = $3 and slot_at = $4::timestamptz and post_id <> $5::uuid) as is_free) \
    insert into psn_slots (user_id, platform, account_id, slot_at, post_id, claimed_at) \
      select $1, $2, $3, $4::timestamptz, $5::uuid, $6::timestamptz from free where is_free \
    on conflict on constraint psn_slots_one_per_post do update set platform = excluded.platform, \
      account_id = excluded.account_id, slot_at = excluded.slot_at, claimed_at = excluded.claimed_at returning post_id";

const RELEASE: &str = "delete from psn_slots where user_id = $1 and post_id = $2::uuid returning post_id";

const TAKEN: &str = concat!(
    "select platform, account_id, post_id, ",
    millis_of!("slot_at"),
    " from psn_slots where user_id = $1 and slot_at >= $2::timestamptz and slot_at < $3::timestamptz \
     order by psn_slots.slot_at, platform, account_id limit 1000"
);

/// The statement that tells a post's slot how the post is, for the transaction that closes the post.
#[must_use]
pub fn slot_statement(user: &UserId, post: &PostId, status: &str, now: Timestamp) -> Statement {
    Statement::new(SLOT_OF_POST, [param(user), param(post), param(status), param(now)])
}

/// Gives the time back that a post had before it was given another, or none: what was taken after that stays. `$1` user,
/// `$2` post, `$3` its time now, `$4` when it got that.
const LEFT: &str = "delete from psn_slots where user_id = $1 and post_id = $2::uuid and slot_at is distinct from $3::timestamptz \
    and claimed_at <= $4::timestamptz";

/// The statement that gives back the time of the calendar that a post does not go out at any more.
#[must_use]
pub fn left_statement(user: &UserId, post: &PostId, at: Option<Timestamp>, since: Timestamp) -> Statement {
    Statement::new(LEFT, [param(user), param(post), opt_param(at), param(since)])
}

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Saves the plan of a week, in place of the one there was. Writers of one week wait for each other. `None` where it has
    /// another version than the one that is expected.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn plan_save(&self, plan: &PlanSave) -> Result<Option<WeekPlan>, StoreError> {
        let week = [param(&plan.user), param(plan.week_start)];
        let done = plan.slots.iter().filter(|slot| slot.status == "published").count();
        let mut params = week.to_vec();
        params.extend([
            param(plan.week_end),
            param(json!(plan.slots)),
            param(plan.slots.len()),
            param(done),
            param(plan.now),
            plan.expected.clone(),
        ]);
        let batch = [
            Statement::new(LOCK, week.clone()),
            Statement::new(SAVE, params),
            Statement::new(GET, week),
        ];
        let results = self.write(Who::User(plan.user.clone()), &batch).await?;
        let [_, saved, rows] = results.as_slice() else {
            return Err(StoreError::malformed("three results were expected"));
        };
        // Asked again after a lost answer, it is what was saved the first time.
        let is_ours = |saved: &WeekPlan| saved.slots == plan.slots;
        match rows.first().map(read_plan).transpose()? {
            Some(found) if !saved.is_empty() || is_ours(&found) => Ok(Some(found)),
            _ => Ok(None),
        }
    }

    /// The plan of the week that begins then.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn plan_get(&self, user: &UserId, week_start: Timestamp) -> Result<Option<WeekPlan>, StoreError> {
        let get = Statement::new(GET, [param(user), param(week_start)]);
        let rows = self.read_one(Who::User(user.clone()), get).await?;
        rows.first().map(read_plan).transpose()
    }

    /// Notes in the plans of the last weeks how a post is; whether one of them names it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn plan_slot_status(
        &self,
        user: &UserId,
        post: &PostId,
        status: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let statement = slot_statement(user, post, status, now);
        Ok(!self.write_one(Who::User(user.clone()), statement).await?.is_empty())
    }

    /// Takes a time of the calendar for a post, in place of the one it had; `false` where another post has it. Of two
    /// that ask at once, one gets it. A claim counts for ten minutes, and then for as long as the post's row names that
    /// time: whoever claims schedules the post at once.
    ///
    /// # Errors
    /// [`StoreError`]; asking again is always right.
    pub async fn slot_claim(&self, user: &UserId, slot: &CalendarSlot, now: Timestamp) -> Result<bool, StoreError> {
        let params = [
            param(user),
            param(slot.platform),
            param(slot.account.as_ref().map_or("", AccountId::as_str)),
            param(slot.at),
            param(&slot.post),
            param(now),
        ];
        let batch = [Statement::new(CLEAR, params.clone()), Statement::new(CLAIM, params)];
        match self.write(Who::User(user.clone()), &batch).await {
            Ok(results) => Ok(results.last().is_some_and(|rows| !rows.is_empty())),
            Err(error) if error.is_violation_of("psn_slots_pkey") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives a post's time back; whether it had one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn slot_release(&self, user: &UserId, post: &PostId) -> Result<bool, StoreError> {
        let release = Statement::new(RELEASE, [param(user), param(post)]);
        Ok(!self.write_one(Who::User(user.clone()), release).await?.is_empty())
    }

    /// The times of a user that are taken, from the first on and before the second, at most 1,000.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn slots_taken(
        &self,
        user: &UserId,
        from: Timestamp,
        before: Timestamp,
    ) -> Result<Vec<CalendarSlot>, StoreError> {
        let taken = Statement::new(TAKEN, [param(user), param(from), param(before)]);
        let rows = self.read_one(Who::User(user.clone()), taken).await?;
        rows.map(|row| {
            let platform = Platform::parse(row.text("platform")?);
            Ok(CalendarSlot {
                platform: platform.ok_or_else(|| StoreError::malformed("column `platform` names no known platform"))?,
                account: Some(row.text("account_id")?)
                    .filter(|id| !id.is_empty())
                    .map(AccountId::from),
                at: row.instant("slot_at")?,
                post: PostId::from(row.text("post_id")?),
            })
        })
    }
}

fn read_plan(row: Row<'_>) -> Result<WeekPlan, StoreError> {
    let slots = row.json("slots")?;
    let slots = slots.as_array().into_iter().flatten();
    Ok(WeekPlan {
        id: WeekPlanId::from(row.text("id")?),
        week_start: row.instant("week_start")?,
        week_end: row.instant("week_end")?,
        slots: slots.filter_map(|slot| json::of_tree(slot.clone()).ok()).collect(),
        total_slots: row.count("total_slots")?,
        completed_slots: row.count("completed_slots")?,
        version: row.string("version")?,
    })
}
