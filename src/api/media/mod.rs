//! `/v1/media`: bytes come in whole, in chunks or from an address, and are a medium once it is known what they are.
//! At most one chunk is in memory at a time.

pub mod upload;

mod fetch;

pub use fetch::{Fetch, Web};

use crate::api::auth::Caller;
use crate::api::body::Json;
use crate::api::listing::{self, Listing, Pages, Place};
use crate::api::problem::{Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::{Shared, body};
use crate::domain::hash::hex;
use crate::domain::id::UserId;
use crate::domain::media::sniff::{self, Refusal, Sniffer, Step};
use crate::domain::media::{MediaId, Medium};
use crate::ports::media::{MediaError, MediaStore, MediumRange, Owners};
use crate::ports::objects::Objects;
use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::future::try_join_all;
use serde_json::json;
use sha2::{Digest, Sha256};

/// Media on a page of a list: each is a question to the store, and free Workers may ask fifty a request.
const PAGES: Pages = Pages { default: 20, max: 40 };

/// Whether the body of a request is bytes of a medium, which may be more than JSON may.
pub fn carries_bytes(request: &Parts) -> bool {
    let path = request.uri.path();
    match request.method {
        Method::POST => path == "/v1/media" && !body::says_json(&request.headers),
        Method::PUT => path.starts_with("/v1/media/"),
        _ => false,
    }
}

/// `POST /v1/media`
pub async fn add<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let store = app.media.as_ref();
    if !body::says_json(&asked.headers) {
        let kept = keep(store, asked.body).await?;
        return Ok(owned(store, &caller.user, kept).await?.into_response());
    }
    let mut fields = asked.object()?;
    let (url, size, hash) = (fields.text("url"), fields.raw("bytes"), fields.text("sha256"));
    let wanted = match (url, size, hash) {
        (Some(url), None, None) => Wanted::Fetch(url),
        (None, Some(size), Some(hash)) => match (size.as_u64(), MediaId::parse(&hash)) {
            (Some(size), Some(id)) => Wanted::Announce(id, size),
            (size, id) => {
                if size.is_none() {
                    fields.refuse(
                        "bytes",
                        "`bytes` is not a number: expected how many bytes the medium has",
                    );
                }
                if id.is_none() {
                    fields.refuse(
                        "sha256",
                        "`sha256` is not a hash: expected 64 hexadecimal digits in lower case",
                    );
                }
                Wanted::Nothing
            }
        },
        _ => {
            if fields.is_sound() {
                fields.refuse(
                    "url",
                    "it is not clear which medium: send its bytes, or `{\"bytes\": …, \"sha256\": \"…\"}` to announce \
                     them, or `{\"url\": \"https://…\"}`",
                );
            }
            Wanted::Nothing
        }
    };
    let errors = fields.finish();
    if !errors.is_empty() {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    }
    match wanted {
        Wanted::Fetch(url) => {
            let taken = fetch::take(&app, &url).await?;
            Ok(owned(store, &caller.user, taken).await?.into_response())
        }
        Wanted::Announce(id, size) => upload::announce(&app, &caller.user, &id, size).await,
        Wanted::Nothing => Err(Problem::new(ProblemKind::FieldInvalid, "the body names no medium")),
    }
}

enum Wanted {
    Fetch(String),
    Announce(MediaId, u64),
    Nothing,
}

/// A medium that is there now, or was before.
struct There {
    medium: Medium,
    is_new: bool,
}

impl IntoResponse for There {
    fn into_response(self) -> Response {
        let status = if self.is_new {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        (status, Json(self.medium)).into_response()
    }
}

/// A medium that somebody brought is theirs from now on, whoever brought it before: whoever names the hash of bytes has
/// them. To the user it is new when it was not theirs.
async fn owned(store: &dyn MediaStore, user: &UserId, there: There) -> Result<There, Problem> {
    let (owners, id) = (Owners(store), &there.medium.id);
    let is_theirs = owners.has(user, id).await.map_err(trouble)?;
    if !is_theirs {
        owners.add(user, id).await.map_err(trouble)?;
    }
    Ok(There {
        is_new: there.is_new || !is_theirs,
        ..there
    })
}

/// Keeps bytes that are all there. The same bytes are kept once.
async fn keep(store: &dyn MediaStore, bytes: Bytes) -> Result<There, Problem> {
    if bytes.is_empty() {
        return Err(Problem::new(
            ProblemKind::MediumInvalid,
            "the body is empty: send the bytes of a medium",
        ));
    }
    let id = MediaId(hex(&Sha256::digest(&bytes)));
    if let Some(medium) = there(store, &id).await? {
        return Ok(medium);
    }
    let medium = sniff::sniff(&bytes).map_err(refused)?.medium(id, bytes.len() as u64);
    store.put(&medium.id, bytes).await.map_err(trouble)?;
    store.describe(&medium).await.map_err(trouble)?;
    Ok(There { medium, is_new: true })
}

/// A medium that is there already. It came again, so that its age begins anew: the clean-up leaves it to the post to come.
async fn there(store: &dyn MediaStore, id: &MediaId) -> Result<Option<There>, Problem> {
    let Some(medium) = store.find(id).await.map_err(trouble)? else {
        return Ok(None);
    };
    store.describe(&medium).await.map_err(trouble)?;
    Ok(Some(There { medium, is_new: false }))
}

/// Looks at bytes that are in the store and makes them a medium, or removes them.
async fn settle(store: &dyn MediaStore, id: &MediaId, total: u64) -> Result<There, Problem> {
    let mut sniffer = Sniffer::new(total);
    let sniffed = loop {
        match sniffer.step() {
            Step::Known(sniffed) => break sniffed,
            Step::Refused(refusal) => {
                store.remove(id).await.map_err(trouble)?;
                return Err(refused(refusal));
            }
            Step::Read { first, length } => {
                let id = id.clone();
                let range = MediumRange { id, first, length };
                let bytes = store.read(&range).await.map_err(trouble)?;
                sniffer.feed(first, &bytes);
            }
        }
    };
    let medium = sniffed.medium(id.clone(), total);
    store.describe(&medium).await.map_err(trouble)?;
    Ok(There { medium, is_new: true })
}

impl Place for MediaId {
    fn read(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

/// `GET /v1/media`: the caller's, in the order of their ids.
pub async fn list<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let listing: Listing<MediaId> = Listing::read_with(asked.query(), &[], Some(PAGES))?;
    let limit = usize::try_from(listing.limit).unwrap_or(usize::MAX);
    // One more than wanted tells whether there is a next page.
    let store = app.media.as_ref();
    let theirs = Owners(store)
        .list(&caller.user, listing.after.as_ref(), limit + 1)
        .await;
    let mut ids = theirs.map_err(trouble)?;
    let has_more = ids.len() > limit;
    ids.truncate(limit);
    let found = try_join_all(ids.iter().map(|id| store.find(id)))
        .await
        .map_err(trouble)?;
    // One that was removed meanwhile is not there.
    let items = found.into_iter().flatten().map(|medium| json!(medium)).collect();
    Ok(listing::page(items, ids.last().filter(|_| has_more)))
}

/// `GET /v1/media/{id}`
pub async fn show<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    let owners = Owners(app.media.as_ref());
    let found = owners
        .find(&caller.user, &media_id(&asked.id)?)
        .await
        .map_err(trouble)?;
    Ok(Json(found.ok_or_else(unknown)?).into_response())
}

/// `DELETE /v1/media/{id}`
pub async fn remove<O: Objects, R: Rows>(app: Shared<O, R>, caller: Caller, asked: Asked) -> Result<Response, Problem> {
    asked.no_body()?;
    let id = media_id(&asked.id)?;
    let owners = Owners(app.media.as_ref());
    let found = owners.find(&caller.user, &id).await.map_err(trouble)?;
    found.ok_or_else(unknown)?;
    owners.drop(&caller.user, &id).await.map_err(trouble)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn media_id(text: &str) -> Result<MediaId, Problem> {
    let message = "there is no medium with this id: expected 64 hexadecimal digits in lower case";
    MediaId::parse(text).ok_or_else(|| Problem::new(ProblemKind::NotFound, message))
}

fn unknown() -> Problem {
    Problem::new(
        ProblemKind::NotFound,
        "there is no medium with this id: `GET /v1/media` lists those there are",
    )
}

/// The store did not do what it was asked for.
fn trouble(error: MediaError) -> Problem {
    let away = "the place where media lie cannot be reached: send the same request again in a moment";
    match error {
        MediaError::NotSetUp => Problem::new(ProblemKind::NotConfigured, error.to_string()),
        MediaError::NotFound => Problem::new(ProblemKind::NotFound, error.to_string()),
        MediaError::Unavailable(_) => Problem::new(ProblemKind::Unavailable, away),
    }
}

fn refused(refusal: Refusal) -> Problem {
    Problem::new(ProblemKind::MediumInvalid, format!("the medium is refused: {refusal}"))
}
