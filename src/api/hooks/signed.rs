//! Whether what came was signed by whom it should be. Everything is compared in constant time.

use crate::domain::order;
use crate::domain::secret::Secret;
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha512;

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// WAHA: HMAC-SHA-512 of the body, in hex.
pub(super) fn by_waha(key: &Secret, headers: &HeaderMap, body: &[u8]) -> bool {
    let is_known = header(headers, "x-webhook-hmac-algorithm").is_some_and(|name| name.eq_ignore_ascii_case("sha512"));
    let (true, Some(signature)) = (is_known, header(headers, "x-webhook-hmac").and_then(unhex)) else {
        return false;
    };
    let Ok(mut mac) = Hmac::<Sha512>::new_from_slice(key.expose().as_bytes()) else {
        return false;
    };
    mac.update(body);
    mac.verify_slice(&signature).is_ok()
}

/// Twilio: HMAC-SHA-1 of the address that it called and all fields sorted by name, in base64.
pub(super) fn by_twilio(token: &Secret, url: &str, fields: &[(String, String)], headers: &HeaderMap) -> bool {
    let signature = header(headers, "x-twilio-signature").and_then(|text| STANDARD.decode(text).ok());
    let Some(signature) = signature else { return false };
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(token.expose().as_bytes()) else {
        return false;
    };
    let mut fields: Vec<_> = fields.iter().collect();
    order::sort(&mut fields);
    fields.dedup();
    mac.update(url.as_bytes());
    for (name, value) in fields {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    mac.verify_slice(&signature).is_ok()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let pairs = (0..text.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn with(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    /// The example of Twilio's documentation, and that of its libraries for fields of one name.
    #[test]
    fn twilios_own_examples() {
        let fields = |pairs: &[(&str, &str)]| {
            let pairs = pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            pairs.collect::<Vec<_>>()
        };
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        let call = fields(&[
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675309"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("To", "+18005551212"),
        ]);
        let right = with(&[("x-twilio-signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=")]);
        let token = Secret::new("12345");
        assert!(by_twilio(&token, url, &call, &right));
        assert!(!by_twilio(&Secret::new("12346"), url, &call, &right));
        assert!(!by_twilio(
            &token,
            "https://mycompany.com/myapp.php?foo=1",
            &call,
            &right
        ));
        assert!(!by_twilio(&token, url, &call[1..], &right));
        assert!(!by_twilio(&token, url, &call, &HeaderMap::new()));
        let several = fields(&[
            ("Sid", "CA123"),
            ("SidAccount", "AC123"),
            ("Digits", "5678"),
            ("Digits", "1234"),
            ("Digits", "1234"),
        ]);
        let right = with(&[("x-twilio-signature", "IK+Dwps556ElfBT0I3Rgjkr1wJU=")]);
        assert!(by_twilio(&token, url, &several, &right));
    }

    /// Python: `hmac.new(b"key", b'{"event":"message"}', "sha512").hexdigest()`.
    #[test]
    fn wahas_signature() {
        let right = "72ab684d4ecabb6149cf3756ca5cec74210d731a58f5995d02df5ea7537b5435a0ba64836003384d54dd78d4f82e98ecec3f52453e7e6e1cfbb96bf4a44eb850";
        let body = br#"{"event":"message"}"#;
        let key = Secret::new("key");
        let of = |algorithm: &str, signature: &str| {
            with(&[("x-webhook-hmac-algorithm", algorithm), ("x-webhook-hmac", signature)])
        };
        assert!(by_waha(&key, &of("sha512", right), body));
        assert!(!by_waha(&Secret::new("yek"), &of("sha512", right), body));
        assert!(!by_waha(&key, &of("sha256", right), body));
        assert!(!by_waha(&key, &of("sha512", &right[2..]), body));
        assert!(!by_waha(&key, &of("sha512", "zz"), body));
        assert!(!by_waha(&key, &of("sha512", right), b"{}"));
        assert!(!by_waha(&key, &HeaderMap::new(), body));
    }
}
