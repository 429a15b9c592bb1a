//! What renewing tokens writes, and which rows are near their end.

use crate::setup::{Bed, NOW, import, sealer, user};
use psn::domain::platform::Platform;
use psn::domain::time::Millis;
use psn::store::Secret;
use psn::store::renewal::TokenRenewal;
use serde_json::json;

fn renewal(name: &str) -> TokenRenewal {
    TokenRenewal {
        access_token: Secret::new(format!("access {name}")),
        refresh_token: Some(Secret::new(format!("refresh {name}"))),
        expires_at: Some(NOW + Millis::from_secs(7_200)),
        scopes: None,
        now: NOW + Millis(1),
    }
}

/// Only where the row still holds what was read, whoever changed it, and flags come and go.
pub async fn stored_where_the_row_is_what_was_read(bed: Bed) {
    let store = bed.migrated().await;
    let account = store.account_import(&import("default", "10"), &sealer()).await.unwrap();
    let other = store.account_import(&import("default", "11"), &sealer()).await.unwrap();
    bed.owner("update oauth_tokens set metadata = metadata || '{\"theirs\":1}'")
        .await;
    let read = || async { store.token_read(&user("default"), &account.id).await.unwrap().unwrap() };
    let before = read().await;
    assert!(store.token_needs_reauth(&before, "it is dead", NOW).await.unwrap());
    let flagged = read().await;
    assert_eq!(flagged.version, before.version, "the tokens are the same");
    assert_eq!(flagged.metadata["requiresReauth"], json!(true));
    assert_eq!(flagged.metadata["refreshError"], json!("it is dead"));
    assert_eq!(flagged.metadata["refreshFailedAt"], json!(NOW.to_rfc3339()));
    assert!(store.token_needs_reauth(&before, "it is dead", NOW).await.unwrap());
    let told = "select user_id, event_type, tier, payload ->> 'what' from psn_outbox";
    assert_eq!(
        bed.owner(told).await,
        "default|token.expiring|push|it is dead",
        "told once"
    );

    let version = store.token_renew(&before, &renewal("new")).await.unwrap().unwrap();
    let after = read().await;
    assert_eq!(after.version, version);
    assert_ne!(after.version, before.version);
    assert_eq!(after.access_token.expose(), "access new");
    assert_eq!(after.refresh_token.as_ref().unwrap().expose(), "refresh new");
    assert_eq!(after.scopes, before.scopes);
    assert_eq!(after.granted_at(), Some(NOW + Millis(1)));
    for key in ["requiresReauth", "refreshError", "refreshFailedAt"] {
        assert!(!after.metadata.contains_key(key), "{key}");
    }
    assert_eq!(after.metadata["theirs"], json!(1));
    assert_eq!(after.metadata["psn"], before.metadata["psn"]);

    // The same again, or by somebody who read it before: no row is what they say.
    assert_eq!(store.token_renew(&before, &renewal("late")).await.unwrap(), None);
    assert!(!store.token_needs_reauth(&before, "late", NOW).await.unwrap());
    assert_eq!(read().await, after);
    let untouched = store.token_read(&user("default"), &other.id).await.unwrap().unwrap();
    assert!(untouched.access_token.expose().starts_with("psn1:"));
}

/// In the order of their ends, page by page, across users; and without a look at any token.
pub async fn what_ends_first_is_found_first(bed: Bed) {
    let store = bed.migrated().await;
    let mut expected = Vec::new();
    for (name, remote, secs) in [("b", "1", 300), ("a", "2", -5), ("c", "3", 300), ("a", "4", 660)] {
        let mut new = import(name, remote);
        new.expires_at = Some(NOW + Millis::from_secs(secs));
        let account = store.account_import(&new, &sealer()).await.unwrap();
        expected.push((secs, account.id, user(name)));
    }
    let mut endless = import("a", "5");
    endless.expires_at = None;
    store.account_import(&endless, &sealer()).await.unwrap();
    let mut instagram = import("d", "6");
    instagram.platform = Platform::Instagram;
    instagram.expires_at = Some(NOW + Millis::from_secs(21 * 86_400));
    store.account_import(&instagram, &sealer()).await.unwrap();
    expected.sort();
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = store.tokens_ending(NOW, Millis(0), after.as_ref(), 2).await.unwrap();
        assert!(page.len() <= 2);
        after = page.last().cloned();
        if page.is_empty() {
            break;
        }
        found.extend(
            page.into_iter()
                .map(|one| (one.expires_at.since(NOW).0 / 1_000, one.account, one.user)),
        );
    }
    // A token of X with eleven minutes left: only those that remind their owners come so early.
    assert_eq!(found, expected);
    let day_later = store
        .tokens_ending(NOW, Millis::from_secs(86_400), None, 200)
        .await
        .unwrap();
    assert_eq!(day_later.len(), 5, "{day_later:?}");
    let refused = bed
        .server
        .owner_script(
            &bed.database,
            "set role psn_task; select access_token from oauth_tokens",
        )
        .await;
    assert!(refused.is_err(), "the task sees no token");
}
