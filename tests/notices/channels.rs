//! What each service is sent.

use crate::MINUTE;
use crate::bench::{Bench, failed, notice};
use crate::receiver::Got;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use psn::domain::notice::EventKind;
use serde_json::{Value, json};
use sha2::Sha256;

const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

pub async fn every_channel(bench: Bench) {
    let url = bench.receiver.url().to_owned();
    let destinations = [
        ("whatsapp", json!({ "phone": "+49 151 123", "provider": "waha" })),
        ("whatsapp", json!({ "phone": "+49 151 123", "provider": "twilio" })),
        ("webhook", json!({ "url": format!("{url}/hook"), "secret": SECRET })),
        ("slack", json!({ "url": format!("{url}/slack") })),
        ("discord", json!({ "url": format!("{url}/discord") })),
        ("telegram", json!({ "bot_token": "1:A", "chat_id": -7 })),
        ("ntfy", json!({ "url": format!("{url}/topic"), "token": "tk_1" })),
        ("email", json!({ "address": "ada@example.com" })),
    ];
    for (kind, given) in destinations {
        bench.destination("ada", kind, given).await;
    }
    let mut what = failed("ada", 1);
    what.payload.insert("what".to_owned(), json!("<b> & it is too long"));
    bench.write(&what).await;
    bench.world.run_for(MINUTE).await;
    let got = bench.receiver.take();
    assert_eq!(got.len(), 8, "{got:?}");
    let of = |path: &str| got.iter().find(|got| got.path.starts_with(path)).unwrap();
    let title = "Failed, nothing is out: X post “Ten things” (01010101)";

    let waha = of("/api/sendText");
    assert_eq!(waha.header("x-api-key"), "waha-key");
    assert_eq!(
        (&waha.json()["chatId"], &waha.json()["session"]),
        (&json!("49151123@c.us"), &json!("default"))
    );
    let text = waha.json()["text"].as_str().unwrap().to_owned();
    assert!(
        text.starts_with(title) && text.contains("<b> & it is too long.\nTo do: "),
        "{text}"
    );
    assert!(text.ends_with("Or answer: retry 01010101, cancel 01010101"), "{text}");

    let twilio = of("/2010-04-01/Accounts/AC1/Messages.json");
    assert_eq!(
        twilio.header("authorization"),
        format!("Basic {}", STANDARD.encode("AC1:twilio-token"))
    );
    let form: Vec<_> = url::form_urlencoded::parse(twilio.body.as_bytes())
        .into_owned()
        .collect();
    assert_eq!(form[0], ("To".to_owned(), "whatsapp:+49151123".to_owned()));
    assert_eq!(form[1], ("From".to_owned(), "whatsapp:+15550100".to_owned()));
    assert!(form[2].1.starts_with(title));

    signed(of("/hook"));
    let body = of("/hook").json();
    assert_eq!(
        (&body["type"], &body["data"]["platform"]),
        (&json!("post.failed"), &json!("x"))
    );
    assert_eq!(body["data"]["post_id"], json!("01010101-0101-4101-8101-010101010101"));

    let slack = of("/slack").json()["text"].as_str().unwrap().to_owned();
    assert!(slack.contains("&lt;b&gt; &amp; it is too long"), "{slack}");
    let discord = of("/discord?wait=true").json();
    assert_eq!(discord["allowed_mentions"], json!({ "parse": [] }));
    assert_eq!(of("/bot1:A/sendMessage").json()["chat_id"], json!("-7"));
    let ntfy = got.iter().find(|got| got.path == "/").unwrap();
    assert_eq!(ntfy.header("authorization"), "Bearer tk_1");
    let body = ntfy.json();
    assert_eq!(
        (&body["topic"], &body["title"], &body["priority"]),
        (&json!("topic"), &json!(title), &json!(4))
    );
    let email = of("/emails");
    assert_eq!(
        (&email.json()["to"], &email.json()["subject"]),
        (&json!(["ada@example.com"]), &json!(title))
    );
    assert_eq!(email.header("idempotency-key").len(), 36);

    // Who is asked for an approval gets a page for it, and the time by the clocks of the place.
    bench.write(&notice(EventKind::ApprovalRequested, "ada", 2)).await;
    bench
        .sql("update psn_outbox set decided_at = decided_at - interval '3 hours'")
        .await;
    bench.world.run_for(MINUTE).await;
    let got = bench.receiver.take();
    let hook: Value = got.iter().find(|got| got.path == "/hook").unwrap().json();
    let text = hook["data"]["text"].as_str().unwrap();
    assert!(text.contains("\nDue Thu 2026-12-24 09:00 UTC.\n"), "{text}");
    assert!(
        text.contains("\nhttps://psn.example/approve/02020202-0202-4202-8202-020202020202?as=ada&hash=5d41&until="),
        "{text}"
    );
}

/// As a receiver verifies it (Standard Webhooks 1.0).
fn signed(got: &Got) {
    let key = STANDARD.decode(SECRET.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(
        format!(
            "{}.{}.{}",
            got.header("webhook-id"),
            got.header("webhook-timestamp"),
            got.body
        )
        .as_bytes(),
    );
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(got.header("webhook-signature"), expected);
    assert_eq!(got.header("webhook-timestamp").len(), 10);
}
