//! Counting the followers of accounts, once a day.

use super::Run;
use crate::domain::id::{AccountId, UserId};
use crate::domain::platform::Platform;
use crate::platforms::{PlatformClient, prices};
use crate::ports::http::HttpClient;
use crate::ports::objects::Objects;
use crate::ports::pause::Ambient;
use crate::ports::readings::{ReadingsRequest, SweepPlace};
use std::collections::BTreeMap;

/// Accounts per run; the rest is left to the next.
const ACCOUNTS_MAX: usize = 10;
/// Calls that one account may take: its row twice, the platform, and the write.
const CALLS_EACH: usize = 4;

impl<H, A, O> Run<'_, H, A, O>
where
    H: HttpClient + Clone,
    A: Ambient + Clone,
    O: Objects,
{
    /// Counts the followers of accounts that were not counted today, from behind that one on.
    pub(super) async fn count_followers(&mut self, after: Option<AccountId>) {
        let most = ACCOUNTS_MAX.min(self.calls_left.saturating_sub(1) / CALLS_EACH);
        if most == 0 {
            return;
        }
        self.calls_left -= 1;
        let limit = u32::try_from(most).unwrap_or(u32::MAX);
        let found = self
            .around
            .store
            .accounts_uncounted(self.now, after.as_ref(), limit)
            .await;
        let accounts = match found {
            Ok(accounts) => accounts,
            Err(error) => return self.say_database(&error),
        };
        let last = accounts.last().filter(|_| accounts.len() >= most);
        let last = last.map(|(_, account, _)| account.clone());
        let mut counted: BTreeMap<UserId, Vec<(AccountId, Platform, u64)>> = BTreeMap::new();
        for (user, account, platform) in accounts {
            if let Some(followers) = self.followers_of(&user, &account).await {
                counted.entry(user).or_default().push((account, platform, followers));
            }
        }
        for (user, accounts) in counted {
            self.calls_left = self.calls_left.saturating_sub(1);
            match self.around.store.followers_record(&user, &accounts, self.now).await {
                Ok(()) => self.report.followers += accounts.len(),
                Err(error) => self.say_database(&error),
            }
        }
        // One that failed has its next turn tomorrow.
        let place = last.map(|last| SweepPlace::Accounts { after: Some(last) });
        self.ask(ReadingsRequest::Swept { place }).await;
        self.report.swept = true;
    }

    async fn followers_of(&mut self, user: &UserId, account: &AccountId) -> Option<u64> {
        let rows = match self.accounts_of(user).await {
            Ok(rows) => rows,
            Err(error) => {
                self.say_database(&error);
                return None;
            }
        };
        let row = rows.iter().find(|row| row.account.id == *account)?;
        let (token, row) = match self.usable(row).await {
            Ok(usable) => usable,
            Err(trouble) => {
                self.say_account(account, &trouble.message);
                return None;
            }
        };
        let owner = row.account.remote_user_id.clone()?;
        let platform = row.account.platform;
        let price = prices(platform).map_or(0, |prices| prices.read_account_micro_usd);
        if self.affordable(platform, 1, price).await == 0 {
            self.say_account(
                account,
                "too little is left of the month's budget for counting its followers",
            );
            return None;
        }
        self.calls_left = self.calls_left.saturating_sub(1);
        match self.client(platform).followers(&token, &owner).await {
            Ok(followers) => followers,
            Err(error) => {
                self.refund(platform, 1, price).await;
                let trouble = self.trouble(&row, error).await;
                self.say_account(account, &trouble.message);
                None
            }
        }
    }
}
