//! Sends a file. What is there is kept in a small file under the hash of the bytes, so that another run goes on at the
//! chunk where this one was.

use super::file::Source;
use crate::cli::Context;
use crate::cli::client::Worker;
use crate::cli::config::files::{read_file, write_private};
use crate::cli::error::{CliError, CliResult};
use crate::domain::hash::hex;
use crate::domain::limits::CHUNK_BYTES;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

/// How far an upload has come.
#[derive(Serialize, Deserialize)]
struct Progress {
    /// To which worker.
    worker: String,
    /// The worker's name for it.
    upload: String,
    /// The chunks that are there, in order, as the worker named them.
    chunks: Vec<Value>,
}

/// Sends a file and answers the medium that it became.
///
/// # Errors
/// What the file or the worker says; what was sent is kept for the next run.
pub async fn upload(context: &Context, worker: &Worker, file: &mut Source) -> CliResult<Value> {
    if file.bytes <= CHUNK_BYTES {
        file.progress(context, "sending", 0);
        return worker.send_bytes(Method::POST, "/v1/media", file.chunk(1)?).await;
    }
    let hash = file.hash(context)?;
    let place = context.state_folder().join(format!("upload-{hash}.json"));
    let kept = read_file(&place)?.and_then(|text| serde_json::from_str(&text).ok());
    if let Some(progress) = kept.filter(|kept: &Progress| kept.worker == worker.base()) {
        let sent = send(context, worker, file, &hash, &place, progress).await;
        let is_over = |error: &CliError| error.problem.as_ref().is_some_and(|problem| problem["status"] == 404);
        match sent {
            // The worker has let go of it, or finished it: it is announced anew.
            Err(error) if is_over(&error) => forget(&place),
            sent => return sent,
        }
    }
    let announced = json!({ "bytes": file.bytes, "sha256": hash });
    let answer = worker.post("/v1/media", Some(&announced)).await?;
    let Some(upload) = answer["upload"]["id"].as_str() else {
        return Ok(answer);
    };
    if answer["upload"]["chunk_bytes"] != CHUNK_BYTES {
        return Err(
            CliError::outcome("the worker takes chunks of another size than this program sends")
                .hint("use the program and the worker in the same version"),
        );
    }
    let progress = Progress {
        worker: worker.base().to_owned(),
        upload: upload.to_owned(),
        chunks: Vec::new(),
    };
    send(context, worker, file, &hash, &place, progress).await
}

async fn send(
    context: &Context,
    worker: &Worker,
    file: &mut Source,
    hash: &str,
    place: &Path,
    mut progress: Progress,
) -> CliResult<Value> {
    let upload = utf8_percent_encode(&progress.upload, NON_ALPHANUMERIC).to_string();
    let mut hasher = Sha256::new();
    for number in 1..=file.chunks() {
        let chunk = file.chunk(number)?;
        hasher.update(&chunk);
        if number <= progress.chunks.len() as u64 {
            continue;
        }
        file.progress(context, "sending", number - 1);
        let path = format!("/v1/media/{hash}/chunks/{number}?upload={upload}");
        let tag = worker.send_bytes(Method::PUT, &path, chunk).await?;
        progress.chunks.push(tag);
        write_private(place, &serde_json::to_string(&progress).unwrap_or_default())?;
    }
    // Bytes that are not those of their hash would stand for the right ones for ever.
    if hex(&hasher.finalize()) != hash {
        forget(place);
        return Err(file.changed());
    }
    let body = json!({ "upload": progress.upload, "chunks": progress.chunks });
    let medium = worker.post(&format!("/v1/media/{hash}/complete"), Some(&body)).await;
    // Refused or done: nothing is left to go on with.
    let is_refusal = |error: &CliError| {
        let status = error.problem.as_ref().and_then(|problem| problem["status"].as_u64());
        status.is_some_and(|status| (400..500).contains(&status))
    };
    if medium.as_ref().map_or_else(is_refusal, |_| true) {
        forget(place);
    }
    medium
}

fn forget(place: &Path) {
    let _ = fs::remove_file(place);
}
