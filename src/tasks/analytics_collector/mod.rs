//! The analytics collector: reads what published posts have got, and once a day how many follow each account. It asks the
//! index first, which knows when each post is read next (`crate::tasks::readings`); the database is left asleep unless a
//! reading is due, but for one sweep a day for posts that nobody told of. A run makes a bounded number of calls; what is
//! left is still due in the next. One account that cannot be read does not stop the others. Tokens are never renewed here:
//! the account's object does that.

mod followers;
mod posts;

use crate::domain::hash::hex;
use crate::domain::id::{AccountId, PostId, UserId};
use crate::domain::platform::Platform;
use crate::domain::reading::{self, Reading};
use crate::domain::renewal::schedule::wants_renewal;
use crate::domain::time::{Millis, Timestamp};
use crate::platforms::{self, AccessToken, Client};
use crate::ports::http::HttpClient;
use crate::ports::objects::{AccountReply, AccountRequest, IndexReply, IndexRequest, Objects};
use crate::ports::pause::Ambient;
use crate::ports::readings::{ReadingsReply, ReadingsRequest, SweepPlace};
use crate::store::accounts::TokenRow;
use crate::store::seal::Sealer;
use crate::store::{Store, StoreError};
use crate::tasks::{Context, Outcome, Wake};
use serde::Serialize;
use std::collections::BTreeMap;

/// Calls to platforms and to the database per run: Workers' free plan allows 50 an invocation.
const CALLS_MAX: usize = 40;
/// Posts read per run, at most.
const POSTS_MAX: usize = 100;
/// Rows that the sweep reads at a time, and how often per run.
const ROWS_MAX: u32 = 200;
const PAGES_MAX: usize = 2;
/// What failed for the moment is tried again after this time.
const AGAIN_MS: Millis = Millis(3_600_000);
/// What a platform refuses, or only a person can mend, is tried again after this time.
const REFUSED_AGAIN_MS: Millis = Millis(24 * 3_600_000);

/// What a run of the collector did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Posts whose counts were stored.
    pub read: usize,
    /// Posts of which the platform tells nothing: they are gone, hidden, or too new.
    pub untold: usize,
    /// Posts that could not be read now and are tried later.
    pub postponed: usize,
    /// Posts that are read no more: removed here, or older than 30 days.
    pub forgotten: usize,
    /// Accounts whose followers were stored.
    pub followers: usize,
    /// Calls to platforms and to the database, at most.
    pub calls: usize,
    /// Whether the database was swept.
    pub swept: bool,
    /// What could not be done, and why.
    pub messages: Vec<String>,
}

/// What the collector works with.
pub struct Surroundings<'a, H, A, O> {
    /// Outbound HTTP.
    pub http: H,
    /// Clock, randomness, waiting.
    pub ambient: A,
    /// The database.
    pub store: &'a Store<H, A>,
    /// The other objects.
    pub objects: &'a O,
    /// How to reach the platforms.
    pub platforms: &'a platforms::Settings,
    /// Opens tokens.
    pub sealer: &'a Sealer,
}

/// Runs it as a task of the table.
pub async fn work<H, A, O>(context: &Context<H, A, O>, wake: &Wake) -> Outcome
where
    H: HttpClient + Clone,
    A: Ambient + Clone,
    O: Objects,
{
    let sealer = match context.settings.sealer() {
        Ok(sealer) => sealer,
        Err(error) => return Outcome::new(&Report::default(), Some(error.to_string())),
    };
    let around = Surroundings {
        http: context.http.clone(),
        ambient: context.store.ambient.clone(),
        store: context.store.as_ref(),
        objects: &context.objects,
        platforms: &context.settings.platforms,
        sealer: &sealer,
    };
    let report = run(&around, wake.by_person, wake.ahead).await;
    Outcome::new(&report, report.messages.first().cloned())
}

/// Runs the collector once. `sweep` sweeps the database even when it is not yet time to, and `ahead` reads posts that are
/// to be read later: for a person.
pub async fn run<H, A, O>(around: &Surroundings<'_, H, A, O>, sweep: bool, ahead: bool) -> Report
where
    H: HttpClient + Clone,
    A: Ambient + Clone,
    O: Objects,
{
    let mut run = Run {
        around,
        now: around.ambient.now(),
        calls_left: CALLS_MAX,
        ahead,
        tokens: BTreeMap::new(),
        report: Report::default(),
    };
    let Some((mut due, is_time, mut place)) = run.due().await else {
        return run.report;
    };
    if is_time || sweep {
        let is_found = !matches!(place, Some(SweepPlace::Accounts { .. })) && run.sweep_posts(&mut place).await;
        if is_found && let Some((found, ..)) = run.due().await {
            due = found;
        }
    }
    if !due.is_empty() {
        run.read_posts(&due).await;
    }
    if let (true, Some(SweepPlace::Accounts { after })) = (is_time || sweep, place) {
        run.count_followers(after).await;
    }
    run.report.calls = CALLS_MAX - run.calls_left;
    run.report
}

/// A run under way.
struct Run<'a, H, A, O> {
    around: &'a Surroundings<'a, H, A, O>,
    now: Timestamp,
    calls_left: usize,
    /// Posts are read that are to be read later.
    ahead: bool,
    /// The accounts of users, as they were read in this run.
    tokens: BTreeMap<UserId, Vec<TokenRow>>,
    report: Report,
}

/// Why an account cannot be read now.
struct Trouble {
    /// In words.
    message: String,
    /// When to try again.
    again_at: Timestamp,
}

impl<H, A, O> Run<'_, H, A, O>
where
    H: HttpClient + Clone,
    A: Ambient + Clone,
    O: Objects,
{
    async fn ask(&self, request: ReadingsRequest) -> Option<ReadingsReply> {
        match self.around.objects.index(IndexRequest::Readings(request)).await {
            Ok(IndexReply::Readings(reply)) => Some(reply),
            Ok(_) | Err(_) => None,
        }
    }

    /// The posts that are due, whether it is time to sweep, and where the last sweep stopped. Without the index nothing is
    /// read: it would be read again and again.
    async fn due(&mut self) -> Option<(Vec<PostId>, bool, Option<SweepPlace>)> {
        let (limit, ahead) = (POSTS_MAX, self.ahead);
        match self.ask(ReadingsRequest::Due { limit, ahead }).await {
            Some(ReadingsReply::Due { post_ids, sweep, place }) => Some((post_ids, sweep, place)),
            _ => {
                self.say("the index could not be asked which posts are due".to_owned());
                None
            }
        }
    }

    fn say(&mut self, message: String) {
        if !self.report.messages.contains(&message) {
            self.report.messages.push(message);
        }
    }

    fn say_database(&mut self, error: &StoreError) {
        self.say(format!("the database could not be asked: {error}"));
    }

    async fn note(&self, readings: Vec<(PostId, Option<Reading>)>, only_new: bool) {
        // What is not noted is due again, or found by the next sweep.
        if !readings.is_empty() {
            self.ask(ReadingsRequest::Note { readings, only_new }).await;
        }
    }

    /// Tells the index of posts that it does not know; whether there were any. A run goes on where the last one stopped.
    async fn sweep_posts(&mut self, place: &mut Option<SweepPlace>) -> bool {
        let since = self.now - reading::AGE_MAX;
        let mut is_found = false;
        for _ in 0..PAGES_MAX {
            let after = match place {
                Some(SweepPlace::Posts { published_at, post_id }) => Some((*published_at, &*post_id)),
                _ => None,
            };
            self.calls_left -= 1;
            let rows = match self.around.store.posts_countable(since, after, ROWS_MAX).await {
                Ok(rows) => rows,
                Err(error) => {
                    self.say_database(&error);
                    return is_found;
                }
            };
            is_found |= !rows.is_empty();
            let is_last = rows.len() < usize::try_from(ROWS_MAX).unwrap_or(usize::MAX);
            let last = rows.last().filter(|_| !is_last);
            *place = Some(
                last.map_or(SweepPlace::Accounts { after: None }, |last| SweepPlace::Posts {
                    published_at: last.published_at,
                    post_id: last.post.clone(),
                }),
            );
            let next = rows.into_iter().map(|row| {
                let next = reading::next(row.platform, row.published_at, row.collected_at);
                (row.post, next)
            });
            self.note(next.collect(), true).await;
            self.ask(ReadingsRequest::Swept { place: place.clone() }).await;
            self.report.swept = true;
            if is_last {
                break;
            }
        }
        is_found
    }

    /// The user's accounts.
    async fn accounts_of(&mut self, user: &UserId) -> Result<Vec<TokenRow>, StoreError> {
        if let Some(rows) = self.tokens.get(user) {
            return Ok(rows.clone());
        }
        self.calls_left -= 1;
        let rows = self.around.store.token_rows(user).await?;
        self.tokens.insert(user.clone(), rows.clone());
        Ok(rows)
    }

    fn client(&self, platform: Platform) -> Client<H, A> {
        let (http, clock) = (self.around.http.clone(), self.around.ambient.clone());
        Client::new(platform, http, clock, self.around.platforms)
    }

    /// The account's token, where it lasts a while. One that does not is its object's business.
    async fn usable(&mut self, row: &TokenRow) -> Result<(AccessToken, TokenRow), Trouble> {
        let mut row = row.clone();
        if wants_renewal(row.account.platform, row.expires_at, self.now) {
            self.renew(&row, None).await?;
            self.calls_left = self.calls_left.saturating_sub(1);
            let read = self.around.store.token_read(&row.user, &row.account.id).await;
            row = read
                .ok()
                .flatten()
                .ok_or_else(|| self.later("its row could not be read".to_owned()))?;
        }
        let secret = row.open_access(self.around.sealer);
        let secret = secret.map_err(|error| self.later(error.to_string()))?;
        let scopes = row.scopes.clone().unwrap_or_default();
        Ok((AccessToken::new(secret.expose()).with_scopes(scopes), row))
    }

    fn later(&self, message: String) -> Trouble {
        Trouble {
            message,
            again_at: self.now + AGAIN_MS,
        }
    }

    /// Asks the account's object for a token that can be used.
    async fn renew(&self, row: &TokenRow, refused: Option<String>) -> Result<(), Trouble> {
        let user_id = row.user.clone();
        let request = AccountRequest::Usable { user_id, refused };
        match self.around.objects.account(&row.account.id, request).await {
            Ok(AccountReply::Usable { .. }) => Ok(()),
            Ok(AccountReply::Later { until, message }) => Err(Trouble {
                message,
                again_at: until.max(self.now + AGAIN_MS),
            }),
            Ok(AccountReply::NeedsReauth { message }) => Err(Trouble {
                message,
                again_at: self.now + REFUSED_AGAIN_MS,
            }),
            Ok(AccountReply::NotFound | AccountReply::Resealed { .. }) | Err(_) => {
                Err(self.later("its object could not be reached".to_owned()))
            }
        }
    }

    /// What is to be done about an account whose numbers did not come.
    async fn trouble(&self, row: &TokenRow, error: platforms::MetricsError) -> Trouble {
        match error {
            platforms::MetricsError::TokenDead(message) => match self.renew(row, Some(row.version.clone())).await {
                // There is another token: the next run reads with it.
                Ok(()) => self.later(message),
                Err(trouble) => trouble,
            },
            platforms::MetricsError::Unavailable(message) => Trouble {
                message,
                again_at: self.now + REFUSED_AGAIN_MS,
            },
            platforms::MetricsError::Unreadable { message, retry_at } => Trouble {
                message,
                again_at: retry_at.unwrap_or(self.now).max(self.now + AGAIN_MS),
            },
        }
    }

    fn say_account(&mut self, account: &AccountId, message: &str) {
        self.say(format!("account {account}: {message}"));
    }

    /// How many of so many things may be read; all where reading costs nothing.
    async fn affordable(&self, platform: Platform, units: usize, price_micro_usd: u64) -> usize {
        if price_micro_usd == 0 {
            return units;
        }
        let request = ReadingsRequest::Charge {
            id: hex(&self.around.ambient.bytes16()),
            platform,
            units: units as u64,
            price_micro_usd,
            budget_micro_usd: self.around.platforms.budget_micro_usd(platform),
        };
        match self.ask(request).await {
            Some(ReadingsReply::Affordable { units }) => usize::try_from(units).unwrap_or(usize::MAX),
            _ => 0,
        }
    }

    async fn refund(&self, platform: Platform, units: usize, price_micro_usd: u64) {
        let micro_usd = units as u64 * price_micro_usd;
        if micro_usd > 0 {
            let id = hex(&self.around.ambient.bytes16());
            let refund = ReadingsRequest::Refund {
                id,
                platform,
                micro_usd,
            };
            self.ask(refund).await;
        }
    }
}
