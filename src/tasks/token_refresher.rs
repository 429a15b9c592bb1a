//! The token refresher: renews what is near its end, whoever needs it. It asks the index first: the database is left asleep
//! unless an account's time has come, but for one sweep a day for accounts that nobody told of.

use crate::domain::id::{AccountId, UserId};
use crate::domain::time::Millis;
use crate::ports::http::HttpClient;
use crate::ports::objects::{AccountCursor, AccountReply, AccountRequest, IndexReply, IndexRequest, Objects};
use crate::ports::pause::Ambient;
use crate::store::renewal::Ending;
use crate::store::{Store, StoreError};
use crate::tasks::{Context, Outcome, Wake};
use serde::Serialize;

/// Accounts asked per run; the rest is left to the next.
const ASK_MAX: usize = 30;
/// An account that could not be reached is left alone for so long, so that it does not stand before the others.
const AGAIN_MS: Millis = Millis(3_600_000);
/// The daily sweep looks so far beyond the time of renewal, so that no account ends between two sweeps.
const AHEAD_MS: Millis = Millis(25 * 3_600_000);

/// What a run of the refresher did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Accounts whose objects were asked.
    pub asked: usize,
    /// Accounts with new tokens.
    pub renewed: usize,
    /// Accounts that could not be renewed now and go on by themselves.
    pub waiting: usize,
    /// Accounts that only their owner's consent helps.
    pub needs_reauth: usize,
    /// Objects that could not be reached; they are asked again in an hour.
    pub failed: usize,
    /// Whether they are left to another program, to which everything was given back.
    pub left: bool,
    /// Whether the database was asked.
    pub swept: bool,
    /// Whether there is more than one run does: the next goes on behind it, which the index knows.
    pub more: bool,
    /// Why the database could not be asked, if it could not.
    pub message: Option<String>,
}

/// Runs it as a task of the table.
pub async fn work<H: HttpClient, A: Ambient, O: Objects>(context: &Context<H, A, O>, wake: &Wake) -> Outcome {
    let mut report = Report::default();
    // Tokens are renewed by one program only. Where it is not known which, a look at the index decides nothing: the next
    // run asks again.
    match is_anothers(context, wake).await {
        Ok(true) => report.left = true,
        Ok(false) => report = run(&context.store, &context.objects, wake.by_person).await,
        Err(error) => report.message = Some(error.to_string()),
    }
    let mut outcome = Outcome::new(&report, report.message.clone());
    outcome.more = report.more.then(String::new);
    outcome
}

/// Whether another program renews the tokens, because everything was given back to it. Asked only when something is to be
/// done, so that the database may sleep.
async fn is_anothers<H: HttpClient, A: Ambient, O: Objects>(
    context: &Context<H, A, O>,
    wake: &Wake,
) -> Result<bool, StoreError> {
    let due = context.objects.index(IndexRequest::Renewals { limit: 1 }).await;
    let is_idle = matches!(&due, Ok(IndexReply::Renewals { accounts, sweep, .. }) if accounts.is_empty() && !sweep);
    if is_idle && !wake.by_person {
        return Ok(false);
    }
    context.store.adopting().await.map(|adopting| !adopting)
}

/// Runs the refresher once. `sweep` asks the database even when it is not yet time to: for a person.
pub async fn run<H: HttpClient, A: Ambient, O: Objects>(store: &Store<H, A>, objects: &O, sweep: bool) -> Report {
    let mut report = Report::default();
    let due = objects.index(IndexRequest::Renewals { limit: ASK_MAX }).await;
    let (accounts, is_time, after) = match due {
        Ok(IndexReply::Renewals { accounts, sweep, after }) => (accounts, sweep, after),
        Ok(_) | Err(_) => (Vec::new(), true, None),
    };
    for (user, account) in &accounts {
        ask(store, objects, user, account, &mut report).await;
    }
    let left = ASK_MAX - accounts.len();
    report.more = left == 0;
    if (is_time || sweep) && left > 0 {
        sweep_rows(store, objects, after, left, &accounts, &mut report).await;
    }
    report
}

async fn ask<H: HttpClient, A: Ambient, O: Objects>(
    store: &Store<H, A>,
    objects: &O,
    user: &UserId,
    account: &AccountId,
    report: &mut Report,
) {
    report.asked += 1;
    let user_id = user.clone();
    let request = AccountRequest::Renew { user_id, force: false };
    let renew_at = match objects.account(account, request).await {
        Ok(AccountReply::Usable { renewed }) => {
            report.renewed += usize::from(renewed);
            return;
        }
        Ok(AccountReply::Later { .. }) => {
            report.waiting += 1;
            Some(store.ambient.now() + AGAIN_MS)
        }
        Ok(AccountReply::NeedsReauth { .. }) => {
            report.needs_reauth += 1;
            return;
        }
        Ok(AccountReply::NotFound) => None,
        Ok(AccountReply::Resealed { .. }) | Err(_) => {
            report.failed += 1;
            Some(store.ambient.now() + AGAIN_MS)
        }
    };
    // The objects that answered with a token have told the index themselves.
    let request = IndexRequest::NoteAccount {
        user_id: user.clone(),
        account_id: account.clone(),
        renew_at,
    };
    let _ = objects.index(request).await;
}

/// Asks the accounts of the database that come into their time before the next sweep: what their objects learn, the index
/// knows from then on. A run goes on where the last one stopped.
async fn sweep_rows<H: HttpClient, A: Ambient, O: Objects>(
    store: &Store<H, A>,
    objects: &O,
    after: Option<AccountCursor>,
    limit: usize,
    asked: &[(UserId, AccountId)],
    report: &mut Report,
) {
    let after = after.map(|cursor| Ending {
        user: UserId::from(""),
        account: cursor.account_id,
        expires_at: cursor.expires_at,
    });
    let most = u32::try_from(limit).unwrap_or(u32::MAX);
    let now = store.ambient.now();
    let endings = match store.tokens_ending(now, AHEAD_MS, after.as_ref(), most).await {
        Ok(endings) => endings,
        Err(error) => {
            report.message = Some(error.to_string());
            return;
        }
    };
    for ending in &endings {
        if !asked.iter().any(|(_, account)| *account == ending.account) {
            ask(store, objects, &ending.user, &ending.account, report).await;
        }
    }
    report.swept = true;
    let last = endings.last().filter(|_| endings.len() >= limit);
    report.more |= last.is_some();
    let after = last.map(|ending| AccountCursor {
        expires_at: ending.expires_at,
        account_id: ending.account.clone(),
    });
    let _ = objects.index(IndexRequest::AccountsSwept { after }).await;
}
