//! The TikTok client: what it asks, and what it makes of every answer that TikTok documents.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod classify;
mod fake;
mod lookup;
mod requests;
mod rules;
mod upload;
