//! Which remote post is whose, by the program's own rules: what looks find, and what the platform answers.

use crate::world::{World, account};
use psn::domain::id::RemoteId;
use psn::domain::outcome::{LookUp, Outcome};
use psn::domain::time::Timestamp;
use psn::tasks::remotes::Remotes;

impl World {
    /// A first part that the platform took is claimed in the index before it is recorded: another post with the same text
    /// may have found it before, and then this call's part is still to be found.
    pub fn reserve(&mut self, instance: usize, outcome: &mut Outcome) {
        if let Outcome::Accepted { remote_id } = outcome {
            let is_first = self.platform.is_first_part(remote_id);
            if is_first && self.first_own(instance, vec![remote_id.clone()]) == LookUp::Absent {
                self.mark("accepted as another post's part");
                *outcome = Outcome::Ambiguous {
                    message: "the platform answered with the id of another post".to_owned(),
                };
            }
        }
    }

    pub fn look_prepared(&mut self, instance: usize, handles: &[psn::domain::media::Handle]) -> LookUp {
        let token = self.instances[instance].token.unwrap_or(0);
        let (now, faulty) = (self.now, self.faulty());
        if let Some(unreadable) = self.platform.unreadable(token, now, faulty, &mut self.random) {
            self.mark("look-up unreadable");
            return unreadable;
        }
        let (answer, mark) = self.platform.look_prepared(handles, now);
        self.marks.insert(mark);
        match answer {
            LookUp::Present { remote_id } => self.first_own(instance, vec![remote_id]),
            other => other,
        }
    }

    pub fn remotes(&self) -> Remotes<'_> {
        Remotes {
            table: &self.index,
            now: self.now,
        }
    }

    pub fn known_ids(&self, post: usize) -> Vec<RemoteId> {
        self.posts[post].truth.remote_ids().into_iter().cloned().collect()
    }

    /// The one of these that belongs to that post.
    pub fn own_of(&self, post: usize, candidates: &[RemoteId]) -> Option<RemoteId> {
        let (post_id, known) = (&self.posts[post].plan.post_id, self.known_ids(post));
        let claimed = self.remotes().claim(post_id, &account(), candidates, &known);
        claimed.unwrap()
    }

    /// What the driver makes of every look-up: the one of these that the index says is this post's.
    pub fn first_own(&mut self, instance: usize, candidates: Vec<RemoteId>) -> LookUp {
        let claimed = self.own_of(self.instances[instance].post, &candidates);
        if claimed.as_ref() != candidates.first() {
            self.mark("look-up found another post's part");
        }
        claimed.map_or(LookUp::Absent, |remote_id| LookUp::Present { remote_id })
    }

    pub fn look_up(
        &mut self,
        instance: usize,
        text: &str,
        reply_to: Option<&RemoteId>,
        since: Timestamp,
        known: &[RemoteId],
    ) -> LookUp {
        let token = self.instances[instance].token.unwrap_or(0);
        let (now, faulty) = (self.now, self.faulty());
        if let Some(unreadable) = self.platform.unreadable(token, now, faulty, &mut self.random) {
            self.mark("look-up unreadable");
            return unreadable;
        }
        let candidates = self.platform.candidates(text, reply_to, since, known, now);
        self.first_own(instance, candidates)
    }
}
