//! The page as HTML: no script, nothing from elsewhere, and nothing that an author wrote is markup.

use crate::api::page::{Tone, document, escape};
use crate::domain::media::{MediaKind, Medium};
use crate::domain::time::Timestamp;
use crate::domain::zone::Zone;
use crate::ports::json;
use crate::ports::objects::PostSnapshot;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use std::fmt::Write as _;

const STYLE: &str = include_str!("style.css");
/// Where the page's form goes, and what it shows: this Worker alone.
const POLICY: &str = "img-src 'self'; media-src 'self'; form-action 'self'";

/// What stands above the post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Banner {
    /// It waits for the reviewer: there are buttons.
    Asks,
    /// It does not.
    Said {
        /// How that is meant.
        tone: Tone,
        /// In a few words.
        title: String,
        /// In a sentence.
        text: String,
    },
}

impl Banner {
    pub(super) fn said(tone: Tone, title: &str, text: &str) -> Self {
        Self::Said {
            tone,
            title: title.to_owned(),
            text: text.to_owned(),
        }
    }
}

/// What the page is made from.
pub(super) struct Sheet<'a> {
    /// The post.
    pub snapshot: &'a PostSnapshot,
    /// How long each part is and may be, as its platform counts.
    pub counts: Vec<(u32, u32)>,
    /// When it goes out, by the clocks of the reviewer.
    pub due: Option<(Zone, Timestamp)>,
    /// Where the form goes: the path of the page itself.
    pub action: &'a str,
    /// Where a medium is to be had.
    pub media: &'a dyn Fn(&Medium) -> Option<String>,
    /// What stands above.
    pub banner: Banner,
}

pub(super) fn response(status: StatusCode, sheet: &Sheet<'_>) -> Response {
    document(status, html(sheet), STYLE, POLICY)
}

fn html(sheet: &Sheet<'_>) -> String {
    let title = title(sheet.snapshot);
    let asks = match sheet.banner {
        Banner::Asks => "asks for your approval",
        Banner::Said { .. } => "on an approval",
    };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"robots\" content=\"noindex\">\n\
         <title>psn: {title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <p class=\"brand\"><b>psn</b> {asks}</p>\n<h1>{title}</h1>\n"
    );
    banner(&mut page, &sheet.banner);
    facts(&mut page, sheet);
    page.push_str("<ol>\n");
    for index in 0..sheet.snapshot.plan.parts.len() {
        part(&mut page, sheet, index);
    }
    page.push_str("</ol>\n");
    if sheet.banner == Banner::Asks {
        buttons(&mut page, sheet.action);
    }
    page.push_str("<footer>psn, publish on schedule, never twice</footer>\n</main>\n</body>\n</html>\n");
    page
}

fn title(snapshot: &PostSnapshot) -> String {
    let platform = snapshot.plan.platform.title();
    match snapshot.plan.parts.len() {
        1 => format!("A post on {platform}"),
        parts => format!("A thread of {parts} on {platform}"),
    }
}

fn banner(page: &mut String, banner: &Banner) {
    let Banner::Said { tone, title, text } = banner else {
        return;
    };
    let class = match tone {
        Tone::Good => " good",
        Tone::Bad => " bad",
        Tone::Neutral => "",
    };
    let (title, text) = (escape(title), escape(text));
    let _ = writeln!(
        page,
        "<section class=\"banner{class}\" role=\"status\"><h2>{title}</h2><p>{text}</p></section>"
    );
}

fn facts(page: &mut String, sheet: &Sheet<'_>) {
    let plan = &sheet.snapshot.plan;
    let mut list = Vec::new();
    let goes_out = match &sheet.banner {
        Banner::Asks | Banner::Said { tone: Tone::Good, .. } => "Goes out",
        Banner::Said { .. } => "Planned for",
    };
    match &sheet.due {
        Some((zone, at)) => {
            let at = zone.local(*at).format("%a %-d %B %Y, %H:%M").to_string();
            list.push((goes_out, at, Some(zone.name().to_owned())));
        }
        None => list.push(("Goes out", "when its author schedules it".to_owned(), None)),
    }
    if let Some(name) = &sheet.snapshot.username {
        list.push(("Account", handle(name), None));
    }
    list.push(("Author", plan.user_id.to_string(), None));
    for (name, value) in options(plan.options.as_deref()) {
        list.push(("Option", value, Some(name)));
    }
    page.push_str("<dl>\n");
    for (number, (name, value, more)) in list.iter().enumerate() {
        let class = if number == 0 { " class=\"wide\"" } else { "" };
        let more = more.as_ref().map(|more| format!("<small>{}</small>", escape(more)));
        let (value, more) = (escape(value), more.unwrap_or_default());
        let _ = writeln!(page, "<div{class}><dt>{name}</dt><dd>{value}{more}</dd></div>");
    }
    page.push_str("</dl>\n");
}

fn handle(name: &str) -> String {
    match name.contains(' ') {
        true => name.to_owned(),
        false => format!("@{}", name.trim_start_matches('@')),
    }
}

/// What the platform is to do beside, by name: what is simple enough for a line.
fn options(stored: Option<&str>) -> Vec<(String, String)> {
    let stored: Option<Value> = stored.and_then(|text| json::tree(text).ok());
    let members = stored.as_ref().and_then(Value::as_object);
    let shown = |(name, value): (&String, &Value)| {
        let value = match value {
            Value::String(text) if !text.is_empty() => text.clone(),
            Value::Bool(true) => "yes".to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        Some((name.replace('_', " "), value))
    };
    members.into_iter().flatten().filter_map(shown).collect()
}

fn part(page: &mut String, sheet: &Sheet<'_>, index: usize) {
    let plan = &sheet.snapshot.plan;
    let text = plan.parts.get(index).map_or("", String::as_str);
    let name = sheet
        .snapshot
        .username
        .clone()
        .unwrap_or_else(|| plan.platform.title().to_owned());
    let initial: String = name.trim_start_matches('@').chars().take(1).collect();
    let number = match plan.parts.len() {
        1 => String::new(),
        parts => format!("<span>{} of {parts}</span>", index + 1),
    };
    let (initial, name) = (escape(&initial), escape(name.trim_start_matches('@')));
    let _ = writeln!(
        page,
        "<li><div class=\"avatar\" aria-hidden=\"true\">{initial}</div><div>\n<div class=\"who\"><b>{name}</b>{number}</div>"
    );
    match text.is_empty() {
        true => page.push_str("<p class=\"text none\">No text</p>\n"),
        false => {
            let _ = writeln!(page, "<p class=\"text\">{}</p>", marked(text));
        }
    }
    let media = plan.media(index);
    if !media.is_empty() {
        let class = if media.len() > 1 { "media many" } else { "media" };
        let _ = writeln!(page, "<div class=\"{class}\">");
        for medium in media {
            self::medium(page, medium, (sheet.media)(medium).as_deref());
        }
        page.push_str("</div>\n");
    }
    if let Some((length, limit)) = sheet.counts.get(index) {
        let class = if length > limit { " class=\"over\"" } else { "" };
        let _ = writeln!(
            page,
            "<div class=\"count\"><progress max=\"{limit}\" value=\"{}\" aria-hidden=\"true\"></progress>\
             <span{class}>{length} of {limit} characters</span></div>",
            length.min(limit)
        );
    }
    page.push_str("</div></li>\n");
}

/// A text with what platforms make links of set apart.
fn marked(text: &str) -> String {
    let is_marked = |word: &str| {
        let mut letters = word.chars();
        let begins = letters.next().is_some_and(|first| matches!(first, '#' | '@'));
        begins
            && letters
                .next()
                .is_some_and(|second| second.is_alphanumeric() || second == '_')
            || word.starts_with("https://")
            || word.starts_with("http://")
    };
    let mut html = String::with_capacity(text.len());
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end_matches(char::is_whitespace);
        let end = &piece[word.len()..];
        match is_marked(word) {
            true => {
                let _ = write!(html, "<i>{}</i>", escape(word));
            }
            false => html.push_str(&escape(word)),
        }
        html.push_str(end);
    }
    html
}

fn medium(page: &mut String, medium: &Medium, address: Option<&str>) {
    let size = match (medium.width, medium.height) {
        (Some(width), Some(height)) => format!(" width=\"{width}\" height=\"{height}\""),
        _ => String::new(),
    };
    let said = medium.alt_text.as_deref().unwrap_or_default();
    let about = format!("{}, {}", medium.kind.title(), bytes(medium.bytes));
    page.push_str("<figure>");
    match (address.map(escape), medium.kind) {
        (Some(address), MediaKind::Image | MediaKind::Gif) => {
            let _ = write!(page, "<img src=\"{address}\" alt=\"{}\"{size}>", escape(said));
        }
        (Some(address), MediaKind::Video) => {
            let _ = write!(
                page,
                "<video src=\"{address}\" controls preload=\"metadata\"{size}></video>"
            );
        }
        (Some(address), MediaKind::Document) => {
            let name = medium.title.as_deref().unwrap_or("Document");
            let _ = write!(
                page,
                "<a class=\"file\" href=\"{address}\" rel=\"noreferrer\">{}<small>{about}</small></a>",
                escape(name)
            );
        }
        (None, _) => {
            let _ = write!(
                page,
                "<span class=\"file\">A {about}<small>It cannot be shown here.</small></span>"
            );
        }
    }
    match said.is_empty() {
        true if medium.kind == MediaKind::Image => page.push_str("<figcaption>Without a description</figcaption>"),
        true => {}
        false => {
            let _ = write!(page, "<figcaption>{}</figcaption>", escape(said));
        }
    }
    page.push_str("</figure>\n");
}

fn bytes(count: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "shown with one digit")]
    let count = count as f64;
    match count {
        count if count >= 1e6 => format!("{:.1} MB", count / 1e6),
        count => format!("{:.0} kB", (count / 1e3).ceil()),
    }
}

fn buttons(page: &mut String, action: &str) {
    let action = escape(action);
    let _ = write!(
        page,
        "<div class=\"decide\">\n\
         <details><summary>Reject</summary>\n<form method=\"post\" action=\"{action}\">\n\
         <label for=\"reason\">What has to change? Its author reads this.</label>\n\
         <textarea id=\"reason\" name=\"reason\" maxlength=\"2000\"></textarea>\n\
         <button class=\"no\" name=\"decision\" value=\"reject\">Reject it</button>\n</form></details>\n\
         <form method=\"post\" action=\"{action}\"><button class=\"yes\" name=\"decision\" value=\"approve\">Approve</button></form>\n\
         </div>\n"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_a_link_is_set_apart_and_nothing_becomes_markup() {
        assert_eq!(
            marked("see #tea & @ada\n<b> https://a.example/?x=1&y=2 # @"),
            "see <i>#tea</i> &amp; <i>@ada</i>\n&lt;b&gt; <i>https://a.example/?x=1&amp;y=2</i> # @"
        );
        assert_eq!(
            marked("\"<script>alert(1)</script>\""),
            "&quot;&lt;script&gt;alert(1)&lt;/script&gt;&quot;"
        );
    }

    #[test]
    fn options_are_shown_by_name() {
        let stored = r#"{"privacy_level":"SELF_ONLY","disable_comment":true,"brand":false,"x":null}"#;
        let shown = [("disable comment", "yes"), ("privacy level", "SELF_ONLY")];
        let shown = shown.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(options(Some(stored)), shown);
        assert_eq!(options(Some("no json")), []);
        assert_eq!(bytes(1_234_567), "1.2 MB");
        assert_eq!(bytes(12), "1 kB");
    }
}
