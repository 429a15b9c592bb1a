#![doc = include_str!("README.md")]

pub mod domain;
pub mod ports;

pub mod net;
pub mod platforms;
pub mod store;

pub mod tasks;

pub mod api;

#[cfg(not(target_arch = "wasm32"))]
pub mod cli;
#[cfg(all(feature = "dev", not(target_arch = "wasm32")))]
pub mod dev;
#[cfg(target_arch = "wasm32")]
pub mod worker;
