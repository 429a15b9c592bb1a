//! Text as X sees it: weighted length, URLs and other entities, splitting, comparing.
//!
//! The rules are those of twitter-text 3.1.0 (configuration v3), the library that X publishes; its conformance suite and
//! the package itself are the tests. What came after it (emoji, top-level domains) is added by tables of our own.

mod compare;
mod emoji;
mod entity;
mod find;
mod split;
mod tables;
mod tld;
mod unit;
mod validate;
mod weight;

pub use crate::domain::hash::content_hash;
pub use compare::{SIMILARITY_MIN, normalize_for_match, similarity};
pub use entity::{Cashtag, Hashtag, Mention, Url, cashtags, hashtags, mentions, reply, urls};
pub use split::{SplitError, SplitOptions, split};
pub use validate::{is_hashtag, is_list, is_url, is_username};
pub use weight::{LENGTH_MAX, Measure, Rules, has_invalid_characters, is_valid, measure, weighted_length};

pub(in crate::domain) use split::{is_blank, numbered};
