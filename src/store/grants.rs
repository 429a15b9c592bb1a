//! What people allow assistants to do, over OAuth (`psn_oauth_codes`, `psn_oauth_grants`, `psn_oauth_tokens`). A grant is a
//! token of `psn_api_tokens` of the same id; the tokens that its client shows are looked up there
//! ([`Store::api_token_look_up`]). Only digests are kept of whatever is shown.

use crate::domain::id::{ApiTokenId, UserId};
use crate::domain::time::{Millis, Timestamp};
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::audit::{Deed, deed_statement};
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, opt_param, param};
use crate::store::row::{Row, millis_of};

/// How long a code may wait to be exchanged.
pub const CODE_LASTS: Millis = Millis::from_secs(120);
/// How long an access token is good.
pub const ACCESS_LASTS: Millis = Millis::from_secs(3_600);
/// How long a refresh token may lie unused.
pub const REFRESH_LASTS: Millis = Millis::from_secs(60 * 86_400);
/// How long a grant lasts: then the person is asked again.
pub const GRANT_LASTS: Millis = Millis::from_secs(365 * 86_400);

/// Who was allowed what by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// The person.
    pub user: UserId,
    /// The client, as it calls itself to this server.
    pub client_id: String,
    /// Its name, as it was shown.
    pub client_name: String,
    /// Where its browser is led back to.
    pub redirect_uri: String,
    /// What the tokens are for.
    pub resource: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// What the person showed; `None` for the operator. The grant ends with it.
    pub by_token: Option<ApiTokenId>,
}

/// A code to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCode {
    /// Its id, chosen by the caller.
    pub id: String,
    /// Its [`digest`](crate::store::api_tokens::digest).
    pub digest: String,
    /// What it stands for.
    pub allowed: Allowed,
    /// The S256 challenge whose verifier has to come with it.
    pub challenge: String,
    /// The caller's now.
    pub now: Timestamp,
}

/// A code as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// Its id.
    pub id: String,
    /// What it stands for.
    pub allowed: Allowed,
    /// The challenge.
    pub challenge: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The grant it was exchanged for, if it was.
    pub grant: Option<ApiTokenId>,
}

/// Two tokens that are given together, by their digests, with ids chosen by the caller before the first try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The access token: id and digest.
    pub access: (String, String),
    /// The refresh token: id and digest.
    pub refresh: (String, String),
}

/// A refresh token as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// Its id.
    pub id: String,
    /// Its grant.
    pub grant: ApiTokenId,
    /// The person.
    pub user: UserId,
    /// The client it was given to.
    pub client_id: String,
    /// What its grant is for.
    pub resource: String,
    /// What its grant allows.
    pub scopes: Vec<String>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether the grant lasts, what it was made with too, and its person still belongs here.
    pub is_live: bool,
    /// When it was exchanged, if it was.
    pub used_at: Option<Timestamp>,
    /// The digest of the refresh token that it was exchanged for.
    pub successor: Option<String>,
    /// Whether that one was exchanged too.
    pub is_successor_used: bool,
}

/// The grant of a token that somebody shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The grant.
    pub grant: ApiTokenId,
    /// The person.
    pub user: UserId,
    /// The client.
    pub client_id: String,
}

const KEEP: &str = "insert into psn_oauth_codes (id, user_id, digest, client_id, client_name, redirect_uri, resource, \
      challenge, scopes, by_token, created_at, expires_at) \
    values ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9::text[], $10::uuid, $11::timestamptz, $12::timestamptz)";

const FIND_CODE: &str = concat!(
    "select id, user_id, client_id, client_name, redirect_uri, resource, challenge, to_jsonb(scopes) as scopes, by_token, \
      grant_id, ",
    millis_of!("expires_at"),
    " from psn_oauth_codes where digest = $1"
);

/// One exchange wins; the same one may come again. `$1` code, `$2` grant.
const TAKE_CODE: &str = "update psn_oauth_codes set grant_id = $2::uuid \
    where id = $1::uuid and (grant_id is null or grant_id = $2::uuid) returning id";

/// Its own digest is that of no text, so that only its tokens open anything. `$1` code, `$2` grant, `$3` now, `$4` end.
const LIST_GRANT: &str = "insert into psn_api_tokens (id, user_id, name, digest, scopes, created_at, expires_at) \
    select $2::uuid, c.user_id, c.client_name, 'grant ' || ($2::uuid)::text, c.scopes, $3::timestamptz, least($4::timestamptz, \
      (select b.expires_at from psn_api_tokens b where b.id = c.by_token)) \
    from psn_oauth_codes c where c.id = $1::uuid and c.grant_id = $2::uuid on conflict do nothing";

const KEEP_GRANT: &str = "insert into psn_oauth_grants (id, user_id, client_id, client_name, redirect_uri, resource, by_token, \
      created_at) \
    select $2::uuid, c.user_id, c.client_id, c.client_name, c.redirect_uri, c.resource, c.by_token, $3::timestamptz \
    from psn_oauth_codes c where c.id = $1::uuid and c.grant_id = $2::uuid on conflict do nothing";

/// `$1` grant, `$2` parent, `$3` now, `$4` to `$6` the access token, `$7` to `$9` the refresh token: id, digest, end.
const KEEP_PAIR: &str = "insert into psn_oauth_tokens (id, user_id, grant_id, kind, digest, parent, created_at, expires_at) \
    select t.id, g.user_id, g.id, t.kind, t.digest, $2::uuid, $3::timestamptz, t.ends from psn_oauth_grants g, \
      (values ($4::uuid, 'access', $5, $6::timestamptz), ($7::uuid, 'refresh', $8, $9::timestamptz)) t (id, kind, digest, ends) \
    where g.id = $1::uuid on conflict do nothing";

/// What has ended opens nothing, whether it is there or not. `$1` user, `$2` before.
const CLEAR_CODES: &str = "delete from psn_oauth_codes where user_id = $1 and expires_at < $2::timestamptz";
const CLEAR_TOKENS: &str = "delete from psn_oauth_tokens where user_id = $1 and expires_at < $2::timestamptz";
/// Behind its end, a code is kept so long, to be known when it comes twice.
const CODE_KEPT: Millis = Millis::from_secs(86_400);

const FIND_REFRESH: &str = "select t.id, t.user_id, t.grant_id, g.client_id, g.resource, to_jsonb(a.scopes) as scopes, \
      floor(extract(epoch from t.expires_at) * 1000)::bigint as expires_at, \
      floor(extract(epoch from t.used_at) * 1000)::bigint as used_at, s.digest as successor, \
      coalesce(s.used_at is not null, false) as is_successor_used, \
      a.revoked_at is null and (a.expires_at is null or a.expires_at > $2::timestamptz) \
        and (g.by_token is null or exists (select from psn_api_tokens b where b.id = g.by_token and b.revoked_at is null \
          and (b.expires_at is null or b.expires_at > $2::timestamptz))) \
        and (not exists (select from team_members m where m.user_id = t.user_id) \
          or exists (select from team_members m where m.user_id = t.user_id and m.left_at is null)) as is_live \
    from psn_oauth_tokens t join psn_oauth_grants g on g.id = t.grant_id join psn_api_tokens a on a.id = t.grant_id \
      left join psn_oauth_tokens s on s.parent = t.id and s.kind = 'refresh' \
    where t.digest = $1 and t.kind = 'refresh' limit 1";

const USE_REFRESH: &str = concat!(
    "update psn_oauth_tokens set used_at = coalesce(used_at, $2::timestamptz) where id = $1::uuid returning ",
    millis_of!("used_at")
);

const WHOSE: &str = "select t.grant_id, t.user_id, g.client_id from psn_oauth_tokens t \
    join psn_oauth_grants g on g.id = t.grant_id where t.digest = $1";

const KNOWN: &str =
    "select client_name, redirect_uri from psn_oauth_grants where client_id = $1 order by created_at desc limit 10";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Keeps a code and notes who made it. Where the answer is lost, nobody has the code.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn code_keep(&self, new: &NewCode, deed: &Deed) -> Result<(), StoreError> {
        let allowed = &new.allowed;
        let params = [
            param(&new.id),
            param(&allowed.user),
            param(&new.digest),
            param(&allowed.client_id),
            param(&allowed.client_name),
            param(&allowed.redirect_uri),
            param(&allowed.resource),
            param(&new.challenge),
            param(format!("{{{}}}", allowed.scopes.join(","))),
            opt_param(allowed.by_token.as_ref()),
            param(new.now),
            param(new.now + CODE_LASTS),
        ];
        let batch = [
            Statement::new(KEEP, params),
            deed_statement(deed),
            Statement::new(CLEAR_CODES, [param(&allowed.user), param(new.now - CODE_KEPT)]),
        ];
        self.write_once(Who::User(allowed.user.clone()), &batch)
            .await
            .map(|_| ())
    }

    /// The code of that digest. Reads as `psn_task`: who shows it is not known before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn code_find(&self, digest: &str) -> Result<Option<Code>, StoreError> {
        let find = Statement::new(FIND_CODE, [param(digest)]);
        let rows = self.read_one(Who::Task, find).await?;
        rows.first().map(read_code).transpose()
    }

    /// Exchanges a code for a grant with its first tokens; `false` where it was exchanged before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn code_take(
        &self,
        code: &Code,
        grant: &ApiTokenId,
        pair: &Pair,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let both = [param(&code.id), param(grant), param(now)];
        let mut listed = both.to_vec();
        listed.push(param(now + GRANT_LASTS));
        let batch = [
            Statement::new(TAKE_CODE, both[..2].to_vec()),
            Statement::new(LIST_GRANT, listed),
            Statement::new(KEEP_GRANT, both),
            keep_pair(grant, None, pair, now),
        ];
        let results = self.write(Who::User(code.allowed.user.clone()), &batch).await?;
        let taken = results
            .first()
            .ok_or_else(|| StoreError::malformed("four results were expected"))?;
        Ok(!taken.is_empty())
    }

    /// The refresh token of that digest. Reads as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn refresh_find(&self, digest: &str, now: Timestamp) -> Result<Option<Refresh>, StoreError> {
        let find = Statement::new(FIND_REFRESH, [param(digest), param(now)]);
        let rows = self.read_one(Who::Task, find).await?;
        rows.first().map(read_refresh).transpose()
    }

    /// Exchanges a refresh token for a pair, which stays the same one however often this is done; when it was done first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn refresh_take(&self, refresh: &Refresh, pair: &Pair, now: Timestamp) -> Result<Timestamp, StoreError> {
        let batch = [
            Statement::new(USE_REFRESH, [param(&refresh.id), param(now)]),
            keep_pair(&refresh.grant, Some(&refresh.id), pair, now),
            Statement::new(CLEAR_TOKENS, [param(&refresh.user), param(now)]),
        ];
        let results = self.write(Who::User(refresh.user.clone()), &batch).await?;
        let used = results
            .first()
            .ok_or_else(|| StoreError::malformed("three results were expected"))?;
        used.one()?.instant("used_at")
    }

    /// The grant that a token of that digest, of either kind, belongs to. Reads as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn grant_of(&self, digest: &str) -> Result<Option<Shown>, StoreError> {
        let whose = Statement::new(WHOSE, [param(digest)]);
        let rows = self.read_one(Who::Task, whose).await?;
        let read = |row: Row<'_>| {
            Ok(Shown {
                grant: ApiTokenId::from(row.text("grant_id")?),
                user: UserId::from(row.text("user_id")?),
                client_id: row.string("client_id")?,
            })
        };
        rows.first().map(read).transpose()
    }

    /// What is known of a client that was allowed something before: its name, and where it was led back to, the last first.
    /// Reads as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn client_known(&self, client_id: &str) -> Result<Vec<(String, String)>, StoreError> {
        let known = Statement::new(KNOWN, [param(client_id)]);
        let read = |row: Row<'_>| Ok((row.string("client_name")?, row.string("redirect_uri")?));
        self.read_one(Who::Task, known).await?.map(read)
    }
}

fn keep_pair(grant: &ApiTokenId, parent: Option<&String>, pair: &Pair, now: Timestamp) -> Statement {
    let params = [
        param(grant),
        opt_param(parent),
        param(now),
        param(&pair.access.0),
        param(&pair.access.1),
        param(now + ACCESS_LASTS),
        param(&pair.refresh.0),
        param(&pair.refresh.1),
        param(now + REFRESH_LASTS),
    ];
    Statement::new(KEEP_PAIR, params)
}

fn read_code(row: Row<'_>) -> Result<Code, StoreError> {
    Ok(Code {
        id: row.string("id")?,
        allowed: Allowed {
            user: UserId::from(row.text("user_id")?),
            client_id: row.string("client_id")?,
            client_name: row.string("client_name")?,
            redirect_uri: row.string("redirect_uri")?,
            resource: row.string("resource")?,
            scopes: row.strings("scopes")?,
            by_token: row.opt("by_token")?.map(ApiTokenId::from),
        },
        challenge: row.string("challenge")?,
        expires_at: row.instant("expires_at")?,
        grant: row.opt("grant_id")?.map(ApiTokenId::from),
    })
}

fn read_refresh(row: Row<'_>) -> Result<Refresh, StoreError> {
    Ok(Refresh {
        id: row.string("id")?,
        grant: ApiTokenId::from(row.text("grant_id")?),
        user: UserId::from(row.text("user_id")?),
        client_id: row.string("client_id")?,
        resource: row.string("resource")?,
        scopes: row.strings("scopes")?,
        expires_at: row.instant("expires_at")?,
        is_live: row.bool("is_live")?,
        used_at: row.opt_instant("used_at")?,
        successor: row.opt_string("successor")?,
        is_successor_used: row.bool("is_successor_used")?,
    })
}
