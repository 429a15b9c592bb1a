//! Texts that look like one of the last seven days, or like one that is still to come, over the API.

use crate::common::HOUR;
use crate::support::{self, Stage, World};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use psn::api::auth::ApiToken;
use psn::api::store_rows::StoreRows;
use psn::api::{ApiSettings, App, TaskAnswer, TaskRunner, router};
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::domain::time::Millis;
use serde_json::{Value, json};
use std::sync::Arc;
use tower_service::Service;

const DAY: Millis = Millis(86_400_000);

struct NoTasks;

impl TaskRunner for NoTasks {
    fn run<'a>(&'a self, _: &'a str, _: bool) -> TaskAnswer<'a> {
        Box::pin(async { None })
    }
}

fn api(world: &World) -> Router {
    let settings = world.settings();
    router(Arc::new(App {
        media: Arc::new(psn::ports::media::NoMedia),
        web: psn::api::media::Web::new(psn::net::Client::new().unwrap(), false),
        accounts: Box::new(psn::api::store_accounts::NoAccounts),
        objects: world.clone(),
        rows: StoreRows(Some(Arc::new(world.store()))),
        zones: Box::new(psn::cli::zones::BundledZones),
        messaging: None,
        clock: Box::new(world.clock()),
        entropy: Box::new(world.around().entropy),
        tasks: Box::new(NoTasks),
        settings: ApiSettings {
            x: psn::platforms::x::Allowance::default(),
            api_token: ApiToken::new("secret"),
            user_id: settings.user_id.clone(),
            limiter: Default::default(),
            version: String::new(),
            keys: None,
            addresses: None,
            marks: None,
            public_url: None,
            missing: Vec::new(),
        },
    }))
}

async fn call(stage: &Stage, method: &str, path: &str, body: Value) -> Value {
    let request = Request::builder().method(method).uri(path);
    let request = request
        .header("authorization", "Bearer secret")
        .header("content-type", "application/json");
    let request = request.body(Body::from(body.to_string())).unwrap();
    let answer = api(&stage.world).call(request).await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

/// Creates a post and gives its id, after a look at whom its warnings name.
async fn create(stage: &Stage, mut body: Value, similar: &[&str]) -> String {
    body["platform"] = json!("x");
    let made = call(stage, "POST", "/v1/posts", body).await;
    let post = &made["posts"][0];
    assert_eq!(named(post), similar, "{post}");
    post["id"].as_str().unwrap().to_owned()
}

/// The ids in the warnings, each in a sentence of its own.
fn named(answer: &Value) -> Vec<&str> {
    let warnings = answer["warnings"].as_array().map(Vec::as_slice).unwrap_or_default();
    warnings
        .iter()
        .map(|warning| {
            let warning = warning.as_str().unwrap();
            assert!(
                warning.starts_with("the text is similar to that of post `"),
                "{warning}"
            );
            warning.split('`').nth(1).unwrap()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn similar_texts_are_named_at_create_edit_and_validate() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "similar", 51, XSettings::default()).await;
    // A thread, and a long one: all of it counts.
    let words: Vec<String> = (0..500).map(|number| format!("word{number}")).collect();
    let long = words.join(" ");
    let now = || json!({ "content": long, "publish": "now" });

    let old = create(&stage, now(), &[]).await;
    stage.world.run_for(HOUR).await;
    stage.world.advance(Millis(5 * DAY.0));
    let recent = create(&stage, now(), &[&old]).await;
    stage.world.run_for(HOUR).await;
    stage.world.advance(Millis(4 * DAY.0));
    let month = (stage.world.now() + Millis(30 * DAY.0)).to_rfc3339();
    let later =
        json!({ "content": words.chunks(30).map(|part| part.join(" ")).collect::<Vec<_>>(), "scheduled_at": month });
    let scheduled = create(&stage, later, &[&recent]).await;
    let both = [scheduled.as_str(), recent.as_str()];
    // A draft is told, and is itself no post that another repeats.
    create(&stage, json!({ "content": long }), &both).await;
    create(&stage, json!({ "content": long }), &both).await;

    let nearly = format!("{long} and a few words more");
    let checked = call(
        &stage,
        "POST",
        "/v1/validate",
        json!({ "platform": "x", "content": nearly }),
    )
    .await;
    assert_eq!((named(&checked), &checked["valid"]), (both.to_vec(), &json!(true)));
    let beginning = words[..300].join(" ");
    let checked = call(
        &stage,
        "POST",
        "/v1/validate",
        json!({ "platform": "x", "content": beginning }),
    )
    .await;
    assert_eq!(named(&checked), [""; 0], "three fifths are another text");

    let other = json!({ "content": "about something else", "scheduled_at": month });
    let other = create(&stage, other, &[]).await;
    for content in [json!(long), json!(nearly)] {
        let edited = call(
            &stage,
            "PATCH",
            &format!("/v1/posts/{other}"),
            json!({ "content": content }),
        )
        .await;
        assert_eq!(named(&edited), both, "never the post itself");
    }
    let moved = call(
        &stage,
        "PATCH",
        &format!("/v1/posts/{other}"),
        json!({ "scheduled_at": month }),
    )
    .await;
    assert_eq!(named(&moved), [""; 0], "its text stays as it was");
}
