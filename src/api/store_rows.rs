//! The rows of the API, read from the database.

use crate::api::rows::{ApprovalSummary, Cursor, ForReview, NamedThings, RowFilter, RowSummary, Rows, RowsError};
use crate::domain::id::{AccountId, HubId, PostId, UserId};
use crate::domain::labels::{Labels, PlanSlotRef};
use crate::domain::platform::Platform;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::posts::{PostCursor, PostFilter, PostRow};
use crate::store::{Store, StoreError};
use std::sync::Arc;

fn unavailable(error: StoreError) -> RowsError {
    RowsError::Unavailable(error.to_string())
}

/// The rows of a database; without one (its address is missing) nothing can be read.
pub struct StoreRows<H, A>(pub Option<Arc<Store<H, A>>>);

impl<H: HttpClient, A: Ambient> Rows for StoreRows<H, A> {
    type Http = H;
    type Around = A;

    fn store(&self) -> Result<&Store<H, A>, RowsError> {
        let missing = || RowsError::Unavailable("its address is not configured".to_owned());
        self.0.as_deref().ok_or_else(missing)
    }

    async fn list(
        &self,
        user: &UserId,
        filter: &RowFilter,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<(Vec<RowSummary>, Option<Cursor>), RowsError> {
        let after = match cursor {
            Some(cursor) => Some(PostCursor::parse(&cursor.0).ok_or(RowsError::Cursor)?),
            None => None,
        };
        let filter = PostFilter {
            statuses: filter.statuses.clone(),
            platform: filter.platform,
            account_id: filter.account_id.clone(),
            group_id: filter.group_id.clone(),
            scheduled_from: filter.scheduled_from,
            scheduled_before: filter.scheduled_before,
            to_review: filter.to_review,
        };
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let page = self
            .store()?
            .post_list(user, &filter, after.as_ref(), limit)
            .await
            .map_err(unavailable)?;
        let next = page.next.map(|next| Cursor(next.to_string()));
        let for_review = |row: &PostRow| ForReview {
            author: row.user.clone(),
            hash: row.psn_text("hash").map(str::to_owned),
        };
        let shown = |row: PostRow| RowSummary {
            for_review: filter.to_review.then(|| for_review(&row)),
            ..summary(row)
        };
        Ok((page.items.into_iter().map(shown).collect(), next))
    }

    async fn similar(&self, user: &UserId, platform: Platform) -> Result<Vec<(PostId, String)>, RowsError> {
        let store = self.store()?;
        let found = store
            .post_similar(user, platform, store.ambient.now())
            .await
            .map_err(unavailable)?;
        Ok(found
            .into_iter()
            .map(|candidate| (candidate.id, candidate.parts.join("\n\n")))
            .collect())
    }

    async fn time_zone(&self, user: &UserId) -> Result<Option<String>, RowsError> {
        self.store()?.time_zone(user).await.map_err(unavailable)
    }

    async fn named(&self, user: &UserId, labels: &Labels) -> Result<NamedThings, RowsError> {
        self.store()?.labels_named(user, labels).await.map_err(unavailable)
    }

    async fn reviews(&self, user: &UserId, hub: &HubId) -> Result<bool, RowsError> {
        self.store()?.reviews_hub(user, hub).await.map_err(unavailable)
    }

    async fn take_slot(
        &self,
        user: &UserId,
        slot: &PlanSlotRef,
        post: &PostId,
        is_draft: bool,
    ) -> Result<bool, RowsError> {
        let store = self.store()?;
        let status = if is_draft { "drafted" } else { "scheduled" };
        let taken = store
            .plan_slot_take(user, slot, post, status, store.ambient.now())
            .await;
        taken.map_err(unavailable)
    }

    async fn ping(&self) -> Result<(), RowsError> {
        self.store()?.ping().await.map_err(unavailable)
    }
}

fn summary(row: PostRow) -> RowSummary {
    RowSummary {
        labels: row.labels(),
        approval: row.approval_status.clone().map(|approval_status| ApprovalSummary {
            approval_status,
            reviewer_id: row.reviewer_id.clone(),
            review_comment: row.review_comment.clone(),
            reviewed_at: row.reviewed_at.map(|at| at.to_rfc3339()),
        }),
        group_id: row.psn_text("group_id").map(str::to_owned),
        account_id: row.psn_text("account_id").map(AccountId::from),
        id: row.id,
        platform: row.platform,
        status: row.status,
        sub_status: row.sub_status,
        content: row.content,
        scheduled_at: row.scheduled_at,
        published_at: row.published_at,
        fail_reason: row.fail_reason,
        platform_post_ids: row.platform_post_ids,
        external_post_id: row.external_post_id,
        created_at: row.created_at,
        for_review: None,
    }
}
