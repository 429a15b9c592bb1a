//! The way into a hub: founding one, inviting, and joining with a token of one's own.

use crate::domain::id::{ApiTokenId, HubId, UserId};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::api_tokens::digest;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, opt_param, param};
use crate::store::row::{Row, millis_of};
use crate::store::teams::LOCK;
use serde_json::Value;

/// A hub to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHub {
    /// Its id.
    pub id: HubId,
    /// The name in file names and commands.
    pub slug: String,
    /// The name people read.
    pub name: String,
    /// Its first admin.
    pub admin: UserId,
    /// The token that is shown for it, which the audit names.
    pub by_token: Option<ApiTokenId>,
    /// The caller's now.
    pub now: Timestamp,
}

/// A hub that a user belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubRow {
    /// Its id.
    pub id: HubId,
    /// The name in commands, where it was given one.
    pub slug: Option<String>,
    /// The name people read, where it was given one.
    pub name: Option<String>,
    /// What the user may do: `admin` or `member`.
    pub role: String,
    /// Since when they belong.
    pub joined_at: Timestamp,
    /// How many belong.
    pub members: i64,
}

/// An invite to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInvite {
    /// Its row, chosen by the caller before the first try.
    pub id: String,
    /// To which hub.
    pub hub: HubId,
    /// Its code; only a digest of it is kept.
    pub code: Secret,
    /// For whom it is; `None`: for whoever comes first under a name that is new here.
    pub for_user: Option<UserId>,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// The caller's now.
    pub now: Timestamp,
}

/// Somebody who wants to join.
#[derive(Clone, Debug)]
pub struct Joining {
    /// The name they choose, were given, or have.
    pub user: UserId,
    /// The invite's code.
    pub code: Secret,
    /// The name people know them by.
    pub display_name: Option<String>,
    /// Where to write to them.
    pub email: Option<String>,
    /// The token they get; `None` for those who have one, which says who they are.
    pub token: Option<FirstToken>,
    /// The caller's now.
    pub now: Timestamp,
}

/// The token of somebody who joins.
#[derive(Clone, Debug)]
pub struct FirstToken {
    /// Its id.
    pub id: ApiTokenId,
    /// It; only a digest of it is kept.
    pub token: Secret,
    /// What it is called.
    pub name: String,
    /// What the token of a member may do.
    pub member_scopes: Vec<String>,
    /// What the token of an admin may do.
    pub admin_scopes: Vec<String>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Joined {
    /// They belong, and the token is theirs. Also when they ask again.
    Joined {
        /// To which hub.
        hub: HubId,
        /// As what.
        role: String,
    },
    /// They belonged already; the invite stays good.
    Member(HubId),
    /// Somebody has used the invite.
    Used,
    /// Its time is over, or whoever made it is no admin any more.
    Expired,
    /// The name is somebody's.
    Taken,
    /// The invite is for another name.
    ForAnother,
    /// The token is in use.
    TokenInUse,
    /// There is no such code.
    Unknown,
}

/// Founds a hub, and notes in the audit that it was.
const FOUND: &str = "with founded as (insert into team_members (user_id, hub_id, role, joined_at, created_at, updated_at) \
      select $1, $2, 'admin', $3::timestamptz, $3::timestamptz, $3::timestamptz \
      where not exists (select from team_members where hub_id = $2) on conflict do nothing returning hub_id) \
    insert into psn_audit (at, user_id, token_id, action, target, detail) \
      select $3::timestamptz, $1, $4::uuid, 'hub.create', hub_id, '{}' from founded";

/// Behind [`FOUND`]: the names of a hub that was founded for that admin.
const NAME: &str = "insert into psn_settings (user_id, scope, name, value, updated_at) \
    select $2, 'hub', named.name, named.value, $3::timestamptz \
    from jsonb_each($4::jsonb) named (name, value) where exists (select from team_members m where m.hub_id = $2 \
      and m.user_id = $1 and m.role = 'admin' and m.left_at is null) on conflict (user_id, scope, name) do nothing";

const IS_ADMIN: &str = "select exists (select from team_members m where m.hub_id = $2 and m.user_id = $1 \
    and m.role = 'admin' and m.left_at is null) as is_admin";

/// What a hub is called. `$1` is the user.
const HUBS: &str = concat!(
    "select m.hub_id, m.role, ",
    millis_of!("joined_at"),
    ", (select s.value #>> '{}' from psn_settings s where s.user_id = m.hub_id and s.scope = 'hub' and s.name = 'slug') as slug, \
     (select s.value #>> '{}' from psn_settings s where s.user_id = m.hub_id and s.scope = 'hub' and s.name = 'name') as name, \
     (select count(*) from team_members o where o.hub_id = m.hub_id and o.left_at is null) as members \
     from team_members m where m.user_id = $1 and m.left_at is null order by m.joined_at, m.hub_id limit 200"
);

const INVITE: &str = "insert into invite_codes (id, hub_id, code, created_by, expires_at, created_at) \
    values ($1::uuid, $2, $3, $4, $5::timestamptz, $6::timestamptz) on conflict do nothing";

const INVITE_FOR: &str = "insert into psn_invite_terms (invite_id, hub_id, for_user) select i.id, i.hub_id, $3 \
    from invite_codes i where i.id = $1::uuid and i.hub_id = $2 on conflict do nothing";

const JOIN: &str = "select outcome, hub, belongs_as from psn_join($1, $2, $3, $4::uuid, $5, $6, $7::text[], $8::text[], \
    $9::timestamptz)";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Begins a hub with its first admin, where nobody belongs to it yet; whether that user is its admin now. Runs as the
    /// owner: there is nobody who could let them in.
    ///
    /// # Errors
    /// [`StoreError`]; founding again is always right.
    pub async fn hub_found(&self, new: &NewHub) -> Result<bool, StoreError> {
        let names = serde_json::json!({ "slug": new.slug, "name": new.name });
        let who = [param(&new.admin), param(&new.id)];
        let with_time = who.iter().cloned().chain([param(new.now)]);
        let batch = [
            Statement::new(LOCK, [param(&new.id)]),
            Statement::new(FOUND, with_time.clone().chain([opt_param(new.by_token.as_ref())])),
            Statement::new(NAME, with_time.chain([param(Value::to_string(&names))])),
            Statement::new(IS_ADMIN, who),
        ];
        let results = self.write(Who::Owner, &batch).await?;
        let last = results
            .last()
            .ok_or_else(|| StoreError::malformed("four results were expected"))?;
        last.one()?.bool("is_admin")
    }

    /// The hubs that a user belongs to, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hub_list(&self, user: &UserId) -> Result<Vec<HubRow>, StoreError> {
        let hubs = Statement::new(HUBS, [param(user)]);
        self.read_one(Who::User(user.clone()), hubs).await?.map(read_hub)
    }

    /// Keeps an invite; its code is known to the caller only. Kept twice it is there once.
    ///
    /// # Errors
    /// [`StoreError`]; 42501 where the user is no admin of the hub.
    pub async fn invite_create(&self, user: &UserId, new: &NewInvite) -> Result<(), StoreError> {
        let invite = Statement::new(
            INVITE,
            [
                param(&new.id),
                param(&new.hub),
                param(digest(new.code.expose())),
                param(user),
                param(new.expires_at),
                param(new.now),
            ],
        );
        let named = new
            .for_user
            .as_ref()
            .map(|who| Statement::new(INVITE_FOR, [param(&new.id), param(&new.hub), param(who)]));
        let batch: Vec<Statement> = [invite].into_iter().chain(named).collect();
        self.write(Who::User(user.clone()), &batch).await.map(|_| ())
    }

    /// Presents an invite's code: of two who do at once, one joins. Whoever left joins again with an invite that names them.
    ///
    /// # Errors
    /// [`StoreError`]; presenting it again with the same token is always right.
    pub async fn hub_join(&self, joining: &Joining) -> Result<Joined, StoreError> {
        let token = joining.token.as_ref();
        let list = |scopes: &Vec<String>| format!("{{{}}}", scopes.join(","));
        let join = Statement::new(
            JOIN,
            [
                param(digest(joining.code.expose())),
                joining.display_name.clone(),
                joining.email.clone(),
                token.map(|token| token.id.0.clone()),
                token.map(|token| digest(token.token.expose())),
                token.map(|token| token.name.clone()),
                token.map(|token| list(&token.member_scopes)),
                token.map(|token| list(&token.admin_scopes)),
                param(joining.now),
            ],
        );
        let rows = self.write_one(Who::User(joining.user.clone()), join).await?;
        let Some(row) = rows.first() else {
            return Ok(Joined::Unknown);
        };
        Ok(match row.text("outcome")? {
            "joined" => Joined::Joined {
                hub: HubId::from(row.text("hub")?),
                role: row.string("belongs_as")?,
            },
            "member" => Joined::Member(HubId::from(row.text("hub")?)),
            "expired" => Joined::Expired,
            "taken" => Joined::Taken,
            "other" => Joined::ForAnother,
            "token" => Joined::TokenInUse,
            _ => Joined::Used,
        })
    }
}

fn read_hub(row: Row<'_>) -> Result<HubRow, StoreError> {
    Ok(HubRow {
        id: HubId::from(row.text("hub_id")?),
        slug: row.opt_string("slug")?,
        name: row.opt_string("name")?,
        role: row.string("role")?,
        joined_at: row.instant("joined_at")?,
        members: row.opt_i64("members")?.unwrap_or(0),
    })
}
