//! The services that carry messages to people.

pub mod channel;
pub mod links;
pub mod settings;
pub mod target;

pub use settings::Settings;
