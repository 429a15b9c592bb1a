//! All SQL of the program: a client of Neon's SQL over HTTP, and one file for each family of tables.
//!
//! Each operation is one request, and each request is one transaction that runs as somebody: on behalf of a user as
//! `hub_user` with `app.current_user_id` set (row-level security then hides everybody else's rows), for the tasks as
//! `psn_task`, and as the owner of the tables only to migrate, to seal anew, to let the first admin into a hub and to move over from
//! another program.

pub mod account_list;
pub mod accounts;
pub mod api_tokens;
pub mod audit;
pub mod calendar;
pub mod claim;
pub mod closing;
pub mod content;
pub mod cursor;
pub mod deliveries;
pub mod destinations;
pub mod due;
pub mod error;
pub mod grants;
pub mod ideas;
pub mod joining;
pub mod labels;
pub mod learning;
pub mod media_rows;
pub mod metrics;
pub mod migrate;
pub mod neon;
pub mod notifications;
pub mod outbox;
pub mod plans;
pub mod posts;
pub mod preferences;
pub mod project;
pub mod recipients;
pub mod renewal;
pub mod reseal;
pub mod row;
pub mod seal;
pub mod series;
pub mod sessions;
pub mod settings;
pub mod takeover;
pub mod teams;
pub mod whole;

pub use crate::domain::secret::Secret;
pub use error::{Fault, StoreError};
pub use neon::{BatchOptions, Neon, Statement, Who};

use crate::domain::time::Millis;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use row::Rows;

/// The database as the program uses it: the client and what retrying needs.
#[derive(Debug)]
pub struct Store<H, A> {
    /// The protocol client.
    pub neon: Neon<H>,
    /// Clock, randomness, waiting.
    pub ambient: A,
    /// Time one operation may take, its retries included.
    pub budget: Millis,
}

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Time that one operation may take unless told otherwise, retries included.
    pub const BUDGET: Millis = Millis::from_secs(10);

    /// A store over that client.
    pub const fn new(neon: Neon<H>, ambient: A) -> Self {
        Self {
            neon,
            ambient,
            budget: Self::BUDGET,
        }
    }

    /// Asks the database for nothing, to see whether it answers.
    ///
    /// # Errors
    /// [`StoreError`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let statement = Statement::new("select 1", []);
        self.read(Who::Owner, &[statement]).await.map(|_| ())
    }

    /// One read-only transaction, tried again whenever that may help.
    pub(crate) async fn read(&self, who: Who, statements: &[Statement]) -> Result<Vec<Rows>, StoreError> {
        let options = BatchOptions {
            who,
            read_only: true,
            deadline: self.budget,
        };
        self.neon
            .batch_retrying(statements, &options, true, &self.ambient)
            .await
    }

    /// One read-only statement as a transaction.
    pub(crate) async fn read_one(&self, who: Who, statement: Statement) -> Result<Rows, StoreError> {
        sole(self.read(who, &[statement]).await?)
    }

    /// One statement as a transaction that may be repeated without changing what it did the first time.
    pub(crate) async fn write_one(&self, who: Who, statement: Statement) -> Result<Rows, StoreError> {
        sole(self.write(who, &[statement]).await?)
    }

    /// One transaction that may be repeated without changing what it did the first time.
    pub(crate) async fn write(&self, who: Who, statements: &[Statement]) -> Result<Vec<Rows>, StoreError> {
        let options = BatchOptions {
            who,
            read_only: false,
            deadline: self.budget,
        };
        self.neon
            .batch_retrying(statements, &options, true, &self.ambient)
            .await
    }

    /// One transaction that is repeated only where it surely did not run.
    pub(crate) async fn write_once(&self, who: Who, statements: &[Statement]) -> Result<Vec<Rows>, StoreError> {
        let options = BatchOptions {
            who,
            read_only: false,
            deadline: self.budget,
        };
        self.neon
            .batch_retrying(statements, &options, false, &self.ambient)
            .await
    }
}

fn sole(mut results: Vec<Rows>) -> Result<Rows, StoreError> {
    results
        .pop()
        .ok_or_else(|| StoreError::malformed("a result was expected"))
}

/// What became of a change that the state of a row may forbid.
#[derive(Clone, Debug, PartialEq)]
pub enum Changed<T> {
    /// The row as it is now; also where it was so before.
    Done(T),
    /// Nothing was changed: the row, whose state does not allow it.
    Refused(T),
    /// There is no such row.
    Gone,
}
