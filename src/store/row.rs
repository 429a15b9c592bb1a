//! Results: raw text of Postgres, read column by column.

use crate::domain::time::Timestamp;
use crate::ports::json;
use crate::store::error::StoreError;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The result of one statement. Its `Debug` shows no values.
#[derive(Clone, Default)]
pub struct Rows {
    columns: Vec<String>,
    rows: Vec<Vec<Option<String>>>,
    /// Rows returned or changed; `None` for commands without a count.
    pub count: Option<u64>,
}

/// One row of a result.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    columns: &'a [String],
    values: &'a [Option<String>],
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<AnswerResult>,
}

#[derive(Deserialize)]
struct AnswerResult {
    fields: Vec<AnswerField>,
    rows: Vec<Vec<Option<String>>>,
    #[serde(rename = "rowCount")]
    row_count: Option<u64>,
}

#[derive(Deserialize)]
struct AnswerField {
    name: String,
}

/// Reads the body of a batch's answer in raw text and array mode.
pub(crate) fn parse_batch(body: &[u8], expected: usize) -> Result<Vec<Rows>, StoreError> {
    // The error of serde_json may quote the body, so it is not kept.
    let answer: Answer =
        json::read(body).map_err(|_| StoreError::malformed("a JSON object of results was expected"))?;
    if answer.results.len() != expected {
        let found = answer.results.len();
        return Err(StoreError::malformed(format!(
            "{expected} results were expected and {found} came"
        )));
    }
    answer.results.into_iter().map(Rows::try_from).collect()
}

impl TryFrom<AnswerResult> for Rows {
    type Error = StoreError;

    fn try_from(result: AnswerResult) -> Result<Self, StoreError> {
        let columns: Vec<String> = result.fields.into_iter().map(|field| field.name).collect();
        if result.rows.iter().any(|row| row.len() != columns.len()) {
            return Err(StoreError::malformed(
                "a row has more or fewer values than there are columns",
            ));
        }
        Ok(Self {
            columns,
            rows: result.rows,
            count: result.row_count,
        })
    }
}

impl Rows {
    /// How many rows were returned.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row was returned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|values| Row {
            columns: &self.columns,
            values,
        })
    }

    /// The first row, if there is one.
    #[must_use]
    pub fn first(&self) -> Option<Row<'_>> {
        self.rows.first().map(|values| Row {
            columns: &self.columns,
            values,
        })
    }

    /// The first row.
    ///
    /// # Errors
    /// [`Fault::Malformed`] when there is none.
    pub fn one(&self) -> Result<Row<'_>, StoreError> {
        self.first()
            .ok_or_else(|| StoreError::malformed("a row was expected and none came"))
    }

    /// Every row, converted.
    ///
    /// # Errors
    /// The first of the conversion's.
    pub fn map<T>(&self, read: impl Fn(Row<'_>) -> Result<T, StoreError>) -> Result<Vec<T>, StoreError> {
        self.iter().map(read).collect()
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Rows({} of {:?}, count {:?})",
            self.rows.len(),
            self.columns,
            self.count
        )
    }
}

impl<'a> Row<'a> {
    /// The text of a column, `None` for SQL NULL.
    ///
    /// # Errors
    /// [`Fault::Malformed`] when there is no such column (so for each method; none quotes a value).
    pub fn opt(&self, column: &str) -> Result<Option<&'a str>, StoreError> {
        let index = self.columns.iter().position(|name| name == column);
        index
            .and_then(|index| self.values.get(index))
            .map(|value| value.as_deref())
            .ok_or_else(|| StoreError::malformed(format!("there is no column `{column}`")))
    }

    /// The text of a column that is never NULL.
    #[allow(clippy::missing_errors_doc)]
    pub fn text(&self, column: &str) -> Result<&'a str, StoreError> {
        self.opt(column)?
            .ok_or_else(|| StoreError::malformed(format!("column `{column}` is NULL")))
    }

    /// An owned text or `None`.
    #[allow(clippy::missing_errors_doc)]
    pub fn opt_string(&self, column: &str) -> Result<Option<String>, StoreError> {
        Ok(self.opt(column)?.map(str::to_owned))
    }

    /// A boolean.
    #[allow(clippy::missing_errors_doc)]
    pub fn bool(&self, column: &str) -> Result<bool, StoreError> {
        match self.text(column)? {
            "t" => Ok(true),
            "f" => Ok(false),
            _ => Err(StoreError::malformed(format!("column `{column}` is not a boolean"))),
        }
    }

    /// A whole number or `None`.
    #[allow(clippy::missing_errors_doc)]
    pub fn opt_i64(&self, column: &str) -> Result<Option<i64>, StoreError> {
        let not_a_number = |_| StoreError::malformed(format!("column `{column}` is not a whole number"));
        self.opt(column)?
            .map(|text| text.parse().map_err(not_a_number))
            .transpose()
    }

    /// A whole number.
    #[allow(clippy::missing_errors_doc)]
    pub fn i64(&self, column: &str) -> Result<i64, StoreError> {
        self.opt_i64(column)?
            .ok_or_else(|| StoreError::malformed(format!("column `{column}` is NULL")))
    }

    /// A count; what is below 0 reads as 0.
    #[allow(clippy::missing_errors_doc)]
    pub fn count(&self, column: &str) -> Result<u32, StoreError> {
        Ok(u32::try_from(self.i64(column)?.max(0)).unwrap_or(u32::MAX))
    }

    /// An instant (see [`Row::opt_instant`]).
    #[allow(clippy::missing_errors_doc)]
    pub fn instant(&self, column: &str) -> Result<Timestamp, StoreError> {
        Ok(Timestamp(self.i64(column)?))
    }

    /// An owned text.
    #[allow(clippy::missing_errors_doc)]
    pub fn string(&self, column: &str) -> Result<String, StoreError> {
        Ok(self.text(column)?.to_owned())
    }

    /// The texts in a jsonb array; other members are left out, and anything else has none.
    #[allow(clippy::missing_errors_doc)]
    pub fn strings(&self, column: &str) -> Result<Vec<String>, StoreError> {
        let value = self.json(column)?;
        let texts = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        Ok(texts.map(str::to_owned).collect())
    }

    /// A column of milliseconds since 1970 (see [`millis_of`]) as an instant.
    #[allow(clippy::missing_errors_doc)]
    pub fn opt_instant(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.opt_i64(column)?.map(Timestamp))
    }

    /// The members of a json or jsonb object; empty for anything else, which another program may have written.
    #[allow(clippy::missing_errors_doc)]
    pub fn object(&self, column: &str) -> Result<Map<String, Value>, StoreError> {
        Ok(match self.json(column)? {
            Value::Object(members) => members,
            _ => Map::new(),
        })
    }

    /// A json or jsonb column; NULL is `Value::Null`.
    #[allow(clippy::missing_errors_doc)]
    pub fn json(&self, column: &str) -> Result<Value, StoreError> {
        match self.opt(column)? {
            None => Ok(Value::Null),
            Some(text) => json::tree(text).map_err(|_| StoreError::malformed(format!("column `{column}` is not JSON"))),
        }
    }
}

/// The length of the journal that last wrote a row, 0 where psn did not write it.
macro_rules! row_seq {
    () => {
        "case when jsonb_typeof(metadata -> 'psn' -> 'seq') = 'number' then (metadata -> 'psn' ->> 'seq')::numeric else 0 end"
    };
}
pub(crate) use row_seq;

/// A text that may be a UUID.
macro_rules! uuid_of {
    ($text:literal) => {
        concat!(
            "case when ",
            $text,
            " ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then (",
            $text,
            ")::uuid end"
        )
    };
}
pub(crate) use uuid_of;

/// SQL that turns a `timestamptz` column into whole milliseconds since 1970 under the same name. The session's
/// `DateStyle` and `TimeZone` play no part in it, and `infinity`, which another program may have written, reads as NULL.
macro_rules! millis_of {
    ($column:literal) => {
        concat!(
            "case when isfinite(",
            $column,
            ") then floor(extract(epoch from ",
            $column,
            ") * 1000)::bigint end as ",
            $column
        )
    };
}
pub(crate) use millis_of;

/// SQL that sets a text column to the member of that name in the jsonb parameter `$3`, where there is one.
macro_rules! patched {
    ($column:literal) => {
        concat!(
            $column,
            " = case when jsonb_exists($3::jsonb, '",
            $column,
            "') then $3::jsonb ->> '",
            $column,
            "' else ",
            $column,
            " end"
        )
    };
}
pub(crate) use patched;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::store::error::Fault;

    #[test]
    fn an_answer_is_read() {
        let body = br#"{"results":[{"fields":[{"name":"a","dataTypeID":23},{"name":"b"}],"rows":[["1",null]],
            "command":"SELECT","rowCount":1,"rowAsArray":true},
            {"fields":[],"rows":[],"command":"SET","rowCount":null,"rowAsArray":true}]}"#;
        let results = parse_batch(body, 2).unwrap();
        let row = results[0].one().unwrap();
        assert_eq!(row.opt_i64("a").unwrap(), Some(1));
        assert_eq!(row.opt("b").unwrap(), None);
        assert!(matches!(row.text("b").unwrap_err().fault(), Fault::Malformed { .. }));
        assert!(matches!(row.text("c").unwrap_err().fault(), Fault::Malformed { .. }));
        assert_eq!(results[1].count, None);
        assert!(parse_batch(body, 1).is_err());
        assert!(parse_batch(b"<html>", 1).is_err());
    }
}
