//! The page on which a person consents, and the redirect that follows.

use super::desk::{Desk, same_set};
use super::state::{Code, Worth};
use super::{App, Event, Pkce};
use crate::dev::emulators::engine::{Body, Reply, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt::Write as _;

/// What the app asks for.
struct Ask<'a> {
    app: &'a App,
    redirect_uri: &'a str,
    state: Option<&'a str>,
    scopes: Vec<String>,
    challenge: Option<&'a str>,
    is_plain: bool,
}

/// Why nothing can be asked.
enum Wrong {
    /// The page says so: the redirect cannot be trusted.
    Page(String),
    /// The app is told so.
    Redirect(Reply),
}

/// Fields of the form that are not the app's.
const OWN_FIELDS: [&str; 4] = ["decision", "account", "picks", "picked"];

/// Shows the page (`GET`) or takes its form (`POST`): a redirect with a code, or with the person's refusal.
pub(in crate::dev::emulators) fn authorize(desk: &Desk<'_>, request: &Request) -> (Reply, Vec<Event>) {
    let ask = match Ask::read(desk, request) {
        Ok(ask) => ask,
        Err(Wrong::Page(message)) => {
            return (
                page(desk, 400, &format!("<p id=\"error\">{}</p>", escape(&message))),
                Vec::new(),
            );
        }
        Err(Wrong::Redirect(reply)) => return (reply, Vec::new()),
    };
    if request.method == "GET" {
        return match ask.known_account(desk) {
            Some(account) => ask.grant(desk, &account, ask.scopes.clone()),
            None => (page(desk, 200, &ask.form(desk, request)), Vec::new()),
        };
    }
    match request.field("decision") {
        Some("allow") => {}
        Some("refuse") => return (ask.redirect(desk, desk.dialect.refusal), Vec::new()),
        _ => {
            return (
                page(desk, 400, "<p id=\"error\">Neither allowed nor refused.</p>"),
                Vec::new(),
            );
        }
    }
    let account = match request.field("account") {
        Some(id) => desk.accounts.get(id).map(|account| account.id.clone()),
        None if desk.accounts.len() == 1 => desk.accounts.keys().next().cloned(),
        None => None,
    };
    let Some(account) = account else {
        return (
            page(desk, 400, "<p id=\"error\">There is no such account.</p>"),
            Vec::new(),
        );
    };
    let picked: Vec<&str> = request
        .fields
        .iter()
        .filter(|(name, _)| name == "picked")
        .map(|(_, scope)| scope.as_str())
        .collect();
    let is_left = |scope: &String| request.field("picks").is_none() || picked.contains(&scope.as_str());
    let scopes = ask.scopes.iter().filter(|scope| is_left(scope)).cloned().collect();
    ask.grant(desk, &account, scopes)
}

impl<'a> Ask<'a> {
    fn read(desk: &'a Desk<'_>, request: &'a Request) -> Result<Self, Wrong> {
        let page = |message: &str| Wrong::Page(message.to_owned());
        let dialect = desk.dialect;
        let id = request.field(dialect.client_field);
        let id = id.ok_or_else(|| Wrong::Page(format!("`{}` is missing.", dialect.client_field)))?;
        let app = desk.oauth.apps.get(id).ok_or_else(|| page("There is no such app."))?;
        let redirect_uri = request.field("redirect_uri").unwrap_or_default();
        if !app.redirect_uris.iter().any(|registered| registered == redirect_uri) {
            return Err(page("The redirect address is not registered with the app."));
        }
        if request.field("response_type") != Some("code") {
            return Err(page("`response_type` must be `code`."));
        }
        let state = request.field("state");
        if state.is_some_and(|state| state.chars().count() > dialect.state_chars_max) {
            return Err(page("`state` is too long."));
        }
        let challenge = request.field("code_challenge").filter(|_| dialect.pkce != Pkce::None);
        let method = request.field("code_challenge_method").unwrap_or("plain");
        let is_needed = match dialect.pkce {
            Pkce::Base64Url => true,
            Pkce::Hex => is_own_machine(redirect_uri),
            Pkce::None => false,
        };
        if is_needed && challenge.is_none() {
            return Err(page("code_challenge"));
        }
        let is_plain = challenge.is_some() && method == "plain" && dialect.pkce == Pkce::Base64Url;
        if challenge.is_some() && method != "S256" && !is_plain {
            return Err(page("code_challenge_method"));
        }
        let asked = request.field("scope").unwrap_or_default();
        let scopes: Vec<String> = asked
            .split(dialect.separator)
            .filter(|scope| !scope.is_empty())
            .map(str::to_owned)
            .collect();
        let ask = Self {
            app,
            redirect_uri,
            state,
            scopes,
            challenge,
            is_plain,
        };
        let unknown = ask
            .scopes
            .iter()
            .find(|scope| !dialect.scopes.contains(&scope.as_str()));
        match (unknown, dialect.scope_error) {
            (None, _) if !ask.scopes.is_empty() => Ok(ask),
            (Some(scope), Some(error)) => {
                let description = format!("Scope \"{scope}\" is not authorized for your application");
                let pairs = [("error", error), ("error_description", description.as_str())];
                Err(Wrong::Redirect(ask.redirect(desk, &pairs)))
            }
            (Some(scope), None) => Err(Wrong::Page(format!("There is no scope `{scope}`."))),
            (None, _) => Err(page("`scope` is missing.")),
        }
    }

    /// The only account, if it has consented to exactly this already and the platform does not ask twice.
    fn known_account(&self, desk: &Desk<'_>) -> Option<String> {
        let mut accounts = desk.accounts.keys();
        let account = accounts.next().filter(|_| desk.dialect.skips_known)?;
        let is_only = accounts.next().is_none();
        let is_known = desk.oauth.tokens.iter().any(|(token, what)| {
            let family = desk.oauth.family(what);
            let same = family.is_some_and(|family| {
                family.app == self.app.id && family.account == *account && same_set(&family.scopes, &self.scopes)
            });
            same && desk.oauth.worth(token, desk.moment.now) == Worth::Good
        });
        (is_only && is_known).then(|| account.clone())
    }

    fn grant(&self, desk: &Desk<'_>, account: &str, scopes: Vec<String>) -> (Reply, Vec<Event>) {
        let refused = &desk.settings.scopes_refused;
        let scopes: Vec<String> = scopes.into_iter().filter(|scope| !refused.contains(scope)).collect();
        let code = format!("{}{}", desk.fresh("c", 48), desk.dialect.code_tail);
        let named = scopes.join(",");
        let mut pairs = vec![("code", code.as_str())];
        if desk.dialect.redirect_names_scopes {
            pairs.push(("scopes", &named));
        }
        let reply = self.redirect(desk, &pairs);
        let what = Code {
            app: self.app.id.clone(),
            account: account.to_owned(),
            scopes,
            redirect_uri: self.redirect_uri.to_owned(),
            challenge: self.challenge.map(str::to_owned),
            is_plain: self.is_plain,
            until: desk.code_until(),
            is_used: false,
        };
        (reply, vec![Event::Code(code, what)])
    }

    fn redirect(&self, desk: &Desk<'_>, pairs: &[(&str, &str)]) -> Reply {
        let mut address = self.redirect_uri.to_owned();
        let state = self.state.map(|state| ("state", state));
        for (name, value) in pairs.iter().copied().chain(state) {
            let between = if address.contains('?') { '&' } else { '?' };
            let _ = write!(address, "{between}{name}={}", utf8_percent_encode(value, &RESERVED));
        }
        address.push_str(desk.dialect.redirect_tail);
        Reply {
            headers: vec![("location", address)],
            ..Reply::empty(302)
        }
    }

    fn form(&self, desk: &Desk<'_>, request: &Request) -> String {
        let name = if self.app.name.is_empty() {
            &self.app.id
        } else {
            &self.app.name
        };
        let mut out = format!(
            "<p><b id=\"app\">{}</b> wants to act for you:</p>\n<form method=\"post\" action=\"{}\">\n<ul>\n",
            escape(name),
            escape(&request.path)
        );
        for scope in &self.scopes {
            let scope = escape(scope);
            let shown = if desk.dialect.picks_scopes {
                format!("<label><input type=\"checkbox\" name=\"picked\" value=\"{scope}\" checked> {scope}</label>")
            } else {
                scope
            };
            let _ = writeln!(out, "<li>{shown}</li>");
        }
        out.push_str("</ul>\n");
        if desk.dialect.picks_scopes {
            out.push_str("<input type=\"hidden\" name=\"picks\" value=\"1\">\n");
        }
        for (index, account) in desk.accounts.values().enumerate() {
            let (id, username) = (escape(&account.id), escape(&account.username));
            let checked = if index == 0 { " checked" } else { "" };
            let _ = writeln!(
                out,
                "<p><label><input type=\"radio\" name=\"account\" value=\"{id}\"{checked}> {username}</label></p>"
            );
        }
        for (name, value) in request
            .fields
            .iter()
            .filter(|(name, _)| !OWN_FIELDS.contains(&name.as_str()))
        {
            let (name, value) = (escape(name), escape(value));
            let _ = writeln!(out, "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
        }
        if desk.accounts.is_empty() {
            out.push_str("<p>There is no account yet: add one with <code>PUT /_accounts</code>.</p>\n");
        } else {
            out.push_str("<button id=\"allow\" name=\"decision\" value=\"allow\">Allow</button>\n");
        }
        out.push_str("<button id=\"refuse\" name=\"decision\" value=\"refuse\">Refuse</button>\n</form>\n");
        out
    }
}

fn page(desk: &Desk<'_>, status: u16, inner: &str) -> Reply {
    let title = format!("Emulated {}", desk.dialect.title);
    let body = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body>\n<h1>{title}</h1>\n{inner}</body></html>\n"
    );
    Reply {
        status,
        body: Body::Html(body),
        headers: vec![("cache-control", "no-store".to_owned())],
    }
}

fn is_own_machine(address: &str) -> bool {
    let uri = address.parse::<http::Uri>().ok();
    uri.is_some_and(|uri| matches!(uri.host(), Some("127.0.0.1" | "localhost" | "[::1]")))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// All but the unreserved characters of RFC 3986.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
