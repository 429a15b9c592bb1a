//! What runs by itself: the drivers of publishing and of renewing tokens, the index, and the cron tasks.
//!
//! [`TASKS`] is the one list of cron tasks. A new one is a line there, a line in [`Job`] and in [`Job::perform`], and a file
//! of its own; its cron string stands in `wrangler.toml` (Cloudflare's free plan has five of them, so tasks share). Whatever
//! fires, [`on_cron`] also runs what was missed and what has more to do.

pub mod account;
pub mod account_test;
pub mod adoption;
pub mod analytics_collector;
pub mod attempts;
pub mod budget;
pub mod chores;
pub mod connected;
pub mod consent;
pub mod digest_compiler;
pub mod idea_expiry;
pub mod index;
pub mod journal;
mod keys;
pub mod media_cleanup;
pub mod notification_dispatcher;
pub mod notify;
pub mod outbox_alarm;
pub mod pauses;
pub mod publish;
pub mod readings;
pub mod remotes;
pub mod runs;
pub mod settings;
pub mod takeover;
pub mod token_refresher;
pub mod watchdog;

use crate::domain::cron::Cron;
use crate::domain::hash::hex;
use crate::domain::order;
use crate::domain::time::{Millis, Timestamp};
use crate::platforms::oauth;
use crate::ports::http::HttpClient;
use crate::ports::media::MediaStore;
use crate::ports::objects::{IndexReply, IndexRequest, Objects, TaskEnd, TaskRun};
use crate::ports::pause::Ambient;
use crate::ports::zone::Zones;
use crate::store::Store;
use serde::Serialize;
use serde_json::Value;
use settings::Settings;
use std::sync::Arc;

/// Calls to the outside (database and platforms) that one scheduled event may make: Cloudflare's free plan ends at 50.
pub const CALLS_MAX: u32 = 40;
/// A time that has not been served after so long was missed: until then its own event may be on its way.
const MISSED_AFTER_MS: Millis = Millis(2 * 60_000);

/// A cron task.
#[derive(Debug)]
pub struct Task {
    /// Its name.
    pub name: &'static str,
    /// When it runs, in UTC: one of the strings of `wrangler.toml`.
    pub cron: &'static str,
    /// What it is for: one sentence.
    pub purpose: &'static str,
    /// Calls to the outside that one run may make when nothing fails.
    pub calls_max: u32,
    job: Job,
}

/// Every cron task.
pub const TASKS: [Task; 7] = [
    Task {
        name: "watchdog",
        cron: "*/15 * * * *",
        purpose: "wakes posts that are past their time and takes over rows of other programs",
        calls_max: 4,
        job: Job::Watchdog,
    },
    Task {
        name: "notification_dispatcher",
        cron: "*/15 * * * *",
        purpose: "tells people what the index's alarm did not come to tell",
        calls_max: 22,
        job: Job::NotificationDispatcher,
    },
    Task {
        name: "token_refresher",
        cron: "7 * * * *",
        purpose: "renews the tokens of accounts before they end",
        calls_max: 1,
        job: Job::TokenRefresher,
    },
    Task {
        name: "digest_compiler",
        cron: "7 * * * *",
        purpose: "makes one message of what waits for a daily or weekly digest",
        calls_max: 26,
        job: Job::DigestCompiler,
    },
    Task {
        name: "analytics_collector",
        cron: "22 * * * *",
        purpose: "reads what published posts have got and how many follow each account",
        calls_max: 40,
        job: Job::AnalyticsCollector,
    },
    Task {
        name: "idea_expiry",
        cron: "37 4 * * *",
        purpose: "gives up timely ideas whose time is over",
        calls_max: 8,
        job: Job::IdeaExpiry,
    },
    Task {
        name: "media_cleanup",
        cron: "37 4 * * *",
        purpose: "removes media that no post has needed for a month",
        calls_max: 1,
        job: Job::MediaCleanup,
    },
];

#[derive(Clone, Copy, Debug)]
enum Job {
    Watchdog,
    NotificationDispatcher,
    TokenRefresher,
    DigestCompiler,
    AnalyticsCollector,
    IdeaExpiry,
    MediaCleanup,
}

impl Job {
    async fn perform<H: HttpClient + Clone, A: Ambient + Clone, O: Objects>(
        self,
        context: &Context<H, A, O>,
        wake: &Wake,
    ) -> Outcome {
        match self {
            Self::Watchdog => watchdog::work(context, wake).await,
            Self::NotificationDispatcher => notification_dispatcher::task(context, wake).await,
            Self::DigestCompiler => digest_compiler::task(context, wake).await,
            Self::TokenRefresher => token_refresher::work(context, wake).await,
            Self::AnalyticsCollector => analytics_collector::work(context, wake).await,
            Self::IdeaExpiry => idea_expiry::work(context, wake).await,
            Self::MediaCleanup => media_cleanup::work(context, wake).await,
        }
    }
}

impl Task {
    /// The task of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        TASKS.iter().find(|task| task.name == name)
    }

    /// Whether it can do what is to be done later: there is such a thing for readings of counts alone.
    #[must_use]
    pub const fn goes_ahead(&self) -> bool {
        matches!(self.job, Job::AnalyticsCollector)
    }

    /// The last time it was due, at or before `now`.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Option<Timestamp> {
        Cron::parse(self.cron).ok()?.last(now)
    }

    /// When it runs next, where `more` says that the last run left something: then any scheduled event serves it.
    #[must_use]
    pub fn next(&self, now: Timestamp, more: bool) -> Option<Timestamp> {
        let crons = TASKS.iter().map(|task| task.cron);
        let mine = crons.filter(|cron| more || *cron == self.cron);
        mine.filter_map(|cron| Cron::parse(cron).ok()?.next(now)).min()
    }
}

/// What tasks reach the world with.
pub struct Context<H, A, O> {
    /// The database, with clock and randomness.
    pub store: Arc<Store<H, A>>,
    /// The objects of posts and accounts, and the index.
    pub objects: O,
    /// The HTTP client: platforms and whoever is told of something.
    pub http: H,
    /// Where media lie.
    pub media: Arc<dyn MediaStore>,
    /// Time zones.
    pub zones: Box<dyn Zones>,
    /// What the operator set; the sealer and the platforms' configuration come from it.
    pub settings: Arc<Settings>,
}

impl<H: HttpClient, A: Ambient, O: Objects> Context<H, A, O> {
    /// The time.
    pub fn now(&self) -> Timestamp {
        self.store.ambient.now()
    }
}

impl<H: HttpClient + Clone, A: Ambient + Clone, O: Objects> Context<H, A, O> {
    /// The client of the platforms' token endpoints.
    pub fn oauth(&self) -> oauth::Client<H, A> {
        let (http, ambient) = (self.http.clone(), self.store.ambient.clone());
        oauth::Client::new(http, ambient, self.settings.platforms.oauth.clone())
    }
}

/// Why a task runs, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wake {
    /// A person wants it now: whether or not the database is due to be asked.
    pub by_person: bool,
    /// They want what is to be done later, too.
    pub ahead: bool,
    /// Where the run before stopped, in the task's own words.
    pub progress: Option<String>,
}

/// What became of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What it did.
    pub report: Value,
    /// What kept it from its work, if something did: one sentence.
    pub problem: Option<String>,
    /// There is more to do than one run may: where the next one goes on.
    pub more: Option<String>,
}

impl Outcome {
    /// A run that came to its end, unless `problem` kept it from that.
    pub fn new(report: &impl Serialize, problem: Option<String>) -> Self {
        Self {
            report: serde_json::to_value(report).unwrap_or_default(),
            problem,
            more: None,
        }
    }
}

/// What running a task came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// It ran.
    Done(Outcome),
    /// Another run of it has not ended.
    Busy {
        /// When that one began.
        since: Timestamp,
    },
}

/// Who asks for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// Its time has come, or was missed.
    Schedule,
    /// A person, who may want what is to be done later, too.
    Person {
        /// Whether they do.
        ahead: bool,
    },
}

/// Runs a task, unless it is running: at its time, because it was missed, or because a person asks.
pub async fn run<H: HttpClient + Clone, A: Ambient + Clone, O: Objects>(
    task: &Task,
    context: &Context<H, A, O>,
    asker: Asker,
) -> Ran {
    let now = context.now();
    let mut token = [0; 16];
    context.store.ambient.fill(&mut token);
    let (name, token) = (task.name.to_owned(), hex(&token));
    let begin = IndexRequest::TaskBegin {
        name: name.clone(),
        due_at: task.due(now).unwrap_or(now),
        token: token.clone(),
    };
    let progress = match context.objects.index(begin).await {
        Ok(IndexReply::TaskBegun { progress }) => progress,
        Ok(IndexReply::TaskBusy { since }) => return Ran::Busy { since },
        // Without the index nobody knows of other runs: whatever a task does may be done twice.
        Ok(_) | Err(_) => None,
    };
    let wake = Wake {
        by_person: asker != Asker::Schedule,
        ahead: asker == Asker::Person { ahead: true },
        progress,
    };
    let outcome = task.job.perform(context, &wake).await;
    let end = TaskEnd {
        at: context.now(),
        problem: outcome.problem.clone(),
        more: outcome.more.clone(),
        report: outcome.report.clone(),
    };
    // Unsaid, the lease ends by itself, and the task runs once more.
    let _ = context.objects.index(IndexRequest::TaskEnd { name, token, end }).await;
    Ran::Done(outcome)
}

/// Serves a scheduled event: the tasks of its cron string, then what was missed or has more to do, as far as the calls of
/// one event go; the rest is for the next event. `said` is told of each as it ends.
///
/// # Errors
/// A cron string of no task: one sentence with those there are.
pub async fn on_cron<H: HttpClient + Clone, A: Ambient + Clone, O: Objects>(
    cron: &str,
    context: &Context<H, A, O>,
    said: &(dyn Fn(String) + Sync),
) -> Result<(), String> {
    if !TASKS.iter().any(|task| task.cron == cron) {
        let known: Vec<_> = TASKS
            .iter()
            .map(|task| format!("`{}` ({})", task.cron, task.name))
            .collect();
        return Err(format!("no task runs at `{cron}`: known are {}", known.join(", ")));
    }
    let runs = match context.objects.index(IndexRequest::TaskRuns).await {
        Ok(IndexReply::TaskRuns { runs }) => Some(runs),
        Ok(_) | Err(_) => None,
    };
    for task in due(cron, runs.as_deref(), context.now()) {
        let name = task.name;
        said(match run(task, context, Asker::Schedule).await {
            Ran::Done(Outcome {
                problem: Some(problem),
                report,
                ..
            }) => format!("{name}: {problem} {report}"),
            Ran::Done(Outcome { report, .. }) => format!("{name}: {report}"),
            Ran::Busy { since } => format!("{name}: a run that began at {since} has not ended"),
        });
    }
    Ok(())
}

/// The tasks that an event of that string runs, in order. `runs` is what is known of their last ones; `None` when nothing
/// can be known: then those of the string alone.
fn due(cron: &str, runs: Option<&[TaskRun]>, now: Timestamp) -> Vec<&'static Task> {
    let last = |task: &Task| runs.into_iter().flatten().find(|run| run.name == task.name);
    let is_behind = |task: &&Task| {
        let Some(last) = last(task) else { return runs.is_some() };
        let has_more = last.progress.is_some() && last.end.is_some();
        has_more
            || task
                .due(now - MISSED_AFTER_MS)
                .is_some_and(|due_at| last.due_at < due_at)
    };
    let mut tasks: Vec<&Task> = TASKS.iter().filter(|task| task.cron == cron).collect();
    let mut behind: Vec<&Task> = TASKS
        .iter()
        .filter(|task| task.cron != cron)
        .filter(is_behind)
        .collect();
    order::sort_by_key(&mut behind, |task| last(task).map(|run| run.due_at));
    tasks.extend(behind);
    // One whose runs keep dying may take the whole event with it: it comes last.
    order::sort_by_key(&mut tasks, |task| {
        last(task).map_or(0, |run| run.unfinished + u32::from(run.end.is_none()))
    });
    let mut calls_left = CALLS_MAX;
    tasks.retain(|task| {
        let fits = task.calls_max <= calls_left;
        calls_left -= if fits { task.calls_max } else { 0 };
        fits
    });
    tasks
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::collections::BTreeSet;

    const NOON: Timestamp = Timestamp(1_795_000_000_000 - 1_795_000_000_000 % 86_400_000 + 43_200_000);
    const MINUTE: Millis = Millis(60_000);

    fn ran(name: &str, due_at: Timestamp, is_over: bool, progress: Option<&str>) -> TaskRun {
        let progress = progress.map(str::to_owned);
        TaskRun {
            name: name.to_owned(),
            due_at,
            began_at: due_at,
            token: "t".to_owned(),
            progress: progress.clone(),
            unfinished: 0,
            end: is_over.then_some(TaskEnd {
                at: due_at,
                problem: None,
                more: progress,
                report: Value::Null,
            }),
        }
    }

    /// Every task ran for its last time.
    fn all_served(now: Timestamp) -> Vec<TaskRun> {
        let served = |task: &Task| ran(task.name, task.due(now).unwrap(), true, None);
        TASKS.iter().map(served).collect()
    }

    fn names(tasks: &[&Task]) -> Vec<&'static str> {
        tasks.iter().map(|task| task.name).collect()
    }

    fn of_string(cron: &str) -> Vec<&'static str> {
        let mine = TASKS.iter().filter(|task| task.cron == cron);
        mine.map(|task| task.name).collect()
    }

    /// `wrangler.toml` and the table name the same cron strings, few enough for Cloudflare's free plan.
    #[test]
    fn every_task_has_a_trigger_and_every_trigger_a_task() {
        let file = include_str!("../../wrangler.toml");
        let line = file.lines().find_map(|line| line.strip_prefix("crons = ")).unwrap();
        let triggers: Vec<String> = serde_json::from_str(line).unwrap();
        let strings: BTreeSet<&str> = TASKS.iter().map(|task| task.cron).collect();
        assert_eq!(triggers.iter().map(String::as_str).collect::<BTreeSet<_>>(), strings);
        assert_eq!((triggers.len(), strings.len() <= 5), (strings.len(), true));
        let mut seen = BTreeSet::new();
        for task in &TASKS {
            assert!(
                Cron::parse(task.cron).is_ok() && seen.insert(task.name),
                "{}",
                task.name
            );
            assert_eq!(Task::find(task.name).unwrap().cron, task.cron);
        }
    }

    #[test]
    fn the_tasks_of_one_event_stay_within_its_calls() {
        for task in &TASKS {
            let mine = TASKS.iter().filter(|other| other.cron == task.cron);
            let calls: u32 = mine.map(|task| task.calls_max).sum();
            assert!(calls <= CALLS_MAX, "`{}` makes {calls} calls", task.cron);
        }
    }

    #[test]
    fn an_event_runs_its_tasks_and_what_was_missed() {
        let quarter = "*/15 * * * *";
        assert_eq!(names(&due(quarter, Some(&all_served(NOON)), NOON)), of_string(quarter));
        assert_eq!(
            names(&due("7 * * * *", Some(&all_served(NOON)), NOON)),
            of_string("7 * * * *")
        );
        assert_eq!(
            names(&due(quarter, None, NOON)),
            of_string(quarter),
            "nothing can be known"
        );
        let later = NOON + Millis(8 * MINUTE.0);
        let at_its_time = names(&due(quarter, Some(&all_served(NOON)), later));
        assert_eq!(at_its_time, of_string(quarter), "its own event may be on its way");
        let missed = names(&due(quarter, Some(&all_served(NOON)), NOON + Millis(15 * MINUTE.0)));
        assert!(
            missed.contains(&"token_refresher") && !missed.contains(&"idea_expiry"),
            "{missed:?}"
        );
        // After days without events everything runs with the first one.
        let all = names(&due(quarter, Some(&all_served(NOON)), NOON + Millis(3 * 86_400_000)));
        let calls: u32 = TASKS.iter().map(|task| task.calls_max).sum();
        assert!(all.len() == TASKS.len() || calls > CALLS_MAX, "{all:?}");
    }

    #[test]
    fn what_has_more_to_do_goes_on_with_the_next_event_and_what_dies_comes_last() {
        let mut runs = all_served(NOON);
        let place = runs.iter().position(|run| run.name == "media_cleanup").unwrap();
        runs[place] = ran("media_cleanup", NOON, true, Some("abc"));
        let tasks = names(&due("*/15 * * * *", Some(&runs), NOON));
        assert!(tasks.contains(&"media_cleanup"), "{tasks:?}");
        let next = Task::find("media_cleanup").unwrap().next(NOON, true);
        assert_eq!(next, Some(NOON + Millis(7 * MINUTE.0)), "any event serves it");
        let dead = runs.iter().position(|run| run.name == "watchdog").unwrap();
        runs[dead] = ran("watchdog", NOON, false, None);
        assert_eq!(names(&due("*/15 * * * *", Some(&runs), NOON)).last(), Some(&"watchdog"));
    }
}
