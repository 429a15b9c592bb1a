//! Accounts as people see them: every row of `oauth_tokens`, without its tokens.

use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who};

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Whether the database has the table of accounts at all; a fresh one has none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_accounts(&self) -> Result<bool, StoreError> {
        let statement = Statement::new("select to_regclass('public.oauth_tokens')::text as found", []);
        let results = self.read(Who::Owner, &[statement]).await?;
        let rows = results
            .first()
            .ok_or_else(|| StoreError::malformed("one result was expected"))?;
        Ok(rows.one()?.opt("found")?.is_some())
    }
}
