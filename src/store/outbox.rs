//! What users are to be told (`psn_outbox`). A notice is written in the transaction that brings it about, once for each
//! key; the dispatcher claims notices with a token, and what it decides counts only while its claim lasts.

use crate::domain::id::{DestinationId, HubId, NoticeId, PostId, UserId};
use crate::domain::notice::{Audience, EventKind, Tier};
use crate::domain::time::{Millis, Timestamp};
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, opt_param, param};
use crate::store::row::{Row, Rows, row_seq};
use serde_json::{Map, Value};

/// Something a user is to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct NewNotice {
    /// Whose it is.
    pub user: UserId,
    /// Who is told, where it is not the user: a name that the dispatcher knows.
    pub audience: Option<String>,
    /// Names the event; of one key there is one notice.
    pub key: String,
    /// What happened: `post.failed`, …
    pub event_type: String,
    /// How urgent it is.
    pub tier: Tier,
    /// What it is about, so that the same is not told twice in short.
    pub subject: Option<String>,
    /// The post it is about.
    pub post: Option<PostId>,
    /// The hub it happened in.
    pub hub: Option<HubId>,
    /// What the message is made from; no secrets.
    pub payload: Map<String, Value>,
    /// Not to be told before.
    pub not_before: Timestamp,
    /// The caller's now.
    pub now: Timestamp,
}

impl NewNotice {
    /// A notice of that event; `key` names the event within its kind. Tier and audience follow from the kind
    /// (`domain::notice::event` has the table). `payload` is made of the keys of `domain::notice::message::key`.
    #[must_use]
    pub fn of(
        kind: EventKind,
        (user, hub): (UserId, Option<HubId>),
        post: Option<PostId>,
        key: &str,
        payload: Map<String, Value>,
        now: Timestamp,
    ) -> Self {
        Self {
            audience: kind.audience(hub.is_some()).name().map(str::to_owned),
            key: format!("{kind} {key}"),
            event_type: kind.name().to_owned(),
            tier: kind.tier(),
            subject: post.as_ref().map(|post| post.0.clone()),
            not_before: now,
            user,
            post,
            hub,
            payload,
            now,
        }
    }

    /// Whom the dispatcher has to look up, if it is not the user alone.
    #[must_use]
    pub fn audience(&self) -> Option<Audience> {
        self.audience.as_deref().and_then(Audience::parse)
    }
}

/// A notice.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The notice.
    pub id: NoticeId,
    /// Whose it is.
    pub user: UserId,
    /// Who is told, where it is not the user.
    pub audience: Option<String>,
    /// Names the event.
    pub key: String,
    /// What happened.
    pub event_type: String,
    /// How urgent it is.
    pub tier: Tier,
    /// What it is about.
    pub subject: Option<String>,
    /// The post it is about.
    pub post: Option<PostId>,
    /// The hub it happened in.
    pub hub: Option<HubId>,
    /// What the message is made from.
    pub payload: Map<String, Value>,
    /// When it happened.
    pub created_at: Timestamp,
}

/// What shall become of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Each of these users gets a notice of their own.
    FanOut(Vec<UserId>),
    /// It goes to these of the user's destinations.
    Deliver(Vec<DestinationId>),
    /// It waits for the next digest.
    Digest,
    /// It is decided later.
    Postpone(Timestamp),
    /// Nobody is told.
    Drop,
}

/// The columns of a [`Notice`].
macro_rules! notice_columns {
    ($t:literal) => {
        concat!(
            $t,
            ".id, ",
            $t,
            ".user_id, audience, event_key, event_type, tier, subject, post_id, hub_id, payload, \
             floor(extract(epoch from ",
            $t,
            ".created_at) * 1000)::bigint as created_at"
        )
    };
}
pub(crate) use notice_columns;

/// `$12`: only where the post's row shows a journal of that length; NULL: in any case.
macro_rules! add {
    () => {
        concat!(
    "insert into psn_outbox (user_id, audience, event_key, event_type, tier, subject, post_id, hub_id, payload, \
      not_before, created_at) \
    select $1, $2, $3, $4, $5, $6, $7::uuid, $8, $9::jsonb, $10::timestamptz, $11::timestamptz \
    where $12::numeric is null or exists (select from posts where id = $7::uuid and user_id = $1 and ",
    row_seq!(),
    " = $12::numeric) on conflict (user_id, event_key) do nothing"
        )
    };
}

const ADD: &str = add!();

/// The same, and whether somebody would hear of it.
const ADD_AND_LISTEN: &str = concat!(add!(), " returning public.psn_heard(hub_id) as heard");

/// `$1` token, `$2` now, `$3` until, `$4` how many. A token that has claimed already gets the same again.
const CLAIM: &str = concat!(
    "with had as (select id from psn_outbox where state = 'pending' and claim_token = $1 \
        and not_before <= $2::timestamptz), \
    free as (select id from psn_outbox where state = 'pending' and not_before <= $2::timestamptz \
        and (claimed_until is null or claimed_until <= $2::timestamptz) and not exists (select from had) \
      order by not_before, id limit $4::int for update skip locked), \
    taken as (update psn_outbox o set claim_token = $1, claimed_until = $3::timestamptz \
      from (select id from had union select id from free) mine where o.id = mine.id returning o.*) \
    select ",
    notice_columns!("taken"),
    " from taken order by taken.created_at, taken.id"
);

/// `$1` notice, `$2` token, `$3` now; the parameters from `$4` on belong to what comes behind.
macro_rules! decided {
    ($state:literal) => {
        concat!(
            "with decided as (update psn_outbox set state = '",
            $state,
            "', decided_at = $3::timestamptz, claim_token = null, claimed_until = null \
             where id = $1::uuid and claim_token = $2 and state = 'pending' returning *) "
        )
    };
}

const FAN_OUT: &str = concat!(
    decided!("routed"),
    ", told as (insert into psn_outbox (user_id, event_key, event_type, tier, subject, post_id, hub_id, payload, \
        not_before, created_at) \
      select recipient, d.event_key || ' for ' || recipient, d.event_type, d.tier, d.subject, d.post_id, d.hub_id, d.payload, \
        d.not_before, d.created_at from decided d, jsonb_array_elements_text($4::jsonb) as recipient \
      on conflict (user_id, event_key) do nothing) \
    select id from decided"
);

const DELIVER: &str = concat!(
    decided!("routed"),
    ", sent as (insert into psn_deliveries (user_id, outbox_id, destination_id, next_at, created_at) \
      select d.user_id, d.id, x.id, $3::timestamptz, $3::timestamptz from decided d, psn_destinations x \
      where x.user_id = d.user_id and x.enabled and x.id::text in (select jsonb_array_elements_text($4::jsonb)) \
      on conflict (outbox_id, destination_id) do nothing) \
    select id from decided"
);

const DIGEST: &str = concat!(decided!("digest"), "select id from decided");
const DROP: &str = concat!(decided!("dropped"), "select id from decided");

const POSTPONE: &str = "update psn_outbox set not_before = $3::timestamptz, claim_token = null, claimed_until = null \
    where id = $1::uuid and claim_token = $2 and state = 'pending' returning id";

const WAITING: &str = "select distinct user_id from psn_outbox where state = 'digest' and digest_id is null \
    order by user_id limit 1000";

const FOR_DIGEST: &str = concat!(
    "select ",
    notice_columns!("o"),
    " from psn_outbox o where o.user_id = $1 and state = 'digest' and digest_id is null and o.created_at <= $2::timestamptz \
     order by o.created_at, o.id limit $3::int"
);

/// Puts the digest into the outbox and the notices into the digest, both or neither; no digest of nothing. `$1` the
/// notices, `$2` user, `$3` key, `$4` what it is, `$5` payload, `$6` now.
const INTO_DIGEST: &str = "with open as (select id from psn_outbox where user_id = $2 and state = 'digest' and digest_id is null \
        and id::text in (select jsonb_array_elements_text($1::jsonb)) order by id for update), \
    digest as (insert into psn_outbox (user_id, event_key, event_type, tier, payload, not_before, created_at) \
      select $2, $3, $4, 'standard', $5::jsonb, $6::timestamptz, $6::timestamptz where exists (select from open) \
      on conflict (user_id, event_key) do nothing returning id) \
    update psn_outbox o set digest_id = digest.id from digest, open where o.id = open.id returning o.id";

const PRUNE: &str = "delete from psn_outbox o where created_at < $1::timestamptz and state <> 'pending' \
    and (state <> 'digest' or digest_id is not null) \
    and not exists (select from psn_deliveries d where d.outbox_id = o.id and d.status = 'pending')";

/// The statement that writes a notice, for the transaction that brings it about (run on behalf of its user). Written twice
/// it is there once.
#[must_use]
pub fn notice_statement(new: &NewNotice) -> Statement {
    statement(ADD, new, None)
}

/// The same, where the row of the notice's post shows a journal of that length: what was not written is not told. Its
/// result is read with [`is_heard`].
#[must_use]
pub fn notice_of_row_statement(new: &NewNotice, seq: u64) -> Statement {
    statement(ADD_AND_LISTEN, new, Some(seq))
}

/// Whether a notice was written just now that somebody would hear of.
///
/// # Errors
/// [`StoreError`].
pub(crate) fn is_heard(rows: &Rows) -> Result<bool, StoreError> {
    rows.first().map_or(Ok(false), |row| row.bool("heard"))
}

fn statement(sql: &'static str, new: &NewNotice, seq: Option<u64>) -> Statement {
    Statement::new(
        sql,
        [
            param(&new.user),
            new.audience.clone(),
            param(&new.key),
            param(&new.event_type),
            param(new.tier),
            new.subject.clone(),
            opt_param(new.post.as_ref()),
            opt_param(new.hub.as_ref()),
            param(Value::Object(new.payload.clone())),
            param(new.not_before),
            param(new.now),
            opt_param(seq),
        ],
    )
}

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Writes a notice; whether it is new.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn notice_add(&self, new: &NewNotice) -> Result<bool, StoreError> {
        let rows = self
            .write_one(Who::User(new.user.clone()), notice_statement(new))
            .await?;
        Ok(rows.count == Some(1))
    }

    /// Takes notices that are due, at most `limit` (1 to 100), for as long as `lease`; nobody else gets them meanwhile.
    /// Claiming again with the same token gives the same ones, so a lost answer does no harm. Runs as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn notices_claim(
        &self,
        token: &str,
        now: Timestamp,
        lease: Millis,
        limit: u32,
    ) -> Result<Vec<Notice>, StoreError> {
        let params = [param(token), param(now), param(now + lease), param(limit.clamp(1, 100))];
        let rows = self.write_one(Who::Task, Statement::new(CLAIM, params)).await?;
        rows.map(read_notice)
    }

    /// Writes what was decided about claimed notices, in one request; which of them it still counted for. Runs as
    /// `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`]. When the answer was lost, the notices left are claimed again after the lease.
    pub async fn notices_decide(
        &self,
        token: &str,
        decisions: &[(NoticeId, Decision)],
        now: Timestamp,
    ) -> Result<Vec<NoticeId>, StoreError> {
        if decisions.is_empty() {
            return Ok(Vec::new());
        }
        let batch: Vec<_> = decisions
            .iter()
            .map(|(id, decision)| {
                let head = [param(id), param(token), param(now)];
                let with = |sql, list: Value| Statement::new(sql, head.clone().into_iter().chain([param(list)]));
                match decision {
                    Decision::FanOut(users) => with(FAN_OUT, serde_json::json!(users)),
                    Decision::Deliver(destinations) => with(DELIVER, serde_json::json!(destinations)),
                    Decision::Digest => Statement::new(DIGEST, head),
                    Decision::Drop => Statement::new(DROP, head),
                    Decision::Postpone(until) => Statement::new(POSTPONE, [param(id), param(token), param(until)]),
                }
            })
            .collect();
        let results = self.write(Who::Task, &batch).await?;
        let counted = results.iter().filter_map(Rows::first);
        counted.map(|row| row.text("id").map(NoticeId::from)).collect()
    }

    /// Users for whom something waits for a digest, at most 1,000. Runs as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn digest_users(&self) -> Result<Vec<UserId>, StoreError> {
        let rows = self.read_one(Who::Task, Statement::new(WAITING, [])).await?;
        rows.map(|row| Ok(UserId::from(row.text("user_id")?)))
    }

    /// What waits for a user's digest up to that time, oldest first, at most `limit` (1 to 200). Runs as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn digest_notices(&self, user: &UserId, until: Timestamp, limit: u32) -> Result<Vec<Notice>, StoreError> {
        let params = [param(user), param(until), param(limit.clamp(1, 200))];
        let rows = self.read_one(Who::Task, Statement::new(FOR_DIGEST, params)).await?;
        rows.map(read_notice)
    }

    /// Puts a digest of these notices into the outbox. `key` names the digest: of one key there is one, and a notice is in
    /// one digest only. How many it took in; 0 where the digest was there. Runs as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`]; doing it again is always right.
    pub async fn digest_close(
        &self,
        user: &UserId,
        (key, event_type): (&str, &str),
        payload: &Map<String, Value>,
        notices: &[NoticeId],
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let params = [
            param(serde_json::json!(notices)),
            param(user),
            param(key),
            param(event_type),
            param(Value::Object(payload.clone())),
            param(now),
        ];
        let rows = self.write_one(Who::Task, Statement::new(INTO_DIGEST, params)).await?;
        Ok(rows.count.unwrap_or(0))
    }

    /// Removes what is settled and older than that, with its deliveries; how many notices. Runs as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn outbox_prune(&self, before: Timestamp) -> Result<u64, StoreError> {
        let rows = self
            .write_one(Who::Task, Statement::new(PRUNE, [param(before)]))
            .await?;
        Ok(rows.count.unwrap_or(0))
    }
}

pub(crate) fn read_notice(row: Row<'_>) -> Result<Notice, StoreError> {
    let tier = Tier::parse(row.text("tier")?);
    Ok(Notice {
        id: NoticeId::from(row.text("id")?),
        user: UserId::from(row.text("user_id")?),
        audience: row.opt_string("audience")?,
        key: row.string("event_key")?,
        event_type: row.string("event_type")?,
        tier: tier.ok_or_else(|| StoreError::malformed("column `tier` names no known tier"))?,
        subject: row.opt_string("subject")?,
        post: row.opt("post_id")?.map(PostId::from),
        hub: row.opt("hub_id")?.map(HubId::from),
        payload: row.object("payload")?,
        created_at: row.instant("created_at")?,
    })
}
