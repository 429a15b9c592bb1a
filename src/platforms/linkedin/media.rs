//! Uploads: images, videos and documents, one call at a time.
//! <https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/images-api>, and its siblings
//! `videos-api` and `documents-api`.
//!
//! Handles, with media counted from 1: `media.1.id` (the asset's URN), then `media.1.url` (where an image or document
//! goes) or `media.1.parts` and `media.1.token` (where the parts of a video go, see [`Parts`]) and `media.1.etag.1` and on
//! (what LinkedIn calls those that were sent), then `media.1.sent` (when all of it had been sent, in ms) in their place, and
//! `media.1.ready`; `unseen` says that the token may not read how far assets are.

use super::answer::Trouble;
use super::{Body, Client, urn, wire};
use crate::domain::media::{Handle, MediaKind, Medium, handle, set_handle};
use crate::domain::outcome::{Preparation, RejectionKind};
use crate::domain::time::{Millis, Timestamp};
use crate::platforms::{AccessToken, PartToPublish};
use crate::ports::clock::Clock;
use crate::ports::http::HttpClient;
use crate::ports::json;
use crate::ports::media::MediumRange;
use http::Method;
use serde::{Deserialize, Serialize};

/// A member's token may not read how far an image is: so long after the last byte it is taken as done. Where that is too
/// soon, LinkedIn refuses the post as `MEDIA_ASSET_WAITING_UPLOAD`, and it is tried again.
const GRACE_MS: Millis = Millis(8_000);

/// An upload that LinkedIn still waits for after this time did not arrive.
const ARRIVES_WITHIN_MS: Millis = Millis(5 * 60_000);

/// How far an asset is, is asked again after a quarter of the time that it has taken so far, within these.
const LOOK_MS: [Millis; 2] = [Millis(2_000), Millis(60_000)];

/// The handle that says that the token may not read how far assets are.
const UNSEEN: &str = "unseen";

/// Where the parts of a video go. What their addresses have in common is kept once. It stays as it is while they are sent:
/// the journal gets what changes, and this is the longest handle of all.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Parts {
    prefix: String,
    suffix: String,
    /// The middle of the address and the number of bytes of each part.
    todo: Vec<(String, u64)>,
    /// The first byte of the first of them.
    next: u64,
    /// What LinkedIn calls the parts before these: uploads that began when this was written anew with every part have some.
    etags: Vec<String>,
}

impl Parts {
    /// The parts that LinkedIn asks for; `None` when they are not the whole file in order.
    fn new(asked: &[wire::Instruction], bytes: u64) -> Option<Self> {
        let mut next = 0;
        for part in asked {
            if part.first_byte != next || part.last_byte < next {
                return None;
            }
            next = part.last_byte + 1;
        }
        if asked.is_empty() || next != bytes {
            return None;
        }
        let urls: Vec<&str> = asked.iter().map(|part| part.upload_url.as_str()).collect();
        let (prefix, suffix) = shared(&urls);
        let todo = asked.iter().map(|part| {
            let middle = &part.upload_url[prefix..part.upload_url.len() - suffix];
            (middle.to_owned(), part.last_byte + 1 - part.first_byte)
        });
        Some(Self {
            prefix: urls[0][..prefix].to_owned(),
            suffix: urls[0][urls[0].len() - suffix..].to_owned(),
            todo: todo.collect(),
            next: 0,
            etags: Vec::new(),
        })
    }

    /// Address, first byte and length of the part behind that many of them.
    fn behind(&self, sent: usize) -> Option<(String, u64, u64)> {
        let (middle, length) = self.todo.get(sent)?;
        let before: u64 = self.todo[..sent].iter().map(|(_, length)| length).sum();
        let url = format!("{}{middle}{}", self.prefix, self.suffix);
        Some((url, self.next + before, *length))
    }
}

/// How many bytes all of these begin with, and how many behind those they end with.
fn shared(urls: &[&str]) -> (usize, usize) {
    let Some((first, others)) = urls.split_first().filter(|_| urls.iter().all(|url| url.is_ascii())) else {
        return (0, 0);
    };
    let least = |same: &dyn Fn(&str) -> usize| others.iter().map(|url| same(url)).min().unwrap_or(0);
    let prefix = least(&|url| first.bytes().zip(url.bytes()).take_while(|(a, b)| a == b).count());
    let suffix = least(&|url| {
        let pairs = first.bytes().rev().zip(url.bytes().rev());
        pairs.take_while(|(a, b)| a == b).count()
    });
    let shortest = urls.iter().map(|url| url.len()).min().unwrap_or(0);
    (prefix, suffix.min(shortest - prefix))
}

fn name(index: usize, what: &str) -> String {
    format!("media.{}.{what}", index + 1)
}

fn etag(number: usize) -> String {
    format!("etag.{number}")
}

/// The URN of an uploaded medium, counted from 0.
pub fn id_of(handles: &[Handle], index: usize) -> Option<&str> {
    handle(handles, &name(index, "id"))
}

/// The URNs of all uploaded media.
pub fn ids(handles: &[Handle]) -> impl Iterator<Item = &str> {
    let is_id = |handle: &&Handle| handle.name.starts_with("media.") && handle.name.ends_with(".id");
    handles.iter().filter(is_id).map(|handle| handle.value.as_str())
}

/// What LinkedIn calls that kind: in URNs, and in paths.
const fn words(kind: MediaKind) -> (&'static str, &'static str) {
    match kind {
        MediaKind::Image | MediaKind::Gif => ("image", "images"),
        MediaKind::Video => ("video", "videos"),
        MediaKind::Document => ("document", "documents"),
    }
}

/// One medium of a part while it is uploaded.
struct Asset<'a> {
    part: &'a PartToPublish<'a>,
    medium: &'a Medium,
    index: usize,
}

impl<'a> Asset<'a> {
    fn value(&self, what: &str) -> Option<&'a str> {
        handle(self.part.handles, &name(self.index, what))
    }

    /// The handles with some of this medium's set anew.
    fn with(&self, values: &[(&str, &str)]) -> Vec<Handle> {
        let mut handles = self.part.handles.to_vec();
        for (what, value) in values {
            set_handle(&mut handles, &name(self.index, what), *value);
        }
        handles
    }

    /// The handles once all of it has been sent.
    fn sent(&self, now: Timestamp) -> Preparation {
        let mut handles = self.with(&[("sent", &now.0.to_string())]);
        let spent = ["url", "parts", "token"].map(|what| name(self.index, what));
        let etags = name(self.index, "etag.");
        handles.retain(|handle| !spent.contains(&handle.name) && !handle.name.starts_with(&etags));
        progress(handles, None)
    }

    /// What LinkedIn calls the parts that were sent, in order.
    fn etags(&self) -> Vec<&'a str> {
        (1..).map_while(|number| self.value(&etag(number))).collect()
    }

    fn range(&self, first: u64, length: u64) -> MediumRange {
        MediumRange {
            id: self.medium.id.clone(),
            first,
            length,
        }
    }
}

fn progress(handles: Vec<Handle>, again_at: Option<Timestamp>) -> Preparation {
    Preparation::Progress { handles, again_at }
}

fn rejected(kind: RejectionKind, message: &str) -> Preparation {
    Preparation::Rejected {
        kind,
        message: message.to_owned(),
    }
}

fn later(message: &str) -> Trouble {
    Trouble::Later {
        message: message.to_owned(),
    }
}

/// What a call that did not succeed means for what is being prepared.
pub fn failed(trouble: Trouble) -> Preparation {
    match trouble {
        Trouble::Later { message } => Preparation::NotNow {
            message,
            retry_at: None,
        },
        Trouble::Throttled { until } => Preparation::Throttled {
            until: Some(until),
            app_wide: false,
        },
        Trouble::TokenDead { message } => rejected(RejectionKind::TokenDead, &message),
        Trouble::Operator { message } => rejected(RejectionKind::Operator, &message),
        Trouble::Denied { message } => rejected(RejectionKind::Permanent, &message),
        Trouble::Gone { message } => rejected(RejectionKind::HandleVoid, &message),
        Trouble::Refused { kind, message } => rejected(kind, &message),
    }
}

/// When the last byte of the last medium had been sent.
fn sent_at(handles: &[Handle], index: usize) -> Timestamp {
    let text = handle(handles, &name(index, "sent"));
    Timestamp(text.and_then(|text| text.parse().ok()).unwrap_or(0))
}

impl<H: HttpClient, C: Clock> Client<H, C> {
    /// Makes the next call that the media of a part need.
    pub(super) async fn prepare_media(
        &self,
        token: &AccessToken,
        part: &PartToPublish<'_>,
        author: &str,
    ) -> Result<Preparation, Trouble> {
        for (index, medium) in part.media.iter().enumerate() {
            let asset = Asset { part, medium, index };
            if asset.value("sent").is_some() {
                continue;
            }
            return match (asset.value("id"), asset.value("url"), asset.value("parts")) {
                (Some(_), Some(url), _) => self.send_whole(token, &asset, url).await,
                (Some(id), None, Some(parts)) => self.send_part(token, &asset, id, parts).await,
                _ => self.initialize(token, &asset, author).await,
            };
        }
        self.settle(token, part).await
    }

    async fn initialize(&self, token: &AccessToken, asset: &Asset<'_>, owner: &str) -> Result<Preparation, Trouble> {
        let (word, resource) = words(asset.medium.kind);
        let is_video = asset.medium.kind == MediaKind::Video;
        let body = wire::Initialize {
            initialize_upload_request: wire::InitializeRequest {
                owner,
                video: is_video.then_some(wire::VideoRequest {
                    file_size_bytes: asset.medium.bytes,
                    upload_captions: false,
                    upload_thumbnail: false,
                }),
            },
        };
        let path = format!("/rest/{resource}?action=initializeUpload");
        let answer = self.ask(token, Method::POST, &path, Body::json(&body)).await;
        let answer = answer.map_err(|trouble| match trouble {
            Trouble::Gone { message } => Trouble::Operator {
                message: format!("{message}: check `LINKEDIN_API_URL`"),
            },
            other => other,
        })?;
        let unreadable = || later("LinkedIn's answer does not say where a medium is to be uploaded");
        let upload = json::read::<wire::Initialized>(&answer.body).map_err(|_| unreadable())?;
        let upload = upload.value;
        let id = upload.image.or(upload.document).or(upload.video);
        let prefix = format!("urn:li:{word}:");
        let id = id.filter(|id| id.starts_with(&prefix)).ok_or_else(unreadable)?;
        if !is_video {
            let url = upload.upload_url.ok_or_else(unreadable)?;
            return Ok(progress(asset.with(&[("id", &id), ("url", &url)]), None));
        }
        let asked = upload.upload_instructions.unwrap_or_default();
        let parts = Parts::new(&asked, asset.medium.bytes);
        let parts = parts
            .and_then(|parts| serde_json::to_string(&parts).ok())
            .ok_or_else(unreadable)?;
        let upload_token = upload.upload_token.unwrap_or_default();
        Ok(progress(
            asset.with(&[("id", &id), ("token", &upload_token), ("parts", &parts)]),
            None,
        ))
    }

    /// Sends an image or a document.
    async fn send_whole(&self, token: &AccessToken, asset: &Asset<'_>, url: &str) -> Result<Preparation, Trouble> {
        let range = asset.range(0, asset.medium.bytes);
        let body = Body::medium(range, &asset.medium.mime, asset.part.deadline);
        self.upload(Some(token), url, body).await?;
        Ok(asset.sent(self.clock.now()))
    }

    /// Sends the next part of a video; when all are sent, says so.
    async fn send_part(
        &self,
        token: &AccessToken,
        asset: &Asset<'_>,
        id: &str,
        parts: &str,
    ) -> Result<Preparation, Trouble> {
        let Ok(parts) = json::read::<Parts>(parts) else {
            return Ok(rejected(
                RejectionKind::HandleVoid,
                "what was kept of an upload to LinkedIn cannot be read",
            ));
        };
        let sent = asset.etags();
        let Some((url, first, length)) = parts.behind(sent.len()) else {
            let before = parts.etags.iter().map(String::as_str);
            let etags: Vec<&str> = before.chain(sent).collect();
            return self.finalize(token, asset, id, &etags).await;
        };
        let body = Body::medium(
            asset.range(first, length),
            "application/octet-stream",
            asset.part.deadline,
        );
        // The address itself is the permission; a token with it is refused.
        let answer = self.upload(None, &url, body).await?;
        let given = answer.header("etag");
        let given = given.ok_or_else(|| later("LinkedIn took a part of a video and gave it no name"))?;
        Ok(progress(asset.with(&[(&etag(sent.len() + 1), given)]), None))
    }

    async fn finalize(
        &self,
        token: &AccessToken,
        asset: &Asset<'_>,
        id: &str,
        etags: &[&str],
    ) -> Result<Preparation, Trouble> {
        let body = wire::Finalize {
            finalize_upload_request: wire::FinalizeRequest {
                video: id,
                upload_token: asset.value("token").unwrap_or_default(),
                uploaded_part_ids: etags,
            },
        };
        let path = "/rest/videos?action=finalizeUpload";
        let end = self.ask(token, Method::POST, path, Body::json(&body)).await;
        match end {
            Ok(_) => Ok(asset.sent(self.clock.now())),
            Err(Trouble::Refused { kind, message }) => {
                // An earlier call whose answer was lost may have done it.
                let status = self.asset_status(token, MediaKind::Video, id).await;
                if matches!(status.as_deref(), Ok("PROCESSING" | "AVAILABLE")) {
                    return Ok(asset.sent(self.clock.now()));
                }
                let kind = match kind {
                    // A part is not there, whatever was answered when it was sent.
                    RejectionKind::NotReady => RejectionKind::HandleVoid,
                    kind => kind,
                };
                Err(Trouble::Refused { kind, message })
            }
            Err(trouble) => Err(trouble),
        }
    }

    async fn asset_status(&self, token: &AccessToken, kind: MediaKind, id: &str) -> Result<String, Trouble> {
        let path = format!("/rest/{}/{}", words(kind).1, urn::encoded(id));
        let answer = self.ask(token, Method::GET, &path, Body::none()).await?;
        let status = json::read::<wire::AssetStatus>(&answer.body);
        status
            .map(|asset| asset.status)
            .map_err(|_| later("LinkedIn's answer does not say how far a medium is"))
    }

    /// All is sent: waits until LinkedIn has processed it.
    async fn settle(&self, token: &AccessToken, part: &PartToPublish<'_>) -> Result<Preparation, Trouble> {
        let ready = |handles: Vec<Handle>| Preparation::Ready {
            handles,
            expires_at: None,
        };
        let assets = part.media.iter().enumerate();
        let mut waiting = assets.map(|(index, medium)| Asset { part, medium, index });
        let mut waiting = waiting.by_ref().filter(|asset| asset.value("ready").is_none());
        let Some(asset) = waiting.next() else {
            return Ok(ready(part.handles.to_vec()));
        };
        let now = self.clock.now();
        let last = (0..part.media.len()).map(|index| sent_at(part.handles, index)).max();
        let grace_ends_at = last.unwrap_or(now) + GRACE_MS;
        let after_grace = |handles: Vec<Handle>| {
            if now >= grace_ends_at {
                ready(handles)
            } else {
                progress(handles, Some(grace_ends_at))
            }
        };
        if handle(part.handles, UNSEEN).is_some() {
            return Ok(after_grace(part.handles.to_vec()));
        }
        let age = now.since(sent_at(part.handles, asset.index));
        let id = asset.value("id").unwrap_or_default();
        let status = match self.asset_status(token, asset.medium.kind, id).await {
            Ok(status) => status,
            Err(Trouble::Denied { .. }) => {
                let mut handles = part.handles.to_vec();
                set_handle(&mut handles, UNSEEN, "1");
                return Ok(after_grace(handles));
            }
            Err(trouble) => return Err(trouble),
        };
        Ok(match status.as_str() {
            "AVAILABLE" => {
                let handles = asset.with(&[("ready", "1")]);
                if waiting.next().is_none() {
                    ready(handles)
                } else {
                    progress(handles, None)
                }
            }
            "PROCESSING_FAILED" => rejected(
                RejectionKind::Permanent,
                "LinkedIn could not process a medium: convert it to another format and try again",
            ),
            "WAITING_UPLOAD" if age > ARRIVES_WITHIN_MS => rejected(
                RejectionKind::HandleVoid,
                "LinkedIn did not get a medium that was uploaded",
            ),
            _ => {
                let wait = Millis((age.0 / 4).clamp(LOOK_MS[0].0, LOOK_MS[1].0));
                progress(part.handles.to_vec(), Some(now + wait))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn instructions(ranges: &[(u64, u64)]) -> Vec<wire::Instruction> {
        let url = |part| format!("https://www.linkedin.com/dms-uploads/C5/{part}/video?sau=1");
        let all = ranges.iter().enumerate();
        all.map(|(part, (first_byte, last_byte))| wire::Instruction {
            upload_url: url(part),
            first_byte: *first_byte,
            last_byte: *last_byte,
        })
        .collect()
    }

    #[test]
    fn parts_are_cut_as_asked_and_their_addresses_kept_once() {
        let asked = instructions(&[(0, 3), (4, 7), (8, 8)]);
        let parts = Parts::new(&asked, 9).unwrap();
        assert_eq!(
            parts.todo,
            [("0".to_owned(), 4), ("1".to_owned(), 4), ("2".to_owned(), 1)]
        );
        for (at, (first, length)) in [(0, 4), (4, 4), (8, 1)].into_iter().enumerate() {
            assert_eq!(parts.behind(at), Some((asked[at].upload_url.clone(), first, length)));
        }
        assert_eq!(parts.behind(3), None);
        // One that was written when the first was sent goes on behind it.
        let later = Parts {
            todo: parts.todo[1..].to_vec(),
            next: 4,
            etags: vec!["tag".to_owned()],
            ..parts
        };
        assert_eq!(later.behind(1), Some((asked[2].upload_url.clone(), 8, 1)));
    }

    #[test]
    fn parts_that_are_not_the_file_are_refused() {
        for ranges in [&[(0, 3)][..], &[(1, 8)], &[(0, 3), (5, 8)], &[(0, 3), (3, 8)], &[]] {
            assert_eq!(Parts::new(&instructions(ranges), 9), None, "{ranges:?}");
        }
    }

    #[test]
    fn what_addresses_share_never_overlaps() {
        for (urls, expected) in [
            (&["aXb", "aYb"][..], (1, 1)),
            (&["aa", "aaa"], (2, 0)),
            (&["ab", "ab"], (2, 0)),
            (&["only"], (0, 0)),
            (&["é1", "é2"], (0, 0)),
        ] {
            assert_eq!(shared(urls), expected, "{urls:?}");
        }
    }
}
