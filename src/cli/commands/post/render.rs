//! Posts and events as people read them.

use crate::cli::Context;
use crate::cli::client::field_error;
use crate::cli::error::CliResult;
use crate::cli::printer::{Printer, Style, excerpt};
use crate::domain::time::Timestamp;
use serde_json::Value;

/// Characters of a part's text in a line.
const EXCERPT_WIDTH: usize = 60;

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn parts(post: &Value) -> &[Value] {
    post.get("parts")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice)
}

/// Status and sub-status as a person says them, with the reason or the time that belongs to them.
#[must_use]
pub fn state_words(post: &Value) -> String {
    let out = parts(post)
        .iter()
        .filter(|part| text(part, "state") == "published")
        .count();
    let all = parts(post).len();
    let reason = match text(post, "fail_reason") {
        "" => String::new(),
        reason => format!(": {}", excerpt(reason, 300)),
    };
    match (text(post, "status"), text(post, "sub_status")) {
        ("draft", _) => "draft".to_owned(),
        ("scheduled", _) => format!("scheduled for {}", text(post, "scheduled_at")),
        ("publishing", "reconciling") => "being looked up".to_owned(),
        ("publishing", _) => format!("going out, {out} of {all}"),
        ("retry", "rate_limited") => format!("waiting for the rate limit{reason}"),
        ("retry", "paused") => format!("paused{reason}"),
        ("retry", "needs_reauth") => format!("needs a new token{reason}"),
        ("published", _) => format!("published {}", text(post, "published_at"))
            .trim_end()
            .to_owned(),
        ("partially_posted", "cancelled") => format!("cancelled after {out} of {all}"),
        ("partially_posted", "thread_partial") => format!("stopped after {out} of {all}{reason}"),
        (_, "needs_review") => format!("needs review{reason}"),
        (status, "") => format!("{status}{reason}"),
        (status, sub_status) => format!("{status} ({sub_status}){reason}"),
    }
}

fn style(post: &Value) -> Style {
    match (text(post, "status"), text(post, "sub_status")) {
        ("published", _) => Style::Good,
        ("failed", _) | (_, "needs_review") => Style::Bad,
        ("partially_posted" | "retry", _) => Style::Warn,
        _ => Style::Strong,
    }
}

/// A post in one line.
pub fn summary(printer: &Printer, post: &Value) -> String {
    let content = match parts(post).first() {
        Some(part) => text(part, "text").to_owned(),
        None => listed(text(post, "content")),
    };
    let by = match text(post, "author") {
        "" => String::new(),
        author => format!("by {}  ", excerpt(author, 40)),
    };
    format!(
        "{}  {}  {}  {by}{}",
        text(post, "id"),
        text(post, "platform"),
        printer.paint(style(post), &state_words(post)),
        excerpt(&content, EXCERPT_WIDTH)
    )
}

/// The content of a row in one text: that of a thread is stored as a JSON array of its parts.
fn listed(content: &str) -> String {
    serde_json::from_str::<Vec<String>>(content).map_or_else(|_| content.to_owned(), |parts| parts.join(" / "))
}

/// How the words that named a time were understood.
pub fn scheduled_as(printer: &Printer, answer: &Value) {
    match text(answer, "scheduled_as") {
        "" => {}
        understood => printer.talk(format!("scheduled for {understood}")),
    }
}

/// A post with its parts, or its document.
pub fn post(context: &Context, post: &Value) -> CliResult {
    let printer = &context.printer;
    if printer.is_json() {
        printer.document(post);
        return Ok(());
    }
    scheduled_as(printer, post);
    printer.data(format!(
        "{}  {}  {}",
        text(post, "id"),
        text(post, "platform"),
        printer.paint(style(post), &state_words(post))
    ));
    if let Some(line) = labels_line(post) {
        printer.data(printer.paint(Style::Faint, &line));
    }
    if let Some(line) = approval_line(post) {
        printer.data(line);
    }
    for part in parts(post) {
        printer.data(part_line(printer, part, parts(post).len()));
    }
    if post.pointer("/cost/amount").and_then(Value::as_f64) != Some(0.0) {
        cost(printer, post);
    }
    for doubt in post.get("in_doubt").and_then(Value::as_array).into_iter().flatten() {
        let part = doubt.get("part").and_then(Value::as_u64).unwrap_or_default();
        let since = match text(doubt, "since") {
            "" => String::new(),
            since => format!(", sent {since}"),
        };
        printer.talk(format!("look for part {part} at {}{since}", text(doubt, "look_at")));
    }
    warnings(printer, post);
    next_step(printer, post);
    Ok(())
}

/// What a post is about and where it belongs, in one line.
fn labels_line(post: &Value) -> Option<String> {
    let names = [
        ("format", "format"),
        ("topic", "topic"),
        ("pillar", "pillar"),
        ("language", "language"),
        ("series_id", "series"),
        ("idea_id", "idea"),
        ("slot", "slot"),
        ("hub_id", "hub"),
    ];
    let said = names.iter().filter(|(name, _)| !text(post, name).is_empty());
    let said: Vec<String> = said
        .map(|(name, shown)| format!("{shown} {}", text(post, name)))
        .collect();
    (!said.is_empty()).then(|| format!("  {}", said.join(", ")))
}

/// How far the approval of a post has come, in one line.
fn approval_line(post: &Value) -> Option<String> {
    let by = match text(post, "reviewer_id") {
        "" => String::new(),
        reviewer => format!(" by {reviewer}"),
    };
    let said = match text(post, "review_comment") {
        "" => String::new(),
        comment => format!(": {}", excerpt(comment, 300)),
    };
    let words = match text(post, "approval_status") {
        "" => return None,
        "submitted" => "waits for approval",
        "approved" => "approved",
        "rejected" => "rejected",
        _ => "to be submitted for approval",
    };
    Some(format!("  {words}{by}{said}"))
}

/// What it costs, where the answer says so.
pub fn cost(printer: &Printer, answer: &Value) {
    if let Some(amount) = answer.pointer("/cost/amount").and_then(Value::as_f64) {
        printer.data(format!("cost  {amount:.3} USD"));
    }
}

fn part_line(printer: &Printer, part: &Value, parts_total: usize) -> String {
    let state = text(part, "state");
    let style = match state {
        "published" => Style::Good,
        "failed" => Style::Bad,
        "unknown" => Style::Warn,
        _ => Style::Faint,
    };
    let index = part.get("index").and_then(Value::as_u64).unwrap_or_default();
    let mut line = format!(
        "  {}  {}",
        format_args!("{index:>2}/{parts_total}"),
        printer.paint(style, &format!("{state:<9}"))
    );
    line.push_str(&format!("  {}", excerpt(text(part, "text"), EXCERPT_WIDTH)));
    let address = [text(part, "url"), text(part, "remote_id")]
        .into_iter()
        .find(|text| !text.is_empty());
    if let Some(address) = address {
        line.push_str(&format!("  {}", printer.paint(Style::Faint, address)));
    }
    line
}

/// Warnings of an answer, on stderr.
pub fn warnings(printer: &Printer, answer: &Value) {
    for warning in answer.get("warnings").and_then(Value::as_array).into_iter().flatten() {
        printer.warn(field_error(warning));
    }
}

fn next_step(printer: &Printer, post: &Value) {
    let id = text(post, "id");
    let step = match (text(post, "status"), text(post, "sub_status")) {
        ("draft", _) if text(post, "approval_status") == "draft" => format!("`psn post submit {id}` asks for approval"),
        ("draft", _) => format!("`psn post schedule {id} --at TIME` schedules it"),
        (_, "needs_reauth") => format!("`psn account connect {}` lets it go on", text(post, "platform")),
        (_, "needs_review") => format!(
            "look on the platform, then say what became of it: `psn post resolve {id} --part N --published URL`, \
             `--absent` or `--abandon`"
        ),
        ("partially_posted", _) => {
            format!("`psn post retry {id}` goes on, `psn post resolve {id} --roll-back` takes it back")
        }
        ("retry", "paused") if text(post, "fail_reason").contains("`psn resume`") => return,
        ("failed", _) | ("retry", "paused") => format!("`psn post retry {id}` tries it again"),
        _ => return,
    };
    printer.talk(format!("{} {step}", printer.paint_err(Style::Strong, "next:")));
}

/// The detail of an event as one line of text.
pub fn detail_text(event: &Value) -> String {
    match event.get("detail") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => excerpt(text, 300),
        Some(Value::Object(fields)) => fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| {
                format!(
                    "{name} {}",
                    value
                        .as_str()
                        .map_or_else(|| value.to_string(), |text| excerpt(text, 120))
                )
            })
            .collect::<Vec<_>>()
            .join(", "),
        Some(other) => other.to_string(),
    }
}

/// An event in one line.
#[must_use]
pub fn event_line(printer: &Printer, event: &Value) -> String {
    let part = event
        .get("part")
        .and_then(Value::as_u64)
        .map(|part| format!("  part {part}"))
        .unwrap_or_default();
    let detail = match detail_text(event) {
        detail if detail.is_empty() => detail,
        detail => format!("  {detail}"),
    };
    let at = match event.get("at") {
        Some(Value::String(at)) => at.clone(),
        Some(at) => at.as_i64().map(|at| Timestamp(at).to_rfc3339()).unwrap_or_default(),
        None => String::new(),
    };
    format!(
        "  {}  {}{part}{detail}",
        printer.paint(Style::Faint, &at),
        text(event, "kind").replace('_', " ")
    )
}
