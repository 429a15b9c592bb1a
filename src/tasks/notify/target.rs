//! Where messages go: what a user says of a service is checked here, sealed by the store, and read again to send.

use super::settings::{Settings, plus};
use crate::domain::address::checked;
use crate::domain::secret::Secret;
use crate::ports::json;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Kinds of services, by their names in the database and the API.
pub const KINDS: [&str; 7] = ["whatsapp", "webhook", "slack", "discord", "telegram", "ntfy", "email"];
/// Kinds that recognise a message that is sent again: only these are sent one again that may have arrived.
pub const IDEMPOTENT_KINDS: [&str; 2] = ["webhook", "email"];
/// What can be said of them, all together.
pub const FIELDS: [&str; 8] = [
    "phone",
    "provider",
    "url",
    "secret",
    "bot_token",
    "chat_id",
    "token",
    "address",
];
/// Bytes that a webhook's key has at least and at most (Standard Webhooks 1.0).
const WEBHOOK_KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// What can be said of a service of that kind; nothing where there is none.
#[must_use]
pub fn fields_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "whatsapp" => &["phone", "provider"],
        "webhook" => &["url", "secret"],
        "slack" | "discord" => &["url"],
        "telegram" => &["bot_token", "chat_id"],
        "ntfy" => &["url", "token"],
        "email" => &["address"],
        _ => &[],
    }
}

/// Where messages go. Never shown: it holds addresses that are secrets by themselves, and keys.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Target {
    /// A person's WhatsApp.
    Whatsapp {
        /// Digits behind a plus.
        phone: String,
        /// `waha` or `twilio`; the one that is configured where nobody said.
        provider: Option<String>,
    },
    /// An address that takes signed JSON (Standard Webhooks 1.0).
    Webhook {
        /// It.
        url: String,
        /// The key, `whsec_` and base64.
        secret: String,
    },
    /// A Slack channel, by its incoming webhook.
    Slack {
        /// It.
        url: String,
    },
    /// A Discord channel, by its webhook.
    Discord {
        /// It.
        url: String,
    },
    /// A Telegram chat.
    Telegram {
        /// The bot's token.
        bot_token: String,
        /// The chat.
        chat_id: String,
    },
    /// A topic of ntfy (<https://ntfy.sh>) or of a server like it.
    Ntfy {
        /// The server's address and the topic: `https://ntfy.sh/topic`.
        url: String,
        /// The token, where the topic asks for one.
        token: Option<String>,
    },
    /// An e-mail address.
    Email {
        /// It.
        address: String,
    },
}

/// A field that is wrong, and how.
pub type Wrong = (&'static str, String);

impl Target {
    /// Reads what a user says of a service of that kind.
    ///
    /// # Errors
    /// Everything that is wrong, by field.
    pub fn read(kind: &str, given: &Map<String, Value>, settings: &Settings) -> Result<Self, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let mut reader = Reader {
            given,
            wrong: &mut wrong,
            loopback: settings.loopback,
        };
        let target = reader.target(kind, settings);
        if wrong.is_empty() { Ok(target) } else { Err(wrong) }
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Whatsapp { .. } => "whatsapp",
            Self::Webhook { .. } => "webhook",
            Self::Slack { .. } => "slack",
            Self::Discord { .. } => "discord",
            Self::Telegram { .. } => "telegram",
            Self::Ntfy { .. } => "ntfy",
            Self::Email { .. } => "email",
        }
    }

    /// What was said of it, by field.
    #[must_use]
    pub fn members(&self) -> Map<String, Value> {
        let Ok(Value::Object(mut members)) = serde_json::to_value(self) else {
            return Map::new();
        };
        members.remove("kind");
        members
    }

    /// What its owner knows it by, without anything that lets somebody else write there.
    #[must_use]
    pub fn shown(&self) -> String {
        let host = |url: &str| {
            let host = url::Url::parse(url).ok();
            host.and_then(|url| url.host_str().map(str::to_owned))
                .unwrap_or_default()
        };
        match self {
            Self::Whatsapp { phone, .. } => {
                let shown = phone.len().saturating_sub(3);
                format!("WhatsApp …{}", phone.get(shown..).unwrap_or_default())
            }
            Self::Webhook { url, .. } | Self::Slack { url } | Self::Discord { url } | Self::Ntfy { url, .. } => {
                host(url)
            }
            Self::Telegram { bot_token, .. } => {
                // What stands before the colon names the bot, and is no secret.
                format!("Telegram bot {}", bot_token.split(':').next().unwrap_or_default())
            }
            Self::Email { address } => {
                let (name, host) = address.split_once('@').unwrap_or_default();
                format!("{}…@{host}", name.chars().next().unwrap_or('…'))
            }
        }
    }

    /// What is sealed.
    #[must_use]
    pub fn to_secret(&self) -> Secret {
        Secret::new(serde_json::to_string(self).unwrap_or_default())
    }

    /// Reads what was sealed; `None` where another version wrote it.
    #[must_use]
    pub fn from_secret(secret: &Secret) -> Option<Self> {
        json::read(secret.expose()).ok()
    }

    /// The telephone that can answer, if there is one, with the provider it goes through.
    #[must_use]
    pub fn phone(&self, settings: &Settings) -> Option<(&str, &'static str)> {
        let Self::Whatsapp { phone, provider } = self else {
            return None;
        };
        Some((phone, provider_of(provider.as_deref(), settings)?))
    }
}

/// The WhatsApp provider that is used: the one that was chosen, or else the one that there is.
pub(super) fn provider_of(chosen: Option<&str>, settings: &Settings) -> Option<&'static str> {
    match chosen {
        Some("waha") => Some("waha"),
        Some("twilio") => Some("twilio"),
        _ if settings.waha.is_some() => Some("waha"),
        _ if settings.twilio.is_some() => Some("twilio"),
        _ => None,
    }
}

/// The bytes of a webhook's key.
pub(super) fn webhook_key(secret: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    WEBHOOK_KEY_BYTES.contains(&key.len()).then_some(key)
}

struct Reader<'a> {
    given: &'a Map<String, Value>,
    wrong: &'a mut Vec<Wrong>,
    loopback: bool,
}

impl Reader<'_> {
    fn target(&mut self, kind: &str, settings: &Settings) -> Target {
        match kind {
            "whatsapp" => self.whatsapp(settings),
            "webhook" => {
                let target = Target::Webhook {
                    url: self.address("https://example.com/psn"),
                    secret: self.text("secret", "the key, `whsec_` and base64 of 24 to 64 random bytes"),
                };
                if let Target::Webhook { secret, .. } = &target
                    && !secret.is_empty()
                    && webhook_key(secret).is_none()
                {
                    let message =
                        "`secret` is no key of a webhook: expected `whsec_` and base64 of 24 to 64 random bytes";
                    self.wrong.push(("secret", message.to_owned()));
                }
                target
            }
            "slack" => Target::Slack {
                url: self.address("https://hooks.slack.com/services/…"),
            },
            "discord" => Target::Discord {
                url: self.address("https://discord.com/api/webhooks/…"),
            },
            "telegram" => self.telegram(),
            "ntfy" => self.ntfy(),
            "email" => self.email(settings),
            _ => {
                let known = KINDS.map(|kind| format!("`{kind}`")).join(", ");
                self.wrong
                    .push(("kind", format!("`kind` names no service: expected one of {known}")));
                Target::Email { address: String::new() }
            }
        }
    }

    fn optional(&mut self, name: &'static str) -> Option<String> {
        match self.given.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Some(_) => {
                self.wrong
                    .push((name, format!("`{name}` is not a text: expected one, or nothing")));
                None
            }
        }
    }

    fn text(&mut self, name: &'static str, expected: &str) -> String {
        let before = self.wrong.len();
        let text = self.optional(name);
        if text.is_none() && self.wrong.len() == before {
            self.wrong
                .push((name, format!("`{name}` is missing: expected {expected}")));
        }
        text.unwrap_or_default()
    }

    fn address(&mut self, example: &str) -> String {
        let text = self.text("url", &format!("an address such as `{example}`"));
        if text.is_empty() {
            return text;
        }
        match checked(&text, self.loopback, example) {
            Ok(url) => url.into(),
            Err(message) => {
                self.wrong.push(("url", message));
                String::new()
            }
        }
    }

    fn whatsapp(&mut self, settings: &Settings) -> Target {
        let phone = plus(&self.text("phone", "a number with its country such as `+4915112345678`"));
        // E.164: at most 15 digits; the shortest in use have 7.
        if phone.len() > 1 && !(8..=16).contains(&phone.len()) {
            let message = "`phone` is no telephone number: expected 7 to 15 digits with the country first, such as `+4915112345678`";
            self.wrong.push(("phone", message.to_owned()));
        }
        let provider = self.optional("provider");
        if provider
            .as_deref()
            .is_some_and(|name| !matches!(name, "waha" | "twilio"))
        {
            let message = "`provider` is no WhatsApp provider: expected `waha` or `twilio`";
            self.wrong.push(("provider", message.to_owned()));
        }
        let has = match provider_of(provider.as_deref(), settings) {
            Some("waha") => settings.waha.is_some(),
            Some(_) => settings.twilio.is_some(),
            None => false,
        };
        if !has {
            let message = "this worker sends no WhatsApp that way: set `WAHA_BASE_URL`, or `TWILIO_ACCOUNT_SID`, \
                `TWILIO_AUTH_TOKEN` and `TWILIO_FROM_NUMBER`, then deploy";
            self.wrong.push(("provider", message.to_owned()));
        }
        Target::Whatsapp { phone, provider }
    }

    fn telegram(&mut self) -> Target {
        let bot_token = self.text("bot_token", "the bot's token");
        let chat_id = match self.given.get("chat_id") {
            Some(Value::Number(number)) => number.to_string(),
            _ => self.text("chat_id", "the chat's number, or `@` and the channel's name"),
        };
        // It becomes part of an address.
        let is_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-');
        if !bot_token.chars().all(is_token) {
            let message = "`bot_token` is no token of a bot: expected one such as `123456:ABC-DEF`";
            self.wrong.push(("bot_token", message.to_owned()));
        }
        Target::Telegram { bot_token, chat_id }
    }

    fn ntfy(&mut self) -> Target {
        let url = self.address("https://ntfy.sh/my-topic");
        if !url.is_empty() && topic(&url).is_none() {
            let message = "`url` names no topic: expected the server and one name, such as `https://ntfy.sh/my-topic`";
            self.wrong.push(("url", message.to_owned()));
        }
        let token = self.optional("token");
        if token
            .as_deref()
            .is_some_and(|token| !token.chars().all(|c| c.is_ascii_graphic()))
        {
            let message = "`token` is no token: expected one such as `tk_…`";
            self.wrong.push(("token", message.to_owned()));
        }
        Target::Ntfy { url, token }
    }

    fn email(&mut self, settings: &Settings) -> Target {
        let address = self.text("address", "an e-mail address");
        let is_address = address.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && host.contains('.') && !address.contains([' ', ',', '<', '>', '\n', '\r'])
        });
        if !address.is_empty() && !is_address {
            let message = "`address` is no e-mail address: expected one such as `ada@example.com`";
            self.wrong.push(("address", message.to_owned()));
        }
        if settings.resend.is_none() {
            let message = "this worker sends no e-mail: set `RESEND_API_KEY` and `EMAIL_FROM`, then deploy";
            self.wrong.push(("kind", message.to_owned()));
        }
        Target::Email { address }
    }
}

/// Server and topic of an address of ntfy.
pub(super) fn topic(url: &str) -> Option<(&str, &str)> {
    let (server, topic) = url.rsplit_once('/')?;
    let is_topic = !topic.is_empty()
        && topic
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-'));
    (is_topic && server.matches('/').count() == 2 && !server.ends_with('/')).then_some((server, topic))
}
