//! Reading back: is a post of ours on X, and which one?

use super::answer::{Problem, Trouble};
use super::{Vocabulary, escape, first_id_at, is_id, wire};
use crate::domain::id::{RemoteId, RemoteUserId};
use crate::domain::order;
use crate::domain::outcome::{LookUp, ReadBack};
use crate::domain::text::normalize_for_match;
use crate::domain::time::{Millis, Timestamp};
use crate::platforms::{LookUpAnswer, LookUpQuery, WhoAmI};
use crate::ports::json;
use std::borrow::Cow;

/// Pages read in one look. A page is one call and holds 100 posts; fewer than that are made in the minutes that count.
pub const PAGES_MAX: u32 = 3;

/// X's clock and ours may differ by this much.
const SLACK: Millis = Millis(60_000);

/// The fields that a look-up needs, as a query. In the newer vocabulary references are asked for as expansions.
pub fn fields(vocabulary: Vocabulary) -> &'static str {
    match vocabulary {
        Vocabulary::Tweet => "tweet.fields=attachments,author_id,created_at,entities,note_tweet,referenced_tweets,text",
        Vocabulary::Post => {
            "post.fields=attachments,created_at,entities,note_post,text&expansions=author_id,referenced_posts"
        }
    }
}

/// Address of the account's own posts since a minute before the first attempt.
pub fn timeline_path(query: &LookUpQuery<'_>, vocabulary: Vocabulary, page_token: Option<&str>) -> String {
    let mut path = format!(
        "/2/users/{}/tweets?max_results=100",
        escape(query.remote_user_id.as_str())
    );
    let since_id = first_id_at(query.since - SLACK);
    if since_id > 0 {
        path.push_str(&format!("&since_id={since_id}"));
    }
    if let Some(token) = page_token {
        path.push_str(&format!("&pagination_token={}", escape(token)));
    }
    format!("{path}&{}", fields(vocabulary))
}

/// A look-up in progress: pages go in, the answer comes out.
pub struct Search<'a> {
    query: &'a LookUpQuery<'a>,
    text: String,
    found: Vec<(u64, RemoteId)>,
}

impl<'a> Search<'a> {
    pub fn new(query: &'a LookUpQuery<'a>) -> Self {
        Self {
            query,
            text: normalize_for_match(query.text),
            found: Vec::new(),
        }
    }

    /// Takes in one page; the token of the next, if there is one.
    ///
    /// # Errors
    /// [`Trouble`], when the page does not tell what is and is not there.
    pub fn read_page(&mut self, body: &[u8]) -> Result<Option<String>, Trouble> {
        let page: wire::Page = json::read(body)
            .map_err(|error| later(format!("X's list of posts could not be read: {}", kind_of(&error))))?;
        let stated = page.meta.as_ref().and_then(|meta| meta.result_count);
        let posts = match (page.data, stated) {
            (Some(posts), _) => posts,
            (None, Some(0)) => Vec::new(),
            (None, _) => {
                let reason = page.errors.map(|errors| Problem::from_errors(&errors).detail());
                let reason = reason.unwrap_or_else(|| "neither posts nor a count".to_owned());
                return Err(later(format!("X answered without a list of posts: {reason}")));
            }
        };
        for post in &posts {
            self.consider(post)?;
        }
        Ok(page
            .meta
            .and_then(|meta| meta.next_token)
            .filter(|token| !token.is_empty()))
    }

    fn consider(&mut self, post: &wire::Post) -> Result<(), Trouble> {
        let query = self.query;
        let id = post.id.parse::<u64>().ok().filter(|_| is_id(&post.id));
        let id = id.ok_or_else(|| later("X's list of posts holds an id that is not a number"))?;
        if query.known_ids.iter().any(|known| known.as_str() == post.id) {
            return Ok(());
        }
        // Every answer to the fields we ask for has it; without, nothing else that is missing means anything.
        let made = post.created_at.as_deref().and_then(|at| Timestamp::parse(at).ok());
        let made = made.ok_or_else(|| Trouble::NotUnderstood {
            message: "X's list of posts lacks the fields that were asked for".to_owned(),
        })?;
        let author_fits = post
            .author_id
            .as_deref()
            .is_none_or(|author| author == query.remote_user_id.as_str());
        let parent_fits = post.reference("replied_to") == query.reply_to.map(RemoteId::as_str);
        let media_fit = media_count(post).is_none_or(|count| count == query.media_count);
        let is_repost = post.reference("retweeted").is_some();
        if author_fits
            && parent_fits
            && media_fit
            && !is_repost
            && made >= query.since - SLACK
            && says(post, &self.text)
        {
            self.found.push((id, RemoteId(post.id.clone())));
        }
        Ok(())
    }

    /// The answer. `complete` tells whether the last page was read: only then does nothing found mean anything.
    pub fn finish(mut self, complete: bool) -> LookUpAnswer {
        order::sort(&mut self.found);
        self.found.dedup();
        let candidates: Vec<RemoteId> = self.found.into_iter().map(|(_, id)| id).collect();
        let verdict = match candidates.first() {
            Some(oldest) => LookUp::Present {
                remote_id: oldest.clone(),
            },
            None if complete => LookUp::Absent,
            None => LookUp::Unreadable {
                message: "the account has more new posts on X than one look can read".to_owned(),
                retry_at: None,
                token_dead: false,
            },
        };
        LookUpAnswer { verdict, candidates }
    }
}

fn later(message: impl Into<String>) -> Trouble {
    Trouble::Later {
        message: message.into(),
        retry_at: None,
    }
}

/// What a 2xx answer about one post means.
pub fn read_back(body: &[u8], text: &str, remote_user_id: &RemoteUserId) -> ReadBack {
    let unreadable = |message: String| ReadBack::Unreadable {
        message,
        token_dead: false,
    };
    let answer = match json::read::<wire::One<wire::Post>>(body) {
        Ok(answer) => answer,
        Err(error) => {
            return unreadable(format!("X's post could not be read: {}", kind_of(&error)));
        }
    };
    match (answer.data, answer.errors.map(|errors| Problem::from_errors(&errors))) {
        (Some(post), _) => match post.author_id.as_deref() {
            Some(author) if author == remote_user_id.as_str() => ReadBack::Found {
                same_text: says(&post, &normalize_for_match(text)),
            },
            Some(_) => ReadBack::NotFound,
            None => unreadable("X does not say whose post it is".to_owned()),
        },
        (None, Some(problem)) if problem.is("resource-not-found") => ReadBack::NotFound,
        (None, Some(problem)) => unreadable(format!("X does not show the post: {}", problem.detail())),
        (None, None) => unreadable("X answered without a post".to_owned()),
    }
}

/// Whose token it is, from a 2xx answer.
///
/// # Errors
/// In words, when the answer does not say.
pub fn who(body: &[u8]) -> Result<WhoAmI, String> {
    let user = json::read::<wire::One<wire::User>>(body)
        .ok()
        .and_then(|answer| answer.data);
    match user.filter(|user| is_id(&user.id)) {
        Some(user) => Ok(WhoAmI {
            remote_user_id: RemoteUserId(user.id),
            username: user.username,
        }),
        None => Err("X's answer does not say whose token it is".to_owned()),
    }
}

/// How many media the post has; `None` when X does not say but shows that there are some.
fn media_count(post: &wire::Post) -> Option<usize> {
    let keys = post
        .attachments
        .as_ref()
        .and_then(|attached| attached.media_keys.as_ref());
    match keys {
        Some(keys) => Some(keys.len()),
        None if post.urls().any(|url| is_own_media(url, &post.id)) => None,
        None => Some(0),
    }
}

/// Whether the address is that of the post's own media.
fn is_own_media(url: &wire::Url, id: &str) -> bool {
    let own = [format!("/status/{id}/photo/"), format!("/status/{id}/video/")];
    let long = url.expanded_url.as_deref().unwrap_or_default();
    url.media_key.is_some() || own.iter().any(|own| long.contains(own))
}

/// Whether the post has that (normalized) text. X escapes `&`, `<` and `>` in a text, perhaps in addresses too, and puts
/// the address of its media at the end of it, perhaps without a word about what that stands for. It promises none of
/// it: each reading counts.
fn says(post: &wire::Post, text: &str) -> bool {
    let (theirs, urls) = post.whole_text();
    let reads = |theirs: &str| {
        let is_text = |reading: &str| normalize_for_match(reading) == text;
        let expanded = expand(theirs, urls, &post.id);
        is_text(&expand(&unescape(theirs), urls, &post.id)) || is_text(&unescape(&expanded)) || is_text(&expanded)
    };
    let has_media = media_count(post) != Some(0);
    reads(theirs) || (has_media && reads(without_last_link(theirs)))
}

/// The text without the short address at its end.
fn without_last_link(text: &str) -> &str {
    let (rest, last) = match text.trim_end().rsplit_once(char::is_whitespace) {
        Some((rest, last)) => (rest, last),
        None => ("", text.trim_end()),
    };
    if last.starts_with("https://t.co/") { rest } else { text }
}

/// The text with the short addresses that X puts in replaced by those they stand for. Those of the post's own media
/// stand for no text.
fn expand(text: &str, urls: &[wire::Url], id: &str) -> String {
    let mut pairs: Vec<(&str, &str)> = urls
        .iter()
        .filter_map(|url| {
            let short = url.url.as_deref().filter(|short| !short.is_empty())?;
            let long = url.expanded_url.as_deref()?;
            let long = if is_own_media(url, id) { "" } else { long };
            Some((short, long))
        })
        .collect();
    // Longest first: one short address may begin with another.
    order::sort_by_key(&mut pairs, |(short, _)| std::cmp::Reverse(short.len()));
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some((short, long)) = pairs.iter().find(|(short, _)| rest.starts_with(short)) {
            out.push_str(long);
            rest = &rest[short.len()..];
        } else {
            out.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    out
}

/// Undoes the escapes of HTML that X uses, once.
fn unescape(text: &str) -> Cow<'_, str> {
    const ESCAPES: [(&str, char); 5] = [
        ("&amp;", '&'),
        ("&lt;", '<'),
        ("&gt;", '>'),
        ("&quot;", '"'),
        ("&#39;", '\''),
    ];
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (taken, plain) = ESCAPES
            .iter()
            .find(|(escape, _)| rest.starts_with(escape))
            .map_or((1, '&'), |(escape, plain)| (escape.len(), *plain));
        out.push(plain);
        rest = &rest[taken..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// What is wrong with JSON, without any of its content.
fn kind_of(error: &serde_json::Error) -> &'static str {
    use serde_json::error::Category;
    match error.classify() {
        Category::Eof => "it ends too early",
        Category::Syntax | Category::Io => "it is not JSON",
        Category::Data => "it has another shape than expected",
    }
}
