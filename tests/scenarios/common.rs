//! What the scenarios share.

use crate::support::Stage;
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::dev::faults::{Action, How, Match, Plan as Faults, Point, Rule};
use psn::dev::ledger::judge;
use psn::domain::id::PostId;
use psn::domain::post::{Status, SubStatus};
use psn::domain::publish::view::TimelineItem;
use psn::domain::time::{Millis, Timestamp};
use psn::ports::objects::{PostReply, PostRequest, PostSnapshot};
use psn::store::neon::{BatchOptions, Statement, Who};
use psn::store::posts::PostRow;
use psn::store::{Neon, Secret, content};

pub const MINUTE: Millis = Millis(60_000);
pub const HOUR: Millis = Millis(3_600_000);

pub fn texts(name: &str, count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("{name}: part {number}")).collect()
}

impl Stage {
    /// Creates a post that is due in a second.
    pub async fn create(&self, number: u8, parts: &[String]) -> PostId {
        self.create_in(Millis(1_000), number, parts).await
    }

    /// Creates a post that is due after that time.
    pub async fn create_in(&self, wait: Millis, number: u8, parts: &[String]) -> PostId {
        let mut plan = self.plan(number, parts);
        plan.scheduled_at = Some(plan.created_at + wait);
        let id = plan.post_id.clone();
        let reply = self.world.ask(&id, PostRequest::Create { plan }).await;
        assert!(matches!(reply, PostReply::Post(_)), "{reply:?}");
        id
    }

    pub async fn show(&self, id: &PostId) -> PostSnapshot {
        self.world.show(id).await
    }

    pub async fn status(&self, id: &PostId) -> (Status, Option<SubStatus>) {
        let view = self.show(id).await.view;
        (view.status, view.sub_status)
    }

    pub async fn message(&self, id: &PostId) -> String {
        self.show(id).await.view.message.unwrap_or_default()
    }

    pub async fn events(&self, id: &PostId) -> Vec<TimelineItem> {
        match self.world.ask(id, PostRequest::Events).await {
            PostReply::Events { events, .. } => events,
            other => panic!("{other:?}"),
        }
    }

    pub async fn row(&self, id: &PostId) -> PostRow {
        let user = self.world.settings().user_id.clone();
        self.world.store().post_get(&user, id).await.unwrap().unwrap()
    }

    /// Asks the post, which must agree.
    pub async fn tell(&self, id: &PostId, request: PostRequest) -> PostSnapshot {
        match self.world.ask(id, request).await {
            PostReply::Post(post) => *post,
            other => panic!("{other:?}"),
        }
    }

    /// Asks the post, which must refuse; answers why.
    pub async fn refused(&self, id: &PostId, request: PostRequest) -> String {
        match self.world.ask(id, request).await {
            PostReply::Conflict { message } | PostReply::Unprocessable { message, .. } => message,
            other => panic!("{other:?}"),
        }
    }

    /// Calls that arrived to create a post.
    pub fn sends(&self) -> usize {
        let arrivals = self.x.ledger().arrivals;
        arrivals.iter().filter(|arrival| arrival.method == "POST").count()
    }

    /// Calls that arrived at all.
    pub fn arrivals(&self) -> usize {
        self.x.ledger().arrivals.len()
    }

    pub fn settings(&self, change: impl FnOnce(&mut XSettings)) {
        let mut settings = self.x.faults().settings;
        change(&mut settings);
        self.x.set_settings(settings).unwrap();
    }

    /// Creating calls fail at that point, from the n-th on, so many times.
    pub fn fail(&self, text: &str, point: Point, how: How, times: Option<u64>) {
        let rule = Rule {
            matches: Match {
                method: Some("POST".to_owned()),
                text_contains: Some(text.to_owned()),
                ..Match::default()
            },
            action: Action {
                fail: Some(point),
                how: Some(how),
                ..Action::default()
            },
            times,
        };
        let settings = self.x.faults().settings;
        let rules = vec![rule];
        self.x.set_faults(Faults { settings, rules }).unwrap();
    }

    pub fn no_faults(&self) {
        let settings = self.x.faults().settings;
        let rules = Vec::new();
        self.x.set_faults(Faults { settings, rules }).unwrap();
    }

    /// The thread is out, once, in order.
    pub fn assert_exact(&self, parts: &[String]) {
        let verdict = judge(&self.x.ledger().entries, parts, "4711");
        assert!(verdict.exact(), "{verdict:?} of {parts:?}");
    }

    /// Nothing of it is out.
    pub fn assert_nothing_out(&self, parts: &[String]) {
        let entries = self.x.ledger().entries;
        let out = entries.iter().filter(|entry| parts.contains(&entry.text));
        assert_eq!(out.filter(|entry| entry.deleted_at.is_none()).count(), 0, "{parts:?}");
    }

    /// What another program does to the database.
    pub async fn sql(&self, sql: &str) {
        let settings = self.world.settings();
        let url = Secret::new(settings.database_url.expose());
        let neon = Neon::new(self.world.http().clone(), url, settings.sql_url.as_deref()).unwrap();
        let options = BatchOptions {
            who: Who::Owner,
            read_only: false,
            deadline: Millis(5_000),
        };
        neon.query(Statement::new(sql.to_owned(), []), &options).await.unwrap();
    }
}

/// A row as another program left it.
pub async fn foreign(
    stage: &Stage,
    number: u8,
    parts: &[String],
    status: &str,
    touched: Timestamp,
    progress: &str,
) -> PostId {
    let id = PostId::from_random([number; 16]);
    let (content, touched) = (content::encode(parts), touched.to_rfc3339());
    stage
        .sql(&format!(
            "insert into posts (id, user_id, platform, content, status, scheduled_at, created_at, updated_at, metadata) \
             values ('{id}', 'default', 'x', $c${content}$c$, '{status}', '{touched}', '{touched}', '{touched}', $m${progress}$m$)"
        ))
        .await;
    id
}
