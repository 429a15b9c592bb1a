//! `PUT {upload_url}`: <https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide>.

use super::State;
use super::state::{Change, Publication, Source};
use crate::dev::emulators::engine::media::{Running, kind_of};
use crate::dev::emulators::engine::{Done, Moment, Reply, Request, pairs};

/// The publication that the address names. It says nothing about its owner: there is no bearer.
fn target<'a>(state: &'a State, request: &Request) -> Option<&'a Publication> {
    let query = pairs(&request.query);
    let value = |wanted: &str| query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let (id, token) = (value("upload_id")?, value("upload_token")?);
    let mut all = state.own.publications.iter();
    let found = all.find(|one| one.post_id.to_string() == *id && one.upload_token == *token)?;
    matches!(found.source, Source::Upload { .. }).then_some(found)
}

/// What the request goes on with.
pub(super) fn resumes(state: &State, request: &Request) -> Option<Running> {
    target(state, request)?.upload.so_far().cloned()
}

/// First and last byte, and how many there are in all: `bytes 0-9/20`.
fn range(request: &Request) -> Option<(u64, u64, u64)> {
    let text = request.header("content-range")?.strip_prefix("bytes ")?;
    let (span, total) = text.split_once('/')?;
    let (first, last) = span.split_once('-')?;
    let (first, last, total) = (first.parse().ok()?, last.parse().ok()?, total.parse().ok()?);
    (first <= last && last < total).then_some((first, last, total))
}

/// Takes a chunk.
pub(super) fn receive(state: &State, moment: &Moment<'_>, request: &Request) -> Done<Change> {
    let refused = |status: u16| Done::of(Reply::empty(status), Change::None);
    let Some(publication) = target(state, request) else {
        return refused(404);
    };
    let Source::Upload { size, chunk, chunks } = publication.source else {
        return refused(404);
    };
    if moment.now >= publication.upload_until {
        return refused(403);
    }
    let kind = request.header("content-type").unwrap_or_default();
    let Some((first, last, total)) = range(request).filter(|range| range.2 == size) else {
        return refused(400);
    };
    let is_video = matches!(kind, "video/mp4" | "video/quicktime" | "video/webm");
    if !is_video || request.receipt.bytes != last - first + 1 {
        return refused(400);
    }
    let had = publication.upload.bytes();
    if first != had || publication.complete_at.is_some() {
        return Done::of(said(state, 416, had, total), Change::None);
    }
    let is_last = first == chunk * (chunks - 1);
    if last + 1 - first != if is_last { size - first } else { chunk } {
        return refused(400);
    }
    let change = Change::Received {
        id: publication.id.clone(),
        offset: first,
        kind: kind_of(&request.head).unwrap_or_default().to_owned(),
        receipt: request.receipt.clone(),
        is_last,
    };
    Done::of(said(state, if is_last { 201 } else { 206 }, last + 1, total), change)
}

/// An answer that says how far the upload is. Whether TikTok names the last byte or the count of bytes is not clear from
/// its documents.
fn said(state: &State, status: u16, had: u64, total: u64) -> Reply {
    let range = match had {
        0 => format!("bytes */{total}"),
        _ if state.plan.settings.range_says_count => format!("bytes 0-{had}/{total}"),
        _ => format!("bytes 0-{}/{total}", had - 1),
    };
    Reply {
        headers: vec![("content-range", range)],
        ..Reply::empty(status)
    }
}
