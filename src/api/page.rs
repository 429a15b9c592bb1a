//! Pages that say what happened and what to do next. Self-contained: no script, nothing from elsewhere, and nothing in them
//! that somebody else wrote unless it is escaped.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Well.
    Good,
    /// Not well.
    Bad,
    /// It goes on elsewhere.
    Neutral,
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The status that it is answered with.
    pub status: StatusCode,
    /// How it went.
    pub tone: Tone,
    /// What happened, in a few words.
    pub title: String,
    /// The same in a sentence or two.
    pub text: String,
    /// What to do next.
    pub next: String,
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--paper:#f6f7f9;--card:#fff;--edge:#d9dee4;--tone:#57606a}\
@media(prefers-color-scheme:dark){:root{--ink:#e8ebef;--soft:#a3adb8;--paper:#14171b;--card:#1d2127;--edge:#333a43}}\
.good{--tone:#1a7f4b}.bad{--tone:#c0362c}.neutral{--tone:#3465a4}\
@media(prefers-color-scheme:dark){.good{--tone:#3fb97c}.bad{--tone:#f0776c}.neutral{--tone:#7aa7e0}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:24px;background:var(--paper);color:var(--ink);\
font:17px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}\
main{width:100%;max-width:520px;background:var(--card);border:1px solid var(--edge);border-top:4px solid var(--tone);\
border-radius:10px;padding:32px}\
h1{margin:0 0 12px;font-size:24px;line-height:1.25;overflow-wrap:anywhere}\
h1 span{color:var(--tone);margin-right:10px}\
p{margin:0 0 12px;overflow-wrap:anywhere}\
.next{margin:20px 0 0;padding-top:20px;border-top:1px solid var(--edge);font-weight:600}\
footer{margin-top:20px;color:var(--soft);font-size:14px}\
@media(max-width:480px){main{padding:24px 20px}h1{font-size:21px}}";

impl Page {
    /// The page as HTML.
    #[must_use]
    pub fn html(&self) -> String {
        let (class, mark) = match self.tone {
            Tone::Good => ("good", "✓"),
            Tone::Bad => ("bad", "✕"),
            Tone::Neutral => ("neutral", "→"),
        };
        let [title, text, next] = [&self.title, &self.text, &self.next].map(|text| escape(text));
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"robots\" content=\"noindex\">\n<title>psn: {title}</title>\n<style>{STYLE}</style>\n</head>\n\
             <body class=\"{class}\">\n<main>\n<h1><span aria-hidden=\"true\">{mark}</span>{title}</h1>\n<p>{text}</p>\n\
             <p class=\"next\">{next}</p>\n<footer>psn, publish on schedule, never twice</footer>\n</main>\n</body>\n</html>\n"
        )
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        document(self.status, self.html(), STYLE, "form-action 'none'")
    }
}

/// A document for people's eyes, with the style that stands in it. `policy` says what else it may do: by itself nothing.
pub(super) fn document(status: StatusCode, html: String, style: &str, policy: &str) -> Response {
    // The address is a key by itself.
    secured(status, html, style, policy, "no-referrer")
}

/// The same; `referrer` says what is told to where it leads of where the browser was.
pub(super) fn secured(status: StatusCode, html: String, style: &str, policy: &str, referrer: &'static str) -> Response {
    let style = STANDARD.encode(Sha256::digest(style.as_bytes()));
    let policy =
        format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; frame-ancestors 'none'; {policy}");
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, referrer),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// A text as it stands between tags and in attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_platform_says_becomes_markup() {
        let page = Page {
            status: StatusCode::OK,
            tone: Tone::Bad,
            title: "<script>".to_owned(),
            text: "\"a\" & 'b'".to_owned(),
            next: String::new(),
        };
        let html = page.html();
        assert!(!html.contains("<script") && html.contains("&lt;script&gt;"));
        assert!(html.contains("&quot;a&quot; &amp; &#39;b&#39;"));
    }
}
