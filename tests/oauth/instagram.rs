//! Instagram.

use crate::bench::{Bench, REDIRECT, account, calls, granted, kind};
use psn::dev::emulators::instagram::Instagram;
use psn::domain::platform::Platform;
use psn::domain::secret::Secret;
use psn::domain::time::Millis;
use psn::platforms::oauth::Revoked;
use serde_json::json;

const VARIABLES: [&str; 3] = ["INSTAGRAM_API_URL", "INSTAGRAM_AUTH_URL", "INSTAGRAM_TOKEN_URL"];
const DAY_S: i64 = 86_400;

async fn bench() -> Bench<Instagram> {
    let bench = Bench::start(Platform::Instagram, &VARIABLES, json!({})).await;
    bench.emulator.add_account(account("17841400000000001", "ada")).unwrap();
    bench
}

#[tokio::test]
async fn from_consent_to_renewal() {
    let bench = bench().await;
    let page = bench.press("allow", &[]).await;
    assert!(page.location.as_deref().unwrap().ends_with("#_"));
    let code = Secret::new(page.parameters()["code"].as_str());
    let tokens = granted(bench.exchange(&code).await);
    assert_eq!(
        tokens.expires_in,
        Some(Millis::from_secs(60 * DAY_S)),
        "two calls: the hour's token is exchanged"
    );
    assert_eq!(tokens.refresh_token, None);
    assert_eq!(
        tokens.scopes.as_ref().unwrap(),
        &bench.settings.scopes(Platform::Instagram)
    );
    let identity = bench.identity(&tokens).await.unwrap();
    assert_eq!(identity.remote_user_id.0, "17841400000000001");
    assert_eq!(identity.username.as_deref(), Some("ada"));
    assert_ne!(
        tokens.remote_user_id.as_ref(),
        Some(&identity.remote_user_id),
        "apps are told another id"
    );

    let young = kind(bench.renew(&tokens).await);
    assert!(young.0 == "app" && young.1.contains("24 hours"), "{young:?}");
    bench.wait_s(DAY_S);
    let renewed = granted(bench.renew(&tokens).await);
    bench.identity(&renewed).await.unwrap();
    bench.identity(&tokens).await.unwrap();
    bench.wait_s(59 * DAY_S);
    assert!(bench.identity(&tokens).await.unwrap_err().contains("400"));
    assert_eq!(
        kind(bench.renew(&tokens).await).0,
        "dead",
        "a token that has ended renews nothing"
    );
    granted(bench.renew(&renewed).await);
    assert_eq!(
        bench.client.revoke(Platform::Instagram, &renewed.access_token).await,
        Ok(Revoked::ByHand)
    );
    assert_eq!(bench.emulator.withdraw("17841400000000001"), 1);
    assert_eq!(kind(bench.renew(&renewed).await).0, "dead");
    let expected = [
        ("authorization_code", "granted"),
        ("ig_exchange_token", "granted"),
        ("ig_refresh_token", "too_young"),
        ("ig_refresh_token", "granted"),
        ("ig_refresh_token", "expired"),
        ("ig_refresh_token", "granted"),
        ("ig_refresh_token", "withdrawn"),
    ];
    assert_eq!(bench.outcomes(), calls(&expected));
    assert_eq!((bench.ledger().refreshes, bench.ledger().replays), (2, 0));
    let ledger = serde_json::to_string(&bench.emulator.ledger()).unwrap();
    assert!(!ledger.contains(renewed.access_token.expose()) && !ledger.contains("s%2Bcr"));
    assert!(
        ledger.contains("access_token=[redacted]"),
        "tokens travel in the query here"
    );
}

#[tokio::test]
async fn wrong_exchanges_are_refused() {
    let bench = bench().await;
    let refused = bench.press("refuse", &[]).await.parameters();
    assert_eq!(
        (refused["error"].as_str(), refused["error_reason"].as_str()),
        ("access_denied", "user_denied")
    );
    let code = bench.code().await;
    let elsewhere = bench
        .exchange_with(&code, "https://psn.example/oauth/callback", &bench.verifier)
        .await;
    assert!(kind(elsewhere).1.contains("redirect_uri"));
    let stranger = bench.client_with(|settings| settings.set_app(Platform::Instagram, "the-app", Some("wrong")));
    let wrong = psn::platforms::oauth::Code {
        code: &code,
        redirect_uri: REDIRECT,
        verifier: &bench.verifier,
    };
    assert_eq!(kind(stranger.exchange(Platform::Instagram, &wrong).await).0, "app");
    // The tail of the redirect is no part of the code.
    let with_tail = Secret::new(format!("{}#_", code.expose()));
    assert_eq!(kind(bench.exchange(&with_tail).await).0, "dead");
    granted(bench.exchange(&code).await);
    assert_eq!(kind(bench.exchange(&code).await).0, "dead");
    let late = bench.code().await;
    bench.wait_s(3_601);
    assert_eq!(kind(bench.exchange(&late).await).0, "dead");
}

#[tokio::test]
async fn each_host_has_its_own_routes_and_the_second_call_may_be_lost() {
    let bench = bench().await;
    let swapped = psn::platforms::oauth::Settings::read(psn::platforms::oauth::CALL_DEADLINE_MS, |name| match name {
        "INSTAGRAM_TOKEN_URL" => Some(bench.emulator.url().to_owned()),
        "INSTAGRAM_API_URL" => Some(bench.emulator.second_url().to_owned()),
        _ => None,
    });
    let mut settings = swapped;
    settings.set_app(Platform::Instagram, "the-app", Some("s+crët /1"));
    let code = bench.code().await;
    let wrong_hosts = bench.client_with(|own| *own = settings);
    let wrong = psn::platforms::oauth::Code {
        code: &code,
        redirect_uri: REDIRECT,
        verifier: &bench.verifier,
    };
    assert_eq!(kind(wrong_hosts.exchange(Platform::Instagram, &wrong).await).0, "app");
    bench.plan(json!([{"match": {"grant": "ig_exchange_token"}, "action": {"fail": "after"}, "times": 1}]));
    assert_eq!(kind(bench.exchange(&code).await).0, "lost");
    assert_eq!(bench.ledger().calls.len(), 2);
    let renewable = bench.connect().await;
    bench.wait_s(DAY_S);
    bench.plan(
        json!([{"match": {"grant": "ig_refresh_token"}, "action": {"fail": "after", "how": "cut_body"}, "times": 1}]),
    );
    assert_eq!(kind(bench.renew(&renewable).await).0, "lost");
    granted(bench.renew(&renewable).await);
    assert_eq!(bench.ledger().replays, 0, "an access token may renew itself again");
}
