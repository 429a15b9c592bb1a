//! Rows of `preference_model`: what worked for a user, or for a hub, whose id then stands in `user_id`. The members are
//! the legacy program's; both programs write them.

use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, opt_param, param};
use crate::store::row::{Row, millis_of};
use serde_json::{Map, Value, json};

/// A row of `preference_model`; JSON as it is, empty where there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct PreferenceModel {
    /// `[{format, avgScore}]`.
    pub top_formats: Vec<Value>,
    /// `[{pillar, avgScore}]`.
    pub top_pillars: Vec<Value>,
    /// `[{hour, dayOfWeek, avgScore}]`.
    pub best_posting_times: Vec<Value>,
    /// `[{topic, cooldownUntil, lastScores}]`.
    pub fatigued_topics: Vec<Value>,
    /// `[{field, value, lockedAt}]`: what the owner does not want changed.
    pub locked_settings: Vec<Value>,
    /// `{rejectedPillars, commonReasons, recentKills}`.
    pub killed_idea_patterns: Map<String, Value>,
    /// `[{count, date}]`, oldest first.
    pub follower_history: Vec<Value>,
    /// When it was last written.
    pub updated_at: Timestamp,
}

/// What was learnt; `None` leaves what is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learnt {
    /// `[{format, avgScore}]`.
    pub top_formats: Option<Vec<Value>>,
    /// `[{pillar, avgScore}]`.
    pub top_pillars: Option<Vec<Value>>,
    /// `[{hour, dayOfWeek, avgScore}]`.
    pub best_posting_times: Option<Vec<Value>>,
}

const GET: &str = concat!(
    "select top_formats, top_pillars, best_posting_times, fatigued_topics, locked_settings, killed_idea_patterns, \
     follower_history, ",
    millis_of!("updated_at"),
    " from preference_model where user_id = $1"
);

/// What its owner has locked stays.
const LEARN: &str = "insert into preference_model as m (user_id, top_formats, top_pillars, best_posting_times, created_at, \
      updated_at) values ($1, $2::jsonb, $3::jsonb, $4::jsonb, $5::timestamptz, $5::timestamptz) \
    on conflict (user_id) do update set updated_at = excluded.updated_at, \
      top_formats = case when m.locked_settings @> '[{\"field\": \"top_formats\"}]' then m.top_formats \
        else coalesce(excluded.top_formats, m.top_formats) end, \
      top_pillars = case when m.locked_settings @> '[{\"field\": \"top_pillars\"}]' then m.top_pillars \
        else coalesce(excluded.top_pillars, m.top_pillars) end, \
      best_posting_times = case when m.locked_settings @> '[{\"field\": \"best_posting_times\"}]' then m.best_posting_times \
        else coalesce(excluded.best_posting_times, m.best_posting_times) end";

/// One count a day, the newest 400 (the legacy program's list grows for ever). `$1` whose, `$2` count, `$3` now.
const FOLLOWERS: &str = "insert into preference_model as m (user_id, follower_history, created_at, updated_at) \
    values ($1, jsonb_build_array(jsonb_build_object('count', $2::bigint, 'date', $3::text)), $3::timestamptz, $3::timestamptz) \
    on conflict (user_id) do update set updated_at = excluded.updated_at, follower_history = \
      (select coalesce(jsonb_agg(kept.point order by kept.place), '[]'::jsonb) from \
        (select point, place from jsonb_array_elements( \
            case when jsonb_typeof(m.follower_history) = 'array' then m.follower_history else '[]'::jsonb end) \
          with ordinality as h (point, place) where left(point ->> 'date', 10) is distinct from left($3::text, 10) \
          order by place desc limit 399) kept) || excluded.follower_history";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// What worked for the user, or for a hub they belong to.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn preference_get(&self, user: &UserId, whose: &str) -> Result<Option<PreferenceModel>, StoreError> {
        let get = Statement::new(GET, [param(whose)]);
        let rows = self.read_one(Who::User(user.clone()), get).await?;
        rows.first().map(read_model).transpose()
    }

    /// Writes what was learnt from counts, but nothing that its owner has locked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn preference_learn(
        &self,
        user: &UserId,
        whose: &str,
        learnt: &Learnt,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let list = |list: &Option<Vec<Value>>| opt_param(list.as_ref().map(|list| json!(list)));
        let params = [
            param(whose),
            list(&learnt.top_formats),
            list(&learnt.top_pillars),
            list(&learnt.best_posting_times),
            param(now),
        ];
        let learn = Statement::new(LEARN, params);
        self.write_one(Who::User(user.clone()), learn).await.map(|_| ())
    }

    /// Adds a count to the followers that the legacy program knows of; the last of a day counts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn preference_followers(&self, user: &UserId, followers: u64, now: Timestamp) -> Result<(), StoreError> {
        let params = [param(user), param(followers.min(i64::MAX as u64)), param(now)];
        let note = Statement::new(FOLLOWERS, params);
        self.write_one(Who::User(user.clone()), note).await.map(|_| ())
    }
}

fn read_model(row: Row<'_>) -> Result<PreferenceModel, StoreError> {
    let list = |column| {
        Ok::<_, StoreError>(match row.json(column)? {
            Value::Array(members) => members,
            _ => Vec::new(),
        })
    };
    Ok(PreferenceModel {
        top_formats: list("top_formats")?,
        top_pillars: list("top_pillars")?,
        best_posting_times: list("best_posting_times")?,
        fatigued_topics: list("fatigued_topics")?,
        locked_settings: list("locked_settings")?,
        killed_idea_patterns: row.object("killed_idea_patterns")?,
        follower_history: list("follower_history")?,
        updated_at: row.instant("updated_at")?,
    })
}
