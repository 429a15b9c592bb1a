//! A journal mirrored into its row.

use crate::isolation::projection;
use crate::setup::{Bed, NOW, import, new_post, post_id, sealer, user};
use psn::domain::id::{RemoteId, RunToken};
use psn::domain::post::{Status, SubStatus};
use psn::store::posts::ThreadProgress;
use psn::store::project::{Projected, Projection};

fn of(n: u8, seq: u64) -> Projection {
    Projection {
        seq,
        ..projection(post_id(n), user("default"))
    }
}

pub async fn own_keys_only(bed: Bed) {
    let store = bed.migrated().await;
    store.account_import(&import("default", "10"), &sealer()).await.unwrap();
    store.post_insert(&new_post("default", 1)).await.unwrap();
    // Another program writes a key of its own, here and inside of psn's.
    bed.owner("update posts set metadata = metadata || '{\"series\":{\"n\":1}}'")
        .await;
    let ids = [RemoteId::from("101"), RemoteId::from("102")];
    let going = Projection {
        progress: Some(ThreadProgress::new(&ids, 3)),
        platform_post_ids: ids.to_vec(),
        external_post_id: Some(ids[0].clone()),
        ..of(1, 4)
    };
    assert_eq!(store.post_project(&going).await.unwrap(), Projected::Applied);
    let shown = "select status, metadata ->> 'threadProgress', platform_post_ids, metadata -> 'psn' ->> 'seq', \
        metadata -> 'psn' ->> 'hash', metadata -> 'series' ->> 'n', external_post_id, trigger_run_id from posts";
    let progress = r#"{"posted":2,"total":3,"lastPostedId":"102","tweetIds":["101","102"]}"#;
    let expected = format!(r#"publishing|{progress}|["101", "102"]|4|h|1|101|psn:run"#);
    assert_eq!(bed.owner(shown).await, expected);
    assert_eq!(
        bed.owner("select jsonb_typeof(metadata -> 'threadProgress') from posts")
            .await,
        "string"
    );

    let done = Projection {
        status: Status::Published,
        published_at: Some(NOW),
        fence: Some(RunToken::from("run")),
        run: None,
        content: Some("new".to_owned()),
        media_urls: Some(vec!["media/a".to_owned(), "media/b".to_owned()]),
        platform_post_ids: ids.to_vec(),
        ..of(1, 5)
    };
    assert_eq!(store.post_project(&done).await.unwrap(), Projected::Applied);
    let row = store.post_get(&user("default"), &post_id(1)).await.unwrap().unwrap();
    assert!(!row.metadata.contains_key("threadProgress") && row.metadata.contains_key("series"));
    assert_eq!(
        (row.published_at, row.trigger_run_id, row.content.as_str()),
        (Some(NOW), None, "new")
    );
    assert_eq!(row.platform_post_ids, ids);
    // The media of an edited post are named by its row, so that they are not cleared away; else they stay.
    for (media_urls, shown) in [(None, r#"["media/a", "media/b"]"#), (Some(Vec::new()), "NULL")] {
        let edited = Projection { media_urls, ..of(1, 5) };
        assert_eq!(store.post_project(&edited).await.unwrap(), Projected::Applied);
        assert_eq!(
            bed.owner("select coalesce(media_urls::text, 'NULL') from posts").await,
            shown
        );
    }

    // A row without metadata, and one whose metadata are no object.
    for odd in ["null", "'\"odd\"'", "'{\"psn\":7}'"] {
        bed.owner(&format!("update posts set metadata = {odd}")).await;
        assert_eq!(
            store.post_project(&of(1, 6)).await.unwrap(),
            Projected::Applied,
            "{odd}"
        );
        assert_eq!(bed.owner("select metadata -> 'psn' ->> 'seq' from posts").await, "6");
    }
}

pub async fn never_older_over_newer(bed: Bed) {
    let store = bed.migrated().await;
    store.account_import(&import("default", "10"), &sealer()).await.unwrap();
    store.post_insert(&new_post("default", 1)).await.unwrap();
    let newer = Projection {
        status: Status::Retry,
        sub_status: Some(SubStatus::RateLimited),
        ..of(1, 8)
    };
    assert_eq!(store.post_project(&newer).await.unwrap(), Projected::Applied);
    assert_eq!(store.post_project(&of(1, 7)).await.unwrap(), Projected::Stale);
    assert_eq!(store.post_project(&newer).await.unwrap(), Projected::Applied);
    let fenced = Projection {
        fence: Some(RunToken::from("other")),
        ..of(1, 9)
    };
    assert_eq!(store.post_project(&fenced).await.unwrap(), Projected::Stale);
    assert_eq!(store.post_project(&of(2, 9)).await.unwrap(), Projected::Gone);
    assert_eq!(
        bed.owner("select status, sub_status from posts").await,
        "retry|rate_limited"
    );
}
