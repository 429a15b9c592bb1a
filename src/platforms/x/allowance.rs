//! What the operator says about X accounts: who pays for more, how long videos may be, and what may be spent.

use super::media::{SEGMENT_BYTES, SEGMENTS_MAX};
use super::rules::Rules;
use crate::domain::account::Account;
use crate::domain::id::AccountId;
use crate::domain::time::Millis;

/// What the operator says, by name of the variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// `X_PREMIUM_ACCOUNTS`: which accounts may publish long posts.
    pub premium: Premium,
    /// `X_VIDEO_SECONDS_MAX` and `X_VIDEO_BYTES_MAX`, with what a standard account may for what is left out.
    pub rules: Rules,
    /// `X_BUDGET_USD_MONTH`: what may be spent in a month (UTC), in millionths of a US dollar; `None` for no end.
    pub budget_micro_usd: Option<u64>,
}

/// Which accounts pay for more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Premium {
    /// None.
    #[default]
    Nobody,
    /// All.
    Everybody,
    /// Those with one of these ids or user names, in lower case.
    Named(Vec<String>),
}

impl Premium {
    fn parse(text: &str) -> Self {
        let name = |name: &str| name.trim().trim_start_matches('@').to_lowercase();
        let names: Vec<String> = text.split(',').map(name).filter(|name| !name.is_empty()).collect();
        match names.as_slice() {
            [] => Self::Nobody,
            [all] if all == "all" => Self::Everybody,
            _ => Self::Named(names),
        }
    }

    /// Whether it holds for the account of that id; `None` when that takes the account's user name.
    #[must_use]
    pub fn holds_for_id(&self, id: Option<&AccountId>) -> Option<bool> {
        match self {
            Self::Nobody => Some(false),
            Self::Everybody => Some(true),
            Self::Named(names) => id
                .is_some_and(|id| names.contains(&id.0.to_lowercase()))
                .then_some(true),
        }
    }

    /// Whether it holds for that account.
    #[must_use]
    pub fn holds_for(&self, account: &Account) -> bool {
        let names_it = |name: &str| match self {
            Self::Named(names) => names.contains(&name.to_lowercase()),
            Self::Nobody | Self::Everybody => false,
        };
        self.holds_for_id(Some(&account.id)) == Some(true) || account.username.as_deref().is_some_and(names_it)
    }
}

impl Allowance {
    /// Reads the variables. What is wrong is handed to `refuse`, with the variable's name and what to do.
    pub fn read(get: impl Fn(&str) -> Option<String>, mut refuse: impl FnMut(&'static str, String)) -> Self {
        let mut allowance = Self {
            premium: get("X_PREMIUM_ACCOUNTS")
                .map(|text| Premium::parse(&text))
                .unwrap_or_default(),
            ..Self::default()
        };
        let mut number = |name: &'static str, most: u64, target: &mut u64, unit: &str| {
            let Some(text) = get(name) else { return };
            match text.parse() {
                Ok(number) if (1..=most).contains(&number) => *target = number,
                _ => refuse(name, format!("it is not a number of {unit}: expected 1 to {most}")),
            }
        };
        let rules = &mut allowance.rules;
        let mut secs = rules.video_ms_max.0.unsigned_abs() / 1_000;
        // The longest that any of X's pages speaks of: 125 minutes.
        number("X_VIDEO_SECONDS_MAX", 125 * 60, &mut secs, "seconds");
        rules.video_ms_max = Millis::from_secs(i64::try_from(secs).unwrap_or(0));
        let most = SEGMENT_BYTES * SEGMENTS_MAX;
        number("X_VIDEO_BYTES_MAX", most, &mut rules.video_bytes_max, "bytes");
        if let Some(text) = get("X_BUDGET_USD_MONTH") {
            allowance.budget_micro_usd = micro_usd(&text);
            if allowance.budget_micro_usd.is_none() {
                let hint = "it is not an amount of US dollars: expected a number such as `20` or `7.50`";
                refuse("X_BUDGET_USD_MONTH", hint.to_owned());
            }
        }
        allowance
    }

    /// What an account may do.
    #[must_use]
    pub const fn rules(&self, long_posts: bool) -> Rules {
        Rules {
            long_posts,
            ..self.rules
        }
    }
}

/// An amount such as `7.50` in millionths; more than six digits behind the point are too many.
fn micro_usd(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(part) || part.len() > 6 {
        return None;
    }
    let micro: u64 = format!("{part:0<6}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(micro)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::platform::Platform;

    fn read(vars: &[(&str, &str)]) -> (Allowance, Vec<&'static str>) {
        let get = |name: &str| {
            vars.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, text)| (*text).to_owned())
        };
        let mut wrong = Vec::new();
        let allowance = Allowance::read(get, |name, _| wrong.push(name));
        (allowance, wrong)
    }

    #[test]
    fn what_is_left_out_is_what_a_standard_account_may() {
        assert_eq!(read(&[]), (Allowance::default(), vec![]));
        assert_eq!(Allowance::default().rules(false), Rules::default());
        let (allowance, wrong) = read(&[
            ("X_VIDEO_SECONDS_MAX", "600"),
            ("X_VIDEO_BYTES_MAX", "1000000000"),
            ("X_BUDGET_USD_MONTH", "7.5"),
        ]);
        assert_eq!(wrong, [] as [&str; 0]);
        let expected = Rules {
            long_posts: true,
            video_ms_max: Millis(600_000),
            video_bytes_max: 1_000_000_000,
        };
        assert_eq!(allowance.rules(true), expected);
        assert_eq!(allowance.budget_micro_usd, Some(7_500_000));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (name, text) in [
            ("X_VIDEO_SECONDS_MAX", "0"),
            ("X_VIDEO_SECONDS_MAX", "7501"),
            ("X_VIDEO_BYTES_MAX", "4194304001"),
            ("X_VIDEO_BYTES_MAX", "1e9"),
            ("X_BUDGET_USD_MONTH", "-1"),
            ("X_BUDGET_USD_MONTH", "1,5"),
            ("X_BUDGET_USD_MONTH", "1.0000001"),
            ("X_BUDGET_USD_MONTH", ".5"),
            ("X_BUDGET_USD_MONTH", "99999999999999999999"),
        ] {
            assert_eq!(read(&[(name, text)]).1, [name], "{text}");
        }
        for (text, micro) in [("0", 0), ("20", 20_000_000), ("0.015", 15_000), ("3.", 3_000_000)] {
            assert_eq!(micro_usd(text), Some(micro), "{text}");
        }
    }

    #[test]
    fn an_account_is_flagged_by_its_id_or_its_name() {
        let account = Account {
            id: AccountId::from("0aF1"),
            platform: Platform::X,
            remote_user_id: None,
            username: Some("Ada".to_owned()),
        };
        for (text, by_id, by_name) in [
            ("", Some(false), false),
            ("all", Some(true), true),
            ("0AF1", Some(true), true),
            (" @ada , bob", None, true),
            ("bob", None, false),
        ] {
            let premium = Premium::parse(text);
            assert_eq!(premium.holds_for_id(Some(&account.id)), by_id, "{text}");
            assert_eq!(premium.holds_for(&account), by_name, "{text}");
        }
        assert_eq!(Premium::parse("0af1").holds_for_id(None), None);
    }
}
