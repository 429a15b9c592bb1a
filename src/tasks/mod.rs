//! What runs by itself: the driver of the publishing machine, the index over the posts, and the cron tasks.

pub mod accounts;
pub mod consent;
pub mod index;
pub mod journal;
pub mod publish;
pub mod settings;
pub mod watchdog;
