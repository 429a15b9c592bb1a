//! What runs by itself: the drivers of publishing and of renewing tokens, the index, and the cron tasks.

pub mod account;
pub mod analytics_collector;
pub mod budget;
pub mod chores;
pub mod connected;
pub mod consent;
pub mod index;
pub mod journal;
mod keys;
pub mod publish;
pub mod readings;
pub mod settings;
pub mod token_refresher;
pub mod watchdog;
