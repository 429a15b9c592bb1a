//! Posts: create, change, delete, read back.
//! <https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/posts-api>.

use super::api::{Answer, Author, Call, Outcome};
use super::errors::{self, Refusal};
use super::state::{Change, Kind, Post, Status};
use super::text;
use crate::dev::emulators::engine::Reply;
use crate::domain::time::Timestamp;
use serde_json::{Value, json};

/// Fields of a post, and whether they are needed.
const FIELDS: [(&str, bool); 8] = [
    ("author", true),
    ("commentary", true),
    ("visibility", true),
    ("distribution", true),
    ("lifecycleState", true),
    ("isReshareDisabledByAuthor", false),
    ("content", false),
    ("reshareContext", false),
];

/// The number of a post or asset: the milliseconds and a counter, always more than the last one.
pub(super) fn next_serial(last: u64, now: Timestamp) -> u64 {
    (u64::try_from(now.0).unwrap_or(0) << 22).max(last + 1)
}

pub(super) fn create(call: &Call<'_>) -> Outcome {
    let body = call.body()?;
    check_fields(&body, "", &FIELDS)?;
    let author = text_at(&body, "", "author")?;
    call.may_publish(Author::of(author, "/author")?, "posts.CREATE")?;
    check_commentary(call, &body)?;
    one_of(
        &body,
        "",
        "visibility",
        &["PUBLIC", "CONNECTIONS", "LOGGED_IN", "CONTAINER"],
    )?;
    one_of(&body, "", "lifecycleState", &["PUBLISHED"])?;
    let distribution = &body["distribution"];
    let known = [
        ("feedDistribution", true),
        ("targetEntities", false),
        ("thirdPartyDistributionChannels", false),
    ];
    check_fields(distribution, "/distribution", &known)?;
    one_of(
        distribution,
        "/distribution",
        "feedDistribution",
        &["MAIN_FEED", "NONE"],
    )?;
    let media = check_content(call, author, &body["content"])?;
    if let Some(context) = body.get("reshareContext") {
        check_fields(context, "/reshareContext", &[("parent", true)])?;
        let parent = text_at(context, "/reshareContext", "parent")?;
        if !is_post_urn(parent) {
            return Err(errors::field(
                400,
                "INVALID_URN_TYPE",
                "/reshareContext/parent",
                "expected a share or a ugcPost",
            ));
        }
    }
    if body["commentary"] == "" && body.get("content").is_none() && body.get("reshareContext").is_none() {
        return Err(errors::invalid(
            "/commentary",
            "a post needs a text, content or a post that it reshares",
        ));
    }
    check_duplicate(call, &body)?;
    let serial = next_serial(call.state.own.last_serial, call.now);
    // Which of the two it is, is LinkedIn's affair; both occur.
    let content = &body["content"];
    let is_rich = media.iter().any(|urn| !urn.starts_with("urn:li:image:"));
    let is_ugc = is_rich || content.get("multiImage").is_some() || content.get("poll").is_some();
    let urn = format!("urn:li:{}:{serial}", if is_ugc { "ugcPost" } else { "share" });
    let post = Post {
        serial,
        urn: urn.clone(),
        at: call.now,
        changed_at: call.now,
        author: author.to_owned(),
        body: body.clone(),
        media,
        deleted_at: None,
    };
    let reply = Reply {
        headers: vec![("x-restli-id", urn)],
        ..Reply::empty(201)
    };
    Ok(Answer {
        reply,
        change: Change::Created(Box::new(post)),
    })
}

fn is_post_urn(urn: &str) -> bool {
    ["urn:li:share:", "urn:li:ugcPost:"]
        .into_iter()
        .filter_map(|kind| urn.strip_prefix(kind))
        .any(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Refuses fields that are not known and those that are missing, as rest.li does.
fn check_fields(value: &Value, path: &str, fields: &[(&str, bool)]) -> Result<(), Refusal> {
    let Some(members) = value.as_object() else {
        return Err(errors::shape(path, "is not an object"));
    };
    for name in members.keys() {
        if !fields.iter().any(|(known, _)| known == name) {
            let path = format!("{path}/{name}");
            return Err(errors::shape(&path, "unrecognized field found but not allowed"));
        }
    }
    let missing = fields
        .iter()
        .find(|(name, needed)| *needed && !members.contains_key(*name));
    missing.map_or(Ok(()), |(name, _)| Err(errors::missing(&format!("{path}/{name}"))))
}

fn text_at<'a>(value: &'a Value, path: &str, name: &str) -> Result<&'a str, Refusal> {
    let path = format!("{path}/{name}");
    match value.get(name) {
        None => Err(errors::missing(&path)),
        Some(found) => found.as_str().ok_or_else(|| errors::shape(&path, "is not a string")),
    }
}

fn one_of(value: &Value, path: &str, name: &str, allowed: &[&str]) -> Result<(), Refusal> {
    let text = text_at(value, path, name)?;
    if allowed.contains(&text) {
        return Ok(());
    }
    let why = format!("expected one of {}, got `{text}`", allowed.join(", "));
    Err(errors::invalid(&format!("{path}/{name}"), &why))
}

fn no_longer(value: &Value, path: &str, name: &str, most: usize) -> Result<(), Refusal> {
    let text = value.get(name).map_or(Ok(""), |_| text_at(value, path, name))?;
    if text.encode_utf16().count() > most {
        return Err(errors::too_long(&format!("{path}/{name}"), most));
    }
    Ok(())
}

fn check_commentary(call: &Call<'_>, body: &Value) -> Result<(), Refusal> {
    let commentary = text_at(body, "", "commentary")?;
    let settings = call.settings();
    let most = settings.commentary_length_max;
    let length = if settings.escapes_count {
        commentary.encode_utf16().count()
    } else {
        text::shown(commentary).text.encode_utf16().count()
    };
    if length > most {
        return Err(errors::too_long("/commentary", most));
    }
    Ok(())
}

/// The media of a post's content, all of them its author's and there.
fn check_content(call: &Call<'_>, author: &str, content: &Value) -> Result<Vec<String>, Refusal> {
    if content.is_null() {
        return Ok(Vec::new());
    }
    let kinds = ["media", "multiImage", "article", "poll"];
    check_fields(content, "/content", &kinds.map(|kind| (kind, false)))?;
    if content.as_object().map_or(0, serde_json::Map::len) != 1 {
        let why = "expected one of media, multiImage, article, poll";
        return Err(errors::invalid("/content", why));
    }
    let checks = Attached { call, author };
    if let Some(media) = content.get("media") {
        return checks.medium(media);
    }
    if let Some(images) = content.get("multiImage") {
        return checks.images(images);
    }
    if let Some(article) = content.get("article") {
        return checks.article(article);
    }
    check_poll(&content["poll"])?;
    Ok(Vec::new())
}

struct Attached<'a> {
    call: &'a Call<'a>,
    author: &'a str,
}

impl Attached<'_> {
    /// Refuses unless the asset is one of these kinds, the author's, and uploaded.
    fn asset(&self, urn: &str, path: &str, kinds: &[Kind]) -> Result<Kind, Refusal> {
        let kind = kinds
            .iter()
            .find(|kind| urn.starts_with(&format!("urn:li:{}:", kind.name())));
        let Some(kind) = kind else {
            let why = format!("{path} :: `{urn}` is not a URN of a kind that may stand here");
            return Err(errors::field(400, "INVALID_URN_TYPE", path, &why));
        };
        let Some(asset) = self.call.state.own.assets.get(urn) else {
            let why = format!("{path} :: there is no asset `{urn}`");
            return Err(errors::field(400, "INVALID_URN_ID", path, &why));
        };
        let refused = |code: &str, why: &str| Err(errors::field(400, code, path, &format!("{path} :: {why}")));
        if asset.owner != self.author {
            return refused(
                "INVALID_CONTENT_OWNERSHIP",
                "the owner of the asset is not the author of the post",
            );
        }
        match asset.status(self.call.settings(), self.call.now) {
            Status::Waiting => refused("MEDIA_ASSET_WAITING_UPLOAD", "the asset waits for its upload"),
            Status::Failed => refused("MEDIA_ASSET_PROCESSING_FAILED", "the asset could not be processed"),
            Status::Processing | Status::Available => Ok(*kind),
        }
    }

    fn medium(&self, media: &Value) -> Result<Vec<String>, Refusal> {
        let path = "/content/media";
        check_fields(media, path, &[("id", true), ("title", false), ("altText", false)])?;
        no_longer(media, path, "altText", 4_086)?;
        let urn = text_at(media, path, "id")?;
        let kind = self.asset(urn, "/content/media/id", &[Kind::Image, Kind::Video, Kind::Document])?;
        if kind == Kind::Document && text_at(media, path, "title")?.is_empty() {
            return Err(errors::invalid("/content/media/title", "a document needs a title"));
        }
        Ok(vec![urn.to_owned()])
    }

    fn images(&self, images: &Value) -> Result<Vec<String>, Refusal> {
        check_fields(images, "/content/multiImage", &[("images", true)])?;
        let images = images["images"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !(2..=20).contains(&images.len()) {
            let why = format!("expected 2 to 20 images, got {}", images.len());
            return Err(errors::invalid("/content/multiImage/images", &why));
        }
        let mut urns = Vec::new();
        for (index, image) in images.iter().enumerate() {
            let path = format!("/content/multiImage/images/{index}");
            check_fields(image, &path, &[("id", true), ("altText", false)])?;
            no_longer(image, &path, "altText", 4_086)?;
            let urn = text_at(image, &path, "id")?;
            self.asset(urn, &format!("{path}/id"), &[Kind::Image])?;
            urns.push(urn.to_owned());
        }
        Ok(urns)
    }

    fn article(&self, article: &Value) -> Result<Vec<String>, Refusal> {
        let path = "/content/article";
        let known = [
            ("source", true),
            ("title", true),
            ("description", false),
            ("thumbnail", false),
        ];
        check_fields(article, path, &known)?;
        let source = text_at(article, path, "source")?;
        if !source.starts_with("https://") && !source.starts_with("http://") {
            return Err(errors::invalid("/content/article/source", "is not a web address"));
        }
        text_at(article, path, "title")?;
        if article.get("thumbnail").is_none() {
            return Ok(Vec::new());
        }
        let urn = text_at(article, path, "thumbnail")?;
        self.asset(urn, "/content/article/thumbnail", &[Kind::Image])?;
        Ok(vec![urn.to_owned()])
    }
}

fn check_poll(poll: &Value) -> Result<(), Refusal> {
    let path = "/content/poll";
    check_fields(poll, path, &[("question", true), ("options", true), ("settings", true)])?;
    text_at(poll, path, "question")?;
    no_longer(poll, path, "question", 140)?;
    let options = poll["options"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !(2..=4).contains(&options.len()) {
        let why = format!("expected 2 to 4 options, got {}", options.len());
        return Err(errors::invalid("/content/poll/options", &why));
    }
    for (index, option) in options.iter().enumerate() {
        let path = format!("/content/poll/options/{index}");
        check_fields(option, &path, &[("text", true)])?;
        text_at(option, &path, "text")?;
        no_longer(option, &path, "text", 30)?;
    }
    let path = "/content/poll/settings";
    let settings = &poll["settings"];
    let known = [
        ("duration", true),
        ("voteSelectionType", false),
        ("isVoterVisibleToAuthor", false),
    ];
    check_fields(settings, path, &known)?;
    one_of(
        settings,
        path,
        "duration",
        &["ONE_DAY", "THREE_DAYS", "SEVEN_DAYS", "FOURTEEN_DAYS"],
    )
}

/// A post that was deleted still counts as an earlier one.
fn check_duplicate(call: &Call<'_>, body: &Value) -> Result<(), Refusal> {
    let settings = call.settings();
    if !settings.duplicate_check {
        return Ok(());
    }
    let posts = call.state.own.posts.iter().rev();
    let mut recent = posts.take_while(|post| call.now.since(post.at).0 < settings.duplicate_window_ms);
    let earlier = recent.find(|post| post.body == *body);
    earlier.map_or(Ok(()), |post| Err(errors::duplicate(&post.urn)))
}

/// The post of a path, which the caller must be allowed to publish as its author; `None` when there is none.
fn own<'a>(call: &'a Call<'_>, raw: &str, what: &str) -> Result<Option<&'a Post>, Refusal> {
    let urn = call.urn(raw, "entity key")?;
    if !is_post_urn(&urn) {
        let why = format!("expected a share or a ugcPost, got `{urn}`");
        return Err(errors::field(400, "INVALID_URN_TYPE", "/id", &why));
    }
    let Some(post) = call.state.own.standing(&urn) else {
        return Ok(None);
    };
    call.may_publish(Author::of(&post.author, "/author")?, what)?;
    Ok(Some(post))
}

pub(super) fn update(call: &Call<'_>, raw: &str) -> Outcome {
    let post = own(call, raw, "posts.PARTIAL_UPDATE")?.ok_or_else(|| errors::not_found(raw))?;
    let body = call.body()?;
    check_fields(&body, "", &[("patch", true)])?;
    check_fields(&body["patch"], "/patch", &[("$set", true)])?;
    let set = &body["patch"]["$set"];
    let known = [
        ("commentary", false),
        ("contentCallToActionLabel", false),
        ("contentLandingPage", false),
    ];
    check_fields(set, "/patch/$set", &known)?;
    if set.get("commentary").is_some() {
        check_commentary(call, set)?;
    }
    let change = Change::Updated {
        urn: post.urn.clone(),
        set: set.clone(),
    };
    Ok(Answer::empty(204, change))
}

pub(super) fn delete(call: &Call<'_>, raw: &str) -> Outcome {
    let change = match own(call, raw, "posts.DELETE")? {
        Some(post) => Change::Deleted(post.urn.clone()),
        None => Change::None,
    };
    Ok(Answer::empty(204, change))
}

/// Refuses unless the caller may read posts of this author. Nobody may read a person's: `r_member_social` is closed.
fn may_read(call: &Call<'_>, author: &str, what: &str) -> Result<(), Refusal> {
    let may = match Author::of(author, "author")? {
        Author::Person(_) => false,
        Author::Organization(id) => call.role(id).is_some() && call.has_scope("r_organization_social"),
    };
    may.then_some(()).ok_or_else(|| errors::denied(what, call.version))
}

/// Whether a post can be read already: lag, and the processing of its media.
fn is_visible(call: &Call<'_>, post: &Post) -> bool {
    let settings = call.settings();
    let assets = post.media.iter().filter_map(|urn| call.state.own.assets.get(urn));
    let mut statuses = assets.map(|asset| asset.status(settings, call.now));
    post.deleted_at.is_none()
        && call.now.since(post.at).0 >= settings.visible_after_ms
        && statuses.all(|status| status == Status::Available)
}

fn shown(post: &Post) -> Value {
    let mut body = post.body.clone();
    let commentary = post.commentary();
    let read_bytes = text::shown(commentary).read_bytes;
    body["commentary"] = commentary[..read_bytes].into();
    body["id"] = post.urn.as_str().into();
    body["createdAt"] = post.at.0.into();
    body["publishedAt"] = post.at.0.into();
    body["lastModifiedAt"] = post.changed_at.0.into();
    body
}

pub(super) fn one(call: &Call<'_>, raw: &str) -> Outcome {
    let urn = call.urn(raw, "entity key")?;
    let post = call.state.own.standing(&urn);
    let what = "posts.GET";
    match post {
        Some(post) => may_read(call, &post.author, what)?,
        None if !call.has_scope("r_organization_social") => return Err(errors::denied(what, call.version)),
        None => {}
    }
    let post = post.filter(|post| is_visible(call, post));
    let post = post.ok_or_else(|| errors::not_found(&urn))?;
    Ok(Answer::json(shown(post), Change::Read))
}

pub(super) fn by_author(call: &Call<'_>) -> Outcome {
    if call.raw("q") != Some("author") {
        let message = "The parameter q must be author.";
        return Err(errors::plain(400, "ILLEGAL_ARGUMENT", message));
    }
    let raw = call.raw("author").unwrap_or_default();
    let author = call.urn(raw, "parameter author")?;
    may_read(call, &author, "posts.FINDER-author")?;
    let number = |name: &str, otherwise: usize| match call.raw(name) {
        None => Ok(otherwise),
        Some(text) => text.parse::<usize>().map_err(|_| {
            errors::plain(
                400,
                "ILLEGAL_ARGUMENT",
                &format!("The parameter {name} must be a number."),
            )
        }),
    };
    let (start, count) = (number("start", 0)?, number("count", 10)?);
    if count > 100 {
        let message = "The parameter count must not exceed 100.";
        return Err(errors::plain(400, "ILLEGAL_ARGUMENT", message));
    }
    let posts = call.state.own.posts.iter();
    let mut found: Vec<&Post> = posts
        .filter(|post| post.author == author && is_visible(call, post))
        .collect();
    match call.raw("sortBy").unwrap_or("LAST_MODIFIED") {
        "CREATED" => found.sort_by_key(|post| std::cmp::Reverse(post.serial)),
        "LAST_MODIFIED" => found.sort_by_key(|post| std::cmp::Reverse((post.changed_at, post.serial))),
        _ => {
            return Err(errors::plain(
                400,
                "ILLEGAL_ARGUMENT",
                "The parameter sortBy must be CREATED or LAST_MODIFIED.",
            ));
        }
    }
    let total = found.len();
    let elements: Vec<Value> = found.into_iter().skip(start).take(count).map(shown).collect();
    let paging = json!({"start": start, "count": count, "total": total, "links": []});
    Ok(Answer::json(
        json!({"paging": paging, "elements": elements}),
        Change::Read,
    ))
}
