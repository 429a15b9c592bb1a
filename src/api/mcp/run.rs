//! Running a tool: which requests to the REST API it is, and what is told of their answers.

use super::ask::{Answer, Call, Rest, segment};
use super::confirm::{self, Verdict, Word};
use super::told::{self, Told};
use crate::domain::hash::hex;
use crate::domain::time::{Millis, Timestamp};
use crate::domain::words::When;
use axum::http::Method;
use chrono::{Days, NaiveDate};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

type Arguments = Map<String, Value>;

/// A time that near is no schedule: it goes out at once.
const AT_ONCE_MS: Millis = Millis(60_000);
const DAY_MS: i64 = 86_400_000;
const PAGE: u64 = 20;
const SLOTS_DEFAULT: usize = 5;
const SLOTS_MAX: usize = 30;
/// Weeks that are looked through for free times.
const WEEKS_MAX: u64 = 4;
/// How often something that is gone, or was refused once, is made anew under another key.
const ROUNDS: u32 = 8;

/// One call of a tool.
pub(super) struct Run {
    /// Whom it asks.
    pub(super) rest: Rest,
    /// The time.
    pub(super) now: Timestamp,
    /// What it brings of its person's word.
    pub(super) word: Word,
}

/// How an answer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Post,
    Posts,
    Preview,
    Week,
    Plain,
}

impl Shape {
    fn tell(self, answer: &Answer) -> Told {
        if !answer.is_success() {
            return told::refused(answer);
        }
        match self {
            Self::Post => told::post(&answer.body),
            Self::Posts => told::posts(&answer.body),
            Self::Preview => told::preview(&answer.body),
            Self::Week => told::plain(&without_free_times(&answer.body)),
            Self::Plain => told::plain(&answer.body),
        }
    }
}

fn without_free_times(calendar: &Value) -> Value {
    let mut calendar = calendar.clone();
    for day in calendar["days"].as_array_mut().into_iter().flatten() {
        if let Some(day) = day.as_object_mut() {
            day.remove("free_slots");
        }
    }
    calendar
}

fn taken(arguments: &mut Arguments, name: &str) -> Option<String> {
    match arguments.remove(name) {
        Some(Value::String(text)) => Some(text),
        Some(Value::Null) | None => None,
        Some(other) => Some(other.to_string()),
    }
}

fn needed(arguments: &mut Arguments, name: &str) -> Result<String, Told> {
    let given = taken(arguments, name).filter(|text| !text.is_empty());
    given.ok_or_else(|| Told::wrong(format!("`{name}` is missing"), "call the tool again with it."))
}

/// The path of one thing among those of its kind.
fn one(collection: &str, id: &str) -> String {
    format!("/v1/{collection}/{}", segment(id))
}

fn body(arguments: Arguments) -> Option<Value> {
    Some(Value::Object(arguments))
}

/// The request that a tool is, where it is one.
fn call(tool: &str, mut arguments: Arguments) -> Result<(Call, Shape), Told> {
    let get = |path: &str, query: &Arguments| Call::get(path, query);
    Ok(match tool {
        "list_accounts" => (get("/v1/accounts", &arguments), Shape::Plain),
        "preview_post" => (Call::of(Method::POST, "/v1/validate", body(arguments)), Shape::Preview),
        "list_posts" | "list_ideas" | "list_series" => {
            arguments.entry("limit").or_insert(json!(PAGE));
            match tool {
                "list_posts" => (get("/v1/posts", &arguments), Shape::Posts),
                "list_ideas" => (get("/v1/ideas", &arguments), Shape::Plain),
                _ => (get("/v1/series", &arguments), Shape::Plain),
            }
        }
        "edit_post" | "schedule_post" => {
            let path = one("posts", &needed(&mut arguments, "post_id")?);
            (Call::of(Method::PATCH, path, body(arguments)), Shape::Post)
        }
        "cancel_post" => {
            let path = one("posts", &needed(&mut arguments, "post_id")?);
            let call = Call::of(Method::POST, format!("{path}/cancel"), body(arguments));
            (call, Shape::Post)
        }
        "resolve_post" => {
            let path = one("posts", &needed(&mut arguments, "post_id")?);
            arguments.remove("confirm");
            let call = Call::of(Method::POST, format!("{path}/resolve"), body(arguments));
            (call, Shape::Post)
        }
        "review_post" => (review(arguments)?, Shape::Post),
        "show_calendar" => (get("/v1/calendar", &arguments), Shape::Week),
        "change_idea" => (idea(arguments)?, Shape::Plain),
        "show_plan" => {
            let week = taken(&mut arguments, "week").unwrap_or_else(|| "current".to_owned());
            (get(&one("plans", &week), &arguments), Shape::Plain)
        }
        "save_plan" => {
            let week = taken(&mut arguments, "week").unwrap_or_else(|| "current".to_owned());
            let call = Call::of(Method::PUT, one("plans", &week), body(arguments));
            (call, Shape::Plain)
        }
        "show_metrics" => match taken(&mut arguments, "post_id") {
            Some(id) => (
                get(&format!("{}/metrics", one("posts", &id)), &Map::new()),
                Shape::Plain,
            ),
            None => (get("/v1/metrics/summary", &arguments), Shape::Plain),
        },
        "show_settings" => (get("/v1/settings", &arguments), Shape::Plain),
        "show_notifications" => (get("/v1/notifications", &arguments), Shape::Plain),
        "set_notifications" => (
            Call::of(Method::PATCH, "/v1/notifications", body(arguments)),
            Shape::Plain,
        ),
        "test_notifications" => {
            let call = Call::of(Method::POST, "/v1/notifications/test", body(arguments));
            (call, Shape::Plain)
        }
        "show_pauses" => (get("/v1/pause", &arguments), Shape::Plain),
        "pause_posts" => (Call::of(Method::POST, "/v1/pause", body(arguments)), Shape::Plain),
        // `set_time_zone`, the last of the table.
        _ => (Call::of(Method::PATCH, "/v1/settings", body(arguments)), Shape::Plain),
    })
}

fn review(mut arguments: Arguments) -> Result<Call, Told> {
    let path = one("posts", &needed(&mut arguments, "post_id")?);
    let action = needed(&mut arguments, "action")?;
    match action.as_str() {
        "submit" => {
            arguments.remove("comment");
        }
        "approve" | "reject" => {}
        _ => {
            let message = "`action` is not one of `submit`, `approve` and `reject`";
            return Err(Told::wrong(message, "call the tool again with one of them."));
        }
    }
    Ok(Call::of(Method::POST, format!("{path}/{action}"), body(arguments)))
}

/// One change of an idea at a time, as the REST API has them.
fn idea(mut arguments: Arguments) -> Result<Call, Told> {
    let path = one("ideas", &needed(&mut arguments, "idea_id")?);
    let (rating, status) = (taken(&mut arguments, "rate"), taken(&mut arguments, "move_to"));
    let (name, value, to) = match (rating, status) {
        (Some(rating), None) => ("rating", rating, "rate"),
        (None, Some(status)) => ("status", status, "move"),
        (None, None) => return Ok(Call::of(Method::PATCH, path, body(arguments))),
        (Some(_), Some(_)) => {
            let message = "both `rate` and `move_to` are given";
            return Err(Told::wrong(message, "call the tool with one of them at a time."));
        }
    };
    arguments.insert(name.to_owned(), Value::from(value));
    Ok(Call::of(Method::POST, format!("{path}/{to}"), body(arguments)))
}

impl Run {
    /// Runs a tool; `None` when there is none of that name. What comes back is the result of `tools/call`.
    pub(super) async fn tool(&self, name: &str, arguments: Arguments) -> Option<Value> {
        let told = match name {
            "create_post" => self.create_post(arguments).await,
            "add_idea" => self.make("ideas", name, arguments).await,
            "add_media" => self.make("media", name, arguments).await,
            "save_series" => self.save_series(arguments).await,
            "show_post" => self.show_post(arguments).await,
            "find_free_slots" => self.free_slots(arguments).await,
            "publish_post_now" | "retry_post" => return Some(self.with_word(name, arguments).await),
            "resolve_post" if arguments.get("roll_back") == Some(&json!(true)) => {
                return Some(self.with_word(name, arguments).await);
            }
            "resume_posts" => return Some(self.resume(arguments).await),
            "schedule_post" => match self.at_once(&arguments) {
                Some(refusal) => refusal,
                None => self.simple(name, arguments).await,
            },
            "list_accounts" | "preview_post" | "list_posts" | "edit_post" | "cancel_post" | "resolve_post"
            | "review_post" | "show_calendar" | "list_ideas" | "change_idea" | "list_series" | "show_plan"
            | "save_plan" | "show_metrics" | "show_settings" | "set_time_zone" | "show_notifications"
            | "set_notifications" | "test_notifications" | "show_pauses" | "pause_posts" => {
                self.simple(name, arguments).await
            }
            _ => return None,
        };
        Some(told.result())
    }

    async fn simple(&self, tool: &str, arguments: Arguments) -> Told {
        match call(tool, arguments) {
            Ok((call, shape)) => shape.tell(&self.rest.send(&call).await),
            Err(told) => told,
        }
    }

    /// Refuses a time that means now: that takes the person's word.
    fn at_once(&self, arguments: &Arguments) -> Option<Told> {
        let words = arguments.get("scheduled_at").and_then(Value::as_str)?;
        let is_at_once = match When::parse(words) {
            Ok(When::After(length)) => length < AT_ONCE_MS,
            Ok(When::At(at)) => at > self.now - AT_ONCE_MS && at < self.now + AT_ONCE_MS,
            _ => false,
        };
        is_at_once.then(|| {
            Told::wrong(
                "`scheduled_at` means now, and what goes out at once takes the person's word",
                "make it a draft (`create_post` without a time) and call `publish_post_now`, or give a later time.",
            )
        })
    }

    /// The key under which a call makes something: its own, or one that the same arguments have on the same day.
    fn key(&self, tool: &str, arguments: &Arguments, request_id: Option<&str>) -> String {
        let mut hasher = Sha256::new();
        let stated = match request_id {
            Some(id) => json!([tool, "id", id]),
            None => json!([tool, self.now.0.div_euclid(DAY_MS), arguments]),
        };
        hasher.update(stated.to_string());
        let digest: [u8; 32] = hasher.finalize().into();
        format!("mcp-{}", hex(&digest[..16]))
    }

    /// Makes something once: a repeat finds what the first call made, as it is now. Where that is gone, or was refused, a
    /// repeat without an id of its own makes it anew.
    async fn once(&self, collection: &str, tool: &str, mut arguments: Arguments) -> Result<(Vec<Value>, bool), Told> {
        let request_id = taken(&mut arguments, "request_id");
        let key = self.key(tool, &arguments, request_id.as_deref());
        let call = Call::of(Method::POST, format!("/v1/{collection}"), body(arguments));
        for round in 1..=ROUNDS {
            let key = if round == 1 {
                key.clone()
            } else {
                format!("{key}-{round}")
            };
            let answer = self.rest.send(&call.under(key)).await;
            let made = match &answer.body["posts"] {
                Value::Array(posts) => posts.clone(),
                _ => vec![answer.body.clone()],
            };
            match (answer.is_success(), answer.is_repeated) {
                (false, false) => return Err(told::refused(&answer)),
                (true, false) => return Ok((made, false)),
                (true, true) => {
                    let (standing, gone) = self.standing(collection, &made).await?;
                    if gone == 0 {
                        return Ok((standing, true));
                    }
                    if request_id.is_some() {
                        let message = "what this `request_id` made was deleted since";
                        return Err(Told::wrong(message, "give a fresh `request_id` to make it anew."));
                    }
                }
                (false, true) if request_id.is_some() => return Err(told::refused(&answer)),
                (false, true) => {}
            }
        }
        let message = "the same was made and deleted, or refused, many times today";
        Err(Told::wrong(message, "give a fresh `request_id`."))
    }

    /// How things that were made stand now, and how many of them are gone.
    async fn standing(&self, collection: &str, made: &[Value]) -> Result<(Vec<Value>, usize), Told> {
        let (mut standing, mut gone) = (Vec::new(), 0);
        for thing in made {
            let path = one(collection, thing["id"].as_str().unwrap_or_default());
            let answer = self.rest.send(&Call::get(path, &Map::new())).await;
            match answer.status.as_u16() {
                404 => gone += 1,
                _ if answer.is_success() => standing.push(answer.body),
                _ => return Err(told::refused(&answer)),
            }
        }
        Ok((standing, gone))
    }

    async fn create_post(&self, arguments: Arguments) -> Told {
        if let Some(refusal) = self.at_once(&arguments) {
            return refusal;
        }
        if arguments.contains_key("publish") {
            let message = "`publish` is not taken here: what goes out at once takes the person's word";
            return Told::wrong(
                message,
                "leave it out, then call `publish_post_now` with the post's id.",
            );
        }
        match self.once("posts", "create_post", arguments).await {
            Ok((posts, false)) => told::made(&posts),
            Ok((posts, true)) => told::made(&posts).after("This call was made before; no second post was made."),
            Err(told) => told,
        }
    }

    async fn make(&self, collection: &str, tool: &str, arguments: Arguments) -> Told {
        match self.once(collection, tool, arguments).await {
            Ok((made, _)) => told::plain(made.first().unwrap_or(&Value::Null)),
            Err(told) => told,
        }
    }

    async fn save_series(&self, mut arguments: Arguments) -> Told {
        let Some(id) = taken(&mut arguments, "series_id") else {
            return self.make("series", "save_series", arguments).await;
        };
        arguments.remove("request_id");
        let call = Call::of(Method::PATCH, one("series", &id), body(arguments));
        Shape::Plain.tell(&self.rest.send(&call).await)
    }

    async fn show_post(&self, mut arguments: Arguments) -> Told {
        let id = match needed(&mut arguments, "post_id") {
            Ok(id) => id,
            Err(told) => return told,
        };
        let path = one("posts", &id);
        let mut answer = self.rest.send(&Call::get(path.as_str(), &Map::new())).await;
        if answer.is_success() && arguments.get("history") == Some(&json!(true)) {
            let events = self.rest.send(&Call::get(format!("{path}/events"), &Map::new())).await;
            if !events.is_success() {
                return told::refused(&events);
            }
            answer.body["history"] = events.body["events"].clone();
        }
        Shape::Post.tell(&answer)
    }

    /// The next times that are free, from the weeks of the calendar.
    async fn free_slots(&self, mut arguments: Arguments) -> Told {
        let limit = arguments.get("limit").and_then(Value::as_u64);
        let limit = limit.map_or(SLOTS_DEFAULT, |limit| {
            usize::try_from(limit).unwrap_or(SLOTS_MAX).clamp(1, SLOTS_MAX)
        });
        let (platform, account) = (taken(&mut arguments, "platform"), taken(&mut arguments, "account_id"));
        let (mut slots, mut zone, mut week) = (Vec::new(), Value::Null, "current".to_owned());
        for _ in 0..WEEKS_MAX {
            let query = Map::from_iter([("week".to_owned(), json!(week))]);
            let answer = self.rest.send(&Call::get("/v1/calendar", &query)).await;
            if !answer.is_success() {
                return told::refused(&answer);
            }
            zone = answer.body["time_zone"].clone();
            for day in answer.body["days"].as_array().into_iter().flatten() {
                for slot in day["free_slots"].as_array().into_iter().flatten() {
                    let is = |name: &str, wanted: &Option<String>| {
                        wanted
                            .as_deref()
                            .is_none_or(|wanted| slot[name].as_str() == Some(wanted))
                    };
                    if is("platform", &platform) && is("account_id", &account) && slots.len() < limit {
                        let mut slot = slot.clone();
                        (slot["date"], slot["weekday"]) = (day["date"].clone(), day["weekday"].clone());
                        slots.push(slot);
                    }
                }
            }
            let monday = answer.body["week_start"]
                .as_str()
                .and_then(|text| text.parse::<NaiveDate>().ok());
            let next = monday.and_then(|monday| monday.checked_add_days(Days::new(7)));
            match next {
                Some(next) if slots.len() < limit => week = next.to_string(),
                _ => break,
            }
        }
        slots_told(&slots, &zone)
    }

    /// What goes out at once, or is taken back: with the person's word only.
    async fn with_word(&self, tool: &str, mut arguments: Arguments) -> Value {
        let id = match needed(&mut arguments, "post_id") {
            Ok(id) => id,
            Err(told) => return told.result(),
        };
        let path = one("posts", &id);
        let answer = self.rest.send(&Call::get(path.as_str(), &Map::new())).await;
        if !answer.is_success() {
            return told::refused(&answer).result();
        }
        let post = &answer.body;
        // What is out, or on its way, is not asked about: the answer only says so.
        let is_past = matches!(post["status"].as_str(), Some("published" | "publishing")) && tool != "resolve_post";
        if !is_past {
            let code = confirm::code(tool, &confirm::stands(post));
            if let Some(result) = self.unless_agreed(tool, &code, &question_about(tool, post), &arguments) {
                return result;
            }
        }
        arguments.remove("confirm");
        let call = match tool {
            "publish_post_now" => Call::of(Method::POST, format!("{path}/publish"), body(arguments)),
            "retry_post" => Call::of(Method::POST, format!("{path}/retry"), body(arguments)),
            _ => Call::of(Method::POST, format!("{path}/resolve"), body(arguments)),
        };
        let answer = self.rest.send(&call).await;
        let told = Shape::Post.tell(&answer);
        match answer.body["status"].as_str() {
            Some("scheduled") => told.after("It is due: it goes out within seconds.").result(),
            _ => told.result(),
        }
    }

    /// Lets posts go out again: with the person's word only, as those that waited do so at once.
    async fn resume(&self, mut arguments: Arguments) -> Value {
        let standing = self.rest.send(&Call::get("/v1/pause", &Map::new())).await;
        if !standing.is_success() {
            return told::refused(&standing).result();
        }
        if standing.body["paused"] == true {
            let code = confirm::code(
                "resume_posts",
                &json!([standing.body["pauses"], arguments.get("account_id")]),
            );
            let message = format!(
                "Let posts go out again? {} that waited would follow at once, one after the other.",
                standing.body["waiting"]
            );
            if let Some(result) = self.unless_agreed("resume_posts", &code, &message, &arguments) {
                return result;
            }
        }
        arguments.remove("confirm");
        let call = Call::of(Method::POST, "/v1/resume", body(arguments));
        Shape::Plain.tell(&self.rest.send(&call).await).result()
    }

    /// What is answered instead of doing something, unless the person agreed to it.
    fn unless_agreed(&self, tool: &str, code: &str, question: &str, arguments: &Arguments) -> Option<Value> {
        match self.word.verdict(code, arguments) {
            Verdict::Agreed => None,
            Verdict::Declined => Some(confirm::declined().result()),
            Verdict::Unasked if self.word.can_ask => Some(confirm::question(question, code)),
            Verdict::Unasked => Some(confirm::told_to_ask(question, tool, code).result()),
        }
    }
}

/// The question that a person is asked.
fn question_about(tool: &str, post: &Value) -> String {
    let platform = told::platform(post);
    let parts = post["parts"].as_array().map_or(&[][..], Vec::as_slice);
    let texts = |is_out: bool| {
        let wanted = parts
            .iter()
            .filter(move |part| (part["state"] == "published") == is_out);
        let texts = wanted.map(|part| format!("{}. {}", part["index"], part["text"].as_str().unwrap_or_default()));
        texts.collect::<Vec<_>>().join("\n\n")
    };
    match tool {
        "resolve_post" => format!(
            "Delete from {platform} what is out of this post? It cannot be brought back.\n\n{}",
            texts(true)
        ),
        _ => {
            let cost = match post["cost"]["amount"].as_f64() {
                Some(amount) if amount > 0.0 => format!(" It costs about {amount} USD."),
                _ => String::new(),
            };
            format!(
                "Publish this on {platform} now, for everybody to see?{cost}\n\n{}",
                texts(false)
            )
        }
    }
}

fn slots_told(slots: &[Value], zone: &Value) -> Told {
    let text = |slot: &Value, name: &str| slot[name].as_str().unwrap_or_default().to_owned();
    let mut lines: Vec<String> = slots
        .iter()
        .map(|slot| {
            format!(
                "{} {} {} on {} = {}",
                text(slot, "weekday"),
                text(slot, "date"),
                text(slot, "local_time"),
                text(slot, "platform"),
                text(slot, "at")
            )
        })
        .collect();
    let next = match lines.is_empty() {
        true => {
            "there is none in the next four weeks: `list_accounts` says whether an account of that platform is connected."
        }
        false => "offer these to the person, then `schedule_post` with the `at` of the one they choose.",
    };
    if let Some(zone) = zone.as_str() {
        lines.insert(0, format!("Times in {zone}:"));
    }
    lines.push(format!("Next: {next}"));
    Told::new(
        lines.join("\n"),
        json!({ "time_zone": zone, "slots": slots, "next": next }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(value: Value) -> Arguments {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn a_tool_is_a_request() {
        let said = |tool: &str, given: Value| match call(tool, arguments(given)) {
            Ok((call, shape)) => format!("{call:?} {shape:?}"),
            Err(told) => told.result()["content"][0]["text"].to_string(),
        };
        let lines = [
            said("list_posts", json!({"status": "failed"})),
            said("edit_post", json!({"post_id": "P/../x", "content": "new"})),
            said(
                "review_post",
                json!({"post_id": "P", "action": "submit", "comment": "c"}),
            ),
            said("review_post", json!({"post_id": "P", "action": "publish"})),
            said("change_idea", json!({"idea_id": "I", "rate": "kill", "reason": "old"})),
            said("change_idea", json!({"idea_id": "I", "move_to": "ready"})),
            said("change_idea", json!({"idea_id": "I", "title": "t"})),
            said(
                "change_idea",
                json!({"idea_id": "I", "rate": "love", "move_to": "ready"}),
            ),
            said("save_plan", json!({"slots": []})),
            said("show_metrics", json!({"post_id": "P", "since": "7d"})),
            said("cancel_post", json!({})),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r#"
        Call { method: GET, path: "/v1/posts?limit=20&status=failed", body: None, key: None } Posts
        Call { method: PATCH, path: "/v1/posts/P%2F%2E%2E%2Fx", body: Some(Object {"content": String("new")}), key: None } Post
        Call { method: POST, path: "/v1/posts/P/submit", body: Some(Object {}), key: None } Post
        "Refused: `action` is not one of `submit`, `approve` and `reject`\nNext: call the tool again with one of them."
        Call { method: POST, path: "/v1/ideas/I/rate", body: Some(Object {"rating": String("kill"), "reason": String("old")}), key: None } Plain
        Call { method: POST, path: "/v1/ideas/I/move", body: Some(Object {"status": String("ready")}), key: None } Plain
        Call { method: PATCH, path: "/v1/ideas/I", body: Some(Object {"title": String("t")}), key: None } Plain
        "Refused: both `rate` and `move_to` are given\nNext: call the tool with one of them at a time."
        Call { method: PUT, path: "/v1/plans/current", body: Some(Object {"slots": Array []}), key: None } Plain
        Call { method: GET, path: "/v1/posts/P/metrics", body: None, key: None } Plain
        "Refused: `post_id` is missing\nNext: call the tool again with it."
        "#);
    }
}
