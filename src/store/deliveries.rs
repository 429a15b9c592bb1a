//! Messages on their way (`psn_deliveries`): one notice to one destination, tried until it is sent or dead.

use crate::domain::id::{DeliveryId, DestinationId, UserId};
use crate::domain::secret::Secret;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::cursor::{Cursor, Page, page_statement, read_page};
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, opt_param, param};
use crate::store::outbox::{Notice, notice_columns, read_notice};
use crate::store::row::Row;

/// A message to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The delivery.
    pub id: DeliveryId,
    /// What is told, and to whom.
    pub notice: Notice,
    /// Where.
    pub destination: DestinationId,
    /// The kind of service there.
    pub kind: String,
    /// Its sealed address and secrets.
    pub sealed: Secret,
    /// Tries so far, this one included.
    pub attempts: u32,
    /// The name of the zone that the user lives in, where they have said.
    pub zone: Option<String>,
}

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryEnd {
    /// It was taken.
    Sent {
        /// What the service calls it.
        message_id: Option<String>,
    },
    /// It was not, and is tried again.
    Retry {
        /// Why, in words without secrets.
        error: String,
        /// When.
        at: Timestamp,
    },
    /// It was not, and never will be.
    Dead {
        /// Why, in words without secrets.
        error: String,
    },
}

/// What there is to send.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NextDelivery {
    /// The next message, if one is due.
    pub delivery: Option<Delivery>,
    /// Messages given up because nobody saw how their try ended.
    pub given_up: usize,
    /// When there is something to do in the outbox or with deliveries, if anything is left.
    pub next_at: Option<Timestamp>,
}

/// A message that could not be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The delivery.
    pub id: DeliveryId,
    /// Where it was to go.
    pub destination: DestinationId,
    /// What happened that was to be told.
    pub event_type: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was given up.
    pub finished_at: Option<Timestamp>,
}

/// Messages whose try nobody saw the end of, and whose service would not recognise them: they may have arrived. `$1` token,
/// `$2` now, `$3` the kinds that do recognise them.
const GIVE_UP: &str = "update psn_deliveries d set status = 'dead', claim_token = null, claimed_until = null, \
      finished_at = $2::timestamptz, \
      last_error = 'the worker stopped while it was sent; it may have arrived, so it is not sent again by itself' \
    where d.status = 'pending' and d.claim_token <> $1 and d.claimed_until <= $2::timestamptz \
      and (select x.kind from psn_destinations x where x.id = d.destination_id) \
        not in (select jsonb_array_elements_text($3::jsonb)) returning d.id";

/// When there is something to do in the outbox or with deliveries.
const NEXT_AT: &str = "select floor(extract(epoch from least( \
      (select min(greatest(o.not_before, o.claimed_until)) from psn_outbox o where o.state = 'pending'), \
      (select min(greatest(d.next_at, d.claimed_until)) from psn_deliveries d where d.status = 'pending' \
        and (select x.enabled from psn_destinations x where x.id = d.destination_id)))) * 1000)::bigint as next_at";

/// `$1` token, `$2` now, `$3` until, `$4` how many. A token that has claimed already gets the same again.
const CLAIM: &str = concat!(
    "with had as (select id from psn_deliveries where status = 'pending' and claim_token = $1), \
    free as (select d.id from psn_deliveries d where d.status = 'pending' and d.next_at <= $2::timestamptz \
        and (d.claimed_until is null or d.claimed_until <= $2::timestamptz) and not exists (select from had) \
        and (select x.enabled from psn_destinations x where x.id = d.destination_id) \
      order by d.next_at, d.id limit $4::int for update skip locked), \
    again as (update psn_deliveries d set claimed_until = $3::timestamptz from had where d.id = had.id returning d.*), \
    anew as (update psn_deliveries d set claim_token = $1, claimed_until = $3::timestamptz, attempts = attempts + 1 \
      from free where d.id = free.id returning d.*), \
    taken as (select * from again union all select * from anew) \
    select taken.id as delivery_id, taken.destination_id, taken.attempts, x.kind, x.sealed, \
      coalesce((select s.value #>> '{}' from psn_settings s where s.user_id = taken.user_id and s.scope = '' \
          and s.name = 'time_zone'), \
        (select timezone from notification_preferences p where p.user_id = taken.user_id limit 1)) as zone, ",
    notice_columns!("o"),
    " from taken join psn_outbox o on o.id = taken.outbox_id, \
     lateral (select kind, sealed from psn_destinations where id = taken.destination_id limit 1) x \
     order by taken.next_at, taken.id"
);

/// `$1` delivery, `$2` token, `$3` now, `$4` status, `$5` next time, `$6` message, `$7` error. What was sent stands in the
/// legacy program's log too, which counts how often a user was told.
const END: &str = "with ended as (update psn_deliveries set status = $4, next_at = coalesce($5::timestamptz, next_at), \
        message_id = $6, last_error = $7, claim_token = null, claimed_until = null, \
        finished_at = case when $4 <> 'pending' then $3::timestamptz end \
      where id = $1::uuid and claim_token = $2 and status = 'pending' returning id, user_id, outbox_id, destination_id), \
    logged as (insert into notification_log (user_id, event_type, tier, provider, recipient, status, message_id, dedup_key, \
        sent_at, created_at) \
      select e.user_id, o.event_type, o.tier, x.kind, x.label, 'sent', $6, \
        o.event_type || ':' || coalesce(o.subject, o.post_id::text, ''), $3::timestamptz, $3::timestamptz \
      from ended e join psn_outbox o on o.id = e.outbox_id join psn_destinations x on x.id = e.destination_id \
      where $4 = 'sent') \
    select id from ended";

const DEAD_COLUMNS: &str = "t.id, t.destination_id, t.attempts, t.last_error, \
    (select o.event_type from psn_outbox o where o.id = t.outbox_id) as event_type, \
    floor(extract(epoch from t.finished_at) * 1000)::bigint as finished_at";

const REVIVE: &str = "update psn_deliveries set status = 'pending', attempts = 0, next_at = $2::timestamptz, finished_at = null \
    where id = $1::uuid and status = 'dead' returning id";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Writes how the last try ended and takes the next delivery that is due, for as long as the lease of `claims`; nobody
    /// else gets it meanwhile. One message at a time: what is claimed is about to be sent. `claims` also names the kinds
    /// whose services recognise a message that is sent again: those are tried again when nobody saw the end of a try, the
    /// others are given up. Doing it again with the same token gives the same, so a lost answer does no harm. Runs as
    /// `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delivery_next(
        &self,
        token: &str,
        ended: Option<&(DeliveryId, DeliveryEnd)>,
        claims: Option<(Millis, &[&str])>,
        now: Timestamp,
    ) -> Result<NextDelivery, StoreError> {
        let mut batch: Vec<_> = ended
            .map(|(id, end)| end_statement(token, id, end, now))
            .into_iter()
            .collect();
        if let Some((lease, kinds)) = claims {
            batch.push(Statement::new(
                GIVE_UP,
                [param(token), param(now), param(serde_json::json!(kinds))],
            ));
            batch.push(Statement::new(
                CLAIM,
                [param(token), param(now), param(now + lease), param(1)],
            ));
        }
        batch.push(Statement::new(NEXT_AT, []));
        let results = self.write(Who::Task, &batch).await?;
        let (last, before) = results
            .split_last()
            .ok_or_else(|| StoreError::malformed("a result was expected"))?;
        let mut next = NextDelivery {
            next_at: last.one()?.opt_instant("next_at")?,
            ..NextDelivery::default()
        };
        if let ([.., given_up, claimed], Some(_)) = (before, claims) {
            next.given_up = given_up.map(|row| row.text("id").map(drop))?.len();
            next.delivery = claimed.first().map(read_delivery).transpose()?;
        }
        Ok(next)
    }
}

fn read_delivery(row: Row<'_>) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: DeliveryId::from(row.text("delivery_id")?),
        notice: read_notice(row)?,
        destination: DestinationId::from(row.text("destination_id")?),
        kind: row.string("kind")?,
        sealed: Secret::new(row.text("sealed")?),
        attempts: row.count("attempts")?,
        zone: row.opt_string("zone")?,
    })
}

/// How a claimed delivery's try ended; nothing where the claim no longer counts.
fn end_statement(token: &str, id: &DeliveryId, end: &DeliveryEnd, now: Timestamp) -> Statement {
    let (status, next_at, message_id, error) = match end {
        DeliveryEnd::Sent { message_id } => ("sent", None, message_id.clone(), None),
        DeliveryEnd::Retry { error, at } => ("pending", Some(*at), None, Some(error.clone())),
        DeliveryEnd::Dead { error } => ("dead", None, None, Some(error.clone())),
    };
    let params = [
        param(id),
        param(token),
        param(now),
        param(status),
        opt_param(next_at),
        message_id,
        error,
    ];
    Statement::new(END, params)
}

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// What could not be delivered to a user, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn dead_letters(
        &self,
        user: &UserId,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<DeadLetter>, StoreError> {
        let list = dead_statement(user, after, limit);
        let rows = self.read_one(Who::User(user.clone()), list).await?;
        read_page(Some(&rows), read_dead)
    }

    /// Tries a dead delivery again from the beginning; whether there was one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn dead_letter_retry(&self, user: &UserId, id: &DeliveryId, now: Timestamp) -> Result<bool, StoreError> {
        let revive = Statement::new(REVIVE, [param(id), param(now)]);
        Ok(!self.write_one(Who::User(user.clone()), revive).await?.is_empty())
    }
}

/// A page of what could not be delivered to a user.
pub(crate) fn dead_statement(user: &UserId, after: Option<&Cursor>, limit: u32) -> Statement {
    let whose = "t.user_id = $4 and t.status = 'dead'";
    page_statement((DEAD_COLUMNS, "psn_deliveries", whose), after, limit, [param(user)])
}

pub(crate) fn read_dead(row: Row<'_>) -> Result<DeadLetter, StoreError> {
    Ok(DeadLetter {
        id: DeliveryId::from(row.text("id")?),
        destination: DestinationId::from(row.text("destination_id")?),
        event_type: row.opt_string("event_type")?,
        attempts: row.count("attempts")?,
        error: row.opt_string("last_error")?,
        finished_at: row.opt_instant("finished_at")?,
    })
}
