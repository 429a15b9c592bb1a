//! The accounts of the API, kept in the database and known to the platforms.

use crate::api::rows::RowsError;
use crate::api::{Accounts, AccountsAnswer};
use crate::domain::id::{AccountId, UserId};
use crate::platforms::oauth::Client;
use crate::ports::clock::Clock;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::seal::Sealer;
use crate::store::{Store, StoreError};
use crate::tasks::account_test::{Trial, Tried, trial};
use crate::tasks::connected::{AccountReport, DisconnectError, Revocation, disconnect, reports};
use crate::tasks::settings::Settings;
use std::sync::Arc;

/// The accounts of a database.
pub struct StoreAccounts<H, A, C> {
    /// The database.
    pub store: Arc<Store<H, A>>,
    /// Takes grants back.
    pub oauth: Client<H, C>,
    /// Opens tokens.
    pub sealer: Sealer,
    /// How to reach the platforms, for trials.
    pub settings: Arc<Settings>,
    /// With what, and when.
    pub reach: (H, C),
}

/// No database: its address or another variable is missing, and every route but health says so before it gets here.
pub struct NoAccounts;

fn unavailable(error: &StoreError) -> RowsError {
    RowsError::Unavailable(error.to_string())
}

impl<H: HttpClient + Clone, A: Ambient, C: Clock + Clone> Accounts for StoreAccounts<H, A, C> {
    fn list<'a>(&'a self, user: &'a UserId) -> AccountsAnswer<'a, Vec<AccountReport>> {
        Box::pin(async move {
            let rows = self.store.account_rows(user).await;
            let rows = rows.map_err(|error| unavailable(&error))?;
            Ok(reports(&rows, self.store.ambient.now()))
        })
    }

    fn trial<'a>(
        &'a self,
        user: &'a UserId,
        id: &'a AccountId,
        wanted: &'a Trial,
    ) -> AccountsAnswer<'a, Option<Tried>> {
        Box::pin(async move {
            let (settings, reach) = (&self.settings, self.reach.clone());
            let tried = trial(&self.store, &self.sealer, settings, reach, (user, id), wanted).await;
            tried.map_err(|error| unavailable(&error))
        })
    }

    fn disconnect<'a>(&'a self, user: &'a UserId, id: &'a AccountId) -> AccountsAnswer<'a, Option<Revocation>> {
        Box::pin(async move {
            match disconnect(&self.store, &self.oauth, &self.sealer, user, id).await {
                Ok(revocation) => Ok(Some(revocation)),
                Err(DisconnectError::NotFound) => Ok(None),
                Err(DisconnectError::Store(error)) => Err(unavailable(&error)),
            }
        })
    }
}

impl Accounts for NoAccounts {
    fn trial<'a>(&'a self, _: &'a UserId, _: &'a AccountId, _: &'a Trial) -> AccountsAnswer<'a, Option<Tried>> {
        Box::pin(async { Err(RowsError::Unavailable("its address is not configured".to_owned())) })
    }

    fn list<'a>(&'a self, _: &'a UserId) -> AccountsAnswer<'a, Vec<AccountReport>> {
        Box::pin(async { Err(RowsError::Unavailable("its address is not configured".to_owned())) })
    }

    fn disconnect<'a>(&'a self, _: &'a UserId, _: &'a AccountId) -> AccountsAnswer<'a, Option<Revocation>> {
        Box::pin(async { Err(RowsError::Unavailable("its address is not configured".to_owned())) })
    }
}
