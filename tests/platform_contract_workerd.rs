//! The platform contract in workerd: the list of `platform_contract`, on the local stack with the built Worker, in real
//! time, killed with SIGKILL.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a test")]

#[path = "platform_contract/bench.rs"]
mod bench;
#[path = "platform_contract/emulated.rs"]
#[allow(dead_code, reason = "natively more is asked of it")]
mod emulated;
#[path = "emulator_media/mod.rs"]
#[allow(dead_code, reason = "shared by tests; each uses a part of it")]
mod emulator_media;
#[path = "worker/site.rs"]
#[allow(dead_code, reason = "shared by tests; each uses a part of it")]
mod local_site;
#[path = "platform_contract/place.rs"]
mod place;
#[path = "platform_contract/samples.rs"]
mod samples;
#[path = "platform_contract/scenarios/mod.rs"]
mod scenarios;
#[path = "platform_contract/site.rs"]
mod site;
#[path = "platform_contract/subject.rs"]
#[allow(dead_code, reason = "natively a subject says more")]
mod subject;
#[path = "platform_contract/subjects/mod.rs"]
mod subjects;
#[path = "platform_contract/trials.rs"]
mod trials;

use crate::place::Boxed;
use crate::scenarios::{ALL, Scenario, together};
use crate::site::Workerd;
use crate::subject::Subject;
use crate::trials::Stage;
use psn::domain::platform::Platform;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::sync::{Mutex, RwLock, Semaphore};

/// Stacks that start at the same time may choose the same port.
static STARTS: Mutex<()> = Mutex::const_new(());

/// A stack, and whose turn it is there: who plays beside others reads, who has to play alone writes.
#[derive(Default)]
struct Lane {
    stack: Mutex<Option<Arc<Workerd>>>,
    turn: RwLock<()>,
}

impl Lane {
    async fn stack(&self) -> Arc<Workerd> {
        let mut stack = self.stack.lock().await;
        if stack.is_none() {
            let _only = STARTS.lock().await;
            *stack = Some(Arc::new(Workerd::start().await));
        }
        stack.clone().unwrap()
    }
}

/// Each platform has stacks of its own, so that what changes a platform or kills the program disturbs no other.
struct InWorkerd {
    lanes: BTreeMap<&'static str, Vec<Lane>>,
    together: Lane,
    /// How much goes on at a time.
    room: Semaphore,
}

impl Stage for InWorkerd {
    // They wait for their turns; how many go on at a time is said above.
    const THREADS: usize = 1_000;

    fn play(&self, subject: &'static dyn Subject, scenario: &'static Scenario) -> Boxed<'_, ()> {
        Box::pin(async move {
            let lanes = &self.lanes[subject.platform().name()];
            let number = ALL.iter().position(|one| one.name == scenario.name).unwrap();
            let lane = &lanes[number % lanes.len()];
            let stack = lane.stack().await;
            if scenario.plays_alone || subject.plays_alone() {
                let _alone = lane.turn.write().await;
                let _room = self.room.acquire().await.unwrap();
                // However it ends, the next one finds the platform as it was.
                let calm = Calm(stack.clone(), subject.platform());
                trials::play(subject, scenario, stack).await;
                drop(calm);
            } else {
                let _beside = lane.turn.read().await;
                let _room = self.room.acquire().await.unwrap();
                trials::play(subject, scenario, stack).await;
            }
        })
    }

    fn together(&self) -> Boxed<'_, ()> {
        Box::pin(async {
            let _room = self.room.acquire().await.unwrap();
            // What goes to all platforms goes to the only account of each.
            together::play(self.together.stack().await).await;
        })
    }

    fn end(&self) -> Boxed<'_, ()> {
        Box::pin(async {
            for lane in self.lanes.values().flatten().chain([&self.together]) {
                let stack = lane.stack.lock().await.take();
                if let Some(stack) = stack.and_then(Arc::into_inner) {
                    stack.stop().await;
                }
            }
        })
    }
}

/// Takes a platform and the database back to how they began.
struct Calm(Arc<Workerd>, Platform);

impl Drop for Calm {
    fn drop(&mut self) {
        use crate::place::Place as _;
        self.0.emulated(self.1).calm();
        self.0.set_database_down(false);
    }
}

fn main() -> ExitCode {
    let lanes = subjects::ALL.map(|subject| {
        let lanes = (0..subject.lanes()).map(|_| Lane::default());
        (subject.platform().name(), lanes.collect())
    });
    trials::run(InWorkerd {
        lanes: lanes.into(),
        together: Lane::default(),
        room: Semaphore::new(12),
    })
}
