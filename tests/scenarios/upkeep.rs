//! What the daily tasks give up and remove: ideas past their time, and media that no post needs.

use crate::common::{HOUR, MINUTE, texts};
use crate::support::{self, BEGINS, Stage};
use psn::cli::zones::BundledZones;
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::domain::hash::whole_hash;
use psn::domain::id::PostId;
use psn::domain::media::{MediaKind, Medium};
use psn::domain::post::Status;
use psn::domain::time::{Millis, Timestamp};
use psn::ports::media::MediaStore as _;
use psn::ports::objects::{PostReply, PostRequest};
use psn::tasks::{Context, Ran, Task, run};
use serde_json::Value;
use std::sync::Arc;

const DAY: Millis = Millis(24 * HOUR.0);
/// So long media are kept.
const MONTH: Millis = Millis(30 * DAY.0);

impl Stage {
    /// Sleeps until the task's next time, and runs it: its report.
    async fn night(&self, name: &str) -> Value {
        let task = Task::find(name).unwrap();
        let at = task.next(self.world.now(), false).unwrap();
        self.world.clock().0.set(at);
        self.once_more(name).await
    }

    /// Runs the task, as any event does when the last run left something: its report.
    async fn once_more(&self, name: &str) -> Value {
        let context = Context {
            store: Arc::new(self.world.store()),
            objects: self.world.clone(),
            http: self.world.http().clone(),
            media: self.world.media_store(),
            settings: self.world.settings(),
            zones: Box::new(BundledZones),
        };
        match run(Task::find(name).unwrap(), &context, psn::tasks::Asker::Schedule).await {
            Ran::Done(outcome) => {
                assert_eq!(outcome.problem, None);
                outcome.report
            }
            Ran::Busy { since } => panic!("{name} runs since {since}"),
        }
    }

    /// A picture of its own that is kept and described.
    async fn medium(&self, number: u8) -> Medium {
        let bytes = [b"\x89PNG\r\n\x1a\n and then the pixels ".as_slice(), &[number]].concat();
        let medium = self.world.add_medium(MediaKind::Image, "image/png", bytes).await;
        self.world.media_store().describe(&medium).await.unwrap();
        medium
    }

    /// A post with that medium, due at that time; a draft without one.
    async fn post_with(&self, number: u8, medium: &Medium, scheduled_at: Option<Timestamp>) -> PostId {
        let mut plan = self.plan(number, &texts(&format!("with medium {number}"), 1));
        plan.media = vec![vec![medium.clone()]];
        plan.hash = whole_hash(&plan.parts, &plan.media, None);
        plan.scheduled_at = scheduled_at;
        let reply = self
            .world
            .ask(&plan.post_id, PostRequest::Create { plan: plan.clone() })
            .await;
        assert!(matches!(reply, PostReply::Post(_)), "{reply:?}");
        plan.post_id
    }

    /// Every idea by its title: what has become of it.
    async fn ideas(&self) -> String {
        self.ask(
            "select string_agg(title || ': ' || concat_ws(' ', status, kill_reason), ', ' order by title) from ideas",
        )
        .await
    }

    async fn is_there(&self, medium: &Medium) -> bool {
        self.world.media_store().find(&medium.id).await.unwrap().is_some()
    }
}

fn numbers<const N: usize>(report: &Value, names: [&str; N]) -> [u64; N] {
    names.map(|name| report[name].as_u64().unwrap())
}

/// Media that the clean-up looked at, found old and needed, and removed.
fn removed(report: &Value) -> (u64, u64, u64) {
    numbers(report, ["seen", "needed", "removed"]).into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_go_when_no_post_has_needed_them_for_a_month() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "media_cleanup", 71, XSettings::default()).await;
    let unused = stage.medium(1).await;
    let of_draft = stage.medium(2).await;
    let of_published = stage.medium(3).await;
    let of_scheduled = stage.medium(4).await;
    let draft = stage.post_with(2, &of_draft, None).await;
    let published = stage.post_with(3, &of_published, Some(BEGINS + DAY)).await;
    stage
        .post_with(4, &of_scheduled, Some(BEGINS + Millis(90 * DAY.0)))
        .await;
    stage.world.run_for(Millis(DAY.0 + HOUR.0)).await;
    assert_eq!(stage.status(&published).await, (Status::Published, None));
    let report = stage.night("media_cleanup").await;
    assert_eq!(removed(&report), (4, 0, 0), "{report}");

    // A month after they came, and less than one after the post went out.
    stage.world.clock().0.set(BEGINS + MONTH);
    let fresh = stage.medium(5).await;
    let report = stage.night("media_cleanup").await;
    assert_eq!(removed(&report), (5, 3, 1), "{report}");
    assert!(!stage.is_there(&unused).await);
    for needed in [&of_draft, &of_published, &of_scheduled, &fresh] {
        assert!(stage.is_there(needed).await, "{needed:?}");
    }

    // A month after it went out nobody asks for it any more; nor for what a removed draft had.
    assert_eq!(stage.world.ask(&draft, PostRequest::Remove).await, PostReply::NotFound);
    stage.world.run_for(MINUTE).await;
    let report = stage.night("media_cleanup").await;
    assert_eq!(removed(&report), (4, 1, 2), "{report}");
    let left = [&of_draft, &of_published, &of_scheduled, &fresh];
    let mut there = Vec::new();
    for medium in left {
        there.push(stage.is_there(medium).await);
    }
    assert_eq!(there, [false, false, true, true]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_that_one_event_may_not_remove_go_with_the_next() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "many_media", 72, XSettings::default()).await;
    let mut media = Vec::new();
    for number in 0..35 {
        media.push(stage.medium(number).await);
    }
    let draft = stage.post_with(1, &media[7], None).await;
    stage.world.clock().0.set(BEGINS + MONTH);
    let report = stage.night("media_cleanup").await;
    let (seen, needed, gone) = removed(&report);
    assert_eq!((seen, needed + gone), (30, 30), "{report}");
    // Whatever fires next goes on behind the last.
    stage.world.advance(MINUTE);
    let report = stage.once_more("media_cleanup").await;
    let (seen, also_needed, also_gone) = removed(&report);
    assert_eq!((seen, needed + also_needed, gone + also_gone), (5, 1, 34), "{report}");
    for (number, medium) in media.iter().enumerate() {
        assert_eq!(stage.is_there(medium).await, number == 7, "{number}");
    }
    stage.world.advance(MINUTE);
    let report = stage.once_more("media_cleanup").await;
    assert_eq!(removed(&report), (1, 1, 0), "it begins anew: {report}");
    assert_eq!(stage.status(&draft).await, (Status::Draft, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timely_ideas_are_given_up_when_their_time_is_over() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "idea_expiry", 73, XSettings::default()).await;
    let over = BEGINS + HOUR;
    for (title, user, urgency, status, expires_at) in [
        ("over", "default", "timely", "spark", over),
        ("over and claimed", "bob", "timely", "claimed", over),
        ("used in time", "default", "timely", "used", over),
        ("given up by hand", "default", "timely", "killed", over),
        ("of a season", "default", "seasonal", "seed", over),
        ("for later", "bob", "timely", "ready", BEGINS + MONTH),
    ] {
        stage
            .sql(&format!(
                "insert into ideas (user_id, title, urgency, status, kill_reason, expires_at, created_at, last_touched_at) values \
                 ('{user}', '{title}', '{urgency}', '{status}', case when '{status}' = 'killed' then 'dull' end, \
                 '{expires_at}', '{BEGINS}', '{BEGINS}')"
            ))
            .await;
    }
    let report = stage.night("idea_expiry").await;
    assert_eq!(numbers(&report, ["expired", "stuck"]), [2, 0], "{report}");
    let expected = "for later: ready, given up by hand: killed dull, of a season: seed, over: killed expired, \
        over and claimed: killed expired, used in time: used";
    assert_eq!(stage.ideas().await, expected);
    let night = stage.world.now();
    let touched = stage
        .ask(&format!("select count(*) from ideas where last_touched_at = '{night}'"))
        .await;
    assert_eq!(touched, "2");
    // It finds nothing the night after, and the last when its time is over.
    let report = stage.night("idea_expiry").await;
    assert_eq!(numbers(&report, ["expired", "stuck"]), [0, 0], "{report}");
    stage.world.clock().0.set(BEGINS + MONTH);
    let report = stage.night("idea_expiry").await;
    assert_eq!(numbers(&report, ["expired", "stuck"]), [1, 0], "{report}");
    assert!(stage.ideas().await.starts_with("for later: killed expired"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ideas_that_one_event_may_not_give_up_go_with_the_next() {
    let postgres = support::postgres().await;
    let stage = support::stage(&postgres, "many_ideas", 74, XSettings::default()).await;
    stage
        .sql(&format!(
            "insert into ideas (user_id, title, urgency, expires_at) \
             select 'default', 'idea ' || n, 'timely', '{BEGINS}' from generate_series(1, 405) n"
        ))
        .await;
    // Those of somebody who left the hub stay, and hide nobody else's, though their time ended first.
    stage
        .sql(&format!(
            "insert into ideas (user_id, hub_id, title, urgency, expires_at) \
             select 'gone', 'hub', 'left ' || n, 'timely', '{BEGINS}'::timestamptz - interval '1 hour' \
             from generate_series(1, 150) n"
        ))
        .await;
    let report = stage.night("idea_expiry").await;
    assert_eq!(numbers(&report, ["expired", "stuck"]), [250, 150], "{report}");
    stage.world.advance(MINUTE);
    let report = stage.once_more("idea_expiry").await;
    assert_eq!(numbers(&report, ["expired", "stuck"]), [155, 0], "{report}");
    assert_eq!(
        stage.ask("select count(*) from ideas where status = 'killed'").await,
        "405"
    );
}
