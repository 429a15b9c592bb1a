//! Who belongs to a hub (`team_members`) and invites (`invite_codes`). Admins decide; the last admin of a hub stays one.

use crate::domain::id::{HubId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, param};
use crate::store::row::{Row, millis_of};

/// What somebody may do in a hub. The names are the legacy program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Decides who belongs, and what is published.
    Admin,
    /// Writes.
    Member,
}

impl Role {
    /// Its name in the database and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Admin, Self::Member].into_iter().find(|role| role.name() == name)
    }
}

/// Somebody who belongs or belonged to a hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// `admin` or `member`.
    pub role: String,
    /// The name people know them by.
    pub display_name: Option<String>,
    /// Where to write to them.
    pub email: Option<String>,
    /// Since when.
    pub joined_at: Timestamp,
    /// Until when, if they have left.
    pub left_at: Option<Timestamp>,
}

/// An invite, without its code: only whoever made it has that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// Its row.
    pub id: String,
    /// Who made it.
    pub created_by: UserId,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// For whom it is, where it names somebody.
    pub for_user: Option<UserId>,
    /// Who took it.
    pub used_by: Option<UserId>,
    /// When.
    pub used_at: Option<Timestamp>,
}

const LIST: &str = concat!(
    "select user_id, role, display_name, email, ",
    millis_of!("joined_at"),
    ", ",
    millis_of!("left_at"),
    " from team_members where hub_id = $1 order by team_members.joined_at, user_id limit 500"
);

/// Changes of one hub (`$1`) take turns, so that two admins do not both leave.
pub(crate) const LOCK: &str =
    "select pg_advisory_xact_lock(hashtextextended(jsonb_build_array('psn hub', $1::text)::text, 0))";

/// Somebody else is an admin. `$1` hub, `$2` user.
macro_rules! has_other_admin {
    () => {
        "exists (select from team_members o where o.hub_id = $1 and o.role = 'admin' and o.left_at is null and o.user_id <> $2)"
    };
}

const ROLE: &str = concat!(
    "update team_members set role = $3, updated_at = $4::timestamptz where hub_id = $1 and user_id = $2 \
     and left_at is null and (role = $3 or $3 = 'admin' or ",
    has_other_admin!(),
    ") returning user_id"
);

const LEAVE: &str = concat!(
    "update team_members set left_at = $3::timestamptz, role = 'member', updated_at = $3::timestamptz \
     where hub_id = $1 and user_id = $2 and left_at is null and ",
    has_other_admin!(),
    " returning user_id"
);

/// Runs behind [`LEAVE`]: the tokens of whoever belongs nowhere any more end.
const END_TOKENS: &str = "update psn_api_tokens set revoked_at = $3::timestamptz where user_id = $2 and revoked_at is null \
    and public.psn_has_left($1, $2)";

const INVITES: &str = concat!(
    "select id, created_by, used_by, \
       (select t.for_user from psn_invite_terms t where t.invite_id = i.id) as for_user, ",
    millis_of!("expires_at"),
    ", ",
    millis_of!("used_at"),
    " from invite_codes i where hub_id = $1 order by created_at desc, id limit 1000"
);

const WITHDRAW: &str =
    "delete from invite_codes where id::text = $1 and hub_id = $2 and used_by is null and used_at is null returning id";

/// Behind [`WITHDRAW`]: for whom it was.
const WITHDRAW_TERMS: &str = "delete from psn_invite_terms t where t.invite_id::text = $1 and t.hub_id = $2 \
    and not exists (select from invite_codes i where i.id = t.invite_id)";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Who belongs and belonged to a hub of the user; empty where the user does not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn member_list(&self, user: &UserId, hub: &HubId) -> Result<Vec<Member>, StoreError> {
        let list = Statement::new(LIST, [param(hub)]);
        self.read_one(Who::User(user.clone()), list).await?.map(read_member)
    }

    /// Gives a member another role; `false` where the user may not, there is no such member, or a hub would be left
    /// without an admin.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn member_role(
        &self,
        user: &UserId,
        (hub, member): (&HubId, &UserId),
        role: Role,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let params = [param(hub), param(member), param(role.name()), param(now)];
        let batch = [Statement::new(LOCK, [param(hub)]), Statement::new(ROLE, params)];
        let results = match self.write(Who::User(user.clone()), &batch).await {
            // Whoever is no admin sees their own row and may only leave.
            Err(error) if error.is_forbidden() => return Ok(false),
            results => results?,
        };
        Ok(results.last().is_some_and(|rows| !rows.is_empty()))
    }

    /// Ends a membership, one's own or, for an admin, another's, and the member's tokens with it; `false` where the user
    /// may not, it had ended, or a hub would be left without an admin.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn member_leave(
        &self,
        user: &UserId,
        (hub, member): (&HubId, &UserId),
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let params = [param(hub), param(member), param(now)];
        let batch = [
            Statement::new(LOCK, [param(hub)]),
            Statement::new(LEAVE, params.clone()),
            Statement::new(END_TOKENS, params),
        ];
        let results = self.write(Who::User(user.clone()), &batch).await?;
        Ok(results.get(1).is_some_and(|rows| !rows.is_empty()))
    }

    /// The invites to a hub, newest first; empty where the user is no admin of it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invite_list(&self, user: &UserId, hub: &HubId) -> Result<Vec<Invite>, StoreError> {
        let list = Statement::new(INVITES, [param(hub)]);
        let rows = self.read_one(Who::User(user.clone()), list).await?;
        rows.map(|row| {
            Ok(Invite {
                id: row.string("id")?,
                created_by: UserId::from(row.text("created_by")?),
                expires_at: row.instant("expires_at")?,
                for_user: row.opt("for_user")?.map(UserId::from),
                used_by: row.opt("used_by")?.map(UserId::from),
                used_at: row.opt_instant("used_at")?,
            })
        })
    }

    /// Withdraws an invite that nobody has used; whether it was there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invite_withdraw(&self, user: &UserId, hub: &HubId, id: &str) -> Result<bool, StoreError> {
        let params = [param(id), param(hub)];
        let batch = [
            Statement::new(WITHDRAW, params.clone()),
            Statement::new(WITHDRAW_TERMS, params),
        ];
        let results = self.write(Who::User(user.clone()), &batch).await?;
        Ok(results.first().is_some_and(|rows| !rows.is_empty()))
    }
}

fn read_member(row: Row<'_>) -> Result<Member, StoreError> {
    Ok(Member {
        user: UserId::from(row.text("user_id")?),
        role: row.string("role")?,
        display_name: row.opt_string("display_name")?,
        email: row.opt_string("email")?,
        joined_at: row.instant("joined_at")?,
        left_at: row.opt_instant("left_at")?,
    })
}
