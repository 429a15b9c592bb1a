//! The bytes of media, beside the rows that name them: fetched from the worker at addresses that the hub's key signs, in ranges,
//! so that one that was cut goes on where it stopped, and kept only when they have the hash that is their name.

use super::Source;
use crate::cli::Context;
use crate::cli::ambient::SYSTEM;
use crate::cli::error::{CliError, CliResult, not_written};
use crate::domain::hash::hex;
use crate::domain::media::MediaId;
use crate::domain::time::Millis;
use crate::net::Client;
use crate::ports::clock::Clock;
use crate::ports::http::{HttpClient, HttpRequest, RESPONSE_BYTES_MAX};
use crate::store::Secret;
use crate::store::seal::AddressSigner;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The folder below that of the export.
pub const FOLDER: &str = "media";

/// How long an address is good: each range gets one of its own.
const ADDRESS_MS: Millis = Millis(10 * 60_000);
/// Time for one range over a slow line.
const DEADLINE: Millis = Millis(120_000);
/// How often a range is asked for before the medium is given up.
const TRIES: u32 = 3;

/// A medium as its row names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    kind: String,
    bytes: u64,
}

/// The media that rows name, each once.
pub type All = BTreeMap<MediaId, Named>;

/// What became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// How many lie in the folder.
    pub there: u64,
    /// Those of which the worker has no bytes any more.
    pub gone: Vec<String>,
}

/// Notes the medium of a row of `psn_media`.
pub fn note(all: &mut All, row: &str) {
    let row: Value = serde_json::from_str(row).unwrap_or_default();
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    if let (Some(id), Some(bytes)) = (MediaId::parse(text("media_id")), row["size_bytes"].as_u64()) {
        let kind = text("content_type").to_owned();
        all.insert(id, Named { kind, bytes });
    }
}

/// Fetches what is not there yet.
///
/// # Errors
/// A worker that does not answer, a disk that takes no more; what is there stays for the next run.
pub async fn fetch(context: &Context, source: &Source, all: &All, folder: &Path) -> CliResult<Copied> {
    let mut copied = Copied::default();
    if all.is_empty() {
        return Ok(copied);
    }
    super::make(folder).map_err(|error| not_written(folder, &error))?;
    let http = Client::new().map_err(|error| CliError::outcome(error.message))?;
    let signer = AddressSigner::new(&Secret::new(source.key.as_str()));
    let signer = signer.map_err(|error| CliError::input(error.to_string()))?;
    for (nth, (id, named)) in all.iter().enumerate() {
        context
            .printer
            .fleeting(&format!("copying media: {} of {}", nth + 1, all.len()));
        let whole = folder.join(format!("{id}{}", ending(&named.kind)));
        let is_there = whole.is_file() && hash(&whole).map_err(|error| not_written(&whole, &error))? == id.0;
        let from = Fetch {
            http: &http,
            signer: &signer,
            url: &source.url,
            id,
            bytes: named.bytes,
        };
        if is_there || from.to_file(&whole).await? {
            copied.there += 1;
        } else {
            copied.gone.push(id.to_string());
        }
    }
    Ok(copied)
}

/// One medium on its way.
struct Fetch<'a> {
    http: &'a Client,
    signer: &'a AddressSigner,
    url: &'a str,
    id: &'a MediaId,
    bytes: u64,
}

impl Fetch<'_> {
    /// Fetches it, behind what an earlier run has fetched; `false` when there is nothing to fetch.
    async fn to_file(&self, whole: &Path) -> CliResult<bool> {
        let part = PathBuf::from(format!("{}.part", whole.display()));
        let failed = |error: &io::Error| not_written(&part, error);
        let begun = fs::metadata(&part).map_or(0, |metadata| metadata.len());
        // More than there is to come is of something else.
        let mut at = if begun > self.bytes { 0 } else { begun };
        let opened = File::options().create(true).append(true).open(&part);
        let mut file = opened.map_err(|error| failed(&error))?;
        if at == 0 {
            file.set_len(0).map_err(|error| failed(&error))?;
        }
        while at < self.bytes {
            let last = self.bytes.min(at + RESPONSE_BYTES_MAX as u64) - 1;
            let Some(bytes) = self.range(at, last).await? else {
                let _ = fs::remove_file(&part);
                return Ok(false);
            };
            file.write_all(&bytes).map_err(|error| failed(&error))?;
            at += bytes.len() as u64;
        }
        file.sync_all().map_err(|error| failed(&error))?;
        if hash(&part).map_err(|error| failed(&error))? != self.id.0 {
            let _ = fs::remove_file(&part);
            let what = format!("medium {} came damaged, and was not kept", self.id);
            return Err(CliError::outcome(what).hint(super::AGAIN));
        }
        fs::rename(&part, whole).map_err(|error| not_written(whole, &error))?;
        Ok(true)
    }

    /// The bytes of a range; `None` when the worker has no such medium.
    async fn range(&self, first: u64, last: u64) -> CliResult<Option<Bytes>> {
        let mut why = String::new();
        for _ in 0..TRIES {
            let mut headers = HeaderMap::new();
            let range = HeaderValue::from_str(&format!("bytes={first}-{last}"));
            headers.insert(
                header::RANGE,
                range.map_err(|_| CliError::outcome("no range could be asked for"))?,
            );
            let address = self.signer.sign(self.id, SYSTEM.now() + ADDRESS_MS);
            let request = HttpRequest {
                method: Method::GET,
                url: format!("{}{address}", self.url),
                headers,
                body: Bytes::new(),
                attached: None,
                deadline: DEADLINE,
            };
            match self.http.send(request).await {
                Ok(answer) if answer.status == 206 && answer.body.len() as u64 == last - first + 1 => {
                    return Ok(Some(answer.body));
                }
                Ok(answer) if answer.status == 404 => return Ok(None),
                Ok(answer) => why = format!("it answered {}", answer.status),
                Err(error) => why = error.message,
            }
        }
        let what = format!("the worker at `{}` did not give medium {}: {why}", self.url, self.id);
        Err(CliError::outcome(what).hint(super::AGAIN))
    }
}

/// The end of a file's name.
fn ending(kind: &str) -> &'static str {
    match kind {
        "image/jpeg" => ".jpg",
        "image/png" => ".png",
        "image/gif" => ".gif",
        "image/webp" => ".webp",
        "video/mp4" => ".mp4",
        "video/quicktime" => ".mov",
        "video/webm" => ".webm",
        "application/pdf" => ".pdf",
        _ => "",
    }
}

/// The hash of a file, read a piece at a time.
fn hash(path: &Path) -> io::Result<String> {
    let (mut file, mut digest, mut piece) = (File::open(path)?, Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hex(&<[u8; 32]>::from(digest.finalize()))),
            count => digest.update(&piece[..count]),
        }
    }
}
