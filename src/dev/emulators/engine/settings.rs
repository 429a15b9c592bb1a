//! The switches that every platform has.

use crate::dev::emulators::oauth;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// What the engine reads of a platform's switches.
pub trait Switches: Clone + Debug + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Says what is wrong with them.
    ///
    /// # Errors
    /// One sentence.
    fn check(&self) -> Result<(), String>;
    /// Shortest and longest time from arrival to answer, in ms.
    fn latency_ms(&self) -> [u64; 2];
    /// Whether a call whose client goes away in the latency before the effect takes effect all the same.
    fn effect_despite_disconnect(&self) -> bool;
    /// Those of OAuth.
    fn oauth(&self) -> &oauth::Settings;
}

/// Says what is wrong with a latency.
///
/// # Errors
/// One sentence.
pub(in crate::dev::emulators) fn check_latency([least, most]: [u64; 2]) -> Result<(), String> {
    if least > most {
        return Err(format!(
            "`latency_ms` is [{least}, {most}]: the first must not exceed the second"
        ));
    }
    Ok(())
}
