//! The index's part in pauses: who may go out is let in here, so that a pause can tell everyone who was, and nobody else
//! can be going out. What waited goes on one after the other when the pause ends.
//!
//! Posts ask before they claim ([`Pauses::admit`]), in the request in which they ask for holds: that is all a pause costs
//! while there is none. A post that was let in hears of a pause from [`begin`], which answers once all of them have, so
//! that nothing is asked for between two parts. A post that is to end lets nobody in again: it asks anew when it is woken.
//!
//! Keys of the index's table → value: `pause/{scope}` → [`Pause`]; `let_in/{post}` and `paused/{post}` → [`Asker`];
//! `turn/{post}` → [`Turn`]; `turn_at/{time}/{post}` → `""`, the same by time.

use crate::domain::account::HoldScope;
use crate::domain::id::{PostId, UserId};
use crate::domain::order;
use crate::domain::post::{PartState, Status};
use crate::domain::publish::view::PostView;
use crate::domain::publish::{Hold, WaitReason};
use crate::domain::spacing;
use crate::domain::time::{Millis, Timestamp};
use crate::ports::clock::Clock;
use crate::ports::json;
use crate::ports::objects::{IndexReply, Objects, PostReply, PostRequest};
use crate::ports::pauses::{Pause, Pauses as Standing, PausesRequest, Purpose};
use crate::ports::table::Table;
use crate::tasks::keys::{encode, time_key};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A post that waits for the end of a pause asks again after this time at the latest, should nobody tell it.
const AGAIN_MS: Millis = Millis(6 * 3_600_000);
/// Who was let in so long ago and was not heard of since is not going out any more.
const LET_IN_KEPT_MS: Millis = Millis(30 * 24 * 3_600_000);
/// Posts told at the same time.
const TOLD_AT_ONCE: usize = 20;
/// Posts told in one request: the runtime lets an object ask so many others.
const TOLD_MAX: usize = 900;
/// Posts let go in one alarm.
const RELEASED_MAX: usize = 100;
/// A post that could not be told that its turn has come is told again after this time.
const TELL_AGAIN_MS: Millis = Millis(30_000);

/// A post as it asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Asker {
    at: Timestamp,
    scopes: Vec<HoldScope>,
    due_at: Option<Timestamp>,
    begun: bool,
}

/// When a post that waited goes on.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Turn {
    at: Timestamp,
    asker: Asker,
}

/// Who asks to be let in.
pub struct Asking<'a> {
    /// The post.
    pub post_id: &'a PostId,
    /// Everything that may hold it.
    pub scopes: &'a [HoldScope],
    /// What it is about to do.
    pub purpose: Purpose,
    /// When it is or was due.
    pub due_at: Option<Timestamp>,
    /// Whether a part is out or may be.
    pub begun: bool,
}

/// What becomes of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// Nothing is paused.
    Free,
    /// It may look at what is in doubt, and asks again before it sends anything.
    Look,
    /// It waits.
    Held(Hold),
}

/// The pauses over the index's table, at an instant.
pub struct Pauses<'a> {
    /// Where they are kept.
    pub table: &'a dyn Table,
    /// The time.
    pub now: Timestamp,
}

impl Pauses<'_> {
    fn read<T: for<'de> Deserialize<'de>>(&self, key: &str) -> Result<Option<T>, String> {
        let Some(text) = self.table.get(key)? else {
            return Ok(None);
        };
        json::read(&text)
            .map(Some)
            .map_err(|error| format!("`{key}` cannot be read: {error}"))
    }

    /// Everything below a prefix that ends in `/`, by what stands behind it.
    fn all<T: for<'de> Deserialize<'de>>(&self, prefix: &str) -> Result<Vec<(String, T)>, String> {
        // `0` sorts right after `/`.
        let end = format!("{}0", prefix.trim_end_matches('/'));
        let mut found = Vec::new();
        for (key, text) in self.table.scan(prefix, &end, usize::MAX)? {
            if let (Some(name), Ok(value)) = (key.strip_prefix(prefix), json::read(&text)) {
                found.push((name.to_owned(), value));
            }
        }
        Ok(found)
    }

    /// The pause that covers one of the scopes.
    fn covering(&self, scopes: &[HoldScope]) -> Result<Option<Hold>, String> {
        for scope in scopes {
            if let Some(pause) = self.read::<Pause>(&format!("pause/{scope}"))? {
                return Ok(Some(self.hold(scope.clone(), &pause)));
            }
        }
        Ok(None)
    }

    fn hold(&self, scope: HoldScope, pause: &Pause) -> Hold {
        let what = match scope {
            HoldScope::Account(_) => "publishing on this account is paused",
            _ => "publishing is paused",
        };
        let reason = pause
            .reason
            .as_ref()
            .map(|reason| format!(" ({reason})"))
            .unwrap_or_default();
        Hold {
            scope,
            reason: WaitReason::Person,
            until: self.now + AGAIN_MS,
            message: format!("{what} since {}{reason}: `psn resume` lets it go on", pause.since),
        }
    }

    /// Whether a post may go on as far as people let it.
    ///
    /// # Errors
    /// In words, when the storage fails (so for each method).
    pub fn admit(&self, asking: &Asking<'_>) -> Result<Admission, String> {
        let pause = self.covering(asking.scopes)?;
        match (&pause, asking.purpose) {
            (_, Purpose::TakeDown) => return Ok(Admission::Free),
            (Some(_), Purpose::Look) => return Ok(Admission::Look),
            (Some(_), Purpose::Publish) => {
                self.forget_turn(asking.post_id)?;
                self.put_asker("paused", asking.post_id, &self.asker(asking))?;
            }
            (None, _) => {}
        }
        let hold = match pause {
            Some(hold) => Some(hold),
            // What is in doubt is looked up whoever's turn it is.
            None if asking.purpose == Purpose::Look => None,
            None => self.turn_to_come(asking)?,
        };
        Ok(hold.map_or(Admission::Free, Admission::Held))
    }

    fn turn_to_come(&self, asking: &Asking<'_>) -> Result<Option<Hold>, String> {
        let turn = self.read::<Turn>(&turn_key(asking.post_id))?;
        let Some(turn) = turn.filter(|turn| turn.at > self.now) else {
            return Ok(None);
        };
        let scope = turn.asker.scopes.first().or_else(|| asking.scopes.first());
        Ok(scope.map(|scope| Hold {
            scope: scope.clone(),
            reason: WaitReason::Person,
            until: turn.at,
            message: format!(
                "publishing goes on, one post after the other: its turn is at {}",
                turn.at
            ),
        }))
    }

    fn asker(&self, asking: &Asking<'_>) -> Asker {
        let by_people = |scope: &&HoldScope| matches!(scope, HoldScope::Account(_) | HoldScope::User(_));
        Asker {
            at: self.now,
            scopes: asking.scopes.iter().filter(by_people).cloned().collect(),
            due_at: asking.due_at,
            begun: asking.begun,
        }
    }

    fn put_asker(&self, place: &str, post_id: &PostId, asker: &Asker) -> Result<(), String> {
        self.table.put(&format!("{place}/{post_id}"), &encode(asker)?)
    }

    /// It is let in: from now on it may call until it is told otherwise.
    #[allow(clippy::missing_errors_doc)]
    pub fn let_in(&self, asking: &Asking<'_>) -> Result<(), String> {
        let mut asker = self.asker(asking);
        // Its account may have become known only after it was let in first.
        if let Some(before) = self.read::<Asker>(&format!("let_in/{}", asking.post_id))? {
            let more = before.scopes.into_iter().filter(|scope| !asker.scopes.contains(scope));
            let more: Vec<_> = more.collect();
            asker.scopes.extend(more);
        }
        self.put_asker("let_in", asking.post_id, &asker)?;
        self.table.delete(&format!("paused/{}", asking.post_id))?;
        self.forget_turn(asking.post_id)
    }

    /// It rests: it is not going out, and waits for nothing.
    #[allow(clippy::missing_errors_doc)]
    pub fn rests(&self, post_id: &PostId) -> Result<(), String> {
        self.table.delete(&format!("let_in/{post_id}"))?;
        self.table.delete(&format!("paused/{post_id}"))?;
        self.forget_turn(post_id)
    }

    fn forget_turn(&self, post_id: &PostId) -> Result<(), String> {
        if let Some(turn) = self.read::<Turn>(&turn_key(post_id))? {
            self.table.delete(&turn_at_key(turn.at, post_id))?;
            self.table.delete(&turn_key(post_id))?;
        }
        Ok(())
    }

    fn put_turn(&self, post_id: &PostId, turn: &Turn) -> Result<(), String> {
        self.forget_turn(post_id)?;
        self.table.put(&turn_key(post_id), &encode(turn)?)?;
        self.table.put(&turn_at_key(turn.at, post_id), "")
    }

    /// A pause begins: turns that it covers are to be given anew when it ends.
    fn record(&self, scope: &HoldScope, pause: &Pause) -> Result<(), String> {
        let key = format!("pause/{scope}");
        if self.read::<Pause>(&key)?.is_none() {
            self.table.put(&key, &encode(pause)?)?;
        }
        for (post_id, turn) in self.all::<Turn>("turn/")? {
            if turn.asker.scopes.contains(scope) {
                let post_id = PostId(post_id);
                self.forget_turn(&post_id)?;
                self.put_asker("paused", &post_id, &turn.asker)?;
            }
        }
        Ok(())
    }

    fn inside(&self, scope: &HoldScope) -> Result<Vec<PostId>, String> {
        let mut found = self.all::<Asker>("let_in/")?;
        found.retain(|(_, asker)| asker.scopes.contains(scope));
        Ok(found.into_iter().map(|(post_id, _)| PostId(post_id)).collect())
    }

    /// A post that was let in has heard of a pause; answers whether a call of it is under way.
    fn heard(&self, post_id: &PostId, view: Option<&PostView>) -> Result<bool, String> {
        let key = format!("let_in/{post_id}");
        let asker = self.read::<Asker>(&key)?;
        self.table.delete(&key)?;
        let (Some(mut asker), Some(view)) = (asker, view.filter(|view| !view.resting)) else {
            return Ok(false);
        };
        asker.begun |= view.parts.iter().any(|part| part.state != PartState::Pending);
        // What was given another time meanwhile asks when that comes.
        if matches!(view.status, Status::Retry | Status::Publishing) {
            self.put_asker("paused", post_id, &asker)?;
        }
        let is_unsettled = |state| matches!(state, PartState::Sending | PartState::Unknown);
        Ok(view.status == Status::Publishing && view.parts.iter().any(|part| is_unsettled(part.state)))
    }

    /// Pauses end: what waited for them, and waits for no other, gets its turn.
    fn end(&self, scopes: &[HoldScope], every: Millis) -> Result<(), String> {
        for scope in scopes {
            self.table.delete(&format!("pause/{scope}"))?;
        }
        let mut waiting: BTreeMap<Option<HoldScope>, Vec<(PostId, Asker)>> = BTreeMap::new();
        for (post_id, asker) in self.all::<Asker>("paused/")? {
            if asker.scopes.iter().any(|scope| scopes.contains(scope)) && self.covering(&asker.scopes)?.is_none() {
                waiting
                    .entry(account_of(&asker))
                    .or_default()
                    .push((PostId(post_id), asker));
            }
        }
        let mut last: BTreeMap<Option<HoldScope>, Timestamp> = BTreeMap::new();
        for (_, turn) in self.all::<Turn>("turn/")? {
            let account = last.entry(account_of(&turn.asker)).or_insert(turn.at);
            *account = turn.at.max(*account);
        }
        for (account, mut posts) in waiting {
            order::sort_by(&mut posts, |(one, left), (other, right)| {
                (!left.begun, left.due_at, one).cmp(&(!right.begun, right.due_at, other))
            });
            let from = last
                .get(&account)
                .map_or(self.now, |last| (*last + every).max(self.now));
            let turns = spacing::turns(from, every, posts.iter().map(|(_, asker)| asker.begun));
            for ((post_id, asker), at) in posts.into_iter().zip(turns) {
                self.table.delete(&format!("paused/{post_id}"))?;
                self.put_turn(&post_id, &Turn { at, asker })?;
            }
        }
        Ok(())
    }

    /// How it stands for a user; `None` for everybody.
    #[allow(clippy::missing_errors_doc)]
    pub fn standing(&self, user_id: Option<&UserId>) -> Result<Standing, String> {
        let mut pauses: Vec<Pause> = self
            .all::<Pause>("pause/")?
            .into_iter()
            .map(|(_, pause)| pause)
            .collect();
        pauses.retain(|pause| user_id.is_none_or(|user_id| pause.user_id == *user_id));
        order::sort_by(&mut pauses, |one, other| {
            (&one.account_id, one.since).cmp(&(&other.account_id, other.since))
        });
        let user = user_id.cloned().map(HoldScope::User);
        let is_theirs = |asker: &Asker| user.as_ref().is_none_or(|user| asker.scopes.contains(user));
        let paused = self.all::<Asker>("paused/")?;
        let mut turns = self.all::<Turn>("turn/")?;
        turns.retain(|(_, turn)| is_theirs(&turn.asker));
        Ok(Standing {
            pauses,
            waiting: paused.iter().filter(|(_, asker)| is_theirs(asker)).count(),
            queued: turns.len(),
            next_at: turns.iter().map(|(_, turn)| turn.at).min(),
            last_at: turns.iter().map(|(_, turn)| turn.at).max(),
            settling: 0,
        })
    }

    /// When somebody's turn comes next.
    #[allow(clippy::missing_errors_doc)]
    pub fn alarm_at(&self) -> Result<Option<Timestamp>, String> {
        let first = self.table.scan("turn_at/", "turn_at0", 1)?;
        let at = first.first().and_then(|(key, _)| key.split('/').nth(1)?.parse().ok());
        Ok(at.map(Timestamp))
    }

    fn due(&self) -> Result<Vec<PostId>, String> {
        // What is due at this very instant is due.
        let until = format!("turn_at/{}", time_key(self.now + Millis(1)));
        let found = self.table.scan("turn_at/", &until, RELEASED_MAX)?;
        Ok(found
            .iter()
            .filter_map(|(key, _)| key.rsplit('/').next())
            .map(PostId::from)
            .collect())
    }

    /// A post was told that its turn has come, or could not be.
    fn told_of_turn(&self, post_id: &PostId, is_told: bool) -> Result<(), String> {
        let Some(mut turn) = self
            .read::<Turn>(&turn_key(post_id))?
            .filter(|turn| turn.at <= self.now)
        else {
            return Ok(());
        };
        if is_told {
            return self.forget_turn(post_id);
        }
        turn.at = self.now + TELL_AGAIN_MS;
        self.put_turn(post_id, &turn)
    }

    /// Forgets who was let in long ago.
    #[allow(clippy::missing_errors_doc)]
    pub fn prune(&self) -> Result<(), String> {
        for (post_id, asker) in self.all::<Asker>("let_in/")? {
            if self.now.since(asker.at) > LET_IN_KEPT_MS {
                self.table.delete(&format!("let_in/{post_id}"))?;
            }
        }
        Ok(())
    }
}

fn turn_key(post_id: &PostId) -> String {
    format!("turn/{post_id}")
}

fn turn_at_key(at: Timestamp, post_id: &PostId) -> String {
    format!("turn_at/{}/{post_id}", time_key(at))
}

fn account_of(asker: &Asker) -> Option<HoldScope> {
    let is_account = |scope: &&HoldScope| matches!(scope, HoldScope::Account(_));
    asker.scopes.iter().find(is_account).cloned()
}

/// Answers a request about pauses; whoever serves it sets the alarm anew after it.
pub async fn answer<O: Objects>(
    table: &dyn Table,
    clock: &dyn Clock,
    objects: &O,
    request: PausesRequest,
) -> IndexReply {
    let pauses = || Pauses {
        table,
        now: clock.now(),
    };
    let answered = match request {
        PausesRequest::Begin {
            user_id,
            account_id,
            reason,
        } => {
            let scope = PausesRequest::scope(&user_id, account_id.as_ref());
            let pause = Pause {
                user_id,
                account_id,
                since: clock.now(),
                reason,
            };
            begin(&pauses, objects, scope, &pause).await
        }
        PausesRequest::End {
            user_id,
            account_id,
            every,
        } => ended(&pauses(), &user_id, account_id.map(HoldScope::Account), every),
        PausesRequest::Show { user_id } => pauses().standing(Some(&user_id)),
        PausesRequest::ShowAll => pauses().standing(None),
    };
    answered.map_or_else(|message| IndexReply::Failed { message }, IndexReply::Pauses)
}

fn ended(pauses: &Pauses<'_>, user_id: &UserId, account: Option<HoldScope>, every: Millis) -> Result<Standing, String> {
    let known = pauses.standing(Some(user_id))?.pauses;
    let mut scopes: Vec<HoldScope> = known
        .iter()
        .map(|pause| PausesRequest::scope(&pause.user_id, pause.account_id.as_ref()))
        .collect();
    if let Some(account) = account {
        scopes.retain(|scope| *scope == account);
    }
    pauses.end(&scopes, every)?;
    pauses.standing(Some(user_id))
}

/// Begins a pause: from the moment it is recorded nobody is let in, and who is inside hears of it before this answers.
async fn begin<'a, O: Objects>(
    pauses: &impl Fn() -> Pauses<'a>,
    objects: &O,
    scope: HoldScope,
    pause: &Pause,
) -> Result<Standing, String> {
    pauses().record(&scope, pause)?;
    let hold = pauses().hold(scope.clone(), pause);
    let inside = pauses().inside(&scope)?;
    let (mut settling, mut deaf) = (0, inside.len().saturating_sub(TOLD_MAX));
    for some in inside.get(..TOLD_MAX).unwrap_or(&inside).chunks(TOLD_AT_ONCE) {
        let told = some
            .iter()
            .map(|post_id| objects.post(post_id, PostRequest::Hold(hold.clone())));
        for (post_id, reply) in some.iter().zip(join_all(told).await) {
            let view = match &reply {
                Ok(PostReply::Post(post)) => Some(&post.view),
                Ok(_) => None,
                Err(_) => {
                    deaf += 1;
                    continue;
                }
            };
            settling += usize::from(pauses().heard(post_id, view)?);
        }
    }
    if deaf > 0 {
        return Err(format!(
            "nothing new begins any more, but {deaf} posts that are going out could not be told: ask for the pause again"
        ));
    }
    let standing = pauses().standing(Some(&pause.user_id))?;
    Ok(Standing { settling, ..standing })
}

/// Lets those go on whose turn has come; answers how many.
///
/// # Errors
/// In words, when the storage fails.
pub async fn release_due<O: Objects>(table: &dyn Table, clock: &dyn Clock, objects: &O) -> Result<usize, String> {
    let pauses = || Pauses {
        table,
        now: clock.now(),
    };
    let due = pauses().due()?;
    let mut released = BTreeSet::new();
    for some in due.chunks(TOLD_AT_ONCE) {
        let told = some.iter().map(|post_id| objects.post(post_id, PostRequest::Release));
        for (post_id, reply) in some.iter().zip(join_all(told).await) {
            pauses().told_of_turn(post_id, reply.is_ok())?;
            released.extend(reply.is_ok().then_some(post_id));
        }
    }
    Ok(released.len())
}
