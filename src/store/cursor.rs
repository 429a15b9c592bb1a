//! Lists, newest first, page by page.

use crate::domain::time::Timestamp;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, opt_param, param};
use crate::store::row::{Row, Rows};

/// A place in a list, behind one of its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When that row was made, to the microsecond.
    pub(crate) created_exact: String,
    /// Its id, a UUID.
    pub(crate) id: String,
}

impl Cursor {
    /// Reads what [`Cursor`] shows; `None` when it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (created, id) = text.split_once('_')?;
        Timestamp::parse(created).ok()?;
        Some(Self {
            created_exact: created.to_owned(),
            id: uuid::Uuid::try_parse(id).ok()?.hyphenated().to_string(),
        })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}_{}", self.created_exact, self.id)
    }
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The rows, newest first.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

/// A page of `table` (named `t`) where `condition` holds, whose parameters count from `$4`. At most `limit` (1 to 100)
/// rows; fewer where they reach 1 MB, so that no answer is too large, but one row always comes.
pub(crate) fn page_statement(
    (columns, table, condition): (&str, &str, &str),
    after: Option<&Cursor>,
    limit: u32,
    more: impl IntoIterator<Item = Option<String>>,
) -> Statement {
    let sql = format!(
        "select * from (select *, count(*) over () as total, \
           sum(bytes) over (order by created_exact desc, page_id desc) - bytes as before from (select {columns}, t.id as page_id, \
             to_char(t.created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') as created_exact, \
             octet_length(t::text) + 500 as bytes from {table} t where {condition} \
           and ($1::text is null or (t.created_at, t.id) < ($1::timestamptz, $2::uuid)) \
           order by t.created_at desc, t.id desc limit $3::int + 1) wide) summed \
         where before < 1000000 order by created_exact desc, page_id desc limit $3::int"
    );
    let mut params = vec![
        after.map(|cursor| cursor.created_exact.clone()),
        opt_param(after.map(|cursor| &cursor.id)),
        param(limit.clamp(1, 100)),
    ];
    params.extend(more);
    Statement::new(sql, params)
}

/// Reads the answer to a [`page_statement`].
pub(crate) fn read_page<T>(
    rows: Option<&Rows>,
    read: impl Fn(Row<'_>) -> Result<T, StoreError>,
) -> Result<Page<T>, StoreError> {
    let rows = rows.ok_or_else(|| StoreError::malformed("a result was expected"))?;
    let mut next = None;
    let mut total = 0;
    for row in rows.iter() {
        total = row.opt_i64("total")?.unwrap_or(0);
        next = Some(Cursor {
            created_exact: row.text("created_exact")?.to_owned(),
            id: row.text("page_id")?.to_owned(),
        });
    }
    let items = rows.map(read)?;
    let more = total > i64::try_from(items.len()).unwrap_or(i64::MAX);
    Ok(Page {
        items,
        next: next.filter(|_| more),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_checked() {
        let text = "2026-11-23T09:00:00.123456Z_07070707-0707-4707-8707-07070707070a";
        assert_eq!(Cursor::parse(text).unwrap().to_string(), text);
        assert_eq!(Cursor::parse("2026-11-23T09:00:00.123456Z_1"), None);
        assert_eq!(Cursor::parse("'; drop_07070707-0707-4707-8707-07070707070a"), None);
    }
}
