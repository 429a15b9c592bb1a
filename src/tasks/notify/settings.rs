//! What the operator says about the services that carry messages.

use crate::domain::secret::Secret;
use crate::domain::time::Millis;

/// Time for one message to be taken.
const CALL_DEADLINE_MS: Millis = Millis(10_000);

/// How to reach the services that messages go through.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The WhatsApp gateway of one's own.
    pub waha: Option<Waha>,
    /// Twilio's WhatsApp.
    pub twilio: Option<Twilio>,
    /// Telegram's API: an origin.
    pub telegram_url: String,
    /// Resend, for e-mail.
    pub resend: Option<Resend>,
    /// Whether addresses of users may be on this very machine: for tests.
    pub loopback: bool,
    /// Time for one message to be taken.
    pub call_deadline: Millis,
}

/// WAHA (<https://waha.devlike.pro>): WhatsApp through a session of one's own.
#[derive(Clone, Debug)]
pub struct Waha {
    /// Its origin.
    pub url: String,
    /// Its key, where it asks for one.
    pub api_key: Option<Secret>,
    /// The session.
    pub session: String,
    /// Signs what it sends us; without it nothing is taken from it.
    pub hmac_key: Option<Secret>,
}

/// Twilio's WhatsApp.
#[derive(Clone, Debug)]
pub struct Twilio {
    /// Its origin.
    pub url: String,
    /// The account.
    pub account_sid: String,
    /// Its token, which also signs what Twilio sends us.
    pub auth_token: Secret,
    /// The number that messages come from, digits with a leading `+`.
    pub from: String,
}

/// Resend (<https://resend.com>).
#[derive(Clone, Debug)]
pub struct Resend {
    /// Its origin.
    pub url: String,
    /// Its key.
    pub api_key: Secret,
    /// Whom messages come from.
    pub from: String,
}

impl Settings {
    /// Reads the variables by name; `refuse` is told what is incomplete.
    pub fn read(get: impl Fn(&str) -> Option<String>, mut refuse: impl FnMut(&'static str, String)) -> Self {
        let origin = |name: &str, default: &str| {
            let url = get(name).unwrap_or_else(|| default.to_owned());
            url.trim_end_matches('/').to_owned()
        };
        let waha = get("WAHA_BASE_URL").map(|url| Waha {
            url: url.trim_end_matches('/').to_owned(),
            api_key: get("WAHA_API_KEY").map(Secret::new),
            session: get("WAHA_SESSION").unwrap_or_else(|| "default".to_owned()),
            hmac_key: get("WAHA_HMAC_KEY").map(Secret::new),
        });
        let mut together = |names: [&'static str; 3]| {
            let values = names.map(&get);
            let given = values.iter().flatten().count();
            if given > 0 && given < names.len() {
                for (name, value) in names.iter().zip(&values) {
                    if value.is_none() {
                        let others = names
                            .iter()
                            .filter(|other| *other != name)
                            .map(|other| format!("`{other}`"));
                        let others = others.collect::<Vec<_>>().join(" and ");
                        refuse(name, format!("it belongs to {others}: set all three or none"));
                    }
                }
            }
            let [one, two, three] = values;
            one.zip(two).zip(three)
        };
        let twilio = together(["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM_NUMBER"]);
        let twilio = twilio.map(|((account_sid, auth_token), from)| Twilio {
            url: origin("TWILIO_API_URL", "https://api.twilio.com"),
            account_sid,
            auth_token: Secret::new(auth_token),
            from: plus(&from),
        });
        let resend = get("RESEND_API_KEY")
            .zip(get("EMAIL_FROM"))
            .map(|(api_key, from)| Resend {
                url: origin("RESEND_API_URL", "https://api.resend.com"),
                api_key: Secret::new(api_key),
                from,
            });
        for (name, other) in [("RESEND_API_KEY", "EMAIL_FROM"), ("EMAIL_FROM", "RESEND_API_KEY")] {
            if get(name).is_none() && get(other).is_some() {
                refuse(name, format!("it belongs to `{other}`: set both or none"));
            }
        }
        Self {
            waha,
            twilio,
            telegram_url: origin("TELEGRAM_API_URL", "https://api.telegram.org"),
            resend,
            loopback: get("MEDIA_FROM_LOOPBACK").as_deref() == Some("1"),
            call_deadline: CALL_DEADLINE_MS,
        }
    }
}

impl Settings {
    /// Whether what people write back through that WhatsApp provider can be verified, and so is heard. Twilio signs the
    /// address that it calls, so that has to be known.
    #[must_use]
    pub fn hears(&self, provider: &str, knows_origin: bool) -> bool {
        match provider {
            "waha" => self.waha.as_ref().is_some_and(|waha| waha.hmac_key.is_some()),
            _ => self.twilio.is_some() && knows_origin,
        }
    }
}

/// The digits of a telephone number behind a plus.
pub(super) fn plus(number: &str) -> String {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    format!("+{digits}")
}
