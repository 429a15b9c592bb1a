//! Time zones: the runtime's own tables on Workers, where a database of them would cost size, and a package natively.

use crate::domain::zone::Zone;

/// Knows the clocks of places.
pub trait Zones: Send + Sync {
    /// The zone of that IANA name, in whatever case it is written; `None` where there is none. An offset is no name
    /// ([`Zone::may_be_name`]).
    fn find(&self, name: &str) -> Option<Zone>;
}
