#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

const HUB: &str = r#"{
  "hubId": "hub_0123abcd-4ef",
  "slug": "personal",
  "displayName": "Personal Hub",
  "databaseUrl": "postgresql://u:p@h/db",
  "triggerProjectId": "",
  "role": "admin",
  "joinedAt": "2026-01-02T03:04:05.000Z",
  "encryptionKey": "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
}"#;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

/// Loads the files and gives the error, without the folder in front.
fn complaint(files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    let error = HubFiles::load(folder.path()).unwrap_err();
    error.message.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn legacy_files_load() {
    let folder = folder(&[
        (".hubs/personal.json", HUB),
        (
            "config/keys.env",
            "# keys\nX_CLIENT_ID = \"a=b\"\n\nX_CLIENT_ID='c'\nNEON_API_KEY=\n",
        ),
    ]);
    let files = HubFiles::load(folder.path()).unwrap();
    assert_eq!(files.hub("hub_0123abcd-4ef").unwrap().slug, "personal");
    assert_eq!(files.keys.get("X_CLIENT_ID").unwrap(), "c");
    assert_eq!(files.keys.get("NEON_API_KEY").unwrap(), "");
    assert_eq!(format!("{:?}", files.hubs[0].database_url), "Secret(…)");
}

#[test]
fn the_old_hub_env_is_the_personal_hub() {
    let folder = folder(&[("config/hub.env", "DATABASE_URL=postgres://u:p@h/db\nHUB_ID=hub_x\n")]);
    let files = HubFiles::load(folder.path()).unwrap();
    assert_eq!(files.hub("personal").unwrap().hub_id, "hub_x");
    assert_eq!(
        complaint(&[("config/hub.env", "A=b")]),
        "`config/hub.env` cannot be used: `DATABASE_URL` is missing or is no connection string (`postgresql://…`)"
    );
}

#[test]
fn a_bad_file_is_named_with_line_and_reason() {
    let hub = |from: &str, to: &str| complaint(&[(".hubs/a.json", &HUB.replace(from, to))]);
    assert_eq!(
        hub("\"slug\": \"personal\",", ""),
        "`.hubs/a.json` cannot be used: line 10 column 1: missing field `slug`"
    );
    assert_eq!(
        hub("2026-01-02T", "yesterday "),
        "`.hubs/a.json` cannot be used: line 8: `joinedAt` is not a time (`2026-11-23T09:00:00.000Z`)"
    );
    assert_eq!(
        hub("0011", "xx11"),
        "`.hubs/a.json` cannot be used: line 9: `encryptionKey` is not 64 hex digits"
    );
    assert!(hub("\"role\"", "\"extra\": 1, \"role\"").contains("line 7 column 9: unknown field `extra`"));
    assert_eq!(
        complaint(&[(".hubs/a.json", HUB), (".hubs/b.json", HUB)]),
        "`.hubs/b.json` cannot be used: another hub file has the same slug or id (`personal`)"
    );
    assert_eq!(
        complaint(&[("config/keys.env", "A=b\n\nnonsense\n")]),
        "`config/keys.env` cannot be used: line 3: there is no `=`"
    );
}

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn the_last_stack_fills_in_but_never_for_another_address() {
    let folder = folder(&[
        (".psn/last-stack", ".psn/dev\n"),
        (
            ".psn/dev/env",
            "PSN_URL='http://127.0.0.1:1'\nPSN_API_TOKEN='local'\nHUB_ENCRYPTION_KEY='k'\n",
        ),
    ]);
    let load = |pairs: &[(&str, &str)]| Settings::load(&variables(pairs), Some(folder.path())).unwrap();
    assert_eq!(load(&[]).get("PSN_API_TOKEN"), Some("local"));
    assert_eq!(
        load(&[("PSN_API_TOKEN", "mine")]).get("PSN_URL"),
        Some("http://127.0.0.1:1")
    );
    assert_eq!(
        load(&[("PSN_URL", "http://127.0.0.1:1/")]).get("PSN_API_TOKEN"),
        Some("local")
    );
    assert_eq!(load(&[("PSN_URL", "https://psn.example")]).get("PSN_API_TOKEN"), None);
    assert_eq!(
        load(&[("DATABASE_URL", "postgres://real")]).get("HUB_ENCRYPTION_KEY"),
        None
    );
    let error = load(&[("PSN_URL", "https://psn.example")])
        .need(["PSN_URL", "PSN_API_TOKEN", "X"])
        .unwrap_err();
    assert_eq!(error.message, "`PSN_API_TOKEN` and `X` are not set");
}
