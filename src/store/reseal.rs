//! Every sealed value there is, of all users: which keys hold them, and sealing them anew while others write.
//!
//! A page of rows is read, sealed anew and written back in one statement, each value only where it still is what was
//! read: whoever writes a row in between wins, and the next pass sees it. Nothing but the sealed columns changes.

use crate::domain::id::{AccountId, UserId};
use crate::domain::platform::Platform;
use crate::domain::secret::Secret;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::accounts::{ACCESS_TOKEN, REFRESH_TOKEN};
use crate::store::destinations::SEALED;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, param};
use crate::store::row::Row;
use crate::store::seal::{Form, Place, SealError, Sealer, named_key};
use serde_json::{Value, json};

/// The column of a service's key, as bound by [`Place`].
pub const ENCRYPTED_VALUE: &str = "encrypted_value";

/// Rows of one page.
const PAGE_ROWS: usize = 50;

/// Two rotations at the same time take turns: their pages could otherwise wait for each other's rows.
const LOCK: &str = "select pg_advisory_xact_lock(7307220112)";

/// A table that holds sealed values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Tokens of accounts.
    OauthTokens,
    /// Keys of services.
    ApiKeys,
    /// Addresses and secrets of the places where users are told things.
    Destinations,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::OauthTokens, Self::ApiKeys, Self::Destinations];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OauthTokens => "oauth_tokens",
            Self::ApiKeys => "api_keys",
            Self::Destinations => "psn_destinations",
        }
    }

    /// The sealed columns, in the order of `first` and `second`.
    const fn fields(self) -> [Option<&'static str>; 2] {
        match self {
            Self::OauthTokens => [Some(ACCESS_TOKEN), Some(REFRESH_TOKEN)],
            Self::ApiKeys => [Some(ENCRYPTED_VALUE), None],
            Self::Destinations => [Some(SEALED), None],
        }
    }

    /// `$1` the last id of the page before, `$2` rows.
    const fn page(self) -> &'static str {
        match self {
            Self::OauthTokens => {
                "select id, user_id, platform as kind, access_token as first, refresh_token as second from oauth_tokens \
                 where $1::uuid is null or id > $1::uuid order by id limit $2::int"
            }
            Self::ApiKeys => {
                "select id, user_id, service as kind, encrypted_value as first, null as second from api_keys \
                 where $1::uuid is null or id > $1::uuid order by id limit $2::int"
            }
            Self::Destinations => {
                "select id, user_id, kind, sealed as first, null as second from psn_destinations \
                 where $1::uuid is null or id > $1::uuid order by id limit $2::int"
            }
        }
    }

    /// `$1` the rows with old and new values. Owner and kind are bound to the values, so they count too.
    const fn replace(self) -> &'static str {
        match self {
            Self::OauthTokens => {
                "update oauth_tokens t set access_token = n.first, refresh_token = n.second \
                 from jsonb_to_recordset($1::jsonb) as n (id uuid, user_id text, kind text, was_first text, \
                   was_second text, first text, second text) \
                 where t.id = n.id and t.user_id = n.user_id and t.platform = n.kind \
                   and t.access_token = n.was_first and t.refresh_token is not distinct from n.was_second returning t.id"
            }
            Self::ApiKeys => {
                "update api_keys t set encrypted_value = n.first \
                 from jsonb_to_recordset($1::jsonb) as n (id uuid, user_id text, kind text, was_first text, first text) \
                 where t.id = n.id and t.user_id = n.user_id and t.service = n.kind \
                   and t.encrypted_value = n.was_first returning t.id"
            }
            Self::Destinations => {
                "update psn_destinations t set sealed = n.first \
                 from jsonb_to_recordset($1::jsonb) as n (id uuid, user_id text, kind text, was_first text, first text) \
                 where t.id = n.id and t.user_id = n.user_id and t.kind = n.kind and t.sealed = n.was_first returning t.id"
            }
        }
    }
}

/// Where a value stands that nobody here can open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The table.
    pub table: Table,
    /// The row.
    pub id: String,
    /// The column.
    pub field: &'static str,
    /// The key it says it is sealed with; values in the legacy form say nothing.
    pub key_id: Option<String>,
    /// Why.
    pub why: SealError,
}

/// How many values a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The key's id.
    pub key_id: String,
    /// The table.
    pub table: Table,
    /// The form of the values.
    pub form: Form,
    /// How many.
    pub values: u64,
}

/// An account whose tokens are sealed: what they are bound to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SealedAccount {
    /// The account.
    pub id: AccountId,
    /// Whose it is.
    pub user: UserId,
    /// Where it is.
    pub platform: Platform,
}

/// What a pass over all values found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Values by key, table and form, as they were found.
    pub holdings: Vec<Holding>,
    /// Values that open with no key at hand.
    pub stuck: Vec<Stuck>,
    /// Values that do not have the key and form of new ones, as they were found.
    pub outdated: u64,
    /// Values sealed anew.
    pub resealed: u64,
    /// The accounts: their objects may hold further sealed tokens that the rows do not have yet.
    pub accounts: Vec<SealedAccount>,
}

impl Census {
    fn count(&mut self, key_id: &str, table: Table, form: Form) {
        let same = |holding: &&mut Holding| holding.key_id == key_id && holding.table == table && holding.form == form;
        match self.holdings.iter_mut().find(same) {
            Some(holding) => holding.values += 1,
            None => self.holdings.push(Holding {
                key_id: key_id.to_owned(),
                table,
                form,
                values: 1,
            }),
        }
    }
}

/// What a pass does with what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Counts.
    Count,
    /// Counts, and seals anew what is outdated.
    Reseal,
}

/// One row with its sealed values, and what they become.
struct SealedRow {
    id: String,
    user: String,
    kind: String,
    was: [Option<String>; 2],
    now: [Option<String>; 2],
}

impl SealedRow {
    fn read(row: Row<'_>) -> Result<Self, StoreError> {
        let was = [row.opt_string("first")?, row.opt_string("second")?];
        Ok(Self {
            id: row.text("id")?.to_owned(),
            user: row.text("user_id")?.to_owned(),
            kind: row.text("kind")?.to_owned(),
            now: was.clone(),
            was,
        })
    }

    fn to_json(&self) -> Value {
        json!({
            "id": self.id, "user_id": self.user, "kind": self.kind,
            "was_first": self.was[0], "was_second": self.was[1], "first": self.now[0], "second": self.now[1],
        })
    }

    /// The account whose tokens these are; `None` on a platform that psn does not know, where it holds nothing either.
    fn account(&self) -> Option<SealedAccount> {
        Some(SealedAccount {
            id: AccountId::from(self.id.as_str()),
            user: UserId::from(self.user.as_str()),
            platform: Platform::parse(&self.kind)?,
        })
    }

    /// Values that change.
    fn changes(&self) -> u64 {
        let pairs = self.was.iter().zip(&self.now);
        pairs.map(|(was, now)| u64::from(was != now)).sum()
    }
}

/// Why a pass ended early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResealError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sealing.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// One pass over every sealed value of every user, page by page. A value that does not open is noted and left as it
    /// is. May be stopped anywhere and run again, by several at once, and while others write.
    ///
    /// # Errors
    /// [`ResealError`]; what was done until then stays.
    pub async fn reseal(&self, sealer: &Sealer, pass: Pass) -> Result<Census, ResealError> {
        let mut census = Census::default();
        for table in Table::ALL {
            let mut after = None;
            loop {
                let page = Statement::new(table.page(), [after, param(PAGE_ROWS)]);
                let results = self.read(Who::Owner, &[page]).await?;
                let rows = results
                    .first()
                    .map_or_else(|| Ok(Vec::new()), |rows| rows.map(SealedRow::read))?;
                after = rows.last().map(|row| row.id.clone());
                let is_last = rows.len() < PAGE_ROWS;
                self.reseal_page(table, rows, sealer, pass, &mut census).await?;
                if is_last {
                    break;
                }
            }
        }
        Ok(census)
    }

    async fn reseal_page(
        &self,
        table: Table,
        mut rows: Vec<SealedRow>,
        sealer: &Sealer,
        pass: Pass,
        census: &mut Census,
    ) -> Result<(), ResealError> {
        if table == Table::OauthTokens {
            census.accounts.extend(rows.iter().filter_map(SealedRow::account));
        }
        for row in &mut rows {
            for (index, field) in table.fields().into_iter().enumerate() {
                let (Some(field), Some(sealed)) = (field, &row.was[index]) else {
                    continue;
                };
                let place = Place {
                    user: &row.user,
                    platform: &row.kind,
                    account: &row.id,
                    field,
                };
                match sealer.inspect(sealed, &place) {
                    Ok(opened) => {
                        census.count(&opened.key_id, table, opened.form);
                        if !sealer.is_current(&opened) {
                            census.outdated += 1;
                            row.now[index] = Some(sealer.seal(&opened.plain, &place, &self.ambient)?);
                        }
                    }
                    Err(why) => census.stuck.push(Stuck {
                        table,
                        id: row.id.clone(),
                        field,
                        key_id: named_key(sealed).map(str::to_owned),
                        why,
                    }),
                }
            }
        }
        rows.retain(|row| row.changes() > 0);
        if pass == Pass::Count || rows.is_empty() {
            return Ok(());
        }
        let changed: Vec<Value> = rows.iter().map(SealedRow::to_json).collect();
        let changed = Secret::new(Value::Array(changed).to_string());
        let batch = [
            Statement::new(LOCK, []),
            Statement::new(table.replace(), [param(changed.expose())]),
        ];
        let results = self.write(Who::Owner, &batch).await?;
        let written = results
            .get(1)
            .ok_or_else(|| StoreError::malformed("two results were expected"))?
            .map(|row| row.text("id").map(str::to_owned))?;
        let done = rows.iter().filter(|row| written.contains(&row.id));
        census.resealed += done.map(SealedRow::changes).sum::<u64>();
        Ok(())
    }
}
