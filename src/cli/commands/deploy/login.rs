//! Who may change things at Cloudflare: an API token, or what `wrangler login` has stored; and in which account.

use super::wrangler::{Tools, Wrangler};
use crate::cli::cloudflare::{AccountName, CallError, Cloudflare, TOKEN_HINT};
use crate::cli::config::{Chosen, Secret, Variables};
use crate::cli::error::CliResult;
use serde_json::Value;
use std::path::Path;

/// A login that works.
#[derive(Clone, Debug)]
pub struct Login {
    /// The account's id.
    pub account: String,
    token: Secret,
    /// Whether the token is `wrangler login`'s own, which wrangler finds by itself.
    stored: bool,
}

impl Login {
    /// The token that wrangler has to be given.
    #[must_use]
    pub fn given_token(&self) -> Option<&str> {
        (!self.stored).then_some(self.token.0.as_str())
    }

    /// Texts that must not be shown.
    #[must_use]
    pub fn hidden(&self) -> Vec<String> {
        vec![self.token.0.clone()]
    }

    /// Cloudflare's API with it.
    ///
    /// # Errors
    /// A token that cannot be one.
    pub fn cloudflare(&self, environment: &Variables) -> CliResult<Cloudflare> {
        Cloudflare::new(environment, &self.token.0)
    }

    /// Finds the login and the account: that of an earlier deployment, that of the settings, or the only one.
    ///
    /// # Errors
    /// What is missing, and what to do: a sentence each.
    pub async fn find(
        chosen: &Chosen,
        environment: &Variables,
        tools: &Tools,
        folder: &Path,
        earlier: Option<&str>,
    ) -> Result<Self, Vec<String>> {
        let given = chosen
            .local(environment, "CLOUDFLARE_API_TOKEN")
            .map(|token| Secret(token.to_owned()));
        let (token, stored) = match given {
            Some(token) => (token, false),
            None => match stored_token(environment, tools, folder).await {
                Some(token) => (token, true),
                None => {
                    return Err(vec![format!(
                        "no login at Cloudflare: {TOKEN_HINT}; or run `npx wrangler login`"
                    )]);
                }
            },
        };
        let said = |error: &CallError| {
            let why = match error.is_token() {
                true => format!("Cloudflare does not accept the login ({error}): {TOKEN_HINT}"),
                false => format!("{error}: see whether this machine reaches the internet, then try again"),
            };
            vec![why]
        };
        let api = Cloudflare::new(environment, &token.0).map_err(|error| vec![error.message])?;
        let wanted = chosen
            .local(environment, "CLOUDFLARE_ACCOUNT_ID")
            .or(earlier)
            .map(str::to_owned);
        let accounts = api.accounts().await.map_err(|error| said(&error))?;
        let account = match (wanted, accounts.as_slice()) {
            (Some(id), all) if all.iter().any(|one| one.id == id) => id,
            // Tokens need not be allowed to list accounts; whether they reach this one, its workers.dev name tells.
            (Some(id), all) => match api.subdomain(&id).await {
                Ok(_) => id,
                Err(CallError::Refused { .. }) => {
                    let sees = if all.is_empty() { "none".to_owned() } else { names(all) };
                    return Err(vec![format!(
                        "the login does not reach the account `{id}` (`CLOUDFLARE_ACCOUNT_ID`); accounts it sees: {sees}"
                    )]);
                }
                Err(error) => return Err(said(&error)),
            },
            (None, [one]) => one.id.clone(),
            (None, []) => {
                return Err(vec![
                    "the login sees no account at Cloudflare: set `CLOUDFLARE_ACCOUNT_ID` in `config/keys.env` \
                     (dash.cloudflare.com > Account home > the 32 digits in the address)"
                        .to_owned(),
                ]);
            }
            (None, several) => {
                return Err(vec![format!(
                    "the login sees several accounts at Cloudflare: set `CLOUDFLARE_ACCOUNT_ID` in `config/keys.env` to one of {}",
                    names(several)
                )]);
            }
        };
        Ok(Self { account, token, stored })
    }
}

fn names(accounts: &[AccountName]) -> String {
    let names: Vec<String> = accounts
        .iter()
        .map(|one| format!("`{}` ({})", one.id, one.name))
        .collect();
    names.join(", ")
}

/// The token that `wrangler login` has stored, renewed where it has ended.
async fn stored_token(environment: &Variables, tools: &Tools, folder: &Path) -> Option<Secret> {
    let nobody = Login {
        account: String::new(),
        token: Secret(String::new()),
        stored: true,
    };
    let wrangler = Wrangler::new(tools, folder, &nobody, environment, Vec::new()).ok()?;
    let said = wrangler.run(&["auth", "token", "--json"], None).await;
    wrangler.clean();
    let said = said.ok().filter(|said| said.ok)?;
    let from = said.text.find('{')?;
    let mut documents = serde_json::Deserializer::from_str(&said.text[from..]).into_iter::<Value>();
    let answer = documents.next()?.ok()?;
    answer["token"]
        .as_str()
        .filter(|token| !token.is_empty())
        .map(|token| Secret(token.to_owned()))
}
