//! Tokens that end, and tokens that die.

use crate::bench::Bench;
use psn::domain::time::Millis;
use serde_json::json;

/// Connects the account with a token that has to be renewed before it can be used.
async fn ageing(bench: &Bench) -> String {
    let (settings, age) = bench.subject.renewal();
    bench.emulated.change(&settings);
    bench.connect(age).await.1.access_token
}

/// How many renewals of this account were granted, and how many tokens of its were presented twice.
fn renewals(bench: &Bench) -> (usize, usize) {
    let calls = bench.emulated.ledger().oauth.calls.into_iter();
    let ours = calls.filter(|call| call.account.as_deref() == Some(bench.account.as_str()));
    let outcomes: Vec<String> = ours.map(|call| call.outcome).collect();
    let count = |wanted: &str| outcomes.iter().filter(|outcome| *outcome == wanted).count();
    (count("granted"), count("replay"))
}

pub async fn expired_token_is_refreshed_before_publish(bench: &Bench) {
    let old = ageing(bench).await;
    let plain = bench.subject.plain();
    let id = bench.make_now(&plain).await;
    let post = bench.published(&id, 1).await;
    assert_eq!(renewals(bench), (1, 0), "{post}");
    assert_ne!(bench.place.access_token(bench.account_id.clone()).await, old);
    // The platform never saw the old one.
    assert!(!bench.has(&id, "token_dead").await, "{:#?}", bench.events(&id).await);
}

pub async fn new_token_is_durable_before_the_call(bench: &Bench) {
    let old = ageing(bench).await;
    let plain = bench.subject.plain();
    let (shape, call) = match bench.subject.text() {
        Some(_) => (plain.clone(), bench.subject.publishing(&plain, &bench.account)),
        None => bench.subject.prepared(&bench.account),
    };
    bench.rule(&call, json!({"hold": "before"}), Some(1));
    let id = bench.make_now(&shape).await;
    bench.until_held().await;
    assert_ne!(bench.place.access_token(bench.account_id.clone()).await, old);
    assert_eq!(renewals(bench), (1, 0));
    bench.place.kill().await;
    if call.is_signed && bench.subject.text().is_some() {
        bench.settles_as_absent(&id).await;
    } else {
        bench.published(&id, 1).await;
    }
    assert_eq!(renewals(bench), (1, 0), "it is not renewed again");
}

pub async fn dead_token_keeps_the_post_until_the_account_is_connected(bench: &Bench) {
    bench.emulated.withdraw(&bench.account);
    let plain = bench.subject.plain();
    let id = bench.make_now(&plain).await;
    let post = bench.ends(&id, ("retry", Some("needs_reauth"))).await;
    assert!(!Bench::reason(&post).is_empty() && post["resting"] == false, "{post}");
    assert_eq!(bench.copies(), 0);
    bench.connect(Millis(0)).await;
    bench.published(&id, 1).await;
}
