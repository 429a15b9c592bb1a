//! Server, endpoint, databases and stores for the cases.

use psn::dev::neon::{NeonEndpoint, NeonOptions};
use psn::dev::postgres::{Postgres, PostgresOptions, Version, package_dir};
use psn::domain::id::{PostId, RemoteUserId, UserId};
use psn::domain::platform::Platform;
use psn::domain::post::Status;
use psn::domain::time::{Millis, Timestamp};
use psn::net::Client;
use psn::ports::memory::{ManualClock, SeededEntropy};
use psn::ports::pause::{Pause, Surroundings};
use psn::store::accounts::AccountImport;
use psn::store::posts::NewPostRow;
use psn::store::seal::Sealer;
use psn::store::{Neon, Secret, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts waits and does not wait.
#[derive(Debug, Default)]
pub struct Waits(pub AtomicU64);

impl Pause for Waits {
    async fn pause(&self, _: Millis) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

pub type TestStore = Store<Client, Surroundings<ManualClock, SeededEntropy, Arc<Waits>>>;

/// The instant at which every case begins.
pub const NOW: Timestamp = Timestamp(1_795_424_400_000);

/// The npm package with the server.
fn package(version: Version) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let package = package_dir(root, version).unwrap();
    if version == Version::V15 || package.exists() {
        return package;
    }
    // Version 18 is installed under a name that ends like that of version 15.
    let usual = package_dir(root, Version::V15).unwrap();
    let platform = usual.file_name().unwrap().to_str().unwrap();
    package.with_file_name(format!("embedded-postgres-18-{platform}"))
}

/// One server for the cases of a run.
pub struct Ground {
    server: Arc<Postgres>,
}

/// What one case has.
pub struct Bed {
    pub server: Arc<Postgres>,
    pub endpoint: NeonEndpoint,
    pub database: String,
    pub connection_string: String,
}

impl Ground {
    pub async fn start(version: Version, owner_bypasses_rls: bool) -> Self {
        let package = package(version);
        let options = PostgresOptions {
            owner_bypasses_rls,
            ..PostgresOptions::temporary(package)
        };
        Self {
            server: Arc::new(Postgres::start(options).await.unwrap_or_else(|error| panic!("{error}"))),
        }
    }

    pub async fn bed(&self, name: &str) -> Bed {
        let connection_string = self.server.create_database(name, None).await.unwrap();
        let endpoint = NeonEndpoint::start(NeonOptions::local(self.server.port()))
            .await
            .unwrap();
        Bed {
            server: Arc::clone(&self.server),
            endpoint,
            database: name.to_owned(),
            connection_string,
        }
    }
}

impl Bed {
    pub fn store(&self) -> TestStore {
        self.store_as(&self.connection_string)
    }

    pub fn store_as(&self, connection_string: &str) -> TestStore {
        let url = self.endpoint.sql_url();
        let neon = Neon::new(Client::new().unwrap(), Secret::new(connection_string), Some(&url)).unwrap();
        let entropy = SeededEntropy::new(1);
        Store::new(
            neon,
            Surroundings {
                clock: ManualClock::new(NOW),
                entropy,
                pause: Arc::default(),
            },
        )
    }

    /// A migrated database and one X account of the user `default`.
    pub async fn migrated(&self) -> TestStore {
        let store = self.store();
        store.migrate().await.unwrap();
        store
    }

    /// Runs a script as the owner, the way the legacy program does: nothing is set before it. The first row, its
    /// values separated by `|`.
    pub async fn owner(&self, sql: &str) -> String {
        let rows = self
            .server
            .owner_script(&self.database, sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        rows.iter().map(|row| line(row)).collect::<Vec<_>>().join("\n")
    }
}

fn line(row: &[Option<String>]) -> String {
    row.iter()
        .map(|value| value.clone().unwrap_or_else(|| "NULL".to_owned()))
        .collect::<Vec<_>>()
        .join("|")
}

pub fn sealer() -> Sealer {
    Sealer::new(&Secret::new("07".repeat(32))).unwrap()
}

pub fn user(name: &str) -> UserId {
    UserId::from(name)
}

pub fn import(name: &str, remote: &str) -> AccountImport {
    AccountImport {
        user: user(name),
        platform: Platform::X,
        remote_user_id: RemoteUserId::from(remote),
        username: Some(format!("@{remote}")),
        access_token: Secret::new(format!("access-{remote}")),
        refresh_token: Some(Secret::new(format!("refresh-{remote}"))),
        expires_at: Some(NOW + Millis::from_secs(7200)),
        scopes: Some("tweet.read,tweet.write".to_owned()),
        metadata: serde_json::Map::new(),
    }
}

pub fn post_id(n: u8) -> PostId {
    PostId::from_random([n; 16])
}

/// A thread of two parts, due now.
pub fn new_post(name: &str, n: u8) -> NewPostRow {
    let psn = serde_json::json!({"seq": 1, "group_id": "g", "hash": "h"});
    NewPostRow {
        id: post_id(n),
        user: user(name),
        platform: Platform::X,
        account_id: None,
        parts: vec![format!("part one of {n}"), "part two".to_owned()],
        media_urls: Vec::new(),
        status: Status::Scheduled,
        scheduled_at: Some(NOW),
        labels: Default::default(),
        psn: psn.as_object().unwrap().clone(),
        now: NOW,
    }
}
