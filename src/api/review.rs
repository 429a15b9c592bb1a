//! Approval of a hub's posts: authors submit, the hub's admins approve or reject.

use crate::api::auth::Caller;
use crate::api::body::{self, Fields};
use crate::api::posts::{answer, ask, changed, edition, find_as, guarded, show_unasked};
use crate::api::problem::{Problem, ProblemKind};
use crate::api::request::{Amendment, content};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::{App, Shared, etag};
use crate::domain::content::Content;
use crate::domain::id::{PostId, UserId};
use crate::domain::publish::ReviewVerdict;
use crate::ports::objects::{Objects, PostRequest, PostSnapshot};
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::response::Response;

/// Characters of a comment.
pub(super) const COMMENT_CHARS_MAX: usize = 2_000;

/// `POST /v1/posts/{id}/submit`
pub async fn submit<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    asked.no_body()?;
    let before = find_as(&app, &caller.user, &asked.id, &asked.headers).await?;
    let user = caller.user.clone();
    let submit = guarded(PostRequest::Submit { user }, &asked.headers, before.version)?;
    let snapshot = ask(&app, &caller.user, &before.plan.post_id, submit).await?;
    answer(&app, &snapshot, Vec::new()).await
}

/// `POST /v1/posts/{id}/approve`
pub async fn approve<O: Objects, R: Rows>(
    app: Shared<O, R>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, Problem> {
    let review = Review::read(ReviewVerdict::Approved, &asked.headers, &asked.body)?;
    let id = PostId::parse(&asked.id).ok_or_else(Problem::no_post)?;
    let snapshot = decide(&app, &id, &caller.user, review).await?;
    answer(&app, &snapshot, Vec::new()).await
}

/// `POST /v1/posts/{id}/reject`
pub async fn reject<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let review = Review::read(ReviewVerdict::Rejected, &asked.headers, &asked.body)?;
    let id = PostId::parse(&asked.id).ok_or_else(Problem::no_post)?;
    let snapshot = decide(&app, &id, &caller.user, review).await?;
    answer(&app, &snapshot, Vec::new()).await
}

/// What a reviewer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// What they decide.
    pub verdict: ReviewVerdict,
    /// Why, or what they wish.
    pub comment: Option<String>,
    /// The hash of what they saw: another content is not decided about. `None` takes it as it is.
    pub hash: Option<String>,
    /// Content in place of it; approving only.
    pub content: Option<Content>,
    /// The version of the post that they saw (`If-Match`), where they say so.
    pub version: Option<String>,
}

impl Review {
    /// A decision about the content with that hash.
    #[must_use]
    pub const fn of(verdict: ReviewVerdict, hash: String) -> Self {
        Self {
            verdict,
            comment: None,
            hash: Some(hash),
            content: None,
            version: None,
        }
    }

    fn read(verdict: ReviewVerdict, headers: &HeaderMap, bytes: &Bytes) -> Result<Self, Problem> {
        let mut review = Self {
            verdict,
            comment: None,
            hash: None,
            content: None,
            version: etag::wanted(headers)?,
        };
        if bytes.is_empty() {
            return Ok(review);
        }
        let mut fields: Fields = body::object(headers, bytes)?;
        review.comment = fields.text("comment").filter(|comment| !comment.trim().is_empty());
        review.hash = fields.text("hash");
        if verdict == ReviewVerdict::Approved {
            review.content = content(&mut fields);
        }
        let is_long = |comment: &String| comment.chars().count() > COMMENT_CHARS_MAX || comment.contains('\0');
        if review.comment.as_ref().is_some_and(is_long) {
            let message = format!("`comment` is no text of at most {COMMENT_CHARS_MAX} characters: shorten it");
            fields.refuse("comment", message);
        }
        let errors = fields.finish();
        if errors.is_empty() {
            return Ok(review);
        }
        Err(Problem::of(ProblemKind::FieldInvalid, errors))
    }
}

/// Decides about a post on behalf of a reviewer: whoever else asks for a review (a signed page, a reply to a message) asks
/// here. Decided again in the same way, it is done.
///
/// # Errors
/// 404 for whoever may not see the post, 403 for an author or a member who is no admin of its hub, 409 where the post does
/// not wait for it, 412 where it has another version than they saw, 422 for content that cannot go out.
pub async fn decide<O: Objects, R: Rows>(
    app: &App<O, R>,
    id: &PostId,
    reviewer: &UserId,
    review: Review,
) -> Result<PostSnapshot, Problem> {
    let before = show_unasked(app, id).await?;
    let is_own = before.plan.user_id == *reviewer;
    let Some(hub) = &before.plan.labels.hub_id else {
        return Err(if is_own {
            Problem::new(
                ProblemKind::Conflict,
                "it belongs to no hub, so that nobody has to approve it: schedule it or publish it",
            )
            .about(id)
        } else {
            Problem::no_post()
        });
    };
    let reviews = app.rows.reviews(reviewer, hub).await;
    if !reviews.map_err(|_| Problem::database_away())? {
        // That another user has it is nobody's business.
        return Err(if is_own {
            Problem::new(
                ProblemKind::Forbidden,
                "only an admin of its hub reviews it: ask one of them, or have yourself made one",
            )
            .about(id)
        } else {
            Problem::no_post()
        });
    }
    if review
        .version
        .as_ref()
        .is_some_and(|version| *version != before.version.to_string())
    {
        return Err(changed(&before));
    }
    let mut edited = None;
    if let Some(content) = review.content {
        let amendment = Amendment {
            content: Some(content),
            ..Amendment::default()
        };
        edited = Some(edition(app, reviewer, &before.plan, &amendment, &mut Vec::new()).await?);
    }
    let mut request = PostRequest::Review {
        verdict: review.verdict,
        user: reviewer.clone(),
        comment: review.comment,
        hash: review.hash,
        edition: edited,
    };
    if review.version.is_some() {
        request = PostRequest::IfUnchanged {
            version: before.version,
            request: Box::new(request),
        };
    }
    match app.objects.post(id, request).await {
        Ok(crate::ports::objects::PostReply::Post(snapshot)) => Ok(*snapshot),
        Ok(reply) => Err(crate::api::posts::problem_of(id, reply)),
        Err(_) => Err(Problem::object_away().about(id)),
    }
}
