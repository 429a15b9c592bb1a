//! What a user, an operator and another program can meet, from outside: ledger, view, row, history, number of calls.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

#[path = "scenarios/approval.rs"]
mod approval;
#[path = "scenarios/common.rs"]
mod common;
#[path = "scenarios/pauses.rs"]
mod pauses;
#[path = "scenarios/people.rs"]
mod people;
#[path = "scenarios/refusals.rs"]
mod refusals;
#[path = "scenarios/rows.rs"]
mod rows;
#[path = "scenarios/similar.rs"]
mod similar;
#[path = "scenarios/tokens.rs"]
mod tokens;
#[path = "scenarios/upkeep.rs"]
mod upkeep;
