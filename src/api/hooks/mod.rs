//! What people write back by WhatsApp: WAHA and Twilio bring it here. Both sign what they bring, so these routes are open to
//! whoever can sign. A message whose first word is no command costs nothing and gets nothing, and neither does one from a
//! telephone that is nobody's.

mod carry;
mod signed;

use crate::api::messaging::Messaging;
use crate::api::notifications::messaging;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::{App, Shared, body_bytes};
use crate::domain::hash::hex;
use crate::domain::id::DeliveryId;
use crate::domain::limits;
use crate::domain::notice::message::Message;
use crate::domain::notice::reply;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::json;
use crate::ports::objects::{IndexReply, IndexRequest, Objects};
use crate::tasks::notify::channel::Outgoing;
use crate::tasks::notify::target::Target;
use crate::tasks::notify::waha::phone_in;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// What their paths begin with.
pub const PREFIX: &str = "/hooks/";
/// A message older than that is not carried out any more: the index remembers for a day which ones were.
const AGE_MAX: Millis = Millis(12 * 3_600_000);
/// Longest id of a message.
const ID_MAX: usize = 200;

/// A message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Incoming {
    provider: &'static str,
    id: String,
    sender: Sender,
    text: String,
    /// The message that it answers.
    quoted: Option<String>,
}

/// Who sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sender {
    /// A telephone's number, digits behind a plus.
    Phone(String),
    /// An id that WhatsApp shows in its place.
    Lid(String),
}

fn not_signed() -> Problem {
    Problem::new(
        ProblemKind::Forbidden,
        "this was not signed with the key that is agreed on, so it is not read",
    )
}

fn deaf(message: &str) -> Problem {
    Problem::new(ProblemKind::NotFound, message)
}

/// `POST /hooks/waha`
pub async fn waha<O: Objects, R: Rows>(app: Shared<O, R>, asked: Asked<Body>) -> Result<Response, Problem> {
    let messaging = messaging(&app)?;
    let key = messaging.settings.waha.as_ref().and_then(|waha| waha.hmac_key.as_ref());
    let key = key.ok_or_else(|| deaf("this worker hears no messages of WAHA: set `WAHA_HMAC_KEY`, then deploy"))?;
    let bytes = body_bytes(asked.body, limits::BODY_BYTES_MAX).await?;
    if !signed::by_waha(key, &asked.headers, &bytes) {
        return Err(not_signed());
    }
    let session = messaging
        .settings
        .waha
        .as_ref()
        .map_or("", |waha| waha.session.as_str());
    if let Some(incoming) = of_waha(&bytes, session, app.clock.now()) {
        hear(&app, messaging, &incoming).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /hooks/twilio`
pub async fn twilio<O: Objects, R: Rows>(app: Shared<O, R>, asked: Asked<Body>) -> Result<Response, Problem> {
    let messaging = messaging(&app)?;
    let (Some(twilio), Some(links)) = (&messaging.settings.twilio, &messaging.links) else {
        return Err(deaf(
            "this worker hears no messages of Twilio: set `PUBLIC_URL` and the variables of Twilio, then deploy",
        ));
    };
    let bytes = body_bytes(asked.body, limits::BODY_BYTES_MAX).await?;
    let path = asked.uri.path_and_query().map_or("", |path| path.as_str());
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(&bytes).into_owned().collect();
    if !signed::by_twilio(
        &twilio.auth_token,
        &format!("{}{path}", links.origin),
        &fields,
        &asked.headers,
    ) {
        return Err(not_signed());
    }
    if let Some(incoming) = of_twilio(&fields) {
        hear(&app, messaging, &incoming).await?;
    }
    // Without a document Twilio logs a warning; an empty one says nothing to the sender.
    let kind = [(header::CONTENT_TYPE, "text/xml; charset=utf-8")];
    Ok((kind, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>").into_response())
}

/// A person's message in an event of WAHA.
fn of_waha(bytes: &Bytes, session: &str, now: Timestamp) -> Option<Incoming> {
    let event: Value = json::tree(bytes).ok()?;
    let payload = event.get("payload")?;
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let id = |value: &Value| match value.get("id")? {
        Value::String(id) => Some(id.clone()),
        other => text(other, "_serialized"),
    };
    let is_message = matches!(text(&event, "event").as_deref(), Some("message" | "message.any"));
    let is_ours = text(&event, "session").as_deref() == Some(session);
    let is_own = payload.get("fromMe").and_then(Value::as_bool).unwrap_or_default();
    let sent_at = payload.get("timestamp").and_then(Value::as_i64).unwrap_or_default();
    let is_old = now.since(Timestamp(sent_at.saturating_mul(1_000))) > AGE_MAX;
    if !is_message || !is_ours || is_own || is_old {
        return None;
    }
    let from = text(payload, "from")?;
    let sender = match phone_in(&from) {
        Some(phone) => Sender::Phone(phone),
        None if from.ends_with("@lid") => Sender::Lid(from),
        None => return None,
    };
    Some(Incoming {
        provider: "waha",
        id: id(payload).filter(|id| (1..=ID_MAX).contains(&id.len()))?,
        sender,
        text: text(payload, "body")?,
        quoted: payload.get("replyTo").and_then(id),
    })
}

/// A person's message in what Twilio sends.
fn of_twilio(fields: &[(String, String)]) -> Option<Incoming> {
    let text = |name: &str| {
        let found = fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    };
    let phone = text("From")?.strip_prefix("whatsapp:")?.to_owned();
    Some(Incoming {
        provider: "twilio",
        id: text("MessageSid").filter(|id| id.len() <= ID_MAX)?,
        sender: Sender::Phone(phone),
        text: text("Body")?,
        quoted: text("OriginalRepliedMessageSid"),
    })
}

/// Does what a message asks for, once, and answers it.
async fn hear<O: Objects, R: Rows>(app: &App<O, R>, messaging: &Messaging, incoming: &Incoming) -> Result<(), Problem> {
    let Some(wanted) = reply::read(&incoming.text) else {
        return Ok(());
    };
    let key = format!("hook/{}/{}", incoming.provider, incoming.id);
    let begin = IndexRequest::Begin {
        key: key.clone(),
        body_hash: hex(&Sha256::digest(incoming.text.as_bytes())),
    };
    match app.objects.index(begin).await {
        Ok(IndexReply::Fresh) => {}
        Ok(IndexReply::Running) => {
            return Err(Problem::new(
                ProblemKind::RequestRunning,
                "this message is being carried out: bring it again in a moment",
            ));
        }
        Ok(IndexReply::Answered { .. } | IndexReply::OtherBody) => return Ok(()),
        Ok(_) | Err(_) => return Err(Problem::object_away()),
    }
    let done = carry_out(app, messaging, incoming, &wanted).await;
    let answer = done.is_ok().then(|| (204, String::new()));
    let _ = app.objects.index(IndexRequest::End { key, answer }).await;
    done
}

async fn carry_out<O: Objects, R: Rows>(
    app: &App<O, R>,
    messaging: &Messaging,
    incoming: &Incoming,
    wanted: &reply::Reply,
) -> Result<(), Problem> {
    let phone = match &incoming.sender {
        Sender::Phone(phone) => Some(phone.clone()),
        Sender::Lid(lid) => messaging.phone_of(lid).await,
    };
    let Some(phone) = phone else { return Ok(()) };
    let conversation = app.rows.store()?.conversation(&phone, incoming.provider).await?;
    if conversation.users.is_empty() {
        return Ok(());
    }
    let sentence = match carry::choose(&conversation.told, wanted, incoming.quoted.as_deref()) {
        Err(sentence) => sentence,
        Ok(told) => {
            let sentence = carry::out(app, told, &wanted.command).await;
            // That it is remembered is a help, no condition.
            let about = (&told.post, wanted.command.name());
            let _ = app
                .rows
                .store()?
                .conversation_note(&told.user, about, app.clock.now())
                .await;
            sentence
        }
    };
    let target = Target::Whatsapp {
        phone,
        provider: Some(incoming.provider.to_owned()),
    };
    let now = app.clock.now();
    let id = DeliveryId::from_random(app.entropy.bytes16());
    let outgoing = Outgoing {
        id: id.as_str(),
        event_type: "reply",
        is_urgent: false,
        message: &Message {
            title: sentence,
            lines: Vec::new(),
            link: None,
        },
        data: &Map::new(),
        happened_at: now,
        now,
    };
    // It is done, whether or not the answer arrives; asked again, it says so.
    let _ = messaging.send(&target, &outgoing).await;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp(1_795_424_400_000);

    fn event() -> Value {
        json!({
            "event": "message", "session": "default", "payload": {
                "id": "false_4915112345678@c.us_AAA", "timestamp": 1_795_424_390, "from": "4915112345678@c.us",
                "fromMe": false, "body": "approve", "replyTo": { "id": "BBB", "body": "Asks for your approval" }
            }
        })
    }

    fn read(event: &Value) -> Option<Incoming> {
        of_waha(&event.to_string().into(), "default", NOW)
    }

    #[test]
    fn messages_of_people_are_read() {
        let found = read(&event()).unwrap();
        assert_eq!(
            found,
            Incoming {
                provider: "waha",
                id: "false_4915112345678@c.us_AAA".to_owned(),
                sender: Sender::Phone("+4915112345678".to_owned()),
                text: "approve".to_owned(),
                quoted: Some("BBB".to_owned()),
            }
        );
        let mut hidden = event();
        hidden["payload"]["from"] = json!("123@lid");
        assert_eq!(read(&hidden).unwrap().sender, Sender::Lid("123@lid".to_owned()));
        for (pointer, value) in [
            ("/event", json!("session.status")),
            ("/session", json!("other")),
            ("/payload/fromMe", json!(true)),
            ("/payload/timestamp", json!(1_795_300_000)),
            ("/payload/from", json!("4915112345678@g.us")),
            ("/payload/id", json!("")),
            ("/payload/body", Value::Null),
        ] {
            let mut other = event();
            *other.pointer_mut(pointer).unwrap() = value;
            assert_eq!(read(&other), None, "{pointer}");
        }
    }

    #[test]
    fn twilio_brings_forms() {
        let fields = |from: &str| {
            [
                ("From", from),
                ("Body", "retry"),
                ("MessageSid", "SM1"),
                ("OriginalRepliedMessageSid", "SM0"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        let found = of_twilio(&fields("whatsapp:+4915112345678")).unwrap();
        assert_eq!(found.sender, Sender::Phone("+4915112345678".to_owned()));
        assert_eq!((found.id.as_str(), found.quoted.as_deref()), ("SM1", Some("SM0")));
        assert_eq!(of_twilio(&fields("+4915112345678")), None, "that is a text message");
    }
}
