//! Who belongs to a hub (`team_members`) and invites (`invite_codes`). Admins decide; the last admin of a hub stays one.

use crate::domain::id::{HubId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::api_tokens::digest;
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
    /// Who took it.
    pub used_by: Option<UserId>,
}

/// What became of an invite that somebody presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// They belong to the hub now.
    Joined(HubId),
    /// They belonged already; the code stays good.
    Member(HubId),
    /// Somebody has used it.
    Used,
    /// Its time is over.
    Expired,
    /// There is no such code.
    Unknown,
}

const FOUND: &str = "insert into team_members (user_id, hub_id, role, display_name, joined_at, created_at, updated_at) \
    select $1, $2, 'admin', $3, $4::timestamptz, $4::timestamptz, $4::timestamptz \
    where not exists (select from team_members where hub_id = $2) on conflict do nothing";

const LIST: &str = concat!(
    "select user_id, role, display_name, email, ",
    millis_of!("joined_at"),
    ", ",
    millis_of!("left_at"),
    " from team_members where hub_id = $1 order by team_members.joined_at, user_id limit 500"
);

/// Changes of one hub take turns, so that two admins do not both leave.
const LOCK: &str = "select pg_advisory_xact_lock(hashtextextended(jsonb_build_array('psn hub', $1::text)::text, 0))";

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
    and exists (select from team_members m where m.hub_id = $1 and m.user_id = $2 and m.left_at is not null) \
    and not exists (select from team_members m where m.user_id = $2 and m.left_at is null)";

const INVITE: &str = "insert into invite_codes (hub_id, code, created_by, expires_at, created_at) \
    values ($1, $2, $3, $4::timestamptz, $5::timestamptz) on conflict do nothing";

const INVITES: &str = concat!(
    "select id, created_by, used_by, ",
    millis_of!("expires_at"),
    " from invite_codes where hub_id = $1 order by created_at desc, id limit 100"
);

const WITHDRAW: &str = "delete from invite_codes where id::text = $1 and used_by is null returning id";

const REDEEM: &str = "select outcome, hub from psn_invite_redeem($1, $2, $3)";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Begins a hub with its first admin, where nobody belongs to it yet. Runs as the owner: there is nobody who could
    /// let them in.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hub_found(
        &self,
        hub: &HubId,
        admin: &UserId,
        display_name: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let name = display_name.map(str::to_owned);
        let params = [param(admin), param(hub), name, param(now)];
        let batch = [Statement::new(LOCK, [param(hub)]), Statement::new(FOUND, params)];
        self.write(Who::Owner, &batch).await.map(|_| ())
    }

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
            Err(StoreError::Refused { sqlstate, .. }) if sqlstate == "42501" => return Ok(false),
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

    /// Keeps an invite; its code is known to the caller only.
    ///
    /// # Errors
    /// [`StoreError`]; 42501 where the user is no admin of the hub.
    pub async fn invite_create(
        &self,
        user: &UserId,
        hub: &HubId,
        code: &str,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let params = [
            param(hub),
            param(digest(code)),
            param(user),
            param(expires_at),
            param(now),
        ];
        let invite = Statement::new(INVITE, params);
        self.write_one(Who::User(user.clone()), invite).await.map(|_| ())
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
                used_by: row.opt("used_by")?.map(UserId::from),
            })
        })
    }

    /// Withdraws an invite that nobody has used; whether it was there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invite_withdraw(&self, user: &UserId, id: &str) -> Result<bool, StoreError> {
        let withdraw = Statement::new(WITHDRAW, [param(id)]);
        Ok(!self.write_one(Who::User(user.clone()), withdraw).await?.is_empty())
    }

    /// Presents an invite's code: of two who do at once, one joins. Whoever left may join again.
    ///
    /// # Errors
    /// [`StoreError`]; presenting it again is always right.
    pub async fn invite_redeem(
        &self,
        user: &UserId,
        code: &str,
        display_name: Option<&str>,
        email: Option<&str>,
    ) -> Result<Redeemed, StoreError> {
        let params = [
            param(digest(code)),
            display_name.map(str::to_owned),
            email.map(str::to_owned),
        ];
        let redeem = Statement::new(REDEEM, params);
        let rows = self.write_one(Who::User(user.clone()), redeem).await?;
        let Some(row) = rows.first() else {
            return Ok(Redeemed::Unknown);
        };
        let hub = HubId::from(row.text("hub")?);
        Ok(match row.text("outcome")? {
            "joined" => Redeemed::Joined(hub),
            "member" => Redeemed::Member(hub),
            "expired" => Redeemed::Expired,
            _ => Redeemed::Used,
        })
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
