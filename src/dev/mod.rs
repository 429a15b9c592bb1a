//! dev

pub mod emulators;
pub mod faults;
pub mod ledger;
