//! Addresses of pages for people who were asked something.

use crate::domain::id::{PostId, UserId};
use crate::domain::time::{Millis, Timestamp};
use crate::store::seal::AddressSigner;

/// So long a page for an approval can be opened.
pub const APPROVAL_LIFETIME_MS: Millis = Millis(7 * 86_400_000);
/// What the path of such a page begins with.
pub const APPROVAL_PREFIX: &str = "/approve/";

/// Makes such addresses.
#[derive(Clone)]
pub struct Links {
    /// The origin at which the outside finds the Worker.
    pub origin: String,
    /// Signs them.
    pub signer: AddressSigner,
}

impl Links {
    /// Where that reviewer sees the post as it will look, and approves or rejects this content of it.
    #[must_use]
    pub fn approval(&self, post: &PostId, reviewer: &UserId, hash: &str, now: Timestamp) -> String {
        let until = now + APPROVAL_LIFETIME_MS;
        let path = approval_path(post, reviewer, hash);
        format!("{}{}", self.origin, self.signer.sign_path(&path, until))
    }
}

/// The path that is signed: post, reviewer and the hash of the content.
#[must_use]
pub fn approval_path(post: &PostId, reviewer: &UserId, hash: &str) -> String {
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let (reviewer, hash) = (encoded(reviewer.as_str()), encoded(hash));
    format!("{APPROVAL_PREFIX}{post}?as={reviewer}&hash={hash}")
}
