//! Where scenarios are played: natively, on a clock that stands until somebody waits, or in workerd, in real time.

use crate::emulated::Emulated;
use psn::domain::id::AccountId;
use psn::domain::platform::Platform;
use psn::domain::time::{Millis, Timestamp};
use psn::ports::http::HttpClient;
use psn::store::accounts::AccountImport;
use psn::store::neon::{BatchOptions, Statement, Who};
use psn::store::{Neon, Secret};
use std::pin::Pin;
use std::sync::Arc;

pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Changes a database as its owner.
pub async fn run_sql<H: HttpClient>(http: H, database_url: Secret, sql_url: Option<&str>, sql: String) {
    let options = BatchOptions {
        who: Who::Owner,
        read_only: false,
        deadline: Millis(5_000),
    };
    let neon = Neon::new(http, database_url, sql_url).unwrap();
    neon.query(Statement::new(sql, []), &options).await.unwrap();
}

/// What a place has to do for a scenario. The HTTP API is the same in both.
pub trait Place: Send + Sync {
    /// The origin of the API.
    fn url(&self) -> String;
    /// What its callers show.
    fn token(&self) -> String;
    fn emulated(&self, platform: Platform) -> Arc<dyn Emulated>;
    /// Keeps an account and its tokens, as `psn account import` does.
    fn import(&self, import: AccountImport) -> Boxed<'_, AccountId>;
    /// Another program changes the database.
    fn sql(&self, sql: String) -> Boxed<'_, ()>;
    /// The access token that the row of an account holds.
    fn access_token(&self, account: AccountId) -> Boxed<'_, String>;
    /// Whether its time passes only when somebody waits: then hours may be waited for.
    fn is_virtual(&self) -> bool;
    fn now(&self) -> Timestamp;
    /// Lets the next thing happen; `false` when nothing is going to.
    fn go_on(&self) -> Boxed<'_, bool>;
    /// Lets things happen by themselves until [`Place::stand`]: a call is going to be held.
    fn run_behind(&self);
    /// Ends that, once what is happening has happened.
    fn stand(&self) -> Boxed<'_, ()>;
    /// Lets so much time pass.
    fn pass(&self, time: Millis) -> Boxed<'_, ()>;
    /// Kills the program, in the middle of whatever it does, and starts it again.
    fn kill(&self) -> Boxed<'_, ()>;
    /// Lets the database be away, or back.
    fn set_database_down(&self, down: bool);
}
