//! `psn doctor`, with everything that it looks at broken once: each time it says what is wrong and how to mend it, and
//! nothing else.

use crate::place::{NEON_KEY, Place, Said, TOKEN};
use crate::site::Ill;
use psn::cli::ambient::SystemClock;
use psn::dev::emulators::cloudflare::{R2, Script};
use psn::domain::time::Millis;
use psn::ports::clock::Clock as _;
use serde_json::{Value, json};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use tokio::process::Command;

const HUB: &str = ".hubs/personal.json";
const OWN: &str = ".hubs/personal.env";
const KEYS: &str = "config/keys.env";
const WORKER: &str = "psn-personal";

/// A place with a worker that does its work, and what was told of each fault.
struct Bench {
    place: Place,
    told: Vec<String>,
    checks: Vec<String>,
}

impl Bench {
    async fn doctor(&self, change: impl FnOnce(&mut Command)) -> Said {
        let mut command = self.place.command(&["doctor", "--json"]);
        change(&mut command);
        self.place.run(&mut command).await
    }

    /// Notes what it says of a fault: the lines that are not well, and that each says how to mend it.
    fn note(&mut self, what: &str, said: Said) {
        let (code, said) = (said.code, said.json());
        let checks = said["checks"].as_array().unwrap();
        let ill: Vec<&Value> = checks.iter().filter(|one| one["status"] != "ok").collect();
        assert!(!ill.is_empty(), "{what}: {said}");
        let mut lines = vec![format!("## {what}")];
        for one in &ill {
            let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            let [check, message, mend] = ["check", "message", "mend"].map(text);
            assert!(!mend.is_empty() && !mend.contains('\n'), "{what}: {one}");
            lines.push(format!("{} {check}: {message}\n  -> {mend}", text("status")));
            self.checks.push(check);
        }
        let errors = ill.iter().filter(|one| one["status"] == "error").count();
        assert_eq!(said["errors"], json!(errors), "{what}");
        let expected = i32::from(errors > 0);
        assert_eq!(code, expected, "{what}: {said}");
        assert_eq!(said["healthy"], json!(errors == 0), "{what}");
        self.told.push(lines.join("\n") + "\n");
    }

    /// Breaks something in a file, asks, and puts it back.
    async fn file(&mut self, what: &str, path: &str, change: impl FnOnce(String) -> String) {
        let before = self.place.read(path);
        let whole = self.place.root().join(path);
        std::fs::write(&whole, change(before.clone())).unwrap();
        let said = self.doctor(|_| ()).await;
        self.note(what, said);
        std::fs::write(&whole, before).unwrap();
    }

    /// As [`Bench::file`], for lines of an env file.
    async fn set(&mut self, what: &str, path: &str, pairs: &[(&str, &str)]) {
        let before = self.place.read(path);
        self.place.set(path, pairs);
        let said = self.doctor(|_| ()).await;
        self.note(what, said);
        std::fs::write(self.place.root().join(path), before).unwrap();
    }

    async fn shell(&mut self, what: &str, name: &str, value: impl AsRef<std::ffi::OsStr>) {
        let said = self.doctor(|command| {
            command.env(name, value);
        });
        let said = said.await;
        self.note(what, said);
    }

    /// Changes what Cloudflare has of the worker, asks, and puts it back.
    async fn script(&mut self, what: &str, change: impl FnOnce(&mut Script)) {
        let before = self.place.cloudflare.script(WORKER).unwrap();
        self.place
            .cloudflare
            .world(|world| change(world.scripts.get_mut(WORKER).unwrap()));
        let said = self.doctor(|_| ()).await;
        self.note(what, said);
        self.place
            .cloudflare
            .world(|world| world.scripts.insert(WORKER.to_owned(), before));
    }

    async fn site(&mut self, what: &str, ill: Ill) {
        self.place.site.be(ill);
        let said = self.doctor(|_| ()).await;
        self.note(what, said);
        self.place.site.be(Ill::default());
    }

    /// Another token of the account, as it comes to stand in the database.
    async fn account(&mut self, what: Option<&str>, token: Value) {
        let hub: Value = serde_json::from_str(&self.place.read(HUB)).unwrap();
        let mut token = token;
        token["access_token"] = json!("the-token-of-ada");
        token["remote_user_id"] = json!("7");
        std::fs::write(self.place.root().join("token"), token.to_string()).unwrap();
        let mut import = self.place.command(&["account", "import", "x", "--file", "token"]);
        import.env("DATABASE_URL", hub["databaseUrl"].as_str().unwrap());
        self.place.run(&mut import).await.good();
        std::fs::remove_file(self.place.root().join("token")).unwrap();
        if let Some(what) = what {
            let said = self.doctor(|_| ()).await;
            self.note(what, said);
        }
    }

    async fn sql(&self, sql: &str) {
        self.place.postgres.admin_script("deployed", sql).await.unwrap();
    }
}

const GRANTED: [&str; 5] = [
    "tweet.read",
    "tweet.write",
    "users.read",
    "media.write",
    "offline.access",
];

async fn bench() -> Bench {
    let mut place = Place::new().await;
    place.begun().await;
    std::fs::create_dir(place.root().join("scripts")).unwrap();
    std::fs::write(place.root().join("scripts/setup"), "").unwrap();
    let sql_url = place.neon.sql_url();
    place.set(OWN, &[("NEON_SQL_URL", &sql_url)]);
    place.run(&mut place.deploy(&[])).await.good();
    place.site.be(Ill::default());
    Bench {
        place,
        told: Vec::new(),
        checks: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_can_be_wrong_is_found_and_can_be_mended() {
    let mut bench = bench().await;
    let fresh = bench.doctor(|_| ()).await;
    bench.note("nothing is connected yet", fresh);
    let fresh = bench.place.psn(&["doctor"]).await.good();
    bench.told.push(format!(
        "## the same, as people see it\n{}{}",
        fresh.stdout, fresh.stderr
    ));
    bench
        .account(None, json!({ "refresh_token": "the-next-token", "scopes": GRANTED }))
        .await;

    // It is well, says so, and that costs few requests.
    let (asked, queried) = (
        bench.place.cloudflare.world(|world| world.arrivals.len()),
        bench.place.neon.requests(),
    );
    let well = bench.place.psn(&["doctor"]).await.good();
    let asked = bench.place.cloudflare.world(|world| world.arrivals.len()) - asked;
    let queried = bench.place.neon.requests() - queried;
    assert!(
        asked <= 8 && queried <= 4,
        "{asked} requests to Cloudflare, {queried} to Neon"
    );
    assert!(well.stderr.contains("everything is well"), "{well:?}");
    bench.told.push(format!("## nothing\n{}{}", well.stdout, well.stderr));

    tools(&mut bench).await;
    files(&mut bench).await;
    database(&mut bench).await;
    cloudflare(&mut bench).await;
    worker(&mut bench).await;
    joined(&mut bench).await;
    // At the end everything is as it was.
    let well = bench.place.psn(&["doctor", "--json"]).await.good().json();
    assert_eq!((&well["errors"], &well["warnings"]), (&json!(0), &json!(0)), "{well}");
    let mut checks: Vec<&str> = well["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["check"].as_str().unwrap())
        .collect();
    checks.retain(|check| !bench.checks.iter().any(|broken| broken == check));
    assert_eq!(checks, [""; 0], "looked at, and never broken here");
    assert_eq!(bench.place.cloudflare.unknown(), [""; 0]);
    insta::assert_snapshot!(settled(&bench.place, &bench.told.join("\n")));
}

async fn tools(bench: &mut Bench) {
    let modules = bench.place.root().join("node_modules");
    let real = std::fs::read_link(&modules).unwrap();
    std::fs::remove_file(&modules).unwrap();
    let said = bench.doctor(|_| ()).await;
    bench.note("nobody has run `scripts/setup`", said);
    // wrangler alone, and the Node.js of the system.
    std::fs::create_dir(&modules).unwrap();
    symlink(real.join("wrangler"), modules.join("wrangler")).unwrap();
    let programs = bench.place.root().join("programs");
    std::fs::create_dir(&programs).unwrap();
    let old = programs.join("node");
    std::fs::write(&old, "#!/bin/sh\necho v18.20.4\n").unwrap();
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o755)).unwrap();
    bench
        .shell("an old Node.js, and nothing to build with", "PATH", &programs)
        .await;
    std::fs::remove_dir_all(&modules).unwrap();
    std::fs::remove_dir_all(&programs).unwrap();
    symlink(real, &modules).unwrap();
}

async fn files(bench: &mut Bench) {
    let kept = bench.place.root().join("kept");
    std::fs::rename(bench.place.root().join(".hubs"), &kept).unwrap();
    let said = bench.doctor(|_| ()).await;
    bench.note("no hub", said);
    std::fs::rename(&kept, bench.place.root().join(".hubs")).unwrap();
    let path = bench.place.root().join(KEYS);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = bench.doctor(|_| ()).await;
    bench.note("keys that others may read", said);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    bench
        .file("a hub file that is cut", HUB, |text| text[..text.len() / 2].to_owned())
        .await;
    bench
        .file("a key that is none", HUB, |text| {
            text.replacen("\"encryptionKey\": \"", "\"encryptionKey\": \"x", 1)
        })
        .await;
    bench
        .file("a line that is none", KEYS, |text| {
            format!("{text}export X_CLIENT_ID app\n")
        })
        .await;
    bench
        .file("a name that nobody knows", KEYS, |text| {
            format!("{text}X_CLIENT_SECERT=abc\n")
        })
        .await;
    bench.set("no token for callers", OWN, &[("PSN_API_TOKEN", "")]).await;
    bench
        .shell("another value in the shell", "HUB_ENCRYPTION_KEY", "0".repeat(64))
        .await;
    bench
        .shell("a value in the shell alone", "LINKEDIN_CLIENT_ID", "app-of-mine")
        .await;
    bench.shell("a hub that is not there", "PSN_HUB", "team").await;
}

async fn database(bench: &mut Bench) {
    bench.place.neon.set_down(true);
    let said = bench.doctor(|_| ()).await;
    bench.note("the database is away", said);
    bench.place.neon.set_down(false);
    bench
        .file("a database that is gone", HUB, |text| {
            text.replace("/deployed", "/absent")
        })
        .await;
    bench
        .file("no address of a database", HUB, |text| {
            text.replace("postgresql://", "https://")
        })
        .await;
    bench
        .sql("create table kept as select * from psn_migrations; delete from psn_migrations where version = 12")
        .await;
    let said = bench.doctor(|_| ()).await;
    bench.note("a migration is missing", said);
    bench
        .sql("insert into psn_migrations select * from kept where version = 12; drop table kept")
        .await;
    bench
        .account(
            Some("permissions were not given"),
            json!({ "refresh_token": "the-next-token", "scopes": ["tweet.read"] }),
        )
        .await;
    let soon = SystemClock.now() + Millis::from_secs(75 * 3_600);
    let soon = json!({ "expires_at": soon.to_rfc3339(), "scopes": GRANTED });
    bench.account(Some("an account that ends"), soon).await;
    bench
        .account(None, json!({ "refresh_token": "the-next-token", "scopes": GRANTED }))
        .await;
}

async fn cloudflare(bench: &mut Bench) {
    bench
        .set("a wrong token", KEYS, &[("CLOUDFLARE_API_TOKEN", "wrong-token")])
        .await;
    bench.set("no login", KEYS, &[("CLOUDFLARE_API_TOKEN", "")]).await;
    bench
        .set("a wrong account", KEYS, &[("CLOUDFLARE_ACCOUNT_ID", "0123")])
        .await;
    bench
        .shell("no network", "CLOUDFLARE_API_BASE_URL", "http://127.0.0.1:9/client/v4")
        .await;
    let script = bench
        .place
        .cloudflare
        .world(|world| world.scripts.remove(WORKER))
        .unwrap();
    let said = bench.doctor(|_| ()).await;
    bench.note("the worker was deleted", said);
    bench
        .place
        .cloudflare
        .world(|world| world.scripts.insert(WORKER.to_owned(), script));
    bench
        .set(
            "a secret that was not sent",
            KEYS,
            &[("X_CLIENT_SECRET", "not-sent-yet")],
        )
        .await;
    let secrets = |script: &mut Script, change: &dyn Fn(&mut std::collections::BTreeMap<String, String>)| {
        change(&mut script.versions.last_mut().unwrap().secrets);
    };
    bench
        .script("secrets that were left", |script| {
            secrets(script, &|all| {
                all.insert("TIKTOK_CLIENT_KEY".to_owned(), "a".to_owned());
                all.insert("SOMEBODY_ELSES".to_owned(), "b".to_owned());
            });
        })
        .await;
    let key = bench.place.read(OWN).replace("PSN_API_TOKEN=", "PSN_API_TOKEN=0");
    bench.file("a secret that differs", OWN, |_| key).await;
    bench
        .script("somebody else has deployed", |script| {
            let version = script.deployments.last().unwrap().1.clone();
            script.deployments.push(("of-somebody-else".to_owned(), version));
        })
        .await;
    bench
        .script("somebody went back", |script| {
            let mut older = script.versions.last().unwrap().clone();
            older.id = "older".to_owned();
            script.versions.insert(0, older);
            script.deployments.push(("went-back".to_owned(), "older".to_owned()));
        })
        .await;
    bench.script("no cron", |script| script.crons.truncate(1)).await;
    let buckets = bench.place.cloudflare.world(|world| std::mem::take(&mut world.buckets));
    let said = bench.doctor(|_| ()).await;
    bench.note("the bucket was deleted", said);
    bench.place.cloudflare.world(|world| world.buckets = buckets);
    assert_eq!(bench.place.cloudflare.world(|world| world.r2), R2::On);
}

async fn worker(bench: &mut Bench) {
    bench.set("an address that is not known", OWN, &[("PSN_URL", "")]).await;
    bench
        .set("an address where nobody is", OWN, &[("PSN_URL", "http://127.0.0.1:9")])
        .await;
    bench
        .set("an address that is none", OWN, &[("PSN_URL", "psn.example")])
        .await;
    let api = bench.place.neon_console.url().to_owned();
    bench
        .set("an address where somebody else is", OWN, &[("PSN_URL", &api)])
        .await;
    let site = |change: &dyn Fn(&mut Ill)| {
        let mut ill = Ill::default();
        change(&mut ill);
        ill
    };
    bench
        .site(
            "a worker without its secrets",
            site(&|ill| ill.lacks = vec!["DATABASE_URL", "HUB_ENCRYPTION_KEY"]),
        )
        .await;
    bench
        .site("a worker with another token", site(&|ill| ill.refuses = true))
        .await;
    bench
        .site("a worker with another key", site(&|ill| ill.other_key = true))
        .await;
    bench.site("a clock that is off", site(&|ill| ill.ahead = 45)).await;
    bench.site("a clock that is wrong", site(&|ill| ill.ahead = -600)).await;
    bench.site("paused", site(&|ill| ill.paused = true)).await;
    bench
        .site("nothing starts tasks", site(&|ill| ill.idle_minutes = 200))
        .await;
    bench
        .site(
            "a task that failed",
            site(&|ill| ill.failed = Some("the database could not be asked")),
        )
        .await;
    bench.site("nobody is told", site(&|ill| ill.tells_nobody = true)).await;
}

/// A hub that somebody else runs: there is its worker alone.
async fn joined(bench: &mut Bench) {
    let token = bench
        .place
        .read(OWN)
        .lines()
        .find_map(|line| line.strip_prefix("PSN_API_TOKEN=").map(str::to_owned));
    let (url, path) = (bench.place.site.url(), PathBuf::from(".hubs/theirs.env"));
    let path = bench.place.root().join(path);
    std::fs::write(&path, format!("PSN_URL={url}\nPSN_API_TOKEN={}\n", token.unwrap())).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let asked = bench.place.cloudflare.world(|world| world.arrivals.len());
    let well = bench.place.psn(&["doctor", "--hub", "theirs"]).await.good();
    bench
        .told
        .push(format!("## a hub that you have joined\n{}{}", well.stdout, well.stderr));
    std::fs::write(&path, format!("PSN_URL={url}\nPSN_API_TOKEN=ended-token\n")).unwrap();
    bench
        .shell(
            "a hub that you have joined, and that has removed you",
            "PSN_HUB",
            "theirs",
        )
        .await;
    assert_eq!(bench.place.cloudflare.world(|world| world.arrivals.len()), asked);
    std::fs::remove_file(&path).unwrap();
}

/// Without what differs from run to run.
fn settled(place: &Place, text: &str) -> String {
    let text = text
        .replace(&place.root().display().to_string(), "CLONE")
        .replace(&place.site.url(), "SITE");
    let text = text
        .replace(place.neon_console.url(), "SOMEBODY")
        .replace(&std::env::var("PATH").unwrap_or_default(), "PATH");
    let mut out = String::new();
    for line in text.lines() {
        let words = line.split(' ').map(|word| {
            let core = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
            let is_version = core.starts_with("0.1.0+")
                || core.split('.').count() == 3 && core.starts_with(|c: char| c.is_ascii_digit());
            let is_key = core.len() == 8 && core.bytes().all(|b| b.is_ascii_hexdigit());
            match () {
                () if is_version && core != "18.20.4" => word.replace(core, "VERSION"),
                () if is_key => word.replace(core, "KEY"),
                () => word.to_owned(),
            }
        });
        out.push_str(words.collect::<Vec<_>>().join(" ").trim_end());
        out.push('\n');
    }
    assert!(!out.contains(TOKEN) && !out.contains(NEON_KEY));
    out
}
