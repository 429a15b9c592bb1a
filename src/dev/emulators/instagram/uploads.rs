//! Resumable uploads of the host of Facebook Login: `POST /ig-api-upload/{version}/{container}`.

use super::api::Call;
use super::problems::{self, Problem};
use super::state::{Change, Container, Source, Status};
use crate::dev::emulators::engine::Request;
use crate::dev::emulators::engine::media::{Running, kind_of};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn number(request: &Request, name: &str) -> Option<u64> {
    request.header(name)?.parse().ok()
}

/// The container that a path names, if its bytes are to be uploaded.
fn target<'a>(containers: &'a BTreeMap<u64, Container>, path: &str) -> Option<&'a Container> {
    let id = path.strip_prefix("/ig-api-upload/")?.rsplit('/').next()?;
    containers
        .get(&id.parse().ok()?)
        .filter(|container| container.source == Source::Upload)
}

/// What the request goes on with.
pub(super) fn resumes(containers: &BTreeMap<u64, Container>, request: &Request) -> Option<Running> {
    target(containers, &request.path)?.upload.so_far().cloned()
}

/// The bytes that came before the connection broke: they count, and `offset` goes on after them.
pub(super) fn broken_off(containers: &BTreeMap<u64, Container>, request: &Request) -> Option<Change> {
    let container = target(containers, &request.path)?;
    let (offset, size) = (number(request, "offset")?, number(request, "file_size")?);
    let is_next = offset == container.upload.bytes() && offset + request.receipt.bytes < size;
    let is_own = request.account.as_ref() == Some(&container.account);
    (is_next && is_own && request.receipt.bytes > 0).then(|| received(container, request, offset, size))
}

fn received(container: &Container, request: &Request, offset: u64, size: u64) -> Change {
    Change::Received {
        container: container.id,
        offset,
        size,
        kind: kind_of(&request.head).unwrap_or_default().to_owned(),
        receipt: request.receipt.clone(),
    }
}

/// Takes bytes, or the address of them.
pub(super) fn receive(call: &Call<'_>, method: &str, id: &str) -> Result<(Value, Change), Problem> {
    let request = call.request;
    let container = target(&call.kept().containers, &request.path);
    let own = container.filter(|container| container.account == call.account && call.is_facebook && method == "POST");
    let Some(container) = own else {
        return Err(problems::no_such(method, id));
    };
    let done = json!({"success": true, "message": "Upload successful."});
    if let Some(url) = request.header("file_url") {
        let change = Change::FetchFrom {
            container: container.id,
            url: url.to_owned(),
        };
        return Ok((done, change));
    }
    let (Some(offset), Some(size)) = (number(request, "offset"), number(request, "file_size")) else {
        return Err(problems::invalid("The headers offset and file_size must be numbers"));
    };
    if offset != container.upload.bytes() || container.file.is_some() {
        let why = format!("The header offset must be {}", container.upload.bytes());
        return Err(problems::invalid(&why));
    }
    if offset + request.receipt.bytes != size {
        return Err(problems::invalid(
            "The header file_size is not what the bytes add up to",
        ));
    }
    Ok((done, received(container, request, offset, size)))
}

/// The `video_status` of a container.
pub(super) fn progress(container: &Container, status: &Status) -> Value {
    let (uploading, processing) = match (container.file.is_some(), status) {
        (false, _) if container.upload.bytes() == 0 => ("not_started", "not_started"),
        (false, _) => ("in_progress", "not_started"),
        (true, Status::InProgress) => ("complete", "in_progress"),
        (true, Status::Error(_)) => ("complete", "error"),
        (true, _) => ("complete", "complete"),
    };
    json!({
        "uploading_phase": {"status": uploading, "bytes_transferred": container.upload.bytes()},
        "processing_phase": {"status": processing},
    })
}
