//! What the dispatcher has to know of those it tells: their wishes, their destinations, who belongs to a hub, and what
//! they were told lately. Many users at once, so that a run costs few requests.

use crate::domain::id::{DestinationId, HubId, UserId};
use crate::domain::order;
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, param};
use crate::store::notifications::{NotificationPreferences, ToldLately, preference_columns, read_preferences};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Somebody who is told things.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recipient {
    /// How they want to be told; the defaults where they have not said.
    pub preferences: NotificationPreferences,
    /// Where: the destinations that are used.
    pub destinations: Vec<DestinationId>,
}

/// An active member of a hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubMember {
    /// The hub.
    pub hub: HubId,
    /// The member.
    pub user: UserId,
    /// Whether they may approve.
    pub is_admin: bool,
}

/// A question: what was that user told since then, and when last of that subject?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldAsk {
    /// The user.
    pub user: UserId,
    /// Since when urgent notices are counted.
    pub since: Timestamp,
    /// What happened.
    pub event_type: String,
    /// What it is about.
    pub subject: Option<String>,
}

const PREFERENCES: &str = concat!(
    "select ",
    preference_columns!(),
    " from jsonb_array_elements_text($1::jsonb) as whose, \
      lateral (select * from notification_preferences p where p.user_id = whose limit 1) found"
);

/// What was said once for everything counts before what stands in the legacy program's row.
const ZONES: &str = "select user_id, zone from jsonb_array_elements_text($1::jsonb) as whose, \
    lateral (select s.user_id, s.value #>> '{}' as zone from psn_settings s \
      where s.user_id = whose and s.scope = '' and s.name = 'time_zone' limit 1) found where zone is not null";

const DESTINATIONS: &str = "select user_id, id from jsonb_array_elements_text($1::jsonb) as whose, \
    lateral (select user_id, id from psn_destinations d where d.user_id = whose and enabled order by created_at, id limit 100) found";

const MEMBERS: &str = "select hub_id, user_id, role from team_members \
    where left_at is null and hub_id in (select jsonb_array_elements_text($1::jsonb)) order by hub_id, user_id";

/// psn's own notices count when they are decided on, so that two of one run know of each other; those of the legacy
/// program stand in its log alone, under the names of its providers.
const TOLD: &str = "select \
      (select count(*) from psn_outbox o where o.user_id = ask ->> 'user' and o.tier = 'push' and o.state = 'routed' \
          and o.audience is null and o.decided_at >= (ask ->> 'since')::timestamptz) \
        + (select count(distinct (event_type, dedup_key, sent_at)) from notification_log l where l.user_id = ask ->> 'user' \
          and l.tier = 'push' and l.status = 'sent' and l.provider in ('waha', 'twilio') \
          and l.sent_at >= (ask ->> 'since')::timestamptz) as pushes, \
      floor(extract(epoch from greatest( \
        (select max(decided_at) from psn_outbox o where o.user_id = ask ->> 'user' and o.tier = 'push' \
          and o.state = 'routed' and o.audience is null), \
        (select max(sent_at) from notification_log l where l.user_id = ask ->> 'user' and l.tier = 'push' \
          and l.status = 'sent' and l.provider in ('waha', 'twilio')))) * 1000)::bigint as last_push_at, \
      floor(extract(epoch from greatest( \
        (select max(decided_at) from psn_outbox o where o.user_id = ask ->> 'user' and o.event_type = ask ->> 'event' \
          and o.subject is not distinct from ask ->> 'subject' and o.state in ('routed', 'digest') and o.audience is null), \
        (select max(created_at) from notification_log l where l.user_id = ask ->> 'user' \
          and l.dedup_key = (ask ->> 'event') || ':' || coalesce(ask ->> 'subject', ''))) ) * 1000)::bigint as last_of_key_at \
    from jsonb_array_elements($1::jsonb) with ordinality as asks (ask, place) order by place";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Those users as recipients, and the active members of those hubs. One request. Reads as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn recipients(
        &self,
        users: &[UserId],
        hubs: &[HubId],
    ) -> Result<(BTreeMap<UserId, Recipient>, Vec<HubMember>), StoreError> {
        let of_users = || [param(json!(users))];
        let statements = [
            Statement::new(PREFERENCES, of_users()),
            Statement::new(DESTINATIONS, of_users()),
            Statement::new(MEMBERS, [param(json!(hubs))]),
            Statement::new(ZONES, of_users()),
        ];
        let results = self.read(Who::Task, &statements).await?;
        let [preferences, destinations, members, zones] = results.as_slice() else {
            return Err(StoreError::malformed("four results were expected"));
        };
        let mut found: BTreeMap<UserId, Recipient> =
            order::gather(users.iter().map(|user| (user.clone(), Recipient::default())));
        for (user, wishes) in preferences.map(|row| Ok((UserId::from(row.text("user_id")?), read_preferences(row)?)))? {
            found.entry(user).or_default().preferences = wishes;
        }
        for (user, zone) in zones.map(|row| Ok((UserId::from(row.text("user_id")?), row.string("zone")?)))? {
            found.entry(user).or_default().preferences.timezone = zone;
        }
        let rows =
            destinations.map(|row| Ok((UserId::from(row.text("user_id")?), DestinationId::from(row.text("id")?))))?;
        for (user, id) in rows {
            found.entry(user).or_default().destinations.push(id);
        }
        let members = members.map(|row| {
            Ok(HubMember {
                hub: HubId::from(row.text("hub_id")?),
                user: UserId::from(row.text("user_id")?),
                is_admin: row.text("role")? == "admin",
            })
        })?;
        Ok((found, members))
    }

    /// What users were told lately, an answer for each question. Reads as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn told_lately(&self, asks: &[ToldAsk]) -> Result<Vec<ToldLately>, StoreError> {
        let asks: Vec<Value> = asks
            .iter()
            .map(|ask| {
                json!({
                    "user": ask.user, "since": ask.since.to_rfc3339(), "event": ask.event_type, "subject": ask.subject
                })
            })
            .collect();
        let told = Statement::new(TOLD, [param(Value::Array(asks))]);
        self.read_one(Who::Task, told).await?.map(|row| {
            Ok(ToldLately {
                pushes: row.count("pushes")?,
                last_push_at: row.opt_instant("last_push_at")?,
                last_of_key_at: row.opt_instant("last_of_key_at")?,
            })
        })
    }
}
