//! Rows of `ideas`. A user sees their own and those of the hubs they belong to.

use crate::domain::id::{HubId, IdeaId, UserId};
use crate::domain::idea::{IdeaStatus, Rating, STALE_AFTER};
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::cursor::{Cursor, Page, page_statement, read_page};
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, opt_param, param};
use crate::store::row::{Row, millis_of, patched};
use crate::store::{Changed, Store};
use serde_json::{Map, Value, json};

/// Why the task ended an idea.
pub const EXPIRED: &str = "expired";

/// `$5` statuses, `$6` text, `$7` and `$8` since when sparks and seeds are stale.
macro_rules! wanted_idea {
    () => {
        "($5::text is null or t.status = any ($5::text[])) and ($6::text is null \
           or strpos(lower(t.title || ' ' || coalesce(t.notes, '') || ' ' || coalesce(t.tags::text, '')), lower($6)) > 0) \
         and ($7::text is null or t.status = 'spark' and t.last_touched_at <= $7::timestamptz \
           or t.status = 'seed' and t.last_touched_at <= $8::timestamptz)"
    };
}

macro_rules! idea_columns {
    () => {
        concat!(
            "t.id, t.user_id, t.hub_id, t.title, t.notes, t.tags, t.status, t.urgency, t.pillar, t.platform, t.format, \
             t.claimed_by, t.kill_reason, t.source_type, t.source_id, t.updated_at::text as version, ",
            millis_of!("expires_at"),
            ", ",
            millis_of!("last_touched_at"),
            ", ",
            millis_of!("created_at")
        )
    };
}

/// A row of `ideas`; what another program wrote comes as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idea {
    /// The idea.
    pub id: IdeaId,
    /// Who had it.
    pub user: UserId,
    /// The hub it belongs to, if it is not its user's alone.
    pub hub: Option<HubId>,
    /// What it is.
    pub title: String,
    /// More about it.
    pub notes: Option<String>,
    /// Tags, `key:value`.
    pub tags: Vec<String>,
    /// How far it has come, by name (see [`IdeaStatus::parse`]).
    pub status: String,
    /// `timely`, `seasonal` or `evergreen`.
    pub urgency: String,
    /// The pillar it belongs to.
    pub pillar: Option<String>,
    /// Where it would be published.
    pub platform: Option<String>,
    /// In which format.
    pub format: Option<String>,
    /// Who writes it.
    pub claimed_by: Option<UserId>,
    /// Why it was given up.
    pub kill_reason: Option<String>,
    /// What it came from: `trend`, `capture`, `plan`, `remix`, `recycle`.
    pub source_type: Option<String>,
    /// Which of them.
    pub source_id: Option<String>,
    /// When it is over.
    pub expires_at: Option<Timestamp>,
    /// When somebody last did something with it.
    pub last_touched_at: Timestamp,
    /// When it was noted.
    pub created_at: Timestamp,
    /// Tells whether the row has changed.
    pub version: String,
}

/// An idea to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIdea {
    /// Its id, chosen by the caller before the first try.
    pub id: IdeaId,
    /// Who had it.
    pub user: UserId,
    /// The hub it belongs to.
    pub hub: Option<HubId>,
    /// What it is.
    pub title: String,
    /// More about it.
    pub notes: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// How far it has come.
    pub status: IdeaStatus,
    /// `timely`, `seasonal` or `evergreen`.
    pub urgency: String,
    /// The pillar it belongs to.
    pub pillar: Option<String>,
    /// Where it would be published.
    pub platform: Option<String>,
    /// In which format.
    pub format: Option<String>,
    /// When it is over.
    pub expires_at: Option<Timestamp>,
    /// What it came from.
    pub source_type: Option<String>,
    /// Which of them.
    pub source_id: Option<String>,
    /// The caller's now.
    pub now: Timestamp,
}

/// A step of an idea.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdeaMove {
    /// What it becomes.
    pub to: IdeaStatus,
    /// From what; elsewhere nothing happens.
    pub from: Vec<IdeaStatus>,
    /// Why, where it is given up.
    pub kill_reason: Option<String>,
    /// The version that was read, where it has to be that one.
    pub version: Option<String>,
}

impl IdeaMove {
    /// A step after the table of transitions.
    #[must_use]
    pub fn to(to: IdeaStatus) -> Self {
        Self {
            to,
            from: to.before(),
            kill_reason: None,
            version: None,
        }
    }

    /// What a rating brings about.
    #[must_use]
    pub fn rated(rating: Rating, reason: Option<String>) -> Self {
        Self {
            to: rating.becomes(),
            from: Rating::RATED.to_vec(),
            kill_reason: reason.filter(|_| rating == Rating::Kill),
            version: None,
        }
    }
}

/// Which ideas a list holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdeaFilter {
    /// Those of this hub; without one the user's own.
    pub hub: Option<HubId>,
    /// Those of these statuses; all where none is named.
    pub statuses: Vec<IdeaStatus>,
    /// Those whose title, notes or tags hold this text, in whatever case.
    pub text: Option<String>,
    /// Those that count as stale at that time (see [`STALE_AFTER`]).
    pub stale_at: Option<Timestamp>,
}

/// An idea that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiredIdea {
    /// The idea.
    pub id: IdeaId,
    /// Whose it is.
    pub user: UserId,
}

const GET: &str = concat!("select ", idea_columns!(), " from ideas t where t.id = $1::uuid");

const INSERT: &str = "insert into ideas (id, user_id, hub_id, title, notes, tags, status, urgency, pillar, platform, format, \
      expires_at, source_type, source_id, last_touched_at, created_at, updated_at) \
    values ($1::uuid, $2, $3, $4, $5, $6::jsonb, $7, $8, $9, $10, $11, $12::timestamptz, $13, $14, \
      $15::timestamptz, $15::timestamptz, $15::timestamptz) on conflict (id) do nothing returning id";

const MOVE: &str = "update ideas set status = $2, last_touched_at = $4::timestamptz, updated_at = $4::timestamptz, \
      claimed_by = case $2 when 'claimed' then $5 when 'developed' then claimed_by when 'used' then claimed_by end, \
      kill_reason = case $2 when 'killed' then $6 end \
    where id = $1::uuid and status = any ($3::text[]) and status <> $2 \
      and ($7::text is null or updated_at::text = $7) returning id";

const EDIT: &str = concat!(
    "update ideas set ",
    patched!("title"),
    ", ",
    patched!("notes"),
    ", ",
    patched!("urgency"),
    ", ",
    patched!("pillar"),
    ", ",
    patched!("platform"),
    ", ",
    patched!("format"),
    ", tags = case when jsonb_exists($3::jsonb, 'tags') then $3::jsonb -> 'tags' else tags end, \
     expires_at = case when jsonb_exists($3::jsonb, 'expires_at') then ($3::jsonb ->> 'expires_at')::timestamptz \
       else expires_at end, last_touched_at = $4::timestamptz, updated_at = $4::timestamptz \
     where id = $1::uuid and ($2::text is null or updated_at::text = $2 or updated_at = $4::timestamptz) returning id"
);

const DELETE: &str =
    "delete from ideas where id = $1::uuid and ($2::text is null or updated_at::text = $2) returning id";

const ENDED: &str = "select id, user_id from ideas where urgency = 'timely' and status not in ('used', 'killed') \
    and expires_at <= $1::timestamptz \
    and ($3::text is null or (expires_at, id) > (select expires_at, id from ideas where id = $3::uuid)) \
    order by expires_at, id limit $2::int";

const END: &str = "update ideas set status = 'killed', kill_reason = $3, last_touched_at = $2::timestamptz, \
      updated_at = $2::timestamptz \
    where id = $1::uuid and urgency = 'timely' and status not in ('used', 'killed') and expires_at <= $2::timestamptz \
    returning id";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Notes an idea; noted twice it is there once. `None` where the id is another's.
    ///
    /// # Errors
    /// [`StoreError`]; 42501 where the user does not belong to the hub.
    pub async fn idea_create(&self, new: &NewIdea) -> Result<Option<Idea>, StoreError> {
        let insert = Statement::new(
            INSERT,
            [
                param(&new.id),
                param(&new.user),
                opt_param(new.hub.as_ref()),
                param(&new.title),
                new.notes.clone(),
                param(json!(new.tags)),
                param(new.status),
                param(&new.urgency),
                new.pillar.clone(),
                new.platform.clone(),
                new.format.clone(),
                opt_param(new.expires_at),
                new.source_type.clone(),
                new.source_id.clone(),
                param(new.now),
            ],
        );
        let batch = [insert, Statement::new(GET, [param(&new.id)])];
        let results = self.write(Who::User(new.user.clone()), &batch).await?;
        results.last().and_then(|rows| rows.first()).map(read_idea).transpose()
    }

    /// One idea, the user's own or of a hub they belong to.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn idea_get(&self, user: &UserId, id: &IdeaId) -> Result<Option<Idea>, StoreError> {
        let get = Statement::new(GET, [param(id)]);
        let rows = self.read_one(Who::User(user.clone()), get).await?;
        rows.first().map(read_idea).transpose()
    }

    /// Ideas, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn idea_list(
        &self,
        user: &UserId,
        filter: &IdeaFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<Idea>, StoreError> {
        let whose = match &filter.hub {
            Some(_) => concat!("t.hub_id = $4 and ", wanted_idea!()),
            None => concat!("t.user_id = $4 and t.hub_id is null and ", wanted_idea!()),
        };
        let whom = filter.hub.as_ref().map_or(user.as_str(), HubId::as_str);
        let statuses = (!filter.statuses.is_empty()).then(|| names(&filter.statuses));
        let [spark, seed] = STALE_AFTER.map(|(_, age)| opt_param(filter.stale_at.map(|now| now - age)));
        let parameters = [param(whom), statuses, filter.text.clone(), spark, seed];
        let list = page_statement((idea_columns!(), "ideas", whose), after, limit, parameters);
        let rows = self.read_one(Who::User(user.clone()), list).await?;
        read_page(Some(&rows), read_idea)
    }

    /// Takes an idea a step further. Repeating a step changes nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn idea_move(
        &self,
        user: &UserId,
        id: &IdeaId,
        step: &IdeaMove,
        now: Timestamp,
    ) -> Result<Changed<Idea>, StoreError> {
        let update = Statement::new(
            MOVE,
            [
                param(id),
                param(step.to),
                param(names(&step.from)),
                param(now),
                param(user),
                step.kill_reason.clone(),
                step.version.clone(),
            ],
        );
        let idea = self.idea_after(user, id, update).await?;
        Ok(match idea {
            None => Changed::Gone,
            Some((_, idea)) if idea.status == step.to.name() => Changed::Done(idea),
            Some((_, idea)) => Changed::Refused(idea),
        })
    }

    /// Changes what an idea says: the members of `patch` among `title`, `notes`, `urgency`, `pillar`, `platform`,
    /// `format`, `tags` and `expires_at`, as strings or null (`tags` as an array). Refused where the row no longer has the
    /// `version` that was read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn idea_edit(
        &self,
        user: &UserId,
        id: &IdeaId,
        version: Option<&str>,
        patch: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<Changed<Idea>, StoreError> {
        let patch = Value::Object(patch.clone());
        let update = Statement::new(EDIT, [param(id), opt_param(version), param(patch), param(now)]);
        let idea = self.idea_after(user, id, update).await?;
        Ok(match idea {
            None => Changed::Gone,
            Some((true, idea)) => Changed::Done(idea),
            Some((false, idea)) => Changed::Refused(idea),
        })
    }

    /// Deletes an idea; refused where the row no longer has the `version` that was read. Sent once only: told again it
    /// would find nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn idea_delete(
        &self,
        user: &UserId,
        id: &IdeaId,
        version: Option<&str>,
    ) -> Result<Changed<()>, StoreError> {
        let delete = Statement::new(DELETE, [param(id), opt_param(version)]);
        let batch = [delete, Statement::new(GET, [param(id)])];
        let results = self.write_once(Who::User(user.clone()), &batch).await?;
        let [deleted, left] = results.as_slice() else {
            return Err(StoreError::malformed("two results were expected"));
        };
        Ok(match (deleted.is_empty(), left.is_empty()) {
            (false, _) => Changed::Done(()),
            (true, false) => Changed::Refused(()),
            (true, true) => Changed::Gone,
        })
    }

    /// Runs an update, and reads the row behind it: whether it was updated, and as it is now.
    async fn idea_after(
        &self,
        user: &UserId,
        id: &IdeaId,
        update: Statement,
    ) -> Result<Option<(bool, Idea)>, StoreError> {
        let batch = [update, Statement::new(GET, [param(id)])];
        let results = self.write(Who::User(user.clone()), &batch).await?;
        let [updated, row] = results.as_slice() else {
            return Err(StoreError::malformed("two results were expected"));
        };
        let idea = row.first().map(read_idea).transpose()?;
        Ok(idea.map(|idea| (!updated.is_empty(), idea)))
    }

    /// Timely ideas of all users whose time is over, behind that one, at most `limit`. Reads as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ideas_expired(
        &self,
        now: Timestamp,
        after: Option<&IdeaId>,
        limit: u32,
    ) -> Result<Vec<ExpiredIdea>, StoreError> {
        let ended = Statement::new(ENDED, [param(now), param(limit.clamp(1, 200)), opt_param(after)]);
        let rows = self.read_one(Who::Task, ended).await?;
        rows.map(|row| {
            Ok(ExpiredIdea {
                id: IdeaId::from(row.text("id")?),
                user: UserId::from(row.text("user_id")?),
            })
        })
    }

    /// Gives those up that are over still, each on behalf of its user, in one request; how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ideas_expire(&self, ideas: &[ExpiredIdea], now: Timestamp) -> Result<u64, StoreError> {
        let Some(first) = ideas.first() else { return Ok(0) };
        let mut batch = Vec::with_capacity(2 * ideas.len());
        for idea in ideas {
            let as_user = "select set_config('app.current_user_id', $1, true)";
            batch.push(Statement::new(as_user, [param(&idea.user)]));
            batch.push(Statement::new(END, [param(&idea.id), param(now), param(EXPIRED)]));
        }
        let results = self.write(Who::User(first.user.clone()), &batch).await?;
        Ok(results.iter().skip(1).step_by(2).filter_map(|rows| rows.count).sum())
    }
}

/// A Postgres array of names.
fn names(statuses: &[IdeaStatus]) -> String {
    let names: Vec<_> = statuses.iter().map(|status| status.name()).collect();
    format!("{{{}}}", names.join(","))
}

fn read_idea(row: Row<'_>) -> Result<Idea, StoreError> {
    Ok(Idea {
        id: IdeaId::from(row.text("id")?),
        user: UserId::from(row.text("user_id")?),
        hub: row.opt("hub_id")?.map(HubId::from),
        title: row.string("title")?,
        notes: row.opt_string("notes")?,
        tags: row.strings("tags")?,
        status: row.string("status")?,
        urgency: row.string("urgency")?,
        pillar: row.opt_string("pillar")?,
        platform: row.opt_string("platform")?,
        format: row.opt_string("format")?,
        claimed_by: row.opt("claimed_by")?.map(UserId::from),
        kill_reason: row.opt_string("kill_reason")?,
        source_type: row.opt_string("source_type")?,
        source_id: row.opt_string("source_id")?,
        expires_at: row.opt_instant("expires_at")?,
        last_touched_at: row.instant("last_touched_at")?,
        created_at: row.instant("created_at")?,
        version: row.string("version")?,
    })
}
