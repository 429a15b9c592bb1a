//! What an assistant may say of itself, and where it may be led back to (OAuth 2.1, RFC 7636, RFC 8252), as pure rules.

use crate::domain::address::is_loopback;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use url::Url;

/// Longest address to lead back to.
const REDIRECT_LENGTH_MAX: usize = 512;
/// Most addresses that one client may name.
pub const REDIRECTS_MAX: usize = 10;
/// Longest name of a client that is shown.
const NAME_LENGTH_MAX: usize = 60;
/// The base64url form of a SHA-256.
const CHALLENGE_LENGTH: usize = 43;

/// An address that a browser may be led back to with a code: one of `https`, or of this very machine, without a fragment.
/// What is given out there, `PKCE` makes useless for whoever else reads it.
///
/// # Errors
/// What is wrong and what was expected, in one sentence.
pub fn redirect(text: &str) -> Result<Url, String> {
    const EXPECTED: &str =
        "expected one such as `https://assistant.example/callback` or `http://127.0.0.1:8976/callback`";
    if text.len() > REDIRECT_LENGTH_MAX {
        return Err(format!(
            "the redirect address is longer than {REDIRECT_LENGTH_MAX} characters: {EXPECTED}"
        ));
    }
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"\\\"<>`".contains(&byte));
    let url = Url::parse(text).ok().filter(|_| is_plain);
    let Some(url) = url else {
        return Err(format!("the redirect address cannot be read: {EXPECTED}"));
    };
    if text.contains('#') {
        return Err(format!("the redirect address has a fragment: {EXPECTED}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!(
            "the redirect address holds a user name or a password: {EXPECTED}"
        ));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        _ => Err(format!(
            "the redirect address is neither one of `https` nor one of this machine: {EXPECTED}"
        )),
    }
}

/// Whether an address is the one that was named before: letter by letter, but for the port on the browser's own machine,
/// which programs get from the system each time (RFC 8252, section 7.3).
#[must_use]
pub fn is_same_redirect(named: &str, given: &str) -> bool {
    if named == given {
        return true;
    }
    let (Ok(named), Ok(given)) = (redirect(named), redirect(given)) else {
        return false;
    };
    let place = |url: &Url| {
        (
            url.host_str().map(str::to_owned),
            url.path().to_owned(),
            url.query().map(str::to_owned),
        )
    };
    named.scheme() == "http" && given.scheme() == "http" && is_loopback(&named) && place(&named) == place(&given)
}

/// An address with parameters behind those it has.
#[must_use]
pub fn led_back(redirect: &str, parameters: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    let mark = match redirect.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    format!("{redirect}{mark}{query}")
}

/// A name as it may be shown: nothing that cannot be seen, nothing that turns the text around, and not too much of it.
/// `None` where nothing is left.
#[must_use]
pub fn shown_name(name: &str) -> Option<String> {
    let is_hidden = |character: char| {
        character.is_control()
            || matches!(character, '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}')
    };
    let is_shown = |character: &char| character.is_whitespace() || !is_hidden(*character);
    let plain: String = name.chars().filter(is_shown).collect();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if plain.chars().count() <= NAME_LENGTH_MAX {
        return Some(plain).filter(|plain| !plain.is_empty());
    }
    let cut: String = plain.chars().take(NAME_LENGTH_MAX - 1).collect();
    Some(format!("{}…", cut.trim_end()))
}

/// Whether a text has the form of an S256 challenge.
#[must_use]
pub fn is_challenge(text: &str) -> bool {
    text.len() == CHALLENGE_LENGTH && URL_SAFE_NO_PAD.decode(text).is_ok()
}

/// Whether a verifier is the one that a challenge was made of (RFC 7636, S256).
#[must_use]
pub fn proves(verifier: &str, challenge: &str) -> bool {
    let is_verifier = (43..=128).contains(&verifier.len())
        && verifier
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    is_verifier && URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())) == challenge
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_led_to_the_web_and_to_their_own_machine() {
        for good in [
            "https://claude.ai/api/mcp/auth_callback",
            "https://a.example/cb?x=1",
            "https://a.example:8443/",
            "http://127.0.0.1:8976/cb",
            "http://localhost/cb",
            "http://[::1]:1/",
        ] {
            assert!(redirect(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/cb",
            "http://a.example/cb",
            "http://127.0.0.1.a.example/cb",
            "http://localhost.a.example/cb",
            "https://a.example/cb#x",
            "https://u@a.example/",
            "https://u:p@a.example/",
            "javascript:alert(1)",
            "data:text/html,x",
            "cursor://x/cb",
            "https://a.example/ b",
            "https://a.example/\"x",
            "https://a.example\\@b.example/",
            "https://a.example/\n",
            "https://b\u{fc}cher.example/",
        ] {
            assert!(redirect(bad).is_err(), "{bad}");
        }
        assert!(redirect(&format!("https://a.example/{}", "a".repeat(600))).is_err());
    }

    #[test]
    fn only_the_port_of_ones_own_machine_may_differ() {
        let same = is_same_redirect;
        assert!(same("https://a.example/cb", "https://a.example/cb"));
        assert!(same("http://127.0.0.1/cb", "http://127.0.0.1:5000/cb"));
        assert!(same("http://localhost:1/cb?a=b", "http://localhost:2/cb?a=b"));
        assert!(same("http://[::1]/cb", "http://[::1]:2/cb"));
        for (named, given) in [
            ("https://a.example/cb", "https://a.example/cb/"),
            ("https://a.example/cb", "https://a.example/cb?x"),
            ("https://a.example/cb", "https://a.example:8443/cb"),
            ("https://a.example/cb", "https://A.example/cb"),
            ("https://a.example/cb", "https://a.example.b.example/cb"),
            ("https://a.example/cb", "https://a.example/x/../cb"),
            ("http://127.0.0.1/cb", "http://localhost/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.2/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:1/other"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:1/cb?a"),
            ("http://127.0.0.1/cb", "https://127.0.0.1:1/cb"),
            ("https://127.0.0.1:2/cb", "https://127.0.0.1:1/cb"),
            ("javascript:1", "javascript:2"),
        ] {
            assert!(!same(named, given), "{named} {given}");
        }
    }

    #[test]
    fn parameters_go_behind_those_there_are() {
        let with = |redirect: &str| led_back(redirect, &[("code", "a b"), ("state", "&=#ä")]);
        assert_eq!(
            with("https://a.example/cb"),
            "https://a.example/cb?code=a+b&state=%26%3D%23%C3%A4"
        );
        assert!(with("https://a.example/cb?x=1").starts_with("https://a.example/cb?x=1&code="));
        assert!(with("https://a.example/cb?").starts_with("https://a.example/cb?code="));
    }

    #[test]
    fn names_are_plain() {
        let shown = |name: &str| shown_name(name).unwrap_or_default();
        assert_eq!(shown(" Claude\n\u{202e}edualC\u{200b} "), "Claude edualC");
        assert_eq!(shown_name("\u{200b}\t"), None);
        assert_eq!(shown(&"a".repeat(61)).chars().count(), 60);
        assert_eq!(shown("日本 <b>"), "日本 <b>");
    }

    /// RFC 7636, appendix B.
    #[test]
    fn a_verifier_proves_its_challenge() {
        let (verifier, challenge) = (
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        );
        assert!(is_challenge(challenge) && proves(verifier, challenge));
        assert!(!proves(&verifier.replace('d', "e"), challenge));
        assert!(!proves(challenge, challenge) && !proves("", challenge) && !proves(&verifier[1..], challenge));
        assert!(!is_challenge("") && !is_challenge(&challenge[1..]) && !is_challenge(&challenge.replace('E', "+")));
    }
}
