//! What people did with posts: the newest counts of each (`post_metrics`), every collection (`psn_metrics_history`), and
//! the followers of accounts.

use crate::domain::engagement;
use crate::domain::id::{AccountId, PostId, RemoteId, UserId};
use crate::domain::metrics::Metrics;
use crate::domain::platform::Platform;
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::cursor::{Cursor, Page};
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, opt_param, param};
use crate::store::row::{Row, Rows, millis_of};
use crate::store::{Store, content, preferences};
use serde_json::json;

/// The counts of a whole post, all its parts together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// The post.
    pub post: PostId,
    /// Where it is.
    pub platform: Platform,
    /// Its first part.
    pub remote_id: RemoteId,
    /// The counts.
    pub counts: Metrics,
}

/// A published post whose counts may be due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Countable {
    /// The post.
    pub post: PostId,
    /// Whose it is.
    pub user: UserId,
    /// Where it is.
    pub platform: Platform,
    /// The account it went out with, where the row says so.
    pub account: Option<AccountId>,
    /// Its parts in order, at least one.
    pub remote_ids: Vec<RemoteId>,
    /// When it went out.
    pub published_at: Timestamp,
    /// When it was last counted.
    pub collected_at: Option<Timestamp>,
}

/// The newest counts of a post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostCounts {
    /// The post.
    pub post: PostId,
    /// Where it is, by name.
    pub platform: String,
    /// The account it went out with, where its row says so.
    pub account: Option<AccountId>,
    /// The text of its first part.
    pub text: String,
    /// The counts; what was not told is missing. Of a post that the legacy program read, that is 0.
    pub counts: Metrics,
    /// The weighed sum of the reactions.
    pub score: u64,
    /// Reactions for each 10,000 times it was seen.
    pub rate_bps: u64,
    /// What kind of post it is.
    pub format: Option<String>,
    /// What about.
    pub topic: Option<String>,
    /// The pillar it belongs to.
    pub pillar: Option<String>,
    /// In which language.
    pub language: Option<String>,
    /// When it went out.
    pub published_at: Timestamp,
    /// When this was counted.
    pub collected_at: Timestamp,
}

/// Which posts; `None` means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountsFilter {
    /// Only those of that platform.
    pub platform: Option<Platform>,
    /// Only those of that account.
    pub account: Option<AccountId>,
    /// Only those published from then on.
    pub since: Option<Timestamp>,
}

/// One collection of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountsAt {
    /// When.
    pub collected_at: Timestamp,
    /// The counts; what was not told is missing.
    pub counts: Metrics,
}

/// An account's followers on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowersOn {
    /// The day, `YYYY-MM-DD` in UTC.
    pub day: String,
    /// How many.
    pub followers: u64,
}

/// `$1` the collections, `$2` user, `$3` when. Context comes from the post's row; nothing older replaces what is newer.
const SNAPSHOT: &str = "insert into post_metrics (user_id, post_id, platform, external_post_id, impression_count, like_count, \
      retweet_count, quote_count, reply_count, bookmark_count, url_link_clicks, engagement_score, engagement_rate_bps, \
      post_format, post_topic, post_pillar, language, collected_at, created_at) \
    select $2, p.id, n.platform, n.remote_id, n.seen, n.likes, n.shares, n.quotes, n.comments, n.saves, n.clicks, \
      n.score, n.rate_bps, p.metadata ->> 'format', p.metadata ->> 'topic', p.metadata ->> 'pillar', p.language, \
      $3::timestamptz, $3::timestamptz \
    from jsonb_to_recordset($1::jsonb) as n (post uuid, platform text, remote_id text, seen int, likes int, shares int, \
      quotes int, comments int, saves int, clicks int, score int, rate_bps int) \
    join posts p on p.id = n.post and p.user_id = $2 \
    on conflict (post_id, platform) do update set external_post_id = excluded.external_post_id, \
      impression_count = excluded.impression_count, like_count = excluded.like_count, \
      retweet_count = excluded.retweet_count, quote_count = excluded.quote_count, reply_count = excluded.reply_count, \
      bookmark_count = excluded.bookmark_count, url_link_clicks = excluded.url_link_clicks, \
      engagement_score = excluded.engagement_score, engagement_rate_bps = excluded.engagement_rate_bps, \
      post_format = excluded.post_format, post_topic = excluded.post_topic, post_pillar = excluded.post_pillar, \
      language = excluded.language, collected_at = excluded.collected_at \
    where post_metrics.collected_at <= excluded.collected_at returning post_id";

/// Parameters as for [`SNAPSHOT`].
const HISTORY: &str = "insert into psn_metrics_history (user_id, post_id, collected_at, platform, views, impressions, reach, \
      likes, comments, shares, quotes, saves, clicks) \
    select $2, p.id, $3::timestamptz, n.platform, c.views, c.impressions, c.reach, c.likes, c.comments, c.shares, c.quotes, \
      c.saves, c.clicks \
    from jsonb_to_recordset($1::jsonb) as n (post uuid, platform text, counts jsonb) \
    join posts p on p.id = n.post and p.user_id = $2, \
    jsonb_to_record(n.counts) as c (views bigint, impressions bigint, reach bigint, likes bigint, comments bigint, \
      shares bigint, quotes bigint, saves bigint, clicks bigint) on conflict do nothing";

macro_rules! countable {
    () => {
        concat!(
            "select p.id, p.user_id, p.platform, p.platform_post_ids, p.external_post_id, \
             p.metadata -> 'psn' ->> 'account_id' as account_id, ",
            millis_of!("published_at"),
            ", ",
            millis_of!("collected_at"),
            " from posts p left join post_metrics m on m.post_id = p.id and m.platform = p.platform \
             where p.status in ('published', 'partially_posted') and p.published_at >= $1::timestamptz \
             and p.platform in ('x', 'linkedin', 'instagram', 'tiktok')"
        )
    };
}

/// `$1` from when on, `$2` and `$3` the place to go on after, `$4` how many.
const COUNTABLE: &str = concat!(
    countable!(),
    " and ($2::text is null or (p.published_at, p.id) > ($2::timestamptz, $3::uuid)) \
     order by p.published_at, p.id limit $4::int"
);

/// `$1` from when on, `$2` the posts.
const COUNTABLE_OF: &str = concat!(
    countable!(),
    " and p.id = any(array(select value::uuid from jsonb_array_elements_text($2::jsonb)))"
);

/// Published posts with their newest counts; the history knows what was not told.
macro_rules! counted {
    () => {
        concat!(
            "select p.id as post_id, p.id as page_id, p.platform, p.content, p.metadata -> 'psn' ->> 'account_id' as account_id, \
             h.collected_at is not null as is_known, m.impression_count, m.like_count, m.retweet_count, m.quote_count, \
             m.reply_count, m.bookmark_count, m.url_link_clicks, m.engagement_score, m.engagement_rate_bps, m.post_format, \
             m.post_topic, m.post_pillar, m.language, h.views, h.impressions, h.reach, h.likes, h.comments, h.shares, \
             h.quotes, h.saves, h.clicks, \
             to_char(p.published_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') as published_exact, \
             floor(extract(epoch from p.published_at) * 1000)::bigint as published_at, \
             floor(extract(epoch from m.collected_at) * 1000)::bigint as collected_at \
             from posts p join post_metrics m on m.post_id = p.id and m.platform = p.platform \
             left join lateral (select * from psn_metrics_history h where h.user_id = p.user_id and h.post_id = p.id \
               and h.collected_at >= m.collected_at order by h.collected_at desc limit 1) h on true \
             where p.user_id = $1 and p.status in ('published', 'partially_posted') and isfinite(p.published_at)"
        )
    };
}

/// `$2` platform, `$3` account, `$4` since when, `$5` and `$6` the place to go on after, `$7` how many.
const PAGE: &str = concat!(
    counted!(),
    " and ($2::text is null or p.platform = $2) \
      and ($3::text is null or p.metadata -> 'psn' ->> 'account_id' = $3) \
      and ($4::text is null or p.published_at >= $4::timestamptz) \
      and ($5::text is null or (p.published_at, p.id) < ($5::timestamptz, $6::uuid)) \
      order by p.published_at desc, p.id desc limit $7::int"
);

const OF_POST: &str = concat!(counted!(), " and p.id = $2::uuid");

const CURVE: &str = concat!(
    "select views, impressions, reach, likes, comments, shares, quotes, saves, clicks, ",
    millis_of!("collected_at"),
    " from psn_metrics_history where user_id = $1 and post_id = $2::uuid \
     order by psn_metrics_history.collected_at limit 1000"
);

const FOLLOWERS: &str = "insert into psn_followers (user_id, account_id, day, platform, followers) \
    values ($1, $2::uuid, ($5::timestamptz at time zone 'UTC')::date, $3, $4::bigint) \
    on conflict (user_id, account_id, day) do update set followers = excluded.followers";

/// `$1` now, `$2` the place to go on after, `$3` how many.
const UNCOUNTED: &str = "select t.id, t.user_id, t.platform from oauth_tokens t \
    where ($2::text is null or t.id > $2::uuid) and t.platform in ('x', 'linkedin', 'instagram', 'tiktok') \
    and not exists (select from psn_followers f where f.user_id = t.user_id and f.account_id = t.id \
      and f.day = ($1::timestamptz at time zone 'UTC')::date) order by t.id limit $3::int";

const FOLLOWED: &str = "select to_char(day, 'YYYY-MM-DD') as day, followers from \
    (select day, followers from psn_followers where user_id = $1 and account_id = $2::uuid \
      order by day desc limit $3::int) newest order by newest.day";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Published posts of all users from `since` on, in the order of their time, at most `limit` (1 to 500), from behind
    /// `after` on; which of them are due is the caller's to judge. Reads as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn posts_countable(
        &self,
        since: Timestamp,
        after: Option<(Timestamp, &PostId)>,
        limit: u32,
    ) -> Result<Vec<Countable>, StoreError> {
        let params = [
            param(since),
            opt_param(after.map(|(published_at, _)| published_at)),
            opt_param(after.map(|(_, post)| post)),
            param(limit.clamp(1, 500)),
        ];
        let rows = self.read_one(Who::Task, Statement::new(COUNTABLE, params)).await?;
        rows.map(read_countable)
    }

    /// Those of these posts, of whatever user, that are out since `since` or later. Reads as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn posts_countable_of(&self, posts: &[PostId], since: Timestamp) -> Result<Vec<Countable>, StoreError> {
        // An index may remember what no database holds.
        let ids = posts.iter().filter(|post| uuid::Uuid::try_parse(post.as_str()).is_ok());
        let ids: Vec<&PostId> = ids.collect();
        let read = Statement::new(COUNTABLE_OF, [param(since), param(json!(ids))]);
        self.read_one(Who::Task, read).await?.map(read_countable)
    }

    /// A page of a user's posts with their newest counts, the last published first, at most `limit` (1 to 100).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn metrics_page(
        &self,
        user: &UserId,
        filter: &CountsFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<PostCounts>, StoreError> {
        let limit = limit.clamp(1, 100);
        let params = [
            param(user),
            opt_param(filter.platform),
            opt_param(filter.account.as_ref()),
            opt_param(filter.since),
            after.map(|cursor| cursor.created_exact.clone()),
            opt_param(after.map(|cursor| &cursor.id)),
            // One more tells whether there is more.
            param(limit + 1),
        ];
        let rows = self
            .read_one(Who::User(user.clone()), Statement::new(PAGE, params))
            .await?;
        let mut items = rows.map(read_counts)?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let is_more = items.len() > most;
        items.truncate(most);
        let last = rows.iter().nth(most - 1).filter(|_| is_more);
        let next = last.map(|row| {
            Ok::<_, StoreError>(Cursor {
                created_exact: row.string("published_exact")?,
                id: row.string("page_id")?,
            })
        });
        let next = next.transpose()?;
        Ok(Page { items, next })
    }

    /// The newest counts of one post, and all there were, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn metrics_of(
        &self,
        user: &UserId,
        post: &PostId,
    ) -> Result<(Option<PostCounts>, Vec<CountsAt>), StoreError> {
        let params = [param(user), param(post)];
        let batch = [Statement::new(OF_POST, params.clone()), Statement::new(CURVE, params)];
        let results = self.read(Who::User(user.clone()), &batch).await?;
        let [latest, curve] = results.as_slice() else {
            return Err(StoreError::malformed("two results were expected"));
        };
        let latest = latest.first().map(read_counts).transpose()?;
        Ok((latest, curve.map(read_point)?))
    }

    /// Notes the followers of a user's accounts on a day; the last count of a day counts. Those on X also go to where the
    /// legacy program keeps them.
    ///
    /// # Errors
    /// [`StoreError`]; writing again is always right.
    pub async fn followers_record(
        &self,
        user: &UserId,
        counted: &[(AccountId, Platform, u64)],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut batch = Vec::new();
        for (account, platform, followers) in counted {
            let followers = (*followers).min(i64::MAX as u64);
            let params = [
                param(user),
                param(account),
                param(platform),
                param(followers),
                param(at),
            ];
            batch.push(Statement::new(FOLLOWERS, params));
            if *platform == Platform::X {
                batch.push(preferences::followers_statement(user, followers, at));
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.write(Who::User(user.clone()), &batch).await.map(|_| ())
    }

    /// Accounts of all users whose followers were not noted on the day of `now`, by id, at most `limit` (1 to 200), from
    /// behind `after` on. Reads as `psn_task`, which sees no token.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn accounts_uncounted(
        &self,
        now: Timestamp,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<(UserId, AccountId, Platform)>, StoreError> {
        let params = [param(now), opt_param(after), param(limit.clamp(1, 200))];
        let rows = self.read_one(Who::Task, Statement::new(UNCOUNTED, params)).await?;
        rows.map(|row| {
            let platform = Platform::parse(row.text("platform")?);
            let platform =
                platform.ok_or_else(|| StoreError::malformed("column `platform` names no known platform"))?;
            let account = AccountId::from(row.text("id")?);
            Ok((UserId::from(row.text("user_id")?), account, platform))
        })
    }

    /// An account's followers of the last `days` days that were counted (1 to 1,000), oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn followers_history(
        &self,
        user: &UserId,
        account: &AccountId,
        days: u32,
    ) -> Result<Vec<FollowersOn>, StoreError> {
        let params = [param(user), param(account), param(days.clamp(1, 1000))];
        let rows: Rows = self
            .read_one(Who::User(user.clone()), Statement::new(FOLLOWED, params))
            .await?;
        rows.map(|row| {
            Ok(FollowersOn {
                day: row.string("day")?,
                followers: count(row, "followers")?.unwrap_or(0),
            })
        })
    }
}

/// What writes what was collected of a user's posts at one time: the newest counts, and a place in the history of each.
/// Posts that are not theirs are left out.
pub(crate) fn record_statements(user: &UserId, collected: &[Collected], at: Timestamp) -> [Statement; 2] {
    let rows: Vec<_> = collected.iter().map(to_json).collect();
    let params = [param(json!(rows)), param(user), param(at)];
    [
        Statement::new(SNAPSHOT, params.clone()),
        Statement::new(HISTORY, params),
    ]
}

/// The columns of the legacy shape are 32 bits wide.
fn to_json(collected: &Collected) -> serde_json::Value {
    let narrow = |count: u64| i32::try_from(count).unwrap_or(i32::MAX);
    let or_zero = |count: Option<u64>| narrow(count.unwrap_or(0));
    let Collected {
        post,
        platform,
        remote_id,
        counts,
    } = collected;
    json!({
        "post": post, "platform": platform.name(), "remote_id": remote_id, "counts": counts,
        "seen": or_zero(engagement::seen(counts)), "likes": or_zero(counts.likes), "shares": or_zero(counts.shares),
        "quotes": or_zero(counts.quotes), "comments": or_zero(counts.comments), "saves": or_zero(counts.saves),
        "clicks": counts.clicks.map(narrow), "score": narrow(engagement::score(*platform, counts)),
        "rate_bps": narrow(engagement::rate_bps(*platform, counts)),
    })
}

/// A count or `None`; what is below 0 reads as 0.
fn count(row: Row<'_>, column: &str) -> Result<Option<u64>, StoreError> {
    let value = row.opt_i64(column)?;
    Ok(value.map(|value| u64::try_from(value).unwrap_or(0)))
}

fn read_countable(row: Row<'_>) -> Result<Countable, StoreError> {
    let platform = Platform::parse(row.text("platform")?);
    let mut remote_ids: Vec<_> = row
        .strings("platform_post_ids")?
        .into_iter()
        .map(|id| RemoteId::from(id.as_str()))
        .collect();
    // The legacy program writes the first id only, and elsewhere.
    if remote_ids.is_empty() {
        remote_ids.extend(row.opt("external_post_id")?.map(RemoteId::from));
    }
    Ok(Countable {
        post: PostId::from(row.text("id")?),
        user: UserId::from(row.text("user_id")?),
        platform: platform.ok_or_else(|| StoreError::malformed("column `platform` names no known platform"))?,
        account: row.opt("account_id")?.map(AccountId::from),
        remote_ids,
        published_at: row.instant("published_at")?,
        collected_at: row.opt_instant("collected_at")?,
    })
}

fn read_counts(row: Row<'_>) -> Result<PostCounts, StoreError> {
    let known = |column| Ok::<_, StoreError>(count(row, column)?.unwrap_or(0));
    let counts = if row.bool("is_known")? {
        read_metrics(row)?
    } else {
        Metrics {
            impressions: count(row, "impression_count")?,
            likes: count(row, "like_count")?,
            shares: count(row, "retweet_count")?,
            quotes: count(row, "quote_count")?,
            comments: count(row, "reply_count")?,
            saves: count(row, "bookmark_count")?,
            clicks: count(row, "url_link_clicks")?,
            ..Metrics::default()
        }
    };
    Ok(PostCounts {
        post: PostId::from(row.text("post_id")?),
        platform: row.string("platform")?,
        account: row.opt("account_id")?.map(AccountId::from),
        text: content::decode(row.text("content")?)
            .into_iter()
            .next()
            .unwrap_or_default(),
        counts,
        score: known("engagement_score")?,
        rate_bps: known("engagement_rate_bps")?,
        format: row.opt_string("post_format")?,
        topic: row.opt_string("post_topic")?,
        pillar: row.opt_string("post_pillar")?,
        language: row.opt_string("language")?,
        published_at: row.instant("published_at")?,
        collected_at: row.instant("collected_at")?,
    })
}

fn read_metrics(row: Row<'_>) -> Result<Metrics, StoreError> {
    Ok(Metrics {
        views: count(row, "views")?,
        impressions: count(row, "impressions")?,
        reach: count(row, "reach")?,
        likes: count(row, "likes")?,
        comments: count(row, "comments")?,
        shares: count(row, "shares")?,
        quotes: count(row, "quotes")?,
        saves: count(row, "saves")?,
        clicks: count(row, "clicks")?,
    })
}

fn read_point(row: Row<'_>) -> Result<CountsAt, StoreError> {
    Ok(CountsAt {
        collected_at: row.instant("collected_at")?,
        counts: read_metrics(row)?,
    })
}
