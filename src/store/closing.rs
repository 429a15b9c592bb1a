//! What a post brings about elsewhere, in the transaction that writes its row: an episode is counted in its series, its
//! hub's format and pillar are noted, its idea is used, its slot of a weekly plan is done, people are told.
//!
//! Each statement reads the row behind the projection and does nothing unless that shows this journal, so what was not
//! written brings nothing about; `psn_post_effects` keeps what cannot be repeated to once.

use crate::domain::id::{PostId, UserId};
use crate::domain::time::Timestamp;
use crate::store::neon::{Statement, param};
use crate::store::row::{row_seq, uuid_of};

/// The row as this journal published it, with whose it is. `$1` post, `$2` user, `$3` length of the journal, `$4` now.
macro_rules! closed {
    () => {
        concat!(
            "closed as (select id, user_id, series_id, published_at, metadata from posts where id = $1::uuid and user_id = $2 \
               and status = 'published' and ",
            row_seq!(),
            " = $3::numeric) "
        )
    };
}

/// Remembers that an effect was brought about, from the table named; nothing where it was before.
macro_rules! once {
    ($effect:literal, $from:literal) => {
        concat!(
            "once as (insert into psn_post_effects (user_id, post_id, effect, at) \
               select $2, $1::uuid, '",
            $effect,
            "', $4::timestamptz from ",
            $from,
            " on conflict do nothing returning post_id) "
        )
    };
}

/// Counts an episode once for each post (the legacy program read, added and wrote, and did so again for a post published
/// twice). A post of no series, or of one that the user does not see, counts nothing and is not remembered.
const SERIES: &str = concat!(
    "with ",
    closed!(),
    // A subquery by itself, so that the index is used.
    ", meant as (select s.id, c.published_at from closed c, series s where s.id = (select ",
    uuid_of!("series_id"),
    " from closed)), ",
    once!("series", "meant"),
    "update series set episode_count = episode_count + 1, updated_at = $4::timestamptz, \
       last_published_at = greatest(last_published_at, coalesce(meant.published_at, $4::timestamptz)) \
     from once, meant where series.id = meant.id returning episode_count"
);

/// Adds the format and the pillar of a hub's post to what the hub knows, where they are missing; one that is there keeps
/// its score. Only for a hub that the author still belongs to.
const PREFERENCE: &str = concat!(
    "with ",
    closed!(),
    ", meant as (select metadata ->> 'hubId' as hub, coalesce(metadata ->> 'format', 'text') as format, \
         coalesce(metadata ->> 'pillar', 'general') as pillar from closed \
       where metadata ->> 'hubId' in (select public.psn_hubs())), ",
    once!("preference", "meant"),
    "insert into preference_model as m (user_id, top_formats, top_pillars, created_at, updated_at) \
     select hub, jsonb_build_array(jsonb_build_object('format', format, 'avgScore', 0)), \
       jsonb_build_array(jsonb_build_object('pillar', pillar, 'avgScore', 0)), $4::timestamptz, $4::timestamptz \
     from meant, once \
     on conflict (user_id) do update set updated_at = excluded.updated_at, \
       top_formats = case when jsonb_typeof(m.top_formats) is distinct from 'array' then excluded.top_formats \
         when m.top_formats @> jsonb_build_array((excluded.top_formats -> 0) - 'avgScore') then m.top_formats \
         else m.top_formats || excluded.top_formats end, \
       top_pillars = case when jsonb_typeof(m.top_pillars) is distinct from 'array' then excluded.top_pillars \
         when m.top_pillars @> jsonb_build_array((excluded.top_pillars -> 0) - 'avgScore') then m.top_pillars \
         else m.top_pillars || excluded.top_pillars end"
);

/// The idea is used: it went through the steps between by being written and published. One that was given up stays so.
const IDEA: &str = concat!(
    "with ",
    closed!(),
    "update ideas set status = 'used', claimed_by = coalesce(claimed_by, $2), last_touched_at = $4::timestamptz, \
       updated_at = $4::timestamptz where id = (select ",
    uuid_of!("metadata -> 'psn' ->> 'idea_id'"),
    " from closed) and status in ('spark', 'seed', 'ready', 'claimed', 'developed')"
);

/// The slot that names the post, in whatever plan of the last weeks, is done.
const SLOT: &str = concat!(
    "with ",
    closed!(),
    ", meant as (select p.id, jsonb_agg(case when s.slot ->> 'postId' = $1::uuid::text \
           then s.slot || '{\"status\": \"published\"}'::jsonb else s.slot end order by s.place) as slots \
       from closed c, weekly_plans p, \
         jsonb_array_elements(case when jsonb_typeof(p.slots) = 'array' then p.slots else '[]'::jsonb end) \
           with ordinality as s (slot, place) \
       where p.user_id = $2 and p.week_start > $4::timestamptz - interval '60 days' \
         and p.slots @> jsonb_build_array(jsonb_build_object('postId', $1::uuid::text)) group by p.id), ",
    once!("slot", "meant limit 1"),
    "update weekly_plans p set slots = meant.slots, updated_at = $4::timestamptz, completed_slots = \
       (select count(*) from jsonb_array_elements(meant.slots) e where e ->> 'status' = 'published') \
     from once, meant where p.id = meant.id"
);

/// The statements for the transaction that writes a published post's row.
#[must_use]
pub fn statements(post: &PostId, user: &UserId, seq: u64, now: Timestamp) -> Vec<Statement> {
    [SERIES, PREFERENCE, IDEA, SLOT]
        .into_iter()
        .map(|sql| Statement::new(sql, [param(post), param(user), param(seq), param(now)]))
        .collect()
}
