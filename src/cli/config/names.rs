//! Every name that hub and keys files may hold: in which file it stands, whether the worker gets it, whether it has to be
//! there, what it is and where its value comes from. What is not in this table is sent nowhere.

use std::fmt::Write as _;

/// The file that a name stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The hub's file: `.hubs/<slug>.json`.
    Hub,
    /// psn's own settings of the hub: `.hubs/<slug>.env`.
    Own,
    /// What all hubs share: `config/keys.env`. A hub's own settings go before it.
    Keys,
}

/// Where a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goes {
    /// To the worker, as a secret that nobody can read back.
    Secret,
    /// To the worker, as a variable that its operator may read.
    Variable,
    /// Nowhere: it stays on this machine.
    Stays,
}

/// One name.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    /// The name.
    pub name: &'static str,
    /// The file it stands in.
    pub place: Place,
    /// Where its value goes.
    pub goes: Goes,
    /// Whether a worker is of no use without it.
    pub required: bool,
    /// What it is.
    pub what: &'static str,
    /// Where its value comes from; empty where it is seldom set, and then no file is begun with it.
    pub whence: &'static str,
}

/// Names that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// What they are for.
    pub title: &'static str,
    /// The names.
    pub names: &'static [Name],
}

const fn name(name: &'static str, place: Place, goes: Goes, what: &'static str, whence: &'static str) -> Name {
    Name {
        name,
        place,
        goes,
        required: false,
        what,
        whence,
    }
}

const fn required(mut name: Name) -> Name {
    name.required = true;
    name
}

const fn secret(it: &'static str, what: &'static str, whence: &'static str) -> Name {
    name(it, Place::Keys, Goes::Secret, what, whence)
}

const fn variable(it: &'static str, what: &'static str, whence: &'static str) -> Name {
    name(it, Place::Own, Goes::Variable, what, whence)
}

const fn stays(it: &'static str, what: &'static str, whence: &'static str) -> Name {
    name(it, Place::Keys, Goes::Stays, what, whence)
}

/// An address that tests replace.
const fn address(it: &'static str) -> Name {
    variable(it, "another address than the real one, for tests", "")
}

/// The table.
pub const GROUPS: &[Group] = &[
    Group {
        title: "The hub",
        names: &[
            required(name(
                "DATABASE_URL",
                Place::Hub,
                Goes::Secret,
                "the connection string of the hub's database (`databaseUrl`)",
                "console.neon.tech > your project > Connect; or set NEON_API_KEY and psn makes the project",
            )),
            required(name(
                "HUB_ENCRYPTION_KEY",
                Place::Hub,
                Goes::Secret,
                "the key that seals tokens, 64 hex digits (`encryptionKey`)",
                "`psn init` makes it; keep a copy, as what it sealed is lost without it",
            )),
            required(name(
                "PSN_API_TOKEN",
                Place::Own,
                Goes::Secret,
                "what callers of the worker's API have to show",
                "`psn init` makes it",
            )),
            name(
                "HUB_ENCRYPTION_KEY_FORMER",
                Place::Own,
                Goes::Secret,
                "the key before, while `psn keys rotate` works",
                "",
            ),
            name("PSN_URL", Place::Own, Goes::Stays, "where the worker is found", ""),
            variable(
                "PUBLIC_URL",
                "the origin at which platforms find the worker's media",
                "",
            ),
            variable(
                "NEON_SQL_URL",
                "the database's SQL endpoint, where it is not Neon's own",
                "",
            ),
            variable("PSN_USER", "whom the API token stands for", ""),
            variable(
                "RATE_LIMIT_PER_MINUTE",
                "requests a minute of each token of a person; 300 unless set, 0 for no limit",
                "",
            ),
            variable(
                "SEAL_FORM",
                "`legacy` while the Trigger.dev program reads the same rows",
                "",
            ),
        ],
    },
    Group {
        title: "Where psn runs: these stay on this machine",
        names: &[
            stays(
                "CLOUDFLARE_API_TOKEN",
                "lets `psn deploy` make and change your worker; `npx wrangler login` does as well",
                "dash.cloudflare.com/profile/api-tokens > Create Token > template \"Edit Cloudflare Workers\"",
            ),
            stays(
                "CLOUDFLARE_ACCOUNT_ID",
                "which account, where the token sees several",
                "dash.cloudflare.com > Account home > the 32 digits in the address",
            ),
            stays(
                "NEON_API_KEY",
                "lets psn make the database; not needed once you have one",
                "console.neon.tech > Account settings > API keys > Create",
            ),
            stays("NEON_ORG_ID", "which organisation of Neon, where there are several", ""),
        ],
    },
    Group {
        title: "X: an app of type \"Web app\" or \"Native app\", redirect http://127.0.0.1:18923/callback",
        names: &[
            secret(
                "X_CLIENT_ID",
                "the app's OAuth 2.0 client id",
                "developer.x.com > your app > Keys and tokens",
            ),
            secret("X_CLIENT_SECRET", "its secret", "the same page; a native app has none"),
            stays("X_REDIRECT_URI", "another redirect address", ""),
            name(
                "X_SCOPES",
                Place::Keys,
                Goes::Variable,
                "other permissions to ask for",
                "",
            ),
            variable("X_PREMIUM_ACCOUNTS", "accounts that may publish long posts", ""),
            variable("X_VIDEO_SECONDS_MAX", "how long a video may be", ""),
            variable("X_VIDEO_BYTES_MAX", "how large a video may be", ""),
            variable("X_BUDGET_USD_MONTH", "what may be spent on X in a month", ""),
            address("X_API_URL"),
            address("X_AUTH_URL"),
        ],
    },
    Group {
        title: "LinkedIn",
        names: &[
            secret(
                "LINKEDIN_CLIENT_ID",
                "the app's client id",
                "linkedin.com/developers > your app > Auth",
            ),
            secret("LINKEDIN_CLIENT_SECRET", "its secret", "the same page"),
            stays("LINKEDIN_REDIRECT_URI", "another redirect address", ""),
            name(
                "LINKEDIN_SCOPES",
                Place::Keys,
                Goes::Variable,
                "other permissions to ask for",
                "",
            ),
            variable("LINKEDIN_VERSION", "the month of LinkedIn's API, such as `202609`", ""),
            variable(
                "LINKEDIN_DUPLICATE_PROBE",
                "`on` once you have tried that LinkedIn refuses repeats",
                "",
            ),
            address("LINKEDIN_API_URL"),
            address("LINKEDIN_AUTH_URL"),
        ],
    },
    Group {
        title: "Instagram: a business or creator account, Instagram login",
        names: &[
            secret(
                "INSTAGRAM_APP_ID",
                "the id of the Instagram app",
                "developers.facebook.com > your app > Instagram > API setup with Instagram login",
            ),
            secret("INSTAGRAM_APP_SECRET", "its secret", "the same page"),
            stays("INSTAGRAM_REDIRECT_URI", "another redirect address", ""),
            name(
                "INSTAGRAM_SCOPES",
                Place::Keys,
                Goes::Variable,
                "other permissions to ask for",
                "",
            ),
            variable("META_VERSION", "the version of Meta's API, such as `v25.0`", ""),
            address("INSTAGRAM_API_URL"),
            address("INSTAGRAM_AUTH_URL"),
            address("INSTAGRAM_TOKEN_URL"),
            address("FACEBOOK_API_URL"),
            address("FACEBOOK_AUTH_URL"),
        ],
    },
    Group {
        title: "TikTok: an app of type \"Desktop\"",
        names: &[
            secret(
                "TIKTOK_CLIENT_KEY",
                "the app's client key",
                "developers.tiktok.com > Manage apps > your app",
            ),
            secret("TIKTOK_CLIENT_SECRET", "its secret", "the same page"),
            stays("TIKTOK_REDIRECT_URI", "another redirect address", ""),
            name(
                "TIKTOK_SCOPES",
                Place::Keys,
                Goes::Variable,
                "other permissions to ask for",
                "",
            ),
            address("TIKTOK_API_URL"),
            address("TIKTOK_AUTH_URL"),
        ],
    },
    Group {
        title: "Messages to you: WhatsApp through a WAHA of your own or through Twilio, e-mail through Resend",
        names: &[
            secret(
                "WAHA_BASE_URL",
                "the origin of your WAHA",
                "where you run it (waha.devlike.pro)",
            ),
            secret("WAHA_API_KEY", "its key", "WAHA_API_KEY of its configuration"),
            secret("WAHA_SESSION", "its session, `default` if you have one", ""),
            secret("WAHA_HMAC_KEY", "signs what it sends to psn", ""),
            secret("TWILIO_ACCOUNT_SID", "the account", "console.twilio.com"),
            secret("TWILIO_AUTH_TOKEN", "its token", "the same page"),
            secret(
                "TWILIO_FROM_NUMBER",
                "the number that messages come from",
                "Messaging > Senders > WhatsApp senders",
            ),
            secret("RESEND_API_KEY", "the key for e-mail", "resend.com/api-keys"),
            secret(
                "EMAIL_FROM",
                "whom e-mail comes from",
                "an address of a domain that Resend has verified",
            ),
            address("TWILIO_API_URL"),
            address("RESEND_API_URL"),
            address("TELEGRAM_API_URL"),
        ],
    },
    Group {
        title: "The Trigger.dev program that came before: psn sends these nowhere",
        names: &[
            stays("TRIGGER_SECRET_KEY", "its key", ""),
            stays("TRIGGER_PROJECT_REF", "its project", ""),
        ],
    },
    Group {
        title: "Numbers of the publishing machine",
        names: &[
            variable("CALL_DEADLINE_MS", "how long a call may take", ""),
            variable("LATE_AFTER_MS", "how late a post may begin", ""),
            variable("PART_PAUSE_MS", "the pause between two parts", ""),
            variable("CLAIM_LEAD_MS", "how early a post is claimed", ""),
            variable("LOOKUP_DELAYS_MS", "when an outcome in doubt is looked up", ""),
            variable(
                "MEDIA_FROM_LOOPBACK",
                "`1` lets a worker of tests fetch from its own machine",
                "",
            ),
        ],
    },
];

/// All names.
pub fn all() -> impl Iterator<Item = &'static Name> {
    GROUPS.iter().flat_map(|group| group.names)
}

/// What is known of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Name> {
    all().find(|one| one.name == name)
}

/// Whether the worker reads a variable of that name.
#[must_use]
pub fn is_of_worker(name: &str) -> bool {
    find(name).is_some_and(|one| one.goes != Goes::Stays)
}

/// The names that the worker reads.
pub fn of_worker() -> impl Iterator<Item = &'static str> {
    all().filter(|one| one.goes != Goes::Stays).map(|one| one.name)
}

/// A fresh `config/keys.env`: every name that one usually sets, empty, with where its value comes from.
#[must_use]
pub fn keys_file() -> String {
    let mut text = String::from(
        "# What all your hubs share. Fill in what you use and leave the rest empty; psn keeps these comments.\n\
         # `psn secrets diff` says what your worker has of it; values are never shown.\n",
    );
    for group in GROUPS {
        let shown = |name: &&Name| name.place == Place::Keys && !name.whence.is_empty();
        if !group.names.iter().any(|name| shown(&name)) {
            continue;
        }
        let _ = write!(text, "\n# {}\n", group.title);
        for name in group.names.iter().filter(shown) {
            let _ = write!(text, "# {}: {}\n{}=\n", name.what, name.whence, name.name);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::cli::config::parse_env;
    use crate::tasks::settings::Settings;
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    #[test]
    fn whatever_the_worker_reads_is_in_the_table_once() {
        let asked = RefCell::new(BTreeSet::new());
        // With a right value for each, so that nothing is left unread.
        let read = Settings::read(|name| {
            asked.borrow_mut().insert(name.to_owned());
            Some(match name {
                "DATABASE_URL" => "postgresql://u:p@h.example/d".to_owned(),
                "HUB_ENCRYPTION_KEY" | "HUB_ENCRYPTION_KEY_FORMER" => "0".repeat(64),
                "LOOKUP_DELAYS_MS" => "99999".to_owned(),
                "SEAL_FORM" => "legacy".to_owned(),
                "PUBLIC_URL" => "https://psn.example".to_owned(),
                "LINKEDIN_VERSION" => "202610".to_owned(),
                "LINKEDIN_DUPLICATE_PROBE" => "off".to_owned(),
                "META_VERSION" => "v26.0".to_owned(),
                _ => "1000".to_owned(),
            })
        });
        assert!(read.is_ok(), "{:?}", read.err());
        let asked = asked.into_inner();
        assert!(asked.len() > 50, "{asked:?}");
        let unknown: Vec<&String> = asked.iter().filter(|name| !is_of_worker(name)).collect();
        assert!(
            unknown.is_empty(),
            "put into the table of `cli/config/names.rs`: {unknown:?}"
        );
        let mut seen = BTreeSet::new();
        assert!(all().all(|one| seen.insert(one.name)), "a name stands there twice");
        // What has to be there is exactly what the worker misses.
        let missing: Vec<&str> = Settings::read(|_| None)
            .unwrap_err()
            .iter()
            .map(|item| item.name)
            .collect();
        let required: Vec<&str> = all().filter(|one| one.required).map(|one| one.name).collect();
        assert_eq!(required, missing);
    }

    #[test]
    fn keys_of_others_stay_here() {
        for stays in [
            "NEON_API_KEY",
            "CLOUDFLARE_API_TOKEN",
            "CLOUDFLARE_ACCOUNT_ID",
            "TRIGGER_SECRET_KEY",
            "TRIGGER_PROJECT_REF",
        ] {
            assert_eq!(find(stays).unwrap().goes, Goes::Stays, "{stays}");
        }
        let sent = |name: &&Name| {
            name.name.ends_with("_SECRET") || name.name.ends_with("_TOKEN") || name.name.ends_with("_KEY")
        };
        assert!(
            all().filter(sent).all(|name| name.goes != Goes::Variable),
            "a secret is no variable"
        );
    }

    #[test]
    fn a_fresh_file_says_where_each_value_comes_from() {
        let text = keys_file();
        let read = parse_env(&text).unwrap();
        assert!(read.values().all(String::is_empty));
        assert!(read.contains_key("NEON_API_KEY") && read.contains_key("X_CLIENT_ID"));
        assert!(!read.contains_key("DATABASE_URL") && !read.contains_key("X_API_URL"));
        assert!(text.lines().all(|line| line.len() <= 180));
        assert!(
            text.contains("# its secret: the same page; a native app has none\nX_CLIENT_SECRET=\n"),
            "{text}"
        );
    }
}
