//! `psn account connect` from a clean database to a stored account: the real program, a real Postgres, the emulated X, and
//! whoever answers at the other end: a browser, a person who pastes, an assistant, an attacker.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests; a skipped one says why")]

#[path = "connect/browser.rs"]
mod browser;
#[path = "connect/exchanges.rs"]
mod exchanges;
#[path = "connect/place.rs"]
mod place;
#[path = "support/secrets.rs"]
mod secrets;
#[path = "connect/stack.rs"]
mod stack;

use place::{Place, Program};
use psn::dev::emulators::instagram::Instagram;
use psn::dev::emulators::linkedin::LinkedIn;
use psn::dev::emulators::tiktok::TikTok;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use tokio::net::TcpListener;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_command_and_one_click() {
    let place = Place::new("one_click").await;
    let program = place.psn(&["account", "connect", "x", "--no-browser", "--json"]);
    let (program, url) = program.address().await;
    assert!(
        url.contains("code_challenge_method=S256") && !url.contains("code_verifier"),
        "{url}"
    );
    // Attacks while it waits end nothing.
    let callback = place.redirect();
    for (target, status) in [
        (format!("{callback}?code=evil&state=other"), 403),
        (format!("{callback}?error=access_denied"), 403),
        (place.wait_for_state(&url, "?state="), 400),
    ] {
        assert_eq!(place.browse(&target).await.0, status, "{target}");
    }
    let back = place.decide(&url, "allow").await;
    let (status, page) = place.browse(&back).await;
    assert_eq!(status, 200, "{page}");
    assert!(
        page.contains("X: @ada is connected") && page.contains("go back to the terminal"),
        "{page}"
    );
    let said = program.end().await;
    assert_eq!(said.code, 0, "{said:?}");
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(document["account"]["username"], "ada");
    assert_eq!(document["account"]["remote_user_id"], "7");
    assert_eq!(document["renewable"], true);
    assert_eq!(document["missing_scopes"], serde_json::json!([]));
    // The server is closed.
    TcpListener::bind(("127.0.0.1", place.port)).await.unwrap();

    // Stored sealed, and nothing of it was said.
    let stored = place
        .owner("select access_token, refresh_token, scopes from oauth_tokens")
        .await;
    assert!(stored.starts_with("psn1:") && stored.contains("|psn1:"), "{stored}");
    assert!(stored.ends_with("tweet.read,tweet.write,users.read,media.write,offline.access"));
    place.assert_no_secret_in(&said);

    // Connected again, it is the same row; then it is taken away, on the platform too.
    let (program, url) = place.psn(&["account", "connect", "x", "--no-browser"]).address().await;
    let back = place.decide(&url, "allow").await;
    place.browse(&back).await;
    let said = program.end().await;
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.stderr
            .contains("X: @ada is connected; its tokens are renewed by themselves"),
        "{said:?}"
    );
    assert_eq!(place.owner("select count(*) from oauth_tokens").await, "1");
    let list = place.psn(&["account", "list"]).end().await;
    assert_eq!(list.code, 0);
    let id = document["account"]["id"].as_str().unwrap();
    insta::assert_snapshot!("list", list.stdout.replace(id, "ID"));
    let refused = place.psn(&["account", "disconnect", "x"]).end().await;
    assert_eq!(refused.code, 2, "nobody confirmed: {refused:?}");
    let unknown = place.psn(&["account", "disconnect", "@nobody", "--yes"]).end().await;
    insta::assert_snapshot!("unknown_account", unknown.stderr.replace(id, "ID"));
    let gone = place.psn(&["account", "disconnect", "@ada", "--yes"]).end().await;
    insta::assert_snapshot!(
        "disconnected",
        format!("{}{}", gone.stdout, gone.stderr).replace(id, "ID")
    );
    assert_eq!(place.owner("select count(*) from oauth_tokens").await, "0");
    let calls = place.x.ledger().oauth.calls;
    assert!(
        calls
            .iter()
            .any(|call| call.grant == "revoke" && call.outcome == "revoked"),
        "{calls:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_platforms() {
    let place = Place::new("others").await;
    let mut said = Vec::new();
    said.push(
        place
            .connect_at::<LinkedIn>("linkedin", ["LINKEDIN_CLIENT_ID", "LINKEDIN_CLIENT_SECRET"], "AbC-1")
            .await,
    );
    said.push(
        place
            .connect_at::<Instagram>(
                "instagram",
                ["INSTAGRAM_APP_ID", "INSTAGRAM_APP_SECRET"],
                "17841400000000001",
            )
            .await,
    );
    said.push(
        place
            .connect_at::<TikTok>("tiktok", ["TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET"], "open-id-1")
            .await,
    );
    insta::assert_snapshot!("other_platforms", said.join("\n"));
    // Under the keys that the legacy program reads, LinkedIn's as a URN.
    let metadata = "select string_agg(metadata ->> key, ' ' order by platform) from oauth_tokens, \
        unnest(array['personUrn', 'accountId', 'openId']) key where metadata ->> key is not null";
    assert_eq!(
        place.owner(metadata).await,
        "17841400000000001 urn:li:person:AbC-1 open-id-1"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_interrupted_and_misconfigured() {
    let place = Place::new("refused").await;
    let (program, url) = place.psn(&["account", "connect", "x", "--no-browser"]).address().await;
    let back = place.decide(&url, "refuse").await;
    let (status, page) = place.browse(&back).await;
    assert!(status == 200 && page.contains("X was not connected"), "{page}");
    let refused = program.end().await;
    assert_eq!(refused.code, 1);

    let (program, _) = place.psn(&["account", "connect", "x", "--no-browser"]).address().await;
    program.interrupt();
    let interrupted = program.end().await;
    assert_eq!(interrupted.code, 1);
    TcpListener::bind(("127.0.0.1", place.port)).await.unwrap();

    // A code that the platform does not know.
    let (program, url) = place.psn(&["account", "connect", "x", "--no-browser"]).address().await;
    let (_, page) = place.browse(&place.wait_for_state(&url, "?code=none&state=")).await;
    assert!(page.contains("X was not connected"), "{page}");
    let dead = program.end().await;
    assert_eq!(dead.code, 1);

    let lacking = place
        .psn(&["account", "connect", "x", "--scopes", "tweet.read,users.read"])
        .end()
        .await;
    let address = place
        .psn(&["account", "connect", "x", "--redirect-uri", "localhost/x"])
        .end()
        .await;
    let no_app = place.psn(&["account", "connect", "tiktok"]).end().await;
    let nowhere = place.psn(&["account", "connect", "mastodon"]).end().await;
    let last = |said: &str| {
        said.split("\nerror: ")
            .last()
            .unwrap()
            .trim_start_matches("error: ")
            .to_owned()
    };
    let said = [refused, interrupted, dead, lacking, address, no_app, nowhere];
    let said: Vec<String> = said
        .iter()
        .map(|said| format!("{}: {}", said.code, last(&said.stderr)))
        .collect();
    insta::assert_snapshot!("failures", said.join("\n---\n"));
    assert_eq!(place.owner("select count(*) from oauth_tokens").await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pasted_where_nothing_can_listen() {
    let place = Place::new("pasted").await;
    let taken = TcpListener::bind(("127.0.0.1", place.port)).await.unwrap();
    let program = place.psn_with(&["account", "connect", "x"], &[("SSH_CLIENT", "192.0.2.1 5 22")], true);
    let (mut program, url) = program.address().await;
    let back = place.decide(&url, "allow").await;
    program.type_line("http://127.0.0.1/callback?code=c&state=other").await;
    program.type_line("nothing like it").await;
    program.type_line("yes").await;
    program.type_line(&back).await;
    let said = program.end().await;
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("another program has it") && said.stderr.contains("answers another question"));
    place.assert_no_secret_in(&said);
    // Without anybody to paste it says so at once.
    let said = place.psn(&["account", "connect", "x"]).end().await;
    assert_eq!(said.code, 1);
    assert!(
        said.stderr.contains("nothing listens here, and stdin has ended"),
        "{said:?}"
    );
    drop(taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_comes() {
    let place = Place::new("nobody").await;
    let program = place.psn(&["account", "connect", "x", "--no-browser", "--timeout", "1"]);
    let (program, _) = program.address().await;
    assert!(
        TcpListener::bind(("127.0.0.1", place.port)).await.is_err(),
        "it listens"
    );
    let said = program.end().await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stderr
            .contains("error: nobody consented at X within 1 s: nothing was connected\n\nhint: run"),
        "{said:?}"
    );
    assert!(
        !said.stderr.contains("waiting for your consent"),
        "no terminal reads: {said:?}"
    );
    TcpListener::bind(("127.0.0.1", place.port)).await.unwrap();

    // On a terminal what is left is counted, on one line. A browser is opened, so that nobody is asked to paste.
    let opener = place.root().join("xdg-open");
    std::fs::write(&opener, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::copy(&opener, place.root().join("open")).unwrap();
    let path = format!("{}:/bin", place.root().display());
    let more = [("DISPLAY", ":0"), ("PATH", path.as_str())];
    let (code, shown) = place.on_a_terminal(&["account", "connect", "x", "--timeout", "2"], &more);
    assert_eq!(code, 1, "{shown}");
    for left in ["0:02", "0:01"] {
        let line = format!("\r\u{1b}[Kwaiting for your consent: {left} left (Ctrl-C ends it) ");
        assert!(shown.contains(&line), "{shown:?}");
    }
    assert!(
        shown.contains("\r\u{1b}[K\u{1b}[1;31merror:\u{1b}[0m nobody consented"),
        "{shown:?}"
    );
    assert_eq!(place.owner("select count(*) from oauth_tokens").await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_what_the_legacy_program_left() {
    let place = Place::new("legacy").await;
    let (program, url) = place.psn(&["account", "connect", "x", "--no-browser"]).address().await;
    place.browse(&place.decide(&url, "allow").await).await;
    assert_eq!(program.end().await.code, 0);
    // A row that names nobody, as the legacy program writes it for X.
    place
        .owner(
            "insert into oauth_tokens (user_id, platform, access_token, metadata) \
             select user_id, platform, access_token, '{}' from oauth_tokens",
        )
        .await;
    let stray = place.owner("select id from oauth_tokens where metadata = '{}'").await;
    let (program, url) = place.psn(&["account", "connect", "x", "--no-browser"]).address().await;
    place.browse(&place.decide(&url, "allow").await).await;
    let said = program.end().await;
    assert_eq!(said.code, 0);
    let warning = said
        .stderr
        .lines()
        .find(|line| line.starts_with("warning: row"))
        .unwrap();
    let mut all = vec![warning.replace(&stray, "STRAY")];

    // A key that sealed nothing here, and a token that has ended.
    let other = [("HUB_ENCRYPTION_KEY", "ab".repeat(32))];
    let other: Vec<(&str, &str)> = other.iter().map(|(name, key)| (*name, key.as_str())).collect();
    let connect = place.psn_with(&["account", "connect", "x", "--no-wait"], &other, false);
    let import = |expires: &str, more: &str| {
        let file = place.root().join("token.json");
        let token = format!(
            "{{\"access_token\": \"an-imported-token\", \"remote_user_id\": \"8\", \"expires_at\": \"{expires}\"{more}}}"
        );
        std::fs::write(&file, token).unwrap();
        ["account", "import", "x", "--file", "token.json"]
    };
    let with_key = place.psn_with(&import("2099-01-01T00:00:00Z", ""), &other, false);
    for program in [connect, with_key] {
        let said = program.end().await;
        all.push(format!("{}: {}{}", said.code, said.stdout, said.stderr));
    }
    let said = place.psn(&import("2020-01-01T00:00:00Z", "")).end().await;
    let days = said
        .stderr
        .split(" days ago")
        .next()
        .unwrap()
        .rsplit(' ')
        .next()
        .unwrap()
        .to_owned();
    all.push(format!("{}: {}", said.code, said.stderr.replace(&days, "N")));
    assert_eq!(
        place.owner("select count(*) from oauth_tokens").await,
        "2",
        "nothing was stored"
    );
    insta::assert_snapshot!("beside_legacy", all.join("\n---\n"));
    // What can be renewed is of use.
    let said = place
        .psn(&import(
            "2020-01-01T00:00:00Z",
            ", \"refresh_token\": \"an-imported-one\"",
        ))
        .end()
        .await;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(place.owner("select count(*) from oauth_tokens").await, "3");

    // By its name, with and without the sign.
    for name in ["ADA", "@Ada"] {
        let said = place.psn(&["account", "disconnect", name]).end().await;
        assert!(said.stderr.contains("this disconnects X: @ada ("), "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assistant_asks_and_finishes_later() {
    let place = Place::new("assistant").await;
    let asked = place
        .psn(&["account", "connect", "x", "--no-wait", "--json"])
        .end()
        .await;
    assert_eq!(asked.code, 0, "{asked:?}");
    let document: Value = serde_json::from_str(&asked.stdout).unwrap();
    let url = document["authorize_url"].as_str().unwrap();
    let kept: Vec<_> = std::fs::read_dir(place.root().join(".hubs/state")).unwrap().collect();
    let file = kept[0].as_ref().unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let stored: Value = serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
    let verifier = stored["verifier"].as_str().unwrap();
    assert!(verifier.len() >= 43 && !asked.stdout.contains(verifier) && !asked.stderr.contains(verifier));

    let back = place.decide(url, "allow").await;
    let wrong = place
        .psn(&[
            "account",
            "connect",
            "x",
            "--complete",
            "http://127.0.0.1/callback?code=c&state=other",
        ])
        .end()
        .await;
    assert_eq!(wrong.code, 2, "{wrong:?}");
    let mut program = place.psn_with(&["account", "connect", "x", "--complete", "-", "--json"], &[], true);
    program.type_line(&back).await;
    let done = program.end().await;
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(
        serde_json::from_str::<Value>(&done.stdout).unwrap()["account"]["username"],
        "ada"
    );
    place.assert_no_secret_in(&done);
    // The worker was not to take that answer, and one that is away takes none: the question stays open.
    let asked = place.psn(&["account", "connect", "x", "--no-wait"]).end().await;
    assert_eq!(asked.code, 0, "{asked:?}");
    let away = [("PSN_URL", "http://127.0.0.1:1"), ("PSN_API_TOKEN", "t")];
    let said = place
        .psn_with(&["account", "connect", "x", "--complete", "worker"], &away, false)
        .end()
        .await;
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("the worker waits for no answer"), "{said:?}");
    assert_eq!(std::fs::read_dir(place.root().join(".hubs/state")).unwrap().count(), 1);
    std::fs::remove_dir_all(place.root().join(".hubs/state")).unwrap();
    // A question is answered once.
    let again = place.psn(&["account", "connect", "x", "--complete", &back]).end().await;
    assert_eq!(again.code, 2);
    insta::assert_snapshot!("answered_twice", again.stderr);
    assert!(!place.root().join(".hubs/state").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_browser() {
    let Some(chromium) = browser::find() else { return };
    let place = Place::new("browser").await;
    let opener = browser::Opener::new(&chromium);
    let path = format!("{}:{}", opener.folder().display(), std::env::var("PATH").unwrap());
    // A screen is claimed, so that the browser is opened; headless it needs none.
    let program = place.psn_with(
        &["account", "connect", "x"],
        &[("DISPLAY", ":0"), ("PATH", &path)],
        false,
    );
    let said: place::Said = Program::end(program).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("Your browser asks for consent at X"), "{said:?}");
    place.assert_no_secret_in(&said);
    let seen = opener.seen().await;
    assert_eq!(seen["title"], "psn: X: @ada is connected", "{seen}");
    assert!(
        seen["text"]
            .as_str()
            .unwrap()
            .contains("You can close this tab and go back to the terminal.")
    );
    assert_eq!(
        seen["complaints"],
        serde_json::json!([]),
        "the page breaks no rule of its own"
    );
    assert_eq!(seen["font"], "17px", "its style is let through");
    let own = [
        place.x.url().to_owned(),
        place.x.second_url().to_owned(),
        place.redirect(),
    ];
    for address in seen["requests"].as_array().unwrap() {
        let address = address.as_str().unwrap();
        let favicon = address.ends_with("/favicon.ico");
        assert!(
            favicon || own.iter().any(|own| address.starts_with(own)),
            "{address} is asked for"
        );
    }
    assert_eq!(seen["overflow"], false, "it fits a phone");
}
