#![allow(clippy::unwrap_used, reason = "tests")]

use super::env_file::edit_env;
use super::*;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

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
    let files = HubFiles::load(folder.path());
    let error = files.errors().next().unwrap();
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
    let files = HubFiles::load(folder.path());
    assert_eq!(files.hub("hub_0123abcd-4ef").unwrap().unwrap().hub.slug, "personal");
    assert_eq!(files.keys().unwrap().get("X_CLIENT_ID").unwrap(), "c");
    assert_eq!(files.keys().unwrap().get("NEON_API_KEY").unwrap(), "");
    assert_eq!(format!("{:?}", files.hubs()[0].hub.database_url), "Secret(…)");
}

#[test]
fn the_old_hub_env_is_the_personal_hub() {
    let folder = folder(&[("config/hub.env", "DATABASE_URL=postgres://u:p@h/db\nHUB_ID=hub_x\n")]);
    let files = HubFiles::load(folder.path());
    assert_eq!(files.hub("personal").unwrap().unwrap().hub.hub_id, "hub_x");
    assert_eq!(
        complaint(&[("config/hub.env", "A=b")]),
        "`config/hub.env` cannot be used: line 1: `DATABASE_URL` is missing or is no connection string (`postgresql://…`)"
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

#[test]
fn a_bad_file_does_not_take_the_others_down() {
    let other = HUB.replace("personal", "team").replace("0123", "4567");
    let folder = folder(&[
        (".hubs/bad.json", "{\n\"hubId\": 1}"),
        (".hubs/personal.json", HUB),
        (".hubs/team.json", &other),
        (".hubs/team.env", "SEAL_FORM=legacy\nnonsense\n"),
        ("config/keys.env", "nonsense"),
    ]);
    let files = HubFiles::load(folder.path());
    assert_eq!(files.hub("personal").unwrap().unwrap().hub.slug, "personal");
    let team = files.hub("team").unwrap_err().message;
    assert!(
        team.ends_with("team.env` cannot be used: line 2: there is no `=`"),
        "{team}"
    );
    // It may be the one that cannot be read.
    let unknown = files.hub("unknown").unwrap_err().message;
    assert!(
        unknown.contains("bad.json` cannot be used: line 2 column 10"),
        "{unknown}"
    );
    assert!(files.keys().is_err());
    assert_eq!(files.errors().count(), 3);
    // What two files claim belongs to neither.
    let twins = self::folder(&[(".hubs/a.json", HUB), (".hubs/b.json", HUB)]);
    assert!(HubFiles::load(twins.path()).hub("personal").is_err());
    assert!(complaint(&[(".hubs/a.json", &HUB.replace("personal", "../x"))]).contains("line 3: `slug` is not"));
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn files_that_others_may_read_are_named() {
    let folder = folder(&[(".hubs/personal.json", HUB), ("config/keys.env", "A=b\n")]);
    for (name, mode) in [(".hubs/personal.json", 0o644), ("config/keys.env", 0o600)] {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(folder.path().join(name), mode).unwrap();
    }
    let warnings = HubFiles::load(folder.path()).warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let said = warnings[0].to_string();
    assert!(
        said.contains("personal.json` holds secrets") && said.contains("(mode 644): run `chmod 600 "),
        "{said}"
    );
}

/// The legacy program finds its file as it was, but for the key; psn's settings keep their comments.
#[test]
fn keys_change_without_harm_to_the_files() {
    let (old, new) = ("00112233445566778899aabbccddeeff".repeat(2), "ab".repeat(32));
    let folder = folder(&[
        (".hubs/personal.json", HUB),
        (".hubs/personal.env", "# mine\nSEAL_FORM=legacy\n"),
    ]);
    let load = || HubFiles::load(folder.path()).hub("personal").unwrap().unwrap().clone();
    load().begin_rotation(&new, &old).unwrap();
    let during = load();
    assert_eq!((during.key(), during.former_key()), (Some(&*new), Some(&*old)));
    assert_eq!(during.variables()["HUB_ENCRYPTION_KEY"], new);
    assert_eq!(mode(&during.own_path), 0o600);
    assert_eq!(std::fs::read_to_string(&during.path).unwrap(), HUB);
    load().end_rotation().unwrap();
    let after = load();
    assert_eq!((after.key(), after.former_key()), (Some(&*new), None));
    assert_eq!(
        std::fs::read_to_string(&after.own_path).unwrap(),
        "# mine\nSEAL_FORM=legacy\n"
    );
    assert_eq!(
        std::fs::read_to_string(&after.path).unwrap(),
        format!("{}\n", HUB.replace(&old, &new))
    );
    assert_eq!(mode(&after.path), 0o600);

    let old_file = format!("# hub\nDATABASE_URL=postgres://u:p@h/db\nHUB_ENCRYPTION_KEY={old}\n# end\n");
    let folder = self::folder(&[("config/hub.env", &old_file)]);
    let load = || HubFiles::load(folder.path()).hub("personal").unwrap().unwrap().clone();
    load().begin_rotation(&new, &old).unwrap();
    load().end_rotation().unwrap();
    let after = load();
    assert_eq!((after.key(), after.former_key()), (Some(&*new), None));
    assert_eq!(
        std::fs::read_to_string(&after.path).unwrap(),
        old_file.replace(&old, &new)
    );
}

#[test]
fn env_files_keep_what_is_not_changed() {
    let edit = |text: &str, changes: &[(&str, Option<&str>)]| edit_env(text, changes).unwrap();
    let text = "# A=0\nA = 1\r\n\nB=2\nA=3";
    assert_eq!(edit(text, &[("A", Some("4"))]), "# A=0\n\nB=2\nA=4");
    assert_eq!(edit(text, &[("A", None)]), "# A=0\n\nB=2\n");
    assert_eq!(
        edit(text, &[("C", Some("5")), ("B", None)]),
        "# A=0\nA = 1\r\n\nA=3\nC=5\n"
    );
    for value in ["", "plain", " spaced ", "\"quoted\"", "'", "a=b", "#x", "\""] {
        let read = parse_env(&edit("", &[("A", Some(value))])).unwrap();
        assert_eq!(read["A"], value);
    }
    assert!(edit_env("", &[("A", Some("two\nlines"))]).is_err());
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

#[test]
fn without_a_stack_the_only_hub_and_the_keys_fill_in_but_never_for_another_address() {
    const OTHER: &str = r#"{"hubId": "hub_1123abcd-4ef", "slug": "company-a", "displayName": "A",
        "databaseUrl": "postgresql://u:p@other/db", "triggerProjectId": "", "role": "admin",
        "joinedAt": "2026-01-02T03:04:05.000Z"}"#;
    const OWN: &str = "PSN_URL=https://psn.example\nPSN_API_TOKEN=t\n";
    let keys = ("config/keys.env", "X_CLIENT_ID=app\nTIKTOK_CLIENT_KEY=\n");
    let files = folder(&[(".hubs/personal.json", HUB), (".hubs/personal.env", OWN), keys]);
    let load = |pairs: &[(&str, &str)]| Settings::load(&variables(pairs), Some(files.path())).unwrap();
    let names = ["DATABASE_URL", "HUB_ENCRYPTION_KEY", "PSN_API_TOKEN", "X_CLIENT_ID"];
    let set = |settings: &Settings| names.map(|name| settings.get(name).is_some());
    assert_eq!(set(&load(&[])), [true; 4]);
    assert_eq!(load(&[]).get("TIKTOK_CLIENT_KEY"), None);
    assert_eq!(load(&[("X_CLIENT_ID", "mine")]).get("X_CLIENT_ID"), Some("mine"));
    assert_eq!(set(&load(&[("DATABASE_URL", "postgresql://u:p@h/db")])), [true; 4]);
    // The key and the token belong to that database and that worker.
    assert_eq!(
        set(&load(&[("DATABASE_URL", "postgresql://else")])),
        [true, false, false, true]
    );
    assert_eq!(
        set(&load(&[("PSN_URL", "https://else.example")])),
        [false, false, false, true]
    );

    let two = folder(&[(".hubs/personal.json", HUB), (".hubs/company-a.json", OTHER)]);
    let load = |pairs: &[(&str, &str)]| Settings::load(&variables(pairs), Some(two.path())).unwrap();
    let error = load(&[]).need(["DATABASE_URL"]).unwrap_err();
    assert_eq!(
        error.message,
        "there are several hubs, `company-a` and `personal`, and none is named"
    );
    let of_other = load(&[("DATABASE_URL", "postgresql://u:p@other/db")]);
    assert_eq!(of_other.get("HUB_ENCRYPTION_KEY"), None, "a hub without a key has none");

    let bad = folder(&[(".hubs/personal.json", "{"), keys]);
    let settings = Settings::load(&variables(&[]), Some(bad.path())).unwrap();
    assert_eq!(settings.get("X_CLIENT_ID"), Some("app"));
    let error = settings.need(["DATABASE_URL"]).unwrap_err();
    assert!(error.message.contains("personal.json"));
}

/// Whoever joined a hub has its Worker's address and a token, and no database (F-34).
#[test]
fn a_hub_that_was_joined_is_an_address_and_a_token() {
    const JOINED: &str = "PSN_URL=https://team.example\nPSN_API_TOKEN=theirs\n";
    let alone = folder(&[(".hubs/team.env", JOINED)]);
    let load = |root: &Path, pairs: &[(&str, &str)]| Settings::load(&variables(pairs), Some(root)).unwrap();
    let token = |settings: &Settings| settings.get("PSN_API_TOKEN").map(str::to_owned);
    assert_eq!(token(&load(alone.path(), &[])).as_deref(), Some("theirs"));
    assert_eq!(load(alone.path(), &[]).get("DATABASE_URL"), None);
    assert_eq!(token(&load(alone.path(), &[("PSN_URL", "https://else.example")])), None);

    let own = (
        "PSN_URL=https://own.example\nPSN_API_TOKEN=own\n",
        "PSN_URL='http://127.0.0.1:1'\nPSN_API_TOKEN='local'\n",
    );
    let both = folder(&[
        (".hubs/personal.json", HUB),
        (".hubs/personal.env", own.0),
        (".hubs/team.env", JOINED),
        (".hubs/notes.env", "A=b\n"),
        (".psn/last-stack", ".psn/dev\n"),
        (".psn/dev/env", own.1),
    ]);
    for (hub, expected) in [
        (None, "local"),
        (Some("team"), "theirs"),
        (Some("personal"), "own"),
        (Some("hub_0123abcd-4ef"), "own"),
    ] {
        let pairs: Vec<_> = hub.map(|hub| ("PSN_HUB", hub)).into_iter().collect();
        assert_eq!(token(&load(both.path(), &pairs)).as_deref(), Some(expected), "{hub:?}");
    }
    let error = load(both.path(), &[("PSN_HUB", "nowhere")])
        .need(["PSN_URL"])
        .unwrap_err();
    assert_eq!(
        error.message,
        "`PSN_HUB` names the hub `nowhere`, and there are no files of it in `.hubs/`"
    );
    let slugs: Vec<_> = HubFiles::load(both.path())
        .joined()
        .iter()
        .map(|joined| joined.slug.clone())
        .collect();
    assert_eq!(slugs, ["team"]);
}
