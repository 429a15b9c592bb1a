//! The calendar: a user's posts by the time they go out, and which of its times are taken.

use crate::domain::id::{AccountId, PostId, UserId};
use crate::domain::platform::Platform;
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::json;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, opt_param, param};
use crate::store::row::{Row, millis_of};

/// Most posts that are shown of a week.
pub const POSTS_MAX: u32 = 500;

/// A post as a calendar shows it. Names are text: another program may have written them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarPost {
    /// The post.
    pub id: PostId,
    /// Where it goes.
    pub platform: String,
    /// The account it goes out on, where the row says so.
    pub account: Option<AccountId>,
    /// Its status.
    pub status: String,
    /// More about it.
    pub sub_status: Option<String>,
    /// Whether it may go out, where it belongs to a hub.
    pub approval_status: Option<String>,
    /// The beginning of its text.
    pub text: String,
    /// When it goes out, or went out.
    pub at: Timestamp,
}

/// Which times of an account are asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    /// The platform.
    pub platform: Platform,
    /// The account; the times of posts whose row names none count as its own.
    pub account: AccountId,
}

/// A post stands where it is or was due. (What the legacy program published at once has no such time, and is left out.)
const WEEK: &str = concat!(
    "select id, platform, status, sub_status, approval_status, left(content, 400) as content, \
       metadata -> 'psn' ->> 'account_id' as account_id, ",
    millis_of!("scheduled_at"),
    " from posts p where user_id = $1 and scheduled_at >= $2::timestamptz and scheduled_at < $3::timestamptz \
     order by p.scheduled_at, platform, id limit $4::int"
);

/// A claim counts for ten minutes, in which the post's row follows, and then for as long as the row says the same.
macro_rules! live_slot {
    ($now:literal) => {
        concat!(
            "(s.claimed_at > ",
            $now,
            "::timestamptz - interval '10 minutes' or exists (select from posts p where p.id = s.post_id \
               and p.user_id = s.user_id and p.scheduled_at = s.slot_at and p.status not in ('draft', 'failed')))"
        )
    };
}
pub(crate) use live_slot;

/// `$1` user, `$2` platform, `$3` account, `$4` from, `$5` before, `$6` the post that asks, `$7` now.
const BUSY: &str = concat!(
    "select distinct floor(extract(epoch from at) * 1000)::bigint as at from ( \
       select p.scheduled_at as at from posts p where p.user_id = $1 and p.platform = $2 \
         and p.scheduled_at >= $4::timestamptz and p.scheduled_at < $5::timestamptz and p.id is distinct from $6::uuid \
         and p.status not in ('draft', 'failed') and coalesce(p.metadata -> 'psn' ->> 'account_id', $3) = $3 \
       union all select s.slot_at from psn_slots s where s.user_id = $1 and s.platform = $2 and s.account_id = $3 \
         and s.slot_at >= $4::timestamptz and s.slot_at < $5::timestamptz and s.post_id is distinct from $6::uuid and ",
    live_slot!("$7"),
    ") taken order by 1 limit 2000"
);

const OF_POST: &str = concat!(
    "select platform, account_id, ",
    millis_of!("slot_at"),
    " from psn_slots where user_id = $1 and post_id = $2::uuid"
);

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// A user's posts from the first instant on and before the second, by time, at most [`POSTS_MAX`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn calendar_posts(
        &self,
        user: &UserId,
        from: Timestamp,
        before: Timestamp,
    ) -> Result<Vec<CalendarPost>, StoreError> {
        let week = Statement::new(WEEK, [param(user), param(from), param(before), param(POSTS_MAX)]);
        let rows = self.read_one(Who::User(user.clone()), week).await?;
        rows.map(read_calendar_post)
    }

    /// The times at which something of that account goes out, or that are taken for it, by others than `except`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn times_taken(
        &self,
        user: &UserId,
        place: &Whereabouts,
        (from, before): (Timestamp, Timestamp),
        except: Option<&PostId>,
        now: Timestamp,
    ) -> Result<Vec<Timestamp>, StoreError> {
        let busy = Statement::new(
            BUSY,
            [
                param(user),
                param(place.platform),
                param(&place.account),
                param(from),
                param(before),
                opt_param(except),
                param(now),
            ],
        );
        let rows = self.read_one(Who::User(user.clone()), busy).await?;
        rows.map(|row| row.instant("at"))
    }

    /// The time of the calendar that a post has, and of which account it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn slot_of_post(
        &self,
        user: &UserId,
        post: &PostId,
    ) -> Result<Option<(Whereabouts, Timestamp)>, StoreError> {
        let of_post = Statement::new(OF_POST, [param(user), param(post)]);
        let rows = self.read_one(Who::User(user.clone()), of_post).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let platform = Platform::parse(row.text("platform")?);
        let place = Whereabouts {
            platform: platform.ok_or_else(|| StoreError::malformed("column `platform` names no known platform"))?,
            account: AccountId::from(row.text("account_id")?),
        };
        Ok(Some((place, row.instant("slot_at")?)))
    }
}

fn read_calendar_post(row: Row<'_>) -> Result<CalendarPost, StoreError> {
    let stored = row.text("content")?;
    Ok(CalendarPost {
        id: PostId::from(row.text("id")?),
        platform: row.string("platform")?,
        account: row.opt("account_id")?.map(AccountId::from),
        status: row.string("status")?,
        sub_status: row.opt_string("sub_status")?,
        approval_status: row.opt_string("approval_status")?,
        text: first_part(stored),
        at: row.instant("scheduled_at")?,
    })
}

/// The first part of a stored form that may have been cut off.
fn first_part(stored: &str) -> String {
    let Some(array) = stored.trim_start().strip_prefix("[\"") else {
        return stored.to_owned();
    };
    let mut is_escaped = false;
    let end = array.find(|c| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    });
    let inside = &array[..end.unwrap_or(array.len())];
    // Half an escape at the end says nothing.
    let whole = (0..6).find_map(|cut| {
        let kept: String = inside
            .chars()
            .take(inside.chars().count().saturating_sub(cut))
            .collect();
        json::read(format!("\"{kept}\"")).ok()
    });
    whole.unwrap_or_else(|| stored.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_part_is_shown_also_where_it_is_cut() {
        for (stored, shown) in [
            ("plain", "plain"),
            (r#"["one","two"]"#, "one"),
            (r#"["say \"hi\"","two"]"#, "say \"hi\""),
            (r#"["cut o"#, "cut o"),
            (r#"["cut \"#, "cut "),
            (r#"["cut \u00"#, "cut "),
            ("[x] a list", "[x] a list"),
        ] {
            assert_eq!(first_part(stored), shown, "{stored}");
        }
    }
}
