//! What people write back by WhatsApp: heard from whom it should be, once, and no further than what they may do. The posts,
//! their approval and what is told of them are real; WAHA and Twilio are a receiver on this machine.

use crate::client::Client;
use crate::receiver::{Receiver, Reply};
use crate::support::{self, Stage};
use crate::{HOUR, MINUTE};
use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::dev::postgres::Postgres;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::Sha512;
use std::sync::Arc;
use tower_service::Service;

const EVE: &str = "4915112345678";
const ADA: &str = "+4915187654321";

struct Phones {
    stage: Stage,
    receiver: Receiver,
    ada: Client,
    eve: Client,
}

impl Phones {
    async fn start(postgres: &Arc<Postgres>) -> Self {
        let receiver = Receiver::start().await;
        let url = receiver.url().to_owned();
        let variables = [
            ("MEDIA_FROM_LOOPBACK", "1"),
            ("PUBLIC_URL", "https://psn.example"),
            ("WAHA_BASE_URL", url.as_str()),
            ("WAHA_HMAC_KEY", "waha-hmac"),
            ("TWILIO_API_URL", url.as_str()),
            ("TWILIO_ACCOUNT_SID", "AC1"),
            ("TWILIO_AUTH_TOKEN", "twilio-token"),
            ("TWILIO_FROM_NUMBER", "+1 555 0100"),
        ];
        let stage = support::stage_with(postgres, "notices_replies", 71, XSettings::default(), &variables).await;
        stage
            .ask("insert into team_members (user_id, hub_id, role) values ('default', 'hub_1', 'member'), ('eve', 'hub_1', 'admin')")
            .await;
        let (ada, eve) = (Client::new(&stage.world, "default"), Client::new(&stage.world, "eve"));
        for (client, phone, provider) in [(&eve, EVE, "waha"), (&ada, ADA, "twilio")] {
            let body = json!({ "kind": "whatsapp", "phone": phone, "provider": provider });
            client.post("/v1/notifications/destinations", body).await.ok();
        }
        eve.patch("/v1/notifications", json!({ "max_push_per_day": 50 }))
            .await
            .ok();
        Self {
            stage,
            receiver,
            ada,
            eve,
        }
    }

    /// A post of the hub, submitted; its id.
    async fn submitted(&self, text: &str, message: &str) -> String {
        let body = json!({ "platform": "x", "content": text, "scheduled_at": "in 72 hours", "hub_id": "hub_1" });
        let made = self.ada.post("/v1/posts", body).await.ok();
        let id = made["posts"][0]["id"].as_str().unwrap().to_owned();
        self.submit(&id, message).await;
        id
    }

    /// Submits it, and sees to it that Eve is asked at once.
    async fn submit(&self, id: &str, message: &str) {
        self.stage
            .ask("update psn_outbox set decided_at = decided_at - interval '3 hours' where decided_at is not null")
            .await;
        self.receiver.reply([Reply {
            body: format!("{{\"id\":\"{message}\"}}"),
            ..Reply::of(201)
        }]);
        self.ada.post(&format!("/v1/posts/{id}/submit"), Value::Null).await.ok();
        self.stage.world.run_for(MINUTE).await;
    }

    /// Brings what Eve writes, as WAHA does; the status.
    async fn waha(&self, id: &str, from: &str, text: &str, quoted: Option<&str>, key: &str) -> u16 {
        let body = json!({
            "event": "message", "session": "default", "payload": {
                "id": id, "timestamp": self.stage.world.now().0 / 1_000, "from": from, "fromMe": false, "body": text,
                "replyTo": quoted.map(|id| json!({ "id": id, "body": "…" })),
            }
        })
        .to_string();
        let mut mac = Hmac::<Sha512>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let signature: String = mac
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let request = Request::post("/hooks/waha")
            .header("x-webhook-hmac-algorithm", "sha512")
            .header("x-webhook-hmac", signature)
            .body(Body::from(body));
        self.ada
            .router()
            .call(request.unwrap())
            .await
            .unwrap()
            .status()
            .as_u16()
    }

    /// What Eve writes; what she is answered.
    async fn eve(&self, id: &str, text: &str, quoted: Option<&str>) -> String {
        self.receiver.take();
        assert_eq!(
            self.waha(id, &format!("{EVE}@c.us"), text, quoted, "waha-hmac").await,
            204
        );
        self.answer(|got| got.json()["text"].as_str().unwrap().to_owned())
    }

    /// What Ada writes, by Twilio; what she is answered.
    async fn ada(&self, id: &str, text: &str) -> String {
        self.receiver.take();
        assert_eq!(self.twilio(id, text, "twilio-token").await, 200);
        self.answer(|got| {
            let mut fields = url::form_urlencoded::parse(got.body.as_bytes());
            fields.find(|(name, _)| name == "Body").unwrap().1.into_owned()
        })
    }

    async fn twilio(&self, id: &str, text: &str, token: &str) -> u16 {
        let from = format!("whatsapp:{ADA}");
        let fields = [("Body", text), ("From", from.as_str()), ("MessageSid", id)];
        let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).unwrap();
        mac.update(b"https://psn.example/hooks/twilio");
        for (name, value) in fields {
            mac.update(name.as_bytes());
            mac.update(value.as_bytes());
        }
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = Request::post("/hooks/twilio")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-twilio-signature", STANDARD.encode(mac.finalize().into_bytes()))
            .body(Body::from(body));
        self.ada
            .router()
            .call(request.unwrap())
            .await
            .unwrap()
            .status()
            .as_u16()
    }

    /// The one answer, if there is one.
    fn answer(&self, read: impl Fn(&crate::receiver::Got) -> String) -> String {
        let got = self.receiver.take();
        assert!(got.len() <= 1, "{got:?}");
        got.first().map(read).unwrap_or_default()
    }

    async fn approval(&self, id: &str) -> String {
        let post = self.ada.get(&format!("/v1/posts/{id}")).await.ok();
        format!(
            "{} {}",
            post["approval_status"].as_str().unwrap_or("none"),
            post["status"].as_str().unwrap()
        )
    }
}

pub async fn people_answer(postgres: &Arc<Postgres>) {
    let phones = Phones::start(postgres).await;
    let first = phones
        .submitted("Tea is short and cool", "true_4915112345678@c.us_AAA")
        .await;
    // The object of the post rang by itself, and the message says what can be answered and where to look.
    let asked = phones.receiver.take();
    let text = asked[0].json()["text"].as_str().unwrap().to_owned();
    assert!(
        text.starts_with("Asks for your approval: X post “Tea is short and cool” ("),
        "{text}"
    );
    let short = &first[..8];
    assert!(
        text.contains(&format!("Or answer: approve {short}, reject {short} REASON")),
        "{text}"
    );
    assert!(
        text.contains(&format!("\nhttps://psn.example/approve/{first}?as=eve&hash=")),
        "{text}"
    );
    let which = format!("X post “Tea is short and cool” ({short})");

    unheard(&phones, &first).await;
    let second = phones.submitted("Two", "true_4915112345678@c.us_BBB").await;
    // Quoting the first message, though the second came later.
    assert_eq!(
        phones.eve("in_1", "approve", Some("AAA")).await,
        format!("Approved: {which}.")
    );
    assert_eq!(phones.approval(&first).await, "approved scheduled");
    assert_eq!(phones.approval(&second).await, "submitted scheduled");
    // Brought twice it is carried out once, and answered once.
    assert_eq!(phones.eve("in_1", "approve", Some("AAA")).await, "");
    // A reason is one without a colon too; the last message that fits is meant.
    let rejected = phones.eve("in_2", "reject which year?", None).await;
    assert!(
        rejected.starts_with("Rejected, its author is told: X post “Two” ("),
        "{rejected}"
    );
    let post = phones.ada.get(&format!("/v1/posts/{second}")).await.ok();
    assert_eq!(
        (&post["review_comment"], &post["reviewer_id"]),
        (&json!("which year?"), &json!("eve"))
    );
    let context = "select conversation_context ->> 'command', conversation_context ->> 'postId', last_activity_at is not null \
        from whatsapp_sessions where user_id = 'eve'";
    assert_eq!(phones.stage.ask(context).await, format!("reject|{second}|t"));

    // Nobody approves what they did not see.
    phones.submit(&second, "CCC").await;
    let change = json!({ "content": "Two, changed" });
    phones.ada.patch(&format!("/v1/posts/{second}"), change).await.ok();
    phones.stage.world.run_for(MINUTE).await;
    let late = phones.eve("in_3", &format!("approve {}", &second[..8]), None).await;
    assert!(late.contains("it was changed since you looked at it"), "{late}");
    assert_eq!(phones.approval(&second).await, "draft scheduled");

    // An admin reviews, and does nothing else with what is another's; its author does.
    let refused = phones.eve("in_4", &format!("cancel {short}"), None).await;
    assert_eq!(refused, format!("{which} is not yours to cancel: ask its author."));
    assert_eq!(phones.approval(&first).await, "approved scheduled");
    let told = format!("cancel {short}");
    assert_eq!(
        phones.ada("SM1", &told).await,
        format!("Cancelled, it is a draft again: {which}.")
    );
    assert_eq!(phones.ada("SM1", &told).await, "", "once");
    phones.stage.world.run_for(MINUTE).await;
    assert_eq!(phones.approval(&first).await, "approved draft");
    let conflict = phones.ada("SM2", &format!("resolve {short} not published")).await;
    assert!(conflict.contains("no part of it is in doubt"), "{conflict}");
    let unknown = phones.ada("SM3", "retry 99999999").await;
    assert!(
        unknown.starts_with("I told you of no post 99999999 lately"),
        "{unknown}"
    );

    // Who is no admin any more decides nothing, and a telephone that was taken away is heard no more.
    phones.submit(&second, "DDD").await;
    phones
        .stage
        .ask("update team_members set role = 'member' where user_id = 'eve'")
        .await;
    let refused = phones.eve("in_5", "approve", None).await;
    assert!(
        refused.ends_with("is not yours to approve: ask its author."),
        "{refused}"
    );
    assert_eq!(phones.approval(&second).await, "submitted scheduled");
    let shown = phones.eve.get("/v1/notifications").await.ok();
    let path = format!(
        "/v1/notifications/destinations/{}",
        shown["destinations"][0]["id"].as_str().unwrap()
    );
    assert_eq!(phones.eve.call("DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(phones.eve("in_6", "approve", None).await, "");
    phones.stage.world.run_for(HOUR).await;
}

/// Neither forged nor strange, neither a chat nor a group, changes or costs anything.
async fn unheard(phones: &Phones, post: &str) {
    let calls = || {
        phones
            .stage
            .world
            .http()
            .calls
            .load(std::sync::atomic::Ordering::SeqCst)
    };
    let before = calls();
    let eve = format!("{EVE}@c.us");
    assert_eq!(phones.waha("x1", &eve, "approve", None, "another key").await, 403);
    assert_eq!(phones.waha("x2", &eve, "thank you!", None, "waha-hmac").await, 204);
    assert_eq!(
        phones
            .waha("x3", "4915112345678-1@g.us", "approve", None, "waha-hmac")
            .await,
        204
    );
    assert_eq!(phones.twilio("x4", "approve", "another token").await, 403);
    assert_eq!(calls(), before, "nobody was asked for anything");
    // A stranger costs a look, and hears nothing.
    assert_eq!(
        phones
            .waha("x5", "4915100000000@c.us", "approve", None, "waha-hmac")
            .await,
        204
    );
    // An id in place of the number is looked up at the gateway, which does not know it.
    phones.receiver.reply([Reply::of(404)]);
    assert_eq!(phones.waha("x6", "123@lid", "approve", None, "waha-hmac").await, 204);
    let got = phones.receiver.take();
    assert_eq!(
        got.iter().map(|got| got.path.as_str()).collect::<Vec<_>>(),
        ["/api/default/lids/123%40lid"]
    );
    assert_eq!(phones.approval(post).await, "submitted scheduled");
}
