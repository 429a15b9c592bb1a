//! What a tool tells an assistant: a few lines to read, the same as data, and what to do next. What is null, internal or
//! long is left out: every word of it costs the conversation.

use super::ask::Answer;
use crate::domain::order;
use crate::domain::platform::Platform;
use serde_json::{Map, Value, json};

/// As much of a part as is worth showing in a line.
const LINE_CHARS: usize = 90;
/// What a post has that no conversation needs.
const INTERNAL: [&str; 5] = [
    "platform_post_ids",
    "external_post_id",
    "created_at",
    "resting",
    "content",
];

/// What a tool tells.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    /// To read.
    text: String,
    /// The same as data: always an object.
    data: Value,
    is_error: bool,
}

impl Told {
    /// Something that was done or found, with what to do next.
    pub(super) fn new(text: impl Into<String>, data: Value) -> Self {
        Self {
            text: text.into(),
            data,
            is_error: false,
        }
    }

    /// Something that an assistant did wrong, in a sentence, and what to do instead.
    pub(super) fn wrong(message: impl Into<String>, next: &str) -> Self {
        let message = message.into();
        Self {
            text: format!("Refused: {message}\nNext: {next}"),
            data: json!({ "error": { "message": message }, "next": next }),
            is_error: true,
        }
    }

    /// The same with a line before everything.
    pub(super) fn after(mut self, line: &str) -> Self {
        self.text = format!("{line}\n{}", self.text);
        self
    }

    /// The result of `tools/call`.
    pub(super) fn result(self) -> Value {
        let mut result = json!({
            "content": [{ "type": "text", "text": self.text }],
            "structuredContent": self.data,
        });
        if self.is_error {
            result["isError"] = Value::Bool(true);
        }
        result
    }
}

/// The same without what is null.
fn trimmed(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let said = members.iter().filter(|(_, value)| !value.is_null());
            let said: Map<String, Value> = order::gather(said.map(|(name, value)| (name.clone(), trimmed(value))));
            said.into()
        }
        Value::Array(items) => items.iter().map(trimmed).collect(),
        other => other.clone(),
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// The beginning of a text, on one line.
fn line(text: &str) -> String {
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(LINE_CHARS) {
        words.truncate(end);
        words.push('…');
    }
    words
}

/// A post as data.
fn brief(post: &Value) -> Value {
    let mut post = trimmed(post);
    if let Some(members) = post.as_object_mut() {
        members.retain(|name, _| !INTERNAL.contains(&name.as_str()));
    }
    post
}

/// A post of a list as data: the beginning of its text instead of its parts.
fn briefest(post: &Value) -> Value {
    let mut short = brief(post);
    let parts = items(post, "parts");
    short["text"] = json!(line(parts.first().map_or("", |part| text(part, "text"))));
    short["part_count"] = json!(parts.len());
    if let Some(members) = short.as_object_mut() {
        members.remove("parts");
    }
    short
}

/// The name of a post's platform, as people write it.
pub(super) fn platform(post: &Value) -> &str {
    let name = text(post, "platform");
    match Platform::parse(name) {
        Some(platform) => platform.title(),
        None => name,
    }
}

/// A post's first line: what it is, how it stands, when.
fn headline(post: &Value) -> String {
    let mut line = format!("{} post {}: {}", platform(post), text(post, "id"), text(post, "status"));
    if let Some(sub_status) = post["sub_status"].as_str() {
        line.push_str(&format!(" ({sub_status})"));
    }
    match (
        text(post, "status"),
        post["published_at"].as_str(),
        post["scheduled_at"].as_str(),
    ) {
        ("published", Some(at), _) => line.push_str(&format!(", out since {at}")),
        ("scheduled", _, Some(at)) => line.push_str(&format!(" for {at}")),
        _ => {}
    }
    if let Some(words) = post["scheduled_as"].as_str() {
        line.push_str(&format!(" = {words}"));
    }
    line
}

/// A post to read.
fn lines(post: &Value) -> Vec<String> {
    let mut lines = vec![headline(post)];
    for part in items(post, "parts") {
        let state = match part["url"].as_str() {
            Some(url) => format!("{} {url}", text(part, "state")),
            None => text(part, "state").to_owned(),
        };
        lines.push(format!("{}. [{state}] {}", part["index"], line(text(part, "text"))));
    }
    if let Some(reason) = post["fail_reason"].as_str() {
        lines.push(format!("Why it stopped: {reason}"));
    }
    if let Some(status) = post["approval_status"].as_str() {
        lines.push(format!("Approval: {status}"));
    }
    for doubt in items(post, "in_doubt") {
        lines.push(format!(
            "In doubt: part {}; look at {}",
            doubt["part"],
            text(doubt, "look_at")
        ));
    }
    for warning in items(post, "warnings") {
        lines.push(format!("Warning: {}", warning.as_str().unwrap_or_default()));
    }
    lines
}

/// What to do with a post that stands like this.
fn next_for(post: &Value) -> &'static str {
    match (
        text(post, "status"),
        text(post, "sub_status"),
        text(post, "approval_status"),
    ) {
        (_, "needs_review", _) => {
            "nobody can tell whether the part in doubt is out. Ask the person to look there, then call `resolve_post` with \
             what they saw. Do not make another post."
        }
        ("draft", _, "submitted") => {
            "an admin of its hub has to approve it (`review_post`); until then it does not go out."
        }
        ("draft", _, "rejected") => {
            "`review_comment` says why it was rejected: `edit_post`, then `review_post` with `submit`."
        }
        ("draft", ..) => {
            "`schedule_post` puts it on the calendar (`find_free_slots` says when); `publish_post_now` sends it out at once, \
             if the person agrees."
        }
        ("scheduled", ..) => {
            "it goes out by itself at its time. Until then `schedule_post` moves it, `edit_post` changes it and `cancel_post` \
             stops it."
        }
        ("publishing", "reconciling", _) => {
            "an answer of the platform was lost, and psn is looking whether the part is out: call `show_post` in a minute or \
             two. Do not make another post."
        }
        ("publishing", ..) => "it is going out: call `show_post` in a minute.",
        ("retry", "needs_reauth", _) => {
            "the person has to connect the account again (`psn account connect`); the post then goes on by itself."
        }
        ("retry", ..) => "it waits and goes on by itself; `show_post` says how it stands.",
        ("partially_posted", ..) => {
            "once the reason is mended, `retry_post` goes on with the first part that is not out; `resolve_post` with \
             `roll_back` deletes what is out instead."
        }
        ("failed", ..) => "nothing is out. Mend the reason (`edit_post` for the text), then `retry_post`.",
        ("published", ..) => "it is out; `show_metrics` with its id says what it has got.",
        _ => "`show_post` says how it stands.",
    }
}

/// One post.
pub(super) fn post(post: &Value) -> Told {
    let next = next_for(post);
    let mut lines = lines(post);
    lines.push(format!("Next: {next}"));
    Told::new(lines.join("\n"), json!({ "post": brief(post), "next": next }))
}

/// Posts that were just made.
pub(super) fn made(posts: &[Value]) -> Told {
    let next = posts.first().map_or("", next_for);
    let mut said: Vec<String> = posts.iter().flat_map(lines).collect();
    said.push(format!("Next: {next}"));
    let posts: Vec<Value> = posts.iter().map(brief).collect();
    Told::new(said.join("\n"), json!({ "posts": posts, "next": next }))
}

/// A page of posts.
pub(super) fn posts(list: &Value) -> Told {
    let posts: Vec<Value> = items(list, "items").iter().map(briefest).collect();
    let mut lines: Vec<String> = posts
        .iter()
        .map(|post| format!("{} · {}", headline(post), text(post, "text")))
        .collect();
    if lines.is_empty() {
        lines.push("There are no such posts.".to_owned());
    }
    let mut data = json!({ "posts": posts });
    if let Some(cursor) = list["next_cursor"].as_str() {
        lines.push("Next: there are more; give `next_cursor` as `cursor` to see them.".to_owned());
        data["next_cursor"] = json!(cursor);
    }
    Told::new(lines.join("\n"), data)
}

/// What a text would become.
pub(super) fn preview(report: &Value) -> Told {
    let (valid, parts) = (report["valid"] == true, items(report, "parts"));
    let next = if valid {
        "show the person these parts and the warnings; when they agree, `create_post` with the same arguments."
    } else {
        "mend every error, then call `preview_post` again. One long string is split for you; the parts of an array have to \
         fit as they are."
    };
    let plural = if parts.len() == 1 { "part" } else { "parts" };
    let mut lines = vec![format!(
        "{}: {} {plural}, costs {} {}",
        if valid { "Valid" } else { "Not valid" },
        parts.len(),
        report["cost"]["amount"],
        text(&report["cost"], "currency"),
    )];
    for part in parts {
        let (length, limit) = (&part["weighted_length"], &part["limit"]);
        lines.push(format!("{}. {length}/{limit} {}", part["index"], text(part, "text")));
    }
    lines.extend(errors(report));
    for warning in items(report, "warnings") {
        lines.push(format!("Warning: {}", warning.as_str().unwrap_or_default()));
    }
    if let Some(words) = report["scheduled_as"].as_str() {
        lines.push(format!("At: {words}"));
    }
    lines.push(format!("Next: {next}"));
    let mut data = trimmed(report);
    data["next"] = json!(next);
    Told::new(lines.join("\n"), data)
}

/// Anything else: its data, on one line.
pub(super) fn plain(body: &Value) -> Told {
    let data = match trimmed(body) {
        data @ Value::Object(_) => data,
        Value::Null => json!({ "done": true }),
        other => json!({ "items": other }),
    };
    Told::new(data.to_string(), data)
}

fn errors(document: &Value) -> Vec<String> {
    let told = items(document, "errors").iter().map(|error| {
        let message = text(error, "message");
        match (&error["part"], error["field"].as_str()) {
            (Value::Number(part), _) => format!("- part {part}: {message}"),
            (_, Some(field)) => format!("- {field}: {message}"),
            _ => format!("- {message}"),
        }
    });
    told.collect()
}

/// Why the REST API refused, and what to do about it.
pub(super) fn refused(answer: &Answer) -> Told {
    let problem = &answer.body;
    let slug = text(problem, "type").rsplit('/').next().unwrap_or_default();
    let next = match slug {
        "content-invalid" => {
            "shorten or split those parts (a single string is split for you), or change what is named, and call `preview_post` \
             before you try again."
        }
        "field-invalid" | "malformed-json" | "bad-request" => "correct what is named and call the tool again.",
        "medium-invalid" => "choose another picture or video, or prepare it as the message says.",
        "account-required" => {
            "`list_accounts` names the accounts: ask the person which, and give its id as `account_id`."
        }
        "not-found" => "check the id: `list_posts`, `list_ideas` and `list_series` name what there is.",
        "conflict" => "`show_post` says how it stands now and what is possible.",
        "idempotency-key-reused" => "give a fresh `request_id` for another thing, or the same arguments for the same.",
        "forbidden" => "this token may not do that: tell the person what the message says.",
        "unauthorized" => "the token is not valid any more: tell the person.",
        "not-configured" => "the worker is not set up: tell the person what is missing.",
        "request-running" | "creation-unknown" | "unavailable" | "rate-limited" => {
            "wait a little, then send the very same call again: a repeat makes nothing twice."
        }
        _ => "tell the person what the message says; try again in a moment if it is a fault of the worker.",
    };
    let detail = match problem["detail"].as_str() {
        Some(detail) => detail.to_owned(),
        None => format!("the worker answered {}", answer.status.as_u16()),
    };
    let mut lines = vec![format!("Refused: {detail}")];
    // One error says the same as the sentence.
    if items(problem, "errors").len() > 1 {
        lines.extend(errors(problem));
    }
    let next = match answer.retry_after.as_deref() {
        Some(seconds) => format!("{next} Wait {seconds} seconds."),
        None => next.to_owned(),
    };
    lines.push(format!("Next: {next}"));
    let mut error = json!({ "kind": slug, "message": detail });
    for name in ["errors", "post_id"] {
        if let Some(value) = problem.get(name) {
            error[name] = trimmed(value);
        }
    }
    Told {
        text: lines.join("\n"),
        data: json!({ "error": error, "next": next }),
        is_error: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;

    fn a_post(status: &str, sub_status: Option<&str>) -> Value {
        json!({
            "id": "P", "platform": "x", "status": status, "sub_status": sub_status, "scheduled_at": "2026-11-24T08:00:00.000Z",
            "published_at": null, "fail_reason": null, "resting": false, "created_at": "2026-11-23T09:00:00.000Z",
            "platform_post_ids": ["1"], "external_post_id": "1", "topic": null,
            "parts": [
                {"index": 1, "text": "One\n\nline", "remote_id": "1", "url": "https://x.com/ada/status/1", "state": "published"},
                {"index": 2, "text": "b".repeat(100), "remote_id": null, "url": null, "state": "pending"},
            ],
        })
    }

    #[test]
    fn a_post_is_told_in_a_few_lines() {
        let told = post(&a_post("scheduled", None));
        let long = "b".repeat(LINE_CHARS);
        assert_eq!(
            told.text,
            format!(
                "X post P: scheduled for 2026-11-24T08:00:00.000Z\n1. [published https://x.com/ada/status/1] One line\n\
                 2. [pending] {long}…\nNext: {}",
                next_for(&a_post("scheduled", None))
            )
        );
        let brief = &told.data["post"];
        assert_eq!(
            brief["parts"][1],
            json!({"index": 2, "text": "b".repeat(100), "state": "pending"})
        );
        assert!(brief.get("topic").is_none() && brief.get("resting").is_none());
        let listed = posts(&json!({"items": [a_post("draft", None)], "next_cursor": "c"}));
        assert!(
            listed.text.starts_with("X post P: draft · One line\nNext: "),
            "{}",
            listed.text
        );
        assert_eq!(listed.data["posts"][0]["part_count"], 2);
        assert_eq!(posts(&json!({"items": []})).text, "There are no such posts.");
    }

    #[test]
    fn every_state_says_what_comes_next() {
        let states = [
            ("draft", None),
            ("scheduled", None),
            ("publishing", None),
            ("publishing", Some("reconciling")),
            ("retry", Some("rate_limited")),
            ("retry", Some("needs_reauth")),
            ("published", None),
            ("failed", None),
            ("failed", Some("needs_review")),
            ("partially_posted", Some("thread_partial")),
        ];
        let mut said: Vec<&str> = states
            .iter()
            .map(|(status, sub)| next_for(&a_post(status, *sub)))
            .collect();
        said.sort_unstable();
        said.dedup();
        assert_eq!(said.len(), states.len());
        let doubt = next_for(&a_post("partially_posted", Some("needs_review")));
        assert_eq!(doubt, next_for(&a_post("failed", Some("needs_review"))));
        assert_eq!(
            next_for(&json!({"status": "of another version"})),
            "`show_post` says how it stands."
        );
    }

    #[test]
    fn a_refusal_names_every_error_and_what_to_do() {
        let answer = Answer {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            is_repeated: false,
            retry_after: None,
            body: json!({
                "type": "/problems/content-invalid", "title": "t", "status": 422, "detail": "part 1 is 281/280 characters (and 1 more: see `errors`)",
                "errors": [
                    {"part": 1, "field": "content", "message": "part 1 is 281/280 characters"},
                    {"field": "media", "message": "there are too many"},
                ],
            }),
        };
        let told = refused(&answer);
        assert!(told.is_error);
        assert!(
            told.text.starts_with(
                "Refused: part 1 is 281/280 characters (and 1 more: see `errors`)\n- part 1: part 1 is 281/280 characters\n\
                 - media: there are too many\nNext: shorten or split"
            ),
            "{}",
            told.text
        );
        assert_eq!(told.data["error"]["kind"], "content-invalid");
        let away = Answer {
            status: StatusCode::SERVICE_UNAVAILABLE,
            retry_after: Some("10".to_owned()),
            body: json!({"type": "/problems/unavailable", "detail": "away"}),
            ..answer
        };
        assert!(
            refused(&away)
                .text
                .ends_with("a repeat makes nothing twice. Wait 10 seconds.")
        );
        let nothing = Answer {
            body: Value::Null,
            ..away
        };
        assert!(
            refused(&nothing)
                .text
                .starts_with("Refused: the worker answered 503\nNext: tell the person")
        );
    }
}
