//! The local stack (feature `dev`, native only): embedded PostgreSQL, servers that imitate others, supervision.

pub mod bucket;
pub mod capnp;
pub mod emulators;
pub mod faults;
pub mod guard;
pub mod ledger;
pub mod neon;
pub mod postgres;
pub mod process;
pub mod runtime;
pub mod runtime_config;
pub mod scratch;
pub mod stack;
