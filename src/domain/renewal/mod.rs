//! The renewal of one account's tokens: pure and sans I/O, like [`crate::domain::publish`].
//!
//! [`decide`] takes a state, what was asked and what is known and answers with facts and one effect; [`evolve`] folds
//! facts into the state, which the driver (`tasks::account`) makes durable before it acts. A call that this instance does
//! not wait for is lost, and the state says what follows: that is all there is to recovery.
//!
//! Kept by [`evolve`] and by the simulation in `tests/renewal`:
//!
//! - **R1** no token is presented before that is durable, and none by two at once: what another instance may still wait
//!   for is given the time to end ([`SETTLE_MS`]);
//! - **R2** a pair is durable here before anybody uses it, and stays here until the row has it or a newer one;
//! - **R3** a token whose successor is known is never presented again; one whose answer was lost is (platform-apis 5.2);
//! - **R4** only the platform's own word that the grant is dead, with the row still holding that token, asks a person;
//! - **R5** what another writer put into the row wins over what was known of the row's former tokens.

pub mod decide;
pub mod schedule;
pub mod state;

#[cfg(test)]
mod tests;

pub use decide::{Answer, Ask, Circumstances, Decision, Effect, Event, Reply, SETTLE_MS, StoreAnswer, decide};
pub use schedule::{Row, is_alive, renew_at};
pub use state::{Entry, Grant, Pair, Phase, Print, Sealed, State, evolve};
