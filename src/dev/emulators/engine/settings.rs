//! The switches that every platform has.

use crate::dev::emulators::oauth;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
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

/// The switches of a platform that has none of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlainSettings {
    /// Shortest and longest time from arrival to answer, in ms. The effect is at a drawn point within it.
    pub latency_ms: [u64; 2],
    /// Whether a call whose client goes away *during the latency before the effect* takes effect all the same.
    pub effect_despite_disconnect: bool,
    /// Lives of codes and tokens, and how they are renewed.
    pub oauth: oauth::Settings,
}

impl Default for PlainSettings {
    fn default() -> Self {
        Self {
            latency_ms: [0, 0],
            effect_despite_disconnect: true,
            oauth: oauth::Settings::default(),
        }
    }
}

impl Switches for PlainSettings {
    fn check(&self) -> Result<(), String> {
        check_latency(self.latency_ms)?;
        self.oauth.check()
    }

    fn latency_ms(&self) -> [u64; 2] {
        self.latency_ms
    }

    fn effect_despite_disconnect(&self) -> bool {
        self.effect_despite_disconnect
    }

    fn oauth(&self) -> &oauth::Settings {
        &self.oauth
    }
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
