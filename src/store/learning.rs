//! What is learnt from counts: how well each format and pillar does, and when posts do well. Averages of the score, over the
//! posts of the last 90 days; a post counts once it has been out for most of a day. Hours are those of publication, in the
//! user's time zone.

use crate::domain::id::{AccountId, UserId};
use crate::domain::limits::LEARN_FROM_MS;
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::metrics::{Collected, CountsFilter, FollowersOn, record_statements};
use crate::store::neon::{Statement, Who, opt_param, param};
use crate::store::row::{Row, Rows};

/// What posts got on a platform, all together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformTotal {
    /// The platform, by name.
    pub platform: String,
    /// Posts that were counted.
    pub posts: u64,
    /// How often they were seen.
    pub seen: u64,
    /// What people did: likes, comments, shares, quotes, saves.
    pub reactions: u64,
    /// The average of their scores.
    pub score: u64,
    /// Reactions for each 10,000 times they were seen.
    pub rate_bps: u64,
}

/// How well posts of a kind do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindScore {
    /// The kind: a format, or a pillar.
    pub name: String,
    /// Posts of it.
    pub posts: u64,
    /// The average of their scores.
    pub score: u64,
}

/// How well posts do that went out in an hour of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourScore {
    /// The day, 0 for Sunday.
    pub day_of_week: u64,
    /// The hour, 0 to 23.
    pub hour: u64,
    /// Posts of it.
    pub posts: u64,
    /// The average of their scores.
    pub score: u64,
}

/// An account's followers over the last days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The account.
    pub account: AccountId,
    /// Where it is, by name.
    pub platform: String,
    /// One count a day, oldest first.
    pub days: Vec<FollowersOn>,
}

/// What counts say, all together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The time zone of the hours.
    pub time_zone: String,
    /// By platform.
    pub platforms: Vec<PlatformTotal>,
    /// By format, the best first.
    pub formats: Vec<KindScore>,
    /// By pillar, the best first.
    pub pillars: Vec<KindScore>,
    /// By hour of the week, the best first, at most 10.
    pub best_times: Vec<HourScore>,
    /// The followers of accounts, of the last 90 days at most.
    pub followers: Vec<Followed>,
}

/// The user's time zone: the one set for psn, or for notifications, else UTC. A name that the database does not know would
/// fail the whole statement.
macro_rules! zone {
    () => {
        "wanted as (select coalesce((select value #>> '{}' from psn_settings where user_id = $1 and scope = '' \
             and name = 'time_zone'), (select timezone from notification_preferences where user_id = $1), 'UTC') as name), \
         zone as (select case when name = 'UTC' then name \
             else coalesce((select z.name from pg_timezone_names z where z.name = wanted.name), 'UTC') end as name from wanted)"
    };
}

/// Posts with their scores, as far as they can be compared. `$1` user, `$2` since when, `$3` now.
macro_rules! mine {
    ($more:literal) => {
        concat!(
            "mine as (select m.platform, m.engagement_score as score, coalesce(m.post_format, 'text') as format, \
               coalesce(m.post_pillar, 'general') as pillar, p.published_at \
             from post_metrics m join posts p on p.id = m.post_id \
             where m.user_id = $1 and p.user_id = $1 and p.published_at >= $2::timestamptz \
             and m.collected_at >= p.published_at + interval '20 hours' and m.collected_at <= $3::timestamptz",
            $more,
            ")"
        )
    };
}

/// Hours of the week by the average score. A few posts say little: they are ranked as if two average posts were among them.
macro_rules! times {
    () => {
        "times as (select extract(hour from published_at at time zone zone.name)::int as hour, \
            extract(dow from published_at at time zone zone.name)::int as day_of_week, count(*) as posts, \
            round(avg(score)) as score, \
            (sum(score) + 2 * (select avg(score) from mine)) / (count(*) + 2) as rank \
          from mine, zone group by 1, 2 order by rank desc, 2, 1 limit 10)"
    };
}

/// What its owner has locked stays, and so does what was not seen lately.
const LEARN: &str = concat!(
    "with ",
    zone!(),
    ", ",
    mine!(""),
    ", ",
    times!(),
    ", learnt as (select \
        (select jsonb_agg(jsonb_build_object('format', format, 'avgScore', score) order by score desc, format) from \
          (select format, round(avg(score)) as score from mine group by format) f) as formats, \
        (select jsonb_agg(jsonb_build_object('pillar', pillar, 'avgScore', score) order by score desc, pillar) from \
          (select pillar, round(avg(score)) as score from mine group by pillar) f) as pillars, \
        (select jsonb_agg(jsonb_build_object('hour', hour, 'dayOfWeek', day_of_week, 'avgScore', score) order by rank desc) \
          from times) as times) \
     insert into preference_model as m (user_id, top_formats, top_pillars, best_posting_times, created_at, updated_at) \
     select $1, formats, pillars, times, $3::timestamptz, $3::timestamptz from learnt where formats is not null \
     on conflict (user_id) do update set updated_at = excluded.updated_at, \
       top_formats = case when m.locked_settings @> '[{\"field\": \"top_formats\"}]' then m.top_formats \
         else excluded.top_formats || coalesce((select jsonb_agg(old) from jsonb_array_elements( \
             case when jsonb_typeof(m.top_formats) = 'array' then m.top_formats else '[]'::jsonb end) old \
           where not excluded.top_formats @> jsonb_build_array(jsonb_build_object('format', old -> 'format'))), '[]'::jsonb) end, \
       top_pillars = case when m.locked_settings @> '[{\"field\": \"top_pillars\"}]' then m.top_pillars \
         else excluded.top_pillars || coalesce((select jsonb_agg(old) from jsonb_array_elements( \
             case when jsonb_typeof(m.top_pillars) = 'array' then m.top_pillars else '[]'::jsonb end) old \
           where not excluded.top_pillars @> jsonb_build_array(jsonb_build_object('pillar', old -> 'pillar'))), '[]'::jsonb) end, \
       best_posting_times = case when m.locked_settings @> '[{\"field\": \"best_posting_times\"}]' then m.best_posting_times \
         else excluded.best_posting_times end"
);

/// `$1` user, `$2` since when, `$3` now, `$4` platform, `$5` account: as for each of those that follow.
const TOTALS: &str = "select m.platform, count(*) as posts, sum(m.impression_count::bigint) as seen, \
      sum(m.like_count::bigint + m.reply_count + m.retweet_count + m.quote_count + m.bookmark_count) as reactions, \
      round(avg(m.engagement_score)) as score, \
      coalesce(round(sum(m.engagement_rate_bps::numeric * m.impression_count) / nullif(sum(m.impression_count::bigint), 0)), 0) \
        as rate_bps \
    from post_metrics m join posts p on p.id = m.post_id \
    where m.user_id = $1 and p.user_id = $1 and p.published_at >= $2::timestamptz and m.collected_at <= $3::timestamptz \
      and ($4::text is null or m.platform = $4) and ($5::text is null or p.metadata -> 'psn' ->> 'account_id' = $5) \
    group by m.platform order by m.platform";

macro_rules! kinds {
    ($column:literal) => {
        concat!(
            "with ",
            mine!(
                " and ($4::text is null or m.platform = $4) and ($5::text is null or p.metadata -> 'psn' ->> 'account_id' = $5)"
            ),
            " select ",
            $column,
            " as name, count(*) as posts, round(avg(score)) as score from mine group by 1 order by 3 desc, 1 limit 20"
        )
    };
}

const FORMATS: &str = kinds!("format");
const PILLARS: &str = kinds!("pillar");

const TIMES: &str = concat!(
    "with ",
    zone!(),
    ", ",
    mine!(
        " and ($4::text is null or m.platform = $4) and ($5::text is null or p.metadata -> 'psn' ->> 'account_id' = $5)"
    ),
    ", ",
    times!(),
    " select zone.name as time_zone, hour, day_of_week, posts, score from zone left join times on true order by rank desc nulls last"
);

const FOLLOWED: &str = "select account_id, platform, to_char(day, 'YYYY-MM-DD') as day, followers from psn_followers f \
    where f.user_id = $1 and f.day >= ($2::timestamptz at time zone 'UTC')::date \
      and f.day > ($3::timestamptz at time zone 'UTC')::date - 90 \
      and ($4::text is null or f.platform = $4) and ($5::text is null or f.account_id::text = $5) \
    order by f.platform, f.account_id, f.day limit 2000";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Writes what was collected of a user's posts at one time: the newest counts, and a place in the history of each; and
    /// what is to be learnt from all of theirs, but nothing that they have locked. Posts that are not theirs are left out.
    ///
    /// # Errors
    /// [`StoreError`]; writing again is always right.
    pub async fn metrics_record(
        &self,
        user: &UserId,
        collected: &[Collected],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        if collected.is_empty() {
            return Ok(());
        }
        let [snapshot, history] = record_statements(user, collected, at);
        let learn = Statement::new(LEARN, [param(user), param(at - LEARN_FROM_MS), param(at)]);
        let batch = [snapshot, history, learn];
        self.write(Who::User(user.clone()), &batch).await.map(|_| ())
    }

    /// What a user's counts say of the posts since `filter.since`, which is 90 days ago where it is left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn metrics_summary(
        &self,
        user: &UserId,
        filter: &CountsFilter,
        now: Timestamp,
    ) -> Result<Summary, StoreError> {
        let since = filter.since.unwrap_or(now - LEARN_FROM_MS);
        let params = [
            param(user),
            param(since),
            param(now),
            opt_param(filter.platform),
            opt_param(filter.account.as_ref()),
        ];
        let batch = [TOTALS, FORMATS, PILLARS, TIMES, FOLLOWED].map(|sql| Statement::new(sql, params.clone()));
        let results = self.read(Who::User(user.clone()), &batch).await?;
        let [totals, formats, pillars, times, followed] = results.as_slice() else {
            return Err(StoreError::malformed("five results were expected"));
        };
        let kind = |row: Row<'_>| {
            Ok(KindScore {
                name: row.string("name")?,
                posts: number(row, "posts")?,
                score: number(row, "score")?,
            })
        };
        Ok(Summary {
            time_zone: times
                .first()
                .map_or(Ok("UTC".to_owned()), |row| row.string("time_zone"))?,
            platforms: totals.map(read_total)?,
            formats: formats.map(kind)?,
            pillars: pillars.map(kind)?,
            best_times: read_times(times)?,
            followers: read_followed(followed)?,
        })
    }
}

/// A number of an aggregate, which may come as a decimal without places.
fn number(row: Row<'_>, column: &str) -> Result<u64, StoreError> {
    Ok(u64::try_from(row.opt_i64(column)?.unwrap_or(0)).unwrap_or(0))
}

fn read_total(row: Row<'_>) -> Result<PlatformTotal, StoreError> {
    Ok(PlatformTotal {
        platform: row.string("platform")?,
        posts: number(row, "posts")?,
        seen: number(row, "seen")?,
        reactions: number(row, "reactions")?,
        score: number(row, "score")?,
        rate_bps: number(row, "rate_bps")?,
    })
}

fn read_times(rows: &Rows) -> Result<Vec<HourScore>, StoreError> {
    let mut times = Vec::new();
    for row in rows.iter() {
        // Without any post there is the zone alone.
        if row.opt("hour")?.is_some() {
            times.push(HourScore {
                day_of_week: number(row, "day_of_week")?,
                hour: number(row, "hour")?,
                posts: number(row, "posts")?,
                score: number(row, "score")?,
            });
        }
    }
    Ok(times)
}

fn read_followed(rows: &Rows) -> Result<Vec<Followed>, StoreError> {
    let mut all: Vec<Followed> = Vec::new();
    for row in rows.iter() {
        let account = AccountId::from(row.text("account_id")?);
        let on = FollowersOn {
            day: row.string("day")?,
            followers: number(row, "followers")?,
        };
        match all.last_mut().filter(|last| last.account == account) {
            Some(last) => last.days.push(on),
            None => all.push(Followed {
                account,
                platform: row.string("platform")?,
                days: vec![on],
            }),
        }
    }
    Ok(all)
}
