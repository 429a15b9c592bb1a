//! The local stack (feature `dev`, native only): embedded PostgreSQL, servers that imitate others, supervision.

pub mod neon;
pub mod postgres;
