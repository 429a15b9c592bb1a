//! Images, videos and documents: addresses to upload to, bytes, status.
//! <https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/videos-api> and its siblings.

use super::State;
use super::api::{Answer, Author, Call, Outcome, no_such_route, refusal};
use super::errors::{self, Refusal};
use super::posts::next_serial;
use super::settings::Settings;
use super::state::{Asset, Change, Kind, Status};
use crate::dev::emulators::engine::media::{Gathered, Running, kind_of};
use crate::dev::emulators::engine::{Done, Moment, Reply, Request};
use crate::domain::time::Millis;
use serde_json::{Value, json};

/// Bytes of a video's part, but for the last.
const PART_BYTES: u64 = 4_194_304;

pub(super) fn initialize(call: &Call<'_>, kind: Kind) -> Outcome {
    let body = call.body()?;
    let asked = &body["initializeUploadRequest"];
    let known: &[&str] = match kind {
        Kind::Video => &["owner", "fileSizeBytes", "uploadCaptions", "uploadThumbnail"],
        _ => &["owner"],
    };
    for name in asked.as_object().into_iter().flatten().map(|(name, _)| name) {
        if !known.contains(&name.as_str()) {
            let path = format!("/initializeUploadRequest/{name}");
            return Err(errors::shape(&path, "unrecognized field found but not allowed"));
        }
    }
    let path = "/initializeUploadRequest/owner";
    let owner = asked["owner"].as_str().ok_or_else(|| errors::missing(path))?;
    let what = format!("{}.ACTION-initializeUpload", kind.resource());
    call.may_publish(Author::of(owner, path)?, &what)?;
    let settings = call.settings();
    let file_bytes = (kind == Kind::Video)
        .then(|| video_bytes(settings, asked))
        .transpose()?;
    let serial = next_serial(call.state.own.last_serial, call.now);
    let id = format!("C5{}AQ{serial:x}", ["E22", "D05", "D1F"][kind as usize]);
    let asset = Asset {
        serial,
        kind,
        urn: format!("urn:li:{}:{id}", kind.name()),
        owner: owner.to_owned(),
        account: call.account.to_owned(),
        at: call.now,
        expires_at: call.now + Millis(settings.upload_expires_after_ms),
        file_bytes,
        gathered: Gathered::default(),
        looks: None,
        uploaded_at: None,
        fails: false,
    };
    let host = call.request.header("host").unwrap_or_default();
    let url = |part: u64| {
        format!(
            "http://{host}/dms-uploads/{}/{id}/{part}?app=1&sig={serial:x}",
            kind.resource()
        )
    };
    let expires_at = asset.expires_at.0;
    let value = match kind {
        Kind::Video => {
            let parts = (0..)
                .zip(ranges(file_bytes.unwrap_or(0)))
                .map(|(part, (first, last))| json!({"uploadUrl": url(part), "firstByte": first, "lastByte": last}));
            json!({
                "video": asset.urn,
                "uploadToken": upload_token(&asset),
                "uploadInstructions": parts.collect::<Vec<Value>>(),
                "uploadUrlsExpireAt": expires_at,
            })
        }
        Kind::Image | Kind::Document => {
            json!({"uploadUrl": url(0), "uploadUrlExpiresAt": expires_at, kind.name(): asset.urn})
        }
    };
    Ok(Answer::json(json!({ "value": value }), Change::Began(Box::new(asset))))
}

fn video_bytes(settings: &Settings, asked: &Value) -> Result<u64, Refusal> {
    let path = "/initializeUploadRequest/fileSizeBytes";
    let bytes = asked["fileSizeBytes"].as_u64().ok_or_else(|| errors::missing(path))?;
    let (least, most) = (settings.video_bytes_min, settings.video_bytes_max);
    if !(least..=most).contains(&bytes) {
        return Err(errors::invalid(
            path,
            &format!("expected {least} to {most} bytes, got {bytes}"),
        ));
    }
    for name in ["uploadCaptions", "uploadThumbnail"] {
        // Their addresses are not emulated; psn asks for neither.
        if asked[name] != false {
            let path = format!("/initializeUploadRequest/{name}");
            return Err(errors::invalid(&path, "expected false"));
        }
    }
    Ok(bytes)
}

/// First and last byte of every part.
fn ranges(bytes: u64) -> impl Iterator<Item = (u64, u64)> {
    let parts = bytes.div_ceil(PART_BYTES);
    (0..parts).map(move |part| (part * PART_BYTES, ((part + 1) * PART_BYTES).min(bytes) - 1))
}

fn upload_token(asset: &Asset) -> String {
    format!("upload-token-{:x}", asset.serial)
}

/// What the answer to a part is recognized by.
fn etag(asset: &Asset, part: u64, sha256: &str) -> String {
    let sum = sha256.get(..16).unwrap_or_default();
    format!("/ambry-video/signedId/{:x}-{part}-{sum}", asset.serial)
}

/// The asset and the part of an upload address.
fn addressed<'a>(state: &'a State, path: &str) -> Option<(&'a Asset, u64)> {
    let mut segments = path.strip_prefix("/dms-uploads/")?.split('/');
    let kind = Kind::of_resource(segments.next()?)?;
    let urn = format!("urn:li:{}:{}", kind.name(), segments.next()?);
    let part = segments.next()?.parse().ok()?;
    let asset = state.own.assets.get(&urn)?;
    segments.next().is_none().then_some((asset, part))
}

/// The upload that a request goes on with.
pub(super) fn resumes(state: &State, request: &Request) -> Option<Running> {
    let (asset, _) = addressed(state, &request.path)?;
    asset.gathered.so_far().cloned()
}

/// Takes bytes at an upload address. Versions and limits are not asked there.
pub(super) fn receive(state: &State, moment: &Moment<'_>, request: &Request) -> Done<Change> {
    match received(state, moment, request) {
        Ok((reply, change)) => Done::of(reply, change),
        Err(refused) => Done::of(refusal(refused), Change::None),
    }
}

fn received(state: &State, moment: &Moment<'_>, request: &Request) -> Result<(Reply, Change), Refusal> {
    let (asset, part) = addressed(state, &request.path).ok_or_else(no_such_route)?;
    let settings = &state.plan.settings;
    if asset.kind == Kind::Video {
        // The address itself is the permission.
        if request.token.is_some() {
            let message = "An upload address of a video takes no Authorization header.";
            return Err(errors::plain(400, "ILLEGAL_ARGUMENT", message));
        }
    } else if request
        .bearer
        .as_ref()
        .is_none_or(|bearer| bearer.account != asset.account)
    {
        return Err(super::unauthorized(state, moment, request));
    }
    if moment.now >= asset.expires_at {
        return Err(errors::plain(400, "EXPIRED_UPLOAD_URL", "The upload URL has expired."));
    }
    let receipt = request.receipt.clone();
    if receipt.bytes == 0 {
        return Err(errors::plain(400, "EMPTY_UPLOAD", "The body is empty."));
    }
    let looks = kind_of(&request.head).map(str::to_owned);
    let mut headers = Vec::new();
    let mut status = 201;
    match asset.kind {
        Kind::Video => {
            let index = usize::try_from(part).unwrap_or(usize::MAX);
            let range = ranges(asset.file_bytes.unwrap_or(0)).nth(index);
            let (first, last) = range.ok_or_else(no_such_route)?;
            if receipt.bytes != last - first + 1 {
                let message = format!("Expected the bytes {first} to {last}, got {} bytes.", receipt.bytes);
                return Err(errors::plain(400, "INVALID_PART_SIZE", &message));
            }
            headers.push(("etag", etag(asset, part, &receipt.sha256)));
            status = 200;
        }
        Kind::Document if receipt.bytes > settings.document_bytes_max => {
            return Err(errors::plain(413, "CONTENT_TOO_LARGE", "The document is too large."));
        }
        Kind::Document | Kind::Image => {}
    }
    let change = Change::Received {
        urn: asset.urn.clone(),
        index: part,
        receipt,
        ends: asset.kind != Kind::Video,
        fails: fails(settings, asset, looks.as_deref()),
        looks,
    };
    let reply = Reply {
        headers,
        ..Reply::empty(status)
    };
    Ok((reply, change))
}

/// Whether its processing will fail.
fn fails(settings: &Settings, asset: &Asset, looks: Option<&str>) -> bool {
    let taken: &[&str] = match asset.kind {
        Kind::Image => &["image/jpeg", "image/png", "image/gif"],
        Kind::Video => &["video/mp4"],
        Kind::Document => &["application/pdf", "application/vnd.ms-office"],
    };
    let is_named = |urn: &String| *urn == asset.owner || urn == "*";
    !looks.is_some_and(|looks| taken.contains(&looks)) || settings.processing_fails.iter().any(is_named)
}

pub(super) fn finalize(call: &Call<'_>) -> Outcome {
    let body = call.body()?;
    let asked = &body["finalizeUploadRequest"];
    let text = |name: &str| {
        let path = format!("/finalizeUploadRequest/{name}");
        asked[name].as_str().ok_or_else(|| errors::missing(&path))
    };
    let urn = text("video")?;
    let asset = call
        .state
        .own
        .assets
        .get(urn)
        .filter(|asset| asset.account == call.account);
    let asset = asset.ok_or_else(|| errors::not_found(urn))?;
    let wrong = |name: &str, why: &str| Err(errors::invalid(&format!("/finalizeUploadRequest/{name}"), why));
    if text("uploadToken")? != upload_token(asset) {
        return wrong("uploadToken", "is not the token of this upload");
    }
    let parts: Vec<&str> = match asked["uploadedPartIds"].as_array() {
        Some(parts) => parts.iter().filter_map(Value::as_str).collect(),
        None => return Err(errors::missing("/finalizeUploadRequest/uploadedPartIds")),
    };
    let expected = ranges(asset.file_bytes.unwrap_or(0)).count();
    let tags: Vec<String> = asset
        .gathered
        .pieces()
        .map(|piece| etag(asset, piece.index, &piece.sha256))
        .collect();
    if tags.len() != expected {
        let message = format!("{} of {expected} parts were uploaded.", tags.len());
        return Err(errors::plain(400, "MEDIA_ASSET_WAITING_UPLOAD", &message));
    }
    if parts != tags {
        return wrong("uploadedPartIds", "are not the ETags of the parts in their order");
    }
    // Said again after a lost answer it changes nothing.
    let change = if asset.uploaded_at.is_some() {
        Change::Read
    } else {
        let fails = fails(call.settings(), asset, asset.looks.as_deref());
        Change::Finalized {
            urn: urn.to_owned(),
            fails,
        }
    };
    Ok(Answer::empty(200, change))
}

pub(super) fn status(call: &Call<'_>, kind: Kind, raw: &str) -> Outcome {
    let urn = call.urn(raw, "entity key")?;
    // "Only w_member_social" cannot read an image; the organisation's permissions can.
    let reading = [
        "w_organization_social",
        "r_organization_social",
        "rw_organization_admin",
    ];
    let may = kind != Kind::Image || reading.iter().any(|scope| call.has_scope(scope));
    let what = format!("{}.GET", kind.resource());
    if !may {
        return Err(errors::denied(&what, call.version));
    }
    let asset = call.state.own.assets.get(&urn).filter(|asset| asset.kind == kind);
    let asset = asset.ok_or_else(|| errors::not_found(&urn))?;
    if asset.account != call.account {
        return Err(errors::denied(&what, call.version));
    }
    let status = asset.status(call.settings(), call.now);
    let mut body = json!({"id": asset.urn, "owner": asset.owner, "status": status.name()});
    if status == Status::Available {
        let host = call.request.header("host").unwrap_or_default();
        let serial = asset.serial;
        body["downloadUrl"] = format!("http://{host}/dms/{}/{serial:x}", kind.resource()).into();
        body["downloadUrlExpiresAt"] = (call.now.0 + 86_400_000).into();
    }
    Ok(Answer::json(body, Change::Read))
}
