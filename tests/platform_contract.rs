//! The platform contract, natively: the one list of scenarios on every platform, with the real cores, clients, database
//! and emulated platforms, on a virtual clock. `platform_contract_workerd` plays the same list on the real runtime.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

#[path = "platform_contract/bench.rs"]
mod bench;
#[path = "platform_contract/emulated.rs"]
mod emulated;
#[path = "emulator_media/mod.rs"]
#[allow(dead_code, reason = "shared by tests; each uses a part of it")]
mod emulator_media;
#[path = "platform_contract/native.rs"]
mod native;
#[path = "platform_contract/place.rs"]
mod place;
#[path = "platform_contract/samples.rs"]
mod samples;
#[path = "platform_contract/scenarios/mod.rs"]
#[allow(dead_code, reason = "natively every scenario has a place of its own")]
mod scenarios;
#[path = "platform_contract/subject.rs"]
#[allow(dead_code, reason = "as above")]
mod subject;
#[path = "platform_contract/subjects/mod.rs"]
mod subjects;
mod support;
#[path = "platform_contract/trials.rs"]
mod trials;

use crate::native::Native;
use crate::place::Boxed;
use crate::scenarios::{Scenario, together};
use crate::subject::Subject;
use crate::trials::Stage;
use psn::dev::postgres::Postgres;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Mutex;

/// A database for each trial, on one server.
#[derive(Default)]
struct Natively {
    postgres: Mutex<Option<Arc<Postgres>>>,
    databases: AtomicUsize,
}

impl Natively {
    async fn place(&self, subjects: &[&dyn Subject]) -> Arc<Native> {
        let mut postgres = self.postgres.lock().await;
        if postgres.is_none() {
            *postgres = Some(support::postgres().await);
        }
        let server = postgres.clone().unwrap();
        drop(postgres);
        let number = self.databases.fetch_add(1, Ordering::SeqCst);
        Arc::new(Native::start(&server, &format!("contract_{number}"), subjects).await)
    }
}

impl Stage for Natively {
    const THREADS: usize = 4;

    fn play(&self, subject: &'static dyn Subject, scenario: &'static Scenario) -> Boxed<'_, ()> {
        Box::pin(async move {
            let place = self.place(&[subject]).await;
            trials::play(subject, scenario, place).await;
        })
    }

    fn together(&self) -> Boxed<'_, ()> {
        Box::pin(async { together::play(self.place(&subjects::ALL).await).await })
    }

    fn end(&self) -> Boxed<'_, ()> {
        Box::pin(async { drop(self.postgres.lock().await.take()) })
    }
}

fn main() -> ExitCode {
    trials::run(Natively::default())
}
