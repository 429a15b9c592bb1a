//! Opening the user's browser, without a shell in between.

use crate::cli::config::Variables;
use std::process::Stdio;
use tokio::process::Command;

/// The program that opens an address with whatever the user prefers.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// What a browser has no use for.
const SECRETS: [&str; 9] = [
    "DATABASE_URL",
    "HUB_ENCRYPTION_KEY",
    "HUB_ENCRYPTION_KEY_FORMER",
    "INSTAGRAM_APP_SECRET",
    "LINKEDIN_CLIENT_SECRET",
    "NEON_SQL_URL",
    "PSN_API_TOKEN",
    "TIKTOK_CLIENT_SECRET",
    "X_CLIENT_SECRET",
];

/// Why no browser is opened here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoBrowser {
    /// The terminal is on another machine than the person.
    Remote,
    /// There is no screen.
    Headless,
}

/// Whether this session has a browser that the person can see.
#[must_use]
pub fn absent(environment: &Variables) -> Option<NoBrowser> {
    let is_set = |name: &str| environment.get(name).is_some_and(|value| !value.is_empty());
    if ["SSH_CLIENT", "SSH_TTY", "SSH_CONNECTION"].into_iter().any(is_set) {
        return Some(NoBrowser::Remote);
    }
    let has_screen = cfg!(target_os = "macos") || ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(is_set);
    (!has_screen).then_some(NoBrowser::Headless)
}

/// Opens an address; `false` when the system has no program for that.
#[must_use]
pub fn open(url: &str) -> bool {
    let mut command = Command::new(OPENER);
    command.arg(url);
    // It may live as long as the browser does, and is none of our terminal's business.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    SECRETS.iter().for_each(|name| {
        command.env_remove(name);
    });
    command.spawn().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_without_a_screen_is_known() {
        let with = |names: &[&str]| {
            let pairs = names.iter().map(|name| ((*name).to_owned(), "1".to_owned()));
            absent(&pairs.collect())
        };
        assert_eq!(with(&["DISPLAY", "SSH_TTY"]), Some(NoBrowser::Remote));
        assert_eq!(with(&["WAYLAND_DISPLAY"]), None);
        if !cfg!(target_os = "macos") {
            assert_eq!(with(&[]), Some(NoBrowser::Headless));
        }
    }
}
