//! Who owns which remote post, as the index knows it. Two posts with the same text may find each other's part when they
//! look: each gets one, and none gets two.
//!
//! Keys of the index's table:
//! - `remote/{account}/{remote id}` → the post it belongs to
//! - `remote_at/{time}/{account}/{remote id}` → `""`, the same by age, for pruning
//! - `remote_of/{post}` → what the post was given last and has not said to be its part: when it finds another, that one is
//!   free again, for the answer may never have reached it

use crate::domain::id::{AccountId, PostId, RemoteId};
use crate::domain::time::{Millis, Timestamp};
use crate::ports::table::Table;
use crate::tasks::keys::time_key;

/// Remote ids are remembered for a week: longer than any doubt lasts.
const KEPT_MS: Millis = Millis(7 * 24 * 3_600_000);

/// The remote posts in the index's table, at an instant.
pub struct Remotes<'a> {
    /// Where the index keeps what it knows.
    pub table: &'a dyn Table,
    /// The time.
    pub now: Timestamp,
}

impl Remotes<'_> {
    /// These are parts of that post, unless they are another's.
    ///
    /// # Errors
    /// In words, when the storage fails.
    pub fn keep(&self, post_id: &PostId, account_id: &AccountId, remote_ids: &[RemoteId]) -> Result<(), String> {
        for remote_id in remote_ids {
            if self.owner(account_id, remote_id)?.is_none() {
                self.give(post_id, account_id, remote_id)?;
            }
        }
        let given = self.table.get(&given_key(post_id))?;
        if given.is_some_and(|given| remote_ids.iter().any(|id| id.0 == given)) {
            self.table.delete(&given_key(post_id))?;
        }
        Ok(())
    }

    /// The first of these that is that post's already, else the first that is nobody's, which it gets.
    ///
    /// # Errors
    /// In words, when the storage fails.
    pub fn claim(
        &self,
        post_id: &PostId,
        account_id: &AccountId,
        candidates: &[RemoteId],
        known_ids: &[RemoteId],
    ) -> Result<Option<RemoteId>, String> {
        let (mut own, mut free) = (None, None);
        for candidate in candidates.iter().filter(|candidate| !known_ids.contains(candidate)) {
            match self.owner(account_id, candidate)? {
                Some(owner) if owner == post_id.0 => own = own.or(Some(candidate)),
                Some(_) => {}
                None => free = free.or(Some(candidate)),
            }
        }
        let Some(remote_id) = own.or(free) else {
            return Ok(None);
        };
        let given = self.table.get(&given_key(post_id))?.map(RemoteId);
        if let Some(given) = given.filter(|given| given != remote_id && !known_ids.contains(given))
            && self.owner(account_id, &given)?.is_some_and(|owner| owner == post_id.0)
        {
            self.table.delete(&owner_key(account_id, &given))?;
        }
        if own.is_none() {
            self.give(post_id, account_id, remote_id)?;
        }
        self.table.put(&given_key(post_id), &remote_id.0)?;
        Ok(Some(remote_id.clone()))
    }

    /// Forgets what is older than any doubt.
    ///
    /// # Errors
    /// In words, when the storage fails.
    pub fn prune(&self) -> Result<(), String> {
        const BY_AGE: &str = "remote_at/";
        let until = format!("{BY_AGE}{}", time_key(self.now - KEPT_MS));
        for (key, _) in self.table.scan(BY_AGE, &until, 1_000)? {
            // Behind the prefix: sixteen digits, a slash, and the name.
            if let Some(name) = key.get(BY_AGE.len() + 17..) {
                let owner_key = format!("remote/{name}");
                if let Some(owner) = self.table.get(&owner_key)? {
                    self.table.delete(&given_key(&PostId(owner)))?;
                }
                self.table.delete(&owner_key)?;
            }
            self.table.delete(&key)?;
        }
        Ok(())
    }

    fn owner(&self, account_id: &AccountId, remote_id: &RemoteId) -> Result<Option<String>, String> {
        self.table.get(&owner_key(account_id, remote_id))
    }

    fn give(&self, post_id: &PostId, account_id: &AccountId, remote_id: &RemoteId) -> Result<(), String> {
        self.table.put(&owner_key(account_id, remote_id), &post_id.0)?;
        let by_age = format!("remote_at/{}/{account_id}/{remote_id}", time_key(self.now));
        self.table.put(&by_age, "")
    }
}

fn owner_key(account_id: &AccountId, remote_id: &RemoteId) -> String {
    format!("remote/{account_id}/{remote_id}")
}

fn given_key(post_id: &PostId) -> String {
    format!("remote_of/{post_id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::memory::MemoryTable;

    fn at(table: &MemoryTable, seconds: i64) -> Remotes<'_> {
        Remotes {
            table,
            now: Timestamp(seconds * 1_000),
        }
    }

    fn ids(ids: &[&str]) -> Vec<RemoteId> {
        ids.iter().map(|id| RemoteId::from(*id)).collect()
    }

    fn claim(table: &MemoryTable, post: &str, candidates: &[&str], known: &[&str]) -> Option<String> {
        let (post, account) = (PostId::from(post), AccountId::from("a"));
        let claimed = at(table, 0).claim(&post, &account, &ids(candidates), &ids(known));
        claimed.unwrap().map(|id| id.0)
    }

    #[test]
    fn a_remote_post_belongs_to_one_post() {
        let table = MemoryTable::default();
        assert_eq!(claim(&table, "p", &["1"], &[]).as_deref(), Some("1"));
        assert_eq!(claim(&table, "p", &["1"], &[]).as_deref(), Some("1"), "asked again");
        assert_eq!(claim(&table, "q", &["1"], &[]), None);
        assert_eq!(claim(&table, "q", &["1", "2"], &[]).as_deref(), Some("2"));
        at(&table, 8 * 24 * 3_600).prune().unwrap();
        assert_eq!(claim(&table, "q", &["1"], &[]).as_deref(), Some("1"));
    }

    #[test]
    fn what_a_post_has_already_comes_before_what_is_free() {
        let table = MemoryTable::default();
        assert_eq!(claim(&table, "p", &["2"], &[]).as_deref(), Some("2"));
        // The older of the two became readable later.
        assert_eq!(claim(&table, "p", &["1", "2"], &[]).as_deref(), Some("2"));
        assert_eq!(claim(&table, "q", &["1", "2"], &[]).as_deref(), Some("1"));
    }

    #[test]
    fn a_part_that_was_given_in_vain_is_free_again() {
        let table = MemoryTable::default();
        assert_eq!(claim(&table, "p", &["2"], &[]).as_deref(), Some("2"));
        assert_eq!(
            claim(&table, "p", &["1"], &[]).as_deref(),
            Some("1"),
            "2 cannot be read yet"
        );
        assert_eq!(claim(&table, "q", &["1", "2"], &[]).as_deref(), Some("2"));
    }

    #[test]
    fn what_is_out_for_certain_is_kept() {
        let table = MemoryTable::default();
        assert_eq!(claim(&table, "p", &["1"], &[]).as_deref(), Some("1"));
        // Its note of that part was lost.
        assert_eq!(claim(&table, "p", &["2"], &["1"]).as_deref(), Some("2"));
        let (post, account) = (PostId::from("p"), AccountId::from("a"));
        at(&table, 0).keep(&post, &account, &ids(&["1", "2"])).unwrap();
        assert_eq!(claim(&table, "p", &["3"], &[]).as_deref(), Some("3"));
        assert_eq!(claim(&table, "q", &["1", "2", "3"], &[]), None);
    }
}
