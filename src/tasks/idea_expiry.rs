//! The idea expiry: timely ideas whose time is over are given up, with the reason. Once a day, as the legacy program did;
//! it is the task that decides, so that an idea in a list is what it says.

use crate::domain::id::IdeaId;
use crate::ports::http::HttpClient;
use crate::ports::objects::Objects;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::tasks::{Context, Outcome, Wake};
use serde::Serialize;

/// Ideas read and given up at a time, and how often per run: two calls each.
const IDEAS_MAX: u32 = 100;
const PAGES_MAX: usize = 4;

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Ideas that were given up.
    pub expired: u64,
    /// Ideas that their users can no longer change, and that stay: they left the hub.
    pub stuck: u64,
    /// Behind which idea the next run goes on, when there are more.
    pub after: Option<IdeaId>,
    /// Why the database could not be asked, if it could not.
    pub message: Option<String>,
}

/// Runs it as a task of the table.
pub async fn work<H: HttpClient, A: Ambient, O: Objects>(context: &Context<H, A, O>, wake: &Wake) -> Outcome {
    let after = wake.progress.as_deref().and_then(IdeaId::parse);
    let report = run(&context.store, after).await;
    let mut outcome = Outcome::new(&report, report.message.clone());
    outcome.more = report.after.map(|id| id.0);
    outcome
}

/// Runs it once, over the ideas behind `after`: those that stay hide nothing that is behind them.
pub async fn run<H: HttpClient, A: Ambient>(store: &Store<H, A>, after: Option<IdeaId>) -> Report {
    let now = store.ambient.now();
    let mut report = Report {
        after,
        ..Report::default()
    };
    for _ in 0..PAGES_MAX {
        let step = async {
            let ideas = store.ideas_expired(now, report.after.as_ref(), IDEAS_MAX).await?;
            let expired = store.ideas_expire(&ideas, now).await?;
            Ok((ideas, expired))
        };
        match step.await {
            Ok((ideas, expired)) => {
                let found = u64::try_from(ideas.len()).unwrap_or(u64::MAX);
                report.expired += expired;
                report.stuck += found.saturating_sub(expired);
                let last = ideas.into_iter().next_back().map(|idea| idea.id);
                report.after = last.filter(|_| found == u64::from(IDEAS_MAX));
            }
            Err(error) => {
                let error: crate::store::StoreError = error;
                report.message = Some(error.to_string());
                // What stopped it stops the next run too: it begins anew at its time.
                report.after = None;
            }
        }
        if report.after.is_none() {
            break;
        }
    }
    report
}
