//! Posts as X answers them, in either vocabulary.

use super::media::{Kind, Media};
use super::problems;
use super::settings::{Vocabulary, names};
use super::state::{DAY_MS, Post};
use super::{State, text};
use crate::domain::time::Timestamp;
use serde_json::{Map, Value, json};

/// What a read asks for: the names in `tweet.fields`, `post.fields` and `expansions`.
pub(super) struct Asked(Vec<String>);

impl Asked {
    pub fn of(query: &[(String, String)]) -> Self {
        Self::from_lists(query, &["tweet.fields", "post.fields", "expansions"])
    }

    fn from_lists(query: &[(String, String)], asking: &[&str]) -> Self {
        let lists = query.iter().filter(|(name, _)| asking.contains(&name.as_str()));
        Self(lists.flat_map(|(_, list)| list.split(',')).map(str::to_owned).collect())
    }

    fn any(&self, names: &[&str]) -> bool {
        self.0.iter().any(|asked| names.contains(&asked.as_str()))
    }
}

/// The text in the answer to a create.
pub(super) fn short_text(post: &Post, state: &State) -> String {
    shown(post, state).0
}

/// The text, its links, and the whole text with its links where the text is cut.
type Shown = (String, Vec<Value>, Option<(String, Vec<Value>)>);

fn shown(post: &Post, state: &State) -> Shown {
    let settings = &state.plan.settings;
    let username = state
        .accounts
        .get(&post.account)
        .map_or("i", |account| account.username.as_str());
    let kept = text::kept(&post.text);
    let (whole, whole_urls) = text::answered(&kept, post.id);
    let address = format!("https://x.com/{username}/status/{}", post.id);
    let is_long =
        names(&settings.long_posts, &post.account) && text::weighted_length(&kept) > settings.weighted_length_max;
    let (mut short, mut urls, note) = if is_long {
        let mut cut: String = kept.chars().take(settings.weighted_length_max / 2).collect();
        cut.push('…');
        let (mut cut, mut urls) = text::answered(&cut, post.id);
        text::append_link(&mut cut, &mut urls, post.id, &address);
        (cut, urls, Some((whole, whole_urls)))
    } else {
        (whole, whole_urls, None)
    };
    if !post.media.is_empty() {
        text::append_link(
            &mut short,
            &mut urls,
            post.id,
            &format!("{address}/{}/1", attached_as(post, state)),
        );
    }
    (short, urls, note)
}

/// The post with the fields that were asked for, named as the vocabulary says.
pub(super) fn post(post: &Post, state: &State, reader: Reader<'_>, asked: &Asked) -> Value {
    let settings = &state.plan.settings;
    let word = |tweet: &'static str, post: &'static str| match settings.vocabulary {
        Vocabulary::Tweet => tweet,
        Vocabulary::Post => post,
    };
    let id = post.id.to_string();
    let (short, urls, note) = shown(post, state);
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("id", id.clone().into());
    put("text", short.into());
    if settings.vocabulary == Vocabulary::Tweet || asked.any(&["edit_history_tweet_ids", "edit_history_post_ids"]) {
        put(word("edit_history_tweet_ids", "edit_history_post_ids"), json!([id]));
    }
    if asked.any(&["created_at"]) {
        put("created_at", post.at.to_rfc3339().into());
    }
    if asked.any(&["author_id"]) {
        put("author_id", post.account.clone().into());
    }
    if asked.any(&["conversation_id"]) {
        put("conversation_id", root(post, state).to_string().into());
    }
    if asked.any(&["entities"]) && !urls.is_empty() {
        put("entities", json!({"urls": urls}));
    }
    if let Some(parent) = post.reply_to {
        if asked.any(&["referenced_tweets", "referenced_tweets.id", "referenced_posts"]) {
            let reference = json!([{"type": "replied_to", "id": parent.to_string()}]);
            put(word("referenced_tweets", "referenced_posts"), reference);
        }
        if asked.any(&["in_reply_to_user_id"])
            && let Some(index) = state.own.by_id.get(&parent)
        {
            put("in_reply_to_user_id", state.own.posts[*index].account.clone().into());
        }
    }
    if let Some((text, urls)) = note
        && asked.any(&["note_tweet", "note_post"])
    {
        let mut value = json!({"text": text});
        if !urls.is_empty() {
            value["entities"] = json!({"urls": urls});
        }
        put(word("note_tweet", "note_post"), value);
    }
    if asked.any(&["attachments", "attachments.media_keys"]) && !post.media.is_empty() {
        let keys: Vec<String> = attached(post, state).map(Media::key).collect();
        put("attachments", json!({"media_keys": keys}));
    }
    let got = settings.metrics_of(post.id);
    let shares = word("retweet_count", "repost_count");
    if asked.any(&["public_metrics"]) {
        put(
            "public_metrics",
            json!({
                shares: got.reposts,
                "reply_count": got.replies,
                "like_count": got.likes,
                "quote_count": got.quotes,
                "bookmark_count": got.bookmarks,
                "impression_count": got.impressions,
            }),
        );
    }
    if !is_open(post, reader) {
        return Value::Object(out);
    }
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    if asked.any(&["non_public_metrics"]) {
        put(
            "non_public_metrics",
            json!({
                "impression_count": got.impressions,
                "url_link_clicks": got.url_link_clicks,
                "user_profile_clicks": got.user_profile_clicks,
                "engagements": got.engagements,
            }),
        );
    }
    if asked.any(&["organic_metrics"]) {
        put(
            "organic_metrics",
            json!({
                shares: got.reposts,
                "reply_count": got.replies,
                "like_count": got.likes,
                "impression_count": got.impressions,
                "url_link_clicks": got.url_link_clicks,
                "user_profile_clicks": got.user_profile_clicks,
            }),
        );
    }
    Value::Object(out)
}

/// Who reads, and when.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub account: &'a str,
    pub now: Timestamp,
}

/// Whether the reader may see what is not public: the author, for 30 days.
fn is_open(post: &Post, reader: Reader<'_>) -> bool {
    post.account == reader.account && reader.now.since(post.at).0 < 30 * DAY_MS
}

/// What was asked for and may not be seen, as elements of `errors`.
pub(super) fn withheld(
    post: &Post,
    vocabulary: Vocabulary,
    reader: Reader<'_>,
    asked: &Asked,
    parameter: &str,
) -> Vec<Value> {
    if is_open(post, reader) {
        return Vec::new();
    }
    let fields = ["non_public_metrics", "organic_metrics"].into_iter();
    let id = post.id.to_string();
    fields
        .filter(|field| asked.any(&[field]))
        .map(|field| problems::field_not_authorized(vocabulary, field, parameter, &id))
        .collect()
}

fn attached<'a>(post: &'a Post, state: &'a State) -> impl Iterator<Item = &'a Media> {
    let ids = post.media.iter().filter_map(|id| id.parse().ok());
    ids.filter_map(|id| state.own.media(id))
}

fn attached_as(post: &Post, state: &State) -> &'static str {
    let is_video = attached(post, state).any(|media| media.kind() == Some(Kind::Video));
    if is_video { "video" } else { "photo" }
}

/// Media with what an expansion of them asks for.
fn media<'a>(posts: impl Iterator<Item = &'a Post>, state: &State, reader: Reader<'_>, asked: &Asked) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    for post in posts {
        let got = state.plan.settings.metrics_of(post.id);
        for media in attached(post, state) {
            let kind = match media.kind() {
                Some(Kind::Video) => "video",
                Some(Kind::Gif) => "animated_gif",
                _ => "photo",
            };
            let mut one = json!({"media_key": media.key(), "type": kind});
            if let Some(text) = media.alt_text.as_ref().filter(|_| asked.any(&["alt_text"])) {
                one["alt_text"] = text.as_str().into();
            }
            if kind == "video" && asked.any(&["public_metrics"]) {
                one["public_metrics"] = json!({"view_count": got.video_views});
            }
            if kind == "video" && asked.any(&["non_public_metrics"]) && is_open(post, reader) {
                let playback = ["0", "25", "50", "75", "100"];
                let counts = playback.map(|part| (format!("playback_{part}_count"), Value::from(got.video_views)));
                one["non_public_metrics"] = counts.into_iter().collect();
            }
            if !found.contains(&one) {
                found.push(one);
            }
        }
    }
    found
}

fn root(post: &Post, state: &State) -> u64 {
    let mut id = post.id;
    let mut parent = post.reply_to;
    while let Some(up) = parent {
        id = up;
        parent = state
            .own
            .by_id
            .get(&up)
            .and_then(|index| state.own.posts[*index].reply_to);
    }
    id
}

/// `includes`, where an expansion asks for it.
pub(super) fn includes<'a>(
    posts: impl Iterator<Item = &'a Post> + Clone,
    state: &State,
    reader: Reader<'_>,
    query: &[(String, String)],
) -> Option<Value> {
    let expands = |wanted: &str| {
        let mut lists = query.iter().filter(|(name, _)| name == "expansions");
        lists.any(|(_, list)| list.split(',').any(|one| one == wanted))
    };
    let mut included = Map::new();
    if expands("author_id") {
        let mut ids: Vec<&str> = posts.clone().map(|post| post.account.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        let users: Vec<Value> = ids.into_iter().filter_map(|id| user(id, state)).collect();
        included.insert("users".to_owned(), users.into());
    }
    if expands("attachments.media_keys") {
        let asked = Asked::from_lists(query, &["media.fields"]);
        included.insert("media".to_owned(), media(posts, state, reader, &asked).into());
    }
    included.retain(|_, list| list.as_array().is_some_and(|list| !list.is_empty()));
    (!included.is_empty()).then_some(Value::Object(included))
}

/// An account as X answers it.
pub(super) fn user(id: &str, state: &State) -> Option<Value> {
    let account = state.accounts.get(id)?;
    Some(json!({"id": account.id, "name": account.username, "username": account.username}))
}
