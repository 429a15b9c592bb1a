//! Tokens for the API, teams, invites, settings, deeds, media.

use crate::setup::{Bed, NOW, TestStore, user};
use psn::domain::id::{ApiTokenId, HubId};
use psn::domain::time::Millis;
use psn::store::api_tokens::{NewApiToken, digest};
use psn::store::audit::{Deed, DeedFilter};
use psn::store::joining::{Joined, Joining, NewHub, NewInvite};
use psn::store::media_rows::MediumRow;
use psn::store::settings::zone_version;
use psn::store::teams::Role;
use serde_json::json;

fn token(name: &str, n: u8) -> NewApiToken {
    NewApiToken {
        id: ApiTokenId::from_random([n; 16]),
        user: user(name),
        name: "laptop".to_owned(),
        digest: digest(&format!("token {n}")),
        scopes: vec!["read".to_owned(), "publish".to_owned()],
        expires_at: Some(NOW + Millis::from_secs(86_400)),
        now: NOW,
    }
}

async fn speaks(store: &TestStore, n: u8, at: psn::domain::time::Timestamp) -> bool {
    let bearer = store
        .api_token_look_up(&digest(&format!("token {n}")), at)
        .await
        .unwrap();
    bearer.is_some()
}

pub async fn a_token_speaks_for_its_user_until_it_ends(bed: Bed) {
    let store = bed.migrated().await;
    let (ada, bob) = (user("ada"), user("bob"));
    store.api_token_create(&token("ada", 1)).await.unwrap();
    store.api_token_create(&token("ada", 1)).await.unwrap();
    let bearer = store
        .api_token_look_up(&token("ada", 1).digest, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (&bearer.user, bearer.scopes.join(" "), bearer.is_unnoted),
        (&ada, "read publish".to_owned(), true)
    );
    store.api_token_used(&bearer, NOW).await.unwrap();
    let again = store
        .api_token_look_up(&token("ada", 1).digest, NOW + Millis(1))
        .await
        .unwrap()
        .unwrap();
    assert!(!again.is_unnoted);
    let listed = store.api_token_page(&ada, &ada, None, None, 9).await.unwrap().items;
    assert_eq!(
        (listed.len(), listed[0].last_used_at, listed[0].name.as_str()),
        (1, Some(NOW), "laptop")
    );
    assert!(
        store
            .api_token_page(&bob, &ada, None, None, 9)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(!store.api_token_revoke(&bob, &bearer.id, NOW).await.unwrap());

    let end = NOW + Millis::from_secs(86_400);
    assert_eq!(
        (
            speaks(&store, 1, end - Millis(1)).await,
            speaks(&store, 1, end).await,
            speaks(&store, 2, NOW).await
        ),
        (true, false, false)
    );
    assert!(store.api_token_revoke(&ada, &bearer.id, NOW).await.unwrap());
    assert!(!speaks(&store, 1, NOW).await);
}

async fn team(bed: &Bed) -> (TestStore, HubId) {
    let (store, hub) = (bed.migrated().await, HubId::from("hub_1"));
    let found = |admin: &str| NewHub {
        id: hub.clone(),
        slug: "one".to_owned(),
        name: "Hub One".to_owned(),
        admin: user(admin),
        by_token: None,
        now: NOW,
    };
    assert!(store.hub_found(&found("ada")).await.unwrap());
    assert!(
        store.hub_found(&found("ada")).await.unwrap(),
        "founded twice it is there once"
    );
    assert!(
        !store.hub_found(&found("eve")).await.unwrap(),
        "nobody founds what is there"
    );
    (store, hub)
}

/// An invite of `who` with that code, good for an hour from [`NOW`].
async fn invite(store: &TestStore, who: &str, code: &str) -> Result<(), psn::store::StoreError> {
    let mut id = [0; 16];
    id[..code.len().min(16)].copy_from_slice(&code.as_bytes()[..code.len().min(16)]);
    let new = NewInvite {
        id: psn::domain::id::PostId::from_random(id).0,
        hub: HubId::from("hub_1"),
        code: code.into(),
        for_user: None,
        expires_at: NOW + Millis::from_secs(3_600),
        now: NOW,
    };
    store.invite_create(&user(who), &new).await
}

/// Somebody who has a token presents a code.
async fn join(store: &TestStore, who: &str, code: &str, after: Millis) -> Joined {
    let joining = Joining {
        user: user(who),
        code: code.into(),
        display_name: Some("Guest".to_owned()),
        email: None,
        token: None,
        now: NOW + after,
    };
    store.hub_join(&joining).await.unwrap()
}

pub async fn an_invite_lets_one_in(bed: Bed) {
    let (store, hub) = team(&bed).await;
    let (ada, bob) = (user("ada"), user("bob"));
    let soon = Millis(0);
    assert_eq!(store.member_list(&ada, &hub).await.unwrap().len(), 1);
    assert!(invite(&store, "eve", "c0de").await.is_err());
    for _ in 0..2 {
        invite(&store, "ada", "c0de").await.unwrap();
    }
    assert!(!bed.owner("select code from invite_codes").await.contains("c0de"));

    // Whoever belongs does not use it up; of many who present it at once, one joins.
    assert_eq!(join(&store, "ada", "c0de", soon).await, Joined::Member(hub.clone()));
    let people: Vec<String> = (0..6).map(|n| format!("guest{n}")).collect();
    let joins = people.iter().map(|guest| join(&store, guest, "c0de", soon));
    let results = futures_util::future::join_all(joins).await;
    let joined = |result: &Joined| matches!(result, Joined::Joined { hub: of, .. } if *of == hub);
    assert_eq!(results.iter().filter(|result| joined(result)).count(), 1, "{results:?}");
    assert_eq!(results.iter().filter(|result| **result == Joined::Used).count(), 5);
    let winner = results.iter().position(joined).unwrap();
    assert!(
        joined(&join(&store, &people[winner], "c0de", soon).await),
        "asked again it is the same"
    );
    let winner = user(&people[winner]);
    assert_eq!(store.member_list(&winner, &hub).await.unwrap().len(), 2);
    assert!(store.member_list(&bob, &hub).await.unwrap().is_empty());
    assert_eq!(
        store.invite_list(&ada, &hub).await.unwrap()[0].used_by.as_ref(),
        Some(&winner)
    );
    assert!(store.invite_list(&winner, &hub).await.unwrap().is_empty());
    let hubs = store.hub_list(&winner).await.unwrap();
    assert_eq!((hubs[0].name.as_deref(), hubs[0].members), (Some("Hub One"), 2));

    invite(&store, "ada", "old").await.unwrap();
    assert_eq!(join(&store, "bob", "none", soon).await, Joined::Unknown);
    assert_eq!(join(&store, "", "old", soon).await, Joined::Unknown);
    assert_eq!(
        join(&store, "bob", "old", Millis::from_secs(3_600)).await,
        Joined::Expired
    );
    let old = store.invite_list(&ada, &hub).await.unwrap();
    let old = old.into_iter().find(|invite| invite.used_by.is_none()).unwrap();
    assert!(!store.invite_withdraw(&bob, &hub, &old.id).await.unwrap());
    assert!(store.invite_withdraw(&ada, &hub, &old.id).await.unwrap());
}

pub async fn whoever_leaves_is_out_at_once(bed: Bed) {
    let (store, hub) = team(&bed).await;
    let (ada, bob) = (user("ada"), user("bob"));
    invite(&store, "ada", "c0de").await.unwrap();
    join(&store, "bob", "c0de", Millis(0)).await;
    for new in [token("ada", 1), token("bob", 2)] {
        store.api_token_create(&new).await.unwrap();
    }
    // A member neither makes themselves an admin nor sends the admin away, and the last admin stays.
    assert!(!store.member_role(&bob, (&hub, &bob), Role::Admin, NOW).await.unwrap());
    assert!(!store.member_leave(&bob, (&hub, &ada), NOW).await.unwrap());
    assert!(!store.member_role(&ada, (&hub, &ada), Role::Member, NOW).await.unwrap());
    assert!(!store.member_leave(&ada, (&hub, &ada), NOW).await.unwrap());
    assert_eq!(
        store
            .api_token_page(&ada, &bob, None, None, 9)
            .await
            .unwrap()
            .items
            .len(),
        1
    );

    assert!(store.member_leave(&ada, (&hub, &bob), NOW).await.unwrap());
    assert_eq!(
        (speaks(&store, 1, NOW).await, speaks(&store, 2, NOW).await),
        (true, false)
    );
    assert!(
        store
            .member_list(&bob, &hub)
            .await
            .unwrap()
            .iter()
            .all(|member| member.user == bob)
    );
    // Back again, with another invite, and the old token stays dead.
    invite(&store, "ada", "again").await.unwrap();
    assert!(matches!(
        join(&store, "bob", "again", Millis(0)).await,
        Joined::Joined { .. }
    ));
    assert!(!speaks(&store, 2, NOW).await);

    // Two admins who leave at once: one stays.
    assert!(store.member_role(&ada, (&hub, &bob), Role::Admin, NOW).await.unwrap());
    let (one, two) = tokio::join!(
        store.member_leave(&ada, (&hub, &ada), NOW),
        store.member_leave(&bob, (&hub, &bob), NOW)
    );
    assert_eq!(u8::from(one.unwrap()) + u8::from(two.unwrap()), 1);
    let admins = "select count(*) from team_members where role = 'admin' and left_at is null";
    assert_eq!(bed.owner(admins).await, "1");
}

pub async fn settings_deeds_and_media(bed: Bed) {
    let (store, _) = team(&bed).await;
    let (ada, bob) = (user("ada"), user("bob"));
    bed.owner("insert into team_members (user_id, hub_id) values ('bob', 'hub_1')")
        .await;
    // A hub's settings are its admins' to write and its members' to read; one's own are nobody else's.
    let zone = json!("Europe/Berlin");
    for whose in ["ada", "hub_1"] {
        store
            .setting_put(&ada, (whose, "", "timezone"), Some(&zone), NOW)
            .await
            .unwrap();
        store
            .setting_put(&ada, (whose, "", "timezone"), Some(&zone), NOW)
            .await
            .unwrap();
    }
    assert_eq!(store.settings(&bob, "hub_1", "").await.unwrap()["timezone"], zone);
    assert!(store.settings(&bob, "ada", "").await.unwrap().is_empty());
    assert!(store.settings(&user("eve"), "hub_1", "").await.unwrap().is_empty());
    assert!(
        store
            .setting_put(&bob, ("hub_1", "", "timezone"), Some(&json!("UTC")), NOW)
            .await
            .is_err()
    );
    store
        .setting_put(&bob, ("hub_1", "", "timezone"), None, NOW)
        .await
        .unwrap();
    assert_eq!(store.settings(&ada, "hub_1", "").await.unwrap().len(), 1);
    store
        .setting_put(&ada, ("hub_1", "", "timezone"), None, NOW)
        .await
        .unwrap();
    assert!(store.settings(&ada, "hub_1", "").await.unwrap().is_empty());

    let deed = |n: i64| Deed {
        at: NOW + Millis(n),
        user: ada.clone(),
        token: Some(ApiTokenId::from_random([1; 16])),
        action: "post.cancel".to_owned(),
        target: Some(n.to_string()),
        detail: serde_json::Map::new(),
    };
    for n in 1..=3 {
        store.deeds_add(&[deed(n)]).await.unwrap();
    }
    let listed = store.deed_list(&ada, &DeedFilter::default(), None, 2).await.unwrap();
    assert_eq!(
        listed.iter().map(|(_, deed)| deed.clone()).collect::<Vec<_>>(),
        [deed(3), deed(2)]
    );
    assert_eq!(
        store
            .deed_list(&ada, &DeedFilter::default(), Some(listed[1].0), 9)
            .await
            .unwrap()
            .iter()
            .map(|(_, deed)| (deed.action.as_str(), deed.target.as_deref()))
            .collect::<Vec<_>>(),
        [("post.cancel", Some("1")), ("hub.create", Some("hub_1"))],
        "founded again it is not noted again"
    );
    assert!(
        store
            .deed_list(&bob, &DeedFilter::default(), None, 9)
            .await
            .unwrap()
            .is_empty()
    );

    // The zone: what psn was told, else what the legacy program has, whose `UTC` says nothing.
    let legacy =
        "insert into notification_preferences (user_id, timezone) values ('ada', 'UTC'), ('bob', 'Asia/Tokyo')";
    bed.owner(legacy).await;
    assert_eq!(store.time_zone(&ada).await.unwrap(), None);
    assert_eq!(store.time_zone_of(&bob).await.unwrap().as_deref(), Some("Asia/Tokyo"));
    let put = async |zone, version: Option<&str>| store.time_zone_put(&ada, zone, version, NOW).await.unwrap();
    assert_eq!(put(Some("UTC"), None).await, Ok(()));
    assert_eq!(store.time_zone_of(&ada).await.unwrap().as_deref(), Some("UTC"));
    assert_eq!(put(Some("Europe/Berlin"), None).await, Ok(()));
    assert_eq!(store.time_zone(&ada).await.unwrap().as_deref(), Some("Europe/Berlin"));
    let zones = "select string_agg(timezone, ' ' order by user_id) from notification_preferences";
    assert_eq!(bed.owner(zones).await, "Europe/Berlin Asia/Tokyo");
    assert_eq!(put(None, None).await, Ok(()));
    assert_eq!(store.time_zone(&ada).await.unwrap(), None);

    // Of two who saw the same one is refused, and told what there is: whether there was none, one, or one to forget.
    for (seen, [first, second]) in [
        (None, [Some("Europe/Paris"), Some("Asia/Tokyo")]),
        (Some("UTC"), [None, Some("Asia/Tokyo")]),
        (Some("UTC"), [Some("Europe/Paris"), None]),
    ] {
        put(seen, None).await.unwrap();
        let version = zone_version(seen);
        let (one, other) = tokio::join!(put(first, Some(&version)), put(second, Some(&version)));
        let there = store.time_zone(&ada).await.unwrap();
        match (one, other) {
            (Ok(()), Err(said)) => assert_eq!((there.as_deref(), said.as_deref()), (first, first)),
            (Err(said), Ok(())) => assert_eq!((there.as_deref(), said.as_deref()), (second, second)),
            both => panic!("{seen:?}: {both:?}"),
        }
    }
    put(None, None).await.unwrap();

    // Bytes go when no user has used them for long.
    let medium = |id: &str, at| MediumRow {
        media_id: id.to_owned(),
        content_type: "image/png".to_owned(),
        size_bytes: 5_000_000_000,
        created_at: at,
        last_used_at: at,
    };
    let later = NOW + Millis(1000);
    for (who, id, at) in [
        (&ada, "a", NOW),
        (&bob, "a", NOW),
        (&ada, "b", NOW),
        (&bob, "b", later),
        (&ada, "c", NOW),
    ] {
        store.medium_used(who, &medium(id, at)).await.unwrap();
    }
    store.medium_used(&ada, &medium("c", later)).await.unwrap();
    assert_eq!(
        store.medium_list(&bob, 10).await.unwrap(),
        [medium("b", later), medium("a", NOW)]
    );
    assert_eq!(store.media_forget(later, 10).await.unwrap(), ["a"]);
    assert_eq!(store.medium_list(&ada, 10).await.unwrap().len(), 2);
}
