//! The fault plan: which requests the endpoint treats badly, and how.

use serde::{Deserialize, Serialize};

/// Which requests a fault is for; without any member it is for every request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Only from the n-th such request on, counted from 1 since the plan was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// Only requests with a query that contains this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
}

/// What happens to such a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing is run; the answer is 500 `Couldn't connect to compute node`.
    #[serde(rename = "refuse_500")]
    Refuse500,
    /// Nothing is run; the HTTP connection is closed without an answer.
    CutBefore,
    /// All is run and committed; the HTTP connection is closed without an answer.
    CutAfter,
    /// The request waits so many milliseconds before it is treated further.
    DelayMs(u64),
    /// All is run and committed; the answer is 400 `connection closed`.
    #[serde(rename = "lost_after_commit_400")]
    LostAfterCommit400,
    /// A batch is run and not committed, a single query is not run; the answer is 400 `connection closed`.
    #[serde(rename = "lost_before_commit_400")]
    LostBeforeCommit400,
}

fn once() -> u64 {
    1
}

/// One line of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which requests.
    #[serde(default)]
    pub when: When,
    /// What happens to them.
    #[serde(rename = "do")]
    pub action: Action,
    /// How many requests it happens to, 1 when left out.
    #[serde(default = "once")]
    pub times: u64,
}

/// A plan with its counts.
#[derive(Debug, Default)]
pub(super) struct Plan {
    lines: Vec<(Fault, u64)>,
}

/// What the plan says about one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) delay_ms: u64,
    pub(super) action: Option<Action>,
}

impl Plan {
    pub(super) fn new(faults: Vec<Fault>) -> Self {
        Self {
            lines: faults.into_iter().map(|fault| (fault, 0)).collect(),
        }
    }

    /// Counts the request in every line that is for it. Delays add up; of the rest the first counts.
    pub(super) fn judge(&mut self, queries: &[&str]) -> Verdict {
        let mut verdict = Verdict::default();
        for (fault, seen) in &mut self.lines {
            let wanted = fault.when.contains.as_deref();
            if !wanted.is_none_or(|text| queries.iter().any(|query| query.contains(text))) {
                continue;
            }
            *seen += 1;
            let first = fault.when.nth.unwrap_or(1);
            if *seen < first || *seen - first >= fault.times {
                continue;
            }
            match fault.action {
                Action::DelayMs(delay) => verdict.delay_ms += delay,
                action => verdict.action = verdict.action.or(Some(action)),
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn plan_counts_matching_requests() {
        let plan = r#"[{"when":{"nth":2,"contains":"b"},"do":"cut_after","times":2},{"do":{"delay_ms":5}}]"#;
        let mut plan = Plan::new(serde_json::from_str(plan).unwrap());
        assert_eq!(
            plan.judge(&["b"]),
            Verdict {
                delay_ms: 5,
                action: None
            }
        );
        assert_eq!(plan.judge(&["a"]), Verdict::default());
        for expected in [Some(Action::CutAfter), Some(Action::CutAfter), None] {
            assert_eq!(plan.judge(&["a", "ab"]).action, expected);
        }
    }

    #[test]
    fn plan_refuses_unknown_members() {
        assert!(serde_json::from_str::<Fault>(r#"{"when":{"nht":2},"do":"cut_after"}"#).is_err());
        assert!(serde_json::from_str::<Fault>(r#"{"do":"explode"}"#).is_err());
        for name in [
            "refuse_500",
            "cut_before",
            "cut_after",
            "lost_after_commit_400",
            "lost_before_commit_400",
        ] {
            assert!(
                serde_json::from_str::<Fault>(&format!(r#"{{"do":"{name}"}}"#)).is_ok(),
                "{name}"
            );
        }
    }
}
