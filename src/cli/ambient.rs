//! The system's clock, randomness and waiting.

use crate::domain::time::{Millis, Timestamp};
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::pause::{Pause, Surroundings};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The system's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

/// The system's randomness.
#[derive(Clone, Copy, Debug)]
pub struct SystemEntropy;

/// Waits on the system's timer.
#[derive(Clone, Copy, Debug)]
pub struct SystemPause;

/// All three.
pub type System = Surroundings<SystemClock, SystemEntropy, SystemPause>;

/// All three.
pub const SYSTEM: System = Surroundings {
    clock: SystemClock,
    entropy: SystemEntropy,
    pause: SystemPause,
};

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

impl Entropy for SystemEntropy {
    /// # Panics
    /// When the system has no random bytes to give: going on with others could repeat a key.
    fn fill(&self, buffer: &mut [u8]) {
        if let Err(error) = getrandom::fill(buffer) {
            panic!("the system gave no random bytes: {error}");
        }
    }
}

impl Pause for SystemPause {
    async fn pause(&self, length: Millis) {
        tokio::time::sleep(Duration::from_millis(u64::try_from(length.0).unwrap_or(0))).await;
    }
}

/// Random bytes as hex digits, two per byte.
#[must_use]
pub fn random_hex<const BYTES: usize>() -> String {
    let mut bytes = [0; BYTES];
    SystemEntropy.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
