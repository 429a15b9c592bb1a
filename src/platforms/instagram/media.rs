//! Preparing a post: the day's quota is read, containers are made, and looked at until Instagram has done with them. What
//! is known by then lies in the handles; what comes next follows from them alone.

use super::answer::{Class, Fault};
use super::options::{InstagramOptions, Kind};
use super::publish::{EXPIRED, Status, failed};
use super::{rules, wire};
use crate::domain::media::{Handle, MediaKind, Medium, handle, set_handle};
use crate::domain::outcome::{Preparation, RejectionKind};
use crate::domain::time::{Millis, Timestamp};
use crate::platforms::PartToPublish;
use crate::ports::json;

/// The handle of the container that is published.
pub const CONTAINER: &str = "container";
/// The handle that says that the quota was read.
const QUOTA: &str = "quota";
/// The handle that says that containers had to be made again.
const RETRIED: &str = "retried";

/// How long a container lives
/// (<https://developers.facebook.com/docs/instagram-platform/content-publishing>).
const LIFE: Millis = Millis::from_secs(24 * 3_600);
/// How long before its end a container is not used any more.
const MARGIN: Millis = Millis::from_secs(10 * 60);
/// The first look at an image, and at a video; later ones come after as long as it has taken already.
const FIRST_LOOK: [Millis; 2] = [Millis::from_secs(5), Millis::from_secs(15)];
/// Longest pause between two looks.
const PAUSE_MAX: Millis = Millis::from_secs(60);

/// What comes next.
#[derive(Debug)]
pub enum Action<'a> {
    /// The quota is to be read.
    ReadQuota,
    /// A container is to be made, under that name.
    Create {
        name: String,
        body: Box<wire::CreateContainer<'a>>,
    },
    /// The container of that name is to be looked at.
    Look { name: String, id: &'a str },
    /// Nothing before that time.
    Wait { until: Timestamp },
    /// All is done.
    Ready { expires_at: Timestamp },
}

/// A part with everything that decides what comes next.
pub struct Work<'a> {
    pub part: &'a PartToPublish<'a>,
    pub options: &'a InstagramOptions,
    pub kind: Kind,
}

impl<'a> Work<'a> {
    /// The work for a part.
    ///
    /// # Errors
    /// One sentence, when it cannot be done.
    pub fn of(part: &'a PartToPublish<'a>, options: &'a InstagramOptions) -> Result<Self, String> {
        let kind = options.kind.or_else(|| rules::kind_of(part.media));
        let kind = kind.ok_or("a post on Instagram has an image or a video: edit the post to give one")?;
        if part.addresses.len() < part.media.len() {
            return Err(
                "Instagram fetches media from this Worker, and it does not know its own address: set \
                        `PUBLIC_URL` to the origin at which it is found, then retry"
                    .to_owned(),
            );
        }
        Ok(Self { part, options, kind })
    }

    /// What comes next, with those handles.
    pub fn next(&self, handles: &'a [Handle], now: Timestamp) -> Action<'a> {
        if handle(handles, QUOTA).is_none() {
            return Action::ReadQuota;
        }
        let is_carousel = self.kind == Kind::Carousel;
        let children = if is_carousel { self.part.media.len() } else { 0 };
        for index in 0..children {
            if handle(handles, &child(index)).is_none() {
                return Action::Create {
                    name: child(index),
                    body: Box::new(self.item(index)),
                };
            }
        }
        for index in 0..children {
            let is_video = self.part.media[index].kind == MediaKind::Video;
            if let Some(look) = look(handles, &child(index), is_video, now) {
                return look;
            }
        }
        if handle(handles, CONTAINER).is_none() {
            let body = Box::new(if is_carousel {
                self.carousel(handles)
            } else {
                self.single()
            });
            return Action::Create {
                name: CONTAINER.to_owned(),
                body,
            };
        }
        let is_video = !is_carousel && self.part.media.iter().any(|medium| medium.kind == MediaKind::Video);
        if let Some(look) = look(handles, CONTAINER, is_video, now) {
            return look;
        }
        // Children are made before what holds them, and live as long.
        let made = (0..children).map(child).chain([CONTAINER.to_owned()]);
        let oldest = made.filter_map(|name| made_at(handles, &name)).min().unwrap_or(now);
        Action::Ready {
            expires_at: oldest + LIFE - MARGIN,
        }
    }

    /// Where preparation is with those handles.
    pub fn progress(&self, handles: Vec<Handle>, now: Timestamp) -> Preparation {
        let again_at = match self.next(&handles, now) {
            Action::Ready { expires_at } => {
                return Preparation::Ready {
                    expires_at: Some(expires_at),
                    handles,
                };
            }
            Action::Wait { until } => Some(until),
            Action::ReadQuota | Action::Create { .. } | Action::Look { .. } => None,
        };
        Preparation::Progress { handles, again_at }
    }

    /// The quota was read.
    pub fn quota(&self, body: &[u8], now: Timestamp) -> Preparation {
        let read = json::read::<wire::Limits>(body).ok();
        let limit = read.and_then(|limits| limits.data.into_iter().next());
        let Some(used) = limit.as_ref().and_then(|limit| limit.quota_usage) else {
            let message = "Instagram does not say how many posts the account may still publish".to_owned();
            return Preparation::NotNow {
                message,
                retry_at: None,
            };
        };
        // Without a total there is nothing to hold it against: publishing will tell.
        let total = limit.and_then(|limit| limit.config?.quota_total);
        if total.is_some_and(|total| used >= total) {
            return refused(&Fault::new(Class::Quota, ""), now);
        }
        let mut handles = self.part.handles.to_vec();
        set_handle(&mut handles, QUOTA, "read");
        self.progress(handles, now)
    }

    /// A container was made by a call that left at `asked_at`.
    pub fn created(&self, name: &str, body: &[u8], asked_at: Timestamp, now: Timestamp) -> Preparation {
        let made = json::read::<wire::Made>(body).ok();
        let Some(id) = made.and_then(|made| made.id) else {
            // Whatever it made is seen by nobody and ends by itself.
            let message = "Instagram answered without the id of a container".to_owned();
            return Preparation::NotNow {
                message,
                retry_at: None,
            };
        };
        let mut handles = self.part.handles.to_vec();
        set_handle(&mut handles, name, id);
        set_handle(&mut handles, &format!("{name}.at"), asked_at.0.to_string());
        self.progress(handles, now)
    }

    /// The container of that name was looked at.
    pub fn looked(&self, name: &str, status: Status, now: Timestamp) -> Preparation {
        let mut handles = self.part.handles.to_vec();
        match status {
            // Published already: publishing will find that out, and which post it is.
            Status::Finished | Status::Published => {
                set_handle(&mut handles, &format!("{name}.done"), "yes");
                self.progress(handles, now)
            }
            Status::InProgress => {
                let passed = made_at(&handles, name).map_or(Millis(0), |made| now.since(made));
                Preparation::Progress {
                    handles,
                    again_at: Some(now + pause(passed)),
                }
            }
            Status::Expired => Preparation::Rejected {
                kind: RejectionKind::HandleVoid,
                message: EXPIRED.to_owned(),
            },
            Status::Failed(why) if why.class == Class::OnceMore => self.once_more(&why),
            Status::Failed(why) if matches!(why.class, Class::Quota | Class::Blocked) => refused(&why, now),
            Status::Failed(why) => Preparation::Rejected {
                kind: failed(&why),
                message: self.about(name, &why.message),
            },
        }
    }

    /// Processing failed in a way that is seen to pass once, and not again.
    fn once_more(&self, why: &Fault) -> Preparation {
        if handle(self.part.handles, RETRIED).is_some() {
            return Preparation::Rejected {
                kind: RejectionKind::Permanent,
                message: format!("Instagram could not process the media, twice: {}", why.message),
            };
        }
        let mut handles = Vec::new();
        set_handle(&mut handles, QUOTA, "read");
        set_handle(&mut handles, RETRIED, "yes");
        Preparation::Progress {
            handles,
            again_at: None,
        }
    }

    /// A call for that container failed.
    pub fn failed(&self, name: &str, fault: &Fault, now: Timestamp) -> Preparation {
        let message = self.about(name, &fault.message);
        refused(
            &Fault {
                message,
                ..fault.clone()
            },
            now,
        )
    }

    /// A message with the medium that it is about, where there are several.
    fn about(&self, name: &str, message: &str) -> String {
        match name.strip_prefix("child.") {
            Some(number) => format!("medium {number}: {message}"),
            None => message.to_owned(),
        }
    }

    /// The container of one medium of a carousel.
    fn item(&self, index: usize) -> wire::CreateContainer<'a> {
        let is_video = self.part.media[index].kind == MediaKind::Video;
        wire::CreateContainer {
            is_carousel_item: true,
            media_type: is_video.then_some("VIDEO"),
            alt_text: alt_text(&self.part.media[index]),
            user_tags: self.tags(index),
            ..self.source(index)
        }
    }

    fn carousel(&self, handles: &'a [Handle]) -> wire::CreateContainer<'a> {
        let children = 0..self.part.media.len();
        wire::CreateContainer {
            media_type: Some("CAROUSEL"),
            children: children.filter_map(|index| handle(handles, &child(index))).collect(),
            ..self.whole()
        }
    }

    /// The container of an image, a reel or a story.
    fn single(&self) -> wire::CreateContainer<'a> {
        let source = self.source(0);
        let whole = wire::CreateContainer {
            image_url: source.image_url,
            video_url: source.video_url,
            user_tags: self.tags(0),
            ..self.whole()
        };
        match self.kind {
            Kind::Reel => wire::CreateContainer {
                media_type: Some("REELS"),
                share_to_feed: self.options.share_to_feed,
                thumb_offset: self.options.thumb_offset_ms,
                ..whole
            },
            Kind::Story => wire::CreateContainer {
                media_type: Some("STORIES"),
                ..whole
            },
            Kind::Image | Kind::Carousel => wire::CreateContainer {
                alt_text: self.part.media.first().and_then(alt_text),
                ..whole
            },
        }
    }

    /// What is said about a post as a whole.
    fn whole(&self) -> wire::CreateContainer<'a> {
        wire::CreateContainer {
            caption: Some(self.part.text).filter(|text| !text.is_empty()),
            collaborators: &self.options.collaborators,
            location_id: self.options.location_id.as_deref(),
            is_ai_generated: self.options.is_ai_generated,
            ..wire::CreateContainer::default()
        }
    }

    fn source(&self, index: usize) -> wire::CreateContainer<'a> {
        let url = self.part.addresses.get(index).map(String::as_str);
        let is_video = self
            .part
            .media
            .get(index)
            .is_some_and(|medium| medium.kind == MediaKind::Video);
        wire::CreateContainer {
            image_url: url.filter(|_| !is_video),
            video_url: url.filter(|_| is_video),
            ..wire::CreateContainer::default()
        }
    }

    fn tags(&self, index: usize) -> Vec<wire::UserTag<'a>> {
        let tags = self.options.user_tags.iter().filter(|tag| tag.medium == index + 1);
        let tags = tags.map(|tag| wire::UserTag {
            username: &tag.username,
            x: tag.x,
            y: tag.y,
        });
        tags.collect()
    }
}

fn alt_text(medium: &Medium) -> Option<&str> {
    medium.alt_text.as_deref().filter(|text| !text.is_empty())
}

fn child(index: usize) -> String {
    format!("child.{}", index + 1)
}

fn made_at(handles: &[Handle], name: &str) -> Option<Timestamp> {
    let at = handle(handles, &format!("{name}.at"))?;
    at.parse().ok().map(Timestamp)
}

/// The look that a container still needs, or the wait before it.
fn look<'a>(handles: &'a [Handle], name: &str, is_video: bool, now: Timestamp) -> Option<Action<'a>> {
    if handle(handles, &format!("{name}.done")).is_some() {
        return None;
    }
    let id = handle(handles, name)?;
    let first = made_at(handles, name).map_or(now, |made| made + FIRST_LOOK[usize::from(is_video)]);
    Some(if first > now {
        Action::Wait { until: first }
    } else {
        let name = name.to_owned();
        Action::Look { name, id }
    })
}

/// How long to wait before the next look at what has been worked on for that long: each pause doubles the time.
pub fn pause(passed: Millis) -> Millis {
    Millis(passed.0.clamp(FIRST_LOOK[0].0, PAUSE_MAX.0))
}

/// What a failed call comes to while nothing of the post can be seen yet.
pub fn refused(fault: &Fault, now: Timestamp) -> Preparation {
    let message = fault.message.clone();
    let rejected = |kind| Preparation::Rejected {
        kind,
        message: message.clone(),
    };
    match fault.class {
        Class::Rate | Class::Quota | Class::Blocked => Preparation::Throttled {
            until: fault.back_at(now),
            app_wide: fault.app_wide,
        },
        Class::TokenDead => rejected(RejectionKind::TokenDead),
        Class::Refused | Class::Untold => rejected(RejectionKind::Permanent),
        Class::Void | Class::OnceMore | Class::Gone => rejected(RejectionKind::HandleVoid),
        Class::NotSent | Class::Retry | Class::NotReady | Class::Unknown => Preparation::NotNow {
            message,
            retry_at: fault.until,
        },
    }
}
