//! A platform's token endpoint: single-use refresh tokens where they are, families that die, a replay detector.

use psn::domain::platform::Platform;
use psn::domain::time::{Millis, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// What a token is worth.
#[derive(Clone, Debug)]
struct Token {
    family: usize,
    made_at: Timestamp,
    ends_at: Option<Timestamp>,
    used: bool,
}

/// Everything the platform knows.
pub struct Tokens {
    pub platform: Platform,
    /// Whether a token whose successor never arrived is honoured again.
    pub forgives: bool,
    /// Whether a renewal ends the access token before it.
    pub ends_former: bool,
    families_dead: BTreeSet<usize>,
    families: usize,
    tokens: BTreeMap<String, Token>,
    made: u64,
    pub granted: u64,
}

pub struct Pair {
    pub access: String,
    pub refresh: Option<String>,
}

impl Tokens {
    pub fn new(platform: Platform, forgives: bool, ends_former: bool) -> Self {
        Self {
            platform,
            forgives,
            ends_former,
            families_dead: BTreeSet::new(),
            families: 0,
            tokens: BTreeMap::new(),
            made: 0,
            granted: 0,
        }
    }

    pub fn life(&self) -> Millis {
        Millis(match self.platform {
            Platform::X => 2 * 3_600_000,
            Platform::TikTok => 24 * 3_600_000,
            Platform::LinkedIn | Platform::Instagram => 60 * 24 * 3_600_000,
        })
    }

    pub fn rotates(&self) -> bool {
        matches!(self.platform, Platform::X | Platform::TikTok)
    }

    fn make(&mut self, what: &str, family: usize, now: Timestamp, life: Option<Millis>) -> String {
        self.made += 1;
        let name = format!("token{what}{:06}", self.made);
        let token = Token {
            family,
            made_at: now,
            ends_at: life.map(|life| now + life),
            used: false,
        };
        self.tokens.insert(name.clone(), token);
        name
    }

    fn pair(&mut self, family: usize, now: Timestamp, refresh: Option<String>) -> Pair {
        let life = self.life();
        let access = self.make("a", family, now, Some(life));
        let has_refresh = self.platform != Platform::Instagram;
        let refresh = refresh.or_else(|| has_refresh.then(|| self.make("r", family, now, None)));
        Pair { access, refresh }
    }

    /// A person consents.
    pub fn consent(&mut self, now: Timestamp) -> Pair {
        self.families += 1;
        self.pair(self.families, now, None)
    }

    /// The owner of that token withdraws the consent it came from.
    pub fn withdraw(&mut self, token: &str) {
        if let Some(token) = self.tokens.get(token) {
            self.families_dead.insert(token.family);
        }
    }

    pub fn is_valid(&self, access: &str, now: Timestamp) -> bool {
        self.tokens.get(access).is_some_and(|token| {
            !token.used && !self.families_dead.contains(&token.family) && token.ends_at.is_none_or(|end| end > now)
        })
    }

    /// A renewal takes effect, or is refused.
    pub fn renew(&mut self, credential: &str, former: Option<&str>, was_known: bool, now: Timestamp) -> Option<Pair> {
        let token = self.tokens.get(credential)?.clone();
        let dead = self.families_dead.contains(&token.family) || token.ends_at.is_some_and(|end| end <= now);
        if dead {
            return None;
        }
        if self.platform == Platform::Instagram {
            if now.since(token.made_at) < Millis(24 * 3_600_000) {
                return None;
            }
            self.granted += 1;
            return Some(self.pair(token.family, now, None));
        }
        if !self.rotates() {
            self.granted += 1;
            return Some(self.pair(token.family, now, Some(credential.to_owned())));
        }
        if token.used && (was_known || !self.forgives) {
            self.families_dead.insert(token.family);
            return None;
        }
        if let Some(token) = self.tokens.get_mut(credential) {
            token.used = true;
        }
        if self.ends_former
            && let Some(former) = former.and_then(|former| self.tokens.get_mut(former))
        {
            former.used = true;
        }
        self.granted += 1;
        Some(self.pair(token.family, now, None))
    }
}
