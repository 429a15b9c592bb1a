//! An upload in chunks. The Worker remembers nothing of it: what was announced stands in the name of the upload, beside
//! the store's own name for it.
//!
//! That the chunks together have the announced hash is the sender's word, as that of whoever holds the token: to check it
//! all of them would have to be read back, and hashing takes 0.8 ms of processor time per MB even outside of WebAssembly
//! (`crypto.DigestStream`, with the processor's own instructions), so that a free Worker's 10 ms would end at 12 MB.
//! `psn media add` hashes what it sends while it sends it, and completes nothing else.

use super::{There, media_id, owned, settle, there, trouble};
use crate::api::auth::Caller;
use crate::api::body::Json;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::{App, Shared};
use crate::domain::id::UserId;
use crate::domain::limits::{CHUNK_BYTES, MEDIUM_BYTES_MAX};
use crate::domain::media::MediaId;
use crate::ports::media::{ChunkTag, MediaError, MediumRange, Owners};
use crate::ports::objects::Objects;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// An upload, as clients name it.
#[derive(Debug, PartialEq, Eq)]
struct Upload {
    /// How many bytes were announced.
    bytes: u64,
    /// The store's name.
    name: String,
}

impl Upload {
    fn parse(text: &str) -> Option<Self> {
        let (bytes, name) = text.split_once('.')?;
        let bytes = bytes.parse().ok().filter(|bytes| is_size(*bytes))?;
        let name = name.to_owned();
        (!name.is_empty()).then_some(Self { bytes, name })
    }

    fn text(&self) -> String {
        format!("{}.{}", self.bytes, self.name)
    }

    const fn chunks(&self) -> u64 {
        self.bytes.div_ceil(CHUNK_BYTES)
    }

    /// How many bytes the chunk of that number has, if there is one.
    fn chunk_bytes(&self, number: u16) -> Option<u64> {
        let before = u64::from(number.checked_sub(1)?) * CHUNK_BYTES;
        let left = self.bytes.checked_sub(before).filter(|left| *left > 0)?;
        Some(left.min(CHUNK_BYTES))
    }
}

fn is_size(bytes: u64) -> bool {
    (1..=MEDIUM_BYTES_MAX).contains(&bytes)
}

/// A medium is announced: it is there already, or its chunks are awaited.
pub async fn announce<O: Objects, R: Rows>(
    app: &App<O, R>,
    user: &UserId,
    id: &MediaId,
    bytes: u64,
) -> Result<Response, Problem> {
    if !is_size(bytes) {
        let message = match bytes {
            0 => "the medium is empty: announce one that has bytes".to_owned(),
            _ => format!("the medium has {bytes} bytes: no platform takes more than {MEDIUM_BYTES_MAX}"),
        };
        return Err(Problem::field("bytes", message));
    }
    if let Some(medium) = there(app.media.as_ref(), id).await? {
        return Ok(owned(app.media.as_ref(), user, medium).await?.into_response());
    }
    let name = app.media.begin(id).await.map_err(trouble)?;
    let upload = Upload { bytes, name };
    let answer = json!({ "upload": { "id": upload.text(), "chunk_bytes": CHUNK_BYTES, "chunks": upload.chunks() } });
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

fn no_upload() -> Problem {
    Problem::new(
        ProblemKind::NotFound,
        "there is no such upload, or it has ended: announce the medium again with `POST /v1/media`",
    )
}

/// `PUT /v1/media/{sha256}/chunks/{number}?upload=…`
pub async fn chunk<O: Objects, R: Rows>(app: Shared<O, R>, _: Caller, asked: Asked) -> Result<Response, Problem> {
    let id = media_id(&asked.id)?;
    let upload = asked.query().into_iter().find(|(name, _)| name == "upload");
    let missing = || {
        Problem::field(
            "upload",
            "`upload` is missing: `?upload=` names the upload of the chunk",
        )
    };
    let (_, upload) = upload.ok_or_else(missing)?;
    let upload = Upload::parse(&upload).ok_or_else(no_upload)?;
    let chunks = upload.chunks();
    let no_chunk = || {
        let message = format!("there is no such chunk: this upload has the chunks 1 to {chunks}");
        Problem::new(ProblemKind::NotFound, message)
    };
    let number: u16 = asked.within.parse().map_err(|_| no_chunk())?;
    let expected = upload.chunk_bytes(number).ok_or_else(no_chunk)?;
    let found = asked.body.len() as u64;
    if found != expected {
        let message = format!("chunk {number} of {chunks} has {found} bytes: expected {expected}");
        return Err(Problem::new(ProblemKind::MediumInvalid, message));
    }
    match app.media.chunk(&id, &upload.name, number, asked.body).await {
        Ok(tag) => Ok(Json(json!({ "number": tag.number, "etag": tag.etag })).into_response()),
        Err(MediaError::NotFound) => Err(no_upload()),
        Err(error) => Err(trouble(error)),
    }
}

/// `POST /v1/media/{sha256}/complete`: what has another size than announced, or is of no known type, is removed.
pub async fn complete<O: Objects, R: Rows>(
    app: Shared<O, R>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, Problem> {
    let id = media_id(&asked.id)?;
    let mut fields = asked.object()?;
    let (upload, chunks) = (fields.text("upload"), fields.value("chunks"));
    if upload.is_none() && !fields.names("upload") {
        fields.refuse(
            "upload",
            "`upload` is missing: expected the id that the announcement was answered with",
        );
    }
    let tags = chunks.as_ref().and_then(tags);
    if tags.is_none() {
        fields.refuse(
            "chunks",
            "`chunks` is no list of chunks: expected `[{\"number\": 1, \"etag\": \"…\"}, …]`",
        );
    }
    let errors = fields.finish();
    let (Some(upload), Some(tags), true) = (upload, tags, errors.is_empty()) else {
        return Err(Problem::of(ProblemKind::FieldInvalid, errors));
    };
    let upload = Upload::parse(&upload).ok_or_else(no_upload)?;
    let is_whole = tags.iter().map(|tag| u64::from(tag.number)).eq(1..=upload.chunks());
    if !is_whole {
        let message = format!("`chunks` has to name the chunks 1 to {}, in order", upload.chunks());
        return Err(Problem::field("chunks", message));
    }
    // An answer that was lost: the upload is over then, and the medium there.
    if let Some(medium) = app.media.find(&id).await.map_err(trouble)? {
        let is_theirs = Owners(app.media.as_ref()).has(&caller.user, &id).await;
        if !is_theirs.map_err(trouble)? {
            // Somebody else brought it meanwhile: nothing is put over it. Announced again, it is theirs too.
            return Err(no_upload());
        }
        return Ok(There { medium, is_new: false }.into_response());
    }
    let found = match app.media.complete(&id, &upload.name, &tags).await {
        Ok(found) => found,
        Err(MediaError::NotFound) => put_together(&app, &id, &upload).await?,
        Err(error) => return Err(trouble(error)),
    };
    if found != upload.bytes {
        app.media.remove(&id).await.map_err(trouble)?;
        let expected = upload.bytes;
        let message = format!("the chunks are {found} bytes together and {expected} were announced: upload it again");
        return Err(Problem::new(ProblemKind::MediumInvalid, message));
    }
    let there = settle(app.media.as_ref(), &id, found).await?;
    Ok(owned(app.media.as_ref(), &caller.user, there).await?.into_response())
}

/// An earlier request may have put the chunks together and ended before it knew what they are: then the last byte is
/// where it should be.
async fn put_together<O: Objects, R: Rows>(app: &App<O, R>, id: &MediaId, upload: &Upload) -> Result<u64, Problem> {
    let last = MediumRange {
        id: id.clone(),
        first: upload.bytes - 1,
        length: 1,
    };
    match app.media.read(&last).await {
        Ok(byte) if byte.len() == 1 => Ok(upload.bytes),
        Ok(_) | Err(MediaError::NotFound) => Err(no_upload()),
        Err(error) => Err(trouble(error)),
    }
}

fn tags(chunks: &Value) -> Option<Vec<ChunkTag>> {
    let tag = |chunk: &Value| {
        let number = chunk.get("number")?.as_u64()?;
        Some(ChunkTag {
            number: u16::try_from(number).ok()?,
            etag: chunk.get("etag")?.as_str()?.to_owned(),
        })
    };
    chunks.as_array()?.iter().map(tag).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn an_upload_is_named_by_what_was_announced() {
        let upload = Upload::parse("20000000.a.b-c").unwrap();
        assert_eq!(
            (upload.bytes, upload.name.as_str(), upload.chunks()),
            (20_000_000, "a.b-c", 3)
        );
        assert_eq!(Upload::parse(&upload.text()).unwrap(), upload);
        let lengths: Vec<_> = (0..5).map(|number| upload.chunk_bytes(number)).collect();
        assert_eq!(
            lengths,
            [
                None,
                Some(CHUNK_BYTES),
                Some(CHUNK_BYTES),
                Some(20_000_000 - 2 * CHUNK_BYTES),
                None
            ]
        );
        assert_eq!(
            Upload {
                bytes: CHUNK_BYTES,
                name: String::new()
            }
            .chunk_bytes(2),
            None
        );
        for wrong in ["", "x", "1.", "0.a", "-1.a", "99999999999.a", "a.1"] {
            assert_eq!(Upload::parse(wrong), None, "{wrong}");
        }
    }
}
