//! Rows of `posts`: insert, read, list, tombstone, delete. Every function acts on behalf of one user.

use crate::domain::account::Account;
use crate::domain::id::{AccountId, HubId, IdeaId, PostId, RemoteId, RunToken, SeriesId, UserId};
use crate::domain::labels::{Labels, PlanSlotRef};
use crate::domain::platform::Platform;
use crate::domain::post::Status;
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::json;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::accounts::read_account;
use crate::store::content;
pub use crate::store::cursor::Cursor as PostCursor;
use crate::store::error::StoreError;
use crate::store::labels::{self, developed_statement, free_slot_statement, take_slot_statement};
use crate::store::neon::{Statement, Who, opt_param, param};
use crate::store::row::Row;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What `trigger_run_id` begins with when psn holds the post.
pub const RUN_PREFIX: &str = "psn:";

/// The columns of a [`PostRow`].
macro_rules! post_columns {
    () => {
        concat!(
            "id, user_id, platform, content, media_urls, status, sub_status, fail_reason, trigger_run_id, \
             platform_post_ids, external_post_id, metadata, approval_status, reviewer_id, review_comment, series_id, language, ",
            "to_char(created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') as created_exact, ",
            $crate::store::row::millis_of!("scheduled_at"),
            ", ",
            $crate::store::row::millis_of!("published_at"),
            ", ",
            $crate::store::row::millis_of!("reviewed_at"),
            ", ",
            $crate::store::row::millis_of!("created_at"),
            ", ",
            $crate::store::row::millis_of!("updated_at")
        )
    };
}
pub(crate) use post_columns;

/// A row of `posts` as psn reads it; what another program wrote comes as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct PostRow {
    /// The post.
    pub id: PostId,
    /// Its owner.
    pub user: UserId,
    /// The platform, by name: another program may know others.
    pub platform: String,
    /// The stored form of the parts (see [`content::decode`]).
    pub content: String,
    /// Addresses or keys of its media.
    pub media_urls: Vec<String>,
    /// The status, by name (see [`PostRow::known_status`]).
    pub status: String,
    /// The sub-status, by name.
    pub sub_status: Option<String>,
    /// Why it failed or stopped.
    pub fail_reason: Option<String>,
    /// Who holds it: `psn:` and a token, or a run of the legacy program.
    pub trigger_run_id: Option<String>,
    /// Ids of the confirmed parts in order.
    pub platform_post_ids: Vec<RemoteId>,
    /// Id of the first part.
    pub external_post_id: Option<RemoteId>,
    /// Every writer's keys.
    pub metadata: Map<String, Value>,
    /// How far its approval has come, by name.
    pub approval_status: Option<String>,
    /// Who reviewed it.
    pub reviewer_id: Option<UserId>,
    /// What they said.
    pub review_comment: Option<String>,
    /// When.
    pub reviewed_at: Option<Timestamp>,
    /// The series it belongs to, as it stands there.
    pub series_id: Option<String>,
    /// In which language it is.
    pub language: Option<String>,
    /// When it is due.
    pub scheduled_at: Option<Timestamp>,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the row was last written.
    pub updated_at: Timestamp,
    created_exact: String,
}

impl PostRow {
    /// The status, if it is one that psn knows.
    #[must_use]
    pub fn known_status(&self) -> Option<Status> {
        Status::parse(&self.status)
    }

    /// The parts.
    #[must_use]
    pub fn parts(&self) -> Vec<String> {
        content::decode(&self.content)
    }

    /// psn's own keys of the metadata: `account_id`, `group_id`, `seq`, `hash`, …; empty on a row that psn did not make.
    #[must_use]
    pub fn psn(&self) -> Option<&Map<String, Value>> {
        self.metadata.get("psn").and_then(Value::as_object)
    }

    /// One of psn's own keys, as text.
    #[must_use]
    pub fn psn_text(&self, key: &str) -> Option<&str> {
        self.psn().and_then(|own| own.get(key)).and_then(Value::as_str)
    }

    /// The length of the journal that was last written here.
    #[must_use]
    pub fn seq(&self) -> Option<u64> {
        self.psn().and_then(|own| own.get("seq")).and_then(Value::as_u64)
    }

    /// The token of the psn run that holds the post.
    #[must_use]
    pub fn run_token(&self) -> Option<RunToken> {
        self.trigger_run_id
            .as_deref()
            .and_then(|id| id.strip_prefix(RUN_PREFIX))
            .map(RunToken::from)
    }

    /// Its labels; what is of another form is left out.
    #[must_use]
    pub fn labels(&self) -> Labels {
        let word = |key: &str| self.metadata.get(key).and_then(Value::as_str).map(str::to_owned);
        Labels {
            format: word("format"),
            topic: word("topic"),
            pillar: word("pillar"),
            language: self.language.clone(),
            series_id: self.series_id.as_deref().and_then(SeriesId::parse),
            idea_id: self.psn_text("idea_id").and_then(IdeaId::parse),
            hub_id: word("hubId").map(HubId),
            slot: self.psn_text("slot").and_then(PlanSlotRef::parse),
        }
    }

    /// `metadata.threadProgress`, if there is one that can be read.
    #[must_use]
    pub fn thread_progress(&self) -> Option<ThreadProgress> {
        self.metadata
            .get("threadProgress")
            .and_then(Value::as_str)
            .and_then(|text| json::read(text).ok())
    }
}

/// `metadata.threadProgress`: a JSON string that holds this object. The legacy program's shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadProgress {
    /// How many parts are out.
    pub posted: u32,
    /// How many parts there are.
    pub total: u32,
    /// Id of the last part that is out, empty when none is.
    pub last_posted_id: String,
    /// Ids of the parts that are out, in order.
    pub tweet_ids: Vec<String>,
}

impl ThreadProgress {
    /// The stored text, its members in the legacy program's order.
    #[must_use]
    pub fn to_text(&self) -> String {
        // A struct of numbers and strings always has a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The progress with these parts out.
    #[must_use]
    pub fn new(out: &[RemoteId], total: usize) -> Self {
        Self {
            posted: u32::try_from(out.len()).unwrap_or(u32::MAX),
            total: u32::try_from(total).unwrap_or(u32::MAX),
            last_posted_id: out.last().map(|id| id.0.clone()).unwrap_or_default(),
            tweet_ids: out.iter().map(|id| id.0.clone()).collect(),
        }
    }
}

/// A post to be.
#[derive(Clone, Debug, PartialEq)]
pub struct NewPostRow {
    /// Its id, chosen by the caller before the first try.
    pub id: PostId,
    /// Its owner.
    pub user: UserId,
    /// Where it goes.
    pub platform: Platform,
    /// The account it goes to; `None` takes the user's only one there.
    pub account_id: Option<AccountId>,
    /// The parts.
    pub parts: Vec<String>,
    /// Addresses or keys of its media.
    pub media_urls: Vec<String>,
    /// Draft or scheduled.
    pub status: Status,
    /// When it is due.
    pub scheduled_at: Option<Timestamp>,
    /// What it is about and where it belongs.
    pub labels: Labels,
    /// psn's own keys (`group_id`, `seq`, `hash`, …); `account_id` is added.
    pub psn: Map<String, Value>,
    /// The caller's now.
    pub now: Timestamp,
}

/// What became of an insert.
#[derive(Clone, Debug, PartialEq)]
pub enum InsertResult {
    /// The row is there now.
    Inserted {
        /// The account it will go to.
        account: Account,
        /// What the user lately wrote for that platform, newest first.
        similar: Vec<SimilarCandidate>,
    },
    /// A row with that id was there already: this insert's own, repeated, or another that the caller compares.
    AlreadyThere {
        /// The row.
        row: Box<PostRow>,
        /// As for an insert.
        similar: Vec<SimilarCandidate>,
    },
    /// The user has no account there, or not that one.
    NoAccount,
    /// The user has accounts there and did not say which of several, or named none of them.
    AmbiguousAccount(Vec<Account>),
    /// Another post fills the slot of the weekly plan that it names, or there is no such slot.
    SlotTaken,
    /// The id belongs to somebody else's row.
    IdTaken,
}

/// A post that the new one may repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimilarCandidate {
    /// The post.
    pub id: PostId,
    /// Its text, part by part.
    pub parts: Vec<String>,
}

/// Which posts a list holds. Empty members allow everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostFilter {
    /// Only these statuses.
    pub statuses: Vec<Status>,
    /// Only this platform.
    pub platform: Option<Platform>,
    /// Only on this account.
    pub account_id: Option<AccountId>,
    /// Only this group.
    pub group_id: Option<String>,
    /// Only due at or after.
    pub scheduled_from: Option<Timestamp>,
    /// Only due before.
    pub scheduled_before: Option<Timestamp>,
    /// Those that wait for the user's review instead of the user's own.
    pub to_review: bool,
}

/// A page of a list, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct PostPage {
    /// The posts.
    pub items: Vec<PostRow>,
    /// Where the next page begins, if there is one.
    pub next: Option<PostCursor>,
}

/// What became of a deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeleteResult {
    /// The row is gone.
    Deleted,
    /// It is not at rest, or something of it is or may be out.
    Refused {
        /// Its status.
        status: String,
        /// Its sub-status.
        sub_status: Option<String>,
    },
    /// There is no such row.
    Gone,
}

/// The accounts of a user: `$1` user, `$2` platform, `$3` the one that is meant (it comes first) or NULL.
const ACCOUNTS_OF: &str = "select id, platform, metadata from oauth_tokens \
    where user_id = $1 and platform = $2 order by id::text is distinct from $3, created_at, id limit 50";

/// The list is cut where its contents reach 400 kB, so that no answer is too large.
const SIMILAR: &str = "select id, content from \
    (select id, content, at, sum(octet_length(content)) over (order by at desc, id) as bytes from \
      (select id, content, coalesce(published_at, scheduled_at, updated_at) as at from posts \
        where user_id = $1 and platform = $2 and id <> $3::uuid and status not in ('draft', 'failed')) live \
      where at >= $4::timestamptz - interval '7 days') recent \
    where bytes <= 400000 order by at desc, id limit 200";

const INSERT: &str = "with owned as (select id::text as id from oauth_tokens \
      where user_id = $2 and platform = $3 and ($4::text is null or id::text = $4)), \
    sole as (select min(id) as id from owned having count(*) = 1) \
    insert into posts (id, user_id, platform, content, media_urls, status, scheduled_at, metadata, series_id, language, \
      created_at, updated_at) \
    select $1::uuid, $2, $3, $5, $6::jsonb, $7, $8::timestamptz, ($11::jsonb -> 'metadata') || \
      jsonb_build_object('psn', $9::jsonb || ($11::jsonb -> 'psn') || jsonb_build_object('account_id', sole.id)), \
      $11::jsonb ->> 'series_id', $11::jsonb ->> 'language', $10::timestamptz, $10::timestamptz \
    from sole where $12::text is null or exists (select from weekly_plans where id = $12::uuid and user_id = $2 \
      and slots @> jsonb_build_array(jsonb_build_object('postId', $1::uuid::text))) \
    on conflict (id) do nothing returning id";

const GET: &str = concat!(
    "select ",
    post_columns!(),
    " from posts where id = $1::uuid and user_id = $2"
);

/// The page is cut where its contents reach 1 MB, so that no answer is too large; one row always comes.
macro_rules! page {
    ($wanted:literal) => {
        concat!(
            "select * from (select *, count(*) over () as total, \
               sum(bytes) over (order by created_exact desc, id desc) - bytes as before from (select ",
            post_columns!(),
            ", octet_length(content) + coalesce(octet_length(metadata::text), 0) + 500 as bytes from posts where ",
            $wanted,
            " and ($7::text is null or (posts.created_at, posts.id) < ($7::timestamptz, $8::uuid)) \
             order by posts.created_at desc, posts.id desc limit $9::int + 1) wide) summed \
             where before < 1000000 order by created_exact desc, id desc limit $9::int"
        )
    };
}

const LIST: &str = page!(
    "user_id = $1 and ($2::text is null or status = any ($2::text[])) and ($3::text is null or platform = $3) \
     and ($4::text is null or metadata -> 'psn' ->> 'group_id' = $4) \
     and ($10::text is null or metadata -> 'psn' ->> 'account_id' = $10) \
     and ($5::text is null or scheduled_at >= $5::timestamptz) and ($6::text is null or scheduled_at < $6::timestamptz)"
);

/// Those that wait for a reviewer in hubs whose admin the user is, whoever wrote them.
const TO_REVIEW: &str = page!(
    "approval_status = 'submitted' and metadata ->> 'hubId' in (select public.psn_hubs('admin')) \
     and $1::text is not null and ($2::text is null or status = any ($2::text[])) and ($3::text is null or platform = $3) \
     and ($4::text is null or metadata -> 'psn' ->> 'group_id' = $4) \
     and ($10::text is null or metadata -> 'psn' ->> 'account_id' = $10) \
     and ($5::text is null or scheduled_at >= $5::timestamptz) and ($6::text is null or scheduled_at < $6::timestamptz)"
);

const TOMBSTONE: &str = "update posts set status = 'draft', sub_status = null, scheduled_at = null, \
    trigger_run_id = null, updated_at = $3::timestamptz where id = $1::uuid and user_id = $2 \
    and status in ('draft', 'scheduled', 'retry') returning id";

const DELETE: &str = "delete from posts where id = $1::uuid and user_id = $2 and (status = 'draft' \
    or (status = 'failed' and sub_status is distinct from 'needs_review') \
    or (status = 'partially_posted' and sub_status = 'cancelled')) returning id";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Inserts a post: one request, repeated while the outcome is unknown and time is left.
    ///
    /// # Errors
    /// [`StoreError`]; when it [may have run](StoreError::may_have_run) the row may turn up later.
    pub async fn post_insert(&self, new: &NewPostRow) -> Result<InsertResult, StoreError> {
        let results = self.write(Who::User(new.user.clone()), &insert_batch(new)).await?;
        let first = 2 + usize::from(new.labels.slot.is_some());
        let (Some([accounts, similar]), Some([inserted, row])) = (results.get(..2), results.get(first..first + 2))
        else {
            return Err(StoreError::malformed("four results were expected"));
        };
        let accounts = accounts.map(read_account)?;
        let similar = similar.map(read_similar)?;
        if let (true, Some(row)) = (inserted.is_empty(), row.first()) {
            return Ok(InsertResult::AlreadyThere {
                row: Box::new(read_post(row)?),
                similar,
            });
        }
        let is_meant = |account: &&Account| new.account_id.as_ref().is_none_or(|id| *id == account.id);
        let meant: Vec<&Account> = accounts.iter().filter(is_meant).collect();
        Ok(match meant.as_slice() {
            _ if accounts.is_empty() => InsertResult::NoAccount,
            [_] if inserted.is_empty() && new.labels.slot.is_some() => InsertResult::SlotTaken,
            [_] if inserted.is_empty() => InsertResult::IdTaken,
            [account] => InsertResult::Inserted {
                account: (*account).clone(),
                similar,
            },
            _ => InsertResult::AmbiguousAccount(accounts),
        })
    }

    /// One post of the user.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn post_get(&self, user: &UserId, id: &PostId) -> Result<Option<PostRow>, StoreError> {
        let statement = Statement::new(GET, [param(id), param(user)]);
        let results = self.read(Who::User(user.clone()), &[statement]).await?;
        results.first().and_then(|rows| rows.first()).map(read_post).transpose()
    }

    /// A page of the user's posts, newest first; at most `limit` (1 to 100), fewer when they are large.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn post_list(
        &self,
        user: &UserId,
        filter: &PostFilter,
        after: Option<&PostCursor>,
        limit: u32,
    ) -> Result<PostPage, StoreError> {
        let statuses: Vec<_> = filter.statuses.iter().map(|status| status.name()).collect();
        let statement = Statement::new(
            if filter.to_review { TO_REVIEW } else { LIST },
            [
                param(user),
                (!statuses.is_empty()).then(|| format!("{{{}}}", statuses.join(","))),
                opt_param(filter.platform),
                filter.group_id.clone(),
                opt_param(filter.scheduled_from),
                opt_param(filter.scheduled_before),
                after.map(|cursor| cursor.created_exact.clone()),
                after.map(|cursor| cursor.id.clone()),
                param(limit.clamp(1, 100)),
                opt_param(filter.account_id.as_ref()),
            ],
        );
        let results = self.read(Who::User(user.clone()), &[statement]).await?;
        let rows = results
            .first()
            .ok_or_else(|| StoreError::malformed("a result was expected"))?;
        let total = rows
            .first()
            .map(|row| row.opt_i64("total"))
            .transpose()?
            .flatten()
            .unwrap_or(0);
        let items = rows.map(read_post)?;
        let more = total > i64::try_from(items.len()).unwrap_or(i64::MAX);
        let next = items.last().filter(|_| more);
        let next = next.map(|row| PostCursor {
            created_exact: row.created_exact.clone(),
            id: row.id.0.clone(),
        });
        Ok(PostPage { items, next })
    }

    /// The posts that a new text on that platform is compared with: live ones of the last seven days and of the future,
    /// at most 200 of 400 kB together.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn post_similar(
        &self,
        user: &UserId,
        platform: Platform,
        now: Timestamp,
    ) -> Result<Vec<SimilarCandidate>, StoreError> {
        let nobody = param("00000000-0000-0000-0000-000000000000");
        let statement = Statement::new(SIMILAR, [param(user), param(platform), nobody, param(now)]);
        let results = self.read(Who::User(user.clone()), &[statement]).await?;
        let rows = results
            .first()
            .ok_or_else(|| StoreError::malformed("a result was expected"))?;
        rows.map(read_similar)
    }

    /// Makes a row that may have turned up after its creation was given up a draft without a time, so that it is never
    /// published unasked. Tells whether it was there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn post_tombstone(&self, user: &UserId, id: &PostId, now: Timestamp) -> Result<bool, StoreError> {
        let batch = [
            Statement::new(TOMBSTONE, [param(id), param(user), param(now)]),
            Statement::new(GET, [param(id), param(user)]),
        ];
        let results = self.write(Who::User(user.clone()), &batch).await?;
        Ok(results.iter().any(|rows| !rows.is_empty()))
    }

    /// Deletes a draft, a post that failed with nothing out, or a cancelled one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn post_delete(&self, user: &UserId, id: &PostId) -> Result<DeleteResult, StoreError> {
        let batch = [
            Statement::new(DELETE, [param(id), param(user)]),
            Statement::new(GET, [param(id), param(user)]),
            free_slot_statement(id, user),
        ];
        let results = self.write(Who::User(user.clone()), &batch).await?;
        if results.first().is_some_and(|rows| !rows.is_empty()) {
            return Ok(DeleteResult::Deleted);
        }
        let Some(row) = results.get(1).and_then(|rows| rows.first()) else {
            return Ok(DeleteResult::Gone);
        };
        let row = read_post(row)?;
        Ok(DeleteResult::Refused {
            status: row.status,
            sub_status: row.sub_status,
        })
    }
}

fn insert_batch(new: &NewPostRow) -> Vec<Statement> {
    let account = opt_param(new.account_id.as_ref());
    let media = (!new.media_urls.is_empty()).then(|| json!(new.media_urls).to_string());
    let labels = labels::stored(&new.labels);
    // A draft fills its slot too: no other post takes it.
    let slot_status = match new.status {
        Status::Draft => "drafted",
        _ => "scheduled",
    };
    let take = new
        .labels
        .slot
        .as_ref()
        .map(|slot| take_slot_statement(slot, &new.id, &new.user, slot_status, new.now));
    let develop = new
        .labels
        .idea_id
        .as_ref()
        .map(|_| developed_statement(&new.id, &new.user, new.now));
    let mut batch = vec![
        Statement::new(ACCOUNTS_OF, [param(&new.user), param(new.platform), account.clone()]),
        Statement::new(
            SIMILAR,
            [param(&new.user), param(new.platform), param(&new.id), param(new.now)],
        ),
    ];
    batch.extend(take);
    batch.extend([
        Statement::new(
            INSERT,
            [
                param(&new.id),
                param(&new.user),
                param(new.platform),
                account,
                param(content::encode(&new.parts)),
                media,
                param(new.status.name()),
                opt_param(new.scheduled_at),
                param(Value::Object(new.psn.clone())),
                param(new.now),
                param(labels),
                opt_param(new.labels.slot.as_ref().map(|slot| &slot.plan_id)),
            ],
        ),
        Statement::new(GET, [param(&new.id), param(&new.user)]),
    ]);
    // It reads the row.
    batch.extend(develop);
    batch
}

fn read_similar(row: Row<'_>) -> Result<SimilarCandidate, StoreError> {
    Ok(SimilarCandidate {
        id: PostId::from(row.text("id")?),
        parts: content::decode(row.text("content")?),
    })
}

/// Reads the columns of `post_columns!`.
pub(crate) fn read_post(row: Row<'_>) -> Result<PostRow, StoreError> {
    let instant = |column| {
        row.opt_instant(column)?
            .ok_or_else(|| StoreError::malformed(format!("column `{column}` holds no instant")))
    };
    Ok(PostRow {
        id: PostId::from(row.text("id")?),
        user: UserId::from(row.text("user_id")?),
        platform: row.text("platform")?.to_owned(),
        content: row.text("content")?.to_owned(),
        media_urls: strings(&row.json("media_urls")?),
        status: row.text("status")?.to_owned(),
        sub_status: row.opt_string("sub_status")?,
        fail_reason: row.opt_string("fail_reason")?,
        trigger_run_id: row.opt_string("trigger_run_id")?,
        platform_post_ids: strings(&row.json("platform_post_ids")?)
            .into_iter()
            .map(RemoteId)
            .collect(),
        external_post_id: row.opt("external_post_id")?.map(RemoteId::from),
        metadata: row.object("metadata")?,
        approval_status: row.opt_string("approval_status")?,
        reviewer_id: row.opt("reviewer_id")?.map(UserId::from),
        review_comment: row.opt_string("review_comment")?,
        reviewed_at: row.opt_instant("reviewed_at")?,
        series_id: row.opt_string("series_id")?,
        language: row.opt_string("language")?,
        scheduled_at: row.opt_instant("scheduled_at")?,
        published_at: row.opt_instant("published_at")?,
        created_at: instant("created_at")?,
        updated_at: instant("updated_at")?,
        created_exact: row.text("created_exact")?.to_owned(),
    })
}

fn strings(value: &Value) -> Vec<String> {
    let texts = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn progress_has_the_legacy_shape() {
        let progress = ThreadProgress::new(&["1".into(), "2".into()], 3);
        let text = r#"{"posted":2,"total":3,"lastPostedId":"2","tweetIds":["1","2"]}"#;
        assert_eq!(serde_json::to_string(&progress).unwrap(), text);
        let with_more = r#"{"posted":0,"total":3,"lastPostedId":"","tweetIds":[],"other":1}"#;
        assert_eq!(
            json::read::<ThreadProgress>(with_more).unwrap(),
            ThreadProgress::new(&[], 3)
        );
    }
}
