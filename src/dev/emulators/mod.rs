//! Servers that imitate platforms, written from the platforms' documents and never from our clients.

pub mod server;
pub mod x;
