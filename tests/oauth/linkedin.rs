//! LinkedIn.

use crate::bench::{Bench, REDIRECT, account, calls, granted, kind};
use psn::dev::emulators::linkedin::LinkedIn;
use psn::domain::platform::Platform;
use psn::domain::secret::Secret;
use psn::domain::time::Millis;
use psn::platforms::oauth::{Revoked, Verifier};
use serde_json::{Value, json};

const VARIABLES: [&str; 2] = ["LINKEDIN_API_URL", "LINKEDIN_AUTH_URL"];
const DAY_S: i64 = 86_400;

async fn bench_with(oauth: Value) -> Bench<LinkedIn> {
    let bench = Bench::start(Platform::LinkedIn, &VARIABLES, oauth).await;
    bench.emulator.add_account(account("AbC-1", "Ada Lovelace")).unwrap();
    bench
}

#[tokio::test]
async fn from_consent_to_the_end_of_sixty_days() {
    let bench = bench_with(json!({})).await;
    let tokens = bench.connect().await;
    assert_eq!(tokens.expires_in, Some(Millis::from_secs(60 * DAY_S)));
    assert_eq!(tokens.refresh_token, None, "only partners get one");
    assert!(tokens.access_token.expose().len() >= 1_000);
    assert_eq!(
        tokens.scopes.as_ref().unwrap(),
        &bench.settings.scopes(Platform::LinkedIn)
    );
    let identity = bench.identity(&tokens).await.unwrap();
    assert_eq!(identity.remote_user_id.0, "urn:li:person:AbC-1");
    assert_eq!(identity.username.as_deref(), Some("Ada Lovelace"));
    assert_eq!(kind(bench.renew(&tokens).await).0, "dead", "without asking LinkedIn");

    // The page is skipped while the old token works.
    bench.wait_s(59 * DAY_S);
    let skipped = bench.get(&bench.consent_url()).await;
    let code = Secret::new(skipped.parameters()["code"].as_str());
    let again = granted(bench.exchange(&code).await);
    bench.wait_s(DAY_S);
    assert!(bench.identity(&tokens).await.unwrap_err().contains("401"));
    bench.identity(&again).await.unwrap();
    bench.wait_s(59 * DAY_S);
    assert_eq!(bench.get(&bench.consent_url()).await.status, 200);
}

#[tokio::test]
async fn partners_renew_with_one_token_for_a_year() {
    let bench = bench_with(json!({"partner": true})).await;
    let tokens = bench.connect().await;
    assert_eq!(tokens.refresh_expires_in, Some(Millis::from_secs(365 * DAY_S)));
    bench.wait_s(55 * DAY_S);
    let renewed = granted(bench.renew(&tokens).await);
    assert_eq!(renewed.refresh_token, tokens.refresh_token);
    assert_eq!(renewed.refresh_expires_in, Some(Millis::from_secs(310 * DAY_S)));
    let again = granted(bench.renew(&tokens).await);
    bench.identity(&again).await.unwrap();
    assert_eq!((bench.ledger().replays, bench.ledger().refreshes), (0, 2));

    let revoked = bench.client.revoke(Platform::LinkedIn, &again.access_token).await;
    assert_eq!(revoked, Ok(Revoked::Yes));
    assert!(bench.identity(&renewed).await.unwrap_err().contains("401"));
    assert_eq!(kind(bench.renew(&tokens).await).0, "dead");
    let other = bench.connect().await;
    bench.wait_s(365 * DAY_S);
    assert_eq!(kind(bench.renew(&other).await).0, "dead");

    let other = bench.connect().await;
    let mut settings = bench.emulator.faults().settings;
    settings.oauth.partner = false;
    bench.emulator.set_settings(settings).unwrap();
    assert_eq!(kind(bench.renew(&other).await).0, "app", "no partner any more");
}

#[tokio::test]
async fn a_person_may_refuse_and_scopes_may_be_closed() {
    let bench = bench_with(json!({})).await;
    let refused = bench.press("refuse", &[]).await.parameters();
    assert_eq!(refused["error"], "user_cancelled_authorize");
    let closed = bench
        .get(&bench.consent_url_for(&["r_member_social".to_owned()]))
        .await
        .parameters();
    assert_eq!(closed["error"], "unauthorized_scope_error");
    assert_eq!(closed["state"], crate::bench::STATE);

    let first = bench.connect().await;
    let fewer = bench.get(&bench.consent_url_for(&["openid".to_owned()])).await;
    let mut fields = fewer.fields();
    fields.push(("decision".to_owned(), "allow".to_owned()));
    let code = bench.submit(&fields).await.parameters()["code"].clone();
    let second = granted(bench.exchange(&Secret::new(code)).await);
    assert!(bench.identity(&first).await.is_err(), "other scopes end earlier tokens");
    assert!(bench.identity(&second).await.unwrap_err().contains("403"));
}

#[tokio::test]
async fn wrong_exchanges_are_refused() {
    let bench = bench_with(json!({})).await;
    let code = bench.code().await;
    let elsewhere = bench
        .exchange_with(&code, "https://psn.example/oauth/callback", &bench.verifier)
        .await;
    assert!(kind(elsewhere).1.contains("redirect uri"));
    let stranger = bench.client_with(|settings| settings.set_app(Platform::LinkedIn, "the-app", Some("wrong")));
    let wrong = psn::platforms::oauth::Code {
        code: &code,
        redirect_uri: REDIRECT,
        verifier: &bench.verifier,
    };
    assert_eq!(kind(stranger.exchange(Platform::LinkedIn, &wrong).await).0, "app");
    bench.plan(json!([{"match": {"path": "/oauth/v2/accessToken"}, "action": {"fail": "before"}, "times": 1}]));
    assert_eq!(kind(bench.exchange(&code).await).0, "lost");
    // Verifiers are passed over.
    let other = Verifier(Secret::new("v".repeat(64)));
    granted(bench.exchange_with(&code, REDIRECT, &other).await);
    assert_eq!(kind(bench.exchange(&code).await).0, "dead");
    // The page is skipped now.
    let late = bench.get(&bench.consent_url()).await;
    let late = Secret::new(late.parameters()["code"].as_str());
    bench.wait_s(1_801);
    assert_eq!(kind(bench.exchange(&late).await).0, "dead");
    let expected = ["wrong_redirect", "wrong_app", "granted", "code_used", "code_expired"];
    assert_eq!(
        bench.outcomes(),
        calls(&expected.map(|outcome| ("authorization_code", outcome)))
    );
}
