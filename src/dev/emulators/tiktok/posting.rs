//! The `init` calls: <https://developers.tiktok.com/doc/content-posting-api-reference-direct-post> and `…-photo-post`.

use super::api::{Answer, Call};
use super::problems::{self, Problem};
use super::settings::names;
use super::state::{Change, Mode, Publication, Source};
use crate::domain::time::Millis;
use serde_json::{Map, Value, json};

const VIDEO_INFO: [&str; 9] = [
    "title",
    "privacy_level",
    "disable_duet",
    "disable_stitch",
    "disable_comment",
    "video_cover_timestamp_ms",
    "brand_content_toggle",
    "brand_organic_toggle",
    "is_aigc",
];
const PHOTO_INFO: [&str; 7] = [
    "title",
    "description",
    "privacy_level",
    "disable_comment",
    "auto_add_music",
    "brand_content_toggle",
    "brand_organic_toggle",
];

/// Lengths in UTF-16 units.
const VIDEO_TITLE_MAX: usize = 2_200;
const PHOTO_TITLE_MAX: usize = 90;
const DESCRIPTION_MAX: usize = 4_000;
const PHOTOS_MAX: usize = 35;

/// Where "MB" can be read in two ways, both must hold.
const CHUNK_BYTES_MIN: u64 = 5 * 1024 * 1024;
const CHUNK_BYTES_MAX: u64 = 64_000_000;
const LAST_CHUNK_BYTES_MAX: u64 = 128_000_000;
const CHUNKS_MAX: u64 = 1_000;
const VIDEO_BYTES_MAX: u64 = 4_000_000_000;

/// `video/init` and `inbox/video/init`; the latter takes no `post_info`.
pub(super) fn video(call: &Call<'_>, mode: Mode) -> Answer {
    let body = call.body()?;
    let known: &[&str] = match mode {
        Mode::Post => &["post_info", "source_info"],
        Mode::Draft => &["source_info"],
    };
    only(&body, known)?;
    let info = match mode {
        Mode::Post => post_info(call, &body, &VIDEO_INFO, VIDEO_TITLE_MAX)?,
        Mode::Draft => Map::new(),
    };
    let source = object(&body, "source_info")?;
    let source = match source.get("source").and_then(Value::as_str) {
        Some("FILE_UPLOAD") => {
            only(&source, &["source", "video_size", "chunk_size", "total_chunk_count"])?;
            upload(&source)?
        }
        Some("PULL_FROM_URL") => {
            only(&source, &["source", "video_url"])?;
            let url = source.get("video_url").and_then(Value::as_str).unwrap_or_default();
            check_owned(call, url)?;
            Source::Video(url.to_owned())
        }
        _ => return Err(problems::invalid("source must be FILE_UPLOAD or PULL_FROM_URL")),
    };
    begin(call, mode, source, info)
}

/// `content/init`: photos, by their addresses only.
pub(super) fn photos(call: &Call<'_>) -> Answer {
    let body = call.body()?;
    only(&body, &["media_type", "post_mode", "post_info", "source_info"])?;
    if body.get("media_type").is_none_or(|kind| kind != "PHOTO") {
        return Err(problems::invalid("media_type must be PHOTO"));
    }
    let mode = photo_mode(&body)?;
    call.may(match mode {
        Mode::Post => &["video.publish"],
        Mode::Draft => &["video.upload"],
    })?;
    let info = match mode {
        Mode::Post => post_info(call, &body, &PHOTO_INFO, PHOTO_TITLE_MAX)?,
        Mode::Draft => {
            let info = object(&body, "post_info").unwrap_or_default();
            only(&info, &PHOTO_INFO)?;
            check_texts(&info, PHOTO_TITLE_MAX)?;
            info
        }
    };
    let source = object(&body, "source_info")?;
    only(&source, &["source", "photo_images", "photo_cover_index"])?;
    if source.get("source").is_none_or(|source| source != "PULL_FROM_URL") {
        return Err(problems::invalid(
            "source must be PULL_FROM_URL: photos cannot be uploaded",
        ));
    }
    let urls = source.get("photo_images").and_then(Value::as_array);
    let urls: Vec<String> = urls
        .into_iter()
        .flatten()
        .filter_map(|url| url.as_str().map(str::to_owned))
        .collect();
    if urls.is_empty() || urls.len() > PHOTOS_MAX {
        return Err(problems::invalid("photo_images must be 1 to 35 addresses"));
    }
    let cover = source.get("photo_cover_index").map_or(Some(0), Value::as_u64);
    if cover.is_none_or(|cover| cover >= urls.len() as u64) {
        return Err(problems::invalid("photo_cover_index must be the index of a photo"));
    }
    for url in &urls {
        check_owned(call, url)?;
    }
    begin(call, mode, Source::Photos(urls), info)
}

/// Which scope a call of `content/init` needs, and what it becomes.
fn photo_mode(body: &Map<String, Value>) -> Result<Mode, Problem> {
    match body.get("post_mode").and_then(Value::as_str) {
        Some("DIRECT_POST") => Ok(Mode::Post),
        Some("MEDIA_UPLOAD") => Ok(Mode::Draft),
        _ => Err(problems::invalid("post_mode must be DIRECT_POST or MEDIA_UPLOAD")),
    }
}

fn only(fields: &Map<String, Value>, known: &[&str]) -> Result<(), Problem> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(problems::invalid(&format!("{name} is no field here"))),
        None => Ok(()),
    }
}

fn object(body: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, Problem> {
    let found = body.get(name).and_then(Value::as_object).cloned();
    found.ok_or_else(|| problems::invalid(&format!("{name} is missing")))
}

fn post_info(
    call: &Call<'_>,
    body: &Map<String, Value>,
    known: &[&str],
    title_max: usize,
) -> Result<Map<String, Value>, Problem> {
    let info = object(body, "post_info")?;
    only(&info, known)?;
    for (name, value) in &info {
        let fits = match name.as_str() {
            "title" | "description" | "privacy_level" => value.is_string(),
            "video_cover_timestamp_ms" => value.is_u64(),
            _ => value.is_boolean(),
        };
        if !fits {
            return Err(problems::invalid(&format!("{name} is of the wrong type")));
        }
    }
    for name in ["privacy_level", "brand_content_toggle", "brand_organic_toggle"] {
        if !info.contains_key(name) {
            return Err(problems::invalid(&format!("{name} is missing")));
        }
    }
    check_texts(&info, title_max)?;
    let privacy = info["privacy_level"].as_str().unwrap_or_default();
    let is_private = privacy == "SELF_ONLY";
    if !call.settings.audited && (!is_private || names(&call.settings.public_accounts, call.account)) {
        return Err(problems::known("unaudited_client_can_only_post_to_private_accounts"));
    }
    if !call
        .settings
        .privacy_level_options
        .iter()
        .any(|option| option == privacy)
    {
        return Err(problems::known("privacy_level_option_mismatch"));
    }
    if is_private && info["brand_content_toggle"] == true {
        return Err(problems::invalid("branded content cannot be private"));
    }
    Ok(info)
}

fn check_texts(info: &Map<String, Value>, title_max: usize) -> Result<(), Problem> {
    for (name, most) in [("title", title_max), ("description", DESCRIPTION_MAX)] {
        let text = info.get(name).and_then(Value::as_str).unwrap_or_default();
        if text.encode_utf16().count() > most {
            return Err(problems::invalid(&format!("{name} may have {most} UTF-16 units")));
        }
    }
    Ok(())
}

fn upload(source: &Map<String, Value>) -> Result<Source, Problem> {
    let number = |name: &str| {
        let value = source.get(name).and_then(Value::as_u64).filter(|value| *value > 0);
        value.ok_or_else(|| problems::invalid(&format!("{name} must be a number above 0")))
    };
    let (size, chunk, chunks) = (
        number("video_size")?,
        number("chunk_size")?,
        number("total_chunk_count")?,
    );
    let last = size.saturating_sub(chunk.saturating_mul(chunks - 1));
    let is_whole = chunk == size && chunks == 1;
    let why = if size > VIDEO_BYTES_MAX {
        "video_size is more than 4 GB"
    } else if chunk > size || chunks != size / chunk {
        "total_chunk_count must be video_size divided by chunk_size, rounded down"
    } else if chunks > CHUNKS_MAX {
        "total_chunk_count must be 1000 at most"
    } else if chunk > CHUNK_BYTES_MAX || last > LAST_CHUNK_BYTES_MAX {
        "chunk_size must be 64 MB at most, the last 128 MB"
    } else if chunk < CHUNK_BYTES_MIN && !is_whole {
        "chunk_size must be 5 MB at least"
    } else {
        return Ok(Source::Upload { size, chunk, chunks });
    };
    Err(problems::invalid(why))
}

fn check_owned(call: &Call<'_>, url: &str) -> Result<(), Problem> {
    if url.parse::<http::Uri>().is_err() || !url.contains("://") {
        return Err(problems::invalid("the address of the media is none"));
    }
    let is_owned = call
        .settings
        .verified_prefixes
        .iter()
        .any(|prefix| url.starts_with(prefix.as_str()));
    is_owned
        .then_some(())
        .ok_or_else(|| problems::known("url_ownership_unverified"))
}

fn begin(call: &Call<'_>, mode: Mode, source: Source, info: Map<String, Value>) -> Answer {
    let kept = &call.state.own;
    let (most, problem) = match mode {
        Mode::Post => (call.settings.posts_24h_max, "spam_risk_too_many_posts"),
        Mode::Draft => (call.settings.drafts_24h_max, "spam_risk_too_many_pending_share"),
    };
    if kept.today(call.account, mode, call.now) >= most {
        return Err(problems::known(problem));
    }
    let number = kept.next_id();
    let form = match (mode, &source) {
        (Mode::Post, Source::Upload { .. }) => "v_pub_file~v2-1",
        (Mode::Post, Source::Video(_)) => "v_pub_url~v2-1",
        (Mode::Draft, Source::Upload { .. }) => "v_inbox_file~v2",
        (Mode::Draft, Source::Video(_)) => "v_inbox_url~v2",
        (Mode::Post, Source::Photos(_)) => "p_pub_url~v2",
        (Mode::Draft, Source::Photos(_)) => "p_inbox_url~v2",
    };
    let id = format!("{form}.{number}");
    let upload_token = call.fresh_token();
    let mut data = json!({ "publish_id": id });
    if matches!(source, Source::Upload { .. }) {
        let origin = &call.request.origin;
        data["upload_url"] = format!("{origin}/video/?upload_id={number}&upload_token={upload_token}").into();
    }
    let publication = Publication {
        id,
        post_id: number,
        at: call.now,
        account: call.account.to_owned(),
        mode,
        source,
        info,
        upload_token,
        upload_until: call.now + Millis(call.settings.upload_life_ms),
        upload: Default::default(),
        upload_kind: String::new(),
        files: Default::default(),
        complete_at: None,
        is_cancelled: false,
        processing_ms: call.settings.processing_ms,
        fail_reason: call.settings.fail_reason.clone(),
        public_after_ms: call.settings.public_after_ms,
    };
    Ok((data, Change::Begun(Box::new(publication))))
}
