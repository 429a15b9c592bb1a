//! X.

use crate::bench::{Bench, REDIRECT, account, app, calls, granted, kind};
use psn::dev::emulators::x::X;
use psn::domain::platform::Platform;
use psn::domain::secret::Secret;
use psn::domain::time::Millis;
use psn::platforms::oauth::{Revoked, Verifier};
use serde_json::{Value, json};

const VARIABLES: [&str; 2] = ["X_API_URL", "X_AUTH_URL"];

async fn bench_with(oauth: Value) -> Bench<X> {
    let bench = Bench::start(Platform::X, &VARIABLES, oauth).await;
    bench.emulator.add_account(account("7", "ada")).unwrap();
    bench
}

async fn bench() -> Bench<X> {
    bench_with(json!({})).await
}

#[tokio::test]
async fn from_consent_to_revocation() {
    let bench = bench().await;
    let page = bench.get(&bench.consent_url()).await;
    assert!(
        page.text.contains("psn &lt;test&gt;") && page.text.contains("<li>tweet.write</li>"),
        "{}",
        page.text
    );
    let tokens = bench.connect().await;
    assert_eq!(tokens.expires_in, Some(Millis(7_200_000)));
    assert_eq!(tokens.scopes.as_ref().unwrap(), &bench.settings.scopes(Platform::X));
    let identity = bench.identity(&tokens).await.unwrap();
    assert_eq!(
        (identity.remote_user_id.0.as_str(), identity.username.as_deref()),
        ("7", Some("ada"))
    );

    bench.wait_s(7_200);
    assert!(bench.identity(&tokens).await.unwrap_err().contains("401"));
    let renewed = granted(bench.renew(&tokens).await);
    assert_ne!(renewed.refresh_token, tokens.refresh_token);
    bench.identity(&renewed).await.unwrap();

    assert_eq!(
        bench
            .client
            .revoke(Platform::X, renewed.refresh_token.as_ref().unwrap())
            .await,
        Ok(Revoked::Yes)
    );
    assert!(bench.identity(&renewed).await.unwrap_err().contains("401"));
    assert_eq!(kind(bench.renew(&renewed).await).0, "dead");
    let expected = [
        ("authorization_code", "granted"),
        ("refresh_token", "granted"),
        ("revoke", "revoked"),
        ("refresh_token", "withdrawn"),
    ];
    assert_eq!(bench.outcomes(), calls(&expected));
    let ledger = bench.ledger();
    assert_eq!((ledger.refreshes, ledger.replays, ledger.retries_after_loss), (1, 0, 0));
    assert!(ledger.calls.iter().all(|call| call.account.as_deref() == Some("7")));
}

#[tokio::test]
async fn a_person_may_refuse_and_choose_the_account() {
    let bench = bench().await;
    let refused = bench.press("refuse", &[]).await.parameters();
    assert_eq!(refused["error"], "access_denied");
    assert_eq!(refused["state"], crate::bench::STATE);
    assert!(!refused.contains_key("code"));

    bench.emulator.add_account(account("8", "bob")).unwrap();
    let chosen = bench.press("allow", &[("account", "8")]).await.parameters();
    let tokens = granted(bench.exchange(&Secret::new(chosen["code"].as_str())).await);
    assert_eq!(bench.identity(&tokens).await.unwrap().remote_user_id.0, "8");
    assert_eq!(bench.press("allow", &[("account", "9")]).await.status, 400);
}

#[tokio::test]
async fn what_the_page_does_not_take_is_said_there() {
    let bench = bench().await;
    let url = bench.consent_url();
    for (from, to) in [
        ("client_id=the-app", "client_id=other"),
        ("18923", "18924"),
        ("response_type=code", "response_type=token"),
        ("code_challenge=", "challenge="),
        ("=S256", "=S512"),
        ("tweet.write", "tweet.everything"),
        ("state=", &format!("state={}", "s".repeat(500))),
    ] {
        assert!(url.contains(from), "{from} in {url}");
        let page = bench.get(&url.replace(from, to)).await;
        assert_eq!((page.status, page.location), (400, None), "{from}");
        assert!(page.text.contains("id=\"error\""), "{}", page.text);
    }
    assert_eq!(bench.outcomes(), []);
}

#[tokio::test]
async fn wrong_exchanges_are_refused() {
    let bench = bench().await;
    let code = bench.code().await;
    let other = Verifier(Secret::new("v".repeat(64)));
    let wrong = kind(bench.exchange_with(&code, REDIRECT, &other).await);
    assert!(wrong.1.contains("code verifier"), "{wrong:?}");
    let elsewhere = kind(
        bench
            .exchange_with(&code, "https://psn.example/oauth/callback", &bench.verifier)
            .await,
    );
    assert!(
        elsewhere.0 == "app" && elsewhere.1.contains("redirect uri"),
        "{elsewhere:?}"
    );
    let stranger = bench.client_with(|settings| settings.set_app(Platform::X, "the-app", Some("wrong")));
    let public = bench.client_with(|settings| settings.set_app(Platform::X, "the-app", None));
    for client in [stranger, public] {
        let wrong = psn::platforms::oauth::Code {
            code: &code,
            redirect_uri: REDIRECT,
            verifier: &bench.verifier,
        };
        let refused = kind(client.exchange(Platform::X, &wrong).await);
        assert!(refused.0 == "app" && refused.1.contains("401"), "{refused:?}");
    }
    // None of that used it up.
    granted(bench.exchange(&code).await);
    assert_eq!(kind(bench.exchange(&code).await).0, "dead", "the second time");
    let late = bench.code().await;
    bench.wait_s(31);
    assert_eq!(kind(bench.exchange(&late).await).0, "dead", "after 31 s");
    let expected = [
        "wrong_verifier",
        "wrong_redirect",
        "wrong_app",
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

#[tokio::test]
async fn a_public_app_needs_no_secret() {
    let bench = bench().await;
    bench.emulator.add_app(app(None)).unwrap();
    let code = bench.code().await;
    let public = bench.client_with(|settings| settings.set_app(Platform::X, "the-app", None));
    let code = psn::platforms::oauth::Code {
        code: &code,
        redirect_uri: REDIRECT,
        verifier: &bench.verifier,
    };
    granted(public.exchange(Platform::X, &code).await);
}

#[tokio::test]
async fn scopes_decide() {
    let bench = bench_with(json!({"scopes_refused": ["offline.access", "users.read"]})).await;
    let tokens = bench.connect().await;
    assert_eq!(tokens.refresh_token, None, "without `offline.access`");
    assert!(
        !tokens
            .scopes
            .as_ref()
            .unwrap()
            .iter()
            .any(|scope| scope == "users.read")
    );
    assert!(bench.identity(&tokens).await.unwrap_err().contains("403"));
}

#[tokio::test]
async fn a_replay_ends_all_and_is_counted() {
    let bench = bench().await;
    let first = bench.connect().await;
    let second = granted(bench.renew(&first).await);
    let (what, words) = kind(bench.renew(&first).await);
    assert!(
        what == "dead" && words.contains("Value passed for the token was invalid"),
        "{words}"
    );
    assert!(
        bench.identity(&second).await.unwrap_err().contains("401"),
        "the whole family is dead"
    );
    assert_eq!(kind(bench.renew(&second).await).0, "dead");
    let ledger = bench.ledger();
    assert_eq!((ledger.replays, ledger.retries_after_loss, ledger.refreshes), (1, 0, 1));
}

#[tokio::test]
async fn a_retry_after_a_lost_answer_is_no_replay() {
    for how in [
        json!("reset"),
        json!("cut_body"),
        json!("no_id"),
        json!("malformed"),
        json!({"status": 503}),
    ] {
        for forgives in [false, true] {
            let bench = bench_with(json!({"forgives_loss": forgives})).await;
            let tokens = bench.connect().await;
            bench.plan(
                json!([{"match": {"grant": "refresh_token", "nth": 1}, "action": {"fail": "after", "how": how}}]),
            );
            assert_eq!(kind(bench.renew(&tokens).await).0, "lost", "{how}");
            let again = kind(bench.renew(&tokens).await).0;
            assert_eq!(again, if forgives { "granted" } else { "dead" }, "{how}");
            let ledger = bench.ledger();
            assert_eq!((ledger.replays, ledger.retries_after_loss), (0, 1), "{how}");
        }
    }
}

#[tokio::test]
async fn what_fails_before_the_effect_may_be_asked_again() {
    let bench = bench().await;
    let code = bench.code().await;
    bench.plan(json!([
        {"match": {"path": "/2/oauth2/token", "nth": 1}, "action": {"fail": "before"}},
        {"match": {"grant": "refresh_token", "account": "7", "nth": 1}, "action": {"fail": "before", "how": {"status": 429}}},
    ]));
    assert_eq!(kind(bench.exchange(&code).await).0, "lost");
    let tokens = granted(bench.exchange(&code).await);
    assert_eq!(kind(bench.renew(&tokens).await).0, "later");
    granted(bench.renew(&tokens).await);
    assert_eq!(
        bench.outcomes().len(),
        2,
        "what is not decided is not in the ledger of tokens"
    );
}

#[tokio::test]
async fn lives_can_be_set_and_ended() {
    let bench =
        bench_with(json!({"expires_in_s": 60, "refresh_expires_in_s": 90, "refresh_ends_access_token": true})).await;
    let first = bench.connect().await;
    assert_eq!(first.expires_in, Some(Millis(60_000)));
    let second = granted(bench.renew(&first).await);
    assert!(bench.identity(&first).await.is_err(), "its successor ended it");
    bench.identity(&second).await.unwrap();
    assert_eq!(bench.emulator.expire("7"), 1);
    assert!(bench.identity(&second).await.is_err());
    let third = granted(bench.renew(&second).await);
    bench.wait_s(90);
    assert_eq!(kind(bench.renew(&third).await).0, "dead", "half a year is over");

    let granted_by_hand = bench.emulator.grant("the-app", "7").ok().unwrap();
    assert!(granted_by_hand.refresh_token.is_some());
    let tokens = psn::platforms::oauth::Tokens {
        access_token: Secret::new(granted_by_hand.access_token),
        refresh_token: granted_by_hand.refresh_token.map(Secret::new),
        ..third
    };
    bench.identity(&tokens).await.unwrap();
    assert_eq!(bench.emulator.withdraw("7"), 2);
    assert!(bench.identity(&tokens).await.is_err());
    assert_eq!(kind(bench.renew(&tokens).await).0, "dead");
}

#[tokio::test]
async fn tokens_survive_a_restart_and_a_reset() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.jsonl");
    let bench: Bench<X> = Bench::start_at(Platform::X, &VARIABLES, json!({}), Some(path.clone())).await;
    bench.emulator.add_account(account("7", "ada")).unwrap();
    let first = bench.connect().await;
    let second = granted(bench.renew(&first).await);
    let before = bench.ledger();
    bench.emulator.shutdown();

    let bench: Bench<X> = Bench::start_at(Platform::X, &VARIABLES, json!({}), Some(path.clone())).await;
    assert_eq!(bench.ledger(), before);
    bench.identity(&second).await.unwrap();
    let other = bench.connect().await;
    assert_ne!(
        other.access_token, first.access_token,
        "the same seed makes no token twice"
    );
    bench.emulator.reset().unwrap();
    assert_eq!(bench.ledger().calls, []);
    let third = granted(bench.renew(&second).await);
    assert_eq!(kind(bench.renew(&second).await).0, "dead");
    assert_eq!((bench.ledger().replays, bench.ledger().refreshes), (1, 1));
    assert!(bench.identity(&third).await.is_err());
    bench.emulator.shutdown();
    let bench: Bench<X> = Bench::start_at(Platform::X, &VARIABLES, json!({}), Some(path)).await;
    assert!(bench.identity(&third).await.is_err());
    assert_eq!(bench.ledger().replays, 1);
}

#[tokio::test]
async fn the_ledger_holds_no_secret() {
    let bench = bench().await;
    let tokens = bench.connect().await;
    granted(bench.renew(&tokens).await);
    let ledger = serde_json::to_string(&bench.emulator.ledger()).unwrap();
    for secret in [
        &tokens.access_token,
        tokens.refresh_token.as_ref().unwrap(),
        &bench.verifier.0,
    ] {
        assert!(!ledger.contains(secret.expose()));
    }
    assert!(!ledger.contains("s+cr"));
}
