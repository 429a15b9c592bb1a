//! The LinkedIn client, call by call: what it sends, and what it makes of every answer.
#![allow(clippy::unwrap_used, reason = "tests")]

mod calls;
mod classify;
mod fake;
mod lookup;
mod media;
mod metrics;
mod planning;
