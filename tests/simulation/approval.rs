//! What others say of a post: the people of its hub, and other programs in its row.

use crate::world::{Action, Foreign, World};
use psn::domain::id::UserId;
use psn::domain::publish::{Command, Edition, ReviewVerdict, State};

impl World {
    /// What an author or an admin asks for.
    pub fn about_approval(&mut self, post: usize, action: &Action) -> Command {
        match action {
            Action::Approve => self.judge(post, ReviewVerdict::Approved, None),
            Action::Reject => self.judge(post, ReviewVerdict::Rejected, None),
            Action::ApproveChanged => {
                let mut parts = self.posts[post].plan.parts.clone();
                for part in &mut parts {
                    part.push_str(", as the admin likes it");
                }
                let edition = Edition::new(parts, Vec::new(), None);
                self.judge(post, ReviewVerdict::Approved, Some(edition))
            }
            _ => Command::Submit {
                user: UserId::from("user"),
            },
        }
    }

    /// What an admin says; some looked long ago, at what may have been changed since.
    fn judge(&mut self, post: usize, verdict: ReviewVerdict, edition: Option<Edition>) -> Command {
        let seen = match self.random.below(3) {
            0 => Some(self.posts[post].plan.hash.clone()),
            1 => self.posts[post].truth.plan.as_ref().map(|plan| plan.hash.clone()),
            _ => None,
        };
        Command::Review {
            verdict,
            user: UserId::from("admin"),
            comment: None,
            hash: seen,
            edition,
        }
    }

    /// Whether the row says that this content is approved.
    pub fn row_is_approved(&self, post: usize, state: &State) -> bool {
        let hash = state.plan.as_ref().map(|plan| plan.hash.as_str());
        hash.is_some() && self.posts[post].row.approved.as_deref() == hash
    }

    /// Another program changes the row.
    pub fn foreign(&mut self, post: usize, kind: Foreign) {
        self.mark("another program changed the row");
        self.posts[post].row.foreign = Some(kind);
        self.posts[post].excuses.foreign = true;
    }
}
