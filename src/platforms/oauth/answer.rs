//! What the answers of token endpoints mean.

use super::{TokenAnswer, TokenUse, Tokens};
use crate::domain::id::RemoteUserId;
use crate::domain::platform::Platform;
use crate::domain::secret::Secret;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::http::{HttpError, HttpErrorKind, HttpResponse};
use crate::ports::json;
use serde_json::Value;

/// A platform's own words are cut to this many characters.
const DETAIL_CHARS_MAX: usize = 200;

/// Reads an answer, or what came instead of one.
pub(super) fn read(
    platform: Platform,
    used: TokenUse,
    end: Result<HttpResponse, HttpError>,
    now: Timestamp,
) -> TokenAnswer {
    let title = platform.title();
    let answer = match end {
        Ok(answer) => answer,
        Err(error) if error.kind == HttpErrorKind::NotSent => {
            return TokenAnswer::NotNow {
                message: format!("{title} could not be reached: {error}"),
                retry_at: None,
            };
        }
        Err(error) => {
            return TokenAnswer::Lost {
                message: format!("{title}'s answer is lost: {error}"),
            };
        }
    };
    let status = answer.status;
    let body: Value = json::tree(&answer.body).unwrap_or(Value::Null);
    let fault = Fault::read(&body);
    match status {
        200..300 if fault.is_none() => tokens(&body).map_or_else(
            || TokenAnswer::Lost {
                message: format!("{title} answered {status} without a token"),
            },
            TokenAnswer::Granted,
        ),
        429 => TokenAnswer::NotNow {
            message: format!("{title} limits the rate of token calls"),
            retry_at: retry_after(&answer, now),
        },
        200..300 | 400..500 => refused(platform, used, status, &fault.unwrap_or_default()),
        300..400 => TokenAnswer::AppRefused {
            message: format!("{title} answered {status} with another address: check the configured addresses"),
        },
        _ => TokenAnswer::Lost {
            message: format!("{title} answered {status}"),
        },
    }
}

/// What X, LinkedIn and Instagram say of a code that was used, is too old, or never was.
const DEAD_CODES: [&str; 3] = [
    "authorization code was invalid",
    "authorization code expired",
    "matching code was not found",
];

fn refused(platform: Platform, used: TokenUse, status: u16, fault: &Fault) -> TokenAnswer {
    let title = platform.title();
    let words = fault.words();
    let description = fault.description.to_ascii_lowercase();
    // RFC 6749, 5.2. X calls a dead token an invalid request about the token; Instagram has code 190 for it.
    let is_dead = match (fault.code.as_str(), used) {
        ("invalid_grant" | "190", _) => true,
        ("invalid_request", TokenUse::Refresh) => {
            description.contains("token") && matches!(platform, Platform::X | Platform::LinkedIn)
        }
        // The same for codes, which only their words tell from a wrong set-up.
        (_, TokenUse::Code) => DEAD_CODES.iter().any(|words| description.contains(words)),
        _ => false,
    };
    if is_dead {
        let what = match used {
            TokenUse::Code => "the code is not valid (any more): connect again",
            TokenUse::Refresh => "the consent has ended: connect the account again",
        };
        return TokenAnswer::Dead {
            message: format!("{title} says {words}: {what}"),
        };
    }
    TokenAnswer::AppRefused {
        message: format!("{title} refused ({status}): {words}"),
    }
}

/// What a platform says went wrong: OAuth's own form, or Meta's object.
#[derive(Default)]
struct Fault {
    code: String,
    description: String,
}

impl Fault {
    fn read(body: &Value) -> Option<Self> {
        let text = |value: Option<&Value>| match value {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        match body.get("error") {
            // TikTok says `"error": ""` or leaves it out when all is well.
            Some(Value::String(code)) if !code.is_empty() && code != "ok" => Some(Self {
                code: code.clone(),
                description: text(body.get("error_description")),
            }),
            Some(error @ Value::Object(_)) => {
                let code = text(error.get("code"));
                (code != "ok").then(|| Self {
                    code,
                    description: text(error.get("message")),
                })
            }
            _ if body.get("error_type").is_some() => Some(Self {
                code: text(body.get("code")),
                description: text(body.get("error_message")),
            }),
            _ => None,
        }
    }

    fn words(&self) -> String {
        let all = format!("{} {}", self.code, self.description);
        let line = all.split_whitespace().collect::<Vec<_>>().join(" ");
        let line: String = line
            .chars()
            .filter(|c| !c.is_control())
            .take(DETAIL_CHARS_MAX)
            .collect();
        let line = line.trim_end_matches(['.', ' ']).to_owned();
        if line.is_empty() {
            "no reason given".to_owned()
        } else {
            line
        }
    }
}

/// The tokens in an answer. Instagram may wrap them in `data`, TikTok names their owner beside them.
fn tokens(body: &Value) -> Option<Tokens> {
    let body = match body.get("data") {
        Some(Value::Array(list)) => list.first()?,
        Some(data @ Value::Object(_)) => data,
        _ => body,
    };
    let text = |name: &str| {
        let found = body.get(name).and_then(Value::as_str).map(str::trim);
        found.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let seconds = |name: &str| {
        let number = match body.get(name) {
            Some(Value::String(text)) => text.parse().ok(),
            Some(value) => value.as_i64(),
            None => None,
        };
        number
            .filter(|seconds| (1..=i64::from(u32::MAX)).contains(seconds))
            .map(Millis::from_secs)
    };
    let owner = match body.get("user_id") {
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => text("open_id").or_else(|| text("user_id")),
    };
    let scopes = match (body.get("scope"), body.get("permissions")) {
        (Some(Value::String(list)), _) | (None, Some(Value::String(list))) => Some(
            list.split([' ', ','])
                .filter(|scope| !scope.is_empty())
                .map(str::to_owned)
                .collect(),
        ),
        (_, Some(Value::Array(list))) => Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        _ => None,
    };
    Some(Tokens {
        access_token: Secret::new(text("access_token")?),
        refresh_token: text("refresh_token").map(Secret::new),
        expires_in: seconds("expires_in"),
        refresh_expires_in: seconds("refresh_expires_in").or_else(|| seconds("refresh_token_expires_in")),
        scopes,
        remote_user_id: owner.map(RemoteUserId),
    })
}

fn retry_after(answer: &HttpResponse, now: Timestamp) -> Option<Timestamp> {
    let seconds: i64 = answer.header("retry-after")?.trim().parse().ok()?;
    (seconds >= 0).then(|| now + Millis(seconds.saturating_mul(1_000)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use bytes::Bytes;
    use http::HeaderMap;

    fn answer(platform: Platform, used: TokenUse, status: u16, body: &str) -> TokenAnswer {
        let answer = HttpResponse {
            status,
            headers: HeaderMap::new(),
            body: Bytes::from(body.to_owned()),
        };
        read(platform, used, Ok(answer), Timestamp(0))
    }

    #[test]
    fn each_platform_grants_in_its_own_form() {
        let granted = |platform, body: &str| match answer(platform, TokenUse::Code, 200, body) {
            TokenAnswer::Granted(tokens) => tokens,
            other => panic!("{other:?}"),
        };
        let x = granted(
            Platform::X,
            r#"{"token_type":"bearer","expires_in":7200,"access_token":"a","scope":"tweet.read users.read","refresh_token":"r"}"#,
        );
        assert_eq!(x.expires_in, Some(Millis(7_200_000)));
        assert_eq!(x.scopes.unwrap(), ["tweet.read", "users.read"]);
        assert_eq!(x.refresh_token.unwrap().expose(), "r");
        let linkedin = granted(
            Platform::LinkedIn,
            r#"{"access_token":"a","expires_in":5184000,"refresh_token":"r","refresh_token_expires_in":31536000,"scope":"openid,profile"}"#,
        );
        assert_eq!(linkedin.refresh_expires_in, Some(Millis(31_536_000_000)));
        let instagram = granted(
            Platform::Instagram,
            r#"{"data":[{"access_token":"a","user_id":178414,"permissions":"instagram_business_basic"}]}"#,
        );
        assert_eq!(instagram.remote_user_id, Some(RemoteUserId::from("178414")));
        let tiktok = granted(
            Platform::TikTok,
            r#"{"access_token":"a","expires_in":86400,"open_id":"o","refresh_expires_in":31536000,"refresh_token":"r","scope":"user.info.basic,video.list","token_type":"Bearer"}"#,
        );
        assert_eq!(tiktok.remote_user_id, Some(RemoteUserId::from("o")));
        assert_eq!(tiktok.scopes.unwrap().len(), 2);
    }

    #[test]
    fn only_a_dead_grant_needs_a_person() {
        use Platform::{Instagram, LinkedIn, TikTok, X};
        let kind = |platform, status, body: &str| match answer(platform, TokenUse::Refresh, status, body) {
            TokenAnswer::Granted(_) => "granted",
            TokenAnswer::Dead { .. } => "dead",
            TokenAnswer::AppRefused { .. } => "app",
            TokenAnswer::NotNow { .. } => "later",
            TokenAnswer::Lost { .. } => "lost",
        };
        let table = [
            (X, 400, r#"{"error":"invalid_grant"}"#, "dead"),
            (
                X,
                400,
                r#"{"error":"invalid_request","error_description":"Value passed for the token was invalid."}"#,
                "dead",
            ),
            (
                X,
                400,
                r#"{"error":"invalid_request","error_description":"Missing required parameter [client_id]."}"#,
                "app",
            ),
            (
                X,
                401,
                r#"{"error":"unauthorized_client","error_description":"Missing valid authorization header"}"#,
                "app",
            ),
            (X, 200, "{}", "lost"),
            (X, 503, "", "lost"),
            (X, 429, "", "later"),
            (X, 307, "", "app"),
            (
                LinkedIn,
                400,
                r#"{"error":"invalid_grant","error_description":"x"}"#,
                "dead",
            ),
            (LinkedIn, 401, r#"{"error":"invalid_client"}"#, "app"),
            (
                TikTok,
                200,
                r#"{"error":"invalid_grant","error_description":"Refresh token is expired","log_id":"1"}"#,
                "dead",
            ),
            (
                TikTok,
                200,
                r#"{"error":"invalid_client","error_description":"x","log_id":"1"}"#,
                "app",
            ),
            (
                Instagram,
                400,
                r#"{"error":{"message":"Error validating access token","type":"OAuthException","code":190}}"#,
                "dead",
            ),
            (
                Instagram,
                400,
                r#"{"error":{"message":"Unsupported","type":"IGApiException","code":100}}"#,
                "app",
            ),
            (
                Instagram,
                200,
                r#"{"access_token":"a","token_type":"bearer","expires_in":5183944}"#,
                "granted",
            ),
        ];
        for (platform, status, body, expected) in table {
            assert_eq!(kind(platform, status, body), expected, "{platform} {status} {body}");
        }
        let code = |platform, body: &str| match answer(platform, TokenUse::Code, 400, body) {
            TokenAnswer::Dead { .. } => "dead",
            TokenAnswer::AppRefused { .. } => "app",
            other => panic!("{other:?}"),
        };
        let x = |words: &str| {
            code(
                X,
                &format!(r#"{{"error":"invalid_request","error_description":"{words}"}}"#),
            )
        };
        assert_eq!(x("Value passed for the authorization code was invalid."), "dead");
        assert_eq!(
            x("Value passed for the redirect uri did not match the uri of the authorization code."),
            "app"
        );
        let used = r#"{"error_type":"OAuthException","code":400,"error_message":"Matching code was not found or was already used"}"#;
        assert_eq!(code(Instagram, used), "dead");
        let error = |kind| HttpError {
            kind,
            message: "reset".to_owned(),
        };
        let of = |kind| read(X, TokenUse::Refresh, Err(error(kind)), Timestamp(0));
        assert!(matches!(of(HttpErrorKind::NotSent), TokenAnswer::NotNow { .. }));
        assert!(matches!(of(HttpErrorKind::MaybeSent), TokenAnswer::Lost { .. }));
    }
}
