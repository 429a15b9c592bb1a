//! What is asked of WAHA beside sending.

use super::settings::{Settings, Waha, plus};
use crate::ports::http::{HttpClient, HttpRequest};
use crate::ports::json;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// The telephone's number, digits behind a plus, behind an id that WhatsApp shows in its place (`123@lid`); `None` where
/// the gateway does not know it or does not answer.
pub async fn phone_of<H: HttpClient>(http: &H, settings: &Settings, lid: &str) -> Option<String> {
    let Waha {
        url, api_key, session, ..
    } = settings.waha.as_ref()?;
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut headers = HeaderMap::new();
    if let Some(key) = api_key {
        let mut value = HeaderValue::from_str(key.expose()).ok()?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static("x-api-key"), value);
    }
    let request = HttpRequest {
        method: Method::GET,
        url: format!("{url}/api/{}/lids/{}", encoded(session), encoded(lid)),
        headers,
        body: Bytes::new(),
        attached: None,
        deadline: settings.call_deadline,
    };
    let answer = http.send(request).await.ok().filter(|answer| answer.status == 200)?;
    let body: Value = json::tree(&answer.body).ok()?;
    phone_in(body.get("pn")?.as_str()?)
}

/// The number in the name of a chat with one person; `None` for groups, broadcasts and ids that are no numbers.
#[must_use]
pub fn phone_in(chat: &str) -> Option<String> {
    let (number, kind) = chat.split_once('@')?;
    // A device of the person may be named behind a colon.
    let number = number.split(':').next().unwrap_or_default();
    let is_number = (7..=15).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && matches!(kind, "c.us" | "s.whatsapp.net")).then(|| plus(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_person_has_a_number() {
        let number = Some("+4915112345678".to_owned());
        assert_eq!(phone_in("4915112345678@c.us"), number);
        assert_eq!(phone_in("4915112345678:12@s.whatsapp.net"), number);
        for other in [
            "4915112345678@g.us",
            "123456789012345678@lid",
            "status@broadcast",
            "4915112345678",
            "@c.us",
            "x@c.us",
        ] {
            assert_eq!(phone_in(other), None, "{other}");
        }
    }
}
