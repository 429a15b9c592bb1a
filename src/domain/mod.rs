//! The rules, pure: no async, clock, randomness, environment, or anybody's JSON.
//!
//! Time comes in as a value; what should happen goes out as a value. Everything here can be run a million times a
//! second by the simulation.

pub mod account;
pub mod address;
pub mod calendar;
pub mod content;
pub mod cron;
pub mod engagement;
pub mod grant;
pub mod hash;
pub mod health;
pub mod hub;
pub mod id;
pub mod idea;
pub mod labels;
pub mod limits;
pub mod media;
pub mod metrics;
pub mod near;
pub mod notice;
pub mod order;
pub mod outcome;
pub mod platform;
pub mod post;
pub mod publish;
pub mod reading;
pub mod renewal;
pub mod retry;
pub mod secret;
pub mod series;
pub mod spacing;
pub mod suggest;
pub mod text;
pub mod time;
pub mod words;
pub mod zone;
