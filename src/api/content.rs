//! What a request names and says: its media, and what its text is like.

use crate::api::App;
use crate::api::problem::{FieldError, Problem, ProblemKind};
use crate::api::request::{PostRequestBody, WantedMedium};
use crate::domain::account::Account;
use crate::domain::id::{AccountId, UserId};
use crate::domain::media::Medium;
use crate::domain::platform::Platform;
use crate::domain::text;
use crate::platforms::Rules;
use crate::ports::media::{MediaError, Owners};
use crate::tasks::connected::AccountReport;

/// The media that a request names, by part.
///
/// # Errors
/// 422 naming those that are not there, 503 when the place where they lie does not answer.
pub async fn media<O, R>(app: &App<O, R>, user: &UserId, wanted: &[WantedMedium]) -> Result<Vec<Vec<Medium>>, Problem> {
    let owners = Owners(app.media.as_ref());
    let mut media: Vec<Vec<Medium>> = Vec::new();
    let mut errors = Vec::new();
    for (index, one) in wanted.iter().enumerate() {
        match owners.find(user, &one.id).await {
            Ok(Some(found)) => {
                media.resize(media.len().max(one.part), Vec::new());
                media[one.part - 1].push(Medium {
                    alt_text: one.alt_text.clone(),
                    title: one.title.clone(),
                    ..found
                });
            }
            Ok(None) => {
                let message = format!("medium {} is not there: upload it with `psn media add`", index + 1);
                errors.push(FieldError::field("media", message));
            }
            Err(error @ MediaError::Unavailable(_)) => {
                return Err(Problem::new(ProblemKind::Unavailable, error.to_string()));
            }
            Err(error) => return Err(Problem::field("media", error.to_string())),
        }
    }
    if errors.is_empty() {
        return Ok(media);
    }
    Err(Problem::of(ProblemKind::FieldInvalid, errors))
}

/// What the account that a post goes out on may do; without an account it is the only one.
///
/// # Errors
/// 503 when it takes the account's name to know, and the database does not answer.
pub async fn rules<O, R>(app: &App<O, R>, user: &UserId, account_id: Option<&AccountId>) -> Result<Rules, Problem> {
    let x = &app.settings.x;
    let long_posts = match x.premium.holds_for_id(account_id) {
        Some(known) => known,
        None => {
            let listed = app.accounts.list(user).await;
            let accounts = listed.map_err(|_| Problem::database_away())?;
            let of_x = |report: &&AccountReport| report.account.platform == Platform::X;
            let is_it = |report: &AccountReport| account_id.is_none_or(|id| report.account.id == *id);
            let mut fit = accounts.iter().filter(of_x).filter(|report| is_it(report)).peekable();
            fit.peek().is_some() && fit.all(|report| x.premium.holds_for(&report.account))
        }
    };
    Ok(Rules { x: x.rules(long_posts) })
}

/// Makes sure that there is an account for every platform of a request that names several: the posts are made one after
/// the other, and the first may be out when the last is refused. (For one platform the database tells at the insert.)
///
/// # Errors
/// 422 naming what is missing or has to be chosen, for all platforms at once; 503 when the database does not answer.
pub async fn check_accounts<O, R>(app: &App<O, R>, user: &UserId, wanted: &PostRequestBody) -> Result<(), Problem> {
    if wanted.platforms.len() < 2 {
        return Ok(());
    }
    let listed = app.accounts.list(user).await;
    let listed = listed.map_err(|_| Problem::database_away())?;
    let mut errors = Vec::new();
    for &platform in &wanted.platforms {
        let of_it = listed.iter().map(|report| &report.account);
        let of_it: Vec<Account> = of_it.filter(|account| account.platform == platform).cloned().collect();
        let asked_for = wanted.account(platform);
        let is_clear = match asked_for {
            Some(id) => of_it.iter().any(|account| account.id == *id),
            None => of_it.len() == 1,
        };
        if !is_clear {
            let field = format!("{platform}.account_id");
            errors.push(FieldError::field(&field, which_account(platform, asked_for, &of_it)));
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Problem::of(ProblemKind::AccountRequired, errors))
}

/// Why it is not clear which account is meant, and what to do: one sentence.
#[must_use]
pub fn which_account(platform: Platform, asked_for: Option<&AccountId>, accounts: &[Account]) -> String {
    let title = platform.title();
    let names = accounts.iter().map(|account| match &account.username {
        Some(name) => match platform {
            Platform::X | Platform::Instagram => format!("`{}` (@{})", account.id, name.trim_start_matches('@')),
            Platform::LinkedIn | Platform::TikTok => format!("`{}` ({name})", account.id),
        },
        None => format!("`{}`", account.id),
    });
    let names = names.collect::<Vec<_>>().join(", ");
    match (asked_for, accounts.len()) {
        (_, 0) => format!("no {title} account is connected: run `psn account connect {platform}`"),
        (Some(id), _) => format!("`{id}` is none of your {title} accounts: give one of {names}"),
        (None, count) => format!("{count} {title} accounts are connected: give `account_id`, one of {names}"),
    }
}

/// Whether two texts are similar enough to warn.
#[must_use]
pub fn is_similar(one: &str, other: &str) -> bool {
    text::similarity(one, other) >= text::SIMILARITY_MIN
}
