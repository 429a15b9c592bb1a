//! Sending one message through one service. A message that may have been taken is sent again only where the service
//! recognises it.

use super::settings::{Resend, Settings, Twilio, Waha};
use super::target::{Target, provider_of, topic, webhook_key};
use crate::domain::address::checked;
use crate::domain::notice::message::{Message, TEXT_CHARS_MAX};
use crate::domain::secret::Secret;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::http::{HttpClient, HttpErrorKind, HttpRequest, HttpResponse};
use crate::ports::json;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::{Map, Value, json};
use sha2::Sha256;

/// Longest message of Discord.
const DISCORD_CHARS_MAX: usize = 2_000;
/// Longest message of WhatsApp through Twilio.
const TWILIO_CHARS_MAX: usize = 1_600;

/// A message to be sent.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// Names the message: the same when it is sent again.
    pub id: &'a str,
    /// What happened, by its name.
    pub event_type: &'a str,
    /// Whether somebody has to act.
    pub is_urgent: bool,
    /// What it says.
    pub message: &'a Message,
    /// What it is made from, for programs.
    pub data: &'a Map<String, Value>,
    /// When it happened.
    pub happened_at: Timestamp,
    /// The time.
    pub now: Timestamp,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It was taken.
    Taken {
        /// What the service calls it.
        message_id: Option<String>,
    },
    /// It surely was not, or sending it again does no harm.
    Again {
        /// Why, in words.
        error: String,
        /// The least wait, where the service said one.
        after: Option<Millis>,
    },
    /// It was not, and will not be.
    Refused {
        /// Why, in words.
        error: String,
    },
    /// It may have been, and the service would not recognise it.
    Unknown {
        /// Why, in words.
        error: String,
    },
}

/// Sends a message.
pub async fn send<H: HttpClient>(http: &H, settings: &Settings, target: &Target, outgoing: &Outgoing<'_>) -> Sent {
    let (service, request) = match request(settings, target, outgoing) {
        Ok(made) => made,
        Err(error) => return Sent::Refused { error },
    };
    let is_idempotent = matches!(target, Target::Webhook { .. } | Target::Email { .. });
    match http.send(request).await {
        Ok(answer) => judge(service, target, &answer, is_idempotent),
        Err(error) => {
            let words = format!("{service} gave no answer: {}", error.message);
            if error.kind == HttpErrorKind::NotSent || is_idempotent {
                return Sent::Again {
                    error: words,
                    after: None,
                };
            }
            Sent::Unknown { error: words }
        }
    }
}

fn judge(service: &str, target: &Target, answer: &HttpResponse, is_idempotent: bool) -> Sent {
    let body: Value = json::tree(&answer.body).unwrap_or_default();
    let status = answer.status;
    let said = |more: &str| format!("{service} answered {status}{more}");
    match status {
        200..=299 => Sent::Taken {
            message_id: message_id(target, &body),
        },
        429 => Sent::Again {
            error: said(" (too many messages)"),
            after: retry_after(answer, &body),
        },
        // Cloudflare: nobody behind it was reached (521 refused, 523 unreachable, 530 no tunnel).
        408 | 503 | 521 | 523 | 530 => Sent::Again {
            error: said(" (not available)"),
            after: retry_after(answer, &body),
        },
        409 if is_idempotent => Sent::Again {
            error: said(" (the same message is being taken)"),
            after: None,
        },
        500.. if is_idempotent => Sent::Again {
            error: said(""),
            after: retry_after(answer, &body),
        },
        500.. => Sent::Unknown { error: said("") },
        300..=399 => Sent::Refused {
            error: said(": it moved, give the new address"),
        },
        401 | 403 => Sent::Refused {
            error: said(": key or address no longer count, set the destination again"),
        },
        404 | 410 => Sent::Refused {
            error: said(": there is nothing at this address any more, set the destination again"),
        },
        _ => Sent::Refused {
            error: said(": it does not take the message"),
        },
    }
}

/// The wait that a service asks for: in the header, or in the body of Discord (`retry_after`, seconds with a fraction) and
/// Telegram (`parameters.retry_after`, seconds).
fn retry_after(answer: &HttpResponse, body: &Value) -> Option<Millis> {
    let header = answer
        .header("retry-after")
        .and_then(|text| text.trim().parse::<f64>().ok());
    let body = body
        .get("retry_after")
        .or_else(|| body.pointer("/parameters/retry_after"));
    let secs = header
        .or_else(|| body.and_then(Value::as_f64))
        .filter(|secs| (0.0..=86_400.0).contains(secs))?;
    #[allow(clippy::cast_possible_truncation, reason = "at most a day")]
    Some(Millis((secs * 1_000.0).ceil() as i64))
}

fn message_id(target: &Target, body: &Value) -> Option<String> {
    let found = match target {
        Target::Whatsapp { .. } => body
            .get("sid")
            .or_else(|| body.pointer("/id/_serialized"))
            .or_else(|| body.pointer("/key/id"))
            .or_else(|| body.get("id")),
        Target::Telegram { .. } => body.pointer("/result/message_id"),
        Target::Discord { .. } | Target::Ntfy { .. } | Target::Email { .. } => body.get("id"),
        Target::Webhook { .. } | Target::Slack { .. } => None,
    }?;
    match found {
        Value::String(text) => Some(text.chars().take(200).collect()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

type Made = Result<(&'static str, HttpRequest), String>;

fn request(settings: &Settings, target: &Target, outgoing: &Outgoing<'_>) -> Made {
    let text = |chars_max| outgoing.message.text(chars_max);
    match target {
        Target::Whatsapp { phone, provider } => match provider_of(provider.as_deref(), settings) {
            Some("waha") => waha(settings, phone, &text(TEXT_CHARS_MAX)),
            Some(_) => twilio(settings, phone, &text(TWILIO_CHARS_MAX)),
            None => {
                Err("no WhatsApp provider is configured: set `WAHA_BASE_URL` or the variables of Twilio".to_owned())
            }
        },
        Target::Webhook { url, secret } => webhook(settings, url, secret, outgoing),
        Target::Slack { url } => {
            let url = known(url, settings)?;
            Ok((
                "Slack",
                post(settings, url, &json!({ "text": slack_text(&text(TEXT_CHARS_MAX)) })),
            ))
        }
        Target::Discord { url } => {
            let url = format!("{}?wait=true", known(url, settings)?.trim_end_matches('?'));
            let body = json!({ "content": text(DISCORD_CHARS_MAX), "allowed_mentions": { "parse": [] } });
            Ok(("Discord", post(settings, url, &body)))
        }
        Target::Telegram { bot_token, chat_id } => {
            let url = format!("{}/bot{bot_token}/sendMessage", settings.telegram_url);
            let body = json!({
                "chat_id": chat_id, "text": text(TEXT_CHARS_MAX), "link_preview_options": { "is_disabled": true }
            });
            Ok(("Telegram", post(settings, url, &body)))
        }
        Target::Ntfy { url, token } => ntfy(settings, url, token.as_deref(), outgoing),
        Target::Email { address } => {
            let resend = settings.resend.as_ref();
            let resend = resend.ok_or("no e-mail can be sent: set `RESEND_API_KEY` and `EMAIL_FROM`")?;
            Ok(("Resend", email(settings, resend, address, outgoing)))
        }
    }
}

/// What was allowed when it was set is judged again when it is used.
fn known(url: &str, settings: &Settings) -> Result<String, String> {
    checked(url, settings.loopback, "https://example.com/psn").map(Into::into)
}

fn post(settings: &Settings, url: String, body: &Value) -> HttpRequest {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    HttpRequest {
        method: Method::POST,
        url,
        headers,
        body: body.to_string().into(),
        attached: None,
        deadline: settings.call_deadline,
    }
}

fn set(request: &mut HttpRequest, name: HeaderName, value: &str) {
    // What a header cannot hold was refused when the destination was set, or belongs to the operator.
    if let Ok(mut value) = HeaderValue::from_str(value) {
        value.set_sensitive(true);
        request.headers.insert(name, value);
    }
}

/// Slack reads three characters as markup.
fn slack_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn waha(settings: &Settings, phone: &str, text: &str) -> Made {
    let Some(Waha {
        url, api_key, session, ..
    }) = &settings.waha
    else {
        return Err("no WhatsApp gateway is configured: set `WAHA_BASE_URL`".to_owned());
    };
    let chat = format!("{}@c.us", phone.trim_start_matches('+'));
    let body = json!({ "session": session, "chatId": chat, "text": text });
    let mut request = post(settings, format!("{url}/api/sendText"), &body);
    if let Some(key) = api_key {
        set(&mut request, HeaderName::from_static("x-api-key"), key.expose());
    }
    Ok(("WAHA", request))
}

fn twilio(settings: &Settings, phone: &str, text: &str) -> Made {
    let Some(Twilio {
        url,
        account_sid,
        auth_token,
        from,
    }) = &settings.twilio
    else {
        return Err(
            "Twilio is not configured: set `TWILIO_ACCOUNT_SID`, `TWILIO_AUTH_TOKEN` and `TWILIO_FROM_NUMBER`"
                .to_owned(),
        );
    };
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("To", &format!("whatsapp:{phone}"))
        .append_pair("From", &format!("whatsapp:{from}"))
        .append_pair("Body", text)
        .finish();
    let mut request = post(
        settings,
        format!("{url}/2010-04-01/Accounts/{account_sid}/Messages.json"),
        &Value::Null,
    );
    request.body = form.into();
    request.headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    let credentials = STANDARD.encode(format!("{account_sid}:{}", auth_token.expose()));
    set(&mut request, header::AUTHORIZATION, &format!("Basic {credentials}"));
    Ok(("Twilio", request))
}

fn ntfy(settings: &Settings, url: &str, token: Option<&str>, outgoing: &Outgoing<'_>) -> Made {
    let url = known(url, settings)?;
    let (server, topic) = topic(&url).ok_or("the address names no topic of ntfy: set the destination again")?;
    let untitled = Message {
        title: String::new(),
        ..outgoing.message.clone()
    };
    let mut body = json!({
        "topic": topic, "title": outgoing.message.title, "message": untitled.text(TEXT_CHARS_MAX).trim_start(),
        "priority": if outgoing.is_urgent { 4 } else { 3 },
    });
    if let Some(link) = &outgoing.message.link {
        body["click"] = json!(link);
    }
    let mut request = post(settings, format!("{server}/"), &body);
    if let Some(token) = token {
        set(&mut request, header::AUTHORIZATION, &format!("Bearer {token}"));
    }
    Ok(("ntfy", request))
}

fn email(settings: &Settings, resend: &Resend, address: &str, outgoing: &Outgoing<'_>) -> HttpRequest {
    let body = json!({
        "from": resend.from, "to": [address], "subject": outgoing.message.title, "text": outgoing.message.text(usize::MAX),
    });
    let mut request = post(settings, format!("{}/emails", resend.url), &body);
    set(
        &mut request,
        header::AUTHORIZATION,
        &format!("Bearer {}", resend.api_key.expose()),
    );
    set(&mut request, HeaderName::from_static("idempotency-key"), outgoing.id);
    request
}

/// Standard Webhooks 1.0: the signature covers id, time and body, and the time is that of this try.
fn webhook(settings: &Settings, url: &str, secret: &str, outgoing: &Outgoing<'_>) -> Made {
    let url = known(url, settings)?;
    let key = webhook_key(secret).ok_or("the key of the webhook cannot be read: set the destination again")?;
    let mut data = outgoing.data.clone();
    data.insert("title".to_owned(), json!(outgoing.message.title));
    data.insert("text".to_owned(), json!(outgoing.message.text(TEXT_CHARS_MAX)));
    let body = json!({ "type": outgoing.event_type, "timestamp": outgoing.happened_at.to_rfc3339(), "data": data });
    let mut request = post(settings, url, &body);
    let timestamp = (outgoing.now.0 / 1_000).to_string();
    let signature = signature(&key, outgoing.id, &timestamp, &request.body);
    for (name, value) in [
        ("webhook-id", outgoing.id),
        ("webhook-timestamp", timestamp.as_str()),
        ("webhook-signature", signature.as_str()),
    ] {
        set(&mut request, HeaderName::from_static(name), value);
    }
    Ok(("the webhook", request))
}

fn signature(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return String::new();
    };
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// A fresh key for a webhook.
#[must_use]
pub fn fresh_webhook_secret(random: &[u8; 32]) -> Secret {
    Secret::new(format!("whsec_{}", STANDARD.encode(random)))
}
