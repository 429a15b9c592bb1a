//! The OAuth client against the emulated platforms: consent, code, tokens, identity, renewal, revocation, and everything
//! that can be wrong with each. And the other side: assistants that are let in here.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failed test says where, and a skipped one why"
)]

#[path = "oauth/assistants/mod.rs"]
mod assistants;
#[path = "oauth/bench.rs"]
mod bench;
#[path = "connect/browser.rs"]
#[allow(
    dead_code,
    reason = "shared with the test of connecting, which opens addresses through it"
)]
mod chromium;
#[path = "api/described.rs"]
mod described;
#[path = "oauth/instagram.rs"]
mod instagram;
#[path = "oauth/linkedin.rs"]
mod linkedin;
mod support;
#[path = "oauth/tiktok.rs"]
mod tiktok;
#[path = "oauth/x.rs"]
mod x;
