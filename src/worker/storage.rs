//! Journal, table and alarm over an object's SQLite storage.
//!
//! The runtime holds outgoing requests back until the writes before them are durable (the output gate): that makes "append,
//! then call" safe. Every statement is synchronous, so nothing enters between reading the length and appending.

use crate::domain::time::Timestamp;
use crate::ports::journal::{AppendError, Journal, Record};
use crate::ports::table::Table;
use crate::ports::waker::Waker;
use serde::Deserialize;
use worker::send::{SendFuture, SendWrapper};
use worker::wasm_bindgen::JsValue;
use worker::{ScheduledTime, SqlStorage, SqlStorageValue, State, Storage};

/// The objects run on one thread: what wraps a JavaScript value never leaves it.
type Sql = SendWrapper<SqlStorage>;

fn sql(state: &State) -> Sql {
    SendWrapper::new(state.storage().sql())
}

fn words(error: worker::Error) -> String {
    format!("the object's storage failed: {error}")
}

/// A number that SQLite and JavaScript both hold exactly.
fn number(value: i64) -> Result<SqlStorageValue, String> {
    SqlStorageValue::try_from_i64(value).map_err(words)
}

fn create(sql: &Sql, statement: &str) {
    // A failure here shows at the first read.
    let _ = sql.exec(statement, None);
}

/// The journal: table `entries (seq, at_ms, body)`, `seq` from 0 without gaps.
pub struct SqlJournal(Sql);

#[derive(Deserialize)]
struct EntryRow {
    at_ms: f64,
    body: String,
}

#[derive(Deserialize)]
struct Count {
    count: f64,
}

impl SqlJournal {
    /// The journal of that object.
    pub fn new(state: &State) -> Self {
        let sql = sql(state);
        create(
            &sql,
            "create table if not exists entries (seq integer primary key, at_ms integer not null, body text not null)",
        );
        Self(sql)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "SQLite's integers arrive as JavaScript numbers below 2^53"
)]
fn whole(value: f64) -> i64 {
    value as i64
}

impl Journal for SqlJournal {
    fn read(&self) -> Result<Vec<Record>, String> {
        let cursor = self
            .0
            .exec("select at_ms, body from entries order by seq", None)
            .map_err(words)?;
        let rows: Vec<EntryRow> = cursor.to_array().map_err(words)?;
        Ok(rows
            .into_iter()
            .map(|row| Record {
                at: Timestamp(whole(row.at_ms)),
                body: row.body,
            })
            .collect())
    }

    fn append(&self, expected: u64, records: &[Record]) -> Result<(), AppendError> {
        let failed = |error: worker::Error| AppendError::Storage(error.to_string());
        // One statement, so the comparison and all records or none.
        let places = vec!["(?, ?, ?)"; records.len()].join(", ");
        let statement = format!(
            "insert into entries (seq, at_ms, body) select * from (values {places}) \
             where (select count(*) from entries) = ?"
        );
        let mut values = Vec::with_capacity(records.len() * 3 + 1);
        for (seq, record) in (expected..).zip(records) {
            values.push(place(seq)?);
            values.push(number(record.at.0).map_err(AppendError::Storage)?);
            values.push(SqlStorageValue::from(record.body.as_str()));
        }
        values.push(place(expected)?);
        if self.0.exec(&statement, values).map_err(failed)?.rows_written() > 0 {
            return Ok(());
        }
        let counted = self.0.exec("select count(*) as count from entries", None);
        let counted = counted.and_then(|cursor| cursor.one::<Count>()).map_err(failed)?;
        let found = u64::try_from(whole(counted.count)).unwrap_or(0);
        Err(AppendError::Fenced { expected, found })
    }
}

fn place(seq: u64) -> Result<SqlStorageValue, AppendError> {
    number(i64::try_from(seq).unwrap_or(i64::MAX)).map_err(AppendError::Storage)
}

/// The table: `pairs (key, value)`.
pub struct SqlTable(Sql);

#[derive(Deserialize)]
struct PairRow {
    key: String,
    value: String,
}

impl SqlTable {
    /// The table of that object.
    pub fn new(state: &State) -> Self {
        let sql = sql(state);
        create(
            &sql,
            "create table if not exists pairs (key text primary key, value text not null) without rowid",
        );
        Self(sql)
    }

    fn rows(&self, statement: &str, values: Vec<SqlStorageValue>) -> Result<Vec<PairRow>, String> {
        self.0.exec(statement, values).map_err(words)?.to_array().map_err(words)
    }
}

impl Table for SqlTable {
    fn get(&self, key: &str) -> Result<Option<String>, String> {
        let rows = self.rows("select key, value from pairs where key = ?", vec![key.into()])?;
        Ok(rows.into_iter().next().map(|row| row.value))
    }

    fn put(&self, key: &str, value: &str) -> Result<(), String> {
        let statement =
            "insert into pairs (key, value) values (?, ?) on conflict (key) do update set value = excluded.value";
        let values = vec![key.into(), value.into()];
        self.0.exec(statement, values).map(|_| ()).map_err(words)
    }

    fn delete(&self, key: &str) -> Result<(), String> {
        let statement = "delete from pairs where key = ?";
        self.0.exec(statement, vec![key.into()]).map(|_| ()).map_err(words)
    }

    fn scan(&self, from: &str, to: &str, limit: usize) -> Result<Vec<(String, String)>, String> {
        let limit = number(i64::try_from(limit).unwrap_or(i64::MAX).min(1_000_000))?;
        let statement = "select key, value from pairs where key >= ? and key < ? order by key limit ?";
        let rows = self.rows(statement, vec![from.into(), to.into(), limit])?;
        Ok(rows.into_iter().map(|row| (row.key, row.value)).collect())
    }
}

/// The alarm.
pub struct Alarm(SendWrapper<Storage>);

impl Alarm {
    /// The alarm of that object.
    pub fn new(state: &State) -> Self {
        Self(SendWrapper::new(state.storage()))
    }
}

impl Waker for Alarm {
    fn set_alarm(&self, at: Option<Timestamp>) -> impl Future<Output = Result<(), String>> + Send {
        SendFuture::new(async move {
            let set = match at {
                // An integer would be taken for an offset: the date says which instant.
                Some(at) => {
                    #[expect(clippy::cast_precision_loss, reason = "instants in ms are below 2^53")]
                    let date = worker::js_sys::Date::new(&JsValue::from_f64(at.0 as f64));
                    self.0.set_alarm(ScheduledTime::new(date)).await
                }
                None => self.0.delete_alarm().await,
            };
            set.map_err(words)
        })
    }
}
