//! What the API reads from rows: lists and texts to compare with. Everything else comes from the post's object.

use crate::domain::id::{AccountId, HubId, PostId, RemoteId, UserId};
use crate::domain::labels::{Labels, PlanSlotRef};
use crate::domain::platform::Platform;
use crate::domain::post::Status;
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
pub use crate::store::labels::NamedThings;
use std::future::Future;

/// Reads rows of posts.
pub trait Rows: Send + Sync {
    /// What the database is asked through.
    type Http: HttpClient;
    /// Clock, randomness and waiting of whoever asks it.
    type Around: Ambient;

    /// The database itself, for routes over tables of their own.
    ///
    /// # Errors
    /// [`RowsError::Unavailable`] when there is none.
    fn store(&self) -> Result<&Store<Self::Http, Self::Around>, RowsError>;

    /// A page of a user's posts, newest first, with the cursor of the next page if there is one.
    ///
    /// # Errors
    /// [`RowsError`]
    fn list(
        &self,
        user: &UserId,
        filter: &RowFilter,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> impl Future<Output = Result<(Vec<RowSummary>, Option<Cursor>), RowsError>> + Send;

    /// The ids and texts of the user's posts on that platform that a new text is compared with: published in the last
    /// seven days, scheduled, or going out.
    ///
    /// # Errors
    /// [`RowsError`]
    fn similar(
        &self,
        user: &UserId,
        platform: Platform,
    ) -> impl Future<Output = Result<Vec<(PostId, String)>, RowsError>> + Send;

    /// The name of the zone that a user lives in, where they have said so.
    ///
    /// # Errors
    /// [`RowsError`]
    fn time_zone(&self, user: &UserId) -> impl Future<Output = Result<Option<String>, RowsError>> + Send;

    /// What is known to the user of that which labels name.
    ///
    /// # Errors
    /// [`RowsError`]
    fn named(&self, user: &UserId, labels: &Labels) -> impl Future<Output = Result<NamedThings, RowsError>> + Send;

    /// Whether the user is an active admin of the hub, and so reviews its posts.
    ///
    /// # Errors
    /// [`RowsError`]
    fn reviews(&self, user: &UserId, hub: &HubId) -> impl Future<Output = Result<bool, RowsError>> + Send;

    /// Takes a slot of a weekly plan for a post; `false` where another post has it.
    ///
    /// # Errors
    /// [`RowsError`]
    fn take_slot(
        &self,
        user: &UserId,
        slot: &PlanSlotRef,
        post: &PostId,
        is_draft: bool,
    ) -> impl Future<Output = Result<bool, RowsError>> + Send;

    /// Asks whether the database answers.
    ///
    /// # Errors
    /// [`RowsError::Unavailable`] when it does not.
    fn ping(&self) -> impl Future<Output = Result<(), RowsError>> + Send;
}

/// Which posts a list holds; `None` means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowFilter {
    /// Only those with one of these statuses; empty means all.
    pub statuses: Vec<Status>,
    /// Only those of that platform.
    pub platform: Option<Platform>,
    /// Only those that go out on that account, as far as the row says on which.
    pub account_id: Option<AccountId>,
    /// Only those that one request made.
    pub group_id: Option<String>,
    /// Only those due at that time or later.
    pub scheduled_from: Option<Timestamp>,
    /// Only those due before.
    pub scheduled_before: Option<Timestamp>,
    /// Those that wait for the user's review, whoever wrote them, instead of the user's own.
    pub to_review: bool,
}

/// Where a page ended, in the words of the store; the API hands it out in base64url.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub String);

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A row as lists show it. Statuses are text: another program may have written them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowSummary {
    /// `posts.id`
    pub id: PostId,
    /// `posts.platform`
    pub platform: String,
    /// `posts.status`
    pub status: String,
    /// `posts.sub_status`
    pub sub_status: Option<String>,
    /// `posts.content`
    pub content: String,
    /// `posts.scheduled_at`
    pub scheduled_at: Option<Timestamp>,
    /// `posts.published_at`
    pub published_at: Option<Timestamp>,
    /// `posts.fail_reason`
    pub fail_reason: Option<String>,
    /// `posts.platform_post_ids`
    pub platform_post_ids: Vec<RemoteId>,
    /// `posts.external_post_id`
    pub external_post_id: Option<RemoteId>,
    /// What ties the posts of one request together, if anything does.
    pub group_id: Option<String>,
    /// The account it goes out on, where the row says so.
    pub account_id: Option<AccountId>,
    /// What it is about and where it belongs.
    pub labels: Labels,
    /// How far its approval has come.
    pub approval: Option<ApprovalSummary>,
    /// `posts.created_at`
    pub created_at: Timestamp,
    /// What a reviewer has to know beside, in lists for them.
    pub for_review: Option<ForReview>,
}

/// What a reviewer has to know of a post of somebody else.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ForReview {
    /// Who wrote it.
    pub author: UserId,
    /// The hash of its content: a review that names it is one of what was seen.
    pub hash: Option<String>,
}

/// How far the approval of a post has come, as its row shows it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ApprovalSummary {
    /// `posts.approval_status`
    pub approval_status: String,
    /// `posts.reviewer_id`
    pub reviewer_id: Option<UserId>,
    /// `posts.review_comment`
    pub review_comment: Option<String>,
    /// `posts.reviewed_at`
    pub reviewed_at: Option<String>,
}

/// Why rows could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowsError {
    /// The database did not answer.
    #[error("the database could not be asked: {0}")]
    Unavailable(String),
    /// The cursor is none that a list gave out.
    #[error("the cursor is not one that a list gave out")]
    Cursor,
}
