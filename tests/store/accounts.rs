//! Accounts and their tokens.

use crate::setup::{Bed, NOW, import, sealer, user};
use psn::domain::platform::Platform;
use psn::domain::time::{Millis, Timestamp};
use psn::store::Secret;

pub async fn import_replaces(bed: Bed) {
    let store = bed.migrated().await;
    let first = store.account_import(&import("default", "10"), &sealer()).await.unwrap();
    // The legacy refresher marks a failure, and somebody adds a key.
    bed.owner(
        "update oauth_tokens set metadata = metadata || \
         '{\"requiresReauth\":true,\"refreshError\":\"x\",\"theirs\":1}'",
    )
    .await;
    let mut again = import("default", "10");
    again.access_token = Secret::new("newer");
    again.refresh_token = None;
    assert_eq!(store.account_import(&again, &sealer()).await.unwrap(), first);
    let row = store.token_read(&user("default"), &first.id).await.unwrap().unwrap();
    assert_eq!(row.open_access(&sealer()).unwrap().expose(), "newer");
    assert_eq!(row.open_refresh(&sealer()).unwrap(), None);
    assert_eq!(row.account, first);
    assert!(row.metadata.contains_key("theirs") && !row.metadata.contains_key("requiresReauth"));
    assert!(row.metadata.contains_key("lastRefreshedAt") && row.metadata.contains_key("lastRefreshAt"));
    let stored = bed.owner("select access_token, refresh_token from oauth_tokens").await;
    assert!(
        stored.starts_with("psn1:") && !stored.contains("newer") && stored.ends_with("|NULL"),
        "{stored}"
    );
    assert!(!format!("{row:?}").contains("psn1:"));
}

pub async fn several_per_platform(bed: Bed) {
    let store = bed.migrated().await;
    for remote in ["10", "11"] {
        store
            .account_import(&import("default", remote), &sealer())
            .await
            .unwrap();
    }
    let mut linkedin = import("default", "10");
    linkedin.platform = Platform::LinkedIn;
    store.account_import(&linkedin, &sealer()).await.unwrap();
    let accounts = store.account_list(&user("default")).await.unwrap();
    let names: Vec<_> = accounts.iter().map(|account| account.platform.name()).collect();
    assert_eq!(names, ["linkedin", "x", "x"]);
    assert_eq!(
        accounts
            .iter()
            .filter(|account| account.username.as_deref() == Some("@11"))
            .count(),
        1
    );
}

/// Instagram's tokens live sixty days: one that ends in ten hours is no new one, and is to be renewed at once.
pub async fn the_end_tells_the_age(bed: Bed) {
    let store = bed.migrated().await;
    for (platform, days_ago) in [(Platform::Instagram, 59), (Platform::TikTok, 0)] {
        let mut old = import("default", "10");
        old.platform = platform;
        old.expires_at = Some(NOW + Millis::from_secs(36_000));
        let account = store.account_import(&old, &sealer()).await.unwrap();
        let row = store.token_read(&user("default"), &account.id).await.unwrap().unwrap();
        let granted = Timestamp::parse(row.metadata["lastRefreshedAt"].as_str().unwrap()).unwrap();
        assert_eq!(NOW.since(granted).0 / 86_400_000, days_ago, "{platform}");
    }
}

pub async fn imports_at_the_same_time(bed: Bed) {
    let store = bed.migrated().await;
    let (new, sealer) = (import("default", "10"), sealer());
    let imports = (0..6).map(|_| store.account_import(&new, &sealer));
    let accounts = futures_util::future::join_all(imports).await;
    let first = accounts[0].clone().unwrap();
    assert!(accounts.into_iter().all(|account| account.unwrap() == first));
    assert_eq!(bed.owner("select count(*) from oauth_tokens").await, "1");
    let row = store.token_read(&user("default"), &first.id).await.unwrap().unwrap();
    assert_eq!(row.open_access(&sealer).unwrap().expose(), "access-10");
}

pub async fn legacy_rows_are_read(bed: Bed) {
    let store = bed.migrated().await;
    // Sealed by the legacy program: base64 of IV, tag and ciphertext.
    bed.owner(
        "insert into oauth_tokens (user_id, platform, access_token, metadata) values \
         ('default', 'linkedin', 'AAECAwQFBgcICQoLBSwcVGq74H0AYfvHvaB8v2zughVzKRrg', \
          '{\"personUrn\":\"urn:li:person:7\",\"userName\":\"Ada\"}'), \
         ('default', 'x', 'AAECAwQFBgcICQoLBSwcVGq74H0AYfvHvaB8v2zughVzKRrg', null)",
    )
    .await;
    let accounts = store.account_list(&user("default")).await.unwrap();
    assert_eq!(accounts[0].remote_user_id.as_ref().unwrap().as_str(), "urn:li:person:7");
    assert_eq!(accounts[0].username.as_deref(), Some("Ada"));
    assert_eq!(accounts[1].remote_user_id, None);
    for account in &accounts {
        let row = store.token_read(&user("default"), &account.id).await.unwrap().unwrap();
        assert_eq!(row.open_access(&sealer()).unwrap().expose(), "token é");
    }
    // Importing the account that the legacy row names replaces that row's tokens; X rows name none.
    let mut linkedin = import("default", "urn:li:person:7");
    linkedin.platform = Platform::LinkedIn;
    assert_eq!(
        store.account_import(&linkedin, &sealer()).await.unwrap().id,
        accounts[0].id
    );
    store.account_import(&import("default", "10"), &sealer()).await.unwrap();
    assert_eq!(store.account_list(&user("default")).await.unwrap().len(), 3);
}
