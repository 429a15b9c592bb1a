//! The page behind the link of a message that asks for an approval: the post as it will look, one button that approves and
//! one that rejects. Whoever holds the link decides as the reviewer it was sent to, about the content it was sent for,
//! until it ends. Looking changes nothing: programs open links before people do.

mod page;

use crate::api::page::{Page, Tone};
use crate::api::posts::show_unasked;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::review::{COMMENT_CHARS_MAX, Review, decide};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::{App, Shared, body_bytes, content};
use crate::domain::content::Content;
use crate::domain::id::{PostId, UserId};
use crate::domain::platform::Platform;
use crate::domain::post::Status;
use crate::domain::publish::{ApprovalStatus, ReviewVerdict};
use crate::domain::time::Millis;
use crate::domain::zone::Zone;
use crate::platforms::{self, Rules, Wanted};
use crate::ports::objects::{Objects, PostSnapshot};
use crate::store::seal::Judged;
use crate::tasks::notify::links::approval_path;
use axum::body::Body;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use page::{Banner, Sheet};

pub use crate::tasks::notify::links::APPROVAL_PREFIX as PREFIX;

/// Bytes of a decision with its reason.
const FORM_BYTES_MAX: usize = 32 * 1024;
/// The page shows media for so long; loaded again it has fresh addresses.
const MEDIA_LIFETIME_MS: Millis = Millis(3_600_000);

/// What a link says.
struct Link {
    post: PostId,
    reviewer: UserId,
    hash: String,
}

/// `GET /approve/{id}?as=…&hash=…&until=…&sig=…`
pub async fn show<O: Objects, R: Rows>(app: Shared<O, R>, asked: Asked<Body>) -> Response {
    match open(&app, &asked.id, &asked.uri).await {
        Ok((link, snapshot)) => {
            let banner = state(&link, &snapshot);
            render(&app, &link, &snapshot, &asked.uri, (StatusCode::OK, banner)).await
        }
        Err(page) => page.into_response(),
    }
}

/// `POST /approve/{id}?as=…&hash=…&until=…&sig=…`
pub async fn act<O: Objects, R: Rows>(app: Shared<O, R>, asked: Asked<Body>) -> Response {
    let (link, before) = match open(&app, &asked.id, &asked.uri).await {
        Ok(opened) => opened,
        Err(page) => return page.into_response(),
    };
    let Ok(bytes) = body_bytes(asked.body, FORM_BYTES_MAX).await else {
        return page(
            StatusCode::PAYLOAD_TOO_LARGE,
            "That was too long",
            "The reason is longer than this page takes.",
            "Go back and shorten it.",
        )
        .into_response();
    };
    let field = |name: &str| {
        let mut fields = url::form_urlencoded::parse(&bytes);
        fields
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    };
    let verdict = match field("decision").as_deref() {
        Some("approve") => ReviewVerdict::Approved,
        Some("reject") => ReviewVerdict::Rejected,
        _ => {
            return page(
                StatusCode::BAD_REQUEST,
                "Nothing was decided",
                "The page was sent without a decision.",
                "Go back and press one of the two buttons.",
            )
            .into_response();
        }
    };
    let reason = field("reason").map(|text| text.replace('\0', "").replace("\r\n", "\n"));
    let comment = reason.map(|text| text.trim().chars().take(COMMENT_CHARS_MAX).collect::<String>());
    let review = Review {
        comment: comment.filter(|text| !text.is_empty() && verdict == ReviewVerdict::Rejected),
        ..Review::of(verdict, link.hash.clone())
    };
    match decide(&app, &link.post, &link.reviewer, review).await {
        Ok(after) => {
            let banner = decided(&app, &link, verdict, &after).await;
            render(&app, &link, &after, &asked.uri, (StatusCode::OK, banner)).await
        }
        Err(problem) if problem.kind() == ProblemKind::Conflict => {
            // Somebody else was quicker, or it has gone out: what there is now says which.
            let now = show_unasked(&app, &link.post).await.unwrap_or(before);
            let banner = Banner::said(Tone::Bad, "Nothing was changed", problem.detail());
            render(&app, &link, &now, &asked.uri, (StatusCode::CONFLICT, banner)).await
        }
        Err(problem) => failed(&problem).into_response(),
    }
}

fn page(status: StatusCode, title: &str, text: &str, next: &str) -> Page {
    let [title, text, next] = [title, text, next].map(str::to_owned);
    Page {
        status,
        tone: Tone::Bad,
        title,
        text,
        next,
    }
}

/// What to say where the post or the right to see it is not at hand.
fn failed(problem: &Problem) -> Page {
    match problem.kind() {
        ProblemKind::NotFound => page(
            StatusCode::NOT_FOUND,
            "The post is not there",
            "It was removed, or you no longer review for its hub.",
            "There is nothing to decide. You can close this page.",
        ),
        ProblemKind::Forbidden => page(
            StatusCode::FORBIDDEN,
            "This is not yours to decide",
            "Only an admin of its hub reviews a post, and you are none any more.",
            "Ask another admin of the hub.",
        ),
        _ => page(
            StatusCode::SERVICE_UNAVAILABLE,
            "Not available now",
            "The post could not be reached. Nothing was changed that this page knows of.",
            "Reload this page in a moment.",
        ),
    }
}

/// Judges the link, and looks whether its reviewer may still see the post and whether it is still the same.
async fn open<O: Objects, R: Rows>(app: &App<O, R>, id: &str, uri: &Uri) -> Result<(Link, PostSnapshot), Page> {
    let link = judged(app, id, uri)?;
    let snapshot = show_unasked(app, &link.post)
        .await
        .map_err(|problem| failed(&problem))?;
    let gone = || failed(&Problem::no_post());
    let hub = snapshot.plan.labels.hub_id.as_ref().ok_or_else(gone)?;
    let reviews = app.rows.reviews(&link.reviewer, hub).await;
    if !reviews.map_err(|_| failed(&Problem::database_away()))? {
        return Err(gone());
    }
    if snapshot.plan.hash != link.hash {
        return Err(page(
            StatusCode::CONFLICT,
            "It was changed since",
            "The text or the media of this post changed after the message was sent, so this link decides nothing any more.",
            "Once its author submits it again, you get a new message with a new link.",
        ));
    }
    Ok((link, snapshot))
}

fn judged<O, R>(app: &App<O, R>, id: &str, uri: &Uri) -> Result<Link, Page> {
    let unknown = || {
        page(
            StatusCode::NOT_FOUND,
            "This link is not one of ours",
            "A part of it may be missing: some programs cut long addresses.",
            "Open it again from the message, all of it.",
        )
    };
    let query = uri.query().unwrap_or_default();
    let field = |name: &str| {
        let mut fields = url::form_urlencoded::parse(query.as_bytes());
        fields
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    };
    let said = || {
        Some((
            PostId::parse(id)?,
            field("as")?,
            field("hash")?,
            field("until")?,
            field("sig")?,
        ))
    };
    let (post, reviewer, hash, until, signature) = said().ok_or_else(unknown)?;
    let reviewer = UserId(reviewer);
    let signer = app.settings.addresses.as_ref().ok_or_else(unknown)?;
    let path = approval_path(&post, &reviewer, &hash);
    match signer.judge_path(&path, &until, &signature, app.clock.now()) {
        Judged::Good => Ok(Link { post, reviewer, hash }),
        Judged::Unknown => Err(unknown()),
        Judged::Ended => Err(page(
            StatusCode::GONE,
            "This link has expired",
            "A link to approve a post can be used for a week.",
            "Have its author submit it again, or decide with psn post approve.",
        )),
    }
}

/// What the page says of a post that is as this snapshot shows it.
fn state(link: &Link, snapshot: &PostSnapshot) -> Banner {
    let approval = snapshot.view.approval.as_ref();
    let status = approval.map(|approval| approval.status);
    let by = || {
        let reviewer = approval.and_then(|approval| approval.reviewer.as_ref());
        match reviewer {
            Some(reviewer) if *reviewer == link.reviewer => "you".to_owned(),
            Some(reviewer) => reviewer.to_string(),
            None => "a reviewer".to_owned(),
        }
    };
    match status {
        Some(ApprovalStatus::Submitted) if is_open(snapshot.view.status) => Banner::Asks,
        Some(ApprovalStatus::Submitted) => Banner::said(
            Tone::Neutral,
            "It cannot be decided any more",
            &format!("It is {} by now.", snapshot.view.status.name().replace('_', " ")),
        ),
        Some(ApprovalStatus::Approved) => Banner::said(
            Tone::Good,
            "Approved already",
            &format!("It was approved by {}. There is nothing left to decide.", by()),
        ),
        Some(ApprovalStatus::Rejected) => {
            let said = approval.and_then(|approval| approval.comment.as_deref());
            let said = said.map(|comment| format!(" They said: {comment}")).unwrap_or_default();
            Banner::said(
                Tone::Bad,
                "Rejected already",
                &format!("It was rejected by {}.{said}", by()),
            )
        }
        Some(ApprovalStatus::Draft) | None => Banner::said(
            Tone::Neutral,
            "Nobody asks any more",
            "It does not wait for an approval now. Once its author submits it again, you get a new message.",
        ),
    }
}

/// Whether a reviewer can still say something about it.
const fn is_open(status: Status) -> bool {
    matches!(
        status,
        Status::Draft | Status::Scheduled | Status::Retry | Status::Failed
    )
}

/// What was just decided.
async fn decided<O, R: Rows>(app: &App<O, R>, link: &Link, verdict: ReviewVerdict, after: &PostSnapshot) -> Banner {
    match verdict {
        ReviewVerdict::Approved => {
            let due = after.view.scheduled_at.filter(|_| after.view.status != Status::Draft);
            let next = match due {
                Some(at) => format!("It goes out {}.", zone(app, link).await.show(at)),
                None => "It goes out once its author schedules it.".to_owned(),
            };
            Banner::said(Tone::Good, "Approved", &format!("{next} You can close this page."))
        }
        ReviewVerdict::Rejected => Banner::said(
            Tone::Bad,
            "Rejected",
            "It does not go out as it is, and its author is told. You can close this page.",
        ),
    }
}

/// The zone the reviewer lives in; UTC where they have not said, or nobody can be asked now.
async fn zone<O, R: Rows>(app: &App<O, R>, link: &Link) -> Zone {
    let name = app.rows.time_zone(&link.reviewer).await.ok().flatten();
    name.and_then(|name| app.zones.find(&name)).unwrap_or_else(Zone::utc)
}

async fn render<O: Objects, R: Rows>(
    app: &App<O, R>,
    link: &Link,
    snapshot: &PostSnapshot,
    uri: &Uri,
    (status, banner): (StatusCode, Banner),
) -> Response {
    let plan = &snapshot.plan;
    let account = snapshot.view.account_id.as_ref().or(plan.account_id.as_ref());
    // Only X has rules that differ from account to account.
    let rules = match plan.platform {
        Platform::X => content::rules(app, &plan.user_id, account).await.unwrap_or_default(),
        _ => Rules::default(),
    };
    let content = Content::Parts(plan.parts.clone());
    let wanted = Wanted {
        content: &content,
        numbering: false,
        media: &plan.media,
        options: None,
        rules,
    };
    let counted = platforms::plan(plan.platform, &wanted).plan.parts;
    let until = app.clock.now() + MEDIA_LIFETIME_MS;
    let sheet = Sheet {
        snapshot,
        counts: counted.iter().map(|part| (part.weighted_length, part.limit)).collect(),
        due: match snapshot.view.scheduled_at {
            Some(at) => Some((zone(app, link).await, at)),
            None => None,
        },
        action: uri.path_and_query().map_or("", |path| path.as_str()),
        media: &|medium| {
            app.settings
                .addresses
                .as_ref()
                .map(|signer| signer.sign(&medium.id, until))
        },
        banner,
    };
    page::response(status, &sheet)
}
