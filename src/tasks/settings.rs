//! What the Worker is told by its operator: secrets, addresses and numbers, by name.

use crate::domain::id::UserId;
use crate::domain::limits;
use crate::domain::media::Medium;
use crate::domain::publish::{Policy, PolicyError};
use crate::domain::time::{Millis, Timestamp};
use crate::platforms;
use crate::platforms::{instagram, linkedin, oauth, tiktok, x};
use crate::store::Secret;
use crate::store::seal::{AddressSigner, Form, Marks, SealError, Sealer};
use crate::tasks::notify;

/// What the Worker is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the database is.
    pub database_url: Secret,
    /// Its SQL endpoint, where it does not follow from that.
    pub sql_url: Option<String>,
    /// Opens and seals tokens.
    pub encryption_key: Secret,
    /// Opens what was sealed before the keys changed, until everything is sealed anew.
    pub former_key: Option<Secret>,
    /// The form that new sealed values get.
    pub seal_form: Form,
    /// The origin at which the outside finds this Worker, without final slash; `None` where nobody said it.
    pub public_url: Option<String>,
    /// What callers of the API must show.
    pub api_token: Secret,
    /// Whom the API token stands for.
    pub user_id: UserId,
    /// Requests a minute of each token of a person; 0 where none is limited, `None` where nobody said.
    pub rate_limit_per_minute: Option<u32>,
    /// The numbers of the publishing machine.
    pub policy: Policy,
    /// How to reach the platforms.
    pub platforms: platforms::Settings,
    /// How to reach the services that carry messages to people.
    pub notify: notify::Settings,
}

/// A variable that is missing or cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its name.
    pub name: &'static str,
    /// What is wrong and what to do, in one sentence.
    pub hint: String,
}

fn missing(name: &'static str, hint: &str) -> Missing {
    Missing {
        name,
        hint: hint.to_owned(),
    }
}

impl Settings {
    /// Reads every variable by name.
    ///
    /// # Errors
    /// Everything that is missing or unusable, all at once.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<Missing>> {
        let get = |name: &str| {
            variable(name)
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        let mut problems = Vec::new();
        let mut secret = |name: &'static str, hint: &str| {
            let value = get(name);
            if value.is_none() {
                problems.push(missing(name, hint));
            }
            Secret::new(value.unwrap_or_default())
        };
        let database_url = secret("DATABASE_URL", "set it to the connection string of the Neon database");
        let encryption_key = secret("HUB_ENCRYPTION_KEY", "set it to the hub's key: 64 hexadecimal digits");
        let api_token = secret(
            "PSN_API_TOKEN",
            "set it to a long random text that callers of the API must send",
        );
        let former_key = get("HUB_ENCRYPTION_KEY_FORMER").map(Secret::new);
        for (name, key) in [
            ("HUB_ENCRYPTION_KEY", Some(&encryption_key)),
            ("HUB_ENCRYPTION_KEY_FORMER", former_key.as_ref()),
        ] {
            let text = key.map_or("", Secret::expose);
            if !text.is_empty() && (text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit())) {
                let hint = "it is not a key: expected 64 hexadecimal digits (32 bytes)";
                problems.push(missing(name, hint));
            }
        }
        let seal_form = match get("SEAL_FORM").as_deref().map(Form::parse) {
            None => Form::default(),
            Some(Some(form)) => form,
            Some(None) => {
                problems.push(missing(
                    "SEAL_FORM",
                    "it is no form of sealed values: expected `psn1`, or `legacy` while the former program still runs",
                ));
                Form::default()
            }
        };
        let public_url = get("PUBLIC_URL").map(|url| url.trim_end_matches('/').to_owned());
        if public_url.as_deref().is_some_and(|url| !is_origin(url)) {
            problems.push(missing(
                "PUBLIC_URL",
                "it is no origin: expected `https://` and the host at which this Worker is found, without a path",
            ));
        }
        let rate_limit_per_minute = get("RATE_LIMIT_PER_MINUTE").and_then(|value| {
            let number = value.parse().ok().filter(|number| *number <= 100_000);
            if number.is_none() {
                problems.push(missing(
                    "RATE_LIMIT_PER_MINUTE",
                    "it is no number of requests: expected 1 to 100000, or 0 for no limit",
                ));
            }
            number
        });
        let mut policy = Policy::default();
        read_policy(&mut policy, &get, &mut problems);
        let mut x = x::Config::new(policy.call_deadline_ms);
        if let Some(url) = get("X_API_URL") {
            x.api_url = url;
        }
        let linkedin = read_linkedin(policy.call_deadline_ms, &get, &mut problems);
        let instagram = read_instagram(policy.call_deadline_ms, &get, &mut problems);
        x.allowance = x::Allowance::read(get, |name, hint| problems.push(Missing { name, hint }));
        let notify = notify::Settings::read(get, |name, hint| problems.push(Missing { name, hint }));
        let mut tiktok = tiktok::Config::new(policy.call_deadline_ms);
        if let Some(url) = get("TIKTOK_API_URL") {
            tiktok.api_url = url;
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            database_url,
            sql_url: get("NEON_SQL_URL"),
            encryption_key,
            former_key,
            seal_form,
            public_url,
            api_token,
            user_id: UserId(get("PSN_USER").unwrap_or_else(|| "default".to_owned())),
            rate_limit_per_minute,
            policy,
            platforms: platforms::Settings {
                x,
                linkedin,
                instagram,
                tiktok,
                oauth: oauth::Settings::read(oauth::CALL_DEADLINE_MS, get),
            },
            notify,
        })
    }

    /// Seals with the key, in the form that is set, and opens with the former key too.
    ///
    /// # Errors
    /// [`SealError::KeyForm`].
    pub fn sealer(&self) -> Result<Sealer, SealError> {
        let sealer = Sealer::new(&self.encryption_key)?.with_form(self.seal_form);
        match &self.former_key {
            Some(former) => sealer.with_former_key(former),
            None => Ok(sealer),
        }
    }
}

impl Settings {
    /// Signs and judges the addresses of media.
    ///
    /// # Errors
    /// [`SealError::KeyForm`].
    pub fn address_signer(&self) -> Result<AddressSigner, SealError> {
        let signer = AddressSigner::new(&self.encryption_key)?;
        match &self.former_key {
            Some(former) => signer.with_former_key(former),
            None => Ok(signer),
        }
    }

    /// Marks what this Worker says, and tells it again.
    ///
    /// # Errors
    /// [`SealError::KeyForm`].
    pub fn marks(&self) -> Result<Marks, SealError> {
        let marks = Marks::new(&self.encryption_key)?;
        match &self.former_key {
            Some(former) => marks.with_former_key(former),
            None => Ok(marks),
        }
    }

    /// Makes addresses of pages for people; `None` where nobody said at which origin this Worker is found.
    #[must_use]
    pub fn links(&self) -> Option<notify::links::Links> {
        let (origin, signer) = (self.public_url.clone()?, self.address_signer().ok()?);
        Some(notify::links::Links { origin, signer })
    }

    /// Where a platform can fetch each of these media from now on, for [`limits::ADDRESS_LIFETIME_MS`]; empty where
    /// nobody said at which origin.
    #[must_use]
    pub fn addresses(&self, media: &[Medium], now: Timestamp) -> Vec<String> {
        let (Some(origin), Ok(signer)) = (&self.public_url, self.address_signer()) else {
            return Vec::new();
        };
        let until = Timestamp(now.0 + limits::ADDRESS_LIFETIME_MS.0);
        let address = |medium: &Medium| format!("{origin}{}", signer.sign(&medium.id, until));
        media.iter().map(address).collect()
    }
}

fn is_origin(url: &str) -> bool {
    let uri = url.parse::<http::Uri>().ok();
    uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri
                .authority()
                .is_some_and(|authority| !authority.as_str().contains('@'))
            && uri.path_and_query().is_none_or(|rest| rest == "/")
    })
}

fn read_policy(policy: &mut Policy, get: &impl Fn(&str) -> Option<String>, problems: &mut Vec<Missing>) {
    let mut millis = |name: &'static str, target: &mut Millis| {
        let Some(value) = get(name) else { return };
        match value.parse() {
            Ok(number) if (0..=i64::from(u32::MAX)).contains(&number) => *target = Millis(number),
            _ => problems.push(missing(
                name,
                "it is not a number of milliseconds: expected digits only",
            )),
        }
    };
    millis("CALL_DEADLINE_MS", &mut policy.call_deadline_ms);
    millis("LATE_AFTER_MS", &mut policy.late_after_ms);
    millis("PART_PAUSE_MS", &mut policy.part_pause_ms);
    millis("CLAIM_LEAD_MS", &mut policy.claim_lead_ms);
    if let Some(list) = get("LOOKUP_DELAYS_MS") {
        let delays: Result<Vec<i64>, _> = list.split(',').map(|delay| delay.trim().parse::<i64>()).collect();
        policy.look_up_delays = delays.unwrap_or_default().into_iter().map(Millis).collect();
    }
    if let Err(error) = policy.validate() {
        let name = match error {
            PolicyError::Delays | PolicyError::SettleTime { .. } => "LOOKUP_DELAYS_MS",
        };
        problems.push(Missing {
            name,
            hint: error.to_string(),
        });
    }
}

fn read_linkedin(
    call_deadline: Millis,
    get: &impl Fn(&str) -> Option<String>,
    problems: &mut Vec<Missing>,
) -> linkedin::Config {
    let mut config = linkedin::Config::new(call_deadline);
    if let Some(url) = get("LINKEDIN_API_URL") {
        config.api_url = url;
    }
    if let Some(version) = get("LINKEDIN_VERSION") {
        if version.len() != 6 || !version.bytes().all(|byte| byte.is_ascii_digit()) {
            let hint = "it is no version of LinkedIn's API: expected a year and a month such as `202609`";
            problems.push(missing("LINKEDIN_VERSION", hint));
        }
        config.version = version;
    }
    match get("LINKEDIN_DUPLICATE_PROBE").as_deref() {
        None | Some("off") => {}
        Some("on") => config.duplicate_probe = true,
        Some(_) => problems.push(missing(
            "LINKEDIN_DUPLICATE_PROBE",
            "it is neither `on` nor `off`: leave it out until a live test showed that LinkedIn refuses a repeat",
        )),
    }
    config
}

fn read_instagram(
    call_deadline: Millis,
    get: &impl Fn(&str) -> Option<String>,
    problems: &mut Vec<Missing>,
) -> instagram::Config {
    let mut config = instagram::Config::new(call_deadline);
    for (name, target) in [
        ("INSTAGRAM_API_URL", &mut config.api_url),
        ("FACEBOOK_API_URL", &mut config.facebook_api_url),
        ("META_VERSION", &mut config.version),
    ] {
        if let Some(value) = get(name) {
            *target = value;
        }
    }
    if !instagram::is_version(&config.version) {
        let hint = "it is no version of Meta's Graph API: expected one such as `v25.0`";
        problems.push(missing("META_VERSION", hint));
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let names = |vars: &[(&str, &str)]| {
            let found = Settings::read(|name| {
                vars.iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            });
            found
                .map(|_| ())
                .map_err(|missing| missing.into_iter().map(|item| item.name).collect::<Vec<_>>())
        };
        assert_eq!(
            names(&[]),
            Err(vec!["DATABASE_URL", "HUB_ENCRYPTION_KEY", "PSN_API_TOKEN"])
        );
        let key = "0".repeat(64);
        let good = [
            ("DATABASE_URL", "postgresql://u:p@h.example/d"),
            ("HUB_ENCRYPTION_KEY", &key),
            ("PSN_API_TOKEN", "t"),
        ];
        assert_eq!(names(&good), Ok(()));
        let with = |name, value| {
            let mut vars = good.to_vec();
            vars.push((name, value));
            names(&vars)
        };
        assert_eq!(with("LOOKUP_DELAYS_MS", "5000,1000"), Err(vec!["LOOKUP_DELAYS_MS"]));
        assert_eq!(with("LOOKUP_DELAYS_MS", "1000,5000"), Err(vec!["LOOKUP_DELAYS_MS"]));
        assert_eq!(with("LOOKUP_DELAYS_MS", "1000,20000"), Ok(()));
        assert_eq!(with("CALL_DEADLINE_MS", "soon"), Err(vec!["CALL_DEADLINE_MS"]));
        assert_eq!(with("RATE_LIMIT_PER_MINUTE", "-1"), Err(vec!["RATE_LIMIT_PER_MINUTE"]));
        assert_eq!(with("RATE_LIMIT_PER_MINUTE", "0"), Ok(()));
        assert_eq!(
            with("HUB_ENCRYPTION_KEY_FORMER", "00"),
            Err(vec!["HUB_ENCRYPTION_KEY_FORMER"])
        );
        assert_eq!(with("HUB_ENCRYPTION_KEY_FORMER", &key), Ok(()));
        for wrong in [
            "psn.example",
            "ftp://h",
            "https://",
            "https://h/p",
            "https://h?q",
            "https://u:p@h",
        ] {
            assert_eq!(with("PUBLIC_URL", wrong), Err(vec!["PUBLIC_URL"]), "{wrong}");
        }
        for right in ["https://psn.example", "https://psn.example/", "http://127.0.0.1:8787"] {
            assert_eq!(with("PUBLIC_URL", right), Ok(()), "{right}");
        }
        assert_eq!(with("X_BUDGET_USD_MONTH", "much"), Err(vec!["X_BUDGET_USD_MONTH"]));
        assert_eq!(with("SEAL_FORM", "plain"), Err(vec!["SEAL_FORM"]));
        assert_eq!(with("SEAL_FORM", "legacy"), Ok(()));
        assert_eq!(with("META_VERSION", "25"), Err(vec!["META_VERSION"]));
        assert_eq!(with("META_VERSION", "v26.0"), Ok(()));
        assert_eq!(with("LINKEDIN_VERSION", "2026-09"), Err(vec!["LINKEDIN_VERSION"]));
        assert_eq!(with("LINKEDIN_VERSION", "202610"), Ok(()));
        assert_eq!(
            with("LINKEDIN_DUPLICATE_PROBE", "yes"),
            Err(vec!["LINKEDIN_DUPLICATE_PROBE"])
        );
        assert_eq!(with("LINKEDIN_DUPLICATE_PROBE", "on"), Ok(()));
    }
}
