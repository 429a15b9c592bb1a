//! Reading back: what became of a container, and which post it is.

use super::answer::{Class, Fault};
use super::media::pause;
use super::options::Kind;
use super::publish::{EXPIRED, Status, failed};
use super::{escape, wire};
use crate::domain::id::{RemoteId, RemoteUserId};
use crate::domain::order;
use crate::domain::outcome::{LookUp, ReadBack, RejectionKind};
use crate::domain::text::normalize_for_match;
use crate::domain::time::{Millis, Timestamp};
use crate::platforms::{LookUpAnswer, LookUpQuery, WhoAmI};
use crate::ports::json;

/// Pages read in one look, of 100 posts each: an account publishes at most 100 in a day.
pub const PAGES_MAX: u32 = 3;

/// Instagram's clock and ours may differ by this much.
const SLACK: Millis = Millis::from_secs(60);

/// So long after the first attempt a published container whose post is not found keeps the container's name instead.
const NAMELESS_AFTER: Millis = Millis::from_secs(10 * 60);

/// What is asked about a post that is read back.
pub const FIELDS: &str = "id,caption,owner";

/// Address of the account's posts since a minute before the first attempt.
pub fn list_path(query: &LookUpQuery<'_>, after: Option<&str>) -> String {
    let user = escape(query.remote_user_id.as_str());
    let since = (query.since - SLACK).0.div_euclid(1_000);
    let mut path = format!("/{user}/media?fields=id,caption,timestamp,media_type&limit=100&since={since}");
    if let Some(after) = after {
        path.push_str(&format!("&after={}", escape(after)));
    }
    path
}

/// Whether a post of that kind can be told from others by its caption. What has none cannot, and is never guessed.
pub fn is_searchable(query: &LookUpQuery<'_>, kind: Option<Kind>) -> bool {
    !normal(query.text).is_empty() && kind != Some(Kind::Story)
}

/// A caption as it is compared: Instagram may take the `@` out of it.
fn normal(caption: &str) -> String {
    normalize_for_match(&caption.replace('@', ""))
}

/// A search in progress: pages go in, posts come out.
pub struct Search<'a> {
    query: &'a LookUpQuery<'a>,
    kind: Option<Kind>,
    caption: String,
    found: Vec<(Timestamp, RemoteId)>,
}

impl<'a> Search<'a> {
    pub fn new(query: &'a LookUpQuery<'a>, kind: Option<Kind>) -> Self {
        Self {
            query,
            kind,
            caption: normal(query.text),
            found: Vec::new(),
        }
    }

    /// Takes in one page; the cursor of the next, if there is one.
    ///
    /// # Errors
    /// [`Fault`], when the page does not tell what is and is not there.
    pub fn read_page(&mut self, body: &[u8]) -> Result<Option<String>, Fault> {
        let page = json::read::<wire::Page>(body).ok();
        let Some(wire::Page {
            data: Some(posts),
            paging,
        }) = page
        else {
            return Err(Fault::new(Class::Retry, "Instagram's list of posts could not be read"));
        };
        for post in &posts {
            self.consider(post)?;
        }
        let paging = paging.filter(|paging| paging.next.is_some());
        Ok(paging.and_then(|paging| paging.cursors?.after))
    }

    fn consider(&mut self, post: &wire::Media) -> Result<(), Fault> {
        let at = post.timestamp.as_deref().and_then(graph_time);
        let (Some(id), Some(at)) = (&post.id, at) else {
            let message = "Instagram's list of posts lacks the fields that were asked for";
            return Err(Fault::new(Class::Retry, message));
        };
        let is_known = self.query.known_ids.iter().any(|known| known.as_str() == id);
        let caption = post.caption.as_deref().unwrap_or_default();
        let is_ours = at >= self.query.since - SLACK && normal(caption) == self.caption && self.fits(post);
        if is_ours && !is_known {
            self.found.push((at, RemoteId(id.clone())));
        }
        Ok(())
    }

    /// Whether it is of the kind that was published, as far as that is said.
    fn fits(&self, post: &wire::Media) -> bool {
        let expected = match self.kind {
            Some(Kind::Image) => "IMAGE",
            Some(Kind::Reel) => "VIDEO",
            Some(Kind::Carousel) => "CAROUSEL_ALBUM",
            Some(Kind::Story) | None => return true,
        };
        post.media_type.as_deref().is_none_or(|said| said == expected)
    }

    /// The posts that fit, oldest first.
    pub fn finish(mut self) -> Vec<RemoteId> {
        order::sort(&mut self.found);
        self.found.into_iter().map(|(_, id)| id).collect()
    }
}

/// What a container's status says about the attempt, where that is all there is to know.
pub fn of_status(status: Status, query: &LookUpQuery<'_>, now: Timestamp) -> LookUp {
    match status {
        Status::Finished => LookUp::NotOut,
        Status::InProgress => processing("Instagram still works on it", query, now),
        Status::Expired => LookUp::Refused {
            kind: RejectionKind::HandleVoid,
            message: EXPIRED.to_owned(),
        },
        Status::Failed(why) => LookUp::Refused {
            kind: failed(&why),
            message: why.message,
        },
        // Its post is not known.
        Status::Published => processing("Instagram has published it, and does not list it yet", query, now),
    }
}

fn processing(message: &str, query: &LookUpQuery<'_>, now: Timestamp) -> LookUp {
    LookUp::Processing {
        message: message.to_owned(),
        again_at: now + pause(now.since(query.since)),
    }
}

/// What is known of a published container whose post was looked for.
pub fn of_published(container: &str, found: Vec<RemoteId>, query: &LookUpQuery<'_>, now: Timestamp) -> LookUpAnswer {
    if found.is_empty() && now.since(query.since) < NAMELESS_AFTER {
        return plain(of_status(Status::Published, query, now));
    }
    named(container, found)
}

/// The oldest of the posts found; without any the post is named by its container: it is out.
pub fn named(container: &str, found: Vec<RemoteId>) -> LookUpAnswer {
    let candidates = if found.is_empty() {
        vec![RemoteId::of_handle(container)]
    } else {
        found
    };
    LookUpAnswer {
        verdict: LookUp::Present {
            remote_id: candidates[0].clone(),
        },
        candidates,
    }
}

/// What is known of a container that Instagram does not find, once its post was looked for too.
pub fn of_gone(found: Vec<RemoteId>, query: &LookUpQuery<'_>, now: Timestamp) -> LookUpAnswer {
    if let Some(oldest) = found.first() {
        return LookUpAnswer {
            verdict: LookUp::Present {
                remote_id: oldest.clone(),
            },
            candidates: found,
        };
    }
    let message = "Instagram does not find what it had prepared";
    plain(if now.since(query.since) < NAMELESS_AFTER {
        processing(message, query, now)
    } else {
        LookUp::Refused {
            kind: RejectionKind::HandleVoid,
            message: message.to_owned(),
        }
    })
}

/// An answer without candidates.
pub const fn plain(verdict: LookUp) -> LookUpAnswer {
    LookUpAnswer {
        verdict,
        candidates: Vec::new(),
    }
}

/// What a failed question means.
pub fn unreadable(fault: Fault) -> LookUpAnswer {
    plain(LookUp::Unreadable {
        retry_at: fault.until,
        token_dead: fault.class == Class::TokenDead,
        message: fault.message,
    })
}

/// What a 2xx answer about one post means. The host of Instagram Login is said to leave captions out: where there is
/// none, `shows_captions` tells whether that says anything.
pub fn read_back(body: &[u8], text: &str, user: &RemoteUserId, shows_captions: bool) -> ReadBack {
    let Ok(post) = json::read::<wire::Media>(body) else {
        return ReadBack::Unreadable {
            message: "Instagram's post could not be read".to_owned(),
            token_dead: false,
        };
    };
    let owner = post.owner.and_then(|owner| owner.id);
    if owner.is_some_and(|owner| owner != user.as_str()) {
        return ReadBack::NotFound;
    }
    ReadBack::Found {
        same_text: match post.caption {
            Some(caption) => normal(&caption) == normal(text),
            None => !shows_captions || normal(text).is_empty(),
        },
    }
}

/// Where people find a post, from a 2xx answer.
pub fn address(body: &[u8]) -> Option<String> {
    let post = json::read::<wire::Media>(body).ok()?;
    post.permalink
        .filter(|address| address.starts_with("https://www.instagram.com/"))
}

/// Whose token it is, from a 2xx answer of the host of Instagram Login.
///
/// # Errors
/// In words, when the answer does not say.
pub fn who(body: &[u8]) -> Result<WhoAmI, String> {
    let me = json::read::<wire::Me>(body).ok();
    let (id, username) = me.map_or((None, None), |me| (me.user_id, me.username));
    let id = id.ok_or("Instagram's answer does not say whose token it is")?;
    Ok(WhoAmI {
        remote_user_id: RemoteUserId(id),
        username,
    })
}

/// The one Instagram account that a token of Facebook Login reaches.
///
/// # Errors
/// In words, when there is none, or more than one.
pub fn who_of_pages(body: &[u8]) -> Result<WhoAmI, String> {
    let pages = json::read::<wire::Pages>(body).map_err(|_| "Facebook's list of pages could not be read")?;
    let accounts = pages
        .data
        .into_iter()
        .filter_map(|page| page.instagram_business_account);
    let mut accounts = accounts.filter_map(|account| Some((account.id?, account.username)));
    match (accounts.next(), accounts.next()) {
        (Some((id, username)), None) => Ok(WhoAmI {
            remote_user_id: RemoteUserId(id),
            username,
        }),
        (None, _) => Err("the token reaches no Facebook page with an Instagram account".to_owned()),
        (Some(_), Some(_)) => Err("the token reaches several Instagram accounts: say which".to_owned()),
    }
}

/// `2027-01-15T08:00:00+0000`, as the Graph API writes times; RFC 3339 too.
fn graph_time(text: &str) -> Option<Timestamp> {
    let parsed = chrono::DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z");
    let parsed = parsed.ok().map(|at| Timestamp(at.timestamp_millis()));
    parsed.or_else(|| Timestamp::parse(text).ok())
}
