//! Moving over from the other program and back, with its rows as it leaves them.

use crate::bench::Bench;
use psn::domain::time::Millis;
use psn::tasks::watchdog;
use serde_json::{Value, json};

const HOUR: Millis = Millis(3_600_000);
const LATER: &str = "11111111-1111-4111-8111-111111111111";
const HALF: &str = "22222222-2222-4222-8222-222222222222";
const GIVEN_UP: &str = "33333333-3333-4333-8333-333333333333";
const OUT: &str = "44444444-4444-4444-8444-444444444444";

/// The rows: one for later, one half out, one given up half way, one that is out.
async fn legacy_rows(bench: &Bench) {
    // The first part of the half one, published with this program's help, which forgets it.
    let first = json!({"platform": "x", "content": "One of two", "publish": "now"});
    let helper = bench.ada.post("/v1/posts", first).await.ok()["posts"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    bench.stage.world.run_for(Millis(60_000)).await;
    let id = bench
        .stage
        .ask(&format!("select external_post_id from posts where id = '{helper}'"))
        .await;
    bench
        .stage
        .ask(&format!("delete from posts where id = '{helper}' returning 1"))
        .await;
    bench.stage.world.forget_index();
    let inner = format!(r#"{{"posted":1,"total":2,"lastPostedId":"{id}","tweetIds":["{id}"]}}"#);
    let progress = json!({ "threadProgress": inner });
    let sql = format!(
        "insert into posts (id, user_id, platform, content, status, sub_status, fail_reason, trigger_run_id, scheduled_at, \
           metadata, created_at, updated_at) values \
         ('{LATER}', 'default', 'x', 'For later', 'scheduled', null, null, 'run_later', '2026-11-23T12:00Z', null, \
           '2026-11-20Z', '2026-11-20Z'), \
         ('{HALF}', 'default', 'x', '[\"One of two\", \"Two of two\"]', 'partially_posted', 'thread_partial', \
           'thread_halted_mid_publish', 'run_half', '2026-11-22T12:00Z', $m${progress}$m$, '2026-11-20Z', '2026-11-22T12:05Z'), \
         ('{GIVEN_UP}', 'default', 'x', '[\"Three\", \"Four\"]', 'failed', null, 'watchdog_timeout', 'run_up', \
           '2026-11-22T12:00Z', $m${progress}$m$, '2026-11-20Z', '2026-11-22T12:05Z'), \
         ('{OUT}', 'default', 'x', 'Out', 'published', null, null, 'run_out', '2026-11-22T12:00Z', null, '2026-11-20Z', \
           '2026-11-22T12:05Z') returning 1"
    );
    assert_eq!(bench.stage.ask(&sql).await, "1");
}

async fn step(bench: &Bench, action: &str) -> Value {
    bench.ada.post("/v1/takeover", json!({ "action": action })).await.ok()
}

fn ids(rows: &Value) -> Vec<&str> {
    rows.as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_str().unwrap())
        .collect()
}

async fn row(bench: &Bench, id: &str) -> String {
    let sql = format!(
        "select status, sub_status, fail_reason, trigger_run_id, scheduled_at at time zone 'UTC', \
         metadata ->> 'threadProgress', (metadata -> 'psn' -> 'handed_back') is not null from posts where id = '{id}'"
    );
    bench.stage.ask(&sql).await
}

/// What is out beside that first part.
fn published(bench: &Bench) -> Vec<String> {
    let entries = bench.stage.x.ledger().entries;
    assert_eq!(entries[0].text, "One of two");
    entries.into_iter().skip(1).map(|entry| entry.text).collect()
}

#[tokio::test]
async fn what_is_left_is_gone_on_with_at_its_time() {
    let bench = Bench::new("takeover").await;
    legacy_rows(&bench).await;
    let survey = bench.ada.get("/v1/takeover").await.ok();
    assert_eq!(ids(&survey["left"]), [LATER, HALF, GIVEN_UP]);
    assert_eq!((&survey["adopting"], &survey["active"]), (&json!(true), &json!([])));
    let half = &survey["left"][1];
    assert_eq!(
        (&half["out"], &half["parts"], &half["remark"]),
        (&json!(1), &json!(2), &Value::Null)
    );
    assert!(
        survey["left"][2]["remark"]
            .as_str()
            .unwrap()
            .starts_with("the other program gave it up half way")
    );

    let done = step(&bench, "adopt").await;
    assert_eq!(ids(&done["done"]), [LATER, HALF]);
    assert_eq!(ids(&done["kept"]), [GIVEN_UP]);
    assert_eq!(done["next"], Value::Null);
    // What was half out is looked for, then ended; what is for later waits until then.
    bench.stage.world.run_for(HOUR).await;
    assert_eq!(published(&bench), ["Two of two"]);
    bench.stage.world.run_for(Millis(3 * HOUR.0)).await;
    assert_eq!(published(&bench), ["Two of two", "For later"]);
    assert!(row(&bench, LATER).await.starts_with("published|"));
    assert!(row(&bench, HALF).await.starts_with("published|"));
    assert!(row(&bench, GIVEN_UP).await.starts_with("failed|"), "nobody touched it");
    // Again there is nothing to do, and nothing goes out twice.
    let again = step(&bench, "adopt").await;
    assert_eq!(ids(&again["done"]), Vec::<&str>::new());
    bench.stage.world.run_for(HOUR).await;
    assert_eq!(published(&bench).len(), 2);
    let kept = step(&bench, "hand_back").await;
    assert_eq!(ids(&kept["kept"]), [LATER, HALF]);
    assert_eq!(kept["kept"][0]["remark"], "psn has published it");
}

#[tokio::test]
async fn it_is_refused_while_the_other_program_is_at_work() {
    let bench = Bench::new("takeover_active").await;
    legacy_rows(&bench).await;
    let adopt = json!({ "action": "adopt" });
    for (sign, undone, said) in [
        (
            format!("update posts set status = 'publishing', updated_at = '2026-11-23T08:30Z' where id = '{LATER}'"),
            format!("update posts set status = 'scheduled', updated_at = '2026-11-20Z' where id = '{LATER}'"),
            format!("the other program publishes post {LATER} (2026-11-23T08:30:00.000Z): wait until 2026-11-23T09:10:00.000Z"),
        ),
        (
            format!("update posts set status = 'retry', updated_at = '2026-11-23T08:30Z' where id = '{LATER}'"),
            format!("update posts set status = 'scheduled', updated_at = '2026-11-20Z' where id = '{LATER}'"),
            format!("the other program's watchdog has started a run for post {LATER}"),
        ),
        (
            "update oauth_tokens set metadata = coalesce(metadata, '{}') || '{\"lastRefreshAt\": \"2099-11-23T06:00:00.000Z\"}'"
                .to_owned(),
            "update oauth_tokens set metadata = metadata - 'lastRefreshAt'".to_owned(),
            "the other program has renewed tokens of x".to_owned(),
        ),
    ] {
        bench.stage.ask(&format!("{sign} returning 1")).await;
        let refused = bench.ada.post("/v1/takeover", adopt.clone()).await;
        assert_eq!(refused.status, 409);
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.starts_with(&said), "{detail}");
        assert_eq!(bench.ada.get("/v1/takeover").await.ok()["active"].as_array().unwrap().len(), 1);
        bench.stage.ask(&format!("{undone} returning 1")).await;
    }
    assert_eq!(bench.stage.ask("select count(*) from psn_adopted").await, "0");
    // It is about everybody's posts.
    let hub = bench.ada.post("/v1/hubs", json!({"slug": "team"})).await.ok();
    let invites = format!("/v1/hubs/{}/invites", hub["id"].as_str().unwrap());
    let code = bench.ada.post(&invites, json!({})).await.ok()["code"].clone();
    let joined = bench
        .ada
        .showing(None)
        .post("/v1/join", json!({"code": code, "user": "bob"}))
        .await
        .ok();
    let bob = bench.ada.showing(joined["token"].as_str());
    assert_eq!(bob.get("/v1/takeover").await.status, 403);
    assert_eq!(bob.post("/v1/takeover", adopt).await.status, 403);
}

#[tokio::test]
async fn it_can_be_given_back_and_taken_again() {
    let bench = Bench::new("takeover_undo").await;
    legacy_rows(&bench).await;
    let before = [row(&bench, LATER).await, row(&bench, HALF).await];
    step(&bench, "adopt").await;
    let back = step(&bench, "hand_back").await;
    assert_eq!(ids(&back["done"]), [LATER]);
    // It was to be looked up, and that is under way: it is given back once that has ended.
    bench.stage.world.run_for(Millis(10 * 60_000)).await;
    let later = row(&bench, LATER).await;
    let given_back = |before: &str| format!("{}t", before.trim_end_matches("NULL").trim_end_matches('f'));
    assert_eq!(later, given_back(&before[0]), "as it was");
    let back = step(&bench, "hand_back").await;
    assert_eq!(ids(&back["done"]), [HALF], "{back:#}");
    assert_eq!(row(&bench, HALF).await, given_back(&before[1]));

    // All of it is noted, with whose they were and nothing of what they say; what stayed is none.
    let listed = bench.ada.get("/v1/audit").await.ok();
    assert!(!listed.to_string().contains("For later"), "{listed}");
    let all = listed["items"].as_array().unwrap().iter();
    let of_it = all.filter(|deed| deed["action"].as_str().unwrap().starts_with("takeover."));
    let deeds: Vec<Value> = of_it
        .map(|deed| json!([deed["action"], deed["target"], deed["detail"]]))
        .collect();
    let whose = json!({ "user": "default" });
    assert_eq!(
        deeds,
        [
            json!(["takeover.hand_back", HALF, whose]),
            json!(["takeover.undo", null, {}]),
            json!(["takeover.hand_back", LATER, whose]),
            json!(["takeover.undo", null, {}]),
            json!(["takeover.adopt", HALF, whose]),
            json!(["takeover.adopt", LATER, whose]),
            json!(["takeover.begin", null, {}]),
        ]
    );

    // psn leaves both alone: at their time, late, and when a person has the watchdog look.
    bench.stage.world.run_for(Millis(5 * HOUR.0)).await;
    let report = watchdog::run(&bench.stage.world.store(), &bench.stage.world, true).await;
    assert_eq!((report.adopted, report.woken, report.swept), (0, 0, true));
    assert_eq!(published(&bench), Vec::<String>::new());
    // Nor does it go on with another one of that program, until it is told to again.
    let late = "insert into posts (id, user_id, platform, content, status, scheduled_at) values \
        ('55555555-5555-4555-8555-555555555555', 'default', 'x', 'Late', 'scheduled', '2026-11-23T10:00Z') returning 1";
    bench.stage.ask(late).await;
    let report = watchdog::run(&bench.stage.world.store(), &bench.stage.world, true).await;
    assert_eq!(report.adopted, 0);
    let survey = bench.ada.get("/v1/takeover").await.ok();
    assert_eq!(
        (&survey["adopting"], survey["left"].as_array().unwrap().len()),
        (&json!(false), 4)
    );

    let done = step(&bench, "adopt").await;
    assert_eq!(ids(&done["done"]), [LATER, "55555555-5555-4555-8555-555555555555"]);
    let half = done["kept"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["id"] == HALF)
        .unwrap();
    assert!(
        half["remark"].as_str().unwrap().starts_with("it was given back once"),
        "{half}"
    );
    bench.stage.world.run_for(HOUR).await;
    let mut out = published(&bench);
    out.sort_unstable();
    assert_eq!(out, ["For later", "Late"]);
    bench.stage.world.run_for(HOUR).await;
    assert_eq!(published(&bench).len(), 2);
}
