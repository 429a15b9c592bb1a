//! TikTok.

use crate::bench::{Bench, REDIRECT, account, calls, granted, kind, pairs};
use psn::dev::emulators::tiktok::TikTok;
use psn::domain::platform::Platform;
use psn::domain::secret::Secret;
use psn::domain::time::Millis;
use psn::platforms::oauth::{Revoked, Verifier};
use serde_json::{Value, json};

const VARIABLES: [&str; 2] = ["TIKTOK_API_URL", "TIKTOK_AUTH_URL"];

async fn bench_with(oauth: Value) -> Bench<TikTok> {
    let bench = Bench::start(Platform::TikTok, &VARIABLES, oauth).await;
    bench.emulator.add_account(account("open-id-1", "Ada")).unwrap();
    bench
}

#[tokio::test]
async fn from_consent_to_revocation() {
    let bench = bench_with(json!({})).await;
    let tokens = bench.connect().await;
    assert_eq!(tokens.expires_in, Some(Millis(86_400_000)));
    assert_eq!(tokens.refresh_expires_in, Some(Millis(31_536_000_000)));
    assert_eq!(
        tokens.scopes.as_ref().unwrap(),
        &bench.settings.scopes(Platform::TikTok)
    );
    let identity = bench.identity(&tokens).await.unwrap();
    assert_eq!(Some(&identity.remote_user_id), tokens.remote_user_id.as_ref());
    assert_eq!(
        (identity.remote_user_id.0.as_str(), identity.username.as_deref()),
        ("open-id-1", Some("Ada"))
    );

    bench.wait_s(86_400);
    assert!(bench.identity(&tokens).await.unwrap_err().contains("401"));
    let renewed = granted(bench.renew(&tokens).await);
    assert_ne!(renewed.refresh_token, tokens.refresh_token);
    assert_eq!(kind(bench.renew(&tokens).await).0, "dead");
    assert_eq!((bench.ledger().replays, bench.ledger().refreshes), (1, 1));
    bench.identity(&renewed).await.unwrap();

    let revoked = bench.client.revoke(Platform::TikTok, &renewed.access_token).await;
    assert_eq!(revoked, Ok(Revoked::Yes));
    assert!(bench.identity(&renewed).await.unwrap_err().contains("401"));
    assert_eq!(kind(bench.renew(&renewed).await).0, "dead");
}

#[tokio::test]
async fn scopes_may_be_unticked() {
    let bench = bench_with(json!({})).await;
    let shown = bench.get(&bench.consent_url()).await;
    let boxes: Vec<_> = shown
        .fields()
        .into_iter()
        .filter(|(name, _)| name == "picked")
        .collect();
    assert_eq!(boxes.len(), bench.settings.scopes(Platform::TikTok).len());
    let fewer = bench
        .press("allow", &[("picked", "user.info.basic")])
        .await
        .parameters();
    assert_eq!(fewer["scopes"], "user.info.basic");
    let tokens = granted(bench.exchange(&Secret::new(fewer["code"].as_str())).await);
    assert_eq!(tokens.scopes.as_deref(), Some(&["user.info.basic".to_owned()][..]));
    let none = bench.press("allow", &[("picked", "")]).await.parameters();
    let tokens = granted(bench.exchange(&Secret::new(none["code"].as_str())).await);
    assert!(
        bench.identity(&tokens).await.unwrap_err().contains("401"),
        "without `user.info.basic`"
    );
    assert_eq!(bench.press("refuse", &[]).await.parameters()["error"], "access_denied");
}

#[tokio::test]
async fn wrong_exchanges_are_refused() {
    let bench = bench_with(json!({})).await;
    let page = bench.press("allow", &[]).await;
    let raw = page.location.as_deref().unwrap().to_owned();
    let raw = raw.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let code = Secret::new(page.parameters()["code"].as_str());
    assert_ne!(raw, code.expose());
    assert_eq!(
        kind(bench.exchange(&Secret::new(raw)).await).0,
        "dead",
        "a code is decoded first"
    );
    let other = Verifier(Secret::new("v".repeat(64)));
    let wrong = kind(bench.exchange_with(&code, REDIRECT, &other).await);
    assert!(
        wrong.0 == "app" && wrong.1.contains("(200)") && wrong.1.contains("Code verifier"),
        "{wrong:?}"
    );
    let elsewhere = bench
        .exchange_with(&code, "https://psn.example/oauth/callback", &bench.verifier)
        .await;
    assert!(kind(elsewhere).1.contains("Redirect_uri"));
    let stranger = bench.client_with(|settings| settings.set_app(Platform::TikTok, "the-app", Some("wrong")));
    let stranger_s = psn::platforms::oauth::Code {
        code: &code,
        redirect_uri: REDIRECT,
        verifier: &bench.verifier,
    };
    assert_eq!(kind(stranger.exchange(Platform::TikTok, &stranger_s).await).0, "app");
    granted(bench.exchange(&code).await);
    assert_eq!(kind(bench.exchange(&code).await).0, "dead");
    let late = bench.code().await;
    bench.wait_s(601);
    assert_eq!(kind(bench.exchange(&late).await).0, "dead");
    let expected = [
        "no_such_code",
        "wrong_verifier",
        "wrong_redirect",
        "wrong_app",
        "granted",
        "code_used",
        "code_expired",
    ];
    assert_eq!(
        bench.outcomes(),
        calls(&expected.map(|outcome| ("authorization_code", outcome)))
    );
}

/// The challenge of RFC 7636 is taken at consent and fails at the exchange, as people report.
#[tokio::test]
async fn the_usual_challenge_fails() {
    let bench = bench_with(json!({})).await;
    let url = bench.consent_url();
    let query = url.split_once('?').unwrap().1;
    let mut fields = pairs(query);
    let position = fields.iter().position(|(name, _)| name == "code_challenge").unwrap();
    let hexadecimal = fields[position].1.clone();
    assert!(hexadecimal.len() == 64 && hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit()));
    fields.push(("decision".to_owned(), "allow".to_owned()));
    let usual = {
        use base64::Engine as _;
        let digest: Vec<u8> = (0..32)
            .map(|at| u8::from_str_radix(&hexadecimal[at * 2..at * 2 + 2], 16).unwrap())
            .collect();
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest)
    };
    fields[position].1 = usual;
    let code = Secret::new(bench.submit(&fields).await.parameters()["code"].as_str());
    assert!(kind(bench.exchange(&code).await).1.contains("code challenge"));
    fields.remove(position);
    assert_eq!(
        bench.submit(&fields).await.status,
        400,
        "a redirect to the own machine needs one"
    );
}

#[tokio::test]
async fn a_retry_after_a_lost_answer_is_no_replay() {
    for forgives in [false, true] {
        let bench = bench_with(json!({"forgives_loss": forgives})).await;
        let tokens = bench.connect().await;
        bench.plan(
            json!([{"match": {"grant": "refresh_token"}, "action": {"fail": "after", "how": "cut_body"}, "times": 1}]),
        );
        assert_eq!(kind(bench.renew(&tokens).await).0, "lost");
        let again = kind(bench.renew(&tokens).await).0;
        assert_eq!(again, if forgives { "granted" } else { "dead" });
        assert_eq!((bench.ledger().replays, bench.ledger().retries_after_loss), (0, 1));
    }
}
