//! The report: a line for each scenario on each platform, and for what is played on all of them together.

use crate::bench::Bench;
use crate::place::Boxed;
use crate::scenarios::{self, Scenario, together};
use crate::subject::Subject;
use crate::subjects;
use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Where and how trials are played.
pub trait Stage: Send + Sync + 'static {
    /// How many trials may be begun at a time.
    const THREADS: usize;
    /// Plays a scenario with an account of its own.
    fn play(&self, subject: &'static dyn Subject, scenario: &'static Scenario) -> Boxed<'_, ()>;
    /// Plays what takes all platforms.
    fn together(&self) -> Boxed<'_, ()>;
    /// Ends what it began.
    fn end(&self) -> Boxed<'_, ()>;
}

/// Plays one scenario in a place.
pub async fn play(subject: &'static dyn Subject, scenario: &'static Scenario, place: Arc<dyn crate::place::Place>) {
    let bench = Bench::new(subject, place, scenario.name).await;
    (scenario.play)(&bench).await;
}

/// Plays what the arguments choose.
pub fn run<S: Stage>(stage: S) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(S::THREADS);
    let runtime = Arc::new(Runtime::new().unwrap());
    let stage = Arc::new(stage);
    let mut trials = Vec::new();
    for scenario in scenarios::ALL {
        for subject in subjects::ALL {
            let name = format!("platform_contract::{}::{}", subject.platform().name(), scenario.name);
            let (runtime, stage) = (runtime.clone(), stage.clone());
            let play = move || {
                runtime.block_on(stage.play(subject, scenario));
                Ok(())
            };
            trials.push(Trial::test(name, play));
        }
    }
    let (beside, all) = (runtime.clone(), stage.clone());
    let play = move || {
        beside.block_on(all.together());
        Ok(())
    };
    trials.push(Trial::test(
        format!("platform_contract::together::{}", together::NAME),
        play,
    ));
    let conclusion = libtest_mimic::run(&arguments, trials);
    runtime.block_on(stage.end());
    conclusion.exit_code()
}
