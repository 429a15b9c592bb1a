//! psn on the real runtime: the local stack, in real time, killed with SIGKILL.

use crate::emulated::Emulated;
use crate::local_site::Site;
use crate::place::{Boxed, Place, run_sql};
use psn::cli::ambient::SYSTEM;
use psn::cli::database;
use psn::dev::emulators::x::settings::Settings as XSettings;
use psn::domain::id::{AccountId, UserId};
use psn::domain::platform::Platform;
use psn::domain::time::{Millis, Timestamp};
use psn::net::Client;
use psn::ports::clock::Clock as _;
use psn::store::Secret;
use psn::store::accounts::AccountImport;
use psn::store::seal::Sealer;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a post is looked at.
const LOOK: Duration = Duration::from_millis(100);

pub struct Workerd(Site);

impl Workerd {
    /// A stack whose looks come soon.
    pub async fn start() -> Self {
        Self(Site::start("500,2000,4500", "4000", XSettings::default()).await)
    }

    pub async fn stop(self) {
        self.0.stop().await;
    }

    fn database(&self) -> database::Database {
        let (url, sql_url) = (self.0.local.get("DATABASE_URL"), self.0.local.get("NEON_SQL_URL"));
        database::connect(url, Some(sql_url)).unwrap()
    }

    fn sealer(&self) -> Sealer {
        let env = &self.0.local.env;
        database::sealer(|name| env.get(name).map(String::as_str)).unwrap()
    }
}

impl Place for Workerd {
    fn url(&self) -> String {
        self.0.url("")
    }

    fn token(&self) -> String {
        self.0.local.get("PSN_API_TOKEN").to_owned()
    }

    fn emulated(&self, platform: Platform) -> Arc<dyn Emulated> {
        let stack = &self.0.local.stack.foundation;
        match platform {
            Platform::X => Arc::new(stack.x.clone()),
            Platform::LinkedIn => Arc::new(stack.linkedin.clone()),
            Platform::Instagram => Arc::new(stack.instagram.clone()),
            Platform::TikTok => Arc::new(stack.tiktok.clone()),
        }
    }

    fn import(&self, import: AccountImport) -> Boxed<'_, AccountId> {
        Box::pin(async move {
            let account = self.database().account_import(&import, &self.sealer()).await;
            account.unwrap().id
        })
    }

    fn sql(&self, sql: String) -> Boxed<'_, ()> {
        Box::pin(async move {
            let url = Secret::new(self.0.local.get("DATABASE_URL"));
            let sql_url = self.0.local.get("NEON_SQL_URL");
            run_sql(Client::new().unwrap(), url, Some(sql_url), sql).await;
        })
    }

    fn access_token(&self, account: AccountId) -> Boxed<'_, String> {
        Box::pin(async move {
            let user = UserId::from("default");
            let row = self.database().token_read(&user, &account).await.unwrap().unwrap();
            row.open_access(&self.sealer()).unwrap().expose().to_owned()
        })
    }

    fn is_virtual(&self) -> bool {
        false
    }

    fn now(&self) -> Timestamp {
        SYSTEM.now()
    }

    fn go_on(&self) -> Boxed<'_, bool> {
        Box::pin(async {
            tokio::time::sleep(LOOK).await;
            true
        })
    }

    fn run_behind(&self) {}

    fn stand(&self) -> Boxed<'_, ()> {
        Box::pin(async {})
    }

    fn pass(&self, time: Millis) -> Boxed<'_, ()> {
        let time = Duration::from_millis(time.0.unsigned_abs());
        Box::pin(tokio::time::sleep(time))
    }

    fn kill(&self) -> Boxed<'_, ()> {
        Box::pin(async {
            let stack = &self.0.local.stack;
            let began = Instant::now();
            let killed = stack.kill_runtime();
            while stack.runtime.pid() == killed {
                assert!(
                    began.elapsed() < Duration::from_secs(60),
                    "the runtime is not started again"
                );
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stack.runtime.ready().await.unwrap();
        })
    }

    fn set_database_down(&self, down: bool) {
        self.0.local.stack.neon().unwrap().set_down(down);
    }
}
