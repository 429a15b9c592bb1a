//! Where the bytes of media lie.

use crate::domain::media::MediaId;
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;

/// Bytes of one medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediumRange {
    /// Which medium.
    pub id: MediaId,
    /// The first byte, from 0.
    pub first: u64,
    /// How many.
    pub length: u64,
}

/// A future of a dynamic trait.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Reads bytes of media.
pub trait MediaBytes: Send + Sync {
    /// Reads a range, which has to lie within the medium.
    ///
    /// # Errors
    /// In words, when there is no such medium or it cannot be read now.
    fn read<'a>(&'a self, range: &'a MediumRange) -> Boxed<'a, Result<Bytes, String>>;
}
