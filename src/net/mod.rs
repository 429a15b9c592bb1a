//! The network: one HTTP client for both targets, and when a request may be sent again.

pub mod reqwest;
pub mod retry;

pub use reqwest::Client;
