//! The apps that psn acts as, and where the platforms' OAuth endpoints are.

use crate::domain::platform::Platform;
use crate::domain::secret::Secret;
use crate::domain::time::Millis;

/// An app as its operator registered it with a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// The platform's name for it (X, LinkedIn: client id; Instagram: app id; TikTok: client key).
    pub id: String,
    /// Its secret; X has apps without one.
    pub secret: Option<Secret>,
}

/// The app of a platform is not set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {} app is not set up: set {missing} (`config/keys.env`)", platform.title())]
pub struct NotConfigured {
    /// Which platform.
    pub platform: Platform,
    /// The variables that are missing, in backticks.
    pub missing: String,
}

#[derive(Clone, Debug)]
struct Endpoint {
    app: Option<App>,
    /// Where people consent.
    auth_url: String,
    /// Where codes and refresh tokens are exchanged.
    token_url: String,
    /// Where the API is.
    api_url: String,
    /// What is asked for instead of the default.
    scopes: Option<Vec<String>>,
}

impl Endpoint {
    fn new(auth_url: &str, token_url: &str, api_url: &str) -> Self {
        Self {
            app: None,
            auth_url: auth_url.to_owned(),
            token_url: token_url.to_owned(),
            api_url: api_url.to_owned(),
            scopes: None,
        }
    }
}

/// Every platform's app and addresses. Addresses are origins without path or final slash.
#[derive(Clone, Debug)]
pub struct Settings {
    x: Endpoint,
    linkedin: Endpoint,
    instagram: Endpoint,
    tiktok: Endpoint,
    /// Time allowed for each call.
    pub deadline: Millis,
}

/// The names of the variables of one platform.
struct Names {
    id: &'static str,
    secret: &'static str,
    auth_url: &'static str,
    token_url: &'static str,
    api_url: &'static str,
    scopes: &'static str,
}

const fn names(platform: Platform) -> Names {
    match platform {
        Platform::X => Names {
            id: "X_CLIENT_ID",
            secret: "X_CLIENT_SECRET",
            auth_url: "X_AUTH_URL",
            token_url: "X_API_URL",
            api_url: "X_API_URL",
            scopes: "X_SCOPES",
        },
        Platform::LinkedIn => Names {
            id: "LINKEDIN_CLIENT_ID",
            secret: "LINKEDIN_CLIENT_SECRET",
            auth_url: "LINKEDIN_AUTH_URL",
            token_url: "LINKEDIN_AUTH_URL",
            api_url: "LINKEDIN_API_URL",
            scopes: "LINKEDIN_SCOPES",
        },
        Platform::Instagram => Names {
            id: "INSTAGRAM_APP_ID",
            secret: "INSTAGRAM_APP_SECRET",
            auth_url: "INSTAGRAM_AUTH_URL",
            token_url: "INSTAGRAM_TOKEN_URL",
            api_url: "INSTAGRAM_API_URL",
            scopes: "INSTAGRAM_SCOPES",
        },
        Platform::TikTok => Names {
            id: "TIKTOK_CLIENT_KEY",
            secret: "TIKTOK_CLIENT_SECRET",
            auth_url: "TIKTOK_AUTH_URL",
            token_url: "TIKTOK_API_URL",
            api_url: "TIKTOK_API_URL",
            scopes: "TIKTOK_SCOPES",
        },
    }
}

impl Settings {
    /// The real platforms, with no app set up.
    #[must_use]
    pub fn new(deadline: Millis) -> Self {
        Self {
            x: Endpoint::new("https://x.com", "https://api.x.com", "https://api.x.com"),
            linkedin: Endpoint::new(
                "https://www.linkedin.com",
                "https://www.linkedin.com",
                "https://api.linkedin.com",
            ),
            instagram: Endpoint::new(
                "https://www.instagram.com",
                "https://api.instagram.com",
                "https://graph.instagram.com",
            ),
            tiktok: Endpoint::new(
                "https://www.tiktok.com",
                "https://open.tiktokapis.com",
                "https://open.tiktokapis.com",
            ),
            deadline,
        }
    }

    /// Reads apps, addresses and scopes by the names of their variables; what is not set keeps its default.
    #[must_use]
    pub fn read(deadline: Millis, variable: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| {
            variable(name)
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        let origin = |name: &str| get(name).map(|url| url.trim_end_matches('/').to_owned());
        let mut settings = Self::new(deadline);
        for platform in Platform::ALL {
            let names = names(platform);
            let endpoint = settings.endpoint_mut(platform);
            endpoint.app = get(names.id).map(|id| App {
                id,
                secret: get(names.secret).map(Secret::new),
            });
            for (name, target) in [
                (names.auth_url, &mut endpoint.auth_url),
                (names.token_url, &mut endpoint.token_url),
                (names.api_url, &mut endpoint.api_url),
            ] {
                if let Some(url) = origin(name) {
                    *target = url;
                }
            }
            endpoint.scopes = get(names.scopes).map(|list| {
                list.split([' ', ','])
                    .filter(|scope| !scope.is_empty())
                    .map(str::to_owned)
                    .collect()
            });
        }
        settings
    }

    const fn endpoint(&self, platform: Platform) -> &Endpoint {
        match platform {
            Platform::X => &self.x,
            Platform::LinkedIn => &self.linkedin,
            Platform::Instagram => &self.instagram,
            Platform::TikTok => &self.tiktok,
        }
    }

    const fn endpoint_mut(&mut self, platform: Platform) -> &mut Endpoint {
        match platform {
            Platform::X => &mut self.x,
            Platform::LinkedIn => &mut self.linkedin,
            Platform::Instagram => &mut self.instagram,
            Platform::TikTok => &mut self.tiktok,
        }
    }

    /// Sets up an app.
    pub fn set_app(&mut self, platform: Platform, id: &str, secret: Option<&str>) {
        self.endpoint_mut(platform).app = Some(App {
            id: id.to_owned(),
            secret: secret.map(Secret::new),
        });
    }

    /// The app of a platform. All but X need its secret too.
    ///
    /// # Errors
    /// [`NotConfigured`] names what is missing.
    pub fn app(&self, platform: Platform) -> Result<&App, NotConfigured> {
        let names = names(platform);
        let missing = match &self.endpoint(platform).app {
            Some(app) if app.secret.is_some() || platform == Platform::X => return Ok(app),
            Some(_) => format!("`{}`", names.secret),
            None if platform == Platform::X => format!("`{}`", names.id),
            None => format!("`{}` and `{}`", names.id, names.secret),
        };
        Err(NotConfigured { platform, missing })
    }

    /// What is asked for at consent.
    #[must_use]
    pub fn scopes(&self, platform: Platform) -> Vec<String> {
        let configured = self.endpoint(platform).scopes.clone();
        configured.unwrap_or_else(|| {
            super::default_scopes(platform)
                .iter()
                .map(ToString::to_string)
                .collect()
        })
    }

    /// Where people consent.
    #[must_use]
    pub fn auth_url(&self, platform: Platform) -> &str {
        &self.endpoint(platform).auth_url
    }

    /// Where codes and refresh tokens are exchanged.
    #[must_use]
    pub fn token_url(&self, platform: Platform) -> &str {
        &self.endpoint(platform).token_url
    }

    /// Where the API is.
    #[must_use]
    pub fn api_url(&self, platform: Platform) -> &str {
        &self.endpoint(platform).api_url
    }

    pub(super) fn instagram_api_url(&self) -> &str {
        &self.instagram.api_url
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let vars = [
            ("X_CLIENT_ID", "x"),
            ("TIKTOK_CLIENT_KEY", "t"),
            ("X_API_URL", "http://127.0.0.1:1/"),
        ];
        let settings = Settings::read(Millis(1), |name| {
            let found = vars.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        assert_eq!(settings.app(Platform::X).unwrap().id, "x");
        assert_eq!(settings.token_url(Platform::X), "http://127.0.0.1:1");
        assert_eq!(settings.auth_url(Platform::X), "https://x.com");
        assert_eq!(
            settings.app(Platform::TikTok).unwrap_err().to_string(),
            "the TikTok app is not set up: set `TIKTOK_CLIENT_SECRET` (`config/keys.env`)"
        );
        assert_eq!(
            settings.app(Platform::LinkedIn).unwrap_err().missing,
            "`LINKEDIN_CLIENT_ID` and `LINKEDIN_CLIENT_SECRET`"
        );
        assert_eq!(
            settings.scopes(Platform::LinkedIn),
            ["openid", "profile", "w_member_social"]
        );
    }
}
