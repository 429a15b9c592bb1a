//! Accounts as their owner sees them: how each is, which rows are strays or doubles, and taking one away.

use crate::domain::account::Account;
use crate::domain::health::{Facts, Health};
use crate::domain::id::{AccountId, UserId};
use crate::domain::platform::Platform;
use crate::domain::time::Timestamp;
use crate::platforms::oauth::{Client, Revoked, needed_scopes};
use crate::ports::clock::Clock;
use crate::ports::http::HttpClient;
use crate::ports::json;
use crate::ports::pause::Ambient;
use crate::store::account_list::AccountRow;
use crate::store::accounts::TokenRow;
use crate::store::seal::{SealError, Sealer};
use crate::store::{Secret, Store, StoreError};
use crate::tasks::account_test::Tried;
use serde::Serialize;
use serde_json::{Value, json};

/// A connected account with its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountReport {
    /// Who it is.
    pub account: Account,
    /// What was granted, where known.
    pub scopes: Option<Vec<String>>,
    /// When the access token ends, where known.
    pub expires_at: Option<Timestamp>,
    /// The same in words.
    pub expiry: String,
    /// Whether its tokens are renewed without its owner.
    pub renews_itself: bool,
    /// How it is.
    pub health: Health,
    /// That in words.
    pub health_words: String,
    /// The row is a stray or a double, and what to do about it.
    pub remark: Option<String>,
    /// Posts that wait for their time or for the account.
    pub waiting_posts: i64,
    /// What the last trial came to, where there was one.
    pub tried: Option<Tried>,
}

impl AccountReport {
    /// Why a renewal that was asked for gave no new token, though nothing failed.
    #[must_use]
    pub fn why_not_renewed(&self) -> String {
        let platform = self.account.platform;
        let title = platform.title();
        match (platform, self.renews_itself) {
            // https://developers.facebook.com/docs/instagram-platform/reference/refresh_access_token
            (Platform::Instagram, _) => format!("{title} renews a token once it is 24 hours old"),
            (_, true) => "they were renewed a moment ago".to_owned(),
            (_, false) => format!("{title} gave no refresh token"),
        }
    }

    /// As the API and `--json` show it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let (state, reason) = match &self.health {
            Health::Ok => ("ok", None),
            Health::Expires { .. } => ("expires", None),
            Health::NeedsConsent { reason } => ("needs_consent", Some(reason)),
        };
        json!({
            "id": self.account.id,
            "platform": self.account.platform,
            "remote_user_id": self.account.remote_user_id,
            "username": self.account.username,
            "scopes": self.scopes,
            "expires_at": self.expires_at.map(Timestamp::to_rfc3339),
            "expiry": self.expiry,
            "renews_itself": self.renews_itself,
            "health": { "state": state, "message": self.health_words, "reason": reason },
            "remark": self.remark,
            "waiting_posts": self.waiting_posts,
            "tried": self.tried,
        })
    }
}

/// The reports of a user's rows.
#[must_use]
pub fn reports(rows: &[AccountRow], now: Timestamp) -> Vec<AccountReport> {
    rows.iter().map(|row| report(row, rows, now)).collect()
}

fn report(row: &AccountRow, all: &[AccountRow], now: Timestamp) -> AccountReport {
    let platform = row.account.platform;
    // Where it is not known what was granted, nothing is known to be missing.
    let missing_scopes = row.scopes.as_ref().map_or_else(Vec::new, |granted| {
        let needed = needed_scopes(platform).iter().map(ToString::to_string);
        needed.filter(|scope| !granted.contains(scope)).collect()
    });
    let facts = Facts {
        platform,
        expires_at: row.expires_at,
        has_refresh_token: row.has_refresh_token,
        ended: row.ended.clone(),
        missing_scopes,
    };
    let health = facts.health(now);
    AccountReport {
        account: row.account.clone(),
        scopes: row.scopes.clone(),
        expires_at: row.expires_at,
        expiry: facts.expiry_in_words(now),
        renews_itself: facts.renews_itself(),
        health_words: health.in_words(now),
        health,
        remark: remark(&row.account, all),
        waiting_posts: row.waiting_posts,
        // What an earlier version kept in another form says nothing any more.
        tried: row.tried.clone().and_then(|tried| json::of_tree(tried).ok()),
    }
}

/// What is odd about a row beside the others of its platform.
fn remark(account: &Account, all: &[AccountRow]) -> Option<String> {
    let others = all
        .iter()
        .map(|row| &row.account)
        .filter(|other| other.platform == account.platform && other.id != account.id);
    let Some(remote) = &account.remote_user_id else {
        return (others.count() > 0).then(|| {
            "stray: the row does not say whose account it is; it is never chosen by itself, disconnect it if it is one \
             of the others"
                .to_owned()
        });
    };
    let doubles: Vec<&str> = others
        .filter(|other| other.remote_user_id.as_ref() == Some(remote))
        .map(|other| other.id.as_str())
        .collect();
    (!doubles.is_empty()).then(|| {
        format!(
            "double: the same account as {}; neither is chosen by itself, disconnect one",
            doubles.join(" and ")
        )
    })
}

/// Why an account was not taken away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DisconnectError {
    /// There is none of that id.
    #[error("there is no such account")]
    NotFound,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of the grant on the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "revoked", rename_all = "snake_case")]
pub enum Revocation {
    /// The platform took it back.
    Yes,
    /// Its owner has to.
    ByHand {
        /// Why, and where.
        message: String,
    },
}

/// Takes an account away: the grant back on the platform where that works, then the row. A platform that does not take
/// it back keeps nobody's row: the answer says what to do there.
///
/// # Errors
/// [`DisconnectError`]; then the row is still there.
pub async fn disconnect<H: HttpClient, A: Ambient, H2: HttpClient, C: Clock>(
    store: &Store<H, A>,
    oauth: &Client<H2, C>,
    sealer: &Sealer,
    user: &UserId,
    id: &AccountId,
) -> Result<Revocation, DisconnectError> {
    let row = store.token_read(user, id).await?.ok_or(DisconnectError::NotFound)?;
    let platform = row.account.platform;
    let revocation = match revoke(oauth, sealer, &row).await {
        Ok(Revoked::Yes) => Revocation::Yes,
        Ok(Revoked::ByHand) => Revocation::ByHand {
            message: format!("{} has no call for it: {}", platform.title(), by_hand(platform)),
        },
        Err(message) => Revocation::ByHand {
            message: format!("{message}: {}", by_hand(platform)),
        },
    };
    if !store.account_remove(user, id).await? {
        return Err(DisconnectError::NotFound);
    }
    Ok(revocation)
}

async fn revoke<H: HttpClient, C: Clock>(
    oauth: &Client<H, C>,
    sealer: &Sealer,
    row: &TokenRow,
) -> Result<Revoked, String> {
    let sealed = |error: SealError| format!("the stored token cannot be opened ({error})");
    let access = row.open_access(sealer).map_err(sealed)?;
    let platform = row.account.platform;
    let mut tokens: Vec<Secret> = Vec::new();
    // X's access tokens live on for hours without it, and its refresh tokens for months without them.
    if platform == Platform::X {
        tokens.extend(row.open_refresh(sealer).map_err(sealed)?);
    }
    tokens.push(access);
    let mut done = Revoked::ByHand;
    for token in &tokens {
        done = oauth.revoke(platform, token).await?;
    }
    Ok(done)
}

/// Where people take the grant back themselves.
#[must_use]
pub const fn by_hand(platform: Platform) -> &'static str {
    match platform {
        Platform::X => "remove the app at https://x.com/settings/connected_apps",
        Platform::LinkedIn => {
            "remove the app at https://www.linkedin.com/mypreferences/d/data-sharing-for-permitted-services"
        }
        Platform::Instagram => "remove the app in Instagram under Settings, Website permissions, Apps and websites",
        Platform::TikTok => {
            "remove the app in TikTok under Settings and privacy, Security and permissions, Manage app permissions"
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::domain::id::RemoteUserId;

    fn row(id: &str, platform: Platform, remote: Option<&str>) -> AccountRow {
        AccountRow {
            account: Account {
                id: AccountId::from(id),
                platform,
                remote_user_id: remote.map(RemoteUserId::from),
                username: None,
            },
            expires_at: None,
            has_refresh_token: true,
            scopes: None,
            ended: None,
            tried: None,
            waiting_posts: 0,
        }
    }

    #[test]
    fn strays_and_doubles_are_named() {
        use Platform::{LinkedIn, X};
        let kinds = |rows: &[AccountRow]| -> Vec<String> {
            let remarks = reports(rows, Timestamp(0)).into_iter().map(|report| report.remark);
            remarks
                .map(|remark| remark.unwrap_or_default().split(':').next().unwrap().to_owned())
                .collect()
        };
        assert_eq!(kinds(&[row("a", X, None), row("b", LinkedIn, None)]), ["", ""]);
        assert_eq!(kinds(&[row("a", X, Some("1")), row("b", X, Some("2"))]), ["", ""]);
        assert_eq!(
            kinds(&[row("a", X, Some("1")), row("b", X, None), row("c", X, Some("1"))]),
            ["double", "stray", "double"]
        );
    }

    #[test]
    fn a_scope_that_publishing_needs_is_missed() {
        let mut one = row("a", Platform::X, Some("1"));
        one.scopes = Some(vec!["tweet.read".to_owned(), "users.read".to_owned()]);
        let report = reports(&[one], Timestamp(0)).remove(0);
        assert_eq!(report.health_words, "needs re-consent: X did not grant `tweet.write`");
        assert_eq!(report.to_json()["health"]["state"], "needs_consent");
    }
}
