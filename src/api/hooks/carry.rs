//! Which post an answer is about, and doing what it says, as far as its sender may. Everything is answered in a sentence.

use crate::api::App;
use crate::api::commands::{PartOutcome, verdict};
use crate::api::posts::{ask, find};
use crate::api::problem::{Problem, ProblemKind};
use crate::api::review::{Review, decide};
use crate::api::rows::Rows;
use crate::domain::id::UserId;
use crate::domain::notice::EventKind;
use crate::domain::notice::message::{key, short_id, which};
use crate::domain::notice::reply::{Command, Found, Reply};
use crate::domain::platform::Platform;
use crate::domain::post::{PartState, Status};
use crate::domain::publish::ReviewVerdict;
use crate::ports::objects::{Objects, PostRequest, PostSnapshot};
use crate::store::sessions::ToldPost;
use serde_json::Value;

/// What somebody was told that an answer is about; `told` is in the order of time, the newest first.
///
/// # Errors
/// A sentence that says why that is not clear.
pub(super) fn choose<'a>(told: &'a [ToldPost], wanted: &Reply, quoted: Option<&str>) -> Result<&'a ToldPost, String> {
    let word = wanted.command.name();
    let fits = |one: &&ToldPost| EventKind::parse(&one.event_type).is_some_and(|kind| wanted.command.answers(kind));
    if let Some(named) = &wanted.post {
        let of_post = || told.iter().filter(|one| one.post.as_str().starts_with(named.as_str()));
        let Some(newest) = of_post().next() else {
            return Err(format!(
                "I told you of no post {named} lately: take the id from the message, or use psn itself."
            ));
        };
        if of_post().any(|one| one.post != newest.post) {
            return Err(format!("{named} begins the ids of several posts: send the whole id."));
        }
        return Ok(of_post().find(fits).unwrap_or(newest));
    }
    if let Some(quoted) = quoted {
        let found = told
            .iter()
            .find(|one| one.message_id.as_deref().is_some_and(|id| is_same(id, quoted)));
        return found.ok_or_else(|| {
            format!("I do not know the message you answered any more: send {word} with the id of the post.")
        });
    }
    told.iter()
        .find(fits)
        .ok_or_else(|| format!("Nothing I told you of waits for {word}: send {word} with the id of the post."))
}

/// Whether two ids name one message of WhatsApp: gateways put the chat before it in some places and not in others.
fn is_same(one: &str, other: &str) -> bool {
    let core = |id: &str| id.rsplit('_').next().unwrap_or(id).to_owned();
    one == other || core(one) == core(other) && !core(one).is_empty()
}

/// Does it; what became of it, in one sentence.
pub(super) async fn out<O: Objects, R: Rows>(app: &App<O, R>, told: &ToldPost, command: &Command) -> String {
    let text = |name: &str| {
        told.payload
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (platform, beginning) = (text(key::PLATFORM), text(key::TITLE));
    let platform = match Platform::parse(&platform) {
        Some(known) => known.title(),
        None => platform.as_str(),
    };
    let beginning = Some(beginning.as_str()).filter(|text| !text.is_empty());
    let which = which(platform, beginning, Some(told.post.as_str()));
    match act(app, told, command).await {
        Ok(done) => format!("{done}: {which}."),
        Err(problem) => match problem.kind() {
            // It is there, as they were told of it: it is their author's, or they are no admin of its hub any more.
            ProblemKind::NotFound => format!("{which} is not yours to {}: ask its author.", command.name()),
            _ => format!("{which}: {}.", problem.detail().trim_end_matches('.')),
        },
    }
}

async fn act<O: Objects, R: Rows>(
    app: &App<O, R>,
    told: &ToldPost,
    command: &Command,
) -> Result<&'static str, Problem> {
    let user = &told.user;
    match command {
        Command::Approve => review(app, told, ReviewVerdict::Approved, None).await,
        Command::Reject { reason } => review(app, told, ReviewVerdict::Rejected, reason.clone()).await,
        Command::Retry => {
            let after = own(app, user, told, |_| Ok(PostRequest::Retry)).await?;
            Ok(
                match after.view.parts.iter().any(|part| part.state == PartState::Published) {
                    true => "It goes on where it stopped",
                    false => "It is tried again",
                },
            )
        }
        Command::Cancel => {
            let after = own(app, user, told, |_| Ok(PostRequest::Cancel)).await?;
            Ok(match after.view.status {
                Status::Draft => "Cancelled, it is a draft again",
                _ => "It stops after the part that is going out",
            })
        }
        Command::Resolve(found) => {
            own(app, user, told, |before| resolution(before, found)).await?;
            Ok("Noted, it goes on from there")
        }
    }
}

/// Asks the object of a post that has to be the user's own.
async fn own<O: Objects, R>(
    app: &App<O, R>,
    user: &UserId,
    told: &ToldPost,
    request: impl Fn(&PostSnapshot) -> Result<PostRequest, Problem>,
) -> Result<PostSnapshot, Problem> {
    let before = find(app, user, told.post.as_str()).await?;
    let request = request(&before)?;
    ask(app, user, &told.post, request).await
}

async fn review<O: Objects, R: Rows>(
    app: &App<O, R>,
    told: &ToldPost,
    verdict: ReviewVerdict,
    comment: Option<String>,
) -> Result<&'static str, Problem> {
    let asked = told.event_type == EventKind::ApprovalRequested.name();
    let hash = told.payload.get(key::HASH).and_then(Value::as_str).filter(|_| asked);
    // What nobody showed them is not approved by a word.
    let Some(hash) = hash else {
        return Err(Problem::new(
            ProblemKind::Conflict,
            format!(
                "you were not asked to approve it: look at it with `psn post show {}` first",
                short_id(told.post.as_str())
            ),
        ));
    };
    let wanted = Review {
        comment,
        ..Review::of(verdict, hash.to_owned())
    };
    decide(app, &told.post, &told.user, wanted).await?;
    Ok(match verdict {
        ReviewVerdict::Approved => "Approved",
        ReviewVerdict::Rejected => "Rejected, its author is told",
    })
}

/// What became of the first part in doubt.
fn resolution(before: &PostSnapshot, found: &Found) -> Result<PostRequest, Problem> {
    let in_doubt = |state| matches!(state, PartState::Unknown | PartState::Sending);
    let Some(part) = before.view.parts.iter().find(|part| in_doubt(part.state)) else {
        return Err(Problem::new(
            ProblemKind::Conflict,
            "no part of it is in doubt, so there is nothing to resolve",
        ));
    };
    let outcome = match found {
        Found::Published(address) => PartOutcome::Published(address.clone()),
        Found::NotPublished => PartOutcome::NotPublished,
        Found::Abandoned => PartOutcome::Abandoned,
        Found::Unsaid => {
            return Err(Problem::new(
                ProblemKind::FieldInvalid,
                format!(
                    "look whether part {} is there, then send `resolve published LINK` or `resolve not published`",
                    part.index
                ),
            ));
        }
    };
    let verdict = verdict(outcome, before.plan.platform)?;
    Ok(PostRequest::Resolve {
        part: part.index,
        verdict,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::domain::id::PostId;
    use crate::domain::notice::reply::read;
    use serde_json::Map;

    fn told(post: u8, kind: EventKind, message: &str) -> ToldPost {
        ToldPost {
            user: UserId::from("ada"),
            post: PostId::from_random([post; 16]),
            event_type: kind.name().to_owned(),
            message_id: Some(message.to_owned()),
            payload: Map::new(),
        }
    }

    #[test]
    fn an_answer_is_about_the_message_it_quotes_the_post_it_names_or_the_last_that_fits() {
        let told = [
            told(1, EventKind::PostPublished, "true_49@c.us_AAA"),
            told(2, EventKind::ApprovalRequested, "true_49@c.us_BBB"),
            told(3, EventKind::ApprovalRequested, "true_49@c.us_CCC"),
            told(3, EventKind::PostFailed, "true_49@c.us_DDD"),
        ];
        let chosen = |text: &str, quoted: Option<&str>| {
            let chosen = choose(&told, &read(text).unwrap(), quoted);
            chosen.map(|one| one.message_id.clone().unwrap()[13..].to_owned())
        };
        let ok = |message: &str| Ok(message.to_owned());
        assert_eq!(chosen("approve", None), ok("BBB"));
        assert_eq!(chosen("approve", Some("CCC")), ok("CCC"));
        assert_eq!(chosen("approve 03030303", Some("BBB")), ok("CCC"), "the name counts");
        assert_eq!(chosen("retry", None), ok("DDD"));
        assert_eq!(chosen("retry 03030303", None), ok("DDD"));
        assert_eq!(chosen("retry 02020202", None), ok("BBB"), "whose state decides");
        assert!(
            chosen("resolve", None)
                .unwrap_err()
                .starts_with("Nothing I told you of waits")
        );
        assert!(chosen("approve", Some("EEE")).unwrap_err().contains("any more"));
        assert!(
            chosen("approve 09090909", None)
                .unwrap_err()
                .contains("no post 09090909")
        );
        assert!(!is_same("true_1@c.us_", "true_2@c.us_"));
    }
}
