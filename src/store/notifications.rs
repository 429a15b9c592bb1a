//! How users want to be told (`notification_preferences`) and what they were told (`notification_log`).

use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::cursor::{Cursor, Page, page_statement, read_page};
use crate::store::deliveries::{self, DeadLetter};
use crate::store::destinations::{self, Destination};
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, param};
use crate::store::row::Row;
use crate::store::settings;
use serde_json::{Map, Value};

/// A row of `notification_preferences`, with the legacy program's names and defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationPreferences {
    /// The WhatsApp provider: `waha` or `twilio`.
    pub provider: String,
    /// Whether urgent notices are sent at once.
    pub push_enabled: bool,
    /// Whether digests are sent.
    pub digest_enabled: bool,
    /// `daily`, `twice_daily` or `weekly`.
    pub digest_frequency: String,
    /// When, `HH:MM` in the user's zone.
    pub digest_time: String,
    /// From when on nobody is to be disturbed, `HH:MM` in the user's zone.
    pub quiet_hours_start: Option<String>,
    /// Until when.
    pub quiet_hours_end: Option<String>,
    /// Urgent notices a day at most.
    pub max_push_per_day: u32,
    /// The user's zone by its IANA name.
    pub timezone: String,
}

impl Default for NotificationPreferences {
    fn default() -> Self {
        Self {
            provider: "waha".to_owned(),
            push_enabled: true,
            digest_enabled: true,
            digest_frequency: "daily".to_owned(),
            digest_time: "08:00".to_owned(),
            quiet_hours_start: None,
            quiet_hours_end: None,
            max_push_per_day: 3,
            timezone: "UTC".to_owned(),
        }
    }
}

/// How a user is told things.
#[derive(Clone, Debug, PartialEq)]
pub struct Overview {
    /// How they want to be told; the defaults where they have not said.
    pub preferences: NotificationPreferences,
    /// Where, oldest first.
    pub destinations: Vec<Destination>,
    /// The last messages that could not be delivered, newest first.
    pub undelivered: Vec<DeadLetter>,
    /// How many notices wait for a digest; no more than 1,000 are counted.
    pub waiting: u32,
    /// Whether they have posts at all.
    pub has_posts: bool,
    /// The zone they live in, where they have said so.
    pub time_zone: Option<String>,
}

impl Overview {
    /// Whether something can happen that nobody would hear of: what a health check calls an error.
    #[must_use]
    pub fn nobody_to_tell(&self) -> bool {
        self.has_posts && !self.destinations.iter().any(|destination| destination.enabled)
    }
}

/// So many undelivered messages are shown.
const UNDELIVERED_MAX: u32 = 10;

/// What a user was told lately: what the dispatcher has to know before it disturbs them again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldLately {
    /// Urgent notices since the time that was asked for.
    pub pushes: u32,
    /// When the last of all urgent notices was sent.
    pub last_push_at: Option<Timestamp>,
    /// When the user was last told of that subject.
    pub last_of_key_at: Option<Timestamp>,
}

/// A message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The row.
    pub id: String,
    /// What happened.
    pub event_type: String,
    /// How urgent it was.
    pub tier: String,
    /// The kind of service.
    pub provider: String,
    /// What its owner calls the destination.
    pub recipient: String,
    /// `sent`, or what the legacy program wrote.
    pub status: String,
    /// Why it was not, where the legacy program says so.
    pub error: Option<String>,
    /// When.
    pub sent_at: Option<Timestamp>,
}

/// The columns of [`NotificationPreferences`], with whose they are.
macro_rules! preference_columns {
    () => {
        "user_id, provider, push_enabled, digest_enabled, digest_frequency, digest_time, quiet_hours_start, \
         quiet_hours_end, max_push_per_day, timezone"
    };
}
pub(crate) use preference_columns;

const GET: &str = concat!(
    "select ",
    preference_columns!(),
    " from notification_preferences where user_id = $1"
);

const PUT: &str = "insert into notification_preferences (user_id, provider, push_enabled, digest_enabled, digest_frequency, \
      digest_time, quiet_hours_start, quiet_hours_end, max_push_per_day, timezone, created_at, updated_at) \
    values ($1, $2, $3::int, $4::int, $5, $6, $7, $8, $9::int, $10, $11::timestamptz, $11::timestamptz) \
    on conflict (user_id) do update set provider = excluded.provider, push_enabled = excluded.push_enabled, \
      digest_enabled = excluded.digest_enabled, digest_frequency = excluded.digest_frequency, \
      digest_time = excluded.digest_time, quiet_hours_start = excluded.quiet_hours_start, \
      quiet_hours_end = excluded.quiet_hours_end, max_push_per_day = excluded.max_push_per_day, \
      timezone = excluded.timezone, updated_at = excluded.updated_at";

/// A row with what counts where nobody said anything, in the zone that the user set.
const BEGIN: &str = "insert into notification_preferences (user_id, timezone, created_at, updated_at) \
    values ($1, coalesce((select value #>> '{}' from psn_settings where user_id = $1 and scope = '' and name = 'time_zone'), 'UTC'), \
      $2::timestamptz, $2::timestamptz) on conflict (user_id) do nothing";

/// What is not named stays. `$2` holds columns and their values, numbers as the legacy program writes them.
const AMEND: &str = concat!(
    "update notification_preferences set updated_at = $3::timestamptz, \
       push_enabled = coalesce(($2::jsonb ->> 'push_enabled')::int, push_enabled), \
       max_push_per_day = coalesce(($2::jsonb ->> 'max_push_per_day')::int, max_push_per_day), \
       digest_enabled = coalesce(($2::jsonb ->> 'digest_enabled')::int, digest_enabled), \
       digest_frequency = coalesce($2::jsonb ->> 'digest_frequency', digest_frequency), \
       digest_time = coalesce($2::jsonb ->> 'digest_time', digest_time), \
       quiet_hours_start = case when $2::jsonb ? 'quiet_hours_start' then $2::jsonb ->> 'quiet_hours_start' else quiet_hours_start end, \
       quiet_hours_end = case when $2::jsonb ? 'quiet_hours_end' then $2::jsonb ->> 'quiet_hours_end' else quiet_hours_end end \
     where user_id = $1 returning ",
    preference_columns!()
);

/// Whether there is anything to hear of, and how much waits for a digest.
const OVERVIEW: &str = "select exists (select from posts where user_id = $1) as has_posts, \
    (select count(*) from (select from psn_outbox where user_id = $1 and state = 'digest' and digest_id is null limit 1000) w) as waiting";

const LOG_COLUMNS: &str = "t.id, t.event_type, t.tier, t.provider, t.recipient, t.status, t.error, \
    floor(extract(epoch from t.sent_at) * 1000)::bigint as sent_at";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// How a user wants to be told; `None` where they have not said.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn notification_preferences(&self, user: &UserId) -> Result<Option<NotificationPreferences>, StoreError> {
        let get = Statement::new(GET, [param(user)]);
        let rows = self.read_one(Who::User(user.clone()), get).await?;
        rows.first().map(read_preferences).transpose()
    }

    /// Writes how a user wants to be told.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn notification_preferences_put(
        &self,
        user: &UserId,
        new: &NotificationPreferences,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let params = [
            param(user),
            param(&new.provider),
            param(i32::from(new.push_enabled)),
            param(i32::from(new.digest_enabled)),
            param(&new.digest_frequency),
            param(&new.digest_time),
            new.quiet_hours_start.clone(),
            new.quiet_hours_end.clone(),
            param(new.max_push_per_day),
            param(&new.timezone),
            param(now),
        ];
        let put = Statement::new(PUT, params);
        self.write_one(Who::User(user.clone()), put).await.map(|_| ())
    }

    /// Changes how a user wants to be told: `changes` holds names and values of columns, and what it does not name stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn notification_preferences_amend(
        &self,
        user: &UserId,
        changes: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<NotificationPreferences, StoreError> {
        let batch = [
            Statement::new(BEGIN, [param(user), param(now)]),
            Statement::new(AMEND, [param(user), param(Value::Object(changes.clone())), param(now)]),
        ];
        let results = self.write(Who::User(user.clone()), &batch).await?;
        let amended = results
            .last()
            .ok_or_else(|| StoreError::malformed("a result was expected"))?;
        read_preferences(amended.one()?)
    }

    /// How a user is told things: their wishes, where to, and what is waiting or could not be delivered. One request.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn notification_overview(&self, user: &UserId) -> Result<Overview, StoreError> {
        let batch = [
            Statement::new(GET, [param(user)]),
            destinations::list_statement(user),
            deliveries::dead_statement(user, None, UNDELIVERED_MAX),
            Statement::new(OVERVIEW, [param(user)]),
            settings::zone_statement(user),
        ];
        let results = self.read(Who::User(user.clone()), &batch).await?;
        let [preferences, destinations, dead, counts, zone] = results.as_slice() else {
            return Err(StoreError::malformed("five results were expected"));
        };
        let counts = counts.one()?;
        Ok(Overview {
            preferences: preferences
                .first()
                .map(read_preferences)
                .transpose()?
                .unwrap_or_default(),
            destinations: destinations.map(destinations::read)?,
            undelivered: read_page(Some(dead), deliveries::read_dead)?.items,
            waiting: counts.count("waiting")?,
            has_posts: counts.bool("has_posts")?,
            time_zone: zone.one()?.opt_string("time_zone")?,
        })
    }

    /// What a user was told, by either program, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn notification_log(
        &self,
        user: &UserId,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<LogEntry>, StoreError> {
        let list = page_statement(
            (LOG_COLUMNS, "notification_log", "t.user_id = $4"),
            after,
            limit,
            [param(user)],
        );
        let rows = self.read_one(Who::User(user.clone()), list).await?;
        read_page(Some(&rows), read_log)
    }
}

fn read_log(row: Row<'_>) -> Result<LogEntry, StoreError> {
    Ok(LogEntry {
        id: row.string("id")?,
        event_type: row.string("event_type")?,
        tier: row.string("tier")?,
        provider: row.string("provider")?,
        recipient: row.string("recipient")?,
        status: row.string("status")?,
        error: row.opt_string("error")?,
        sent_at: row.opt_instant("sent_at")?,
    })
}

pub(crate) fn read_preferences(row: Row<'_>) -> Result<NotificationPreferences, StoreError> {
    Ok(NotificationPreferences {
        provider: row.string("provider")?,
        push_enabled: row.i64("push_enabled")? != 0,
        digest_enabled: row.i64("digest_enabled")? != 0,
        digest_frequency: row.string("digest_frequency")?,
        digest_time: row.string("digest_time")?,
        quiet_hours_start: row.opt_string("quiet_hours_start")?,
        quiet_hours_end: row.opt_string("quiet_hours_end")?,
        max_push_per_day: row.count("max_push_per_day")?,
        timezone: row.string("timezone")?,
    })
}
