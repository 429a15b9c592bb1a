//! The publishing machine: pure and sans I/O.
//!
//! [`decide`] takes a state, an event and the circumstances and answers with facts to record and one effect to perform;
//! [`evolve`] folds facts into a state; [`check`] says whether a state keeps the invariants. State is only ever folded
//! from journal entries, so going on after a crash *is* the normal path: an open attempt that this instance does not wait
//! for is a doubt, and a doubt is looked up.
//!
//! Who owns what: the machine owns every rule about when a call may leave; the driver (`tasks::publish`) owns the order
//! "append, then act"; the journal owns the truth; the row in Neon is a copy.
//!
//! Invariants, kept by [`evolve`] and [`check`] and by the simulation:
//!
//! - **I1** no publishing call leaves before its intent is durable, with the same attempt id;
//! - **I2** at most one open attempt;
//! - **I3** after an ambiguous outcome the only effect for that step is a look-up, until it answers present or absent, and
//!   *absent* counts only after the settle time, unless a second call would be the same to the platform as the first;
//! - **I4** steps run in order, each after the one before is confirmed;
//! - **I5** a confirmed step is never called again;
//! - **I6** resting states absorb every event but a person's command;
//! - **I7** attempts per step are bounded;
//! - **I8** what cannot be known ends in needs review;
//! - **I9** progress only grows, and every row write is conditional on the run's fence;
//! - **I10** no call before `scheduled_at`, after a cancel, or with content whose hash differs from what was validated
//!   and approved (whether it needs approval, the claim decides).

pub mod approval;
pub mod command;
pub mod decide;
pub mod effect;
pub mod entry;
pub mod event;
pub mod evolve;
pub mod invariant;
pub mod news;
pub mod plan;
pub mod preparation;
pub mod state;
mod stored;
pub mod view;

#[cfg(test)]
mod tests;

pub use approval::{Approval, ApprovalStatus, ReviewVerdict};
pub use command::Refused;
pub use decide::decide;
pub use effect::{Decision, Effect, Hold};
pub use entry::{Entry, Fact, Rest, WaitReason};
pub use event::{Circumstances, ClaimAnswer, Command, Event, InsertAnswer, TokenState, Verdict};
pub use evolve::{IllegalEntry, evolve, replay};
pub use invariant::check;
pub use plan::{Edition, Plan, Policy, PolicyError};
pub use state::{Phase, Prepared, State, Step, StepStatus};
