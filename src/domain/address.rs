//! Which addresses of users a Worker calls: those of the public web, by name, over TLS. Whatever else an address can say
//! is a way to somewhere that its giver cannot reach but the Worker might (OWASP: server-side request forgery).
//!
//! The address is read the way `fetch` itself reads it (WHATWG URL), and what was read is what is sent, so the two cannot
//! differ. What a name stands for is not looked up: the network that Workers fetch from leads to public addresses only.

use url::{Host, Url};

/// Longest address that is read.
const LENGTH_MAX: usize = 2_048;

/// Last labels of names that mean something else in each network (RFC 6761, RFC 6762, RFC 8375, ICANN's `internal`).
const PRIVATE_ENDS: [&str; 12] = [
    "localhost",
    "local",
    "localdomain",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "arpa",
    "test",
    "onion",
];

/// The address to call. With `loopback` this very machine is an address too, also without TLS. `example` is shown where
/// the address is none.
///
/// # Errors
/// What is wrong and what was expected, in one sentence.
pub fn checked(text: &str, loopback: bool, example: &str) -> Result<Url, String> {
    let expected = format!("expected one such as `{example}`");
    if text.len() > LENGTH_MAX {
        return Err(format!(
            "the address is longer than {LENGTH_MAX} characters: {expected}"
        ));
    }
    let mut url = Url::parse(text).map_err(|error| match error {
        // The tables for other letters are left out of the Worker (`idna_adapter`).
        url::ParseError::IdnaError => {
            format!("the address's host has letters beyond ASCII: give its `xn--` form; {expected}")
        }
        _ => format!("the address cannot be read: {expected}"),
    })?;
    url.set_fragment(None);
    if loopback && matches!(url.scheme(), "http" | "https") && is_loopback(&url) {
        return Ok(url);
    }
    if url.scheme() != "https" {
        return Err(format!("the address is not one of `https`: {expected}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("the address holds a user name or a password: {expected}"));
    }
    if url.port().is_some() {
        return Err(format!("the address names a port: {expected}"));
    }
    let Some(Host::Domain(name)) = url.host() else {
        return Err(format!(
            "the address names a machine by its number, and only names of the public web are called: {expected}"
        ));
    };
    let name = name.trim_end_matches('.');
    let is_public = name
        .rsplit_once('.')
        .is_some_and(|(_, end)| !PRIVATE_ENDS.contains(&end));
    if !is_public {
        return Err(format!(
            "the address names a machine that only its own network knows: {expected}"
        ));
    }
    Ok(url)
}

/// Whether an address is one of this very machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn checked(text: &str, loopback: bool) -> Result<Url, String> {
        super::checked(text, loopback, "https://example.com/clip.mp4")
    }

    #[test]
    fn the_public_web_is_called() {
        for (text, read) in [
            (
                "https://example.com/clip.mp4?a=b#t=3",
                "https://example.com/clip.mp4?a=b",
            ),
            ("https://example.com:443/", "https://example.com/"),
            ("HTTPS://EXAMPLE.COM/a b", "https://example.com/a%20b"),
            ("https://xn--bcher-kva.example/x", "https://xn--bcher-kva.example/x"),
            ("https://localhost.example.com/", "https://localhost.example.com/"),
        ] {
            assert_eq!(checked(text, false).unwrap().as_str(), read);
        }
    }

    #[test]
    fn nothing_else_is() {
        let refused = [
            "",
            "clip.mp4",
            "/clip.mp4",
            "//example.com/",
            "http://example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "data:image/png;base64,AA",
            "https://",
            "https://bücher.example/x",
            "https://u@example.com/",
            "https://u:p@example.com/",
            "https://example.com:80/",
            "https://example.com:8443/",
            // This machine and this network, by name.
            "https://localhost/",
            "https://LOCALHOST/",
            "https://localhost./",
            "https://a.localhost/",
            "https://printer/",
            "https://printer./",
            "https://nas.local/",
            "https://nas.local./",
            "https://metadata.google.internal/",
            "https://db.internal/",
            "https://router.home.arpa/",
            // By number, in every spelling.
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0177.0.0.1/",
            "https://0x7f.0.0.1/",
            "https://0x7f000001/",
            "https://127.0.0.1./",
            "https://0/",
            "https://0.0.0.0/",
            "https://10.0.0.1/",
            "https://172.16.0.1/",
            "https://192.168.1.1/",
            "https://169.254.169.254/",
            "https://2852039166/",
            "https://0xa9fea9fe/",
            "https://100.64.0.1/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://192.0.2.1/",
            "https://8.8.8.8/",
            "https://[::1]/",
            "https://[::]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://[fe80::1]/",
            "https://[fc00::1]/",
            "https://[fd00:ec2::254]/",
            "https://[ff02::1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2001:4860:4860::8888]/",
            // The same through what is made plain before it is read.
            "https://%31%32%37.0.0.1/",
            "https://１２７.0.0.1/",
            "https://127。0。0。1/",
            "https://ⓛocalhost/",
            "https:\\\\127.0.0.1\\",
            "https:127.0.0.1",
            "ht\ttps://127.0.0.1/",
            "https://example.com@127.0.0.1/",
            "https://127.0.0.1#@example.com/",
            "https://127.0.0.1?@example.com/",
            "https://127.0.0.1\\@example.com/",
        ];
        for text in refused {
            assert!(checked(text, false).is_err(), "{text}");
        }
        assert!(checked(&format!("https://example.com/{}", "a".repeat(LENGTH_MAX)), false).is_err());
    }

    #[test]
    fn this_machine_is_where_that_is_set() {
        for text in ["http://127.0.0.1:8080/a", "http://[::1]:8080/a", "https://localhost/a"] {
            assert!(checked(text, true).is_ok(), "{text}");
        }
        for text in [
            "http://10.0.0.1/",
            "http://example.com/",
            "https://169.254.169.254/",
            "ftp://127.0.0.1/",
        ] {
            assert!(checked(text, true).is_err(), "{text}");
        }
    }
}
