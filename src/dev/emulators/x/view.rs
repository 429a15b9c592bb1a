//! Posts as X answers them, in either vocabulary.

use super::settings::{Settings, Vocabulary, names};
use super::state::Post;
use super::{State, text};
use serde_json::{Map, Value, json};

/// What a read asks for: the names in `tweet.fields`, `post.fields` and `expansions`.
pub(super) struct Asked(Vec<String>);

impl Asked {
    pub fn of(query: &[(String, String)]) -> Self {
        let asking = ["tweet.fields", "post.fields", "expansions"];
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
        text::append_link(&mut short, &mut urls, post.id, &format!("{address}/photo/1"));
    }
    (short, urls, note)
}

/// The post with the fields that were asked for, named as the vocabulary says.
pub(super) fn post(post: &Post, state: &State, settings: &Settings, asked: &Asked) -> Value {
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
        let keys: Vec<String> = post.media.iter().map(|media| format!("3_{media}")).collect();
        put("attachments", json!({"media_keys": keys}));
    }
    if asked.any(&["public_metrics"]) {
        let shares = word("retweet_count", "repost_count");
        put(
            "public_metrics",
            json!({shares: 0, "reply_count": 0, "like_count": 0, "quote_count": 0, "bookmark_count": 0, "impression_count": 0}),
        );
    }
    Value::Object(out)
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
    posts: impl Iterator<Item = &'a Post>,
    state: &State,
    query: &[(String, String)],
) -> Option<Value> {
    let expands = query
        .iter()
        .any(|(name, list)| name == "expansions" && list.split(',').any(|one| one == "author_id"));
    let mut ids: Vec<&str> = posts.map(|post| post.account.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let users: Vec<Value> = ids.into_iter().filter_map(|id| user(id, state)).collect();
    (expands && !users.is_empty()).then(|| json!({"users": users}))
}

/// An account as X answers it.
pub(super) fn user(id: &str, state: &State) -> Option<Value> {
    let account = state.accounts.get(id)?;
    Some(json!({"id": account.id, "name": account.username, "username": account.username}))
}
