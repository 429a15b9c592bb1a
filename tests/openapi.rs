//! The API as a whole, on a real Postgres: who may ask what, how often, what is noted of it, and that every route keeps to
//! its description, told by programs that know nothing else of psn.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[path = "planning/bench.rs"]
mod bench;
#[path = "api/described.rs"]
mod described;
#[path = "openapi/outside.rs"]
mod outside;
mod support;
#[path = "openapi/tokens.rs"]
mod tokens;
#[path = "openapi/versions.rs"]
mod versions;
