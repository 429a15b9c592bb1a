//! The promises that take a longer time or a wider look to show: a week of everything at once and what it costs, every
//! row that the legacy program can leave behind, every state that a post can be stuck in, and what one user can reach of
//! another's.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "promises/adopted.rs"]
mod adopted;
#[path = "promises/bed.rs"]
mod bed;
#[path = "platform_contract/bench.rs"]
#[allow(dead_code, reason = "another test uses the rest of it")]
mod bench;
#[path = "planning/bench.rs"]
#[allow(dead_code, reason = "as above")]
mod client;
#[path = "api/described.rs"]
#[allow(dead_code, reason = "as above")]
mod described;
#[path = "platform_contract/emulated.rs"]
#[allow(dead_code, reason = "as above")]
mod emulated;
#[path = "emulator_media/mod.rs"]
#[allow(dead_code, reason = "as above")]
mod emulator_media;
#[path = "platform_contract/native.rs"]
mod native;
#[path = "promises/others.rs"]
mod others;
#[path = "platform_contract/place.rs"]
#[allow(dead_code, reason = "as above")]
mod place;
#[path = "support/receiver.rs"]
#[allow(dead_code, reason = "as above")]
mod receiver;
#[path = "platform_contract/samples.rs"]
mod samples;
#[path = "promises/stuck.rs"]
mod stuck;
#[path = "platform_contract/subject.rs"]
#[allow(dead_code, reason = "as above")]
mod subject;
#[path = "platform_contract/subjects/mod.rs"]
mod subjects;
mod support;
#[path = "promises/week/mod.rs"]
mod week;

use psn::domain::time::Millis;

const MINUTE: Millis = Millis(60_000);
const HOUR: Millis = Millis(60 * MINUTE.0);
const DAY: Millis = Millis(24 * HOUR.0);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_week_ends_right_and_costs_little() {
    week::play().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_the_legacy_program_end_right() {
    adopted::every_row_ends_right().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stuck_comes_to_rest() {
    stuck::posts_of_psn_go_on().await;
    stuck::rows_of_others_go_on().await;
    stuck::what_is_alive_is_left_alone().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_reaches_what_is_anothers() {
    others::nothing_of_anothers_is_reached().await;
}
