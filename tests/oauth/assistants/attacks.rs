//! What may be tried by an assistant that is not one's own, by another site, or by whoever got hold of something.

use super::place::{Assistant, CLAUDE, ORIGIN, Place, TOKEN, encoded};
use axum::body::Body;
use axum::http::Request;
use psn::domain::time::Millis;
use serde_json::json;

/// Nothing of these leads anywhere but to a page.
#[tokio::test]
async fn nobody_is_led_to_an_address_that_is_not_the_clients() {
    let place = Place::new("redirects").await;
    let claude = place.register("Claude", CLAUDE).await;
    for (name, value) in [
        ("redirect_uri", "https://evil.example/cb"),
        ("redirect_uri", "https://claude.ai/api/mcp/auth_callback/"),
        ("redirect_uri", "https://claude.ai/api/mcp/auth_callback?x"),
        ("redirect_uri", "https://claude.ai.evil.example/api/mcp/auth_callback"),
        ("redirect_uri", "https://claude.ai@evil.example/api/mcp/auth_callback"),
        ("redirect_uri", "http://claude.ai/api/mcp/auth_callback"),
        ("redirect_uri", "javascript:alert(1)"),
        ("redirect_uri", "<script>alert(1)</script>"),
        ("client_id", ""),
        ("client_id", "Claude"),
        ("client_id", "psn_client_e30.AAAA"),
        ("client_id", &claude.id.replace("psn_client_e", "psn_client_f")),
        ("client_id", &"https://a.example/".repeat(600)),
    ] {
        let page = place.get(&claude.asks(&[(name, value)])).await;
        assert_eq!(page.status, 400, "{name} {value}");
        assert!(page.says("Nothing was allowed"), "{}", page.text);
        assert!(!page.text.contains("<script"), "{}", page.text);
        assert_eq!(page.header("location"), "");
        assert!(
            page.header("content-security-policy")
                .contains("frame-ancestors 'none'")
        );
    }
    let twice = format!("{}&redirect_uri=https%3A%2F%2Fevil.example", claude.asks(&[]));
    assert_eq!(place.get(&twice).await.status, 400);
    // Where there is only one it need not be named; on the own machine the port is free.
    assert_eq!(place.get(&claude.asks(&[("redirect_uri", "")])).await.status, 200);
    let local = place.register("Local", "http://127.0.0.1/cb").await;
    let page = place
        .get(&local.asks(&[("redirect_uri", "http://127.0.0.1:53211/cb")]))
        .await;
    assert!(page.says("your own computer") && page.says("only if you have just started"));
    assert!(
        page.link("deny")
            .starts_with("http://127.0.0.1:53211/cb?error=access_denied")
    );
    assert_eq!(
        place
            .get(&local.asks(&[("redirect_uri", "http://127.0.0.1:53211/other")]))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn what_else_is_wrong_is_told_to_the_client() {
    let place = Place::new("told").await;
    let claude = place.register("Claude", CLAUDE).await;
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "", "invalid_request"),
        ("response_mode", "fragment", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("resource", "https://evil.example/mcp", "invalid_target"),
        ("resource", "https://psn.example/other", "invalid_target"),
        ("scope", "openid profile", "invalid_scope"),
    ] {
        let answer = place.get(&claude.asks(&[(name, value)])).await;
        assert_eq!(answer.status, 302, "{name} {value}: {}", answer.text);
        assert!(answer.header("location").starts_with(&format!("{CLAUDE}?error=")));
        let with = |name| answer.leads_with("", name);
        assert_eq!(with("error").as_deref(), Some(error), "{name} {value}");
        assert_eq!(with("state").as_deref(), Some("a state & more"));
        assert_eq!(with("iss").as_deref(), Some(ORIGIN));
        assert!(with("error_description").is_some() && with("code").is_none());
    }
    let twice = place.get(&format!("{}&state=other", claude.asks(&[]))).await;
    assert_eq!(
        (twice.leads_with("", "error").as_deref(), twice.leads_with("", "state")),
        (Some("invalid_request"), None)
    );
    let foreign = place
        .get(&format!("{}&resource=https%3A%2F%2Fevil.example", claude.asks(&[])))
        .await;
    assert_eq!(foreign.leads_with("", "error").as_deref(), Some("invalid_target"));
    // Clients that name the whole worker, or nothing, or everything of theirs.
    for (name, value) in [
        ("resource", "https://psn.example/"),
        ("resource", ""),
        ("scope", ""),
        ("state", ""),
    ] {
        assert_eq!(place.get(&claude.asks(&[(name, value)])).await.status, 200, "{name}");
    }
    let page = place.get(&claude.asks(&[])).await;
    let denied = |name| page.leads_with("deny", name);
    assert_eq!(denied("error").as_deref(), Some("access_denied"));
    assert_eq!(
        (denied("state").as_deref(), denied("iss").as_deref()),
        (Some("a state & more"), Some(ORIGIN))
    );
}

#[tokio::test]
async fn nobody_consents_but_a_person_on_the_page() {
    let place = Place::new("consent").await;
    let claude = place.register("Claude", CLAUDE).await;
    let page = place.get(&claude.asks(&[("scope", "read write admin")])).await;
    let request = page.request();
    let post = async |headers: &[(&str, &str)], pairs: &[(&str, &str)]| {
        let mut built = Request::post("/oauth/authorize").header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            built = built.header(*name, *value);
        }
        place.send(built.body(Body::from(encoded(pairs))).unwrap()).await
    };
    let good = [("request", request.as_str()), ("token", TOKEN), ("scope", "read")];
    for headers in [
        [("origin", "https://evil.example"), ("accept", "*/*")],
        [("origin", "null"), ("accept", "*/*")],
        [("sec-fetch-site", "cross-site"), ("origin", ORIGIN)],
        [("sec-fetch-site", "same-site"), ("origin", ORIGIN)],
    ] {
        let answer = post(&headers, &good).await;
        assert_eq!(answer.status, 403, "{headers:?}");
        assert!(answer.says("Another site sent this form") && !answer.text.contains("psn_ac_"));
    }
    // A form that was never shown, or for another worker, or in another shape.
    let (held, mark) = request.split_once('.').unwrap();
    for forged in [held, &format!("{held}x.{mark}"), &format!("e30.{mark}"), "", "."] {
        assert_eq!(
            post(&[], &[("request", forged), ("token", TOKEN), ("scope", "read")])
                .await
                .status,
            400,
            "{forged}"
        );
    }
    let twice = [good[0], good[0], good[1], good[2]];
    assert_eq!(post(&[], &twice).await.status, 400);
    assert_eq!(
        place
            .json("/oauth/authorize", &json!({"request": request}))
            .await
            .status,
        400
    );

    // Who does not prove who they are, or wants more than they have.
    let calls = place.calls();
    for (token, status, says) in [
        ("", 422, "The code is missing"),
        ("wrong", 403, "psn does not know this token"),
        ("psn_short", 403, "psn does not know this token"),
    ] {
        let answer = place.decide(&page, token, &["read"]).await;
        assert_eq!(answer.status, status, "{token}");
        assert!(answer.says(says) && answer.says("role=\"alert\""), "{}", answer.text);
        assert!(!answer.text.contains("psn_short"), "what was typed is shown");
        // The page is good for another try, with what was ticked.
        assert_eq!(answer.request(), request);
        assert!(answer.says("value=\"read\" checked") && answer.says("value=\"write\">"));
    }
    assert_eq!(place.calls(), calls, "guesses wake the database");
    let nothing = place.decide(&page, TOKEN, &[]).await;
    assert_eq!(nothing.status, 422);
    assert!(nothing.says("Nothing is ticked"));
    // What was not asked for is not given, whatever the form says.
    assert_eq!(place.decide(&page, TOKEN, &["publish"]).await.status, 422);
    let (own, _) = place.token_of("ada", 1, &["read", "write"]).await;
    let more = place.decide(&page, &own, &["read", "admin"]).await;
    assert_eq!(more.status, 403);
    assert!(more.says("Your token may not do that itself (admin)"));
    // An assistant does not let in another.
    let (access, refresh) = place.let_in(&claude, &own).await;
    let lent = place.decide(&page, &access, &["read"]).await;
    assert_eq!(lent.status, 403);
    assert!(lent.says("This is an assistant"));
    assert_eq!(place.decide(&page, &refresh, &["read"]).await.status, 403);

    place.world().advance(Millis::from_secs(900));
    let late = place.decide(&page, TOKEN, &["read"]).await;
    assert_eq!(late.status, 400);
    assert!(late.says("Too late"));
}

#[tokio::test]
async fn a_code_is_good_once_for_who_asked_for_it() {
    let place = Place::new("codes").await;
    let claude = place.register("Claude", CLAUDE).await;
    let evil = place.register("Claude", "https://evil.example/cb").await;
    let code = place.code(&claude, TOKEN).await;
    let verifier = evil.verifier.clone();
    for (name, value, refusal) in [
        ("code_verifier", verifier.as_str(), "400 invalid_grant"),
        ("code_verifier", "", "400 invalid_request"),
        ("client_id", evil.id.as_str(), "400 invalid_grant"),
        ("client_id", "", "400 invalid_request"),
        ("redirect_uri", evil.redirect.as_str(), "400 invalid_grant"),
        ("resource", "https://evil.example/mcp", "400 invalid_target"),
        ("grant_type", "password", "400 unsupported_grant_type"),
        ("code", "psn_ac_x", "400 invalid_grant"),
        ("code", "", "400 invalid_request"),
    ] {
        assert_eq!(
            place.redeem(&claude, &code, &[(name, value)]).await.refusal(),
            refusal,
            "{name} {value}"
        );
    }
    let twice = place.redeem(&claude, &code, &[("code", &code), ("code", &code)]).await;
    assert_eq!(twice.refusal(), "400 invalid_request");
    // Whoever tried with the code alone has not spoilt it.
    let tokens = place.redeem(&claude, &code, &[]).await.ok();
    let (access, refresh) = super::place::pair(&tokens);
    assert_eq!(
        place
            .redeem(&claude, &code, &[("code_verifier", &verifier)])
            .await
            .refusal(),
        "400 invalid_grant"
    );
    assert_eq!(place.opens(&access).await, 200);
    // Whoever has the verifier too has what the client has: both are out.
    assert_eq!(place.redeem(&claude, &code, &[]).await.refusal(), "400 invalid_grant");
    assert_eq!(place.opens(&access).await, 401);
    assert_eq!(place.refresh(&claude, &refresh).await.refusal(), "400 invalid_grant");

    let code = place.code(&claude, TOKEN).await;
    place.world().advance(Millis::from_secs(120));
    assert_eq!(place.redeem(&claude, &code, &[]).await.refusal(), "400 invalid_grant");
    // At once from two sides: one of them gets tokens at most, and they are no good.
    let code = place.code(&claude, TOKEN).await;
    let (one, other) = tokio::join!(place.redeem(&claude, &code, &[]), place.redeem(&claude, &code, &[]));
    let given: Vec<_> = [one, other].into_iter().filter(|answer| answer.status == 200).collect();
    assert!(given.len() < 2);
    for answer in given {
        assert_eq!(place.opens(&super::place::pair(&answer.body).0).await, 401);
    }
}

#[tokio::test]
async fn refresh_tokens_are_their_clients() {
    let place = Place::new("mixed").await;
    let claude = place.register("Claude", CLAUDE).await;
    let evil = place.register("Evil", "https://evil.example/cb").await;
    let (access, refresh) = place.let_in(&claude, TOKEN).await;
    assert_eq!(place.refresh(&evil, &refresh).await.refusal(), "400 invalid_grant");
    assert_eq!(place.refresh(&claude, &access).await.refusal(), "400 invalid_grant");
    assert_eq!(place.opens(&refresh).await, 401);
    let with = async |more: &[(&str, &str)]| {
        let mut pairs = vec![
            ("grant_type", "refresh_token"),
            ("client_id", &claude.id),
            ("refresh_token", &refresh),
        ];
        pairs.extend(more);
        place.form("/oauth/token", &pairs).await
    };
    assert_eq!(with(&[("scope", "read publish")]).await.refusal(), "400 invalid_scope");
    assert_eq!(
        with(&[("resource", "https://evil.example")]).await.refusal(),
        "400 invalid_target"
    );
    assert_eq!(with(&[("scope", "read"), ("resource", ORIGIN)]).await.status, 200);
    let text = Request::post("/oauth/token").header("content-type", "text/plain");
    let text = place
        .send(text.body(Body::from("grant_type=refresh_token")).unwrap())
        .await;
    assert_eq!(text.refusal(), "400 invalid_request");
    let long = "a".repeat(40_000);
    assert_eq!(
        place.form("/oauth/token", &[("client_id", &long)]).await.refusal(),
        "400 invalid_request"
    );
}

#[tokio::test]
async fn registering_takes_nothing_that_cannot_be_used() {
    let place = Place::new("register").await;
    let (good, calls) = (json!([CLAUDE]), place.calls());
    for (body, refusal) in [
        (json!({}), "400 invalid_redirect_uri"),
        (json!([]), "400 invalid_client_metadata"),
        (json!({"redirect_uris": []}), "400 invalid_redirect_uri"),
        (json!({"redirect_uris": [7]}), "400 invalid_redirect_uri"),
        (
            json!({"redirect_uris": [CLAUDE, "http://evil.example/"]}),
            "400 invalid_redirect_uri",
        ),
        (
            json!({"redirect_uris": ["https://a.example/#x"]}),
            "400 invalid_redirect_uri",
        ),
        (
            json!({"redirect_uris": ["javascript:alert(1)"]}),
            "400 invalid_redirect_uri",
        ),
        (json!({"redirect_uris": vec![CLAUDE; 11]}), "400 invalid_redirect_uri"),
        (
            json!({"redirect_uris": good, "grant_types": ["client_credentials"]}),
            "400 invalid_client_metadata",
        ),
        (
            json!({"redirect_uris": good, "response_types": ["token"]}),
            "400 invalid_client_metadata",
        ),
        (
            json!({"redirect_uris": good, "client_name": "a".repeat(40_000)}),
            "400 invalid_client_metadata",
        ),
    ] {
        assert_eq!(place.json("/oauth/register", &body).await.refusal(), refusal, "{body}");
    }
    let evil = "</em><script>alert(1)</script>\u{202e}\u{0}";
    let registered = place
        .json("/oauth/register", &json!({"redirect_uris": good, "client_name": evil}))
        .await
        .ok();
    assert_eq!(registered["client_name"], "</em><script>alert(1)</script>");
    assert_eq!(
        (
            &registered["token_endpoint_auth_method"],
            registered.get("client_secret")
        ),
        (&json!("none"), None)
    );
    let client = Assistant::new(registered["client_id"].as_str().unwrap(), CLAUDE);
    let page = place.get(&client.asks(&[])).await;
    assert!(
        page.says("&lt;/em&gt;&lt;script&gt;") && !page.text.contains("<script"),
        "{}",
        page.text
    );
    let unnamed = place
        .json("/oauth/register", &json!({"redirect_uris": good}))
        .await
        .ok();
    assert_eq!(unnamed["client_name"], "claude.ai");
    assert_eq!(place.calls(), calls, "registering wakes the database");
    // Unused for three months it is forgotten, by not being kept.
    place.world().advance(Millis::from_secs(90 * 86_400));
    assert_eq!(place.get(&client.asks(&[])).await.status, 400);
}
