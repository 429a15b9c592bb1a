//! Performing effects: calls to the platform, the database and the index.

use super::row::{self, Row};
use super::{Credentials, PostObject, told};
use crate::domain::account::{Account, HoldScope};
use crate::domain::id::{AccountId, RemoteId, RunToken, UserId};
use crate::domain::limits;
use crate::domain::outcome::{Deletion, LookUp, Outcome, Preparation, ReadBack};
use crate::domain::publish::{ClaimAnswer, Effect, Event, InsertAnswer, Phase, Plan, State, TokenState, WaitReason};
use crate::domain::renewal::schedule::wants_renewal;
use crate::domain::text;
use crate::domain::time::Millis;
use crate::platforms::{self, AccessToken, LookUpQuery, PartToPublish, PlatformClient};
use crate::ports::http::HttpClient;
use crate::ports::json;
use crate::ports::objects::{
    AccountReply, AccountRequest, IndexReply, IndexRequest, ObjectError, Objects, PostReply, Spend,
};
use crate::ports::pause::Ambient;
use crate::ports::pauses::Purpose;
use crate::ports::waker::Waker;
use crate::store::StoreError;
use crate::store::accounts::TokenRow;
use crate::store::claim::{Claim, ClaimRefusal, ClaimResult};
use crate::store::content;
use crate::store::posts::{DeleteResult, InsertResult, NewPostRow, SimilarCandidate, ThreadProgress};
use crate::store::project::Projection;
use futures_util::future::{Either, select};
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};

/// The row is brought up to date so often while parts are going out; the request has the rest of the allowed lag.
const MIRROR_EVERY_MS: Millis = Millis(limits::PROJECTION_LAG_MS_MAX.0 - 1_000);
/// A post that cannot be claimed for a reason that a person must remove looks again after this time.
const CLAIM_AGAIN_MS: Millis = Millis(15 * 60_000);
/// A post whose account has no usable token looks again after this time; importing one wakes it at once.
const TOKEN_AGAIN_MS: Millis = Millis(6 * 3_600_000);

/// A post whose account's object could not be reached asks again after this time.
const ACCOUNT_AGAIN_MS: Millis = Millis(15_000);

const NO_TOKEN: &str = "the account's token is not at hand";

type Platform<H, A> = platforms::Client<H, A>;

impl<H, A, O, W> PostObject<H, A, O, W>
where
    H: HttpClient + Clone,
    A: Ambient + Clone,
    O: Objects,
    W: Waker,
{
    /// Performs an effect; its answer is the next event.
    ///
    /// The row follows while a publishing call is under way, off the critical path: `mirroring` outlives the call.
    pub(super) async fn perform<'a>(
        &'a self,
        state: &State,
        effect: Effect,
        calls_left: &mut u32,
        mirroring: &mut Option<Background<'a>>,
    ) -> Event {
        match effect {
            Effect::Insert => {
                let (answer, _) = self.insert(state).await;
                Event::Insert(answer)
            }
            Effect::SettleTombstone => Event::Tombstone(self.settle_tombstone(state).await),
            Effect::Claim { token } => Event::ClaimOf {
                run: token.clone(),
                answer: self.claim(state, token).await,
            },
            Effect::Prepare { step, run } => {
                *calls_left = calls_left.saturating_sub(1);
                let answer = self.prepare(state, step).await;
                Event::Preparation { step, run, answer }
            }
            Effect::Publish {
                step,
                id,
                text,
                reply_to,
            } => {
                *calls_left = calls_left.saturating_sub(1);
                self.memory().in_flight = true;
                let call = self.publish(state, step, &text, reply_to.as_ref());
                // Until the first answer there is nothing to say that the row does not say since the claim.
                let is_first = state.confirmed_count() == 0 && state.steps.iter().all(|step| step.attempt_last <= 1);
                let outcome = if is_first {
                    call.await
                } else {
                    beside(call, mirroring, || Box::pin(self.mirror_when_due())).await
                };
                self.memory().in_flight = false;
                Event::Call { id, outcome }
            }
            Effect::LookUp {
                step,
                text,
                reply_to,
                since,
                known_ids,
            } => {
                *calls_left = calls_left.saturating_sub(1);
                let started_at = self.now();
                let query = Query {
                    step,
                    text,
                    reply_to,
                    since,
                    known_ids,
                };
                Event::Look {
                    step,
                    started_at,
                    answer: self.look_up(state, &query).await,
                }
            }
            Effect::Identify { step, remote_id } => {
                *calls_left = calls_left.saturating_sub(1);
                let remote_id = self.identify(state, step, &remote_id).await;
                Event::Identity { step, remote_id }
            }
            Effect::RenewToken { message } => Event::Token(self.renew_token(state, message).await),
            Effect::Delete { step, remote_id } => {
                *calls_left = calls_left.saturating_sub(1);
                Event::Deletion {
                    step,
                    answer: self.delete(state, &remote_id).await,
                }
            }
        }
    }

    // ---- the platform --------------------------------------------------------------------------------------------

    fn platform(&self, plan: &Plan) -> Platform<H, A> {
        let (http, clock) = (self.around.http.clone(), self.around.ambient.clone());
        Platform::new(plan.platform, http, clock, &self.around.settings.platforms)
    }

    fn credentials(&self) -> Option<Credentials> {
        self.memory().token.clone()
    }

    /// What a call takes; `None` while the account's token is not at hand.
    fn at_hand<'a>(&self, state: &'a State) -> Option<(Platform<H, A>, Credentials, &'a Plan)> {
        let plan = state.plan.as_ref()?;
        Some((self.platform(plan), self.credentials()?, plan))
    }

    async fn prepare(&self, state: &State, step: usize) -> Preparation {
        let Some((platform, credentials, plan)) = self.at_hand(state) else {
            return Preparation::NotNow {
                message: NO_TOKEN.to_owned(),
                retry_at: None,
            };
        };
        let addresses = self.around.settings.addresses(plan.media(step), self.now());
        let deadline = self.around.settings.policy.call_deadline_ms;
        let part = PartToPublish {
            text: plan.parts.get(step).map_or("", String::as_str),
            reply_to: step.checked_sub(1).and_then(|before| state.steps[before].remote_id()),
            addresses: &addresses,
            remote_user_id: credentials.remote_user_id.as_ref(),
            deadline: deadline.max(limits::UPLOAD_DEADLINE_MS),
            ..planned_part(state, plan, step)
        };
        platform.prepare(&credentials.token, &part).await
    }

    async fn publish(&self, state: &State, step: usize, text: &str, reply_to: Option<&RemoteId>) -> Outcome {
        let Some((platform, credentials, plan)) = self.at_hand(state) else {
            return Outcome::NotSent {
                message: NO_TOKEN.to_owned(),
            };
        };
        let addresses = self.around.settings.addresses(plan.media(step), self.now());
        let part = PartToPublish {
            text,
            reply_to,
            addresses: &addresses,
            remote_user_id: credentials.remote_user_id.as_ref(),
            deadline: self.around.settings.policy.call_deadline_ms,
            ..planned_part(state, plan, step)
        };
        match platform.publish(&credentials.token, &part).await {
            Outcome::Accepted { remote_id } if reply_to.is_none() => self.accepted(state, remote_id).await,
            Outcome::DuplicateOf { remote_id, message } => self.duplicate_of(state, step, remote_id, message).await,
            outcome => outcome,
        }
    }

    /// A first part is out. Another post with the same text that was in doubt at that moment may have found it before this
    /// answer came, and then this post's own is still to be found. (Later parts are told apart by what they reply to.) An
    /// index that cannot be asked makes no doubt out of an answer.
    async fn accepted(&self, state: &State, remote_id: RemoteId) -> Outcome {
        match self.first_own(state, vec![remote_id.clone()]).await {
            Ok(LookUp::Absent) => Outcome::Ambiguous {
                message: "the platform answered with the id of another post of yours".to_owned(),
            },
            _ => Outcome::Accepted { remote_id },
        }
    }

    /// The platform has this content already. Where an earlier call of this step may have brought it there, it has to be
    /// no other post of ours: with that one in the way nobody can tell what became of the call.
    async fn duplicate_of(&self, state: &State, step: usize, remote_id: RemoteId, message: String) -> Outcome {
        if state.steps.get(step).is_some_and(|step| step.was_doubted) {
            match self.first_own(state, vec![remote_id.clone()]).await {
                Ok(LookUp::Present { .. }) => {}
                Ok(_) => {
                    let message = format!("{message}; that is another post of yours");
                    return Outcome::Ambiguous { message };
                }
                Err(message) => return Outcome::Ambiguous { message },
            }
        }
        Outcome::DuplicateOf { remote_id, message }
    }

    async fn look_up(&self, state: &State, query: &Query) -> LookUp {
        let unreadable = |message: &str| LookUp::Unreadable {
            message: message.to_owned(),
            retry_at: None,
            token_dead: false,
        };
        let Some((platform, credentials, plan)) = self.at_hand(state) else {
            return unreadable(NO_TOKEN);
        };
        let remote_user_id = match credentials.remote_user_id {
            Some(known) => known,
            None => match platform.who_am_i(&credentials.token).await {
                Ok(who) => who.remote_user_id,
                Err(error) => return unreadable(&error.to_string()),
            },
        };
        let asked = LookUpQuery {
            remote_user_id: &remote_user_id,
            text: &query.text,
            reply_to: query.reply_to.as_ref(),
            since: query.since,
            known_ids: &query.known_ids,
            media_count: plan.media(query.step).len(),
            options: plan.options.as_deref(),
            handles: state.steps.get(query.step).map_or(&[], |step| &step.prepared.handles),
            attempts: state.steps.get(query.step).map_or(0, |step| step.attempts),
        };
        let _ = self.table.put("reads", &(self.reads() + 1).to_string());
        let answer = platform.look_up(&credentials.token, &asked).await;
        let LookUp::Present { .. } = answer.verdict else {
            return answer.verdict;
        };
        // The same text may have been published by another post of ours: what belongs to that one is not this one's.
        self.first_own(state, answer.candidates)
            .await
            .unwrap_or_else(|message| unreadable(&message))
    }

    async fn first_own(&self, state: &State, candidates: Vec<RemoteId>) -> Result<LookUp, String> {
        let (Some(plan), Some(account_id)) = (&state.plan, state.account_id.clone()) else {
            return Err("the post's account is not known".to_owned());
        };
        let request = IndexRequest::Claim {
            post_id: plan.post_id.clone(),
            account_id,
            remote_ids: candidates,
            known_ids: state.remote_ids().into_iter().cloned().collect(),
        };
        match self.around.objects.index(request).await {
            Ok(IndexReply::Own { remote_id }) => {
                Ok(remote_id.map_or(LookUp::Absent, |remote_id| LookUp::Present { remote_id }))
            }
            Ok(_) => Err("the index did not answer".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn delete(&self, state: &State, remote_id: &RemoteId) -> Deletion {
        match self.at_hand(state) {
            Some((platform, credentials, _)) => platform.delete(&credentials.token, remote_id).await,
            None => Deletion::NotNow {
                message: NO_TOKEN.to_owned(),
                retry_at: None,
                token_dead: false,
            },
        }
    }

    /// Where people find what is out, as far as the platform was asked.
    pub(super) fn addresses(&self) -> Result<BTreeMap<RemoteId, String>, String> {
        let stored = self.table.get("addresses")?;
        Ok(stored.and_then(|text| json::read(&text).ok()).unwrap_or_default())
    }

    /// Asks for them once nothing else is to be done. They are shown to people, and nothing depends on them: what is not
    /// told is left.
    pub(super) async fn find_addresses(&self, state: &State) -> Result<(), String> {
        let Some(plan) = state
            .plan
            .as_ref()
            .filter(|plan| platforms::tells_addresses(plan.platform))
        else {
            return Ok(());
        };
        let mut known = self.addresses()?;
        let is_new = |id: &&RemoteId| id.handle().is_none() && !known.contains_key(*id);
        let new: Vec<RemoteId> = state.remote_ids().into_iter().filter(is_new).cloned().collect();
        if !state.is_resting() || new.is_empty() {
            return Ok(());
        }
        let Some((token, _)) = self.token_of_row(state).await else {
            return Ok(());
        };
        let platform = self.platform(plan);
        for id in new {
            if let Some(address) = platform.address(&token, &id).await {
                known.insert(id, address);
            }
        }
        self.table
            .put("addresses", &serde_json::to_string(&known).unwrap_or_default())
    }

    /// The account's token outside a run, and the row that it is from.
    async fn token_of_row(&self, state: &State) -> Option<(AccessToken, TokenRow)> {
        let (plan, account_id) = (state.plan.as_ref()?, state.account_id.as_ref()?);
        let tokens = self.usable_row(&plan.user_id, account_id, None).await.ok()?;
        Some((self.open(&tokens).ok()?, tokens))
    }

    /// Asks what the platform calls a part. Outside a run: the token is read for it.
    async fn identify(&self, state: &State, index: usize, remote_id: &RemoteId) -> Option<RemoteId> {
        let plan = state.plan.as_ref()?;
        let (token, tokens) = self.token_of_row(state).await?;
        let owner = tokens.account.remote_user_id.as_ref()?;
        let step = state.steps.get(index)?;
        let known_ids: Vec<RemoteId> = state.remote_ids().into_iter().cloned().collect();
        let query = LookUpQuery {
            remote_user_id: owner,
            text: plan.parts.get(index)?,
            reply_to: None,
            since: step.first_attempt_at?,
            known_ids: &known_ids,
            media_count: plan.media(index).len(),
            options: plan.options.as_deref(),
            handles: &step.prepared.handles,
            attempts: step.attempts,
        };
        self.platform(plan).identify(&token, &query, remote_id.handle()?).await
    }

    /// Reads a remote post back for a person's verdict. Outside a run: the token is read for it, and renewed where it would
    /// not last or is refused.
    pub(super) async fn read_remote(
        &self,
        state: &State,
        account_id: &AccountId,
        remote_id: &RemoteId,
        text: &str,
    ) -> ReadBack {
        let unreadable = |message: String| ReadBack::Unreadable {
            message,
            token_dead: false,
        };
        let Some(plan) = &state.plan else {
            return unreadable("the post is not planned yet".to_owned());
        };
        let platform = self.platform(plan);
        let mut refused = None;
        loop {
            let usable = self.usable_row(&plan.user_id, account_id, refused.clone()).await;
            let tokens = match usable {
                Ok(tokens) => tokens,
                Err(message) => return unreadable(message),
            };
            let (Ok(token), Some(owner)) = (self.open(&tokens), &tokens.account.remote_user_id) else {
                return unreadable("the account's token cannot be used".to_owned());
            };
            match platform.read_back(&token, remote_id, text, owner).await {
                ReadBack::Unreadable { token_dead: true, .. } if refused.is_none() => refused = Some(tokens.version),
                answer => return answer,
            }
        }
    }

    /// The account's row with a token that lasts, as far as its object can see to that; else why not.
    async fn usable_row(
        &self,
        user: &UserId,
        account: &AccountId,
        refused: Option<String>,
    ) -> Result<TokenRow, String> {
        let not_connected = || "the account is not connected".to_owned();
        let read = || async {
            let tokens = self.around.store.token_read(user, account).await;
            tokens.map_err(|error| error.to_string())?.ok_or_else(not_connected)
        };
        let tokens = read().await?;
        if refused.is_none() && !wants_renewal(tokens.account.platform, tokens.expires_at, self.now()) {
            return Ok(tokens);
        }
        let user_id = user.clone();
        let request = AccountRequest::Usable { user_id, refused };
        match self.around.objects.account(account, request).await {
            Ok(AccountReply::Usable { .. }) => read().await,
            Ok(AccountReply::Later { message, .. } | AccountReply::NeedsReauth { message }) => Err(message),
            Ok(AccountReply::NotFound) => Err(not_connected()),
            other => Err(unanswered(other)),
        }
    }

    fn open(&self, tokens: &TokenRow) -> Result<AccessToken, String> {
        let secret = tokens.open_access(&self.sealer).map_err(|error| error.to_string())?;
        let scopes = tokens.scopes.clone().unwrap_or_default();
        Ok(AccessToken::new(secret.expose()).with_scopes(scopes))
    }

    // ---- the row -------------------------------------------------------------------------------------------------

    /// Inserts the row; repeats the insert within its deadline, for its id makes it idempotent.
    pub(super) async fn insert(&self, state: &State) -> (InsertAnswer, Option<PostReply>) {
        let Some(plan) = &state.plan else {
            return (InsertAnswer::Unknown, None);
        };
        let new = new_row(plan);
        match self.around.store.post_insert(&new).await {
            Ok(InsertResult::Inserted { account, similar }) => {
                // What the insert wrote is what the state will want.
                let mut after = state.clone();
                let entry = crate::domain::publish::Entry::Inserted {
                    account_id: account.id.clone(),
                };
                if crate::domain::publish::evolve(&mut after, self.now(), &entry).is_ok() {
                    self.remember_row(row::of(&after).as_ref());
                }
                self.remember(plan, &account, &similar);
                (InsertAnswer::Inserted { account_id: account.id }, None)
            }
            Ok(InsertResult::AlreadyThere { row, similar }) => {
                let Some(account_id) = row.psn_text("account_id").map(AccountId::from) else {
                    return (InsertAnswer::Unknown, Some(PostReply::CreationUnknown));
                };
                let _ = self.table.put("similar", &similar_ids(plan, &similar));
                (InsertAnswer::Inserted { account_id }, None)
            }
            Ok(InsertResult::NoAccount) => (InsertAnswer::Refused, Some(PostReply::Account { accounts: Vec::new() })),
            Ok(InsertResult::AmbiguousAccount(accounts)) => {
                (InsertAnswer::Refused, Some(PostReply::Account { accounts }))
            }
            Ok(InsertResult::SlotTaken) => {
                let reply = PostReply::Unprocessable {
                    field: "slot".to_owned(),
                    message: "another post fills this slot by now: take another slot".to_owned(),
                };
                (InsertAnswer::Refused, Some(reply))
            }
            Ok(InsertResult::IdTaken) => {
                let message = "its id belongs to another row: try again with another idempotency key".to_owned();
                (InsertAnswer::Refused, Some(PostReply::Conflict { message }))
            }
            Err(error) if error.may_have_run() => (InsertAnswer::Unknown, Some(PostReply::CreationUnknown)),
            Err(_) => (InsertAnswer::Refused, Some(PostReply::Unavailable)),
        }
    }

    fn remember(&self, plan: &Plan, account: &Account, similar: &[SimilarCandidate]) {
        let _ = self.table.put("similar", &similar_ids(plan, similar));
        if let Some(username) = &account.username {
            let _ = self.table.put("username", username);
        }
    }

    /// Remembers what the row shows; what is not remembered is mirrored once more than needed.
    fn remember_row(&self, row: Option<&Row>) {
        if let Some(row) = row {
            let _ = self.table.put("projected", &row.fingerprint());
        }
        self.memory().mirrored_at = Some(self.now());
    }

    async fn settle_tombstone(&self, state: &State) -> Option<bool> {
        let plan = state.plan.as_ref()?;
        self.around
            .store
            .post_tombstone(&plan.user_id, &plan.post_id, self.now())
            .await
            .ok()
    }

    async fn claim(&self, state: &State, token: RunToken) -> ClaimAnswer {
        let Some(plan) = &state.plan else {
            return ClaimAnswer::Unavailable {
                message: "there is nothing to claim".to_owned(),
            };
        };
        let scopes = self.scopes_with_user(state);
        let spend = self.spend(state);
        let has_budget = self.around.settings.platforms.budget_micro_usd(plan.platform).is_some();
        let unbudgeted = has_budget && spend.as_ref().is_some_and(|spend| spend.budget_micro_usd.is_none());
        match self.let_in((plan, state), scopes.clone(), spend).await {
            Ok(let_in) => {
                let mut memory = self.memory();
                memory.trying = let_in.turns;
                memory.only_looks = let_in.only_looks || (unbudgeted && state.unsettled().is_some());
            }
            Err(held) => return held,
        }
        // The row has to show this run's state before it can be claimed.
        if !matches!(self.mirror().await, Ok(true)) {
            return ClaimAnswer::Unavailable {
                message: "the row could not be brought up to date".to_owned(),
            };
        }
        let stored = self.table.get("content").ok().flatten();
        let claim = Claim {
            id: plan.post_id.clone(),
            user: plan.user_id.clone(),
            token,
            content: stored.unwrap_or_else(|| content::encode(&plan.parts)),
            hash: plan.hash.clone(),
            seq: state.len,
            now: self.now(),
            lead: plan.lead_ms(&self.around.settings.policy),
            take_over: false,
        };
        match self.around.store.post_claim(&claim).await {
            Ok(ClaimResult::Claimed { tokens, .. }) => {
                if state.account_id.is_none() {
                    // Only now it is known whose holds cover it.
                    let mut named = state.clone();
                    named.account_id = Some(tokens.account.id.clone());
                    let mut others = self.scopes(&named);
                    others.retain(|scope| !scopes.contains(scope));
                    match self.let_in((plan, state), others, None).await {
                        Ok(let_in) => {
                            let mut memory = self.memory();
                            memory.trying.extend(let_in.turns);
                            memory.only_looks |= let_in.only_looks;
                        }
                        Err(held) => return held,
                    }
                }
                self.take_usable(state, *tokens).await
            }
            Ok(ClaimResult::Gone) => ClaimAnswer::RowGone,
            Ok(ClaimResult::Refused { why, row }) => self.not_claimed(&why, &row.status, row.scheduled_at),
            Err(error) => ClaimAnswer::Unavailable {
                message: error.to_string(),
            },
        }
    }

    /// Asks the index to be let in; an error when one of the scopes holds it.
    async fn let_in(
        &self,
        (plan, state): (&Plan, &State),
        scopes: Vec<HoldScope>,
        spend: Option<Spend>,
    ) -> Result<LetIn, ClaimAnswer> {
        let purpose = match state.phase {
            Phase::RollingBack => Purpose::TakeDown,
            _ if state.unsettled().is_some() => Purpose::Look,
            _ => Purpose::Publish,
        };
        let request = IndexRequest::Holds {
            post_id: plan.post_id.clone(),
            scopes,
            spend,
            purpose,
            due_at: state.scheduled_at,
            begun: state.has_begun(),
        };
        match self.around.objects.index(request).await {
            Ok(IndexReply::Held {
                hold: None,
                turns,
                only_looks,
            }) => Ok(LetIn { turns, only_looks }),
            Ok(IndexReply::Held { hold: Some(hold), .. }) => {
                if hold.reason != WaitReason::Person {
                    self.remember_scope(&hold.scope);
                }
                Err(ClaimAnswer::Held {
                    reason: hold.reason,
                    until: hold.until,
                    message: hold.message,
                })
            }
            _ if purpose == Purpose::Publish => Err(ClaimAnswer::Unavailable {
                message: "the index did not say whether a pause or the month's budget allows it".to_owned(),
            }),
            // What is in doubt or to be taken down needs nobody's leave.
            _ => Ok(LetIn {
                turns: Vec::new(),
                only_looks: true,
            }),
        }
    }

    /// Takes the row's token; one that would not last is renewed first.
    async fn take_usable(&self, state: &State, tokens: TokenRow) -> ClaimAnswer {
        let used_at = state.scheduled_at.map_or(self.now(), |due| due.max(self.now()));
        if !wants_renewal(tokens.account.platform, tokens.expires_at, used_at) {
            return self.take(tokens);
        }
        let account_id = tokens.account.id.clone();
        let request = AccountRequest::Usable {
            user_id: tokens.user.clone(),
            refused: None,
        };
        match self.around.objects.account(&account_id, request).await {
            Ok(AccountReply::Usable { .. }) => {}
            Ok(AccountReply::Later { until, message }) => {
                self.remember_scope(&HoldScope::Account(account_id));
                let reason = WaitReason::Paused;
                return ClaimAnswer::Held { reason, until, message };
            }
            Ok(AccountReply::NeedsReauth { message }) => {
                self.remember_scope(&HoldScope::Account(account_id));
                return self.held_for(WaitReason::NeedsReauth, TOKEN_AGAIN_MS, &message);
            }
            Ok(AccountReply::NotFound) => return self.no_account(),
            other => {
                let message = unanswered(other);
                return ClaimAnswer::Unavailable { message };
            }
        }
        match self.around.store.token_read(&tokens.user, &account_id).await {
            Ok(Some(tokens)) => self.take(tokens),
            Ok(None) => self.no_account(),
            Err(error) => ClaimAnswer::Unavailable {
                message: error.to_string(),
            },
        }
    }

    /// Asks the account's object for another token than the one that the platform refused.
    async fn renew_token(&self, state: &State, message: String) -> TokenState {
        let credentials = self.memory().token.take();
        let (Some(plan), Some(credentials)) = (&state.plan, credentials) else {
            return TokenState::Renewed;
        };
        let account_id = credentials.account_id;
        let request = AccountRequest::Usable {
            user_id: plan.user_id.clone(),
            refused: Some(credentials.version),
        };
        let scope = HoldScope::Account(account_id.clone());
        match self.around.objects.account(&account_id, request).await {
            Ok(AccountReply::Usable { .. }) => TokenState::Renewed,
            Ok(AccountReply::Later { until, message }) => {
                self.remember_scope(&scope);
                TokenState::Later { until, message }
            }
            Ok(AccountReply::NeedsReauth { message }) => TokenState::Dead { message },
            Ok(AccountReply::NotFound) => TokenState::Dead { message },
            other => {
                self.remember_scope(&scope);
                let until = self.now() + ACCOUNT_AGAIN_MS;
                let message = unanswered(other);
                TokenState::Later { until, message }
            }
        }
    }

    fn take(&self, tokens: TokenRow) -> ClaimAnswer {
        if let Some(username) = &tokens.account.username {
            let _ = self.table.put("username", username);
        }
        match self.open(&tokens) {
            Ok(token) => {
                self.memory().mirrored_at = Some(self.now());
                let remote_user_id = tokens.account.remote_user_id.clone();
                let account_id = tokens.account.id;
                self.memory().token = Some(Credentials {
                    token,
                    remote_user_id,
                    account_id: account_id.clone(),
                    version: tokens.version,
                });
                ClaimAnswer::Claimed { account_id }
            }
            Err(message) => self.held_for(WaitReason::Paused, CLAIM_AGAIN_MS, &message),
        }
    }

    fn no_account(&self) -> ClaimAnswer {
        let message = "its account is not connected: import or connect the account, the post goes on by itself";
        if let Ok(state) = self.state()
            && let Some(plan) = state.plan
        {
            let unconnected = HoldScope::Unconnected(plan.user_id, plan.platform);
            self.remember_scope(&state.account_id.map_or(unconnected, HoldScope::Account));
        }
        self.held_for(WaitReason::NeedsReauth, TOKEN_AGAIN_MS, message)
    }

    fn held_for(&self, reason: WaitReason, again: Millis, message: &str) -> ClaimAnswer {
        ClaimAnswer::Held {
            reason,
            until: self.now() + again,
            message: message.to_owned(),
        }
    }

    fn not_claimed(
        &self,
        why: &ClaimRefusal,
        status: &str,
        scheduled_at: Option<crate::domain::time::Timestamp>,
    ) -> ClaimAnswer {
        match why {
            ClaimRefusal::Changed => ClaimAnswer::Unavailable {
                message: "the row changed just now".to_owned(),
            },
            ClaimRefusal::NoAccount => self.no_account(),
            ClaimRefusal::AmbiguousAccount(_) => {
                let message = "it names no account and there are several: create it again with an `account_id`";
                self.held_for(WaitReason::Paused, CLAIM_AGAIN_MS, message)
            }
            ClaimRefusal::Unapproved => ClaimAnswer::Unapproved,
            ClaimRefusal::Stale
            | ClaimRefusal::Held
            | ClaimRefusal::NotPublishable
            | ClaimRefusal::NotDue
            | ClaimRefusal::ContentChanged => ClaimAnswer::RowChanged {
                status: status.to_owned(),
                scheduled_at,
                same_content: *why != ClaimRefusal::ContentChanged,
            },
        }
    }

    // ---- mirroring -----------------------------------------------------------------------------------------------

    /// Waits until the row may be as old as it may get while parts are going out, then brings it up to date.
    async fn mirror_when_due(&self) {
        let last = self.memory().mirrored_at.unwrap_or(self.now());
        self.around
            .ambient
            .pause((last + MIRROR_EVERY_MS).since(self.now()))
            .await;
        let _ = self.mirror().await;
        self.memory().mirrored_at = Some(self.now());
    }

    /// Deletes the row. One that still waits for its time becomes a draft first: only what rests is deleted.
    async fn delete_row(&self, state: &State, plan: &Plan, row: &Row) -> Result<(), StoreError> {
        let store = &self.around.store;
        let deleted = store.post_delete(&plan.user_id, &plan.post_id).await?;
        if matches!(deleted, DeleteResult::Refused { .. }) {
            let draft = projection(state, plan, row, false, self.now());
            store.post_project(&draft).await?;
            store.post_delete(&plan.user_id, &plan.post_id).await?;
        }
        Ok(())
    }

    /// Brings the row up to date with the journal; `false` when the database could not be asked.
    ///
    /// # Errors
    /// In words, when the object's storage fails.
    pub(super) async fn mirror(&self) -> Result<bool, String> {
        let state = self.state()?;
        let (Some(row), Some(plan)) = (row::of(&state), &state.plan) else {
            return Ok(true);
        };
        let fingerprint = row.fingerprint();
        let before = self.table.get("projected")?;
        if before.as_deref() == Some(fingerprint.as_str()) {
            return Ok(true);
        }
        if row.gone {
            if before.is_none() {
                return Ok(true);
            }
            let deleted = self.delete_row(&state, plan, &row).await.is_ok();
            if deleted {
                self.remember_row(Some(&row));
            }
            return Ok(deleted);
        }
        let before: Option<Row> = before.and_then(|text| json::read(&text).ok());
        let new_content = before.as_ref().is_some_and(|before| before.hash != row.hash);
        let username = self.table.get("username")?;
        let projection = Projection {
            // What was lost is written once more: what an earlier instance wrote is the same.
            labels: before
                .as_ref()
                .is_some_and(|before| before.labels != row.labels)
                .then(|| row.labels.clone()),
            approval: row
                .approval
                .clone()
                .filter(|_| before.as_ref().is_none_or(|before| before.approval != row.approval)),
            notices: told::notices(&state, username.as_deref(), self.now()),
            moved: before
                .as_ref()
                .filter(|before| before.scheduled_at != row.scheduled_at)
                .map(|_| state.changed_at.unwrap_or(self.now())),
            ..projection(&state, plan, &row, new_content, self.now())
        };
        match self.around.store.post_project_and_tell(&projection).await {
            Ok((_, heard)) => {
                if new_content {
                    self.table.delete("content")?;
                }
                self.remember_row(Some(&row));
                if heard {
                    // What is lost here is told with the next sweep.
                    let at = self.now();
                    let _ = self.around.objects.index(IndexRequest::OutboxDue { at }).await;
                }
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }
}

/// How far the index let a post in.
struct LetIn {
    /// Scopes in which it is the first to try again.
    turns: Vec<HoldScope>,
    /// It may look at what is in doubt, and asks again before it sends anything.
    only_looks: bool,
}

/// Work that goes on beside calls.
pub(super) type Background<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Awaits a call while background work goes on; what is not finished when the call is goes on beside the next one.
async fn beside<'a, T>(
    call: impl Future<Output = T>,
    background: &mut Option<Background<'a>>,
    next: impl Fn() -> Background<'a>,
) -> T {
    let mut call = pin!(call);
    loop {
        let work = background.get_or_insert_with(&next);
        match select(call.as_mut(), work.as_mut()).await {
            Either::Left((answer, _)) => return answer,
            Either::Right(((), _)) => *background = None,
        }
    }
}

/// Why an account's object did not say how its token is.
fn unanswered(reply: Result<AccountReply, ObjectError>) -> String {
    match reply {
        Err(error) => error.to_string(),
        Ok(_) => "the account's object answered another question".to_owned(),
    }
}

struct Query {
    step: usize,
    text: String,
    reply_to: Option<RemoteId>,
    since: crate::domain::time::Timestamp,
    known_ids: Vec<RemoteId>,
}

/// The keys of its media. What no row names is cleared away.
fn media_urls(plan: &Plan) -> Vec<String> {
    let media = plan.media.iter().flatten();
    media.map(|medium| format!("media/{}", medium.id)).collect()
}

fn new_row(plan: &Plan) -> NewPostRow {
    let mut psn = Map::new();
    psn.insert("hash".to_owned(), json!(plan.hash));
    psn.insert("seq".to_owned(), json!(1));
    if let Some(group_id) = &plan.group_id {
        psn.insert("group_id".to_owned(), json!(group_id));
    }
    NewPostRow {
        id: plan.post_id.clone(),
        user: plan.user_id.clone(),
        platform: plan.platform,
        account_id: plan.account_id.clone(),
        parts: plan.parts.clone(),
        media_urls: media_urls(plan),
        status: match plan.scheduled_at {
            Some(_) => crate::domain::post::Status::Scheduled,
            None => crate::domain::post::Status::Draft,
        },
        scheduled_at: plan.scheduled_at,
        labels: plan.labels.clone(),
        psn,
        now: plan.created_at,
    }
}

/// What goes with a part, as far as plan and preparation say.
fn planned_part<'a>(state: &'a State, plan: &'a Plan, step: usize) -> PartToPublish<'a> {
    PartToPublish {
        media: plan.media(step),
        options: plan.options.as_deref(),
        handles: state.steps.get(step).map_or(&[], |step| &step.prepared.handles),
        ..PartToPublish::default()
    }
}

/// Ids of the candidates whose text is similar, as JSON.
fn similar_ids(plan: &Plan, candidates: &[SimilarCandidate]) -> String {
    let said = plan.parts.join("\n\n");
    let ids: Vec<_> = candidates
        .iter()
        .filter(|candidate| candidate.id != plan.post_id)
        .filter(|candidate| text::similarity(&said, &candidate.parts.join("\n\n")) >= text::SIMILARITY_MIN)
        .map(|candidate| &candidate.id)
        .collect();
    serde_json::to_string(&ids).unwrap_or_default()
}

fn projection(
    state: &State,
    plan: &Plan,
    row: &Row,
    new_content: bool,
    now: crate::domain::time::Timestamp,
) -> Projection {
    let mut psn = Map::new();
    psn.insert("hash".to_owned(), json!(plan.hash));
    if let Some(account_id) = &state.account_id {
        psn.insert("account_id".to_owned(), json!(account_id));
    }
    Projection {
        id: plan.post_id.clone(),
        user: plan.user_id.clone(),
        seq: state.len,
        fence: state.run.clone().filter(|_| state.claimed && state.is_resting()),
        status: row.status,
        sub_status: row.sub_status,
        fail_reason: row.fail_reason.clone(),
        scheduled_at: row.scheduled_at,
        content: new_content.then(|| content::encode(&plan.parts)),
        media_urls: new_content.then(|| media_urls(plan)),
        platform_post_ids: row.remote_ids.clone(),
        external_post_id: row.remote_ids.first().cloned(),
        published_at: row.published_at,
        run: row.run.clone(),
        updated_at: now,
        progress: row
            .progress_total
            .map(|total| ThreadProgress::new(&row.remote_ids, total)),
        psn,
        labels: None,
        slot: row.labels.slot.is_some(),
        moved: None,
        approval: None,
        notices: Vec::new(),
    }
}
