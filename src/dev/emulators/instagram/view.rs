//! Posts as they are read back.

use super::api::{Call, time};
use super::problems::{self, Problem};
use super::spec::{self, Node};
use super::state::{Change, Container, Kind, Post, Source};
use crate::domain::time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Rows of a page, and at most.
const PAGE: usize = 25;
const PAGE_MAX: usize = 100;
/// Stories end after a day.
const STORY_MS: i64 = 24 * 3_600 * 1_000;

type Answer = Result<(Value, Change), Problem>;

/// The account's posts with their containers, oldest first.
pub(super) fn standing<'a>(call: &'a Call<'_>) -> impl Iterator<Item = (&'a Post, &'a Container)> {
    let posts = call.kept().posts.iter();
    let own = posts.filter_map(|post| Some((post, call.kept().container_of(post)?)));
    own.filter(|(_, container)| container.account == call.account)
}

/// The post of that id.
pub(super) fn find<'a>(call: &'a Call<'_>, id: &str) -> Result<(&'a Post, &'a Container), Problem> {
    let found = standing(call).find(|(post, _)| post.id.to_string() == id);
    found.ok_or_else(|| problems::no_such(&call.request.method, id))
}

/// One post, or one within a carousel.
pub(super) fn one(call: &Call<'_>, id: &str) -> Answer {
    spec::check(Node::Media, call.is_facebook, "GET", "", &call.parameters)?;
    let fields = fields(call)?;
    if let Ok((post, container)) = find(call, id) {
        return Ok((shown(call, post.id, post, container, &fields), Change::Read));
    }
    let within = standing(call).find_map(|(post, _)| {
        let child = post.children.iter().find(|child| child.1.to_string() == id)?;
        Some((post, call.kept().containers.get(&child.0)?, child.1))
    });
    let Some((post, container, id)) = within else {
        return Err(problems::no_such("GET", id));
    };
    Ok((shown(call, id, post, container, &fields), Change::Read))
}

/// The posts within a carousel.
pub(super) fn children(call: &Call<'_>, id: &str) -> Answer {
    let fields = fields(call)?;
    let (post, _) = find(call, id)?;
    let children = post.children.iter().filter_map(|(container, id)| {
        let container = call.kept().containers.get(container)?;
        Some(shown(call, *id, post, container, &fields))
    });
    Ok((json!({"data": children.collect::<Vec<_>>()}), Change::Read))
}

fn fields(call: &Call<'_>) -> Result<Vec<String>, Problem> {
    spec::fields(Node::Media, call.is_facebook, call.text("fields"), "id")
}

/// The newest first, stories apart from the rest. A new post is missing for as long as the settings say.
pub(super) fn list(call: &Call<'_>, stories: bool) -> Answer {
    let fields = fields(call)?;
    let limit = match call.parameters.get("limit") {
        None => PAGE,
        Some(limit) => {
            let limit = limit.as_str().and_then(|text| text.parse::<usize>().ok());
            let limit = limit.filter(|limit| (1..=PAGE_MAX).contains(limit));
            limit.ok_or_else(|| problems::invalid("limit must be from 1 to 100"))?
        }
    };
    let (since, until) = (time(call.text("since")), time(call.text("until")));
    let after = call.text("after");
    let before = |id: u64| after.is_empty() || cursor_of(after).is_some_and(|after| id < after);
    let mut rows: Vec<(&Post, &Container)> = standing(call)
        .filter(|(_, container)| (container.kind == Kind::Story) == stories)
        .filter(|(post, _)| call.now.since(post.at).0 >= call.settings.visible_after_ms)
        .filter(|(post, _)| !stories || call.now.since(post.at).0 < STORY_MS)
        .filter(|(post, _)| since.is_none_or(|since| post.at.0 / 1_000 >= since.0 / 1_000))
        .filter(|(post, _)| until.is_none_or(|until| post.at.0 / 1_000 <= until.0 / 1_000))
        .filter(|(post, _)| before(post.id))
        .collect();
    rows.reverse();
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let data = rows
        .iter()
        .map(|(post, container)| shown(call, post.id, post, container, &fields));
    let mut body = json!({"data": data.collect::<Vec<_>>()});
    if let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) {
        body["paging"] = json!({"cursors": {"before": cursor(first.id), "after": cursor(last.id)}});
        if has_more {
            let path = format!("{}{}", call.request.origin, call.request.path);
            let next = format!(
                "{path}?fields={}&limit={limit}&after={}",
                fields.join(","),
                cursor(last.id)
            );
            body["paging"]["next"] = next.into();
        }
    }
    Ok((body, Change::Read))
}

fn cursor(id: u64) -> String {
    URL_SAFE_NO_PAD.encode(id.to_string())
}

fn cursor_of(text: &str) -> Option<u64> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?.parse().ok()
}

/// The fields of a post; what it does not have is left out, as the Graph API does.
fn shown(call: &Call<'_>, id: u64, post: &Post, container: &Container, fields: &[String]) -> Value {
    let mut row = json!({"id": id.to_string()});
    for field in fields {
        let value = field_of(call, id, post, container, field);
        if !value.is_null() {
            row[field] = value;
        }
    }
    row
}

fn field_of(call: &Call<'_>, id: u64, post: &Post, container: &Container, field: &str) -> Value {
    let is_sparse = call.settings.hides_caption && !call.is_facebook;
    let account = call.state.accounts.get(&container.account);
    let shortcode = URL_SAFE_NO_PAD.encode(id.to_be_bytes());
    let count = |metric: &str| {
        call.settings
            .insights
            .get(metric)
            .copied()
            .map_or(Value::Null, Value::from)
    };
    match field {
        "caption" | "media_product_type" if is_sparse => Value::Null,
        "caption" if container.caption.is_empty() => Value::Null,
        "caption" if call.settings.strips_at => container.caption.replace('@', "").into(),
        "caption" => container.caption.clone().into(),
        "media_product_type" => product(container.kind).into(),
        "media_type" => media_type(container).into(),
        "timestamp" => graph_time(post.at).into(),
        "permalink" => {
            let folder = if container.kind == Kind::Reel { "reel" } else { "p" };
            format!("https://www.instagram.com/{folder}/{shortcode}/").into()
        }
        "shortcode" => shortcode.into(),
        "username" => account.map_or(Value::Null, |account| account.username.clone().into()),
        "owner" => json!({"id": container.account}),
        "alt_text" => container.alt_text.clone().into(),
        "is_comment_enabled" => true.into(),
        "is_shared_to_feed" if container.kind == Kind::Reel => {
            let asked = container.details.get("share_to_feed");
            asked.is_none_or(|asked| *asked == true || asked == "true").into()
        }
        "like_count" => count("likes"),
        "comments_count" => count("comments"),
        "media_url" => format!("https://scontent.cdninstagram.com/{id}").into(),
        "children" if !post.children.is_empty() => {
            let children = post.children.iter().map(|child| json!({"id": child.1.to_string()}));
            json!({"data": children.collect::<Vec<_>>()})
        }
        _ => Value::Null,
    }
}

pub(super) const fn product(kind: Kind) -> &'static str {
    match kind {
        Kind::Image | Kind::CarouselItem | Kind::Carousel => "FEED",
        Kind::Reel => "REELS",
        Kind::Story => "STORY",
    }
}

fn media_type(container: &Container) -> &'static str {
    match (&container.source, &container.file) {
        (Source::Children(_), _) => "CAROUSEL_ALBUM",
        (Source::Image(_), _) => "IMAGE",
        _ => "VIDEO",
    }
}

/// `2027-01-15T08:00:00+0000`.
fn graph_time(at: Timestamp) -> String {
    let text = at.to_rfc3339();
    format!("{}+0000", text.get(..19).unwrap_or(&text))
}
