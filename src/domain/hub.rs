//! Hubs: what they and their people may be called, and what an invite looks like.

use crate::domain::id::{HubId, PostId, UserId};

/// The longest slug: it becomes part of the name of a Worker, which is a label of a domain.
pub const SLUG_MAX: usize = 40;
/// The longest name of a user.
pub const USER_MAX: usize = 40;

/// The path of an invite; its code follows behind `#`, which browsers and previews of links send to nobody.
pub const JOIN_PATH: &str = "/join";

/// Characters of an invite's code: hexadecimal digits, as those of the legacy program.
const CODE_LENGTH: usize = 32;

/// What a slug has to look like, in words.
pub const SLUG_EXPECTED: &str =
    "expected 1 to 40 letters from a to z, digits and `-`, with a letter or digit at either end, such as `my-team`";

/// What the name of a user has to look like, in words.
pub const USER_EXPECTED: &str =
    "expected 2 to 40 letters from a to z, digits, `.`, `_` and `-`, with a letter in front, such as `ada`";

/// Whether a text is a slug. It becomes part of file names and of a Worker's name, so it must not lead elsewhere.
#[must_use]
pub fn is_slug(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    (1..=SLUG_MAX).contains(&bytes.len())
        && bytes.iter().all(|byte| is_plain(*byte) || *byte == b'-')
        && [bytes.first(), bytes.last()]
            .into_iter()
            .flatten()
            .all(|byte| is_plain(*byte))
}

/// Whether somebody may choose that name. Names that mean something else here are nobody's: rows of hubs are kept under the
/// hub's id, and `default` is the one user of a database that the legacy program made.
#[must_use]
pub fn is_user_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let allowed = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(byte);
    (2..=USER_MAX).contains(&bytes.len())
        && bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.iter().all(allowed)
        && !text.starts_with("hub_")
        && !matches!(text, "default" | "psn" | "psn_task" | "hub_user")
}

/// The id of a hub, in the legacy program's form: `hub_` and the first twelve characters of a UUID. (The legacy program's
/// generator of other names spoilt a third of them; this one has 44 random bits and an alphabet that it does not leave.)
#[must_use]
pub fn hub_id(random: [u8; 16]) -> HubId {
    let uuid = PostId::from_random(random).0;
    HubId(format!("hub_{}", uuid.get(..12).unwrap_or_default()))
}

/// The code of an invite, of 16 random bytes.
#[must_use]
pub fn invite_code(random: [u8; 16]) -> String {
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a text may be the code of an invite.
#[must_use]
pub fn is_invite_code(text: &str) -> bool {
    text.len() == CODE_LENGTH && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// An invite as one text: where to go, and the code. Nothing else is in it, and nothing else is ever read from one.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The Worker's origin.
    pub origin: String,
    /// The code, good for one person.
    pub code: String,
}

impl std::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Invitation({}, …)", self.origin)
    }
}

/// Why a text is no invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoInvitation {
    /// It has another form.
    #[error("this is no invite: expected one such as `https://psn.example.workers.dev/join#0123…`, copied whole")]
    Form,
    /// The code would travel in the clear.
    #[error("this invite leads to an address without https: ask for one of a Worker that has it")]
    Clear,
}

impl Invitation {
    /// The text to hand over.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}{JOIN_PATH}#{}", self.origin.trim_end_matches('/'), self.code)
    }

    /// Reads an invite. Only https counts, but for a Worker on this machine.
    ///
    /// # Errors
    /// [`NoInvitation`].
    pub fn parse(text: &str) -> Result<Self, NoInvitation> {
        let (address, code) = text.trim().split_once('#').ok_or(NoInvitation::Form)?;
        let origin = address.strip_suffix(JOIN_PATH).ok_or(NoInvitation::Form)?;
        let (scheme, host) = origin.split_once("://").ok_or(NoInvitation::Form)?;
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        if !is_invite_code(code) || host.is_empty() || !host.bytes().all(is_host) {
            return Err(NoInvitation::Form);
        }
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let is_here = matches!(name, "127.0.0.1" | "localhost" | "[::1]");
        match scheme {
            "https" => {}
            "http" if is_here => {}
            "http" => return Err(NoInvitation::Clear),
            _ => return Err(NoInvitation::Form),
        }
        Ok(Self {
            origin: origin.to_owned(),
            code: code.to_owned(),
        })
    }
}

/// Whether a user is the one that the operator acts as, or one of the names that are nobody's to take.
#[must_use]
pub fn is_reserved(name: &str, operator: &UserId) -> bool {
    name == operator.as_str() || !is_user_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F-36: a slug never leads out of its folder.
    #[test]
    fn slugs_are_plain_names() {
        for good in ["a", "my-team", "team2", "0"] {
            assert!(is_slug(good), "{good}");
        }
        let long = "a".repeat(SLUG_MAX + 1);
        for bad in [
            "", "../x", "a/b", "a.b", "A", "-a", "a-", "a b", "ä", "a_b", "a\0", ".", &long,
        ] {
            assert!(!is_slug(bad), "{bad}");
        }
    }

    /// F-30: nobody is everybody. `default` and the ids of hubs are not to be had.
    #[test]
    fn names_that_mean_something_else_are_nobodys() {
        for good in ["ada", "ada.l", "bob-2", "a_b"] {
            assert!(is_user_name(good), "{good}");
        }
        for bad in [
            "", "a", "default", "psn", "hub_1234", "Ada", "1a", "a b", "a'b", "-ab", "ada/", "é1",
        ] {
            assert!(!is_user_name(bad), "{bad}");
        }
        assert!(is_reserved("ada", &UserId::from("ada")) && !is_reserved("bob", &UserId::from("ada")));
    }

    /// F-66: the legacy program's ids contained the word `undefined` in a third of all cases.
    #[test]
    fn ids_and_codes_keep_to_their_alphabet() {
        let mut seed = 1_u64;
        for _ in 0..2_000 {
            let random = std::array::from_fn(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                seed.to_be_bytes()[0]
            });
            let id = hub_id(random).0;
            let rest = id.strip_prefix("hub_").unwrap_or_default();
            assert!(rest.len() == 12 && rest.as_bytes()[8] == b'-', "{id}");
            assert!(
                rest.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'),
                "{id}"
            );
            assert!(is_invite_code(&invite_code(random)));
        }
    }

    /// F-34, F-36: an invite names a Worker and a code, and nothing that opens a database.
    #[test]
    fn an_invite_is_an_address_and_a_code() {
        let code = "0123456789abcdef0123456789abcdef";
        let invite = Invitation {
            origin: "https://psn.example.workers.dev".to_owned(),
            code: code.to_owned(),
        };
        assert_eq!(Invitation::parse(&format!(" {}\n", invite.text())), Ok(invite));
        let here = Invitation::parse(&format!("http://127.0.0.1:8787/join#{code}"));
        assert_eq!(here.map(|invite| invite.origin), Ok("http://127.0.0.1:8787".to_owned()));
        for (text, why) in [
            (format!("http://psn.example/join#{code}"), NoInvitation::Clear),
            (
                format!("http://127.0.0.1.evil.example/join#{code}"),
                NoInvitation::Clear,
            ),
            (format!("https://me@psn.example/join#{code}"), NoInvitation::Form),
            (format!("https://psn.example/x/join#{code}"), NoInvitation::Form),
            (format!("ftp://psn.example/join#{code}"), NoInvitation::Form),
            (format!("https://psn.example/join#{}", &code[1..]), NoInvitation::Form),
            ("https://psn.example/join".to_owned(), NoInvitation::Form),
            ("eyJjb2RlIjoi".to_owned(), NoInvitation::Form),
        ] {
            assert_eq!(Invitation::parse(&text), Err(why), "{text}");
        }
    }
}
