//! `psn export` with media: their bytes come too, whole, once, and behind what has come before.

use crate::place::Place;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const MIB: usize = 1 << 20;

fn id_of(bytes: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_come_with_their_rows() {
    let mut place = Place::new().await;
    let own = [
        ("PSN_URL", place.site.url()),
        ("PSN_API_TOKEN", "the-token".to_owned()),
        ("HUB_ENCRYPTION_KEY", KEY.to_owned()),
    ];
    let own = [&own[..], &[("DATABASE_URL", place.database_url.clone())]].concat();
    place.site.has(
        own.iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    );
    place.secrets.add("the key", KEY);
    let psn = async |arguments: &[&str]| {
        let mut command = place.command(arguments);
        place
            .run(command.envs(own.iter().map(|(name, value)| (name, value))))
            .await
    };
    psn(&["migrate"]).await.good();
    // Without media nobody is asked for any.
    let none = psn(&["export", "none", "--json"]).await.good().json();
    assert_eq!(none["media"], json!({ "named": 0, "copied": 0, "gone": [] }));
    assert!(!place.root().join("none/media").exists());

    let large: Vec<u8> = (0..5 * MIB).map(|at| (at * 31 % 251) as u8).collect();
    let (small, lost) = (b"a small picture".to_vec(), b"one that is gone".to_vec());
    let media: BTreeMap<String, Vec<u8>> = [&large, &small].map(|bytes| (id_of(bytes), bytes.clone())).into();
    for (user, bytes, kind) in [
        ("ada", &large, "video/mp4"),
        ("default", &small, "image/png"),
        ("ada", &small, "image/png"),
        ("bob", &lost, "x/y"),
    ] {
        let sql = format!(
            "insert into psn_media (user_id, media_id, content_type, size_bytes, created_at, last_used_at) \
             values ('{user}', '{}', '{kind}', {}, now(), now())",
            id_of(bytes),
            bytes.len()
        );
        place.postgres.admin_script("deployed", &sql).await.unwrap();
    }
    // It breaks off in the middle: what has come waits, and nothing else is left.
    place.site.keeps(media.clone(), Some(3));
    let cut = psn(&["export", "backup"]).await;
    assert_eq!(cut.code, 1, "{cut:?}");
    let said = "did not give medium";
    assert!(
        cut.stderr.contains(said) && cut.stderr.contains("it goes on behind what has come"),
        "{cut:?}"
    );
    let left: Vec<String> = std::fs::read_dir(place.root().join("backup.part"))
        .unwrap()
        .map(|one| one.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(left, ["media"], "{left:?}");
    assert!(!place.root().join("backup").exists());
    let before = place.site.ranges();
    place.site.keeps(media.clone(), None);
    let whole = psn(&["export", "backup", "--json"]).await.good();
    assert!(whole.stderr.contains("no bytes any more of one medium"), "{whole:?}");
    let document = whole.json();
    assert_eq!(
        document["media"],
        json!({ "named": 3, "copied": 2, "gone": [id_of(&lost)] })
    );
    assert_eq!(document["tables"]["psn_media"], 4);
    for (bytes, ending) in [(&large, "mp4"), (&small, "png")] {
        let path = place.root().join(format!("backup/media/{}.{ending}", id_of(bytes)));
        assert_eq!(&std::fs::read(path).unwrap(), bytes);
    }
    assert_eq!(std::fs::read_dir(place.root().join("backup/media")).unwrap().count(), 2);
    // Each range was given once: the second run went on behind the first, which asked three times for the last of its own.
    let mut asked = before[..before.len() - 3].to_vec();
    asked.extend(place.site.ranges());
    asked.retain(|range| !range.starts_with(&id_of(&lost)[..4]));
    assert_eq!(asked.len(), 4, "{asked:?}");
    let mut once = asked.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), asked.len(), "{asked:?}");

    // A user's own, and none at all.
    let mine = psn(&["export", "mine", "--user", "default", "--json"])
        .await
        .good()
        .json();
    assert_eq!(mine["media"]["copied"], 1);
    let rows: Value = psn(&["export", "rows", "--no-media", "--json"]).await.good().json();
    assert_eq!(
        (&rows["media"]["named"], &rows["media"]["copied"]),
        (&json!(3), &json!(0))
    );
    // What is not what its name says is not kept.
    let damaged = [(id_of(&small), b"a small pictur3".to_vec())];
    place.site.keeps(damaged.into(), None);
    let refused = psn(&["export", "bad", "--user", "default"]).await;
    assert!(
        refused.code == 1 && refused.stderr.contains("came damaged"),
        "{refused:?}"
    );
    assert!(!place.root().join("bad").exists() && !place.root().join("bad.part").exists());
    // Rows name media, and no worker is known.
    let mut command = place.command(&["export", "alone"]);
    let alone = place.run(command.env("DATABASE_URL", &place.database_url)).await;
    assert_eq!(alone.code, 2, "{alone:?}");
}
