//! Reading the counts of posts, account by account.

use super::{REFUSED_AGAIN_MS, Run};
use crate::domain::id::{PostId, RemoteId, UserId};
use crate::domain::metrics::Metrics;
use crate::domain::platform::Platform;
use crate::domain::reading::{self, Reading};
use crate::domain::time::Timestamp;
use crate::platforms::{MetricsQuery, PlatformClient, metrics_calls_max, prices};
use crate::ports::http::HttpClient;
use crate::ports::objects::{Objects, PostReply, PostRequest};
use crate::ports::pause::Ambient;
use crate::store::accounts::TokenRow;
use crate::store::metrics::{Collected, Countable};
use std::collections::BTreeMap;

/// What a user's posts came to: the counts, and when each is read next.
#[derive(Default)]
struct Outcome {
    collected: Vec<Collected>,
    next: Vec<(PostId, Option<Reading>)>,
}

impl<H, A, O> Run<'_, H, A, O>
where
    H: HttpClient + Clone,
    A: Ambient + Clone,
    O: Objects,
{
    /// Reads as many of these posts as calls allow; the others stay due.
    pub(super) async fn read_posts(&mut self, due: &[PostId]) {
        self.calls_left -= 1;
        let since = self.now - reading::AGE_MAX;
        let rows = match self.around.store.posts_countable_of(due, since).await {
            Ok(rows) => rows,
            Err(error) => return self.say_database(&error),
        };
        let is_there = |id: &&PostId| rows.iter().any(|row| row.post == **id);
        let gone: Vec<_> = due
            .iter()
            .filter(|id| !is_there(id))
            .map(|id| (id.clone(), None))
            .collect();
        self.report.forgotten += gone.len();
        self.note(gone, false).await;
        // Those that have been due longest come first, as the index named them.
        let mut users: Vec<(UserId, Vec<Countable>)> = Vec::new();
        for id in due {
            let Some(row) = rows.iter().find(|row| row.post == *id) else {
                continue;
            };
            match users.iter_mut().find(|(user, _)| *user == row.user) {
                Some((_, posts)) => posts.push(row.clone()),
                None => users.push((row.user.clone(), vec![row.clone()])),
            }
        }
        for (user, posts) in users {
            // Accounts, one reading, and the write.
            if self.calls_left < 4 {
                break;
            }
            self.read_user(&user, posts).await;
        }
    }

    async fn read_user(&mut self, user: &UserId, posts: Vec<Countable>) {
        let accounts = match self.accounts_of(user).await {
            Ok(accounts) => accounts,
            Err(error) => return self.say_database(&error),
        };
        // The write of what was read.
        self.calls_left -= 1;
        let mut outcome = Outcome::default();
        let mut groups: BTreeMap<usize, Vec<Countable>> = BTreeMap::new();
        for post in posts {
            match account_of(&accounts, &post) {
                Some(place) => groups.entry(place).or_default().push(post),
                None => {
                    self.say(format!(
                        "post {}: the account it went out with is not connected",
                        post.post
                    ));
                    self.postpone(&mut outcome, [post], self.now + REFUSED_AGAIN_MS);
                }
            }
        }
        let mut groups_left = groups.len();
        for (place, posts) in groups {
            // What one account does not need is the next one's.
            let share = self.calls_left / groups_left.max(1);
            groups_left -= 1;
            if let Some(account) = accounts.get(place) {
                self.read_account(account, posts, share, &mut outcome).await;
            }
        }
        if let Err(error) = self
            .around
            .store
            .metrics_record(user, &outcome.collected, self.now)
            .await
        {
            // They stay due.
            return self.say_database(&error);
        }
        self.report.read += outcome.collected.len();
        self.note(outcome.next, false).await;
    }

    fn postpone(&mut self, outcome: &mut Outcome, posts: impl IntoIterator<Item = Countable>, at: Timestamp) {
        for post in posts {
            self.report.postponed += 1;
            let next = reading::postponed(post.published_at, at);
            outcome.next.push((post.post, next));
        }
    }

    /// Reads posts of one account with at most so many calls.
    async fn read_account(&mut self, account: &TokenRow, posts: Vec<Countable>, share: usize, outcome: &mut Outcome) {
        let began = self.calls_left;
        let (token, row) = match self.usable(account).await {
            Ok(usable) => usable,
            Err(trouble) => {
                self.say_account(&account.account.id, &trouble.message);
                return self.postpone(outcome, posts, trouble.again_at);
            }
        };
        let Some(owner) = row.account.remote_user_id.clone() else {
            self.say_account(&row.account.id, "it is not known whose it is: connect it again");
            return self.postpone(outcome, posts, self.now + REFUSED_AGAIN_MS);
        };
        let platform = row.account.platform;
        let client = self.client(platform);
        let price = prices(platform).map_or(0, |prices| prices.read_micro_usd);
        let mut left = self.by_options(platform, posts).await.into_iter();
        while let Some((options, posts)) = left.next() {
            let calls = share.saturating_sub(began - self.calls_left);
            let posts = fitting(platform, posts, calls.min(self.calls_left));
            let (posts, unpaid) = self.paid(platform, posts, price).await;
            if !unpaid.is_empty() {
                self.say_account(
                    &row.account.id,
                    "too little is left of the month's budget for reading its posts",
                );
                self.postpone(outcome, unpaid, self.now + REFUSED_AGAIN_MS);
            }
            let ids: Vec<RemoteId> = posts.iter().flat_map(|post| post.remote_ids.clone()).collect();
            if ids.is_empty() {
                continue;
            }
            self.calls_left = self.calls_left.saturating_sub(metrics_calls_max(platform, ids.len()));
            let query = MetricsQuery {
                remote_user_id: &owner,
                options: options.as_deref(),
                ids: &ids,
            };
            match client.metrics(&token, &query).await {
                Ok(found) => {
                    self.refund(platform, ids.len().saturating_sub(found.len()), price)
                        .await;
                    self.enter(outcome, posts, &found);
                }
                Err(error) => {
                    self.refund(platform, ids.len(), price).await;
                    let trouble = self.trouble(&row, error).await;
                    self.say_account(&row.account.id, &trouble.message);
                    self.postpone(outcome, posts, trouble.again_at);
                    return self.postpone(outcome, left.flat_map(|(_, posts)| posts), trouble.again_at);
                }
            }
        }
    }

    /// Enters what was told of posts.
    fn enter(&mut self, outcome: &mut Outcome, posts: Vec<Countable>, found: &[(RemoteId, Metrics)]) {
        for post in posts {
            let part = |id: &RemoteId| found.iter().find(|(told, _)| told == id).map(|(_, counts)| *counts);
            let parts: Vec<Option<Metrics>> = post.remote_ids.iter().map(part).collect();
            let counts = Metrics::of_parts(&parts);
            let next = reading::next(post.platform, post.published_at, Some(self.now));
            outcome.next.push((post.post.clone(), next));
            match post.remote_ids.into_iter().next() {
                Some(remote_id) if !counts.is_empty() => outcome.collected.push(Collected {
                    post: post.post,
                    platform: post.platform,
                    remote_id,
                    counts,
                }),
                _ => self.report.untold += 1,
            }
        }
    }

    /// Posts by what the platform did beside, as far as it counts for reading: their objects know.
    async fn by_options(&self, platform: Platform, posts: Vec<Countable>) -> Vec<(Option<String>, Vec<Countable>)> {
        let matters = matches!(platform, Platform::LinkedIn | Platform::Instagram);
        let mut groups: Vec<(Option<String>, Vec<Countable>)> = Vec::new();
        for post in posts {
            let options = match matters {
                true => self.options_of(&post.post).await,
                false => None,
            };
            match groups.iter_mut().find(|(known, _)| *known == options) {
                Some((_, posts)) => posts.push(post),
                None => groups.push((options, vec![post])),
            }
        }
        groups
    }

    async fn options_of(&self, post: &PostId) -> Option<String> {
        match self.around.objects.post(post, PostRequest::Show).await {
            Ok(PostReply::Post(post)) => post.plan.options,
            _ => None,
        }
    }

    /// Those posts that may be paid for as a whole, and the others.
    async fn paid(&self, platform: Platform, posts: Vec<Countable>, price: u64) -> (Vec<Countable>, Vec<Countable>) {
        let units: usize = posts.iter().map(|post| post.remote_ids.len()).sum();
        let affordable = self.affordable(platform, units, price).await;
        let mut left = affordable;
        let (paid, unpaid): (Vec<_>, Vec<_>) = posts.into_iter().partition(|post| {
            let is_paid = post.remote_ids.len() <= left;
            left -= if is_paid { post.remote_ids.len() } else { 0 };
            is_paid
        });
        self.refund(platform, left.min(affordable), price).await;
        (paid, unpaid)
    }
}

/// The place of the account that a post went out with: the legacy program names none, and uses the oldest of the platform.
fn account_of(accounts: &[TokenRow], post: &Countable) -> Option<usize> {
    accounts.iter().position(|row| match &post.account {
        Some(account) => row.account.id == *account,
        None => row.account.platform == post.platform,
    })
}

/// As many of the posts, from the first on, as so many calls can read. The others stay due.
fn fitting(platform: Platform, posts: Vec<Countable>, calls: usize) -> Vec<Countable> {
    let mut ids = 0;
    let mut fits = |post: &Countable| {
        ids += post.remote_ids.len();
        metrics_calls_max(platform, ids) <= calls
    };
    posts.into_iter().take_while(|post| fits(post)).collect()
}
