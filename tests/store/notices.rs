//! What users are told: the outbox, deliveries, digests, destinations, preferences.

use crate::setup::{Bed, NOW, TestStore, sealer, user};
use psn::domain::id::{DestinationId, NoticeId};
use psn::domain::notice::Tier;
use psn::domain::secret::Secret;
use psn::domain::time::{Millis, Timestamp};
use psn::store::deliveries::{Delivery, DeliveryEnd, NextDelivery};
use psn::store::destinations::Destination;
use psn::store::notifications::NotificationPreferences;
use psn::store::outbox::{Decision, NewNotice};
use psn::store::recipients::ToldAsk;
use serde_json::{Map, json};

const LEASE: Millis = Millis(60_000);

fn notice(name: &str, key: &str) -> NewNotice {
    NewNotice {
        user: user(name),
        audience: None,
        key: key.to_owned(),
        event_type: "post.failed".to_owned(),
        tier: Tier::Push,
        subject: Some("post 7".to_owned()),
        post: None,
        hub: None,
        payload: json!({"title": "t"}).as_object().unwrap().clone(),
        not_before: NOW,
        now: NOW,
    }
}

fn destination(name: &str, n: u8) -> Destination {
    let mut destination = Destination {
        id: DestinationId::from_random([n; 16]),
        user: user(name),
        kind: "ntfy".to_owned(),
        label: format!("telephone {n}"),
        sealed: Secret::new(""),
        enabled: true,
    };
    let entropy = psn::ports::memory::SeededEntropy::new(7);
    let sealed = sealer().seal(&Secret::new("https://ntfy.example/t"), &destination.place(), &entropy);
    destination.sealed = Secret::new(sealed.unwrap());
    destination
}

/// One notice of Ada's, decided so.
async fn decided(store: &TestStore, key: &str, decision: Decision) -> NoticeId {
    store.notice_add(&notice("ada", key)).await.unwrap();
    let claimed = store.notices_claim(key, NOW, LEASE, 10).await.unwrap();
    let [claimed] = claimed.as_slice() else {
        panic!("{claimed:?}")
    };
    let decisions = [(claimed.id.clone(), decision)];
    let counted = store.notices_decide(key, &decisions, NOW).await.unwrap();
    assert_eq!(counted, std::slice::from_ref(&claimed.id));
    claimed.id.clone()
}

pub async fn an_event_is_told_once(bed: Bed) {
    let store = bed.migrated().await;
    assert!(store.notice_add(&notice("ada", "one")).await.unwrap());
    assert!(!store.notice_add(&notice("ada", "one")).await.unwrap());
    assert!(store.notice_add(&notice("bob", "one")).await.unwrap());
    let mut future = notice("ada", "future");
    future.not_before = NOW + Millis(1);
    store.notice_add(&future).await.unwrap();
    for n in 0..20 {
        store.notice_add(&notice("ada", &format!("many {n}"))).await.unwrap();
    }
    // Whoever claims at once gets others; the same token the same again.
    let claims = ["a", "b", "c", "d"].map(|token| store.notices_claim(token, NOW, LEASE, 5));
    let claimed: Vec<_> = futures_util::future::join_all(claims)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let mut ids: Vec<_> = claimed.iter().flatten().map(|notice| notice.id.clone()).collect();
    assert_eq!(ids.len(), 20);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 20);
    let again = store.notices_claim("a", NOW, LEASE, 5).await.unwrap();
    assert_eq!(
        again.iter().map(|n| &n.id).collect::<std::collections::BTreeSet<_>>(),
        claimed[0].iter().map(|n| &n.id).collect()
    );
    assert_eq!(store.notices_claim("e", NOW, LEASE, 50).await.unwrap().len(), 2);
    assert_eq!(store.notices_claim("f", NOW, LEASE, 50).await.unwrap().len(), 0);
    // A claim ends; a decision of whoever lost it does not count.
    let late = NOW + LEASE;
    assert_eq!(store.notices_claim("g", late, LEASE, 50).await.unwrap().len(), 23);
    let lost = [(claimed[0][0].id.clone(), Decision::Drop)];
    assert!(store.notices_decide("a", &lost, late).await.unwrap().is_empty());
    let kept = [
        (claimed[0][0].id.clone(), Decision::Postpone(late + LEASE)),
        (claimed[0][1].id.clone(), Decision::Drop),
    ];
    assert_eq!(store.notices_decide("g", &kept, late).await.unwrap().len(), 2);
    assert_eq!(
        bed.owner("select count(*) filter (where state = 'dropped'), count(*) from psn_outbox")
            .await,
        "1|23"
    );
}

pub async fn others_are_told_too(bed: Bed) {
    let store = bed.migrated().await;
    let everybody = Decision::FanOut(vec![user("bob"), user("eve"), user("ada")]);
    decided(&store, "k", everybody.clone()).await;
    let told = store.notices_claim("t", NOW, LEASE, 10).await.unwrap();
    let mut whom: Vec<_> = told
        .iter()
        .map(|notice| (notice.user.as_str(), notice.key.as_str()))
        .collect();
    whom.sort_unstable();
    assert_eq!(whom, [("ada", "k for ada"), ("bob", "k for bob"), ("eve", "k for eve")]);
    assert!(
        told.iter()
            .all(|notice| notice.audience.is_none() && notice.payload["title"] == json!("t"))
    );
}

const KINDS: [&str; 1] = ["webhook"];

async fn next(store: &TestStore, token: &str, ended: Option<(&Delivery, DeliveryEnd)>, at: Timestamp) -> NextDelivery {
    let ended = ended.map(|(delivery, end)| (delivery.id.clone(), end));
    let claims = Some((LEASE, KINDS.as_slice()));
    store.delivery_next(token, ended.as_ref(), claims, at).await.unwrap()
}

async fn claim_one(store: &TestStore, token: &str, at: Timestamp) -> Delivery {
    next(store, token, None, at).await.delivery.unwrap()
}

pub async fn a_message_is_tried_until_it_is_sent_or_dead(bed: Bed) {
    let store = bed.migrated().await;
    let (ada, bobs) = (user("ada"), destination("bob", 3));
    for destination in [&destination("ada", 1), &destination("ada", 2), &bobs] {
        store.destination_put(destination, NOW).await.unwrap();
    }
    let mut off = destination("ada", 2);
    off.enabled = false;
    store.destination_put(&off, NOW).await.unwrap();
    assert!(
        store
            .destination_put(
                &Destination {
                    user: ada.clone(),
                    ..bobs.clone()
                },
                NOW
            )
            .await
            .is_err()
    );
    assert_eq!(
        store.destination_list(&ada).await.unwrap(),
        [destination("ada", 1), off]
    );

    // Only to one's own, and only where it is wanted.
    let to = [1, 2, 3].map(|n| DestinationId::from_random([n; 16])).to_vec();
    decided(&store, "k", Decision::Deliver(to.clone())).await;
    let first = claim_one(&store, "t", NOW).await;
    assert_eq!(
        (&first.destination, first.attempts, first.notice.key.as_str()),
        (&to[0], 1, "k")
    );
    let opened = sealer()
        .open(first.sealed.expose(), &destination("ada", 1).place())
        .unwrap();
    assert_eq!(opened.expose(), "https://ntfy.example/t");
    assert_eq!(claim_one(&store, "t", NOW).await, first);
    let other = next(&store, "other", None, NOW).await;
    assert_eq!((other.delivery, other.next_at), (None, Some(NOW + LEASE)));

    let at = NOW + Millis(5000);
    let retry = DeliveryEnd::Retry {
        error: "503".to_owned(),
        at,
    };
    for _ in 0..2 {
        let after = next(&store, "t", Some((&first, retry.clone())), NOW).await;
        assert_eq!((after.delivery, after.next_at), (None, Some(at)));
    }
    assert_eq!(claim_one(&store, "u", at).await.attempts, 2);
    let dead = DeliveryEnd::Dead {
        error: "410: the topic is gone".to_owned(),
    };
    let late = next(&store, "t", Some((&first, retry)), at).await;
    assert_eq!(late.delivery, None, "whose claim is over decides nothing");
    let after = next(&store, "u", Some((&first, dead)), at).await;
    assert_eq!((after.delivery, after.next_at), (None, None));
    let letters = store.dead_letters(&ada, None, 10).await.unwrap().items;
    assert_eq!(
        (letters.len(), letters[0].attempts, letters[0].error.as_deref()),
        (1, 2, Some("410: the topic is gone"))
    );
    assert_eq!(letters[0].event_type.as_deref(), Some("post.failed"));
    assert!(
        store
            .dead_letters(&user("bob"), None, 10)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(!store.dead_letter_retry(&user("bob"), &first.id, at).await.unwrap());
    assert!(store.dead_letter_retry(&ada, &first.id, at).await.unwrap());

    // What was sent counts as told, in the legacy program's log.
    claim_one(&store, "v", at).await;
    let sent = DeliveryEnd::Sent {
        message_id: Some("m".to_owned()),
    };
    assert_eq!(next(&store, "v", Some((&first, sent)), at).await.next_at, None);
    let log =
        "select user_id, event_type, tier, provider, recipient, status, message_id, dedup_key from notification_log";
    assert_eq!(
        bed.owner(log).await,
        "ada|post.failed|push|ntfy|telephone 1|sent|m|post.failed:post 7"
    );
    // The decision counts, and what the legacy program sent; its log of ours does not count twice.
    let ask = |event: &str, since| ToldAsk {
        user: ada.clone(),
        since,
        event_type: event.to_owned(),
        subject: Some("post 7".to_owned()),
    };
    let asks = [ask("post.failed", NOW), ask("other", NOW + Millis(1))];
    let told = store.told_lately(&asks).await.unwrap();
    assert_eq!(
        (told[0].pushes, told[0].last_push_at, told[0].last_of_key_at),
        (1, Some(NOW), Some(at))
    );
    assert_eq!(
        (told[1].pushes, told[1].last_push_at, told[1].last_of_key_at),
        (0, Some(NOW), None)
    );
    bed.owner(&format!(
        "insert into notification_log (user_id, event_type, tier, provider, recipient, status, sent_at) \
         values ('ada', 'post.failed', 'push', 'waha', '+49', 'sent', '{at}')"
    ))
    .await;
    let told = store.told_lately(&asks).await.unwrap();
    assert_eq!((told[0].pushes, told[0].last_push_at), (2, Some(at)));
    // What is settled and old goes, with its deliveries.
    assert_eq!(store.outbox_prune(at).await.unwrap(), 1);
    assert_eq!(bed.owner("select count(*) from psn_deliveries").await, "0");
}

/// Whoever sent it died: one that its service would recognise is sent again, another is not.
pub async fn what_may_have_arrived_is_given_up(bed: Bed) {
    let store = bed.migrated().await;
    let (one, mut other) = (destination("ada", 1), destination("ada", 2));
    other.kind = "webhook".to_owned();
    for destination in [&one, &other] {
        store.destination_put(destination, NOW).await.unwrap();
    }
    let to = [one.id.clone(), other.id.clone()].to_vec();
    decided(&store, "k", Decision::Deliver(to)).await;
    claim_one(&store, "a", NOW).await;
    claim_one(&store, "b", NOW).await;
    let waits = next(&store, "c", None, NOW).await;
    assert_eq!((waits.delivery, waits.given_up), (None, 0));
    let after = next(&store, "c", None, NOW + LEASE).await;
    let again = after.delivery.unwrap();
    assert_eq!((&again.destination, again.attempts, after.given_up), (&other.id, 2, 1));
    let letters = store.dead_letters(&user("ada"), None, 10).await.unwrap().items;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].destination, one.id);
    assert!(letters[0].error.as_deref().unwrap().contains("may have arrived"));
}

pub async fn a_digest_loses_and_repeats_nothing(bed: Bed) {
    let store = bed.migrated().await;
    let ada = user("ada");
    for key in ["a", "b", "c"] {
        decided(&store, key, Decision::Digest).await;
    }
    assert_eq!(store.digest_users().await.unwrap(), std::slice::from_ref(&ada));
    let waiting = store.digest_notices(&ada, NOW, 2).await.unwrap();
    let ids: Vec<_> = waiting.iter().map(|notice| notice.id.clone()).collect();
    assert_eq!(ids.len(), 2);
    let close = |key| {
        let (store, ids, ada) = (&store, &ids, &ada);
        async move {
            store
                .digest_close(ada, (key, "digest.daily"), &Map::new(), ids, NOW)
                .await
                .unwrap()
        }
    };
    // Two that compile at once, and one that comes again.
    let (one, two) = tokio::join!(close("monday"), close("monday"));
    assert_eq!((one + two, close("monday").await), (2, 0));
    let digests = "select count(*) from psn_outbox where event_type = 'digest.daily'";
    assert_eq!(bed.owner(digests).await, "1");
    // What it left comes next, and nothing twice.
    assert_eq!(store.digest_notices(&ada, NOW, 9).await.unwrap().len(), 1);
    assert_eq!(close("tuesday").await, 0);
    // What waits for a digest is kept however old it is.
    assert_eq!(store.outbox_prune(NOW + Millis(1)).await.unwrap(), 2);
    assert_eq!(store.digest_users().await.unwrap().len(), 1);
}

pub async fn preferences_are_kept(bed: Bed) {
    let store = bed.migrated().await;
    let ada = user("ada");
    assert_eq!(store.notification_preferences(&ada).await.unwrap(), None);
    bed.owner("insert into notification_preferences (user_id) values ('ada')")
        .await;
    let usual = NotificationPreferences::default();
    assert_eq!(store.notification_preferences(&ada).await.unwrap(), Some(usual.clone()));
    let new = NotificationPreferences {
        push_enabled: false,
        digest_frequency: "weekly".to_owned(),
        quiet_hours_start: Some("22:00".to_owned()),
        quiet_hours_end: Some("00:30".to_owned()),
        timezone: "Europe/Berlin".to_owned(),
        max_push_per_day: 9,
        ..usual
    };
    store.notification_preferences_put(&ada, &new, NOW).await.unwrap();
    assert_eq!(store.notification_preferences(&ada).await.unwrap(), Some(new.clone()));
    let (recipients, members) = store.recipients(&[ada.clone(), user("bob")], &[]).await.unwrap();
    assert_eq!((&recipients[&ada].preferences, members.len()), (&new, 0));
    assert_eq!(recipients[&user("bob")].preferences, NotificationPreferences::default());
    assert_eq!(store.notification_preferences(&user("bob")).await.unwrap(), None);
}
