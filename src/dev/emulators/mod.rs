//! Servers that imitate platforms, written from the platforms' documents and never from our clients.
//!
//! `engine` is what they share: the life of a call, the state file, the control routes. `oauth` is the consent of people
//! and the life of tokens. `cloudflare` and `neon_console` imitate what deploying talks to. The rest is one folder per platform.

pub mod cloudflare;
pub mod engine;
pub mod instagram;
pub mod linkedin;
pub mod neon_console;
pub mod oauth;
pub mod server;
pub mod tiktok;
pub mod x;
