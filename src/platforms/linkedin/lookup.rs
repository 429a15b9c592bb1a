//! Reading back: is a post of ours on LinkedIn, and which one? Only an organisation's posts can be read; a member's cannot
//! by any program (<https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/posts-api>:
//! `r_member_social` is closed).

use super::answer::Trouble;
use super::{little_text, media, urn, wire};
use crate::domain::id::RemoteId;
use crate::domain::order;
use crate::domain::outcome::{LookUp, ReadBack};
use crate::domain::text::normalize_for_match;
use crate::domain::time::{Millis, Timestamp};
use crate::platforms::{LookUpAnswer, LookUpQuery};
use crate::ports::json;

/// Posts in a page: the most that LinkedIn gives.
const PAGE_POSTS: usize = 100;

/// Pages read in one look.
pub const PAGES_MAX: usize = 3;

/// LinkedIn's clock and ours may differ by this much.
const SLACK: Millis = Millis(60_000);

/// When the same post may be sent once more to learn what became of the first: once LinkedIn has had time to make it, and
/// while it still refuses a repeat (10 minutes after the first; two are kept for clocks and waits).
const PROBE_MS: [Millis; 2] = [Millis(30_000), Millis(8 * 60_000)];

/// A post that LinkedIn has taken and not published yet is looked at again after this time.
const AGAIN_MS: Millis = Millis(30_000);

/// What is known of a member's post after an ambiguous call. LinkedIn refuses the same post within ten minutes and names
/// the first one: with `probe`, a second identical call settles it, be it taken or refused.
pub fn of_member(query: &LookUpQuery<'_>, probe: bool, now: Timestamp) -> LookUp {
    let age = now.since(query.since);
    let [from, until] = PROBE_MS;
    if probe && query.attempts == 1 && age < from {
        return LookUp::Unreadable {
            message: "LinkedIn is given half a minute before it is asked the same again".to_owned(),
            retry_at: Some(query.since + from),
            token_dead: false,
        };
    }
    if probe && query.attempts == 1 && age <= until {
        return LookUp::NotOut;
    }
    LookUp::Impossible {
        message: "LinkedIn lets no program see whether a member's post is out: look at \
                  https://www.linkedin.com/in/me/recent-activity/all/ and settle it with `psn post resolve`"
            .to_owned(),
    }
}

/// LinkedIn lets this token not see an organisation's posts.
pub fn unseen_organization(author: &str, detail: &str) -> LookUp {
    let number = author.rsplit(':').next().unwrap_or_default();
    LookUp::Impossible {
        message: format!(
            "this account may not read the organisation's posts ({detail}): look at \
             https://www.linkedin.com/company/{number}/posts/ and settle it with `psn post resolve`"
        ),
    }
}

/// A look-up in progress: pages go in, the answer comes out.
pub struct Search<'a> {
    query: &'a LookUpQuery<'a>,
    author: &'a str,
    text: String,
    found: Vec<(i64, RemoteId)>,
    unfinished: bool,
}

impl<'a> Search<'a> {
    pub fn new(query: &'a LookUpQuery<'a>, author: &'a str) -> Self {
        Self {
            query,
            author,
            text: normal(&little_text::escape(query.text)),
            found: Vec::new(),
            unfinished: false,
        }
    }

    /// Address of a page of the author's posts, newest first, pages counted from 0.
    pub fn path(&self, page: usize) -> String {
        let start = page * PAGE_POSTS;
        format!(
            "/rest/posts?author={}&q=author&start={start}&count={PAGE_POSTS}&sortBy=CREATED",
            urn::encoded(self.author)
        )
    }

    /// Takes in one page; whether there may be posts of the time in question on the next.
    ///
    /// # Errors
    /// [`Trouble`], when the page does not tell what is and is not there.
    pub fn read_page(&mut self, body: &[u8]) -> Result<bool, Trouble> {
        let unreadable = |message: &str| Trouble::Later {
            message: message.to_owned(),
        };
        let page = json::read::<wire::Page>(body);
        let page = page.map_err(|_| unreadable("LinkedIn's list of posts could not be read"))?;
        let mut goes_on = page.elements.len() >= PAGE_POSTS;
        for post in &page.elements {
            let made = post.created_at.or(post.published_at).map(Timestamp);
            let made = made.ok_or_else(|| unreadable("LinkedIn's list of posts does not say when they were made"))?;
            if made < self.query.since - SLACK {
                goes_on = false;
            } else if self.is_wanted(post) {
                self.take(post, made);
            }
        }
        Ok(goes_on)
    }

    fn is_wanted(&self, post: &wire::Post) -> bool {
        let is_known = self.query.known_ids.iter().any(|known| known.as_str() == post.id);
        let is_author = post.author.as_deref().is_none_or(|author| author == self.author);
        let same_text = normal(post.commentary.as_deref().unwrap_or_default()) == self.text;
        // Without a text it is the media that tell.
        let same_media = || media::ids(self.query.handles).any(|id| holds(&post.content, id));
        !is_known && is_author && same_text && (!self.text.is_empty() || same_media())
    }

    fn take(&mut self, post: &wire::Post, made: Timestamp) {
        match post.lifecycle_state.as_deref() {
            Some("PUBLISH_FAILED" | "DRAFT") => {}
            Some("PUBLISH_REQUESTED") => self.unfinished = true,
            _ if urn::is_post(&post.id) => self.found.push((made.0, RemoteId(post.id.clone()))),
            _ => {}
        }
    }

    /// The answer. `complete` tells whether all posts of the time in question were read: only then does nothing found mean
    /// anything.
    pub fn finish(mut self, complete: bool, now: Timestamp) -> LookUpAnswer {
        order::sort(&mut self.found);
        let candidates: Vec<RemoteId> = self.found.into_iter().map(|(_, id)| id).collect();
        let verdict = match candidates.first() {
            Some(oldest) => LookUp::Present {
                remote_id: oldest.clone(),
            },
            None if self.unfinished => LookUp::Processing {
                message: "LinkedIn has the post and has not published it yet".to_owned(),
                again_at: now + AGAIN_MS,
            },
            None if complete => LookUp::Absent,
            None => LookUp::Unreadable {
                message: "the organisation has more new posts on LinkedIn than one look can read".to_owned(),
                retry_at: None,
                token_dead: false,
            },
        };
        LookUpAnswer { verdict, candidates }
    }
}

/// A form of little text in which what was sent and what is read back are equal.
fn normal(little: &str) -> String {
    normalize_for_match(&little_text::shown(little))
}

/// Whether a string of this JSON is that.
fn holds(value: &serde_json::Value, text: &str) -> bool {
    match value {
        serde_json::Value::String(found) => found == text,
        serde_json::Value::Array(items) => items.iter().any(|item| holds(item, text)),
        serde_json::Value::Object(members) => members.values().any(|member| holds(member, text)),
        _ => false,
    }
}

/// What a 2xx answer about one post means. A post of an organisation counts as the account's: LinkedIn shows it to who may
/// publish there.
pub fn read_back(body: &[u8], text: &str, member: &str) -> ReadBack {
    let unreadable = |message: &str| ReadBack::Unreadable {
        message: message.to_owned(),
        token_dead: false,
    };
    let Ok(post) = json::read::<wire::Post>(body) else {
        return unreadable("LinkedIn's post could not be read");
    };
    match post.author.as_deref() {
        Some(author) if author == member || urn::is_organization(author) => ReadBack::Found {
            same_text: normal(post.commentary.as_deref().unwrap_or_default()) == normal(&little_text::escape(text)),
        },
        Some(_) => ReadBack::NotFound,
        None => unreadable("LinkedIn does not say whose post it is"),
    }
}
