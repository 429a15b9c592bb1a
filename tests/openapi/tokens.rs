//! Tokens of people: what they may do, how often, when they end, and what is noted of it.

use crate::bench::{Bench, Client};
use psn::api::rate::Limiter;
use psn::domain::time::Millis;
use serde_json::{Value, json};

/// Makes a token, and whoever shows it.
async fn made(client: &Client, body: Value) -> (Value, Client) {
    let made = client.post("/v1/tokens", body).await.ok();
    let shows = client.showing(made["token"].as_str());
    (made, shows)
}

fn draft() -> Value {
    json!({ "platform": "x", "content": "Clocks lie." })
}

#[tokio::test]
async fn a_token_does_what_its_scopes_say_and_no_more() {
    let bench = Bench::new("scopes").await;
    let (reader, reads) = made(&bench.ada, json!({ "name": "dashboard", "scopes": ["read"] })).await;
    assert_eq!(reader["scopes"], json!(["read"]));
    assert!(reader["token"].as_str().unwrap().starts_with("psn_"));
    assert_eq!(reads.get("/v1/posts").await.ok()["items"], json!([]));
    let refused = reads.post("/v1/posts", draft()).await;
    assert_eq!(
        refused.refusal(),
        "403 [] this takes a token with the scope `write`, and yours has `read`: make one with \
         `psn token create NAME --scope write`, or ask whoever runs the hub"
    );
    // Without the scope nothing is looked up, so that an id tells nothing either.
    let nobody = "00000000-0000-4000-8000-000000000000";
    assert_eq!(
        reads
            .post(&format!("/v1/posts/{nobody}/cancel"), Value::Null)
            .await
            .status,
        403
    );
    assert_eq!(reads.get("/v1/tokens").await.status, 403);
    assert_eq!(reads.get("/v1/nothing").await.status, 404);

    // Writing is not publishing: a draft may be made, changed and removed, and nothing that goes out.
    let (_, writes) = made(&bench.ada, json!({ "name": "editor", "scopes": ["read", "write"] })).await;
    let post = writes.post("/v1/posts", draft()).await.ok()["posts"][0].clone();
    let path = format!("/v1/posts/{}", post["id"].as_str().unwrap());
    writes
        .patch(&path, json!({ "content": "Clocks lie, all of them." }))
        .await
        .ok();
    let mut soon = draft();
    soon["scheduled_at"] = json!("2026-11-24T09:00:00Z");
    for (method, path, body) in [
        ("POST", "/v1/posts", soon.clone()),
        (
            "PATCH",
            path.as_str(),
            json!({ "scheduled_at": "2026-11-24T09:00:00Z" }),
        ),
        ("POST", &format!("{path}/publish"), Value::Null),
    ] {
        assert_eq!(writes.call(method, path, body).await.status, 403, "{method} {path}");
    }
    // What others scheduled is not for it to change either.
    let (_, publishes) = made(&bench.ada, json!({ "name": "publisher" })).await;
    publishes
        .patch(&path, json!({ "scheduled_at": "2026-11-24T09:00:00Z" }))
        .await
        .ok();
    for (method, body) in [("PATCH", json!({ "content": "Another text" })), ("DELETE", Value::Null)] {
        assert_eq!(writes.call(method, &path, body).await.status, 403, "{method}");
    }
    publishes.post(&format!("{path}/cancel"), Value::Null).await.ok();
    writes.call("DELETE", &path, Value::Null).await.ok();

    // Nobody gives what they do not have, and only `admin` gives anything.
    let (_, admin) = made(&bench.ada, json!({ "name": "admin", "scopes": ["read", "admin"] })).await;
    assert_eq!(
        publishes.post("/v1/tokens", json!({ "name": "more" })).await.status,
        403
    );
    let beyond = admin
        .post("/v1/tokens", json!({ "name": "more", "scopes": ["publish"] }))
        .await;
    assert!(beyond.refusal().contains("the scope `publish`"), "{}", beyond.refusal());
    assert_eq!(
        made(&admin, json!({ "name": "less" })).await.0["scopes"],
        json!(["read"])
    );
}

#[tokio::test]
async fn a_token_is_shown_once_and_ends_at_once() {
    let bench = Bench::new("ends").await;
    let clock = bench.stage.world.clock();
    let (laptop, shows) = made(&bench.ada, json!({ "name": "laptop", "expires_in_days": 1 })).await;
    let path = format!("/v1/tokens/{}", laptop["id"].as_str().unwrap());
    assert_eq!(laptop["expires_at"], "2026-11-24T09:00:00.000Z");
    shows.get("/v1/posts").await.ok();
    let listed = bench.ada.get("/v1/tokens?live=true").await.ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed["items"][0]["last_used_at"], "2026-11-23T09:00:00.000Z");
    assert!(!listed.to_string().contains("psn_"));
    // Nothing in the database would let anybody in.
    let rows = bench
        .stage
        .ask("select string_agg(t::text, ' ') from psn_api_tokens t")
        .await;
    assert!(
        !rows.contains(laptop["token"].as_str().unwrap()) && rows.contains("laptop"),
        "{rows}"
    );

    // Until it ends, and not a moment longer.
    clock.0.advance(Millis::from_secs(86_399));
    shows.get("/v1/posts").await.ok();
    clock.0.advance(Millis::from_secs(1));
    let ended = shows.get("/v1/posts").await;
    assert!(
        ended
            .refusal()
            .starts_with("401 [] the token is unknown, was revoked or has expired"),
        "{}",
        ended.refusal()
    );
    assert_eq!(bench.ada.get("/v1/tokens?live=true").await.ok()["items"], json!([]));

    // Revoked, it ends with the next request; a token may end itself, and nothing else without `admin`.
    let (one, shows_one) = made(&bench.ada, json!({ "name": "one", "scopes": ["read"] })).await;
    let (other, shows_other) = made(&bench.ada, json!({ "name": "other", "scopes": ["read"] })).await;
    let of = |token: &Value| format!("/v1/tokens/{}", token["id"].as_str().unwrap());
    assert_eq!(shows_one.call("DELETE", &of(&other), Value::Null).await.status, 403);
    shows_one.call("DELETE", &of(&one), Value::Null).await.ok();
    assert_eq!(shows_one.get("/v1/posts").await.status, 401);
    shows_other.get("/v1/posts").await.ok();
    bench.ada.call("DELETE", &of(&other), Value::Null).await.ok();
    assert_eq!(shows_other.get("/v1/posts").await.status, 401);
    let ended = bench.ada.get(&of(&other)).await.ok();
    assert!(ended["revoked_at"].is_string());

    // Another user sees and ends none of them.
    let bob = bench.user("bob");
    assert_eq!(bob.get(&path).await.status, 404);
    assert_eq!(bob.call("DELETE", &path, Value::Null).await.status, 404);
    assert_eq!(bob.get("/v1/tokens?user_id=default").await.ok()["items"], json!([]));

    // The same key makes one token, whose secret is not kept for whoever asks again.
    let body = json!({ "name": "again" });
    let key = [("idempotency-key", "k1")];
    let first = bench.ada.call_with("POST", "/v1/tokens", body.clone(), &key).await.ok();
    let again = bench.ada.call_with("POST", "/v1/tokens", body, &key).await;
    assert_eq!(again.status, 409);
    assert!(again.refusal().contains(first["id"].as_str().unwrap()));
    bench.ada.showing(first["token"].as_str()).get("/v1/posts").await.ok();
    for (wrong, fields) in [
        (json!({}), "name"),
        (json!({ "name": " ", "scopes": ["root"] }), "name scopes"),
        (
            json!({ "name": "a", "scopes": [], "expires_in_days": 0 }),
            "scopes expires_in_days",
        ),
        (
            json!({ "name": "a", "expires_at": "2020-01-01T00:00:00Z" }),
            "expires_at",
        ),
        (json!({ "name": "a", "user_id": "bob" }), "user_id"),
    ] {
        let refused = bench.ada.post("/v1/tokens", wrong).await.refusal();
        assert!(refused.starts_with(&format!("422 [{fields}]")), "{refused}");
    }
}

#[tokio::test]
async fn a_token_acts_for_its_user_alone() {
    let bench = Bench::new("whose").await;
    let (_, ada) = made(&bench.ada, json!({ "name": "ada" })).await;
    let (_, bob) = made(&bench.user("bob"), json!({ "name": "bob" })).await;
    let post = ada.post("/v1/posts", draft()).await.ok()["posts"][0].clone();
    let path = format!("/v1/posts/{}", post["id"].as_str().unwrap());
    ada.get(&path).await.ok();
    for (method, path) in [
        ("GET", path.clone()),
        ("GET", format!("{path}/events")),
        ("DELETE", path.clone()),
        ("POST", format!("{path}/publish")),
    ] {
        assert_eq!(
            bob.call(method, &path, Value::Null).await.status,
            404,
            "{method} {path}"
        );
    }
    assert_eq!(bob.get("/v1/posts").await.ok()["items"], json!([]));
    assert_eq!(ada.get("/v1/posts").await.ok()["items"].as_array().unwrap().len(), 1);
    // The same key of two users is two keys.
    let key = [("idempotency-key", "k")];
    let of_ada = ada
        .call_with("POST", "/v1/ideas", json!({ "title": "one" }), &key)
        .await
        .ok();
    let of_bob = bob
        .call_with("POST", "/v1/ideas", json!({ "title": "two" }), &key)
        .await
        .ok();
    assert_ne!(of_ada["id"], of_bob["id"]);
    assert_eq!(bob.get("/v1/accounts").await.ok()["items"], json!([]));
}

#[tokio::test]
async fn a_token_that_asks_too_often_waits_and_made_up_ones_cost_the_database_nothing() {
    let bench = Bench::new("rates").await;
    let operator = Client::limited(&bench.stage.world, "default", Limiter::new(60));
    let (_, shows) = made(&operator, json!({ "name": "busy", "scopes": ["read"] })).await;
    let mut passed = 0;
    let limited = loop {
        let answer = shows.get("/v1/keys").await;
        match answer.status {
            403 => passed += 1,
            _ => break answer,
        }
    };
    assert_eq!((passed, limited.status), (12, 429));
    assert_eq!(limited.headers["retry-after"], "1");
    assert_eq!(limited.body["type"], "/problems/rate-limited");
    let before = bench.stage.neon.requests();
    assert_eq!(shows.get("/v1/posts").await.status, 429);
    assert_eq!(bench.stage.neon.requests(), before);
    // The operator and other tokens go on, and so does this one in time.
    assert_eq!(operator.get("/v1/keys").await.status, 200);
    bench.stage.world.clock().0.advance(Millis::from_secs(2));
    assert_eq!(shows.get("/v1/posts").await.status, 200);

    let before = bench.stage.neon.requests();
    let mut statuses = Vec::new();
    for n in 0..40_u8 {
        let made_up = psn::api::auth::fresh_token([n; 32]);
        statuses.push(operator.showing(Some(&made_up)).get("/v1/posts").await.status);
    }
    let unknown = statuses.iter().filter(|status| **status == 401).count();
    assert_eq!((unknown, statuses.last()), (12, Some(&429)));
    assert_eq!(bench.stage.neon.requests() - before, 12);
    // What is no token by its form is refused without a look.
    for other in ["secret2", "psn_short"] {
        assert_eq!(operator.showing(Some(other)).get("/v1/posts").await.status, 401);
    }
    assert_eq!(bench.stage.neon.requests() - before, 12);
}

#[tokio::test]
async fn what_people_and_tokens_change_is_noted() {
    let bench = Bench::new("audit").await;
    let (token, shows) = made(&bench.ada, json!({ "name": "laptop" })).await;
    let key = [("idempotency-key", "k")];
    let body = draft();
    let post = shows.call_with("POST", "/v1/posts", body.clone(), &key).await.ok()["posts"][0].clone();
    let id = post["id"].as_str().unwrap();
    // An answer given again, a question and a refusal are no deeds.
    shows.call_with("POST", "/v1/posts", body.clone(), &key).await.ok();
    shows.post("/v1/validate", body).await.ok();
    shows.get(&format!("/v1/posts/{id}")).await.ok();
    assert_eq!(
        shows.post(&format!("/v1/posts/{id}/retry"), Value::Null).await.status,
        409
    );
    bench
        .ada
        .patch("/v1/settings", json!({ "time_zone": "Europe/Berlin" }))
        .await
        .ok();
    shows.call("DELETE", &format!("/v1/posts/{id}"), Value::Null).await.ok();
    let listed = bench.ada.get("/v1/audit").await.ok();
    let deeds: Vec<(&str, &Value, &Value)> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|deed| (deed["action"].as_str().unwrap(), &deed["target"], &deed["token_id"]))
        .collect();
    let (target, none) = (json!(id), Value::Null);
    assert_eq!(
        deeds,
        [
            ("post.remove", &target, &token["id"]),
            ("settings.edit", &none, &none),
            ("post.create", &target, &token["id"]),
            ("token.create", &token["id"], &none),
        ]
    );
    assert_eq!(listed["items"][0]["user_id"], "default");
    // Page by page, by what, and to what.
    let first = bench.ada.get("/v1/audit?limit=3").await.ok();
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = bench.ada.get(&format!("/v1/audit?limit=3&cursor={cursor}")).await.ok();
    assert_eq!(
        (&rest["items"][0]["action"], &rest["next_cursor"]),
        (&json!("token.create"), &Value::Null)
    );
    let of_post = bench
        .ada
        .get(&format!("/v1/audit?target={id}&action=post.create"))
        .await
        .ok();
    assert_eq!(of_post["items"].as_array().unwrap().len(), 1);
    assert_eq!(bench.user("bob").get("/v1/audit").await.ok()["items"], json!([]));
    assert_eq!(shows.get("/v1/audit").await.status, 403);
}

#[tokio::test]
async fn hubs_and_trials_are_noted_with_what_they_were_about() {
    let bench = Bench::new("audit_more").await;
    let (token, shows) = made(
        &bench.ada,
        json!({ "name": "laptop", "scopes": ["read", "write", "publish", "admin"] }),
    )
    .await;
    let hub = shows
        .post("/v1/hubs", json!({ "slug": "team", "name": "Our Team" }))
        .await
        .ok();
    // Founded again it is there once.
    shows.post("/v1/hubs", json!({ "slug": "team" })).await.ok();
    let account = bench.ada.get("/v1/accounts").await.ok()["items"][0]["id"].clone();
    let test = format!("/v1/accounts/{}/test", account.as_str().unwrap());
    shows.post(&test, json!({})).await.ok();
    let words = "Nobody else's business.";
    let post = json!({ "platform": "x", "content": words, "topic": "psn self-test" });
    let post = shows.post("/v1/posts", post).await.ok()["posts"][0]["id"].clone();
    shows.post(&test, json!({ "post_id": post })).await.ok();
    let listed = bench.ada.get("/v1/audit").await.ok();
    assert!(
        !listed.to_string().contains("Team") && !listed.to_string().contains("Nobody"),
        "{listed}"
    );
    let all = listed["items"].as_array().unwrap().iter();
    let deeds: Vec<Value> = all
        .map(|deed| json!([deed["action"], deed["target"], deed["detail"], deed["token_id"]]))
        .collect();
    let by = &token["id"];
    assert_eq!(
        deeds[..4],
        [
            json!(["account.test", account, { "post_id": post, "deleted": false }, by]),
            json!(["post.create", post, {}, by]),
            json!(["account.test", account, {}, by]),
            json!(["hub.create", hub["id"], {}, by]),
        ]
    );
    assert_eq!(deeds.len(), 5);
}

#[tokio::test]
async fn whoever_may_publish_stops_their_own_posts_and_no_others() {
    let bench = Bench::new("pausing").await;
    let bob = bench.user("bob");
    let (_, publishes) = made(&bob, json!({ "name": "phone", "scopes": ["read", "publish"] })).await;
    let (_, reads) = made(&bob, json!({ "name": "screen", "scopes": ["read"] })).await;
    let (_, of_eve) = made(&bench.user("eve"), json!({ "name": "screen", "scopes": ["read"] })).await;
    let host = [("host", "psn.example")];
    for (path, lacks) in [
        ("/v1/pause", "publish"),
        ("/v1/resume", "publish"),
        ("/v1/ideas", "write"),
    ] {
        let refused = reads.call_with("POST", path, Value::Null, &host).await;
        assert_eq!(refused.status, 403, "{path}");
        assert_eq!(
            refused.headers["www-authenticate"],
            format!(
                "Bearer error=\"insufficient_scope\", scope=\"read {lacks}\", \
                 resource_metadata=\"https://psn.example/.well-known/oauth-protected-resource/mcp\""
            )
        );
    }
    // Another reason to refuse is no question of scopes.
    let beyond = bench
        .ada
        .call_with("POST", "/v1/pause", json!({ "account_id": "ada" }), &host)
        .await;
    assert!(beyond.status == 422 && !beyond.headers.contains_key("www-authenticate"));

    publishes
        .post("/v1/pause", json!({ "reason": "the news of the day" }))
        .await
        .ok();
    let pause = json!({
        "user_id": "bob", "account_id": null, "since": "2026-11-23T09:00:00.000Z", "reason": "the news of the day",
    });
    for (client, shown) in [
        (&reads, json!([pause])),
        (&bench.ada, json!([pause])),
        (&of_eve, json!([])),
    ] {
        assert_eq!(client.get("/v1/tasks").await.ok()["pauses"], shown);
    }
    assert_eq!(bench.ada.get("/v1/pause").await.ok()["paused"], false, "only bob's");
    publishes.post("/v1/resume", Value::Null).await.ok();
    assert_eq!(bench.ada.get("/v1/tasks").await.ok()["pauses"], json!([]));
}
