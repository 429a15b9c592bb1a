//! The page on which a person consents, and the one that leads them back. Without scripts and without anything from
//! elsewhere; whatever a client says of itself is escaped.

use crate::api::page::{escape, secured};
use crate::api::scopes::{Scope, Scopes};
use axum::http::StatusCode;
use axum::response::Response;
use std::fmt::Write as _;

/// What the page of consent shows.
pub struct Question<'a> {
    /// What the client calls itself.
    pub name: &'a str,
    /// The host that vouches for it, if one does.
    pub published_at: Option<&'a str>,
    /// Where the browser is led back to: a host, or the browser's own machine.
    pub leads_to: &'a str,
    /// Whether that is the browser's own machine.
    pub is_local: bool,
    /// This worker's host.
    pub here: &'a str,
    /// What is asked for.
    pub asked: Scopes,
    /// What is ticked.
    pub ticked: Scopes,
    /// What the form brings along.
    pub request: &'a str,
    /// Where *Cancel* leads.
    pub deny: &'a str,
    /// What was wrong with the last try, if there was one.
    pub wrong: Option<&'a str>,
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--paper:#f3f5f8;--card:#fff;--edge:#d9dee4;--tone:#2f5fb3;\
--tint:#eef3fb;--bad:#b3261e;--badtint:#fdf0ef;--warn:#8a5a00;--warntint:#fdf6e7;--good:#1a7f4b}\
@media(prefers-color-scheme:dark){:root{--ink:#e8ebef;--soft:#a3adb8;--paper:#121519;--card:#1b1f25;--edge:#343b45;\
--tone:#7fa9ea;--tint:#202a3a;--bad:#f2867c;--badtint:#33201f;--warn:#e5b45c;--warntint:#2e2617;--good:#3fb97c}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:32px 20px;background:var(--paper);color:var(--ink);\
font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}\
main{width:100%;max-width:480px;min-width:0;background:var(--card);border:1px solid var(--edge);border-radius:16px;padding:32px;\
box-shadow:0 1px 2px #0000000d,0 12px 32px #0000000f}\
.pair{display:flex;align-items:center;justify-content:center;margin-bottom:20px}\
.pair b{display:grid;place-items:center;width:56px;height:56px;border-radius:14px;font-size:24px;line-height:1}\
.pair .them{border:1px solid var(--edge);background:var(--tint);color:var(--tone)}\
.pair .us{background:var(--tone);color:var(--card);font-size:19px;letter-spacing:-.02em}\
.pair i{width:44px;border-top:2px dotted var(--soft);margin:0 10px}\
h1{margin:0;font-size:25px;line-height:1.25;text-align:center;text-wrap:balance;overflow-wrap:anywhere}\
h1 em{font-style:normal;color:var(--tone)}\
.lead{margin:8px 0 20px;text-align:center;color:var(--soft);text-wrap:balance;overflow-wrap:anywhere}\
dl{margin:0 0 20px;border:1px solid var(--edge);border-radius:12px;overflow:hidden}\
dl div{display:flex;gap:16px;padding:10px 16px}\
dl div+div{border-top:1px solid var(--edge)}\
dt{flex:0 0 84px;color:var(--soft)}\
dd{margin:0;min-width:0;overflow-wrap:anywhere;font-weight:600}\
dd small{display:block;font-weight:400;color:var(--soft)}\
.note{margin:0 0 20px;padding:12px 16px;border-radius:12px;background:var(--warntint);color:var(--warn)}\
.wrong{margin:0 0 20px;padding:12px 16px;border-radius:12px;background:var(--badtint);color:var(--bad);font-weight:600;\
overflow-wrap:anywhere}\
fieldset{margin:0 0 20px;padding:0;border:0}\
legend,.field{display:block;padding:0;margin:0 0 6px;font-weight:600}\
.scope{display:flex;gap:12px;padding:10px 16px;border:1px solid var(--edge);cursor:pointer}\
.scope:first-of-type{border-radius:12px 12px 0 0}\
.scope:last-of-type{border-radius:0 0 12px 12px}\
.scope:only-of-type{border-radius:12px}\
.scope+.scope{border-top:0}\
.scope:has(:checked){background:var(--tint)}\
.scope input{flex:none;width:20px;height:20px;margin:2px 0 0;accent-color:var(--tone)}\
.scope b{display:block}\
small{font-size:14px;color:var(--soft)}\
.scope small{display:block;line-height:1.4}\
.grave b{color:var(--bad)}\
input[type=password]{width:100%;padding:12px 14px;border:1px solid var(--soft);border-radius:10px;background:var(--card);\
color:var(--ink);font:16px/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}\
#hint{display:block;margin-top:8px}\
code{font:.93em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}\
.buttons{display:flex;gap:12px;margin-top:24px}\
.button{flex:1;min-width:0;min-height:48px;padding:12px 16px;border-radius:10px;border:1px solid var(--edge);\
background:var(--card);color:var(--ink);font:600 16px/1.4 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;text-align:center;\
text-decoration:none;cursor:pointer;overflow-wrap:anywhere}\
.button:hover{border-color:var(--soft)}\
.main{flex:2;background:var(--tone);border-color:var(--tone);color:var(--card)}\
.main:hover{border-color:var(--tone);filter:brightness(1.08)}\
:focus-visible{outline:3px solid var(--tone);outline-offset:2px}\
footer{margin-top:24px;padding-top:16px;border-top:1px solid var(--edge);color:var(--soft);font-size:14px}\
.hidden{position:absolute;width:1px;height:1px;margin:-1px;padding:0;border:0;overflow:hidden;clip-path:inset(50%)}\
.done .us{background:var(--good)}\
.done .pair i{border-top-style:solid;border-color:var(--good)}\
@media(max-width:480px){body{padding:0;place-items:start stretch;background:var(--card)}\
main{max-width:none;border:0;border-radius:0;box-shadow:none;padding:28px 20px}h1{font-size:23px}\
dl div{display:block}dt{font-size:14px}}";

/// What a scope lets an assistant do, in words for the person who allows it.
const fn words(scope: Scope) -> (&'static str, &'static str) {
    match scope {
        Scope::Read => ("Look", "See your posts, calendar, ideas, plans, accounts and numbers."),
        Scope::Write => (
            "Write",
            "Make and change drafts, ideas, series, plans, media and settings.",
        ),
        Scope::Publish => (
            "Publish",
            "Decide what goes out in your name, and when: schedule, publish, cancel, approve, pause.",
        ),
        Scope::Admin => (
            "Administer",
            "Remove accounts, make and end tokens, run tasks. Few assistants need this.",
        ),
    }
}

/// The page that asks.
pub fn ask(status: StatusCode, question: &Question<'_>) -> Response {
    let [name, leads_to, here, request, deny] = [
        question.name,
        question.leads_to,
        question.here,
        question.request,
        question.deny,
    ]
    .map(escape);
    let who = match question.published_at {
        Some(host) => format!("{name}<small>confirmed by <b>{}</b></small>", escape(host)),
        None => format!("{name}<small>it calls itself so; psn cannot check that</small>"),
    };
    let note = match question.is_local {
        true => format!(
            "<p class=\"note\">This leads to a program on your own computer. Go on only if you have just started \
             {name} there yourself.</p>\n"
        ),
        false => String::new(),
    };
    let wrong = question.wrong.map_or_else(String::new, |wrong| {
        format!("<p class=\"wrong\" role=\"alert\">{}</p>\n", escape(wrong))
    });
    let mut scopes = String::new();
    for scope in question.asked.iter() {
        let ((title, text), value) = (words(scope), scope.name());
        let class = if scope == Scope::Admin { "scope grave" } else { "scope" };
        let checked = if question.ticked.contains(scope) {
            " checked"
        } else {
            ""
        };
        let _ = writeln!(
            scopes,
            "<label class=\"{class}\"><input type=\"checkbox\" name=\"scope\" value=\"{value}\"{checked}>\
             <span><b>{title}</b><small>{text}</small></span></label>"
        );
    }
    let body = format!(
        "<h1>Let <em>{name}</em> use psn?</h1>\n\
         <p class=\"lead\">It will act for you on {here}.</p>\n\
         <dl>\n<div><dt>Who asks</dt><dd>{who}</dd></div>\n<div><dt>Leads to</dt><dd>{leads_to}</dd></div>\n</dl>\n\
         {note}{wrong}<form method=\"post\" action=\"{path}\">\n\
         <input type=\"hidden\" name=\"request\" value=\"{request}\">\n\
         <fieldset>\n<legend>It may</legend>\n{scopes}</fieldset>\n\
         <label class=\"field\" for=\"token\">Your code, or your psn token</label>\n\
         <input class=\"hidden\" type=\"text\" name=\"username\" value=\"psn\" autocomplete=\"username\" tabindex=\"-1\" \
         aria-hidden=\"true\" readonly>\n\
         <input id=\"token\" type=\"password\" name=\"token\" autocomplete=\"current-password\" autocapitalize=\"none\" \
         spellcheck=\"false\" required aria-describedby=\"hint\">\n\
         <small id=\"hint\"><code>psn assistant code</code> prints a code that is good once, here alone. A token of your own \
         does as well. It shows psn who you are; {name} never gets it.</small>\n\
         <div class=\"buttons\"><a class=\"button\" id=\"deny\" href=\"{deny}\">Cancel</a>\
         <button class=\"button main\" id=\"allow\" type=\"submit\">Allow</button></div>\n</form>\n\
         <footer>Good for a year at most, and no longer than the token you give here or made the code with. End it whenever you like: \
         <code>psn token list</code>, then <code>psn token revoke</code>.</footer>",
        path = super::AUTHORIZE_PATH,
    );
    let html = whole(&format!("let {name} in?"), "", "", question.name, &body);
    // The form's own answer has to know that it comes from here; nobody else is told where the browser was.
    secured(status, html, STYLE, "form-action 'self'", "same-origin")
}

/// The page that leads back with what was decided. A page, not a redirect: what the policy says of forms counts for every
/// redirect behind one, and where a client leads on from its own address is not known.
pub fn lead_back(name: &str, leads_to: &str, address: &str) -> Response {
    let [shown, leads_to, address] = [name, leads_to, address].map(escape);
    let refresh = format!("<meta http-equiv=\"refresh\" content=\"1;url={address}\">\n");
    let body = format!(
        "<h1><em>{shown}</em> may use psn</h1>\n<p class=\"lead\">Taking you back to {leads_to}.</p>\n\
         <div class=\"buttons\"><a class=\"button main\" id=\"back\" href=\"{address}\">Go on</a></div>"
    );
    let html = whole("allowed", &refresh, " class=\"done\"", name, &body);
    secured(StatusCode::OK, html, STYLE, "form-action 'none'", "no-referrer")
}

fn whole(title: &str, head: &str, class: &str, name: &str, body: &str) -> String {
    let initial: String = name.chars().take(1).flat_map(char::to_uppercase).collect();
    let initial = escape(&initial);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"robots\" content=\"noindex\">\n\
         {head}<title>psn: {title}</title>\n<style>{STYLE}</style>\n</head>\n<body{class}>\n<main>\n\
         <div class=\"pair\" aria-hidden=\"true\"><b class=\"them\">{initial}</b><i></i><b class=\"us\">psn</b></div>\n\
         {body}\n</main>\n</body>\n</html>\n"
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn html(response: Response) -> String {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn nothing_that_a_client_says_becomes_markup() {
        let evil = "\"><script>alert(1)</script><b x='";
        let question = Question {
            name: evil,
            published_at: Some(evil),
            leads_to: evil,
            is_local: true,
            here: evil,
            asked: Scopes::ALL,
            ticked: Scopes::default(),
            request: evil,
            deny: evil,
            wrong: Some(evil),
        };
        for response in [ask(StatusCode::OK, &question), lead_back(evil, evil, evil)] {
            let policy = response.headers()["content-security-policy"]
                .to_str()
                .unwrap()
                .to_owned();
            assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
            assert_eq!(response.headers()["x-frame-options"], "DENY");
            let html = html(response).await;
            assert!(!html.contains("<script") && !html.contains("x='"), "{html}");
            assert!(html.contains("&quot;&gt;&lt;script&gt;"), "{html}");
        }
    }
}
