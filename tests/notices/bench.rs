//! A world with a receiver of messages.

use crate::receiver::Receiver;
use crate::support::{self, World};
use psn::dev::neon::NeonEndpoint;
use psn::dev::postgres::Postgres;
use psn::domain::id::{DestinationId, PostId, UserId};
use psn::domain::notice::EventKind;
use psn::domain::notice::message::key;
use psn::domain::secret::Secret;
use psn::domain::time::Timestamp;
use psn::ports::entropy::Entropy as _;
use psn::ports::memory::ManualClock;
use psn::ports::objects::{IndexRequest, Objects as _};
use psn::store::destinations::Destination;
use psn::store::notifications::NotificationPreferences;
use psn::store::outbox::NewNotice;
use psn::tasks::notify::target::Target;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub struct Bench {
    pub world: World,
    pub receiver: Receiver,
    postgres: Arc<Postgres>,
    database: String,
    _neon: NeonEndpoint,
}

impl Bench {
    pub async fn start(postgres: &Arc<Postgres>, database: &str, at: &str) -> Self {
        let receiver = Receiver::start().await;
        let clock = Arc::new(ManualClock::new(Timestamp::parse(at).unwrap()));
        let url = receiver.url();
        let variables = [
            ("MEDIA_FROM_LOOPBACK", "1"),
            ("PUBLIC_URL", "https://psn.example"),
            ("WAHA_BASE_URL", url),
            ("WAHA_API_KEY", "waha-key"),
            ("WAHA_HMAC_KEY", "waha-hmac"),
            ("TWILIO_API_URL", url),
            ("TWILIO_ACCOUNT_SID", "AC1"),
            ("TWILIO_AUTH_TOKEN", "twilio-token"),
            ("TWILIO_FROM_NUMBER", "+1 555 0100"),
            ("TELEGRAM_API_URL", url),
            ("RESEND_API_URL", url),
            ("RESEND_API_KEY", "re_1"),
            ("EMAIL_FROM", "psn <psn@example.com>"),
        ];
        let (world, neon) = support::world(postgres, database, 7, &clock, &variables).await;
        Self {
            world,
            receiver,
            postgres: postgres.clone(),
            database: database.to_owned(),
            _neon: neon,
        }
    }

    /// How many calls psn made: to the database and to services.
    pub fn calls(&self) -> u64 {
        self.world.http().calls.load(Ordering::SeqCst)
    }

    pub async fn destination(&self, name: &str, kind: &str, given: Value) -> DestinationId {
        let settings = self.world.settings();
        let target = Target::read(kind, given.as_object().unwrap(), &settings.notify).unwrap();
        let around = self.world.around();
        let mut destination = Destination {
            id: DestinationId::from_random(around.bytes16()),
            user: UserId::from(name),
            kind: kind.to_owned(),
            label: format!("{name}'s {kind}"),
            sealed: Secret::new(""),
            enabled: true,
        };
        let sealer = settings.sealer().unwrap();
        let sealed = sealer.seal(&target.to_secret(), &destination.place(), &around).unwrap();
        destination.sealed = Secret::new(sealed);
        self.world
            .store()
            .destination_put(&destination, self.world.now())
            .await
            .unwrap();
        destination.id
    }

    pub async fn prefers(&self, name: &str, preferences: NotificationPreferences) {
        let (store, now) = (self.world.store(), self.world.now());
        store
            .notification_preferences_put(&UserId::from(name), &preferences, now)
            .await
            .unwrap();
    }

    /// Writes a notice as its author's object does, and tells the index.
    pub async fn write(&self, notice: &NewNotice) {
        let now = self.world.now();
        let notice = NewNotice {
            not_before: now,
            now,
            ..notice.clone()
        };
        assert!(
            self.world.store().notice_add(&notice).await.unwrap(),
            "it is there already"
        );
        self.due().await;
    }

    pub async fn due(&self) {
        let at = self.world.now();
        self.world.index(IndexRequest::OutboxDue { at }).await.unwrap();
    }

    pub async fn digest_due(&self) {
        let at = self.world.now();
        self.world.index(IndexRequest::DigestDue { at }).await.unwrap();
    }

    /// Runs a statement as the owner; the fields of its rows by `|`, the rows by line ends.
    pub async fn sql(&self, sql: &str) -> String {
        let rows = self.postgres.owner_script(&self.database, sql).await.unwrap();
        let line = |row: &Vec<Option<String>>| {
            let fields = row.iter().map(|field| field.clone().unwrap_or_default());
            fields.collect::<Vec<_>>().join("|")
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// A notice about that user's post.
pub fn named(kind: EventKind, name: &str, number: u8, event: &str) -> NewNotice {
    let post = PostId::from_random([number; 16]);
    let mut payload = Map::new();
    for (name, value) in [
        (key::PLATFORM, "x"),
        (key::TITLE, "Ten things"),
        (key::MESSAGE, "it is too long"),
        (key::SCHEDULED_AT, "2026-12-24T09:00:00Z"),
        (key::HASH, "5d41"),
    ] {
        payload.insert(name.to_owned(), json!(value));
    }
    let event = format!("{number} {event}");
    NewNotice::of(
        kind,
        (UserId::from(name), None),
        Some(post),
        &event,
        payload,
        Timestamp(0),
    )
}

pub fn notice(kind: EventKind, name: &str, number: u8) -> NewNotice {
    named(kind, name, number, "")
}

pub fn failed(name: &str, number: u8) -> NewNotice {
    let mut notice = notice(EventKind::PostFailed, name, number);
    notice.payload.remove(key::SCHEDULED_AT);
    notice
}
