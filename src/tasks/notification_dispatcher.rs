//! The notification dispatcher: decides what becomes of notices, and sends what is due. A run makes at most
//! [`CALLS_MAX`] calls and says when the next is due; it is started by the index's alarm seconds after a notice was
//! written, and by cron as a safety net.
//!
//! One message is claimed at a time, in the request that writes how the one before ended. So a message whose try nobody
//! saw the end of is known, and what its service would not recognise is not sent again.

use crate::domain::id::{DestinationId, NoticeId, UserId};
use crate::domain::notice::decide::{Candidate, Told, Verdict, Wishes, decide};
use crate::domain::notice::hours::{Frequency, Offset, TimeOfDay};
use crate::domain::notice::message::{Source, key, message};
use crate::domain::notice::{Audience, EventKind, Tier};
use crate::domain::order;
use crate::domain::time::{Millis, Timestamp};
use crate::domain::zone::Zone;
use crate::net::retry::Backoff;
use crate::ports::http::HttpClient;
use crate::ports::objects::{Chore, IndexReply, IndexRequest, Objects};
use crate::ports::pause::Ambient;
use crate::ports::zone::Zones;
use crate::store::deliveries::{Delivery, DeliveryEnd};
use crate::store::destinations::place_of;
use crate::store::notifications::NotificationPreferences;
use crate::store::outbox::{Decision, Notice};
use crate::store::recipients::{HubMember, Recipient, ToldAsk};
use crate::store::seal::Sealer;
use crate::store::{Store, StoreError};
use crate::tasks::notify::channel::{Outgoing, Sent, send};
use crate::tasks::notify::links::Links;
use crate::tasks::notify::settings::Settings;
use crate::tasks::notify::target::{IDEMPOTENT_KINDS, Target};
use crate::tasks::{Context, Outcome, Wake};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Calls of one run, at most: the index, two rounds of deciding at four, the messages at two, and the last look.
pub const CALLS_MAX: usize = 3 + ROUNDS * 4 + MESSAGES_MAX * 2 + 1;
/// Rounds of deciding: what goes to several people is decided for each in the second.
const ROUNDS: usize = 2;
/// Notices decided in a round.
const NOTICES_MAX: u32 = 40;
/// Messages sent in a run.
const MESSAGES_MAX: usize = 5;
/// A claim lasts longer than everything that is done with it.
const LEASE_MS: Millis = Millis(3 * 60_000);
/// Tries of one message: with the waits between them, nine hours.
const TRIES_MAX: u32 = 8;
const BACKOFF: Backoff = Backoff {
    first_ms: 60_000,
    max_ms: 7_200_000,
    factor: 4,
};
/// No service is waited for longer than this: the keys that make sending again harmless last a day.
const WAIT_MAX_MS: Millis = Millis(6 * 3_600_000);
/// The wait after the database could not be asked.
const AGAIN_MS: Millis = Millis(5 * 60_000);
/// A notice that has not gone anywhere by itself is cleared away after so long.
const KEPT_MS: Millis = Millis(60 * 86_400_000);

/// What telling works with.
pub struct Telling<'a, H, A> {
    /// The database.
    pub store: &'a Store<H, A>,
    /// Outbound HTTP.
    pub http: &'a H,
    /// Opens what destinations hold.
    pub sealer: &'a Sealer,
    /// The services.
    pub settings: &'a Settings,
    /// Time zones.
    pub zones: &'a dyn Zones,
    /// Makes addresses of pages for people; `None` where nobody said at which origin.
    pub links: Option<&'a Links>,
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Notices that were decided on.
    pub decided: usize,
    /// Messages that were taken.
    pub sent: usize,
    /// Messages that are tried again.
    pub again: usize,
    /// Messages that were given up.
    pub dead: usize,
    /// Whether the database was asked.
    pub asked: bool,
    /// When there is more to do.
    pub next_at: Option<Timestamp>,
    /// When somebody waits for a digest.
    pub digest_at: Option<Timestamp>,
    /// Why the database could not be asked, if it could not.
    pub message: Option<String>,
}

/// Runs it as a task of the table.
pub async fn task<H: HttpClient, A: Ambient, O: Objects>(context: &Context<H, A, O>, wake: &Wake) -> Outcome {
    let sealer = match context.settings.sealer() {
        Ok(sealer) => sealer,
        Err(error) => return Outcome::new(&Report::default(), Some(error.to_string())),
    };
    let links = context.settings.links();
    let telling = Telling {
        store: &context.store,
        http: &context.http,
        sealer: &sealer,
        settings: &context.settings.notify,
        zones: context.zones.as_ref(),
        links: links.as_ref(),
    };
    let report = run(&telling, &context.objects, wake.by_person).await;
    Outcome::new(&report, report.message.clone())
}

/// Runs the dispatcher once. `by_person`: whether or not there is something due.
pub async fn run<H: HttpClient, A: Ambient, O: Objects>(
    telling: &Telling<'_, H, A>,
    objects: &O,
    by_person: bool,
) -> Report {
    let chore = Chore::Outbox;
    let (due, swept, turn) = match objects.index(IndexRequest::ChoreTake { chore }).await {
        Ok(IndexReply::Chore { due, sweep, turn }) => (due || sweep || by_person, sweep || by_person, turn),
        Ok(_) | Err(_) => (true, true, 0),
    };
    if !due {
        return Report::default();
    }
    let report = work(telling, swept).await;
    for request in followups(&report, turn, swept) {
        let _ = objects.index(request).await;
    }
    report
}

/// What the index is to be told of a run.
#[must_use]
pub fn followups(report: &Report, turn: u64, swept: bool) -> Vec<IndexRequest> {
    let done = IndexRequest::ChoreDone {
        chore: Chore::Outbox,
        turn,
        next_at: report.next_at,
        swept: swept && report.message.is_none(),
    };
    let digest = report.digest_at.map(|at| IndexRequest::DigestDue { at });
    [Some(done), digest].into_iter().flatten().collect()
}

/// Decides and sends what is due.
pub async fn work<H: HttpClient, A: Ambient>(telling: &Telling<'_, H, A>, prunes: bool) -> Report {
    let mut report = Report {
        asked: true,
        ..Report::default()
    };
    if let Err(error) = telling.rounds(&mut report, prunes).await {
        report.message = Some(error.to_string());
        report.next_at = Some(telling.store.ambient.now() + AGAIN_MS);
    }
    report
}

impl<H: HttpClient, A: Ambient> Telling<'_, H, A> {
    async fn rounds(&self, report: &mut Report, prunes: bool) -> Result<(), StoreError> {
        for _ in 0..ROUNDS {
            if !self.decide_due(report).await? {
                break;
            }
        }
        self.send_due(report).await?;
        if prunes {
            let now = self.store.ambient.now();
            self.store.outbox_prune(Timestamp(now.0 - KEPT_MS.0)).await?;
        }
        Ok(())
    }

    fn token(&self) -> String {
        crate::domain::hash::hex(&self.store.ambient.bytes16())
    }

    // ---- deciding ------------------------------------------------------------------------------------------------

    /// Decides on what is due; whether that may have made more to decide.
    async fn decide_due(&self, report: &mut Report) -> Result<bool, StoreError> {
        let (token, now) = (self.token(), self.store.ambient.now());
        let notices = self.store.notices_claim(&token, now, LEASE_MS, NOTICES_MAX).await?;
        if notices.is_empty() {
            return Ok(false);
        }
        let (shared, own): (Vec<_>, Vec<_>) = notices.iter().partition(|notice| notice.audience.is_some());
        let users = distinct(own.iter().map(|notice| notice.user.clone()));
        let hubs = distinct(shared.iter().filter_map(|notice| notice.hub.clone()));
        let (recipients, members) = self.store.recipients(&users, &hubs).await?;
        let mut decisions: Vec<(NoticeId, Decision)> = shared
            .iter()
            .map(|notice| (notice.id.clone(), Decision::FanOut(audience(notice, &members))))
            .collect();
        let asks: Vec<_> = own.iter().map(|notice| self.ask(notice, &recipients, now)).collect();
        let told = match asks.is_empty() {
            true => Vec::new(),
            false => self.store.told_lately(&asks).await?,
        };
        let mut counted: BTreeMap<&UserId, (u32, Timestamp)> = BTreeMap::new();
        for (notice, told) in own.iter().zip(&told) {
            let Some(recipient) = recipients.get(&notice.user) else {
                continue;
            };
            let (more, last) = counted.get(&notice.user).copied().unzip();
            let told = Told {
                pushes: told.pushes + more.unwrap_or(0),
                last_push_at: told.last_push_at.max(last),
                last_same_at: told.last_of_key_at,
            };
            let decision = self.decide_one(notice, recipient, &told, now, report);
            if notice.tier == Tier::Push && matches!(decision, Decision::Deliver(_)) {
                counted.insert(&notice.user, (more.unwrap_or(0) + 1, now));
            }
            decisions.push((notice.id.clone(), decision));
        }
        let counted = self.store.notices_decide(&token, &decisions, now).await?;
        report.decided += counted.len();
        Ok(!shared.is_empty() || notices.len() >= NOTICES_MAX as usize)
    }

    fn ask(&self, notice: &Notice, recipients: &BTreeMap<UserId, Recipient>, now: Timestamp) -> ToldAsk {
        let preferences = recipients
            .get(&notice.user)
            .map(|recipient| recipient.preferences.clone());
        let preferences = preferences.unwrap_or_default();
        let zone = zone(self.zones, &preferences);
        let offset = |at| zone.offset(at);
        ToldAsk {
            user: notice.user.clone(),
            since: wishes(&preferences, &offset).day_began(now),
            event_type: notice.event_type.clone(),
            subject: notice.subject.clone(),
        }
    }

    fn decide_one(
        &self,
        notice: &Notice,
        recipient: &Recipient,
        told: &Told,
        now: Timestamp,
        report: &mut Report,
    ) -> Decision {
        let zone = zone(self.zones, &recipient.preferences);
        let offset = |at| zone.offset(at);
        let wishes = wishes(&recipient.preferences, &offset);
        let kind = EventKind::parse(&notice.event_type);
        let candidate = Candidate {
            kind,
            tier: kind.map_or(notice.tier, EventKind::tier),
            of_use_until: of_use_until(kind, notice),
        };
        let verdict = decide(candidate, &wishes, told, now);
        let is_digest = kind.is_some_and(EventKind::is_digest);
        match verdict {
            // Whoever cannot be reached today may be tomorrow: what was for them waits for the first digest that can be sent.
            Verdict::Now if recipient.destinations.is_empty() && !is_digest && kind != Some(EventKind::Test) => {
                Decision::Digest
            }
            Verdict::Now => Decision::Deliver(self.chosen(notice, recipient)),
            Verdict::Wait(until) => Decision::Postpone(until),
            Verdict::Digest => {
                if !recipient.destinations.is_empty() {
                    let next = wishes.digests().next(now);
                    report.digest_at = Some(report.digest_at.map_or(next, |at| at.min(next)));
                }
                Decision::Digest
            }
            Verdict::Drop => Decision::Drop,
        }
    }

    /// The destinations of a notice: all, or the one that a test names.
    fn chosen(&self, notice: &Notice, recipient: &Recipient) -> Vec<DestinationId> {
        let named = notice.payload.get("destination_id").and_then(Value::as_str);
        match named {
            Some(id) => vec![DestinationId::from(id)],
            None => recipient.destinations.clone(),
        }
    }

    // ---- sending -------------------------------------------------------------------------------------------------

    async fn send_due(&self, report: &mut Report) -> Result<(), StoreError> {
        let token = self.token();
        let mut ended = None;
        for left in (0..=MESSAGES_MAX).rev() {
            let now = self.store.ambient.now();
            let claims = (left > 0).then_some((LEASE_MS, IDEMPOTENT_KINDS.as_slice()));
            let next = self.store.delivery_next(&token, ended.as_ref(), claims, now).await?;
            report.next_at = next.next_at;
            report.dead += next.given_up;
            let Some(delivery) = next.delivery else { break };
            let end = self.deliver(&delivery).await;
            match &end {
                DeliveryEnd::Sent { .. } => report.sent += 1,
                DeliveryEnd::Retry { .. } => report.again += 1,
                DeliveryEnd::Dead { .. } => report.dead += 1,
            }
            ended = Some((delivery.id, end));
        }
        Ok(())
    }

    async fn deliver(&self, delivery: &Delivery) -> DeliveryEnd {
        let dead = |error: &str| DeliveryEnd::Dead {
            error: error.to_owned(),
        };
        let notice = &delivery.notice;
        let place = place_of(&notice.user, &delivery.kind, &delivery.destination);
        let Ok(opened) = self.sealer.open(delivery.sealed.expose(), &place) else {
            return dead("the destination cannot be opened with the keys that there are: set it again");
        };
        let Some(target) = Target::from_secret(&opened) else {
            return dead("the destination was written by another version: set it again");
        };
        let zone = delivery.zone.as_deref().and_then(|name| self.zones.find(name));
        let said = self.say(notice, &target, &zone.unwrap_or_else(Zone::utc));
        let now = self.store.ambient.now();
        let outgoing = Outgoing {
            id: delivery.id.as_str(),
            event_type: &notice.event_type,
            is_urgent: notice.tier == Tier::Push,
            message: &said,
            data: &data(notice),
            happened_at: notice.created_at,
            now,
        };
        match send(self.http, self.settings, &target, &outgoing).await {
            Sent::Taken { message_id } => DeliveryEnd::Sent { message_id },
            Sent::Refused { error } => DeliveryEnd::Dead { error },
            Sent::Unknown { error } => DeliveryEnd::Dead {
                error: format!("{error}; it may have arrived, so it is not sent again by itself"),
            },
            Sent::Again { error, .. } if delivery.attempts >= TRIES_MAX => DeliveryEnd::Dead {
                error: format!("{error}, {TRIES_MAX} times"),
            },
            Sent::Again { error, after } => {
                let wait = BACKOFF.delay(delivery.attempts.saturating_sub(1), &self.store.ambient);
                let wait = after.unwrap_or_default().max(wait).min(WAIT_MAX_MS).max(Millis(1_000));
                DeliveryEnd::Retry {
                    error,
                    at: self.store.ambient.now() + wait,
                }
            }
        }
    }

    fn say(&self, notice: &Notice, target: &Target, zone: &Zone) -> crate::domain::notice::message::Message {
        let kind = EventKind::parse(&notice.event_type).unwrap_or(EventKind::Test);
        let get = |name: &str| text_of(notice, name);
        let lines: Vec<String> = strings(notice.payload.get("lines"));
        let hash = text_of(notice, key::HASH);
        let link = match (kind, &notice.post, self.links, hash) {
            (EventKind::ApprovalRequested, Some(post), Some(links), Some(hash)) => {
                Some(links.approval(post, &notice.user, &hash, self.store.ambient.now()))
            }
            _ => None,
        };
        message(&Source {
            kind,
            post: notice.post.as_ref().map(|post| post.as_str()),
            get: &get,
            link: link.as_deref(),
            lines: &lines,
            clock: &|text: &str| Timestamp::parse(text).map_or_else(|_| text.to_owned(), |at| zone.show(at)),
            answers: self.may_answer(notice, kind, target),
        })
    }

    /// Whether whoever gets this may answer it there: where answers are heard, and only who may do what they would say.
    fn may_answer(&self, notice: &Notice, kind: EventKind, target: &Target) -> bool {
        let is_own = text_of(notice, key::AUTHOR).is_none_or(|author| author == notice.user.as_str());
        let phone = target.phone(self.settings);
        let hears = |(_, provider)| self.settings.hears(provider, self.links.is_some());
        (is_own || kind == EventKind::ApprovalRequested) && phone.is_some_and(hears)
    }
}

/// A text of a notice's payload.
pub(super) fn text_of(notice: &Notice, name: &str) -> Option<String> {
    notice.payload.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn strings(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// What programs are told of a notice.
fn data(notice: &Notice) -> serde_json::Map<String, Value> {
    let mut data = notice.payload.clone();
    if let Some(post) = &notice.post {
        data.insert("post_id".to_owned(), Value::String(post.0.clone()));
    }
    if let Some(hub) = &notice.hub {
        data.insert("hub_id".to_owned(), Value::String(hub.0.clone()));
    }
    data
}

/// An approval that comes after the post's time is of no use.
fn of_use_until(kind: Option<EventKind>, notice: &Notice) -> Option<Timestamp> {
    let at = text_of(notice, key::SCHEDULED_AT).filter(|_| kind == Some(EventKind::ApprovalRequested))?;
    Timestamp::parse(&at).ok()
}

/// Who is told of what happened in a hub. Without an active admin it is at least whose doing it is about.
fn audience(notice: &Notice, members: &[HubMember]) -> Vec<UserId> {
    let of_hub = members.iter().filter(|member| Some(&member.hub) == notice.hub.as_ref());
    let admins = of_hub
        .filter(|member| member.is_admin)
        .map(|member| member.user.clone());
    let mut users: Vec<_> = admins.collect();
    let audience = notice.audience.as_deref().and_then(Audience::parse);
    if audience != Some(Audience::Admins) || users.is_empty() {
        users.push(notice.user.clone());
    }
    distinct(users)
}

fn distinct<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let set: std::collections::BTreeSet<T> = order::gather(items);
    set.into_iter().collect()
}

/// The zone that a user lives in; one that is not known counts as not said.
pub(super) fn zone(zones: &dyn Zones, preferences: &NotificationPreferences) -> Zone {
    zones.find(&preferences.timezone).unwrap_or_else(Zone::utc)
}

/// Preferences as the domain reads them. What cannot be read counts as not said.
pub(super) fn wishes<'a>(preferences: &NotificationPreferences, offset: Offset<'a>) -> Wishes<'a> {
    let time = |text: &Option<String>| text.as_deref().and_then(TimeOfDay::parse);
    let quiet = time(&preferences.quiet_hours_start).zip(time(&preferences.quiet_hours_end));
    let default = NotificationPreferences::default();
    let digest_time = TimeOfDay::parse(&preferences.digest_time).or_else(|| TimeOfDay::parse(&default.digest_time));
    Wishes {
        push: preferences.push_enabled,
        digest: preferences.digest_enabled,
        pushes_max: preferences.max_push_per_day,
        quiet,
        frequency: Frequency::parse(&preferences.digest_frequency).unwrap_or(Frequency::Daily),
        digest_time: digest_time.unwrap_or(TimeOfDay::MIDNIGHT),
        offset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::HubId;
    use serde_json::Map;

    fn notice(audience: &str) -> Notice {
        Notice {
            id: NoticeId::from("n"),
            user: UserId::from("ada"),
            audience: Some(audience.to_owned()),
            key: "k".to_owned(),
            event_type: "post.failed".to_owned(),
            tier: Tier::Push,
            subject: None,
            post: None,
            hub: Some(HubId::from("hub_1")),
            payload: Map::new(),
            created_at: Timestamp(0),
        }
    }

    fn member(hub: &str, user: &str, is_admin: bool) -> HubMember {
        HubMember {
            hub: HubId::from(hub),
            user: UserId::from(user),
            is_admin,
        }
    }

    #[test]
    fn admins_of_the_hub_are_told_and_nobody_else() {
        let members = [
            member("hub_1", "bob", true),
            member("hub_1", "cyd", false),
            member("hub_2", "eve", true),
        ];
        let names = |users: Vec<UserId>| users.into_iter().map(|user| user.0).collect::<Vec<_>>().join(" ");
        assert_eq!(names(audience(&notice("admins"), &members)), "bob");
        assert_eq!(names(audience(&notice("owner_and_admins"), &members)), "ada bob");
        assert_eq!(names(audience(&notice("admins"), &[])), "ada");
    }
}
