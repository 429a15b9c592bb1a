//! What a browser brings back from a platform: the query of the redirect.

use crate::domain::platform::Platform;
use crate::domain::secret::Secret;
use percent_encoding::percent_decode_str;

/// A query longer than this is nobody's answer: LinkedIn's codes, the longest, have about 500 characters.
pub const QUERY_BYTES_MAX: usize = 8 * 1024;

/// A platform's own words are cut to this many characters.
const DETAIL_CHARS_MAX: usize = 200;

/// A redirect, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// Tells which question it answers; whatever carries another one than was asked with must not be used.
    pub state: Option<String>,
    /// The answer.
    pub answer: Consented,
}

/// What became of the question for consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consented {
    /// The person consented: here is the code to exchange.
    Code(Secret),
    /// They did not, or the platform refused.
    Refused {
        /// The platform's word for it (`access_denied`, …).
        error: String,
        /// Its explanation, or nothing.
        description: String,
    },
    /// The redirect says neither.
    Neither,
}

/// Reads the query of a redirect; `None` for one that is too long, or names a parameter twice: RFC 6749 (3.1) forbids it,
/// and two readers could take different ones.
#[must_use]
pub fn read(query: &str) -> Option<Redirect> {
    if query.len() > QUERY_BYTES_MAX {
        return None;
    }
    let [mut state, mut code, mut error, mut description] = [const { None }; 4];
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let target = match name {
            "state" => &mut state,
            "code" => &mut code,
            "error" => &mut error,
            "error_description" => &mut description,
            _ => continue,
        };
        let value = value.replace('+', " ");
        let value = percent_decode_str(&value).decode_utf8().ok()?.into_owned();
        if target.replace(value).is_some() {
            return None;
        }
    }
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    let answer = match (filled(error), filled(code)) {
        (Some(error), _) => Consented::Refused {
            error,
            description: description.unwrap_or_default(),
        },
        (None, Some(code)) => Consented::Code(bare_code(&code)),
        (None, None) => Consented::Neither,
    };
    Some(Redirect {
        state: filled(state),
        answer,
    })
}

/// A code as a person may paste it: Instagram ends its redirects with `#_`, which is no part of it.
#[must_use]
pub fn bare_code(text: &str) -> Secret {
    let text = text.trim();
    Secret::new(text.strip_suffix("#_").unwrap_or(text))
}

/// A refusal in words.
#[must_use]
pub fn refusal(platform: Platform, error: &str, description: &str) -> String {
    let title = platform.title();
    match error {
        "access_denied" | "user_cancelled_login" | "user_cancelled_authorize" => {
            format!("consent was refused at {title}: nothing was connected")
        }
        _ => {
            let words: String = format!("{error} {description}")
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .take(DETAIL_CHARS_MAX)
                .collect();
            let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
            format!("{title} did not ask for consent; it says: {words}")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn redirects_as_platforms_and_others_send_them() {
        let granted = read("code=a%2Fb%2Bc&state=s").unwrap();
        assert_eq!(granted.state.as_deref(), Some("s"));
        assert_eq!(granted.answer, Consented::Code(Secret::new("a/b+c")));
        // TikTok adds its own parameters, Instagram a fragment that a browser may have kept.
        let more = read("code=c%23_&scopes=a,b&state=s").unwrap();
        assert_eq!(more.answer, Consented::Code(Secret::new("c")));
        let refused = read("error=access_denied&error_description=The+user+refused&state=s&code=").unwrap();
        let expected = Consented::Refused {
            error: "access_denied".to_owned(),
            description: "The user refused".to_owned(),
        };
        assert_eq!(refused.answer, expected);
        assert_eq!(read("state=s").unwrap().answer, Consented::Neither);
        assert_eq!(read("code=c&state=").unwrap().state, None);
        for bad in [
            "code=a&code=b&state=s",
            "state=a&state=b",
            "code=%ff",
            &format!("code={}", "a".repeat(9_000)),
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_refusal_cannot_drive_the_terminal() {
        let words = refusal(Platform::X, "server_error", "\x1b[2Jtry\nagain");
        assert_eq!(words, "X did not ask for consent; it says: server_error [2Jtry again");
    }
}
