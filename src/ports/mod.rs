//! What the core needs from outside, as traits with really two implementations each.

pub mod clock;
pub mod entropy;
pub mod http;
pub mod journal;
pub mod json;
pub mod media;
pub mod objects;
pub mod pause;
pub mod pauses;
pub mod readings;
pub mod table;
pub mod waker;
pub mod zone;

#[cfg(not(target_arch = "wasm32"))]
pub mod memory;
