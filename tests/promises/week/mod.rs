//! A week of virtual time: ten posts a day on four platforms that fail now and then, every cron string at its times, a
//! database that is away for a while, a program that dies, alarms that are lost, cron that does not come, an owner who
//! takes their consent back. All of it has to end right, at the cost that is promised.

mod checks;
mod cost;

use crate::bench::Bench;
use crate::native::Native;
use crate::place::Place;
use crate::receiver::{Receiver, Reply};
use crate::samples::Sample;
use crate::subject::{Shape, shape};
use crate::{DAY, HOUR, MINUTE, subjects, support};
use cost::{Cost, Wake, timed};
use psn::cli::zones::BundledZones;
use psn::dev::postgres::Postgres;
use psn::dev::runtime_config::Wrangler;
use psn::domain::cron::Cron;
use psn::domain::id::{DestinationId, PostId, UserId};
use psn::domain::media::{MediaKind, Medium};
use psn::domain::platform::Platform;
use psn::domain::secret::Secret;
use psn::domain::time::{Millis, Timestamp};
use psn::ports::entropy::Entropy as _;
use psn::ports::media::MediaStore as _;
use psn::store::destinations::Destination;
use psn::store::notifications::NotificationPreferences;
use psn::tasks::notify::target::Target;
use psn::tasks::{Context, on_cron};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

const DATABASE: &str = "promises_week";
const DAYS: i64 = 7;
/// Where the user lives.
const ZONE: &str = "Europe/Berlin";
/// Rings of alarms between two events, at most: more is a program that turns in circles.
const RINGS_MAX: usize = 2_000;

/// A post that somebody wants.
struct Post {
    id: String,
    /// On which account, by its place in the list.
    on: usize,
    due: Timestamp,
    /// The texts that X shows, where it goes there.
    texts: Vec<String>,
}

/// What happens in the week beside cron and alarms.
#[derive(Clone, Debug)]
enum Act {
    /// The user writes the posts of that day.
    Write(i64),
    /// The database goes away, or comes back.
    Database { is_down: bool },
    /// The program dies and starts again.
    Die,
    /// The runtime loses every alarm.
    LoseAlarms,
    /// Cron stops, or goes on.
    Cron { is_down: bool },
    /// Whoever takes messages is out of order for the next ones.
    NobodyTakesMessages,
    /// The owner of the account on TikTok takes their consent back.
    TakeBack,
    /// The owner, told of it, consents again.
    Consent,
    /// The user looks at a post that they were told of.
    LookInto(String),
}

/// A message that came.
struct Heard {
    at: Timestamp,
    /// The same for each try of one message.
    id: String,
    kind: String,
    text: String,
}

struct Week {
    postgres: Arc<Postgres>,
    place: Arc<Native>,
    accounts: Vec<Bench>,
    receiver: Receiver,
    began: Timestamp,
    /// Each with the time for which it was fired last.
    crons: Vec<(Cron, Timestamp)>,
    cron_is_down: bool,
    acts: BTreeMap<(Timestamp, usize), Act>,
    planned: usize,
    posts: Vec<Post>,
    heard: Vec<Heard>,
    /// What tasks said that kept them from their work.
    problems: Vec<(Timestamp, String)>,
    cost: Cost,
    /// A medium that nobody has needed for a month by the third day.
    unused: Medium,
}

pub async fn play() {
    let mut week = Week::begin().await;
    week.plan();
    week.live().await;
    week.report();
    week.check().await;
}

impl Week {
    async fn begin() -> Self {
        let postgres = support::postgres().await;
        support::create_migrated(&postgres, DATABASE).await;
        let place = Native::start_on(&postgres, DATABASE, &subjects::ALL, &[("MEDIA_FROM_LOOPBACK", "1")]).await;
        let place = Arc::new(place);
        let unused = b"\x89PNG\r\n\x1a\n and then pixels that nobody wants";
        let unused = place
            .world
            .add_medium(MediaKind::Image, "image/png", unused.to_vec())
            .await;
        place.world.media_store().describe(&unused).await.unwrap();
        place.world.advance(Millis(28 * DAY.0));
        let mut accounts = Vec::new();
        for subject in subjects::ALL {
            accounts.push(Bench::new(subject, place.clone(), "week").await);
        }
        let wrangler = Wrangler::parse(include_str!("../../../wrangler.toml")).unwrap();
        let began = place.now();
        let crons = wrangler.crons().unwrap().into_iter().map(|cron| (cron, began));
        let mut week = Self {
            crons: crons.collect(),
            cost: Cost::of(&place),
            postgres,
            place,
            accounts,
            receiver: Receiver::start().await,
            began,
            cron_is_down: false,
            acts: BTreeMap::new(),
            planned: 0,
            posts: Vec::new(),
            heard: Vec::new(),
            problems: Vec::new(),
            unused,
        };
        week.settle_in().await;
        week
    }

    /// What the user sets up: consents (that on LinkedIn and Instagram some weeks ago), messages, ideas; and the faults.
    async fn settle_in(&mut self) {
        let on_x = json!({"metrics": {"*": {"likes": 3, "replies": 2, "impressions": 100}}, "followers": 40});
        self.accounts[0].emulated.change(&on_x);
        let partner =
            json!({"oauth": {"partner": true}, "metrics": {"*": {"impressions": 50, "reactions": 5}}, "followers": 7});
        self.accounts[1].emulated.change(&partner);
        self.accounts[1].connect(Millis(51 * DAY.0)).await;
        self.accounts[2].connect(Millis(37 * DAY.0)).await;
        for account in &self.accounts {
            for (call, percent, action) in faults(account) {
                let rule = json!({"match": {"method": call.0, "path": call.1, "percent": percent}, "action": action});
                account.emulated.add_rule(serde_json::from_value(rule).unwrap());
            }
        }
        self.be_told().await;
        for text in ["Why clocks lie #urgency:timely", "What clocks are for"] {
            let idea = json!({ "text": text });
            let made = self.accounts[0].call(Method::POST, "/v1/ideas", Some(&idea)).await;
            assert_eq!(made.status, 201);
        }
    }

    /// The user is told by a webhook, and wants a digest at nine.
    async fn be_told(&self) {
        let world = &self.place.world;
        let (settings, around, user) = (world.settings(), world.around(), UserId::from("default"));
        let given = json!({"url": self.receiver.url(), "secret": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="});
        let target = Target::read("webhook", given.as_object().unwrap(), &settings.notify).unwrap();
        let mut destination = Destination {
            id: DestinationId::from_random(around.bytes16()),
            user: user.clone(),
            kind: "webhook".to_owned(),
            label: "telephone".to_owned(),
            sealed: Secret::new(""),
            enabled: true,
        };
        let sealed = settings.sealer().unwrap();
        let sealed = sealed.seal(&target.to_secret(), &destination.place(), &around).unwrap();
        destination.sealed = Secret::new(sealed);
        let store = world.store();
        store.destination_put(&destination, world.now()).await.unwrap();
        let preferences = NotificationPreferences {
            digest_time: "09:00".to_owned(),
            timezone: ZONE.to_owned(),
            quiet_hours_start: Some("22:00".to_owned()),
            quiet_hours_end: Some("08:00".to_owned()),
            ..NotificationPreferences::default()
        };
        let put = store.notification_preferences_put(&user, &preferences, world.now());
        put.await.unwrap();
    }

    fn plan(&mut self) {
        for day in 0..DAYS {
            self.at(Millis(day * DAY.0 + 7_000), Act::Write(day));
            self.at(Millis(day * DAY.0 + 5 * HOUR.0 + 13_000), Act::Die);
        }
        let away = DAY.0 + 2 * HOUR.0 + 11_000;
        self.at(Millis(away), Act::Database { is_down: true });
        self.at(Millis(away + 90 * MINUTE.0), Act::Database { is_down: false });
        self.at(Millis(2 * DAY.0 + 3 * HOUR.0), Act::NobodyTakesMessages);
        self.at(Millis(3 * DAY.0 + 4 * HOUR.0 + 17_000), Act::LoseAlarms);
        self.at(Millis(4 * DAY.0 + 30_000), Act::TakeBack);
        // From an hour before the daily tasks on.
        let night = 4 * DAY.0 + 16 * HOUR.0 + 31 * MINUTE.0;
        self.at(Millis(night), Act::Cron { is_down: true });
        self.at(Millis(night + 3 * HOUR.0), Act::Cron { is_down: false });
    }

    fn at(&mut self, after: Millis, act: Act) {
        self.planned += 1;
        self.acts.insert((self.began + after, self.planned), act);
    }

    fn soon(&mut self, wait: Millis, act: Act) {
        let after = Millis(self.place.now().since(self.began).0 + wait.0);
        self.at(after, act);
    }

    /// One thing after the other, in the order of their times.
    async fn live(&mut self) {
        let end = self.began + Millis(DAYS * DAY.0);
        loop {
            let cron = self.crons.iter().enumerate();
            let cron = cron.filter_map(|(place, (cron, last))| Some((cron.next(*last)?, place)));
            let (fires_at, place) = cron.min().unwrap();
            let act = self.acts.first_key_value().map(|(key, act)| (*key, act.clone()));
            let at = act.as_ref().map_or(fires_at, |((at, _), _)| fires_at.min(*at));
            if at > end {
                break;
            }
            self.run_to(at).await;
            match act {
                Some((key, act)) if key.0 == at => {
                    self.acts.remove(&key);
                    self.perform(act).await;
                }
                _ => {
                    self.crons[place].1 = at;
                    if !self.cron_is_down {
                        self.fire(place).await;
                        self.hear();
                    }
                }
            }
        }
        self.run_to(end).await;
    }

    /// Lets alarms ring until that time.
    async fn run_to(&mut self, until: Timestamp) {
        for rings in 0.. {
            assert!(rings < RINGS_MAX, "alarms without end at {}", self.place.now());
            let (went_on, spent) = timed(self.place.world.step(until)).await;
            if !went_on {
                break;
            }
            self.cost.wakes.push((Wake::Alarm, spent));
            self.place.fetched().await;
            self.hear();
        }
        if self.place.now() < until {
            self.place.world.clock().0.set(until);
        }
    }

    async fn fire(&mut self, place: usize) {
        let world = &self.place.world;
        let context = Context {
            store: Arc::new(world.store()),
            objects: world.clone(),
            http: world.http().clone(),
            media: world.media_store(),
            settings: world.settings(),
            zones: Box::new(BundledZones),
        };
        let said = Mutex::new(Vec::new());
        let say = |line: String| said.lock().unwrap().push(line);
        let (done, spent) = timed(on_cron(self.crons[place].0.text(), &context, &say)).await;
        done.unwrap();
        self.cost.wakes.push((Wake::Cron, spent));
        let now = self.place.now();
        for line in said.into_inner().unwrap() {
            let (_, told) = line.split_once(": ").unwrap();
            if !told.starts_with('{') {
                self.problems.push((now, line));
            }
        }
    }

    async fn perform(&mut self, act: Act) {
        match act {
            Act::Write(day) => self.write(day).await,
            Act::Database { is_down } => self.place.set_database_down(is_down),
            Act::Die => self.place.world.crash(),
            Act::LoseAlarms => {
                self.place.world.lose_alarms();
                self.place.world.crash();
            }
            Act::Cron { is_down } => self.cron_is_down = is_down,
            Act::NobodyTakesMessages => self.receiver.reply([Reply::of(503), Reply::of(429)]),
            Act::TakeBack => self.accounts[3].emulated.withdraw(&self.accounts[3].account),
            Act::Consent => {
                self.accounts[3].connect(Millis(0)).await;
            }
            Act::LookInto(id) => self.look_into(&id).await,
        }
    }

    /// Nine posts over the API, and one by the legacy program, from half an hour on.
    async fn write(&mut self, day: i64) {
        let (now, video) = (self.place.now(), self.accounts[3].subject.video());
        let (image, images) = (self.accounts[3].subject.image(), self.accounts[2].subject.images());
        let picture = || shape(&[Sample::Image(1)]);
        let slots: [(usize, Shape, usize); 9] = [
            (0, shape(&[]), 3),
            (1, shape(&[]), 1),
            (2, picture(), 1),
            (0, shape(&[]), 1),
            (3, video, 1),
            (0, shape(&[]), 1),
            (1, picture(), 1),
            (2, images, 1),
            (3, image, 1),
        ];
        for (slot, (on, shape, parts)) in (0_i64..).zip(slots) {
            let due = now + Millis(30 * MINUTE.0 + slot * (73 * MINUTE.0 + 1_000));
            let texts = (1..=parts).map(|part| format!("day {day} post {slot} says {part} of what is to be said"));
            let texts: Vec<String> = texts.collect();
            let content = if parts == 1 { json!(texts[0]) } else { json!(texts) };
            let more = json!({"content": content, "scheduled_at": due.to_rfc3339()});
            let id = self.accounts[on].make(&shape, more).await;
            let post = Post { id, on, due, texts };
            self.posts.push(post);
        }
        let id = PostId::from_random([u8::try_from(day).unwrap() + 1; 16]);
        let due = now + Millis(11 * HOUR.0);
        let text = format!("day {day}, written by the legacy program");
        let insert = format!(
            "insert into posts (id, user_id, platform, content, status, scheduled_at, created_at, updated_at) \
             values ('{id}', 'default', 'x', '{text}', 'scheduled', '{due}', '{now}', '{now}')"
        );
        self.place.sql(insert).await;
        let (id, texts) = (id.0, vec![text]);
        self.posts.push(Post { id, on: 0, due, texts });
    }

    /// Reads the messages that came; whoever is told of something that they have to do does it later.
    fn hear(&mut self) {
        let known: BTreeSet<String> = self.heard.iter().map(|heard| heard.id.clone()).collect();
        for got in self.receiver.take() {
            let (body, id) = (got.json(), got.header("webhook-id").to_owned());
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (kind, post) = (text(&body["type"]), text(&body["data"]["post_id"]));
            let is_new = !known.contains(&id);
            match kind.as_str() {
                "post.failed" | "post.needs_review" | "post.partially_posted" if is_new => {
                    self.soon(Millis(20 * MINUTE.0), Act::LookInto(post));
                }
                "token.expiring" if is_new => self.soon(Millis(3 * HOUR.0), Act::Consent),
                _ => {}
            }
            let (at, text) = (self.place.now(), text(&body["data"]["text"]));
            self.heard.push(Heard { at, id, kind, text });
        }
    }

    /// The user looks on the platform, says what they find, and lets the post go on.
    async fn look_into(&self, id: &str) {
        let post = self.posts.iter().find(|post| post.id == id).unwrap();
        let account = &self.accounts[post.on];
        let shown = account.show(id).await;
        for part in shown["parts"].as_array().unwrap() {
            if part["state"] != "unknown" {
                continue;
            }
            let out = account.out();
            let found = out.iter().find(|entry| part["text"] == entry.text.as_str());
            let verdict = match found {
                Some(entry) => json!({"part": part["index"], "outcome": "published", "remote_id": entry.id}),
                None => json!({"part": part["index"], "outcome": "not_published"}),
            };
            account.command(id, "resolve", Some(verdict)).await;
        }
        let shown = account.show(id).await;
        if shown["resting"] == true && shown["status"] != "published" {
            account.command(id, "retry", None).await;
        }
    }

    /// Asks the database as its owner, past every fault: the rows, their values separated by `|`.
    async fn ask(&self, sql: &str) -> Vec<String> {
        let rows = self.postgres.owner_script(DATABASE, sql).await.unwrap();
        let line = |row: &Vec<Option<String>>| {
            let values = row.iter().map(|value| value.clone().unwrap_or_default());
            values.collect::<Vec<_>>().join("|")
        };
        rows.iter().map(line).collect()
    }
}

/// How the platform of an account fails now and then: method and path of calls, of how many of a hundred, and what
/// happens. Tokens are never lost on their way: that would be the owner's business each time.
fn faults(account: &Bench) -> Vec<((&'static str, String), u8, Value)> {
    let mut all = Vec::new();
    let mut shapes = vec![account.subject.plain()];
    if account.subject.platform() == Platform::TikTok {
        shapes.push(account.subject.image());
    }
    for shape in shapes {
        let call = account.subject.publishing(&shape, &account.account);
        let mut on = |percent, action| all.push(((call.method, call.path.clone()), percent, action));
        on(6, json!({"fail": "after", "how": "reset"}));
        on(4, json!({"fail": "before", "how": "reset"}));
        on(4, json!({"fail": "before", "how": {"status": 503}}));
        on(2, json!({"fail": "before", "how": {"status": 429}}));
    }
    all.push((
        ("GET", String::new()),
        3,
        json!({"fail": "before", "how": {"status": 503}}),
    ));
    all
}
