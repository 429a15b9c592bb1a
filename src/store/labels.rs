//! Labels of posts in their rows, where the legacy program keeps them: two columns and keys of `metadata`; what it has
//! no place for lies in psn's own keys.

use crate::domain::id::{HubId, PostId, UserId};
use crate::domain::labels::{Labels, PlanSlotRef};
use crate::domain::order;
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, opt_param, param};
use crate::store::row::uuid_of;
use serde_json::{Map, Value, json};

/// The labels as a row holds them: `series_id` and `language` for the columns, `metadata` for the legacy program's keys,
/// `psn` for psn's own.
#[must_use]
pub fn stored(labels: &Labels) -> Value {
    let words = [
        ("format", &labels.format),
        ("topic", &labels.topic),
        ("pillar", &labels.pillar),
    ];
    let words = words.into_iter();
    let mut metadata: Map<String, Value> =
        order::gather(words.filter_map(|(key, word)| Some((key.to_owned(), json!(word.as_ref()?)))));
    if let Some(hub_id) = &labels.hub_id {
        metadata.insert("hubId".to_owned(), json!(hub_id));
    }
    let mut psn = Map::new();
    if let Some(idea_id) = &labels.idea_id {
        psn.insert("idea_id".to_owned(), json!(idea_id));
    }
    if let Some(slot) = &labels.slot {
        psn.insert("slot".to_owned(), json!(slot));
    }
    json!({ "series_id": labels.series_id, "language": labels.language, "metadata": metadata, "psn": psn })
}

/// What is known of that which labels name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedThings {
    /// The status of the series, if the user sees one of that id.
    pub series: Option<String>,
    /// The status of the idea, if the user sees one of that id.
    pub idea: Option<String>,
    /// Whether the user is an active member of the hub.
    pub is_member: bool,
    /// Whether there is such a slot.
    pub has_slot: bool,
    /// The post that fills the slot, if one does.
    pub slot_post: Option<String>,
}

const NAMED: &str = "select (select status from series where id = $1::uuid) as series, \
    (select status from ideas where id = $2::uuid) as idea, \
    coalesce($3::text in (select public.psn_hubs()), false) as is_member, \
    coalesce(jsonb_typeof(s.slot) = 'object', false) as has_slot, s.slot ->> 'postId' as slot_post \
    from (select (select case when jsonb_typeof(slots) = 'array' then slots -> ($5::int - 1) end from weekly_plans \
      where id = $4::uuid and user_id = public.psn_me()) as slot) s";

/// Who reviews the posts of a hub.
const REVIEWS: &str = "select coalesce($1::text in (select public.psn_hubs('admin')), false) as reviews";

/// Takes a slot for a post: the slot names it from then on. Nothing where it names another. `$1` plan, `$2` number,
/// `$3` post, `$4` status, `$5` now, `$6` user.
macro_rules! take_slot {
    () => {
        "update weekly_plans set updated_at = $5::timestamptz, slots = jsonb_set(slots, array[($2::int - 1)::text], \
           (slots -> ($2::int - 1)) || jsonb_build_object('postId', $3::text, 'status', $4::text)) \
         where id = $1::uuid and user_id = $6 and jsonb_typeof(slots) = 'array' \
           and jsonb_typeof(slots -> ($2::int - 1)) = 'object' \
           and coalesce(slots -> ($2::int - 1) ->> 'postId', $3::text) = $3::text returning id"
    };
}

/// Slots that name a post that is no more are free again. `$1` post, `$2` user.
const FREE: &str = "with meant as (select p.id, jsonb_agg(case when s.slot ->> 'postId' = $1::uuid::text \
        then (s.slot - 'postId') || '{\"status\": \"outlined\"}'::jsonb else s.slot end order by s.place) as slots \
      from weekly_plans p, jsonb_array_elements(case when jsonb_typeof(p.slots) = 'array' then p.slots else '[]'::jsonb end) \
        with ordinality as s (slot, place) \
      where p.user_id = $2 and p.slots @> jsonb_build_array(jsonb_build_object('postId', $1::uuid::text)) \
        and not exists (select from posts where id = $1::uuid) group by p.id) \
    update weekly_plans p set slots = meant.slots, updated_at = now() from meant where p.id = meant.id";

/// Slots that name a post which fills another one by now, or none, are free again. `$1` post, `$2` user, `$3` the plan and
/// `$4` the number of the slot that it fills, if it does, `$5` now.
const MOVED: &str = "with meant as (select p.id, jsonb_agg(case when s.slot ->> 'postId' = $1::uuid::text \
          and (p.id = $3::uuid and s.place = $4::int) is not true \
        then (s.slot - 'postId') || '{\"status\": \"outlined\"}'::jsonb else s.slot end order by s.place) as slots \
      from weekly_plans p, jsonb_array_elements(case when jsonb_typeof(p.slots) = 'array' then p.slots else '[]'::jsonb end) \
        with ordinality as s (slot, place) \
      where p.user_id = $2 and p.slots @> jsonb_build_array(jsonb_build_object('postId', $1::uuid::text)) group by p.id) \
    update weekly_plans p set slots = meant.slots, updated_at = $5::timestamptz from meant \
    where p.id = meant.id and p.slots is distinct from meant.slots";

/// An idea from which a post was made is written: it went through the steps before by that. `$1` post, `$2` user, `$3` now.
const DEVELOPED: &str = concat!(
    "update ideas set status = 'developed', claimed_by = coalesce(claimed_by, $2), last_touched_at = $3::timestamptz, \
       updated_at = $3::timestamptz where id = (select ",
    uuid_of!("metadata -> 'psn' ->> 'idea_id'"),
    " from posts where id = $1::uuid and user_id = $2) and status in ('spark', 'seed', 'ready', 'claimed')"
);

/// The statement that takes a slot for a post.
#[must_use]
pub fn take_slot_statement(
    slot: &PlanSlotRef,
    post: &PostId,
    user: &UserId,
    status: &str,
    now: Timestamp,
) -> Statement {
    Statement::new(
        take_slot!(),
        [
            param(&slot.plan_id),
            param(slot.number),
            param(post),
            param(status),
            param(now),
            param(user),
        ],
    )
}

/// The statement that frees the slots of a post that is no more.
#[must_use]
pub fn free_slot_statement(post: &PostId, user: &UserId) -> Statement {
    Statement::new(FREE, [param(post), param(user)])
}

/// The statement that frees the slots of a post but the one that it fills.
#[must_use]
pub fn moved_statement(post: &PostId, user: &UserId, slot: Option<&PlanSlotRef>, now: Timestamp) -> Statement {
    Statement::new(
        MOVED,
        [
            param(post),
            param(user),
            opt_param(slot.map(|slot| &slot.plan_id)),
            opt_param(slot.map(|slot| slot.number)),
            param(now),
        ],
    )
}

/// The statement that says of an idea that a post was made from it.
#[must_use]
pub fn developed_statement(post: &PostId, user: &UserId, now: Timestamp) -> Statement {
    Statement::new(DEVELOPED, [param(post), param(user), param(now)])
}

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// What is known to the user of that which labels name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn labels_named(&self, user: &UserId, labels: &Labels) -> Result<NamedThings, StoreError> {
        let slot = labels.slot.as_ref();
        let params = [
            opt_param(labels.series_id.as_ref()),
            opt_param(labels.idea_id.as_ref()),
            opt_param(labels.hub_id.as_ref()),
            opt_param(slot.map(|slot| &slot.plan_id)),
            opt_param(slot.map(|slot| slot.number)),
        ];
        let named = Statement::new(NAMED, params);
        let rows = self.read_one(Who::User(user.clone()), named).await?;
        let row = rows.one()?;
        Ok(NamedThings {
            series: row.opt_string("series")?,
            idea: row.opt_string("idea")?,
            is_member: row.bool("is_member")?,
            has_slot: row.bool("has_slot")?,
            slot_post: row.opt_string("slot_post")?,
        })
    }

    /// Whether the user is an active admin of the hub, and so reviews its posts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn reviews_hub(&self, user: &UserId, hub: &HubId) -> Result<bool, StoreError> {
        let asked = Statement::new(REVIEWS, [param(hub)]);
        self.read_one(Who::User(user.clone()), asked)
            .await?
            .one()?
            .bool("reviews")
    }

    /// Takes a slot of a weekly plan for a post; `false` where another post has it, or there is none.
    ///
    /// # Errors
    /// [`StoreError`]; asking again is always right.
    pub async fn plan_slot_take(
        &self,
        user: &UserId,
        slot: &PlanSlotRef,
        post: &PostId,
        status: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let take = take_slot_statement(slot, post, user, status, now);
        Ok(!self.write_one(Who::User(user.clone()), take).await?.is_empty())
    }

    /// Frees the slots of weekly plans that name a post, but the one that it fills.
    ///
    /// # Errors
    /// [`StoreError`]; asking again is always right.
    pub async fn plan_slots_keep(
        &self,
        user: &UserId,
        slot: Option<&PlanSlotRef>,
        post: &PostId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let moved = moved_statement(post, user, slot, now);
        self.write_one(Who::User(user.clone()), moved).await.map(|_| ())
    }
}
