//! The services that carry messages to people.

pub mod channel;
pub mod links;
pub mod settings;
pub mod target;
pub mod waha;

pub use settings::Settings;
