//! `POST /{ig-id}/media`: what is asked for, and whether it may be.

use super::api::Call;
use super::problems::{self, Problem};
use super::settings::Settings;
use super::spec::{self, Node};
use super::state::{Change, Container, Kept, Kind, Source, fetch_of, unfetched, wrong_image};
use crate::dev::emulators::engine::fetch::Fetch;
use serde_json::{Map, Value, json};

type Parameters = Map<String, Value>;

/// What every kind takes beside its own.
const COMMON: [&str; 3] = ["access_token", "appsecret_proof", "is_ai_generated"];

/// The parameters of each kind, as the reference groups them.
const fn parameters_of(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Image => &[
            "image_url",
            "caption",
            "alt_text",
            "user_tags",
            "location_id",
            "collaborators",
            "product_tags",
        ],
        Kind::Reel => &[
            "media_type",
            "video_url",
            "caption",
            "cover_url",
            "thumb_offset",
            "share_to_feed",
            "audio_name",
            "trial_params",
            "upload_type",
            "user_tags",
            "location_id",
            "collaborators",
            "product_tags",
        ],
        Kind::Story => &["media_type", "image_url", "video_url", "upload_type", "user_tags"],
        Kind::CarouselItem => &[
            "is_carousel_item",
            "media_type",
            "image_url",
            "video_url",
            "upload_type",
            "alt_text",
            "user_tags",
            "product_tags",
        ],
        Kind::Carousel => &[
            "media_type",
            "children",
            "caption",
            "share_to_feed",
            "location_id",
            "collaborators",
            "product_tags",
        ],
    }
}

/// The image that must be fetched before the call can be decided: the call itself says what is wrong with one.
pub(super) fn fetch_first(call: &Call<'_>) -> Option<Fetch> {
    match asked(call).ok()?.source {
        Source::Image(url) => Some(fetch_of(&url, call.settings)),
        _ => None,
    }
}

/// Makes a container.
pub(super) fn create(call: &Call<'_>) -> Result<(Value, Change), Problem> {
    let mut container = asked(call)?;
    if call.kept().made_today(call.account, call.now) >= call.settings.containers_max {
        // The code is not documented.
        return Err(problems::known("4"));
    }
    if matches!(container.source, Source::Image(_)) {
        let file = match call.request.fetched.first() {
            Some(Ok(file)) => file,
            Some(Err(why)) => return Err(unfetched(why)),
            None => return Err(problems::known("-1/2207001")),
        };
        if let Some(problem) = wrong_image(container.kind, file) {
            return Err(problem);
        }
        container.file = Some((call.now, Ok(file.clone())));
    }
    let mut answer = json!({"id": container.id.to_string()});
    if container.source == Source::Upload {
        // The version of the call, as the documents have it in the address.
        let version = call.version.unwrap_or("v25.0");
        answer["uri"] = format!("{}/ig-api-upload/{version}/{}", call.request.origin, container.id).into();
    }
    Ok((answer, Change::Container(Box::new(container))))
}

fn asked(call: &Call<'_>) -> Result<Container, Problem> {
    let parameters = &call.parameters;
    spec::check(Node::User, call.is_facebook, "POST", "media", parameters)?;
    let kind = kind(parameters)?;
    let allowed = parameters_of(kind);
    if let Some(name) = parameters
        .keys()
        .find(|name| !allowed.contains(&name.as_str()) && !COMMON.contains(&name.as_str()))
    {
        return Err(problems::invalid(&format!(
            "The parameter {name} does not go with this kind of media"
        )));
    }
    let source = source(call, kind)?;
    let caption = text(parameters, "caption").to_owned();
    check_caption(&caption, call.settings)?;
    check_lists(parameters)?;
    let said = [
        "caption",
        "alt_text",
        "image_url",
        "video_url",
        "children",
        "media_type",
        "access_token",
    ];
    let details = parameters.iter().filter(|(name, _)| !said.contains(&name.as_str()));
    Ok(Container {
        id: call.kept().next_id(),
        at: call.now,
        account: call.account.to_owned(),
        kind,
        source,
        caption,
        alt_text: parameters
            .contains_key("alt_text")
            .then(|| text(parameters, "alt_text").to_owned()),
        details: details.map(|(name, value)| (name.clone(), value.clone())).collect(),
        processing_ms: call.settings.processing_ms,
        processing_error: call.settings.processing_error.clone(),
        file: None,
        upload: Default::default(),
        upload_kind: String::new(),
        published: None,
    })
}

fn text<'a>(parameters: &'a Parameters, name: &str) -> &'a str {
    parameters.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn is_true(parameters: &Parameters, name: &str) -> bool {
    let value = parameters.get(name);
    value.is_some_and(|value| *value == true || matches!(value.as_str(), Some("true" | "1")))
}

fn kind(parameters: &Parameters) -> Result<Kind, Problem> {
    let is_item = is_true(parameters, "is_carousel_item");
    match text(parameters, "media_type") {
        "" if is_item => Ok(Kind::CarouselItem),
        "VIDEO" if is_item => Ok(Kind::CarouselItem),
        "" => Ok(Kind::Image),
        "REELS" => Ok(Kind::Reel),
        "STORIES" => Ok(Kind::Story),
        "CAROUSEL" => Ok(Kind::Carousel),
        "VIDEO" => Err(problems::invalid(
            "media_type VIDEO is for items of a carousel: use REELS",
        )),
        _ => Err(problems::known("100/2207023")),
    }
}

fn source(call: &Call<'_>, kind: Kind) -> Result<Source, Problem> {
    let parameters = &call.parameters;
    if kind == Kind::Carousel {
        return children(call).map(Source::Children);
    }
    let (image, video) = (text(parameters, "image_url"), text(parameters, "video_url"));
    let is_upload = match text(parameters, "upload_type") {
        "" => false,
        "resumable" if call.is_facebook => true,
        "resumable" => return Err(problems::invalid("upload_type is for Facebook Login only")),
        _ => return Err(problems::invalid("upload_type must be resumable")),
    };
    let is_video_kind = !text(parameters, "media_type").is_empty();
    match (image.is_empty(), video.is_empty(), is_upload) {
        (false, true, false) if kind != Kind::Reel => Ok(Source::Image(image.to_owned())),
        (true, false, false) if is_video_kind => Ok(Source::Video(video.to_owned())),
        (true, true, true) if is_video_kind => Ok(Source::Upload),
        (true, true, false) => Err(problems::invalid("Only photo or video can be accepted as media type")),
        _ => Err(problems::invalid(
            "The media given do not go with this kind of media, or are more than one",
        )),
    }
}

/// Between 2 and 10 items of the same account, which are not used up.
fn children(call: &Call<'_>) -> Result<Vec<u64>, Problem> {
    let given = match call.parameters.get("children") {
        Some(Value::Array(list)) => list
            .iter()
            .map(|id| id.as_str().unwrap_or_default().to_owned())
            .collect(),
        Some(Value::String(text)) => serde_json::from_str::<Vec<String>>(text)
            .unwrap_or_else(|_| text.split(',').map(|id| id.trim().to_owned()).collect()),
        _ => Vec::new(),
    };
    if !(2..=10).contains(&given.len()) {
        return Err(problems::known("100/2207028"));
    }
    let kept: &Kept = call.kept();
    let ids = given.iter().map(|id| {
        let child = id.parse().ok().and_then(|id: u64| kept.containers.get(&id));
        let child = child.filter(|child| child.account == call.account && child.kind == Kind::CarouselItem);
        child.map(|child| child.id).ok_or_else(|| problems::no_such("POST", id))
    });
    ids.collect()
}

/// Characters of a caption. Which unit the documents mean is not said: the one that counts most.
const CAPTION_UNITS_MAX: usize = 2_200;
const ALT_TEXT_CHARS_MAX: usize = 1_000;
const MENTIONS_MAX: usize = 20;

fn check_caption(caption: &str, settings: &Settings) -> Result<(), Problem> {
    let words = |mark: char| {
        let starts = caption.match_indices(mark);
        starts
            .filter(|(at, _)| {
                let rest = caption[at + mark.len_utf8()..].chars().next();
                rest.is_some_and(|first| first.is_alphanumeric() || first == '_')
            })
            .count()
    };
    if caption.encode_utf16().count() > CAPTION_UNITS_MAX || words('#') > settings.hashtags_max {
        return Err(problems::known("36004/2207010"));
    }
    if words('@') > MENTIONS_MAX {
        return Err(problems::known("100/2207040"));
    }
    Ok(())
}

fn check_lists(parameters: &Parameters) -> Result<(), Problem> {
    if text(parameters, "alt_text").chars().count() > ALT_TEXT_CHARS_MAX {
        return Err(problems::invalid("alt_text may have 1000 characters at most"));
    }
    let collaborators = match parameters.get("collaborators") {
        Some(Value::Array(list)) => list.len(),
        Some(Value::String(text)) => text.split(',').count(),
        _ => 0,
    };
    if collaborators > 3 {
        return Err(problems::invalid("collaborators may be 3 at most"));
    }
    Ok(())
}
