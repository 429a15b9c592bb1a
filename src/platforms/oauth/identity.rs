//! Whose tokens these are.

use super::Client;
use crate::domain::id::RemoteUserId;
use crate::domain::platform::Platform;
use crate::domain::secret::Secret;
use crate::ports::clock::Clock;
use crate::ports::http::HttpClient;
use crate::ports::json;
use http::header::{AUTHORIZATION, HeaderValue};
use serde_json::Value;

/// Who the platform says the account is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The platform's name for it: X's user id, LinkedIn's person URN, Instagram's account id, TikTok's open id.
    pub remote_user_id: RemoteUserId,
    /// The name people know it by.
    pub username: Option<String>,
}

/// Why it is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The platform does not accept the token, or will not say.
    #[error("{0}")]
    Refused(String),
    /// It could not be asked, or its answer not be read: ask again later.
    #[error("{0}")]
    Unreadable(String),
}

impl<H: HttpClient, C: Clock> Client<H, C> {
    /// Asks whose token it is.
    ///
    /// # Errors
    /// [`IdentityError`]; no message holds the token.
    pub async fn identity(&self, platform: Platform, access_token: &Secret) -> Result<Identity, IdentityError> {
        let title = platform.title();
        let origin = self.settings.api_url(platform);
        let path = match platform {
            Platform::X => "/2/users/me",
            Platform::LinkedIn => "/v2/userinfo",
            Platform::Instagram => "/me?fields=user_id,username",
            Platform::TikTok => "/v2/user/info/?fields=open_id,display_name",
        };
        let mut request = self.get(&format!("{origin}{path}"));
        let bearer = HeaderValue::from_str(&format!("Bearer {}", access_token.expose()));
        let mut bearer =
            bearer.map_err(|_| IdentityError::Refused("the token holds characters that cannot be sent".to_owned()))?;
        bearer.set_sensitive(true);
        request.headers.insert(AUTHORIZATION, bearer);
        let answer = self.http.send(request).await;
        let answer =
            answer.map_err(|error| IdentityError::Unreadable(format!("{title} could not be asked: {error}")))?;
        match answer.status {
            200..300 => {}
            400..500 if answer.status != 429 => {
                return Err(IdentityError::Refused(format!(
                    "{title} does not say whose token this is (it answered {})",
                    answer.status
                )));
            }
            status => return Err(IdentityError::Unreadable(format!("{title} answered {status}"))),
        }
        let body: Value = json::tree(&answer.body).unwrap_or(Value::Null);
        read(platform, &body)
            .ok_or_else(|| IdentityError::Unreadable(format!("{title}'s answer does not name the account")))
    }
}

fn read(platform: Platform, body: &Value) -> Option<Identity> {
    let text = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let (id, username) = match platform {
        Platform::X => (text(&body["data"]["id"])?, text(&body["data"]["username"])),
        Platform::LinkedIn => (format!("urn:li:person:{}", text(&body["sub"])?), text(&body["name"])),
        Platform::Instagram => {
            let data = body.get("data").and_then(|data| data.get(0)).unwrap_or(body);
            (
                text(&data["user_id"]).or_else(|| text(&data["id"]))?,
                text(&data["username"]),
            )
        }
        Platform::TikTok => {
            let user = &body["data"]["user"];
            (text(&user["open_id"])?, text(&user["display_name"]))
        }
    };
    Some(Identity {
        remote_user_id: RemoteUserId(id),
        username,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    #[test]
    fn every_platform_names_its_accounts() {
        let name = |platform, body| {
            let identity = read(platform, &body).unwrap();
            (identity.remote_user_id.0, identity.username.unwrap())
        };
        let pair = |id: &str, name: &str| (id.to_owned(), name.to_owned());
        assert_eq!(
            name(Platform::X, json!({"data": {"id": "7", "username": "ada"}})),
            pair("7", "ada")
        );
        assert_eq!(
            name(Platform::LinkedIn, json!({"sub": "AbC", "name": "Ada L."})),
            pair("urn:li:person:AbC", "Ada L.")
        );
        assert_eq!(
            name(Platform::Instagram, json!({"user_id": 17_841, "username": "ada"})),
            pair("17841", "ada")
        );
        assert_eq!(
            name(
                Platform::TikTok,
                json!({"data": {"user": {"open_id": "o", "display_name": "Ada"}}, "error": {"code": "ok"}})
            ),
            pair("o", "Ada")
        );
        assert_eq!(read(Platform::X, &json!({"errors": []})), None);
    }
}
