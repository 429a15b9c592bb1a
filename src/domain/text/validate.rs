//! Whether a whole string is a user name, a list, a hashtag or a URL by X's rules.

use super::entity::{hashtags, mentions};

/// Whether `text` is `@name`.
pub fn is_username(text: &str) -> bool {
    matches!(&mentions(text)[..], [only] if only.span == (0..text.len()) && only.list_slug.is_empty())
}

/// Whether `text` is `@name/list`.
pub fn is_list(text: &str) -> bool {
    matches!(&mentions(text)[..], [only] if only.span == (0..text.len()) && !only.list_slug.is_empty())
}

/// Whether `text` is `#tag`.
pub fn is_hashtag(text: &str) -> bool {
    matches!(&hashtags(text)[..], [only] if only.span == (0..text.len()))
}

/// Whether `text` is a URL with the scheme http or https, or without a scheme unless `scheme_needed` (RFC 3986, host
/// names in Unicode too).
pub fn is_url(text: &str, scheme_needed: bool) -> bool {
    let rest = match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => rest,
        Some(_) => return false,
        None if scheme_needed => return false,
        None => text,
    };
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (user, host) = authority.split_once('@').unwrap_or(("", authority));
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (host, None),
    };
    let digits = |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    consists_of(path, "/:|@")
        && consists_of(query, "/?:|@")
        && consists_of(fragment, "/?:|@")
        && consists_of(user, ":")
        && port.is_none_or(digits)
        && is_host(host)
}

/// Unreserved characters, Cyrillic, percent-encoded bytes, sub-delimiters and `more`.
fn consists_of(text: &str, more: &str) -> bool {
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        let plain = letter.is_ascii_alphanumeric()
            || ('\u{400}'..='\u{4ff}').contains(&letter)
            || "-._~!$&'()*+,;=".contains(letter)
            || more.contains(letter);
        let mut hex = || rest.next().is_some_and(|digit| digit.is_ascii_hexdigit());
        let encoded = !plain && letter == '%' && hex() && hex();
        if !plain && !encoded {
            return false;
        }
    }
    true
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return !address.is_empty()
            && address
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte));
    }
    let labels: Vec<&str> = host.split('.').collect();
    let [subdomains @ .., domain, top] = &labels[..] else {
        return false;
    };
    if labels.len() == 4
        && labels
            .iter()
            .all(|label| label.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return labels.iter().all(|label| label.parse::<u8>().is_ok());
    }
    let letter = |letter: char| letter.is_ascii_alphanumeric() || !letter.is_ascii();
    let label = |text: &str, inner: &str| {
        text.starts_with(letter) && text.ends_with(letter) && text.chars().all(|one| letter(one) || inner.contains(one))
    };
    subdomains.iter().all(|text| label(text, "-_"))
        && label(domain, "-")
        && label(top, "-")
        && !top.starts_with(|first: char| first.is_ascii_digit())
}
