//! Where users are told things (`psn_destinations`): what is needed to reach a service lies sealed in the row.

use crate::domain::id::{DestinationId, UserId};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, param};
use crate::store::row::Row;
use crate::store::seal::Place;
use crate::store::sessions;

/// The sealed column, as bound by [`Place`].
pub const SEALED: &str = "sealed";

/// A place where a user is told things. `Debug` does not show what is sealed.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// The destination.
    pub id: DestinationId,
    /// Whose it is.
    pub user: UserId,
    /// The kind of service.
    pub kind: String,
    /// What its owner calls it; shown in logs, so no address.
    pub label: String,
    /// Its sealed address and secrets.
    pub sealed: Secret,
    /// Whether it is used.
    pub enabled: bool,
}

impl Destination {
    /// Where the sealed value lives, for [`crate::store::seal::Sealer`].
    #[must_use]
    pub fn place(&self) -> Place<'_> {
        place_of(&self.user, &self.kind, &self.id)
    }
}

/// Where the sealed value of that destination lives.
#[must_use]
pub fn place_of<'a>(user: &'a UserId, kind: &'a str, id: &'a DestinationId) -> Place<'a> {
    Place {
        user: user.as_str(),
        platform: kind,
        account: id.as_str(),
        field: SEALED,
    }
}

const PUT: &str = "insert into psn_destinations as d (id, user_id, kind, label, sealed, enabled, created_at, updated_at) \
    values ($1::uuid, $2, $3, $4, $5, $6::boolean, $7::timestamptz, $7::timestamptz) \
    on conflict (id) do update set kind = excluded.kind, label = excluded.label, sealed = excluded.sealed, \
      enabled = excluded.enabled, updated_at = excluded.updated_at";

const LIST: &str = "select id, user_id, kind, label, sealed, enabled from psn_destinations where user_id = $1 \
    order by created_at, id limit 100";

const DELETE: &str = "delete from psn_destinations where id = $1::uuid returning id";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Writes a destination of its user, new or in place of the one with that id.
    ///
    /// # Errors
    /// [`StoreError`]; 42501 where the id is another's.
    pub async fn destination_put(&self, destination: &Destination, now: Timestamp) -> Result<(), StoreError> {
        self.destination_put_with(destination, None, now).await
    }

    /// The same, with the telephone there, which is heard from now on (as long as the destination is used).
    ///
    /// # Errors
    /// [`StoreError`]; 42501 where the id is another's.
    pub async fn destination_put_with(
        &self,
        destination: &Destination,
        phone: Option<(&str, &str)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let user = &destination.user;
        let params = [
            param(&destination.id),
            param(user),
            param(&destination.kind),
            param(&destination.label),
            param(destination.sealed.expose()),
            param(destination.enabled),
            param(now),
        ];
        let mut batch = vec![Statement::new(PUT, params)];
        batch.extend(phone.map(|phone| sessions::open_statement(user, phone, now)));
        batch.push(sessions::settle_statement(user, now));
        self.write(Who::User(user.clone()), &batch).await.map(|_| ())
    }

    /// A user's destinations, oldest first, at most 100.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn destination_list(&self, user: &UserId) -> Result<Vec<Destination>, StoreError> {
        self.read_one(Who::User(user.clone()), list_statement(user))
            .await?
            .map(read)
    }

    /// Removes a destination and what is on its way there; whether it was there. Its telephone is heard no more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn destination_delete(
        &self,
        user: &UserId,
        id: &DestinationId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let delete = Statement::new(DELETE, [param(id)]);
        let batch = [delete, sessions::settle_statement(user, now)];
        let results = self.write(Who::User(user.clone()), &batch).await?;
        Ok(results.first().is_some_and(|rows| !rows.is_empty()))
    }
}

/// Asks for a user's destinations, oldest first, at most 100.
pub(crate) fn list_statement(user: &UserId) -> Statement {
    Statement::new(LIST, [param(user)])
}

pub(crate) fn read(row: Row<'_>) -> Result<Destination, StoreError> {
    Ok(Destination {
        id: DestinationId::from(row.text("id")?),
        user: UserId::from(row.text("user_id")?),
        kind: row.string("kind")?,
        label: row.string("label")?,
        sealed: Secret::new(row.text("sealed")?),
        enabled: row.bool("enabled")?,
    })
}
