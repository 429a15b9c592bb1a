//! Apps, codes, consents and tokens of an emulated platform, folded from events.

use super::App;
use crate::dev::ledger::{Ended, OauthLedger, TokenCall};
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What happened.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// An app was registered.
    App(App),
    /// A person consented: here is a code.
    Code(String, Code),
    /// The code was exchanged.
    CodeUsed(String),
    /// Tokens are given on the ground of a consent, whose number is the count of those before it.
    Family(Family),
    /// A token.
    Token(String, Token),
    /// A refresh token was used, by the call of that number.
    Superseded(String, u64),
    /// A token ends at that time.
    Ends(String, Timestamp),
    /// All tokens of a family are dead.
    Killed(usize),
    /// A token endpoint decided about a call.
    Call(Call),
}

/// What a code stands for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    pub(super) app: String,
    pub(super) account: String,
    pub(super) scopes: Vec<String>,
    pub(super) redirect_uri: String,
    /// What the verifier must turn into.
    pub(super) challenge: Option<String>,
    /// Whether the verifier is the challenge itself.
    pub(super) is_plain: bool,
    pub(super) until: Timestamp,
    pub(super) is_used: bool,
}

/// All tokens that come from one consent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    pub(super) app: String,
    pub(super) account: String,
    pub(super) scopes: Vec<String>,
    pub(super) is_dead: bool,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Access,
    /// To be exchanged for one that lasts.
    Short,
    Refresh,
}

/// A token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    pub(super) kind: Kind,
    pub(super) family: usize,
    pub(super) at: Timestamp,
    pub(super) until: Timestamp,
    /// The call that used it up.
    pub(super) superseded_by: Option<u64>,
}

/// A call that a token endpoint decided about.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    pub(super) n: u64,
    pub(super) at: Timestamp,
    pub(super) grant: String,
    pub(super) outcome: String,
    pub(super) is_granted: bool,
    pub(super) account: Option<String>,
    /// The call that had used the presented token before.
    pub(super) after: Option<u64>,
}

/// What a token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dev::emulators) enum Worth {
    Good,
    Unknown,
    Expired,
    Withdrawn,
}

/// Everything about apps and tokens.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Oauth {
    /// The apps, by id.
    pub apps: BTreeMap<String, App>,
    pub(super) codes: BTreeMap<String, Code>,
    pub(super) families: Vec<Family>,
    pub(super) tokens: BTreeMap<String, Token>,
    calls: Vec<Call>,
    /// Calls that used a refresh token up, and whether their answer left whole.
    delivered: BTreeMap<u64, bool>,
}

impl Oauth {
    /// The same without the calls.
    #[must_use]
    pub fn without_calls(self) -> Self {
        Self {
            calls: Vec::new(),
            ..self
        }
    }

    /// Makes it so.
    pub fn apply(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::App(app) => {
                    self.apps.insert(app.id.clone(), app);
                }
                Event::Code(code, what) => {
                    self.codes.insert(code, what);
                }
                Event::CodeUsed(code) => {
                    if let Some(code) = self.codes.get_mut(&code) {
                        code.is_used = true;
                    }
                }
                Event::Family(family) => self.families.push(family),
                Event::Token(token, what) => {
                    self.tokens.insert(token, what);
                }
                Event::Superseded(token, by) => {
                    if let Some(token) = self.tokens.get_mut(&token) {
                        token.superseded_by = Some(by);
                    }
                    self.delivered.insert(by, false);
                }
                Event::Ends(token, at) => {
                    if let Some(token) = self.tokens.get_mut(&token) {
                        token.until = token.until.min(at);
                    }
                }
                Event::Killed(family) => {
                    if let Some(family) = self.families.get_mut(family) {
                        family.is_dead = true;
                    }
                }
                Event::Call(call) => self.calls.push(call),
            }
        }
    }

    /// Notes how a call ended.
    pub fn ended(&mut self, n: u64, ended: Ended) {
        if let Some(delivered) = self.delivered.get_mut(&n) {
            *delivered = ended == Ended::Answered;
        }
    }

    pub(super) fn was_delivered(&self, by: u64) -> bool {
        self.delivered.get(&by).copied().unwrap_or(false)
    }

    pub(super) fn family(&self, token: &Token) -> Option<&Family> {
        self.families.get(token.family)
    }

    /// What a token that calls carry is worth.
    pub(in crate::dev::emulators) fn worth(&self, token: &str, now: Timestamp) -> Worth {
        let token = self.tokens.get(token).filter(|token| token.kind != Kind::Refresh);
        let Some(token) = token else { return Worth::Unknown };
        if self.family(token).is_none_or(|family| family.is_dead) {
            Worth::Withdrawn
        } else if token.until <= now {
            Worth::Expired
        } else {
            Worth::Good
        }
    }

    /// Whose token it is and what for, if it works.
    #[must_use]
    pub fn bearer(&self, token: &str, now: Timestamp) -> Option<(&str, &[String])> {
        if self.worth(token, now) != Worth::Good {
            return None;
        }
        let family = self.family(self.tokens.get(token)?)?;
        Some((&family.account, &family.scopes))
    }

    /// The account of the code or token which a call to a token endpoint presents.
    #[must_use]
    pub fn owner(&self, fields: &[(String, String)]) -> Option<&str> {
        fields.iter().find_map(|(name, value)| match name.as_str() {
            "code" => self.codes.get(value).map(|code| code.account.as_str()),
            "refresh_token" | "token" | "access_token" => {
                let family = self.family(self.tokens.get(value)?)?;
                Some(family.account.as_str())
            }
            _ => None,
        })
    }

    /// Ends the account's access tokens.
    #[must_use]
    pub fn expire(&self, account: &str, at: Timestamp) -> Vec<Event> {
        let own = self.tokens.iter().filter(|(_, token)| {
            token.kind != Kind::Refresh
                && token.until > at
                && self.family(token).is_some_and(|family| family.account == account)
        });
        own.map(|(token, _)| Event::Ends(token.clone(), at)).collect()
    }

    /// Takes the account's consents back.
    #[must_use]
    pub fn withdraw(&self, account: &str) -> Vec<Event> {
        let own = self.families.iter().enumerate();
        own.filter(|(_, family)| family.account == account && !family.is_dead)
            .map(|(number, _)| Event::Killed(number))
            .collect()
    }

    /// What the token endpoints decided.
    #[must_use]
    pub fn ledger(&self) -> OauthLedger {
        let mut ledger = OauthLedger::default();
        for call in &self.calls {
            // Known only once the earlier call has ended.
            let outcome = match call.after {
                Some(by) if self.was_delivered(by) => "replay",
                Some(_) => "retry_after_loss",
                None => &call.outcome,
            };
            let is_renewal = matches!(call.grant.as_str(), "refresh_token" | "ig_refresh_token");
            ledger.replays += usize::from(outcome == "replay");
            ledger.retries_after_loss += usize::from(outcome == "retry_after_loss");
            ledger.refreshes += usize::from(is_renewal && call.is_granted);
            ledger.calls.push(TokenCall {
                n: call.n,
                at: call.at.to_rfc3339(),
                grant: call.grant.clone(),
                outcome: outcome.to_owned(),
                account: call.account.clone(),
            });
        }
        ledger
    }
}
