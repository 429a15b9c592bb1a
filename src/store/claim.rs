//! Taking a post for publishing: one statement decides, and the tokens are read in the same transaction.

use crate::domain::account::Account;
use crate::domain::id::{PostId, RunToken, UserId};
use crate::domain::time::{Millis, Timestamp};
use crate::ports::http::HttpClient;
use crate::ports::pause::Ambient;
use crate::store::Store;
use crate::store::accounts::{TokenRow, read_token, token_columns};
use crate::store::error::StoreError;
use crate::store::neon::{Statement, Who, param};
use crate::store::posts::{PostRow, post_columns, read_post};
use crate::store::row::row_seq;

/// A claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The post.
    pub id: PostId,
    /// Its owner.
    pub user: UserId,
    /// The run that claims it; claiming again with it succeeds.
    pub token: RunToken,
    /// The stored content that was validated and approved.
    pub content: String,
    /// The hash over all that goes out: what was approved is what the row says with it.
    pub hash: String,
    /// The length of the journal; a row written from a longer one refuses.
    pub seq: u64,
    /// The caller's now.
    pub now: Timestamp,
    /// How much earlier than its time a post may be claimed.
    pub lead: Millis,
    /// Whether a row in `publishing` is taken from whoever holds it: to adopt what another program left.
    pub take_over: bool,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq)]
pub enum ClaimResult {
    /// The post is this run's.
    Claimed {
        /// Its account and the sealed tokens.
        tokens: Box<TokenRow>,
        /// The row as claimed.
        row: Box<PostRow>,
    },
    /// It is not, and nothing was changed.
    Refused {
        /// Why.
        why: ClaimRefusal,
        /// The row.
        row: Box<PostRow>,
    },
    /// There is no such row.
    Gone,
}

/// Why a claim was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimRefusal {
    /// A longer journal has written the row.
    Stale,
    /// Another run holds it.
    Held,
    /// Its status does not allow publishing.
    NotPublishable,
    /// Its time has not come.
    NotDue,
    /// Its content is not what was expected.
    ContentChanged,
    /// It belongs to a hub, and nobody there has approved it.
    Unapproved,
    /// Its account is not connected.
    NoAccount,
    /// It names no account, and the user has several.
    AmbiguousAccount(Vec<Account>),
    /// Somebody changed it in this moment: claim again.
    Changed,
}

/// `$1` id, `$2` user, `$3` token, `$4` content, `$5` seq, `$6` latest time, `$7` take over, `$8` now, `$9` hash.
///
/// Whether a post needs approval is decided by who belongs to its hub, not by what the row says about approval; and what
/// was approved is what the hash beside the approval stands for.
const CLAIM: &str = concat!(
    "update posts p set status = case when scheduled_at > $8::timestamptz then status else 'publishing' end, \
     sub_status = null, trigger_run_id = 'psn:' || $3::text, \
     updated_at = $8::timestamptz where id = $1::uuid and user_id = $2 and content = $4 \
     and (status in ('scheduled', 'retry', 'partially_posted') \
       or (status = 'publishing' and (trigger_run_id = 'psn:' || $3::text or $7::boolean))) \
     and (scheduled_at is null or scheduled_at <= $6::timestamptz) \
     and (approval_status = 'approved' or not coalesce(public.psn_has_members(metadata ->> 'hubId'), false)) \
     and coalesce(metadata -> 'psn' ->> 'hash', $9) = $9 \
     and ",
    row_seq!(),
    " <= $5::numeric \
     and (select count(*) from oauth_tokens t where t.user_id = p.user_id and t.platform = p.platform \
       and (p.metadata -> 'psn' ->> 'account_id' is null or t.id::text = p.metadata -> 'psn' ->> 'account_id')) = 1 \
     returning id"
);

const TOKENS: &str = concat!(
    "select ",
    token_columns!(),
    " from oauth_tokens where user_id = $2 \
     and platform = (select platform from posts where id = $1::uuid and user_id = $2) \
     and coalesce((select metadata -> 'psn' ->> 'account_id' from posts where id = $1::uuid and user_id = $2), id::text) \
       = id::text order by created_at, id limit 20"
);

const ROW: &str = concat!(
    "select ",
    post_columns!(),
    " from posts where id = $1::uuid and user_id = $2"
);

const GATE: &str = "select coalesce(bool_or(public.psn_has_members(metadata ->> 'hubId')), false) as needs_approval \
    from posts where id = $1::uuid and user_id = $2";

impl<H: HttpClient, A: Ambient> Store<H, A> {
    /// Takes a post for publishing: sets `publishing` (once its time has come; a post claimed ahead of it stays
    /// `scheduled`) and the run's token where the row is publishable, due, approved and unchanged. One request, which also brings the tokens.
    ///
    /// # Errors
    /// [`StoreError`]; claiming again with the same token is always right.
    pub async fn post_claim(&self, claim: &Claim) -> Result<ClaimResult, StoreError> {
        let place = [param(&claim.id), param(&claim.user)];
        let mut params = place.to_vec();
        params.extend([
            param(&claim.token),
            param(&claim.content),
            param(claim.seq),
            param(claim.now + claim.lead),
            param(claim.take_over),
            param(claim.now),
            param(&claim.hash),
        ]);
        let batch = [
            Statement::new(CLAIM, params),
            Statement::new(TOKENS, place.clone()),
            Statement::new(ROW, place.clone()),
            Statement::new(GATE, place),
        ];
        let results = self.write(Who::User(claim.user.clone()), &batch).await?;
        let [claimed, tokens, row, gate] = results.as_slice() else {
            return Err(StoreError::malformed("four results were expected"));
        };
        let Some(row) = row.first() else {
            return Ok(ClaimResult::Gone);
        };
        let row = Box::new(read_post(row)?);
        let mut tokens = if row.known_platform() {
            tokens.map(read_token)?
        } else {
            Vec::new()
        };
        if claimed.is_empty() {
            let needs_approval = gate.one()?.bool("needs_approval")?;
            let why = refusal(claim, &row, &tokens, needs_approval);
            return Ok(ClaimResult::Refused { why, row });
        }
        let tokens = tokens
            .pop()
            .ok_or_else(|| StoreError::malformed("the account of the claimed post"))?;
        Ok(ClaimResult::Claimed {
            tokens: Box::new(tokens),
            row,
        })
    }
}

impl PostRow {
    fn known_platform(&self) -> bool {
        crate::domain::platform::Platform::parse(&self.platform).is_some()
    }
}

/// The first condition of the claim that the row does not meet.
fn refusal(claim: &Claim, row: &PostRow, tokens: &[TokenRow], needs_approval: bool) -> ClaimRefusal {
    let approved = row.approval_status.as_deref() == Some("approved") || !needs_approval;
    let held = row.run_token().as_ref() != Some(&claim.token) && !claim.take_over;
    if row.seq().is_some_and(|seq| seq > claim.seq) {
        return ClaimRefusal::Stale;
    }
    match row.status.as_str() {
        "scheduled" | "retry" | "partially_posted" => {}
        "publishing" if held => return ClaimRefusal::Held,
        "publishing" => {}
        _ => return ClaimRefusal::NotPublishable,
    }
    let same_hash = row.psn_text("hash").is_none_or(|hash| hash == claim.hash);
    if row.content != claim.content || !same_hash {
        return ClaimRefusal::ContentChanged;
    }
    if row.scheduled_at.is_some_and(|at| at > claim.now + claim.lead) {
        return ClaimRefusal::NotDue;
    }
    if !approved {
        return ClaimRefusal::Unapproved;
    }
    match tokens {
        [] => ClaimRefusal::NoAccount,
        [_] => ClaimRefusal::Changed,
        several => ClaimRefusal::AmbiguousAccount(several.iter().map(|tokens| tokens.account.clone()).collect()),
    }
}
