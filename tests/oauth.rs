//! The OAuth client against the emulated platforms: consent, code, tokens, identity, renewal, revocation, and everything
//! that can be wrong with each.
#![allow(clippy::unwrap_used, reason = "a failed test says where")]

#[path = "oauth/bench.rs"]
mod bench;
#[path = "oauth/instagram.rs"]
mod instagram;
#[path = "oauth/linkedin.rs"]
mod linkedin;
#[path = "oauth/tiktok.rs"]
mod tiktok;
#[path = "oauth/x.rs"]
mod x;
