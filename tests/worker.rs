//! The Worker on the real runtime: killed in the middle of calls, told contradictory things by people, asked wrong ones,
//! with accounts that are connected and renewed, with media that are large, and woken by every cron string.
//! What came out is counted in the emulator's ledger.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::needless_pass_by_value,
    reason = "tests"
)]

#[path = "worker/accounts.rs"]
mod accounts;
#[path = "worker/assistant.rs"]
mod assistant;
#[path = "worker/crons.rs"]
mod crons;
#[path = "emulator_media/mod.rs"]
#[allow(dead_code, reason = "shared; each uses a part of it")]
mod emulator_media;
#[path = "media/files.rs"]
#[allow(dead_code, reason = "shared; each uses a part of it")]
mod files;
#[path = "support/heap.rs"]
mod heap;
#[path = "worker/kills.rs"]
mod kills;
#[path = "worker/media.rs"]
mod media;
#[path = "worker/mistakes.rs"]
mod mistakes;
#[path = "worker/people.rs"]
mod people;
#[path = "worker/site.rs"]
mod site;
#[path = "worker/video.rs"]
mod video;
