//! The idea expiry: timely ideas whose time is over are given up, with the reason. Once a day, as the legacy program did;
//! it is the task that decides, so that an idea in a list is what it says.

use crate::ports::http::HttpClient;
use crate::ports::objects::Objects;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::tasks::{Context, Outcome};
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
    /// Whether there may be more.
    pub more: bool,
    /// Why the database could not be asked, if it could not.
    pub message: Option<String>,
}

/// Runs it as a task of the table.
pub async fn work<H: HttpClient, A: Ambient, O: Objects>(context: &Context<H, A, O>) -> Outcome {
    let report = run(&context.store).await;
    let mut outcome = Outcome::new(&report, report.message.clone());
    outcome.more = report.more.then(String::new);
    outcome
}

/// Runs it once.
pub async fn run<H: HttpClient, A: Ambient>(store: &Store<H, A>) -> Report {
    let now = store.ambient.now();
    let mut report = Report::default();
    for _ in 0..PAGES_MAX {
        let step = async {
            let ideas = store.ideas_expired(now, IDEAS_MAX).await?;
            let expired = store.ideas_expire(&ideas, now).await?;
            Ok((u64::try_from(ideas.len()).unwrap_or(u64::MAX), expired))
        };
        match step.await {
            Ok((found, expired)) => {
                report.expired += expired;
                report.stuck = found.saturating_sub(expired);
                // A page of which nothing went is the last: the same would come again.
                report.more = found == u64::from(IDEAS_MAX) && expired > 0;
            }
            Err(error) => {
                let error: crate::store::StoreError = error;
                report.message = Some(error.to_string());
                break;
            }
        }
        if !report.more {
            break;
        }
    }
    report
}
