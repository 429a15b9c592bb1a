//! Rows of `preference_model`: what worked for a user, or for a hub, whose id then stands in `user_id`. The members are
//! the legacy program's; both programs write them.

use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, param};
use crate::store::row::{Row, millis_of};
use serde_json::{Map, Value};

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

const GET: &str = concat!(
    "select top_formats, top_pillars, best_posting_times, fatigued_topics, locked_settings, killed_idea_patterns, \
     follower_history, ",
    millis_of!("updated_at"),
    " from preference_model where user_id = $1"
);

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
}

/// The statement that adds a count to the followers that the legacy program knows of; the last of a day counts.
#[must_use]
pub fn followers_statement(user: &UserId, followers: u64, now: Timestamp) -> Statement {
    Statement::new(FOLLOWERS, [param(user), param(followers), param(now)])
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
