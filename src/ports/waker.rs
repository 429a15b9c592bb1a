//! The one timer of an object.

use crate::domain::time::Timestamp;
use std::future::Future;

/// Sets the object's alarm. At least once, possibly late; it carries no meaning: the handler decides from state.
pub trait Waker: Send + Sync {
    /// Wakes the object at that time (at once if it is past), replacing any earlier setting; `None` removes it.
    ///
    /// # Errors
    /// In words, when the storage fails.
    fn set_alarm(&self, at: Option<Timestamp>) -> impl Future<Output = Result<(), String>> + Send;
}
