//! Ideas, series and weekly plans.

use crate::bench::Bench;
use psn::domain::time::Millis;
use serde_json::{Value, json};

fn names(list: &Value, name: &str) -> Vec<String> {
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|item| item[name].as_str().unwrap_or("-").to_owned())
        .collect()
}

#[tokio::test]
async fn an_idea_is_jotted_down_and_grows() {
    let bench = Bench::new("ideas").await;
    let ada = &bench.ada;
    let text = "Why clocks lie #pillar:craft #urgency:timely #platform:x\nTwice a year";
    let idea = ada
        .post("/v1/ideas", json!({"text": text, "tags": ["mood:dry"]}))
        .await
        .ok();
    let expected = json!({"title": "Why clocks lie", "notes": "Twice a year", "status": "spark", "urgency": "timely", "pillar": "craft",
        "platform": "x", "format": null, "tags": ["pillar:craft", "urgency:timely", "platform:x", "mood:dry"],
        "source_type": "capture", "expires_at": "2026-11-25T09:00:00.000Z", "next_statuses": ["seed", "killed"]});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&idea[name], value, "{name}");
    }
    let path = format!("/v1/ideas/{}", idea["id"].as_str().unwrap());
    assert_eq!(ada.get(&path).await.ok(), idea);

    // A step that the table lacks is refused, and a rating goes through at once.
    let claim = json!({"status": "claimed"});
    let refused = ada.post(&format!("{path}/move"), claim.clone()).await;
    assert_eq!(
        refused.refusal(),
        "409 [] an idea that is `spark` cannot become `claimed`: that takes one that is `ready` or `developed`"
    );
    assert_eq!(
        ada.post(&format!("{path}/rate"), json!({"rating": "love"})).await.ok()["status"],
        "ready"
    );
    let claimed = ada.post(&format!("{path}/move"), claim).await.ok();
    assert_eq!(
        (&claimed["status"], &claimed["claimed_by"]),
        (&json!("claimed"), &json!("default"))
    );
    let late = ada
        .post(&format!("{path}/rate"), json!({"rating": "kill", "reason": "dull"}))
        .await;
    assert_eq!(
        late.refusal(),
        "409 [] an idea that is `claimed` cannot become `killed`: that takes one that is `spark` or `seed` or \
        `ready` or `killed`"
    );

    // A change says only what changes, and what was read is what is changed.
    bench.stage.world.advance(Millis(1_000));
    let change = json!({"urgency": "evergreen", "notes": null, "version": claimed["version"]});
    let changed = ada.patch(&path, change.clone()).await.ok();
    assert_eq!(
        (&changed["expires_at"], &changed["notes"], &changed["title"]),
        (&Value::Null, &Value::Null, &json!("Why clocks lie"))
    );
    bench.stage.world.advance(Millis(1_000));
    assert!(
        ada.patch(&path, change)
            .await
            .refusal()
            .starts_with("409 [] the idea was changed meanwhile")
    );

    for (body, refusal) in [
        (
            json!({}),
            "422 [title] there is no title: give `text` such as `Why clocks lie #pillar:craft`, or `title`",
        ),
        (
            json!({"text": "#pillar:craft"}),
            "422 [title] there is no title: give `text` such as `Why clocks lie #pillar:craft`, or `title`",
        ),
        (
            json!({"text": "a #urgency:soon #platform:mastodon"}),
            "422 [urgency platform] `soon` is no urgency: expected `timely`, `seasonal` or `evergreen` (and 1 more: see `errors`)",
        ),
        (
            json!({"title": "a", "tags": ["no tag"]}),
            "422 [tags] `tags` holds what is no `key:value`, or too much: expected a list of at most 50 tags such as `pillar:craft`",
        ),
        (
            json!({"title": "a", "hub_id": "theirs"}),
            "422 [hub_id] you do not belong to this hub: leave `hub_id` out, or give one of yours",
        ),
        (
            json!({"title": "a", "titel": "b"}),
            "422 [titel] `titel` is not a field of this request: expected `text`, `title`, `notes`, \
            `urgency`, `tags`, `expires_at`, `hub_id`, `pillar`, `platform`, `format`, `source_type`, `source_id`",
        ),
    ] {
        assert_eq!(ada.post("/v1/ideas", body).await.refusal(), refusal);
    }
    // What is ada's is nobody else's.
    let bob = bench.user("bob");
    for (method, path, body) in [
        ("GET", path.clone(), Value::Null),
        ("PATCH", path.clone(), json!({"title": "mine"})),
        ("POST", format!("{path}/move"), json!({"status": "ready"})),
        ("POST", format!("{path}/rate"), json!({"rating": "kill"})),
        ("DELETE", path.clone(), Value::Null),
        ("GET", "/v1/ideas/7".to_owned(), Value::Null),
    ] {
        assert_eq!(
            bob.call(method, &path, body).await.refusal(),
            "404 [] there is no idea with this id"
        );
    }
    assert_eq!(ada.call("DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(ada.get(&path).await.status, 404);
}

#[tokio::test]
async fn ideas_are_found_again() {
    let bench = Bench::new("found").await;
    let ada = &bench.ada;
    for text in ["one #pillar:craft", "two", "three"] {
        ada.post("/v1/ideas", json!({ "text": text })).await.ok();
        bench.stage.world.advance(Millis(1_000));
    }
    let list = async |query: &str| ada.get(&format!("/v1/ideas{query}")).await.ok();
    assert_eq!(names(&list("").await, "title"), ["three", "two", "one"]);
    let page = list("?limit=2").await;
    assert_eq!(names(&page, "title"), ["three", "two"]);
    let rest = list(&format!("?limit=2&cursor={}", page["next_cursor"].as_str().unwrap())).await;
    assert_eq!(
        (names(&rest, "title"), &rest["next_cursor"]),
        (vec!["one".to_owned()], &Value::Null)
    );
    assert_eq!(names(&list("?q=CRAFT").await, "title"), ["one"]);
    assert_eq!(names(&list("?q=%25").await, "title"), [""; 0]);
    let one = rest["items"][0]["id"].as_str().unwrap().to_owned();
    ada.post(&format!("/v1/ideas/{one}/move"), json!({"status": "seed"}))
        .await
        .ok();
    assert_eq!(names(&list("?status=seed,ready").await, "title"), ["one"]);
    bench.stage.world.advance(Millis::from_secs(15 * 86_400));
    assert_eq!(names(&list("?stale=true").await, "title"), ["three", "two"]);
    bench.stage.world.advance(Millis::from_secs(16 * 86_400));
    assert_eq!(names(&list("?stale=true").await, "title"), ["three", "two", "one"]);
    assert_eq!(names(&list("?hub_id=theirs").await, "title"), [""; 0]);
    for (query, refusal) in [
        (
            "?status=new",
            "422 [status] `new` is no status of an idea: expected `spark`, `seed`, `ready`, `claimed`, `developed`, `used`, `killed`",
        ),
        ("?stale=1", "422 [stale] `stale` is neither `true` nor `false`"),
        (
            "?cursor=abc",
            "422 [cursor] `cursor` is not one that a list gave out: start again without it",
        ),
        ("?limit=0", "422 [limit] `limit` is not a number from 1 to 100"),
        (
            "?page=2",
            "400 [page] `page` is not a parameter of this list: expected `status`, `hub_id`, `q`, `stale`, `limit`, `cursor`",
        ),
    ] {
        assert_eq!(ada.get(&format!("/v1/ideas{query}")).await.refusal(), refusal);
    }
}

#[tokio::test]
async fn a_series_keeps_its_rhythm() {
    let bench = Bench::new("series").await;
    let ada = &bench.ada;
    let new = json!({"name": "Clock Mondays", "platform": "x", "cadence": "weekly", "tracking_mode": "custom",
        "tracking_format": "S{s} E{e}", "template": {"season": 2, "sections": ["hook"]}});
    let series = ada.post("/v1/series", new).await.ok();
    assert_eq!(
        (
            &series["next_label"],
            &series["next_due_at"],
            &series["is_due"],
            &series["episode_count"]
        ),
        (
            &json!("S2 E1"),
            &json!("2026-11-30T09:00:00.000Z"),
            &json!(false),
            &json!(0)
        )
    );
    let path = format!("/v1/series/{}", series["id"].as_str().unwrap());
    assert_eq!(ada.get(&path).await.ok(), series);
    assert_eq!(names(&ada.get("/v1/series?due=true").await.ok(), "name"), [""; 0]);
    bench.stage.world.advance(Millis::from_secs(7 * 86_400));
    assert_eq!(
        names(&ada.get("/v1/series?due=true").await.ok(), "name"),
        ["Clock Mondays"]
    );

    // What is left out stays; the rhythm makes sense as a whole.
    let changed = ada
        .patch(&path, json!({"cadence": "custom", "cadence_custom_days": 3}))
        .await
        .ok();
    assert_eq!(
        (&changed["next_due_at"], &changed["next_label"]),
        (&json!("2026-11-26T09:00:00.000Z"), &json!("S2 E1"))
    );
    bench.stage.world.advance(Millis(1_000));
    let changed = ada
        .patch(
            &path,
            json!({"cadence_custom_days": 5, "tracking_mode": "auto-increment"}),
        )
        .await
        .ok();
    assert_eq!(
        (
            &changed["cadence_custom_days"],
            &changed["next_label"],
            &changed["tracking_format"]
        ),
        (&json!(5), &json!("#1"), &Value::Null)
    );
    bench.stage.world.advance(Millis(1_000));
    let paused = ada.patch(&path, json!({"status": "paused"})).await.ok();
    assert_eq!(
        (&paused["status"], &paused["next_due_at"]),
        (&json!("paused"), &Value::Null)
    );
    assert_eq!(names(&ada.get("/v1/series?status=active").await.ok(), "name"), [""; 0]);
    bench.stage.world.advance(Millis(1_000));
    let old = json!({"status": "active", "version": changed["version"]});
    assert!(
        ada.patch(&path, old)
            .await
            .refusal()
            .starts_with("409 [] the series was changed meanwhile")
    );

    let rhythm = "`cadence` and `cadence_custom_days` make no rhythm: expected `weekly`, `biweekly`, `monthly`, or `custom` with \
        `cadence_custom_days`";
    let tracking = "`tracking_mode` and `tracking_format` say nothing together: expected `none`, `auto-increment`, or `custom` with a \
        format such as `S{s} E{e}`";
    let with = |more: Value| {
        let mut body = json!({"name": "a", "platform": "x", "cadence": "weekly"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (body, refusal) in [
        (with(json!({"cadence": "daily"})), format!("422 [cadence] {rhythm}")),
        (with(json!({"cadence": "custom"})), format!("422 [cadence] {rhythm}")),
        (
            with(json!({"cadence_custom_days": 3})),
            format!("422 [cadence] {rhythm}"),
        ),
        (
            with(json!({"cadence": "custom", "cadence_custom_days": 0})),
            "422 [cadence_custom_days] `cadence_custom_days` is no number of days from 1 to 366".to_owned(),
        ),
        (
            with(json!({"tracking_mode": "custom"})),
            format!("422 [tracking_mode] {tracking}"),
        ),
        (
            with(json!({"tracking_mode": "none", "tracking_format": "#{e}"})),
            format!("422 [tracking_mode] {tracking}"),
        ),
        (
            with(json!({"tracking_format": "no number"})),
            format!("422 [tracking_mode] {tracking}"),
        ),
        (
            json!({}),
            "422 [name platform cadence] `name` is missing: give what the series is called (and 2 more: see `errors`)"
                .to_owned(),
        ),
    ] {
        assert_eq!(ada.post("/v1/series", body).await.refusal(), refusal);
    }
    let bob = bench.user("bob");
    assert_eq!(bob.get(&path).await.refusal(), "404 [] there is no series with this id");
    assert_eq!(
        bob.patch(&path, json!({"status": "retired"})).await.refusal(),
        "404 [] there is no series with this id"
    );
    assert_eq!(names(&bob.get("/v1/series").await.ok(), "name"), [""; 0]);
}

#[tokio::test]
async fn a_week_has_one_plan() {
    let bench = Bench::new("plans").await;
    let ada = &bench.ada;
    let save = async |week: &str, slots: Value| {
        ada.call("PUT", &format!("/v1/plans/{week}"), json!({ "slots": slots }))
            .await
    };
    let none = ada.get("/v1/plans/current").await.ok();
    assert_eq!(
        (&none["exists"], &none["week_start"], &none["slots"]),
        (&json!(false), &json!("2026-11-23"), &json!([]))
    );
    let first = save(
        "current",
        json!([{"day": "Mon", "platform": "x", "topic": "clocks", "more": {"angle": "how-to"}},
        {"day": "2026-11-25", "platform": "linkedin", "language": "es", "series_episode": 3, "status": "published"}]),
    )
    .await
    .ok();
    assert_eq!(
        (&first["total_slots"], &first["completed_slots"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(
        (&first["slots"][0]["day"], &first["slots"][0]["status"]),
        (&json!("monday"), &json!("outlined"))
    );
    assert_eq!(first["slots"][0]["more"], json!({"angle": "how-to"}));
    // Saved again, from another zone too, it is the same plan.
    ada.patch("/v1/settings", json!({"time_zone": "Pacific/Auckland"}))
        .await
        .ok();
    let second = save("2026-11-29", json!([{"day": "sunday", "platform": "tiktok"}]))
        .await
        .ok();
    assert_eq!(
        (&second["id"], &second["week_start"], &second["total_slots"]),
        (&first["id"], &json!("2026-11-23"), &json!(1))
    );
    assert_eq!(ada.get("/v1/plans/current").await.ok(), second);
    assert_eq!(ada.get("/v1/plans/next").await.ok()["exists"], false);
    assert_eq!(bench.user("bob").get("/v1/plans/current").await.ok()["exists"], false);
    for (slots, refusal) in [
        (
            json!([{"day": "someday", "platform": "x"}]),
            "slot 1: `day` is no day of that week: expected `monday`, … or its date",
        ),
        (
            json!([{"day": "2026-11-30", "platform": "x"}]),
            "slot 1: `day` is no day of that week: expected `monday`, … or its date",
        ),
        (
            json!([{"day": "monday"}]),
            "slot 1: `platform` is missing: give one such as `x`",
        ),
        (
            json!([{"day": "monday", "platform": "x", "status": "done"}]),
            "slot 1: its status is none: expected one of `outlined`, `drafted`, `approved`, `scheduled`, `published`, `skipped`",
        ),
        (
            json!([{"day": "monday", "platform": "x", "post_id": "7"}]),
            "slot 1: `post_id` is not an id: expected a UUID",
        ),
        (
            json!([{"day": "monday", "platform": "x", "angle": "b"}]),
            "slot 1: `angle` is not known: what psn does not know goes into `more`",
        ),
        (json!("monday"), "`slots` is no list of at most 200 slots"),
    ] {
        assert_eq!(save("current", slots).await.refusal(), format!("422 [slots] {refusal}"));
    }
}
