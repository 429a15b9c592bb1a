//! What the token endpoints decide.

use super::state::{Call, Family, Kind, Token};
use super::{App, Dialect, Event, Grant, Oauth, Pkce, Renewal, Settings};
use crate::dev::emulators::engine::{Account, Moment, Request};
use crate::domain::time::{Millis, Timestamp};
use crate::ports::entropy::Entropy as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Why a token call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dev::emulators) enum Fault {
    /// The app is not known, or its secret is wrong or missing.
    WrongApp,
    /// The body is no form, or lacks that field.
    Missing(&'static str),
    NoSuchGrant,
    NoSuchCode,
    CodeUsed,
    CodeExpired,
    WrongRedirect,
    WrongVerifier,
    NoSuchToken,
    /// The token was used before.
    Reused,
    Expired,
    Withdrawn,
    TooYoung,
}

impl Fault {
    const fn outcome(self) -> &'static str {
        match self {
            Self::WrongApp => "wrong_app",
            Self::Missing(_) => "missing_field",
            Self::NoSuchGrant => "no_such_grant",
            Self::NoSuchCode => "no_such_code",
            Self::CodeUsed => "code_used",
            Self::CodeExpired => "code_expired",
            Self::WrongRedirect => "wrong_redirect",
            Self::WrongVerifier => "wrong_verifier",
            Self::NoSuchToken => "no_such_token",
            Self::Reused => "reused",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::TooYoung => "too_young",
        }
    }
}

/// What became of a token call, with what it changed.
pub(in crate::dev::emulators) struct Verdict {
    pub result: Result<Grant, Fault>,
    pub events: Vec<Event>,
}

/// Where it is decided.
pub(in crate::dev::emulators) struct Desk<'a> {
    pub oauth: &'a Oauth,
    pub accounts: &'a BTreeMap<String, Account>,
    pub settings: &'a Settings,
    pub dialect: &'a Dialect,
    pub moment: &'a Moment<'a>,
}

/// Some events are kept though the call is refused: a reused token ends its family.
type Decided = Result<(Grant, Vec<Event>), (Fault, Vec<Event>)>;

fn refused<T>(fault: Fault) -> Result<T, (Fault, Vec<Event>)> {
    Err((fault, Vec::new()))
}

impl Desk<'_> {
    /// The app that the body names, if its secret is there too.
    pub fn app_of_body(&self, request: &Request) -> Result<&App, Fault> {
        let id = request.field(self.dialect.client_field).unwrap_or_default();
        let app = self.oauth.apps.get(id).ok_or(Fault::WrongApp)?;
        match request.field("client_secret") {
            Some(secret) if app.secret.as_deref() == Some(secret) => Ok(app),
            _ => Err(Fault::WrongApp),
        }
    }

    /// Decides about a call to a token endpoint which takes those grants.
    pub fn token(&self, request: &Request, app: Result<&App, Fault>, grants: &[&str]) -> Verdict {
        let grant = request.field("grant_type").unwrap_or_default();
        let decided = if !grants.contains(&grant) {
            refused(Fault::NoSuchGrant)
        } else if request.method == "POST" && !request.is_form {
            refused(Fault::Missing("Content-Type"))
        } else {
            match (app, grant) {
                (Err(fault), _) => refused(fault),
                (Ok(app), "authorization_code") => self.exchange(app, request),
                (Ok(app), "refresh_token") => self.refresh(app, request),
                (Ok(app), "ig_exchange_token") => self.lengthen(app, request),
                (Ok(app), _) => self.renew_itself(app, request),
            }
        };
        self.noted(grant, request, decided)
    }

    /// Revokes the grant that a token belongs to. A token that is none is none afterwards too (RFC 7009, 2.2).
    pub fn revoke(&self, request: &Request, app: Result<&App, Fault>) -> (Result<(), Fault>, Vec<Event>) {
        let result = app.and_then(|app| {
            let token = request.field("token").ok_or(Fault::Missing("token"))?;
            let token = self.oauth.tokens.get(token);
            let number = token.filter(|token| self.family(token).is_some_and(|family| family.app == app.id));
            Ok(number.map(|token| Event::Killed(token.family)))
        });
        let (result, mut events) = match result {
            Ok(killed) => (Ok(()), killed.into_iter().collect()),
            Err(fault) => (Err(fault), Vec::new()),
        };
        let outcome = result.map_or_else(Fault::outcome, |()| "revoked");
        events.push(self.call("revoke", request, outcome, false, None));
        (result, events)
    }

    /// Tokens for everything, without a page and a code.
    pub fn grant_all(&self, app: &str, account: &str) -> Result<(Grant, Vec<Event>), String> {
        let Some(app) = self.oauth.apps.get(app) else {
            return Err(format!("there is no app `{app}`: register it with `PUT /_apps`"));
        };
        let scopes = self.dialect.scopes.iter().map(ToString::to_string);
        let refused = &self.settings.scopes_refused;
        let scopes = scopes.filter(|scope| !refused.contains(scope)).collect();
        Ok(self.begin(&app.id, account, scopes, Kind::Access))
    }

    fn noted(&self, grant: &str, request: &Request, decided: Decided) -> Verdict {
        let (result, mut events) = match decided {
            Ok((grant, events)) => (Ok(grant), events),
            Err((fault, events)) => (Err(fault), events),
        };
        let presented = request.field("refresh_token");
        let reused = presented.and_then(|token| self.oauth.tokens.get(token)?.superseded_by);
        let outcome = result.as_ref().map_or_else(|fault| fault.outcome(), |_| "granted");
        let is_reuse = reused.filter(|_| matches!(result, Ok(_) | Err(Fault::Reused)));
        events.push(self.call(grant, request, outcome, result.is_ok(), is_reuse));
        Verdict { result, events }
    }

    fn call(&self, grant: &str, request: &Request, outcome: &str, is_granted: bool, after: Option<u64>) -> Event {
        Event::Call(Call {
            n: self.moment.n,
            at: self.moment.now,
            grant: grant.to_owned(),
            outcome: outcome.to_owned(),
            is_granted,
            account: request.account.clone(),
            after,
        })
    }

    fn exchange(&self, app: &App, request: &Request) -> Decided {
        let field = |name: &'static str| request.field(name).ok_or((Fault::Missing(name), Vec::new()));
        let (name, redirect_uri) = (field("code")?, field("redirect_uri")?);
        let Some(code) = self.oauth.codes.get(name).filter(|code| code.app == app.id) else {
            return refused(Fault::NoSuchCode);
        };
        if code.is_used {
            return refused(Fault::CodeUsed);
        }
        if code.until <= self.moment.now {
            return refused(Fault::CodeExpired);
        }
        if code.redirect_uri != redirect_uri {
            return refused(Fault::WrongRedirect);
        }
        if let Some(challenge) = &code.challenge {
            let verifier = field("code_verifier")?;
            if *challenge != self.challenge_of(verifier, code.is_plain) {
                return refused(Fault::WrongVerifier);
            }
        }
        let kind = match self.dialect.short_s {
            Some(_) => Kind::Short,
            None => Kind::Access,
        };
        let (grant, mut events) = self.begin(&app.id, &code.account, code.scopes.clone(), kind);
        events.push(Event::CodeUsed(name.to_owned()));
        if self.dialect.new_scopes_end_old {
            let earlier = self.oauth.families.iter().enumerate();
            let ended = earlier.filter(|(_, family)| {
                let same = family.app == app.id && family.account == code.account;
                same && !family.is_dead && !same_set(&family.scopes, &code.scopes)
            });
            events.extend(ended.map(|(number, _)| Event::Killed(number)));
        }
        Ok((grant, events))
    }

    fn challenge_of(&self, verifier: &str, is_plain: bool) -> String {
        let digest = Sha256::digest(verifier.as_bytes());
        match self.dialect.pkce {
            _ if is_plain => verifier.to_owned(),
            Pkce::Hex => digest.iter().fold(String::new(), |mut out, byte| {
                let _ = write!(out, "{byte:02x}");
                out
            }),
            Pkce::Base64Url | Pkce::None => URL_SAFE_NO_PAD.encode(digest),
        }
    }

    fn refresh(&self, app: &App, request: &Request) -> Decided {
        let Some(name) = request.field("refresh_token") else {
            return refused(Fault::Missing("refresh_token"));
        };
        let token = self.oauth.tokens.get(name).filter(|token| token.kind == Kind::Refresh);
        let Some(token) = token else {
            return refused(Fault::NoSuchToken);
        };
        let Some(family) = self.family(token).filter(|family| family.app == app.id) else {
            return refused(Fault::NoSuchToken);
        };
        if let Some(by) = token.superseded_by
            && (self.oauth.was_delivered(by) || !self.settings.forgives_loss)
        {
            let reuse_ends_all = matches!(self.dialect.renewal, Renewal::Rotates { reuse_ends_all: true });
            let killed = reuse_ends_all.then_some(Event::Killed(token.family));
            return Err((Fault::Reused, killed.into_iter().collect()));
        }
        if family.is_dead {
            return refused(Fault::Withdrawn);
        }
        if token.until <= self.moment.now {
            return refused(Fault::Expired);
        }
        let mut events = Vec::new();
        let mut grant = self.access(token.family, family, Kind::Access, &mut events);
        if self.dialect.renewal == Renewal::ForPartners {
            grant.refresh_token = Some(name.to_owned());
            grant.refresh_expires_in = Some(seconds(token.until.since(self.moment.now)));
        } else {
            self.add_refresh(token.family, &mut grant, &mut events);
            if token.superseded_by.is_none() {
                events.push(Event::Superseded(name.to_owned(), self.moment.n));
            }
        }
        if self.settings.refresh_ends_access_token {
            let earlier = self.oauth.tokens.iter();
            let earlier = earlier.filter(|(_, one)| one.family == token.family && one.kind == Kind::Access);
            events.extend(earlier.map(|(name, _)| Event::Ends(name.clone(), self.moment.now)));
        }
        Ok((grant, events))
    }

    /// A token that lasts for one that does not.
    fn lengthen(&self, app: &App, request: &Request) -> Decided {
        self.renewed_from(app, request, Kind::Short, 0)
    }

    /// A new token for one that still lasts.
    fn renew_itself(&self, app: &App, request: &Request) -> Decided {
        self.renewed_from(app, request, Kind::Access, self.dialect.renewable_after_s)
    }

    fn renewed_from(&self, app: &App, request: &Request, kind: Kind, age_min_s: i64) -> Decided {
        let Some(name) = request.field("access_token") else {
            return refused(Fault::Missing("access_token"));
        };
        let Some(token) = self.oauth.tokens.get(name).filter(|token| token.kind == kind) else {
            return refused(Fault::NoSuchToken);
        };
        let Some(family) = self.family(token).filter(|family| family.app == app.id) else {
            return refused(Fault::NoSuchToken);
        };
        if family.is_dead {
            return refused(Fault::Withdrawn);
        }
        if token.until <= self.moment.now {
            return refused(Fault::Expired);
        }
        if self.moment.now.since(token.at) < Millis::from_secs(age_min_s) {
            return refused(Fault::TooYoung);
        }
        let mut events = Vec::new();
        let grant = self.access(token.family, family, Kind::Access, &mut events);
        Ok((grant, events))
    }

    fn family(&self, token: &Token) -> Option<&Family> {
        self.oauth.family(token)
    }

    /// The app that a token was given to.
    pub fn app_of_token(&self, token: &str) -> Result<&App, Fault> {
        let token = self.oauth.tokens.get(token);
        let family = token.and_then(|token| self.family(token)).ok_or(Fault::NoSuchToken)?;
        self.oauth.apps.get(&family.app).ok_or(Fault::WrongApp)
    }

    /// The first tokens of a family.
    fn begin(&self, app: &str, account: &str, scopes: Vec<String>, kind: Kind) -> (Grant, Vec<Event>) {
        let number = self.oauth.families.len();
        let family = Family {
            app: app.to_owned(),
            account: account.to_owned(),
            scopes,
            is_dead: false,
        };
        let mut events = vec![Event::Family(family.clone())];
        let mut grant = self.access(number, &family, kind, &mut events);
        let has_scope = (self.dialect.refresh_scope).is_none_or(|scope| family.scopes.iter().any(|had| had == scope));
        let has_refresh = match self.dialect.renewal {
            Renewal::Rotates { .. } => has_scope,
            Renewal::ForPartners => self.settings.partner,
            Renewal::Itself => false,
        };
        if has_refresh {
            self.add_refresh(number, &mut grant, &mut events);
        }
        (grant, events)
    }

    fn access(&self, number: usize, family: &Family, kind: Kind, events: &mut Vec<Event>) -> Grant {
        let documented = self.dialect.short_s.filter(|_| kind == Kind::Short);
        let expires_in = documented
            .or(self.settings.expires_in_s)
            .unwrap_or(self.dialect.access_s);
        let access_token = self.fresh("a", self.dialect.token_bytes);
        events.push(self.token_event(&access_token, kind, number, expires_in));
        Grant {
            access_token,
            expires_in,
            refresh_token: None,
            refresh_expires_in: None,
            scopes: family.scopes.clone(),
            account: family.account.clone(),
        }
    }

    fn add_refresh(&self, number: usize, grant: &mut Grant, events: &mut Vec<Event>) {
        let expires_in = self.settings.refresh_expires_in_s.unwrap_or(self.dialect.refresh_s);
        let token = self.fresh("r", 48);
        events.push(self.token_event(&token, Kind::Refresh, number, expires_in));
        grant.refresh_token = Some(token);
        grant.refresh_expires_in = Some(expires_in);
    }

    fn token_event(&self, token: &str, kind: Kind, family: usize, expires_in_s: i64) -> Event {
        let at = self.moment.now;
        let token_of = Token {
            kind,
            family,
            at,
            until: at + Millis::from_secs(expires_in_s),
            superseded_by: None,
        };
        Event::Token(token.to_owned(), token_of)
    }

    /// A text that is no token and no code yet: after a restart the seed says the same again.
    pub(super) fn fresh(&self, prefix: &str, bytes: usize) -> String {
        loop {
            let mut random = vec![0; bytes];
            self.moment.entropy.fill(&mut random);
            let text = format!("{prefix}-{}", URL_SAFE_NO_PAD.encode(random));
            let code = format!("{text}{}", self.dialect.code_tail);
            if !self.oauth.tokens.contains_key(&text) && !self.oauth.codes.contains_key(&code) {
                return text;
            }
        }
    }

    pub(super) fn code_until(&self) -> Timestamp {
        let life = self.settings.code_expires_in_s.unwrap_or(self.dialect.code_s);
        self.moment.now + Millis::from_secs(life)
    }
}

const fn seconds(length: Millis) -> i64 {
    length.0 / 1_000
}

/// Whether both name the same scopes, in whatever order.
pub(super) fn same_set(one: &[String], other: &[String]) -> bool {
    one.iter().all(|scope| other.contains(scope)) && other.iter().all(|scope| one.contains(scope))
}
