//! Request and answer bodies: JSON to text parameters, results and errors to JSON.
//!
//! Answers are written by hand: rows as objects can name a column twice, and JSON values go out exactly as PostgreSQL
//! wrote them.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use crate::dev::postgres::wire::{Column, DatabaseError, Rows};

/// One query with its parameters.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Query {
    pub(super) query: String,
    #[serde(default)]
    params: Vec<Value>,
    pub(super) array_mode: Option<bool>,
}

/// A request body.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Payload {
    /// One query on its own.
    Single(Query),
    /// Queries in one transaction.
    Batch {
        /// Those queries.
        queries: Vec<Query>,
    },
}

impl Payload {
    pub(super) fn texts(&self) -> Vec<&str> {
        match self {
            Self::Single(query) => vec![&query.query],
            Self::Batch { queries } => queries.iter().map(|q| q.query.as_str()).collect(),
        }
    }
}

impl Query {
    /// The parameters in PostgreSQL's text form.
    pub(super) fn parameters(&self) -> Vec<Option<String>> {
        self.params
            .iter()
            .map(|value| match value {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                Value::Array(items) => Some(array_literal(items)),
                other => Some(other.to_string()),
            })
            .collect()
    }
}

fn array_literal(items: &[Value]) -> String {
    let mut literal = String::from("{");
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            literal.push(',');
        }
        match item {
            Value::Null => literal.push_str("NULL"),
            Value::Array(inner) => literal.push_str(&array_literal(inner)),
            // JSON's way of quoting is close enough to that of array literals for Neon.
            Value::Object(_) => push_string(&mut literal, &item.to_string()),
            scalar => literal.push_str(&scalar.to_string()),
        }
    }
    literal.push('}');
    literal
}

/// How results are to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) raw_text: bool,
    pub(super) array_mode: bool,
}

fn push_string(out: &mut String, text: &str) {
    out.push_str(&Value::from(text).to_string());
}

/// Appends the JSON of one result; `None` when a value cannot be turned into JSON, which is a defect of Neon's.
pub(super) fn push_result(out: &mut String, rows: &Rows, style: Style, elements: &HashMap<u32, u32>) -> Option<()> {
    out.push_str("{\"fields\":[");
    for (index, column) in rows.columns.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_field(out, column);
    }
    out.push_str("],\"rows\":[");
    for (index, row) in rows.rows.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push(if style.array_mode { '[' } else { '{' });
        for (index, (value, column)) in row.iter().zip(&rows.columns).enumerate() {
            if index > 0 {
                out.push(',');
            }
            if !style.array_mode {
                push_string(out, &column.name);
                out.push(':');
            }
            match value {
                None => out.push_str("null"),
                Some(text) if style.raw_text => push_string(out, text),
                Some(text) => push_parsed(out, text, column.type_oid, elements)?,
            }
        }
        out.push(if style.array_mode { ']' } else { '}' });
    }
    out.push_str("],\"command\":");
    push_string(out, rows.tag.split(' ').next().unwrap_or_default());
    out.push_str(",\"rowCount\":");
    match rows.tag.rsplit(' ').next().and_then(|word| word.parse::<u64>().ok()) {
        Some(count) => out.push_str(&count.to_string()),
        None => out.push_str("null"),
    }
    out.push_str(if style.array_mode {
        ",\"rowAsArray\":true}"
    } else {
        ",\"rowAsArray\":false}"
    });
    Some(())
}

fn push_field(out: &mut String, column: &Column) {
    out.push_str("{\"name\":");
    push_string(out, &column.name);
    out.push_str(&format!(
        ",\"dataTypeID\":{},\"tableID\":{},\"columnID\":{},\"dataTypeSize\":{},\"dataTypeModifier\":{},\"format\":\"text\"}}",
        column.type_oid, column.table_oid, column.column_id, column.type_size, column.type_modifier
    ));
}

/// Appends a value in parsed mode.
fn push_parsed(out: &mut String, text: &str, type_oid: u32, elements: &HashMap<u32, u32>) -> Option<()> {
    match element_type(type_oid, elements) {
        Some(element) if element != 0 => {
            // `[0:1]={…}` carries bounds in front, which JSON has no place for.
            let literal = text.find('{').map_or(text, |start| &text[start..]);
            let mut rest = literal.strip_prefix('{')?;
            push_array(out, &mut rest, element)
        }
        _ => push_scalar(out, text, type_oid),
    }
}

fn push_scalar(out: &mut String, text: &str, type_oid: u32) -> Option<()> {
    match type_oid {
        16 => out.push_str(if text == "t" { "true" } else { "false" }),
        21 | 23 => out.push_str(&text.parse::<i64>().ok()?.to_string()),
        700 | 701 => match serde_json::Number::from_f64(text.parse().ok()?) {
            Some(number) => out.push_str(&number.to_string()),
            None => push_string(out, text),
        },
        114 | 3802 if text.is_empty() => return None,
        114 | 3802 => out.push_str(text),
        _ => push_string(out, text),
    }
    Some(())
}

/// Appends the array whose text follows the opening brace, and leaves `rest` behind its closing brace. An empty array
/// counts as one empty element, as it does at Neon's.
fn push_array(out: &mut String, rest: &mut &str, element: u32) -> Option<()> {
    out.push('[');
    loop {
        let mut chars = rest.char_indices();
        match chars.next()?.1 {
            '{' => {
                *rest = &rest[1..];
                push_array(out, rest, element)?;
            }
            '"' => {
                let mut text = String::new();
                let end = loop {
                    match chars.next()? {
                        (_, '\\') => text.push(chars.next()?.1),
                        (at, '"') => break at + 1,
                        (_, other) => text.push(other),
                    }
                };
                *rest = &rest[end..];
                push_scalar(out, &text, element)?;
            }
            _ => {
                let end = rest.find([',', '}'])?;
                let text = &rest[..end];
                *rest = &rest[end..];
                if text == "NULL" {
                    out.push_str("null")
                } else {
                    push_scalar(out, text, element)?
                }
            }
        }
        let after = rest.chars().next()?;
        *rest = &rest[1..];
        if after == '}' {
            out.push(']');
            return Some(());
        }
        out.push(',');
    }
}

/// The element type of an array type, 0 for a type that is no array, `None` when the database must be asked.
pub(super) fn element_type(type_oid: u32, known: &HashMap<u32, u32>) -> Option<u32> {
    Some(match type_oid {
        16..=26
        | 114
        | 142
        | 700
        | 701
        | 1042
        | 1043
        | 1082
        | 1083
        | 1114
        | 1184
        | 1186
        | 1266
        | 1700
        | 2278
        | 2950
        | 3802 => 0,
        1000 => 16,
        1001 => 17,
        1005 => 21,
        1007 => 23,
        1009 => 25,
        1016 => 20,
        1021 => 700,
        1022 => 701,
        199 => 114,
        3807 => 3802,
        other => return known.get(&other).copied(),
    })
}

/// The error body: always the same 17 members.
pub(super) fn error_json(error: &DatabaseError) -> String {
    let text = |value: &str| Value::from(value).to_string();
    let optional = |value: &Option<String>| value.as_deref().map_or_else(|| "null".to_owned(), text);
    let members = [
        ("message", text(&error.message)),
        ("code", text(&error.code)),
        ("detail", optional(&error.detail)),
        ("hint", optional(&error.hint)),
        ("position", optional(&error.position)),
        ("internalPosition", optional(&error.internal_position)),
        ("internalQuery", optional(&error.internal_query)),
        ("severity", text(&error.severity)),
        ("where", optional(&error.context)),
        ("table", optional(&error.table)),
        ("column", optional(&error.column)),
        ("schema", optional(&error.schema)),
        ("dataType", optional(&error.data_type)),
        ("constraint", optional(&error.constraint)),
        ("file", optional(&error.file)),
        ("line", optional(&error.line)),
        ("routine", optional(&error.routine)),
    ];
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}
