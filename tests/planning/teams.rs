//! Hubs and teams over the API: what the legacy program got wrong (F-30, F-34, F-37), and that a leaver is out at once.

use crate::bench::{Answer, Bench, Client};
use crate::support::KEY;
use psn::dev::neon::{NeonEndpoint, NeonOptions};
use psn::domain::time::Millis;
use serde_json::{Value, json};

async fn hub(bench: &Bench) -> String {
    let made = bench
        .ada
        .post("/v1/hubs", json!({"slug": "team", "name": "The team"}))
        .await;
    assert_eq!(made.status, 201, "{:#}", made.body);
    made.body["id"].as_str().unwrap().to_owned()
}

async fn invite(client: &Client, hub: &str, body: Value) -> String {
    let made = client.post(&format!("/v1/hubs/{hub}/invites"), body).await.ok();
    made["code"].as_str().unwrap().to_owned()
}

async fn join(bench: &Bench, code: &str, user: &str) -> Answer {
    let nobody = bench.ada.showing(None);
    nobody.post("/v1/join", json!({"code": code, "user": user})).await
}

async fn joined(bench: &Bench, code: &str, user: &str) -> Client {
    let answer = join(bench, code, user).await.ok();
    bench.ada.showing(answer["token"].as_str())
}

/// F-34: whoever joins gets a token of their own, and nothing that opens a database or a sealed value.
#[tokio::test]
async fn whoever_joins_gets_a_token_and_no_key() {
    let bench = Bench::new("team_joins").await;
    let hub = hub(&bench).await;
    let path = format!("/v1/hubs/{hub}");
    // Asked again it is the same hub.
    assert_eq!(self::hub(&bench).await, hub);
    let made = bench.ada.post(&format!("{path}/invites"), json!({})).await.ok();
    let code = made["code"].as_str().unwrap().to_owned();
    assert_eq!(made["path"], format!("/join#{code}"));
    let nobody = bench.ada.showing(None);
    let wanted = json!({"code": code, "user": "bob", "name": "Bob B."});
    let answer = nobody.post("/v1/join", wanted.clone()).await.ok();
    for text in [made.to_string(), answer.to_string()] {
        assert!(!text.contains("postgres") && !text.contains(KEY), "{text}");
    }
    assert_eq!(answer["hub"], json!({"id": hub, "slug": "team", "name": "The team"}));
    assert_eq!((&answer["user"], &answer["role"]), (&json!("bob"), &json!("member")));
    let kept = bench.stage.ask("select string_agg(code, ' ') from invite_codes").await;
    assert!(!kept.contains(&code), "only a digest is kept");

    let bob = bench.ada.showing(answer["token"].as_str());
    let hubs = bob.get("/v1/hubs").await.ok();
    assert_eq!(
        (&hubs["items"][0]["user"], &hubs["items"][0]["members"]),
        (&json!("bob"), &json!(2))
    );
    let members = bob.get(&format!("{path}/members")).await.ok();
    let named = |n: usize| (members["items"][n]["user"].clone(), members["items"][n]["role"].clone());
    assert_eq!(named(0), (json!("bob"), json!("member")));
    assert_eq!(named(1), (json!("default"), json!("admin")));
    // His posts are his, and the founder's are not.
    let mine = bob.post("/v1/ideas", json!({"title": "mine"})).await.ok();
    let of_ada = bench
        .ada
        .get(&format!("/v1/ideas/{}", mine["id"].as_str().unwrap()))
        .await;
    assert_eq!(of_ada.status, 404);

    // F-37: the code is good once. He himself may ask again only with the token that he made.
    assert_eq!(join(&bench, &code, "eve").await.status, 409);
    assert_eq!(nobody.post("/v1/join", wanted).await.status, 409);
    let token = format!("psn_{}", "A".repeat(43));
    let other = invite(&bench.ada, &hub, json!({})).await;
    let wanted = json!({"code": other, "user": "carl", "token": token});
    for _ in 0..2 {
        let answer = nobody.post("/v1/join", wanted.clone()).await.ok();
        assert_eq!(answer["token"], token);
    }
    assert_eq!(bench.ada.showing(Some(&token)).get("/v1/hubs").await.status, 200);
    let tokens = bench
        .stage
        .ask("select count(*) from psn_api_tokens where user_id = 'carl'")
        .await;
    assert_eq!(tokens, "1");
    let invites = bench.ada.get(&format!("{path}/invites")).await.ok();
    assert!(!invites.to_string().contains(&other));
    // Both were made in one instant: neither is the newer one.
    let mut used: Vec<&str> = invites["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["used_by"].as_str())
        .collect();
    used.sort_unstable();
    assert_eq!(used, ["bob", "carl"]);
}

/// F-30: a person has a name, and nobody takes another's.
#[tokio::test]
async fn nobody_takes_anothers_name() {
    let bench = Bench::new("team_names").await;
    let hub = hub(&bench).await;
    let code = invite(&bench.ada, &hub, json!({})).await;
    for name in [
        "default",
        "psn",
        "Bob",
        "a",
        hub.as_str(),
        "../x",
        "x'; drop table posts; --",
    ] {
        let refused = join(&bench, &code, name).await;
        assert_eq!(
            (refused.status, refused.body["errors"][0]["field"].as_str()),
            (422, Some("user")),
            "{name}"
        );
    }
    // Rows of a former user count as much as a member.
    bench
        .stage
        .ask("insert into posts (user_id, platform, content) values ('eve', 'x', 'hers') returning 1")
        .await;
    let taken = "422 [user] this name belongs to somebody here: take another, or, if it is you, ask an admin for an invite for \
        this name";
    assert_eq!(join(&bench, &code, "eve").await.refusal(), taken);
    // Nothing of that has used the code up.
    joined(&bench, &code, "bob").await;
    let code = invite(&bench.ada, &hub, json!({})).await;
    assert_eq!(join(&bench, &code, "bob").await.refusal(), taken);
    // Of two who choose one name at once, one gets it.
    let other = invite(&bench.ada, &hub, json!({})).await;
    let (one, two) = tokio::join!(join(&bench, &code, "carl"), join(&bench, &other, "carl"));
    let mut both = [one.status, two.status];
    both.sort_unstable();
    assert_eq!(both, [201, 422]);
    // Nobody who does not belong learns of the hub.
    let dora = bench.user("dora");
    for path in ["members", "invites"] {
        assert_eq!(dora.get(&format!("/v1/hubs/{hub}/{path}")).await.status, 404);
    }
    let refused = bench
        .ada
        .post(&format!("/v1/hubs/{hub}/invites"), json!({"user": "default"}))
        .await;
    assert_eq!(refused.status, 422);
}

/// F-37: two people never come in with one code.
#[tokio::test]
async fn of_many_who_present_a_code_at_once_one_joins() {
    let bench = Bench::new("team_race").await;
    let hub = hub(&bench).await;
    let code = invite(&bench.ada, &hub, json!({})).await;
    let names: Vec<String> = (0..6).map(|n| format!("guest{n}")).collect();
    let all = futures_util::future::join_all(names.iter().map(|name| join(&bench, &code, name))).await;
    let in_count = all.iter().filter(|answer| answer.status == 201).count();
    let used_count = all.iter().filter(|answer| answer.status == 409).count();
    assert_eq!((in_count, used_count), (1, 5));
    let rows =
        "select (select count(*) from team_members where user_id like 'guest%'), (select count(*) from psn_api_tokens)";
    assert_eq!(bench.stage.ask(rows).await, "1|1");
}

#[tokio::test]
async fn a_leaver_is_out_at_once_and_comes_back_by_name() {
    let bench = Bench::new("team_leaves").await;
    let hub = hub(&bench).await;
    let path = format!("/v1/hubs/{hub}");
    let bob = joined(&bench, &invite(&bench.ada, &hub, json!({})).await, "bob").await;
    let member = |user: &str| format!("{path}/members/{user}");
    // A member sends nobody away, makes nobody an admin, and invites nobody.
    assert_eq!(bob.delete(&member("default")).await.status, 403);
    assert_eq!(bob.patch(&member("bob"), json!({"role": "admin"})).await.status, 403);
    assert_eq!(bob.post(&format!("{path}/invites"), json!({})).await.status, 403);

    let gone = bench.ada.delete(&member("bob")).await.ok();
    assert_eq!(gone["left_at"], "2026-11-23T09:00:00.000Z");
    assert_eq!(
        bob.get("/v1/hubs").await.status,
        401,
        "the token ended with the membership"
    );
    assert_eq!(bench.ada.delete(&member("bob")).await.status, 404);
    // Under his name nobody comes in but with an invite for it.
    let open = invite(&bench.ada, &hub, json!({})).await;
    assert_eq!(join(&bench, &open, "bob").await.status, 422);
    let his = invite(&bench.ada, &hub, json!({"user": "bob"})).await;
    assert_eq!(
        join(&bench, &his, "eve").await.refusal(),
        "409 [] this invite is for another name: give the one that it was made for as `user`"
    );
    let again = joined(&bench, &his, "bob").await;
    assert_eq!(again.get("/v1/hubs").await.status, 200);
    assert_eq!(bob.get("/v1/hubs").await.status, 401, "the old token stays dead");

    // An admin needs a token that may: an invite for their name gives it, also to whoever lost theirs.
    bench.ada.patch(&member("bob"), json!({"role": "admin"})).await.ok();
    let refused = again.post(&format!("{path}/invites"), json!({})).await;
    assert!(refused.refusal().contains("the scope `admin`"), "{}", refused.refusal());
    let admin = joined(&bench, &invite(&bench.ada, &hub, json!({"user": "bob"})).await, "bob").await;
    let of_bob = invite(&admin, &hub, json!({})).await;
    // What somebody handed out who is no admin any more lets nobody in.
    bench.ada.patch(&member("bob"), json!({"role": "member"})).await.ok();
    assert!(join(&bench, &of_bob, "eve").await.refusal().contains("no admin now"));
    let last = "409 [] this is the only admin of the hub, and a hub keeps one: make somebody else an admin first";
    assert_eq!(bench.ada.delete(&member("default")).await.refusal(), last);
    assert_eq!(
        bench
            .ada
            .patch(&member("default"), json!({"role": "member"}))
            .await
            .refusal(),
        last
    );
    // He leaves by himself.
    again.delete(&member("bob")).await.ok();
    assert_eq!(again.get("/v1/hubs").await.status, 401);
}

#[tokio::test]
async fn invites_end_are_withdrawn_and_cannot_be_guessed() {
    let bench = Bench::new("team_invites").await;
    let hub = hub(&bench).await;
    let path = format!("/v1/hubs/{hub}/invites");
    let made = bench.ada.post(&path, json!({"hours": 4})).await.ok();
    let code = made["code"].as_str().unwrap();
    let withdrawn = bench.ada.post(&path, json!({})).await.ok();
    let of_it = format!("{path}/{}", withdrawn["id"].as_str().unwrap());
    assert_eq!(bench.ada.delete(&of_it).await.status, 204);
    assert_eq!(bench.ada.delete(&of_it).await.status, 404);
    assert_eq!(
        join(&bench, withdrawn["code"].as_str().unwrap(), "bob").await.status,
        404
    );
    for (body, field) in [
        (json!({"hours": 0}), "hours"),
        (json!({"hours": 1_000}), "hours"),
        (json!({"user": "A B"}), "user"),
        (json!({"until": "tomorrow"}), "until"),
    ] {
        let refused = bench.ada.post(&path, body).await;
        assert_eq!(
            (refused.status, refused.body["errors"][0]["field"].as_str()),
            (422, Some(field))
        );
    }
    bench.stage.world.advance(Millis::from_secs(4 * 3_600));
    assert_eq!(join(&bench, code, "bob").await.status, 409);
    assert_eq!(bench.ada.get(&path).await.ok()["items"][0]["state"], "expired");

    // What is no code does not count; what may be one does.
    assert_eq!(join(&bench, "123", "bob").await.status, 422);
    let guess = "0123456789abcdef0123456789abcdef";
    let mut tries = 0;
    let refused = loop {
        let answer = join(&bench, guess, "bob").await;
        tries += 1;
        if answer.status != 404 {
            break answer;
        }
    };
    assert_eq!((tries, refused.status), (20, 429), "{:#}", refused.body);
    bench.stage.world.advance(Millis::from_secs(3_600));
    assert_eq!(join(&bench, guess, "bob").await.status, 404);
}

/// Whoever has a token joins another hub of the same worker with it.
#[tokio::test]
async fn somebody_who_is_here_already_joins_with_their_token() {
    let bench = Bench::new("team_second").await;
    let hub = hub(&bench).await;
    let bob = joined(&bench, &invite(&bench.ada, &hub, json!({})).await, "bob").await;
    let dora = bench.user("dora");
    let second = dora.post("/v1/hubs", json!({"slug": "team"})).await.ok();
    let second = second["id"].as_str().unwrap();
    assert_ne!(second, hub, "the same slug of somebody else is another hub");
    let code = invite(&dora, second, json!({})).await;
    let named = bob.post("/v1/join", json!({"code": code, "user": "eve"})).await;
    assert_eq!(named.status, 422);
    let answer = bob.post("/v1/join", json!({"code": code})).await.ok();
    assert_eq!((&answer["token"], &answer["user"]), (&Value::Null, &json!("bob")));
    assert_eq!(bob.get("/v1/hubs").await.ok()["items"].as_array().unwrap().len(), 2);
    // He leaves one of two: his token stays, and he sees no more of that hub.
    dora.delete(&format!("/v1/hubs/{second}/members/bob")).await.ok();
    assert_eq!(bob.get("/v1/hubs").await.ok()["items"].as_array().unwrap().len(), 1);
    assert_eq!(bob.get(&format!("/v1/hubs/{second}/members")).await.status, 404);
    let refused = bench
        .ada
        .showing(Some("psn_nonsense"))
        .post("/v1/join", json!({"code": code}))
        .await;
    assert_eq!(refused.status, 401);
}

/// F-35 and F-36: each hub has a key of its own, its slug is a plain name, and no file that is there is overwritten.
#[tokio::test]
async fn a_hub_is_made_with_a_key_of_its_own() {
    let server = crate::support::postgres().await;
    let endpoint = NeonEndpoint::start(NeonOptions::local(server.port())).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_owned();
    let psn = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_psn"));
        command
            .args(arguments)
            .env_clear()
            .env("PSN_ROOT", &root)
            .env("NEON_SQL_URL", endpoint.sql_url());
        tokio::task::spawn_blocking(move || {
            let output = command.output().unwrap();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            (
                output.status.code().unwrap(),
                text(&output.stdout),
                text(&output.stderr),
            )
        })
    };
    for slug in ["../x", "My-Team", "-a", ""] {
        let (code, _, said) = psn(&["hub", "create", slug]).await.unwrap();
        assert_eq!(code, 2, "{slug}: {said}");
    }
    assert!(!root.join(".hubs").exists());
    let mut keys = Vec::new();
    for slug in ["one", "two"] {
        let url = server.create_database(&format!("hub_{slug}"), None).await.unwrap();
        let file = root.join("url");
        std::fs::write(&file, &url).unwrap();
        let file = file.to_str().unwrap();
        let (code, out, said) = psn(&[
            "hub",
            "create",
            slug,
            "--name",
            "A hub",
            "--database",
            file,
            "--admin",
            "ada",
            "--json",
        ])
        .await
        .unwrap();
        assert_eq!(code, 0, "{said}");
        assert!(!out.contains("postgres") && !said.contains(&url), "{out} {said}");
        let path = root.join(format!(".hubs/{slug}.json"));
        let text = std::fs::read_to_string(&path).unwrap();
        let hub: Value = serde_json::from_str(&text).unwrap();
        keys.push(hub["encryptionKey"].as_str().unwrap().to_owned());
        let member = "select user_id, hub_id, role from team_members";
        let rows = server.owner_script(&format!("hub_{slug}"), member).await.unwrap();
        let id = hub["hubId"].as_str().unwrap().to_owned();
        assert_eq!(rows, [["ada".to_owned(), id, "admin".to_owned()].map(Some)]);
        // Again: the file stays, and nobody else becomes its admin.
        assert_eq!(psn(&["hub", "create", slug, "--json"]).await.unwrap().0, 0);
        assert_eq!(psn(&["hub", "create", slug, "--admin", "eve"]).await.unwrap().0, 1);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
    assert_ne!(keys[0], keys[1]);
    let (code, listed, _) = psn(&["hub", "list", "--json"]).await.unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((code, listed["items"].as_array().unwrap().len()), (0, 2), "{listed}");
    assert!(
        keys.iter()
            .all(|key| key.len() == 64 && !listed.to_string().contains(key))
    );
}
