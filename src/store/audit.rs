//! Who did what (`psn_audit`): added to, never changed. It names things and holds no contents.

use crate::domain::id::{ApiTokenId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, opt_param, param};
use crate::store::row::{Row, millis_of};
use serde_json::{Map, Value};

/// Something that somebody did.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub user: UserId,
    /// With which token.
    pub token: Option<ApiTokenId>,
    /// What: `post.cancel`, `token.revoke`, …
    pub action: String,
    /// To what: its id.
    pub target: Option<String>,
    /// More about it; no contents, no secrets.
    pub detail: Map<String, Value>,
}

/// The statement that notes a deed, for the transaction that does it (run on behalf of its user).
#[must_use]
pub fn deed_statement(deed: &Deed) -> Statement {
    const ADD: &str = "insert into psn_audit (at, user_id, token_id, action, target, detail) \
        values ($1::timestamptz, $2, $3::uuid, $4, $5, $6::jsonb)";
    let params = [
        param(deed.at),
        param(&deed.user),
        opt_param(deed.token.as_ref()),
        param(&deed.action),
        deed.target.clone(),
        param(Value::Object(deed.detail.clone())),
    ];
    Statement::new(ADD, params)
}

const LIST: &str = concat!(
    "select id, user_id, token_id, action, target, detail, ",
    millis_of!("at"),
    " from psn_audit where ($1::text is null or user_id = $1) and ($2::bigint is null or id < $2::bigint) \
     and ($4::text is null or action = $4) and ($5::text is null or target = $5) order by id desc limit $3::int"
);

/// Which deeds a list holds; `None` allows everything that the user may see: their own, and those of the members of hubs
/// whose admin they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeedFilter {
    /// Only what that user did.
    pub whose: Option<UserId>,
    /// Only that kind.
    pub action: Option<String>,
    /// Only what was done to that.
    pub target: Option<String>,
}

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Notes what one user did in one request. Where the answer is lost it is not noted again: it may be there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn deeds_add(&self, deeds: &[Deed]) -> Result<(), StoreError> {
        let Some(first) = deeds.first() else { return Ok(()) };
        let who = Who::User(first.user.clone());
        let batch: Vec<Statement> = deeds.iter().map(deed_statement).collect();
        self.write_once(who, &batch).await.map(|_| ())
    }

    /// What was done, the last first, with its place in the list, from behind that place on; at most `limit` (1 to 200).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn deed_list(
        &self,
        user: &UserId,
        filter: &DeedFilter,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Vec<(i64, Deed)>, StoreError> {
        let params = [
            opt_param(filter.whose.as_ref()),
            opt_param(after),
            param(limit.clamp(1, 200)),
            filter.action.clone(),
            filter.target.clone(),
        ];
        let list = Statement::new(LIST, params);
        self.read_one(Who::User(user.clone()), list).await?.map(read)
    }
}

fn read(row: Row<'_>) -> Result<(i64, Deed), StoreError> {
    let deed = Deed {
        at: row.instant("at")?,
        user: UserId::from(row.text("user_id")?),
        token: row.opt("token_id")?.map(ApiTokenId::from),
        action: row.string("action")?,
        target: row.opt_string("target")?,
        detail: row.object("detail")?,
    };
    Ok((row.i64("id")?, deed))
}
