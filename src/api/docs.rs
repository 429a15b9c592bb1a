//! `GET /docs`: the description of the API as a page for people. It is made of `openapi.json` alone, in one document that
//! loads nothing else and runs no script.

use crate::api::route::Asked;
use crate::api::rows::Rows;
use crate::api::{Shared, openapi};
use crate::domain::order;
use crate::ports::objects::Objects;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

const STYLE: &str = include_str!("docs.css");

/// How deep members of members are shown in place; what lies deeper has a name of its own.
const DEPTH_MAX: usize = 5;

/// What to know before the first request: title and text.
const INTRODUCTION: [(&str, &str); 6] = [
    (
        "Who you are",
        "Every request but the open ones carries `Authorization: Bearer …`: `PSN_API_TOKEN`, or a token of your own made with \
         `POST /v1/tokens` or `psn token create`. The scope that a request takes stands beside it; a token without it gets 403.",
    ),
    (
        "What goes wrong",
        "Errors are problem documents (RFC 9457): `type` is a stable slug, `detail` one sentence that says what happened and what \
         to do, `errors` every part and field that is wrong. 503 and 429 say in `Retry-After` when to try again.",
    ),
    (
        "Sending again",
        "Every POST accepts `Idempotency-Key`: the same key and body get the same answer and take effect once, marked \
         `Idempotency-Replayed: true`. Send the same request again whenever its answer is lost.",
    ),
    (
        "Changing what others change",
        "What can be changed has an `ETag`. Send it back as `If-Match`: where it has another version by now, nothing is done and \
         the answer is 412.",
    ),
    (
        "Lists",
        "Lists answer `items` and `next_cursor`. Give that as `cursor` for the next page until it is null; `limit` says how many. \
         Filters are parameters of the query; one that is not known is refused, never ignored.",
    ),
    (
        "How often",
        "A token may ask 300 times a minute, a fifth of that at once, unless the operator set another limit; then it gets 429. \
         `PSN_API_TOKEN` is not limited.",
    ),
];

/// `GET /docs`
pub async fn show<O: Objects, R: Rows>(app: Shared<O, R>, _: Asked<Body>) -> Response {
    let document = openapi::document(&app.settings.version);
    let mut response = Page { document: &document }.html().into_response();
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    let style = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let policy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    set(header::CONTENT_TYPE, "text/html; charset=utf-8");
    set(header::CACHE_CONTROL, openapi::CACHED);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(
        header::CONTENT_SECURITY_POLICY,
        &format!("{policy}; style-src 'sha256-{style}'"),
    );
    response
}

struct Page<'a> {
    document: &'a Value,
}

/// A route with a method.
struct Operation<'a> {
    path: &'a str,
    method: &'a str,
    value: &'a Value,
}

impl<'a> Operation<'a> {
    fn id(&self) -> &'a str {
        text(self.value, "operationId")
    }
}

impl<'a> Page<'a> {
    fn html(&self) -> String {
        let info = &self.document["info"];
        let mut html = String::with_capacity(256 * 1024);
        let _ = write!(
            html,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>psn: the API</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<div class=\"page\">\n"
        );
        let tags = self.by_tag();
        self.navigation(&mut html, &tags);
        let _ = write!(
            html,
            "<main>\n<h1>The API of psn <small>{}</small></h1>\n<p class=\"lead\">{}</p>\n<section>\n<div class=\"intro\">\n",
            escape(text(info, "version")),
            prose(text(info, "description")),
        );
        for (title, body) in INTRODUCTION {
            let _ = writeln!(html, "<div><h3>{title}</h3><p>{}</p></div>", prose(body));
        }
        html.push_str("</div>\n</section>\n");
        for (tag, operations) in &tags {
            let _ = write!(html, "<section id=\"{}\">\n<h2>{}</h2>\n", anchor(tag), escape(tag));
            for operation in operations {
                self.operation(&mut html, operation);
            }
            html.push_str("</section>\n");
        }
        html.push_str("<section id=\"things\">\n<h2>What answers hold</h2>\n");
        for (name, schema) in members(&self.document["components"]["schemas"]) {
            let _ = writeln!(
                html,
                "<details class=\"thing\" id=\"thing-{name}\"><summary>{name}</summary>"
            );
            self.details(&mut html, schema, 0);
            html.push_str("</details>\n");
        }
        html.push_str(
            "</section>\n<p><a href=\"/openapi.json\">openapi.json</a> is the same for programs.</p>\n</main>\n</div>\n</body>\n</html>\n",
        );
        html
    }

    fn by_tag(&self) -> Vec<(&'a str, Vec<Operation<'a>>)> {
        let mut tags: Vec<(&str, Vec<Operation<'_>>)> = Vec::new();
        for tag in self.document["tags"].as_array().into_iter().flatten() {
            tags.push((text(tag, "name"), Vec::new()));
        }
        for (path, operations) in members(&self.document["paths"]) {
            for (method, value) in members(operations) {
                let tag = value["tags"][0].as_str().unwrap_or_default();
                let found = tags.iter_mut().find(|(name, _)| *name == tag);
                if let Some((_, of_tag)) = found {
                    of_tag.push(Operation { path, method, value });
                }
            }
        }
        // What programs call comes before the pages behind links, and looking before changing.
        let methods = ["get", "post", "put", "patch", "delete"];
        for (_, operations) in &mut tags {
            order::sort_by_key(operations, |one| {
                let is_page = !one.path.starts_with("/v1/");
                (
                    is_page,
                    one.path,
                    methods.iter().position(|method| *method == one.method),
                )
            });
        }
        tags
    }

    fn navigation(&self, html: &mut String, tags: &[(&str, Vec<Operation<'_>>)]) {
        html.push_str("<nav><a class=\"home\" href=\"/docs\">psn</a>\n<details open><summary>Contents</summary>\n");
        for (tag, operations) in tags {
            let _ = write!(html, "<h2>{}</h2>\n<ul>\n", escape(tag));
            for operation in operations {
                let summary = prose(text(operation.value, "summary"));
                let _ = writeln!(html, "<li><a href=\"#{}\">{summary}</a></li>", operation.id());
            }
            html.push_str("</ul>\n");
        }
        html.push_str("<h2><a href=\"#things\">What answers hold</a></h2>\n</details>\n</nav>\n");
    }

    fn operation(&self, html: &mut String, operation: &Operation<'_>) {
        let Operation { path, method, value } = operation;
        let scope = value["security"][0]["bearer"][0].as_str();
        let scope = scope.map_or("open to everybody".to_owned(), |scope| {
            format!("takes the scope <code>{}</code>", escape(scope))
        });
        let _ = write!(
            html,
            "<article id=\"{}\">\n<h3><span class=\"verb {method}\">{}</span><code>{}</code><span class=\"scope\">{scope}</span></h3>\n\
             <p class=\"what\">{}</p>\n",
            operation.id(),
            method.to_uppercase(),
            escape(path),
            prose(text(value, "summary"))
        );
        let description = text(value, "description");
        if !description.is_empty() {
            let _ = writeln!(html, "<p>{}</p>", prose(description));
        }
        self.parameters(html, value);
        self.body(html, value);
        html.push_str("<h4>Answers</h4>\n<dl class=\"rows answers\">\n");
        for (status, response) in members(&value["responses"]) {
            self.answer(html, status, self.resolved(response).1);
        }
        html.push_str("</dl>\n</article>\n");
    }

    fn parameters(&self, html: &mut String, operation: &Value) {
        let all = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        for (place, title) in [
            ("path", "In the path"),
            ("query", "In the query"),
            ("header", "Headers"),
        ] {
            let all = all.iter().map(|parameter| self.resolved(parameter).1);
            let mut of_place = all.filter(|parameter| text(parameter, "in") == place).peekable();
            if of_place.peek().is_none() {
                continue;
            }
            let _ = write!(html, "<h4>{title}</h4>\n<dl class=\"rows\">\n");
            for parameter in of_place {
                let must = place == "query" && parameter["required"] == true;
                self.row(
                    html,
                    (text(parameter, "name"), must),
                    (&parameter["schema"], text(parameter, "description")),
                    DEPTH_MAX,
                );
            }
            html.push_str("</dl>\n");
        }
    }

    fn body(&self, html: &mut String, operation: &Value) {
        for (kind, content) in members(&operation["requestBody"]["content"]) {
            let _ = writeln!(html, "<h4>Body <code>{}</code></h4>", escape(kind));
            if let Some(example) = content.get("example") {
                let example = serde_json::to_string_pretty(example).unwrap_or_default();
                let _ = writeln!(html, "<pre><code>{}</code></pre>", escape(&example));
            }
            self.details(html, &content["schema"], 0);
        }
    }

    fn answer(&self, html: &mut String, status: &str, response: &Value) {
        let class = if status.starts_with('2') { "good" } else { "bad" };
        let description = prose(text(response, "description"));
        let _ = write!(
            html,
            "<div class=\"row\"><dt class=\"status {class}\">{status}</dt><dd>{description}"
        );
        for (kind, content) in members(&response["content"]) {
            if kind != "application/problem+json" {
                let _ = write!(html, " <span class=\"kind\">{}</span>", self.kind(&content["schema"]));
            }
        }
        html.push_str("</dd></div>\n");
    }

    /// The members of a schema, each in a row; what has none is told in one line.
    fn details(&self, html: &mut String, schema: &Value, depth: usize) {
        let schema = self.resolved(schema).1;
        let description = text(schema, "description");
        if depth == 0 && !description.is_empty() {
            let _ = writeln!(html, "<p>{}</p>", prose(description));
        }
        let properties = self.properties(schema);
        if properties.is_empty() {
            if depth == 0 {
                let _ = writeln!(html, "<p class=\"kind\">{}</p>", self.kind(schema));
            }
            return;
        }
        html.push_str("<dl class=\"rows\">\n");
        for (name, member, must) in properties {
            let description = self.described(member);
            self.row(html, (name, must), (member, description), depth);
        }
        html.push_str("</dl>\n");
    }

    fn row(&self, html: &mut String, (name, must): (&str, bool), (schema, description): (&Value, &str), depth: usize) {
        let must = if must {
            " <span class=\"must\">required</span>"
        } else {
            ""
        };
        let _ = write!(
            html,
            "<div class=\"row\"><dt><code>{}</code>{must}<span class=\"kind\">{}</span></dt><dd>",
            escape(name),
            self.kind(schema)
        );
        if !description.is_empty() {
            let _ = write!(html, "<p>{}</p>", prose(description));
        }
        // What has a name is told where that is.
        let inner = schema.get("items").unwrap_or(schema);
        if inner.get("$ref").is_none() && depth < DEPTH_MAX && !self.properties(inner).is_empty() {
            html.push_str("<details><summary>its members</summary>\n");
            self.details(html, inner, depth + 1);
            html.push_str("</details>");
        }
        html.push_str("</dd></div>\n");
    }

    /// The members of an object, of one of several, or of an array of objects.
    fn properties<'v>(&'v self, schema: &'v Value) -> Vec<(&'v str, &'v Value, bool)> {
        let of = |schema: &'v Value| {
            let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
            let member = move |(name, member): (&'v str, &'v Value)| {
                let must = required.iter().any(|one| one == name);
                (name, member, must)
            };
            members(&schema["properties"]).map(member)
        };
        let mut found: Vec<(&str, &Value, bool)> = of(schema).collect();
        for keyword in ["oneOf", "anyOf", "allOf"] {
            for option in schema[keyword].as_array().into_iter().flatten() {
                for member in of(self.resolved(option).1) {
                    if !found.iter().any(|(name, ..)| *name == member.0) {
                        found.push(member);
                    }
                }
            }
        }
        found
    }

    fn described<'v>(&'v self, schema: &'v Value) -> &'v str {
        match text(schema, "description") {
            "" => text(self.resolved(schema).1, "description"),
            description => description,
        }
    }

    /// What a value is, in a few words; names lead to where they are told.
    fn kind(&self, schema: &Value) -> String {
        if let (Some(name), schema) = self.resolved(schema) {
            return match schema.get("enum").or_else(|| schema.get("const")) {
                Some(_) => self.kind(schema),
                None => format!("<a href=\"#thing-{name}\">{name}</a>"),
            };
        }
        if let Some(values) = schema["enum"].as_array() {
            let values: Vec<String> = values
                .iter()
                .map(|value| format!("<code>{}</code>", value_text(value)))
                .collect();
            return values.join(", ");
        }
        if let Some(value) = schema.get("const") {
            return format!("<code>{}</code>", value_text(value));
        }
        for keyword in ["oneOf", "anyOf"] {
            if let Some(options) = schema[keyword].as_array() {
                let options: Vec<String> = options.iter().map(|option| self.kind(option)).collect();
                return options.join(" or ");
            }
        }
        let names = match &schema["type"] {
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            Value::String(name) => vec![name.as_str()],
            _ => vec!["anything"],
        };
        let format = text(schema, "format");
        let name = |name: &str| match (name, format) {
            ("array", _) => format!("list of {}", self.kind(&schema["items"])),
            ("string", "date-time") => "time".to_owned(),
            ("string", "uuid") => "id".to_owned(),
            ("string", "uri") => "address".to_owned(),
            ("string", _) => "text".to_owned(),
            ("boolean", _) => "yes or no".to_owned(),
            ("integer", _) => "whole number".to_owned(),
            (other, _) => other.to_owned(),
        };
        let mut kind = names.into_iter().map(name).collect::<Vec<_>>().join(" or ");
        let number = |name: &str| schema[name].as_i64().map(|number| number.to_string());
        let ranges = [
            ("minimum", "maximum", ""),
            ("minLength", "maxLength", " characters"),
            ("minItems", "maxItems", " items"),
        ];
        for (least, most, unit) in ranges {
            match (number(least), number(most)) {
                (Some(least), Some(most)) => kind.push_str(&format!(", {least} to {most}{unit}")),
                (Some(least), None) => kind.push_str(&format!(", {least}{unit} or more")),
                (None, Some(most)) => kind.push_str(&format!(", at most {most}{unit}")),
                (None, None) => {}
            }
        }
        if let Some(default) = schema.get("default") {
            kind.push_str(&format!(", <code>{}</code> unless given", value_text(default)));
        }
        kind
    }

    /// What a reference leads to, with its name.
    fn resolved<'v>(&'v self, value: &'v Value) -> (Option<&'v str>, &'v Value) {
        let Some(reference) = value["$ref"].as_str() else {
            return (None, value);
        };
        let found = self.document.pointer(reference.trim_start_matches('#'));
        (reference.rsplit('/').next(), found.unwrap_or(&Value::Null))
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let members: Option<&Map<String, Value>> = value.as_object();
    members
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn value_text(value: &Value) -> String {
    escape(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

fn anchor(text: &str) -> String {
    text.to_lowercase().replace(' ', "-")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A text whose pieces between backticks are code.
fn prose(text: &str) -> String {
    let mut html = String::new();
    for (place, piece) in text.split('`').enumerate() {
        match place % 2 {
            0 => html.push_str(&escape(piece)),
            _ => html.push_str(&format!("<code>{}</code>", escape(piece))),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_and_every_schema_is_on_the_page_and_no_link_leads_nowhere() {
        let document = openapi::document("1.2.3");
        let html = Page { document: &document }.html();
        assert!(html.contains("<small>1.2.3</small>"));
        let mut count = 0;
        for (path, operations) in members(&document["paths"]) {
            for (method, operation) in members(operations) {
                let id = text(operation, "operationId");
                assert!(html.contains(&format!("<article id=\"{id}\">")), "{method} {path}");
                count += 1;
            }
        }
        assert_eq!(html.matches("<article ").count(), count);
        for link in html.split("href=\"#").skip(1) {
            let link = link.split('"').next().unwrap_or_default();
            assert!(html.contains(&format!("id=\"{link}\"")), "#{link}");
        }
        // Nothing is loaded from anywhere, and nothing runs.
        for outside in [
            "<script", "<link", "<img", "url(", "@import", "http://", "src=", "style=\"",
        ] {
            assert!(!html.contains(outside), "{outside}");
        }
    }

    #[test]
    fn what_the_description_says_is_never_markup() {
        assert_eq!(prose("a `<b>` & c"), "a <code>&lt;b&gt;</code> &amp; c");
        assert_eq!(escape("\"<"), "&quot;&lt;");
    }
}
