//! What an emulator saw and did, and whether a thread is exactly once in it. The emulator writes it, never the client.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The answer to `GET /_ledger`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// What was published, in the order in which it was.
    pub entries: Vec<Entry>,
    /// What was handed to a person as a draft and is not published.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drafts: Vec<Entry>,
    /// Every call that arrived, whatever became of it, in the order of arrival.
    pub arrivals: Vec<Arrival>,
    /// What the token endpoints decided.
    #[serde(default)]
    pub oauth: OauthLedger,
    /// What was uploaded or fetched, in the order in which it began.
    #[serde(default)]
    pub media: Vec<Media>,
}

/// One uploaded (or fetched) file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// When it began (RFC 3339).
    pub at: String,
    /// Its id.
    pub id: String,
    /// The id of the account that uploaded it.
    pub account: String,
    /// What the client said that it is.
    pub kind: String,
    /// Bytes that came.
    pub bytes: u64,
    /// SHA-256 of the whole in lower-case hex; `None` when its pieces did not come one after another.
    pub sha256: Option<String>,
    /// The pieces that it came in, by index.
    pub pieces: Vec<Piece>,
    /// Its description for who cannot see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt_text: Option<String>,
}

/// One piece of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Its number or its byte position, as the platform has it.
    pub index: u64,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256 in lower-case hex.
    pub sha256: String,
}

/// What the token endpoints of an emulator decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OauthLedger {
    /// Every call that they decided about, in that order.
    pub calls: Vec<TokenCall>,
    /// How often a refresh token was presented again though the client had its successor, whole.
    pub replays: usize,
    /// How often one was presented again after the answer with its successor was lost.
    pub retries_after_loss: usize,
    /// How often tokens were renewed.
    pub refreshes: usize,
}

/// One call to a token endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCall {
    /// The number of its arrival.
    pub n: u64,
    /// When it was decided (RFC 3339).
    pub at: String,
    /// The `grant_type`, or `revoke`.
    pub grant: String,
    /// `granted`, `revoked`, or why it was refused: `replay`, `retry_after_loss`, `code_used`, `wrong_verifier`, …
    pub outcome: String,
    /// The account that it is about.
    #[serde(default)]
    pub account: Option<String>,
}

/// One published post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was published (RFC 3339).
    pub at: String,
    /// Its id.
    pub id: String,
    /// The id of the account that published it.
    pub account: String,
    /// The text as it was sent.
    pub text: String,
    /// The id of the post that it replies to.
    pub reply_to: Option<String>,
    /// The ids of its media.
    pub media: Vec<String>,
    /// What else was said about it, as the platform names it (a poll, who may reply, …); null for nothing.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub details: Value,
    /// When it was deleted (RFC 3339), if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<String>,
}

/// One call that arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// Its number, from 1; a reset while the emulator runs does not start again at 1.
    pub n: u64,
    /// When it arrived (RFC 3339).
    pub at: String,
    /// The method.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The query, empty for none.
    #[serde(default)]
    pub query: String,
    /// SHA-256 of the body, in lower-case hex.
    pub body_sha256: String,
    /// The id of the account whose token it carried.
    #[serde(default)]
    pub account: Option<String>,
    /// What it changed: `none`, `created ID`, `deleted ID` or `read`. A refused call changes nothing.
    pub effect: String,
    /// The status that it was answered with, or would have been.
    #[serde(default)]
    pub status: Option<u16>,
    /// How it ended; `None` while it is under way (or when the emulator was killed meanwhile).
    #[serde(default)]
    pub ended: Option<Ended>,
}

/// How a call ended. "Effect" is the point at which the platform decides about a call, also when it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// With a whole answer.
    Answered,
    /// The plan failed it before its effect.
    FailedBeforeEffect,
    /// The plan failed it between its effect and its answer.
    FailedAfterEffect,
    /// The client went away before the effect (which may have come all the same: see `effect`).
    ClientGoneBeforeEffect,
    /// The client went away between the effect and the answer.
    ClientGoneAfterEffect,
}

/// Whether a thread is in the ledger exactly once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// How many parts were expected.
    pub parts: usize,
    /// How many of them are there at least once.
    pub published: usize,
    /// How many entries are there beyond the first of their part.
    pub duplicates: usize,
    /// How many parts are not there.
    pub missing: usize,
    /// Whether the parts that are there were published in their order.
    pub order_ok: bool,
    /// Whether each part that is there replies to the one before it, and the first to none.
    pub chain_ok: bool,
}

impl Verdict {
    /// Whether every part is there, once, in order, as one chain.
    #[must_use]
    pub const fn exact(&self) -> bool {
        self.published == self.parts && self.duplicates == 0 && self.missing == 0 && self.order_ok && self.chain_ok
    }
}

/// Looks for the thread of these parts among the entries of that account, by the texts as they were sent.
///
/// Several threads may lie side by side if no two of them share a text; a text that occurs several times *within* the
/// parts is expected that often. Deleted entries do not count: what is judged is what stands.
#[must_use]
pub fn judge(entries: &[Entry], expected_parts: &[String], account: &str) -> Verdict {
    let own: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.account == account && entry.deleted_at.is_none())
        .collect();
    let mut taken = vec![false; own.len()];
    let mut found: Vec<Option<usize>> = Vec::with_capacity(expected_parts.len());
    for (index, text) in expected_parts.iter().enumerate() {
        let parent = index
            .checked_sub(1)
            .and_then(|before| found[before])
            .map(|at| own[at].id.as_str());
        let candidates = || (0..own.len()).filter(|at| !taken[*at] && own[*at].text == *text);
        let chosen = candidates()
            .find(|at| own[*at].reply_to.as_deref() == parent)
            .or_else(|| candidates().next());
        if let Some(at) = chosen {
            taken[at] = true;
        }
        found.push(chosen);
    }
    let duplicates = (0..own.len())
        .filter(|at| !taken[*at] && expected_parts.contains(&own[*at].text))
        .count();
    let published = found.iter().flatten().count();
    let places: Vec<usize> = found.iter().flatten().copied().collect();
    let chain_ok = found.iter().enumerate().all(|(index, at)| {
        let Some(at) = at else { return true };
        match index.checked_sub(1) {
            None => own[*at].reply_to.is_none(),
            Some(before) => found[before].is_some_and(|parent| own[*at].reply_to.as_ref() == Some(&own[parent].id)),
        }
    });
    Verdict {
        parts: expected_parts.len(),
        published,
        duplicates,
        missing: expected_parts.len() - published,
        order_ok: places.is_sorted(),
        chain_ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, text: &str, reply_to: Option<&str>) -> Entry {
        Entry {
            at: "2026-11-23T00:00:00.000Z".to_owned(),
            id: id.to_owned(),
            account: "7".to_owned(),
            text: text.to_owned(),
            reply_to: reply_to.map(str::to_owned),
            media: Vec::new(),
            details: Value::Null,
            deleted_at: None,
        }
    }

    fn parts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn threads_side_by_side_are_told_apart() {
        let entries = [
            entry("1", "a1", None),
            entry("2", "b1", None),
            entry("3", "a2", Some("1")),
            entry("4", "b2", Some("2")),
        ];
        assert!(judge(&entries, &parts(&["a1", "a2"]), "7").exact());
        assert!(judge(&entries, &parts(&["b1", "b2"]), "7").exact());
        let other = judge(&entries, &parts(&["a1", "a2"]), "8");
        assert_eq!((other.published, other.missing, other.exact()), (0, 2, false));
    }

    #[test]
    fn a_second_copy_is_a_duplicate_wherever_it_hangs() {
        let entries = [
            entry("1", "a", None),
            entry("2", "b", Some("1")),
            entry("3", "b", Some("1")),
            entry("4", "c", Some("3")),
        ];
        let verdict = judge(&entries, &parts(&["a", "b", "c"]), "7");
        assert_eq!((verdict.published, verdict.duplicates, verdict.missing), (3, 1, 0));
        assert!(!verdict.chain_ok && !verdict.exact());
    }

    #[test]
    fn a_missing_part_breaks_the_chain_and_a_deleted_one_does_not_stand() {
        let mut entries = vec![
            entry("1", "a", None),
            entry("2", "b", Some("1")),
            entry("3", "b", Some("1")),
        ];
        let verdict = judge(&entries, &parts(&["a", "b"]), "7");
        assert_eq!(verdict.duplicates, 1);
        entries[2].deleted_at = Some("2026-11-23T00:00:01.000Z".to_owned());
        assert!(judge(&entries, &parts(&["a", "b"]), "7").exact());
        let broken = judge(&entries[1..], &parts(&["a", "b"]), "7");
        assert_eq!((broken.published, broken.missing, broken.chain_ok), (1, 1, false));
    }

    #[test]
    fn equal_texts_within_one_thread_are_expected_that_often() {
        let entries = [entry("1", "same", None), entry("2", "same", Some("1"))];
        assert!(judge(&entries, &parts(&["same", "same"]), "7").exact());
        assert_eq!(judge(&entries, &parts(&["same"]), "7").duplicates, 1);
    }

    #[test]
    fn order_is_that_of_publishing() {
        let entries = [entry("2", "b", None), entry("1", "a", None)];
        assert!(!judge(&entries, &parts(&["a", "b"]), "7").order_ok);
    }
}
