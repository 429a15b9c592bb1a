//! The X client, call by call: what it sends, against X's own description, and what it makes of every answer.
#![allow(clippy::unwrap_used, reason = "tests")]

mod calls;
mod classify;
mod fake;
mod lookup;
mod media;
mod metrics;
mod requests;
mod rules;
mod spec;
