//! `ETag` and `If-Match`: what others changed meanwhile is not overwritten.

use crate::bench::{Answer, Bench};
use psn::domain::time::Millis;
use serde_json::{Value, json};

fn tag(answer: &Answer) -> String {
    answer.headers["etag"].to_str().unwrap().to_owned()
}

/// Changes a thing twice with the version that was read first: the second change is refused, and taken with the new version.
async fn changes_once(bench: &Bench, method: &str, path: &str, bodies: [Value; 3]) {
    let client = &bench.ada;
    // Rows tell versions by the time of their change, to the millisecond.
    let later = || bench.stage.world.clock().0.advance(Millis(1));
    later();
    let read = client.get(path).await;
    let first = tag(&read);
    assert!(first.starts_with('"') && first.ends_with('"'), "{path}: {first}");
    assert_eq!(tag(&client.get(path).await), first, "{path}: read again");
    let [one, two, three] = bodies;
    let changed = client.call_with(method, path, one, &[("if-match", &first)]).await;
    assert_eq!(changed.status, 200, "{path}: {}", changed.body);
    let second = tag(&changed);
    assert_ne!(first, second, "{path}");
    later();
    let late = client
        .call_with(method, path, two.clone(), &[("if-match", &first)])
        .await;
    assert_eq!(
        (late.status, &late.body["type"]),
        (412, &json!("/problems/precondition-failed")),
        "{path}"
    );
    assert_eq!(tag(&client.get(path).await), second, "{path}: nothing was changed");
    later();
    let taken = client.call_with(method, path, two, &[("if-match", &second)]).await;
    assert_eq!(taken.status, 200, "{path}: {}", taken.body);
    later();
    // Any version will do, or none is named.
    let any = client.call_with(method, path, three, &[("if-match", "*")]).await;
    assert_eq!(any.status, 200, "{path}: {}", any.body);
    let wrong = client.call_with(method, path, json!({}), &[("if-match", "12")]).await;
    assert!([400, 422].contains(&wrong.status), "{path}: {}", wrong.status);
}

#[tokio::test]
async fn what_was_changed_meanwhile_is_not_overwritten() {
    let bench = Bench::new("versions").await;
    let ada = &bench.ada;
    let words = |name: &str| ["one", "two", "three"].map(|word| json!({ name: word }));
    let made = ada
        .post("/v1/posts", json!({ "platform": "x", "content": "zero" }))
        .await
        .ok();
    let post = format!("/v1/posts/{}", made["posts"][0]["id"].as_str().unwrap());
    changes_once(&bench, "PATCH", &post, words("content")).await;
    let idea = ada.post("/v1/ideas", json!({ "title": "zero" })).await.ok();
    changes_once(
        &bench,
        "PATCH",
        &format!("/v1/ideas/{}", idea["id"].as_str().unwrap()),
        words("title"),
    )
    .await;
    let series = json!({ "name": "zero", "platform": "x", "cadence": "weekly" });
    let series = ada.post("/v1/series", series).await.ok();
    changes_once(
        &bench,
        "PATCH",
        &format!("/v1/series/{}", series["id"].as_str().unwrap()),
        words("name"),
    )
    .await;
    let zones = ["Europe/Berlin", "Europe/Paris", "Asia/Tokyo"].map(|zone| json!({ "time_zone": zone }));
    changes_once(&bench, "PATCH", "/v1/settings", zones).await;
    let plan = |topic: &str| json!({ "slots": [{ "day": "monday", "platform": "x", "topic": topic }] });
    ada.call("PUT", "/v1/plans/next", plan("zero")).await.ok();
    changes_once(&bench, "PUT", "/v1/plans/next", ["one", "two", "three"].map(plan)).await;
}

#[tokio::test]
async fn a_command_counts_for_the_post_that_was_seen() {
    let bench = Bench::new("commands").await;
    let ada = &bench.ada;
    let made = ada
        .post("/v1/posts", json!({ "platform": "x", "content": "zero" }))
        .await
        .ok();
    let path = format!("/v1/posts/{}", made["posts"][0]["id"].as_str().unwrap());
    let seen = tag(&ada.get(&path).await);
    ada.patch(&path, json!({ "content": "one" })).await.ok();
    let slot = path.replace("/v1/posts/", "/v1/calendar/slots/");
    let at = json!({ "scheduled_at": "2026-12-01T09:00:00Z" });
    for (method, at, body) in [
        ("POST", format!("{path}/publish"), Value::Null),
        ("POST", format!("{path}/submit"), Value::Null),
        ("PUT", slot.clone(), at.clone()),
        ("DELETE", path.clone(), Value::Null),
    ] {
        let late = ada.call_with(method, &at, body, &[("if-match", &seen)]).await;
        assert_eq!(late.status, 412, "{method} {at}: {}", late.body);
        let said = "the post, which is `draft` now, was changed since you read it";
        assert!(late.refusal().contains(said), "{}", late.refusal());
    }
    assert_eq!(ada.get(&path).await.ok()["status"], "draft");
    let seen = tag(&ada.get(&path).await);
    let taken = ada.call_with("PUT", &slot, at, &[("if-match", &seen)]).await;
    assert_eq!(taken.status, 200, "{}", taken.body);
    let given_back = ada
        .call_with("DELETE", &slot, Value::Null, &[("if-match", &seen)])
        .await;
    assert!(
        given_back.refusal().contains("which is `scheduled` now"),
        "{}",
        given_back.refusal()
    );
    let seen = tag(&taken);
    let given_back = ada
        .call_with("DELETE", &slot, Value::Null, &[("if-match", &seen)])
        .await;
    assert_eq!(given_back.status, 200, "{}", given_back.body);
    let seen = tag(&given_back);
    let published = ada
        .call_with("POST", &format!("{path}/publish"), Value::Null, &[("if-match", &seen)])
        .await;
    assert_eq!(published.status, 200, "{}", published.body);
}

#[tokio::test]
async fn a_review_counts_for_the_post_that_was_seen() {
    let bench = Bench::new("reviewed").await;
    let ada = &bench.ada;
    let hub = ada.post("/v1/hubs", json!({ "slug": "team" })).await.ok();
    let body = json!({ "platform": "x", "content": "zero", "hub_id": hub["id"] });
    for verdict in ["approve", "reject"] {
        let made = ada.post("/v1/posts", body.clone()).await.ok();
        let path = format!("/v1/posts/{}", made["posts"][0]["id"].as_str().unwrap());
        let seen = tag(&ada.get(&path).await);
        let submit = ("POST", format!("{path}/submit"));
        let submitted = ada
            .call_with(submit.0, &submit.1, Value::Null, &[("if-match", &seen)])
            .await;
        assert_eq!(submitted.status, 200, "{}", submitted.body);
        let at = format!("{path}/{verdict}");
        let late = ada.call_with("POST", &at, Value::Null, &[("if-match", &seen)]).await;
        assert_eq!(late.status, 412, "{}", late.body);
        assert_eq!(ada.get(&path).await.ok()["approval_status"], "submitted");
        let now = tag(&submitted);
        let decided = ada.call_with("POST", &at, Value::Null, &[("if-match", &now)]).await;
        assert_eq!(decided.status, 200, "{}", decided.body);
    }
}

#[tokio::test]
async fn an_idea_that_was_changed_meanwhile_is_neither_moved_nor_deleted() {
    let bench = Bench::new("stale_ideas").await;
    let ada = &bench.ada;
    let idea = ada.post("/v1/ideas", json!({ "title": "zero" })).await;
    let (seen, path) = (tag(&idea), format!("/v1/ideas/{}", idea.body["id"].as_str().unwrap()));
    bench.stage.world.clock().0.advance(Millis(1));
    let changed = ada.patch(&path, json!({ "title": "one" })).await;
    for (method, at, body) in [
        ("DELETE", path.clone(), Value::Null),
        ("POST", format!("{path}/move"), json!({ "status": "seed" })),
        ("POST", format!("{path}/rate"), json!({ "rating": "maybe" })),
    ] {
        let late = ada.call_with(method, &at, body, &[("if-match", &seen)]).await;
        assert_eq!(late.status, 412, "{method} {at}: {}", late.body);
    }
    assert_eq!(ada.get(&path).await.ok(), changed.body);
    let moved = ada
        .call_with(
            "POST",
            &format!("{path}/move"),
            json!({ "status": "seed" }),
            &[("if-match", &tag(&changed))],
        )
        .await;
    assert_eq!(moved.status, 200, "{}", moved.body);
    let seen = tag(&moved);
    assert_eq!(
        ada.call_with("DELETE", &path, Value::Null, &[("if-match", &seen)])
            .await
            .status,
        204
    );
}

#[tokio::test]
async fn of_two_settings_at_once_one_is_kept() {
    let bench = Bench::new("settings_at_once").await;
    let ada = &bench.ada;
    for _ in 0..5 {
        let seen = tag(&ada.get("/v1/settings").await);
        let guard = [("if-match", seen.as_str())];
        let put = |zone: &str| ada.call_with("PATCH", "/v1/settings", json!({ "time_zone": zone }), &guard);
        let (one, other) = tokio::join!(put("Europe/Berlin"), put("Asia/Tokyo"));
        let (kept, refused) = if one.status == 200 { (one, other) } else { (other, one) };
        assert_eq!((kept.status, refused.status), (200, 412), "{}", refused.body);
        assert!(refused.refusal().contains(kept.body["time_zone"].as_str().unwrap()));
        let there = ada.get("/v1/settings").await.ok();
        assert_eq!(there["time_zone"], kept.body["time_zone"]);
        ada.patch("/v1/settings", json!({ "time_zone": "UTC" })).await.ok();
    }
}

#[tokio::test]
async fn every_list_has_pages_and_refuses_what_it_does_not_know() {
    let bench = Bench::new("lists").await;
    let ada = &bench.ada;
    for n in 0..3 {
        let title = format!("number {n}");
        ada.post("/v1/posts", json!({ "platform": "x", "content": title }))
            .await
            .ok();
        ada.post("/v1/ideas", json!({ "title": title })).await.ok();
        ada.post(
            "/v1/series",
            json!({ "name": title, "platform": "x", "cadence": "weekly" }),
        )
        .await
        .ok();
        ada.post("/v1/tokens", json!({ "name": title })).await.ok();
    }
    let hub = ada.post("/v1/hubs", json!({ "slug": "team" })).await.ok();
    let (_, second) = (hub.clone(), ada.post("/v1/hubs", json!({ "slug": "other" })).await.ok());
    assert_ne!(hub["id"], second["id"]);
    let of_hub = format!("hubs/{}", hub["id"].as_str().unwrap());
    for _ in 0..2 {
        ada.post(&format!("/v1/{of_hub}/invites"), json!({})).await.ok();
    }
    for path in [
        "posts", "ideas", "series", "tokens", "audit", "tasks", "accounts", "media", "metrics", "hubs",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([format!("{of_hub}/members"), format!("{of_hub}/invites")])
    {
        let path = format!("/v1/{path}");
        let (mut seen, mut pages, mut query) = (Vec::new(), 0, String::from("limit=1"));
        loop {
            let page = ada.get(&format!("{path}?{query}")).await.ok();
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 1, "{path}");
            seen.extend(items.iter().cloned());
            pages += 1;
            match page["next_cursor"].as_str() {
                Some(cursor) => query = format!("limit=1&cursor={cursor}"),
                None => break,
            }
        }
        let whole = ada.get(&path).await.ok();
        assert_eq!(whole["items"].as_array().unwrap(), &seen, "{path}");
        assert!(pages >= seen.len(), "{path}");
        for wrong in ["limit=0", "limit=x", "cursor=%3F"] {
            let refused = ada.get(&format!("{path}?{wrong}")).await;
            assert_eq!(refused.status, 422, "{path}?{wrong}");
        }
        let unknown = ada.get(&format!("{path}?colour=red")).await.refusal();
        let said = "400 [colour] `colour` is not a parameter of this list: expected ";
        assert!(
            unknown.starts_with(said) && unknown.contains("`limit`, `cursor`"),
            "{path}: {unknown}"
        );
    }
    let summary = ada.get("/v1/metrics/summary?limit=1").await.refusal();
    assert!(
        summary.ends_with("expected `platform`, `account_id`, `since`"),
        "{summary}"
    );
    let at = |time: &str| json!({ "platform": "x", "content": time, "scheduled_at": time });
    for time in ["2026-12-01T09:00:00Z", "2026-12-02T09:00:00Z"] {
        ada.post("/v1/posts", at(time)).await.ok();
    }
    for (query, count) in [
        ("status=draft", 3),
        ("status=draft,scheduled", 5),
        ("status=failed", 0),
        ("platform=linkedin", 0),
        ("account_id=none", 0),
        ("scheduled_from=2026-12-02T00:00:00Z", 1),
        ("scheduled_before=2026-12-02T00:00:00Z", 1),
        ("group_id=none", 0),
    ] {
        let found = ada.get(&format!("/v1/posts?{query}")).await.ok();
        assert_eq!(found["items"].as_array().unwrap().len(), count, "{query}");
    }
    // Of the posts of one account: a scheduled one's row says on which it goes out.
    let account = ada.get("/v1/accounts").await.ok()["items"][0]["id"].clone();
    let on_it = format!("/v1/posts?account_id={}", account.as_str().unwrap());
    let named = json!({ "platform": "x", "content": "on that account", "account_id": account });
    let named = ada.post("/v1/posts", named).await.ok()["posts"][0]["id"].clone();
    let found = ada.get(&on_it).await.ok();
    let found_ids: Vec<&Value> = found["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|post| &post["id"])
        .collect();
    assert!(found_ids.contains(&&named), "{found:#}");
    assert!(
        found["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|post| post["account_id"] == account),
        "{found:#}"
    );
    let two = ada.get("/v1/posts?platform=x,linkedin").await;
    assert_eq!(two.status, 422, "one of two is not taken for both");
}
