//! Text counts as X counts it: the conformance suite, the package itself, and tables of what came after it.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![allow(clippy::print_stdout, reason = "the seed of a failed run")]

mod text {
    pub mod conformance;
    pub mod content;
    pub mod peer;
    pub mod split;
    pub mod tables;
}
