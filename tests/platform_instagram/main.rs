//! The Instagram client over prepared answers: every row of the platform's tables of errors.
#![allow(clippy::unwrap_used, reason = "a failed test says where")]

mod fake;
mod lookup;
mod metrics;
mod plan;
mod prepare;
mod publish;
