//! Conversations with people who answer by WhatsApp (`whatsapp_sessions`): whose telephone it is, and what they were told
//! there that an answer may be about. A user has one telephone that is heard.

use crate::domain::id::{PostId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, param};
use serde_json::{Map, Value, json};

/// Something about a post that a user was told on their telephone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldPost {
    /// Who was told.
    pub user: UserId,
    /// The post.
    pub post: PostId,
    /// What happened to it.
    pub event_type: String,
    /// What the provider calls the message.
    pub message_id: Option<String>,
    /// What the message was made from.
    pub payload: Map<String, Value>,
}

/// Who writes from a telephone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    /// The users whose telephone it is; none where nobody knows it.
    pub users: Vec<UserId>,
    /// What they were told last, newest first.
    pub told: Vec<ToldPost>,
}

/// So many messages back an answer may reach.
const TOLD_MAX: u32 = 40;

const OPEN: &str = "insert into whatsapp_sessions as s (user_id, phone, provider, session_state, created_at, updated_at) \
    values ($1, $2, $3, 'active', $4::timestamptz, $4::timestamptz) on conflict (user_id) do update set \
      phone = excluded.phone, provider = excluded.provider, session_state = 'active', updated_at = excluded.updated_at, \
      conversation_context = case when s.phone = excluded.phone then s.conversation_context end";

/// A telephone that is no longer told anything is no longer heard either.
const SETTLE: &str = "update whatsapp_sessions set session_state = 'inactive', updated_at = $2::timestamptz \
    where user_id = $1 and session_state = 'active' and not exists \
      (select from psn_destinations d where d.user_id = $1 and d.kind = 'whatsapp' and d.enabled)";

/// `$1` and `$2` the telephone with and without its plus, `$3` provider, `$4` how many.
const FIND: &str = "select s.user_id, t.post_id, t.event_type, t.message_id, t.payload from whatsapp_sessions s \
    left join lateral (select o.post_id, o.event_type, d.message_id, o.payload, d.finished_at, d.id from psn_deliveries d, \
        lateral (select post_id, event_type, payload from psn_outbox where id = d.outbox_id limit 1) o \
      where d.user_id = s.user_id and d.status = 'sent' and o.post_id is not null \
        and (select x.kind from psn_destinations x where x.id = d.destination_id) = 'whatsapp' \
      order by d.finished_at desc, d.id desc limit $4::int) t on true \
    where s.phone in ($1, $2) and s.provider = $3 and s.session_state = 'active' and (select true from psn_destinations x \
      where x.user_id = s.user_id and x.kind = 'whatsapp' and x.enabled limit 1) \
    order by t.finished_at desc nulls last, t.id desc";

const NOTE: &str = "update whatsapp_sessions set last_activity_at = $3::timestamptz, updated_at = $3::timestamptz, \
    conversation_context = $2::jsonb where user_id = $1";

/// The statement that makes a telephone be heard as that user's.
pub(crate) fn open_statement(user: &UserId, (phone, provider): (&str, &str), now: Timestamp) -> Statement {
    Statement::new(OPEN, [param(user), param(phone), param(provider), param(now)])
}

/// The statement behind any change of a user's destinations.
pub(crate) fn settle_statement(user: &UserId, now: Timestamp) -> Statement {
    Statement::new(SETTLE, [param(user), param(now)])
}

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Who writes from that telephone (digits behind a plus) through that provider, and what they were told there last.
    /// Reads as `psn_task`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn conversation(&self, phone: &str, provider: &str) -> Result<Conversation, StoreError> {
        let bare = phone.trim_start_matches('+');
        let params = [param(phone), param(bare), param(provider), param(TOLD_MAX)];
        let rows = self.read_one(Who::Task, Statement::new(FIND, params)).await?;
        let mut found = Conversation::default();
        for row in rows.iter() {
            let user = UserId::from(row.text("user_id")?);
            if let Some(post) = row.opt("post_id")? {
                found.told.push(ToldPost {
                    user: user.clone(),
                    post: PostId::from(post),
                    event_type: row.string("event_type")?,
                    message_id: row.opt_string("message_id")?,
                    payload: row.object("payload")?,
                });
            }
            if !found.users.contains(&user) {
                found.users.push(user);
            }
        }
        Ok(found)
    }

    /// Notes what a user wrote last: about which post, and what for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn conversation_note(
        &self,
        user: &UserId,
        (post, command): (&PostId, &str),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let context = json!({ "postId": post, "command": command });
        let note = Statement::new(NOTE, [param(user), param(context), param(now)]);
        self.write_one(Who::User(user.clone()), note).await.map(|_| ())
    }
}
