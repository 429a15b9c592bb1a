//! Fault plans: which call to an emulator fails, at which point, and how. The format is described in `README.md`.

use serde::{Deserialize, Serialize};

/// A plan: the emulator's switches and a list of rules. `PUT /_faults` replaces the whole of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan<S> {
    /// The switches of that emulator; what is left out has its start value.
    #[serde(default)]
    pub settings: S,
    /// The rules, in order: the first that fires decides about a call.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which calls it is about; nothing given: every call.
    #[serde(default, rename = "match")]
    pub matches: Match,
    /// What happens to a call that it fires on.
    pub action: Action,
    /// How often it fires at most; `None` for always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
}

/// Which calls a rule is about. Every condition that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// The method, in upper case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// How the path begins, without the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What the body's `text` contains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_contains: Option<String>,
    /// The id of the account whose token the call carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The `grant_type` of a call to a token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// Only this one of the calls that meet the conditions above, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// Only so many of 100 calls that meet the conditions above, drawn from the emulator's seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
}

/// What happens to a call. Delay, hold and failure may be combined; they happen in this order at their point.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Waits before the effect, on top of the emulator's latency, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// Holds the call at that point until `POST /_release`, or until its client goes away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Point>,
    /// Whether the effect happens when the client goes away while the call is held before it. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Then>,
    /// Fails the call at that point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail: Option<Point>,
    /// How it fails. Default: `reset`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<How>,
}

/// Where in a call something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// Before its effect: nothing is published.
    Before,
    /// Between its effect and its answer: it is published, and the client does not know.
    After,
}

/// What becomes of a call that was held before its effect and whose client went away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The effect does not happen.
    #[default]
    Nothing,
    /// The effect happens all the same: the request was already inside the platform.
    Effect,
}

/// How a call fails.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The connection is reset (TCP RST).
    #[default]
    Reset,
    /// No answer ever comes; the connection stays open until the client gives up.
    Hang,
    /// This status with the platform's error body.
    Status(u16),
    /// A refusal that the platform knows, by its name there (Instagram: `4/2207051`, TikTok: `spam_risk`).
    Error(String),
    /// The right status and headers, half of the body, then the connection ends. After the effect only.
    CutBody,
    /// The right status and a body without the id. After the effect only.
    NoId,
    /// The right status and a body that is not JSON. After the effect only.
    Malformed,
}

/// What a rule is told about a call.
#[derive(Clone, Copy, Debug)]
pub struct CallFacts<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The path without the query.
    pub path: &'a str,
    /// The `text` of the body, where there is one.
    pub text: Option<&'a str>,
    /// The id of the account whose token the call carries.
    pub account: Option<&'a str>,
    /// The `grant_type` of a call to a token endpoint.
    pub grant: Option<&'a str>,
}

/// The rules of a plan with what they have seen so far.
#[derive(Clone, Debug, Default)]
pub struct RuleBook {
    rules: Vec<Rule>,
    counts: Vec<Counts>,
}

/// What one rule has seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Calls that met its conditions, `nth` and `percent` aside.
    pub seen: u64,
    /// Calls that it fired on.
    pub fired: u64,
}

/// What the rules made of one call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The indices of the rules whose conditions the call met.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<usize>,
    /// The index of the rule that fired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fired: Option<usize>,
}

/// Says what is wrong with rules.
///
/// # Errors
/// One sentence that names the rule (counted from 1) and what it needs.
pub fn check(rules: &[Rule]) -> Result<(), String> {
    for (index, rule) in rules.iter().enumerate() {
        rule.check()
            .map_err(|problem| format!("rule {} {problem}", index + 1))?;
    }
    Ok(())
}

impl Rule {
    fn check(&self) -> Result<(), String> {
        let action = &self.action;
        if action.how.is_some() && action.fail.is_none() {
            return Err("has `how` without `fail`: add `\"fail\": \"before\"` or `\"after\"`".to_owned());
        }
        if action.then.is_some() && action.hold != Some(Point::Before) {
            return Err("has `then` without `\"hold\": \"before\"`: it says what a held call becomes".to_owned());
        }
        let needs_effect = matches!(action.how, Some(How::CutBody | How::NoId | How::Malformed));
        if needs_effect && action.fail == Some(Point::Before) {
            return Err("spoils an answer before there is one: use `\"fail\": \"after\"`".to_owned());
        }
        if action.hold == Some(Point::After) && action.fail == Some(Point::Before) {
            return Err("holds a call after the point where it fails".to_owned());
        }
        if let Some(How::Status(status)) = action.how
            && !(400..=599).contains(&status)
        {
            return Err(format!("fails with status {status}: expected 400 to 599"));
        }
        if self.matches.nth == Some(0) {
            return Err("has `nth` 0: calls are counted from 1".to_owned());
        }
        Ok(())
    }
}

impl Match {
    fn meets(&self, call: &CallFacts<'_>) -> bool {
        self.method.as_deref().is_none_or(|method| method == call.method)
            && self.path.as_deref().is_none_or(|path| call.path.starts_with(path))
            && self
                .account
                .as_deref()
                .is_none_or(|account| call.account == Some(account))
            && self.grant.as_deref().is_none_or(|grant| call.grant == Some(grant))
            && (self.text_contains.as_deref()).is_none_or(|part| call.text.is_some_and(|text| text.contains(part)))
    }
}

impl RuleBook {
    /// The book of these rules, nothing seen.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        let counts = vec![Counts::default(); rules.len()];
        Self { rules, counts }
    }

    /// Adds a rule that has seen nothing.
    pub fn add(&mut self, rule: Rule) {
        self.rules.push(rule);
        self.counts.push(Counts::default());
    }

    /// Says which rule fires on the call, without counting it. `draw` gives a number from 0 to 99.
    #[must_use]
    pub fn decide(&self, call: &CallFacts<'_>, mut draw: impl FnMut() -> u8) -> Decision {
        let mut decision = Decision::default();
        for (index, (rule, counts)) in self.rules.iter().zip(&self.counts).enumerate() {
            if !rule.matches.meets(call) {
                continue;
            }
            decision.seen.push(index);
            let fires = rule.matches.nth.is_none_or(|nth| nth == counts.seen + 1)
                && rule.times.is_none_or(|times| counts.fired < times)
                && rule.matches.percent.is_none_or(|percent| draw() < percent);
            if fires && decision.fired.is_none() {
                decision.fired = Some(index);
            }
        }
        decision
    }

    /// Counts a decision.
    pub fn count(&mut self, decision: &Decision) {
        for index in &decision.seen {
            if let Some(counts) = self.counts.get_mut(*index) {
                counts.seen += 1;
            }
        }
        if let Some(counts) = decision.fired.and_then(|index| self.counts.get_mut(index)) {
            counts.fired += 1;
        }
    }

    /// What the rule that fired does; the default action when none did.
    #[must_use]
    pub fn action(&self, decision: &Decision) -> Action {
        let rule = decision.fired.and_then(|index| self.rules.get(index));
        rule.map(|rule| rule.action.clone()).unwrap_or_default()
    }

    /// What each rule has seen so far, in the order of the rules.
    #[must_use]
    pub fn counts(&self) -> &[Counts] {
        &self.counts
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use super::*;

    fn call(text: &str) -> CallFacts<'_> {
        CallFacts {
            method: "POST",
            path: "/2/tweets",
            text: Some(text),
            account: Some("1"),
            grant: None,
        }
    }

    fn plan(json: &str) -> Result<Plan<()>, String> {
        let plan: Plan<()> = serde_json::from_str(json).map_err(|error| error.to_string())?;
        check(&plan.rules).map(|()| plan)
    }

    #[test]
    fn the_nth_matching_call_fails_once() {
        let plan = plan(
            r#"{"rules": [{"match": {"method": "POST", "text_contains": "two", "nth": 2},
                "action": {"fail": "after", "how": {"status": 503}}, "times": 1}]}"#,
        );
        let mut book = RuleBook::new(plan.unwrap().rules);
        let mut fired = Vec::new();
        for text in ["one", "two", "two", "two"] {
            let decision = book.decide(&call(text), || 0);
            book.count(&decision);
            fired.push(book.action(&decision).how);
        }
        assert_eq!(fired, [None, None, Some(How::Status(503)), None]);
        assert_eq!(book.counts(), [Counts { seen: 3, fired: 1 }]);
    }

    #[test]
    fn the_first_rule_that_fires_decides_and_all_count() {
        let plan = plan(
            r#"{"rules": [{"action": {"hold": "after"}, "times": 1}, {"match": {"percent": 50}, "action": {"delay_ms": 5}}]}"#,
        );
        let mut book = RuleBook::new(plan.unwrap().rules);
        let first = book.decide(&call("a"), || 10);
        book.count(&first);
        assert_eq!((first.seen.clone(), first.fired), (vec![0, 1], Some(0)));
        assert_eq!(book.decide(&call("a"), || 10).fired, Some(1));
        assert_eq!(book.decide(&call("a"), || 50).fired, None);
    }

    #[test]
    fn nonsense_is_named() {
        for (json, needle) in [
            (
                r#"{"rules": [{"action": {"how": "reset"}}]}"#,
                "rule 1 has `how` without `fail`",
            ),
            (
                r#"{"rules": [{"action": {"fail": "before", "how": "no_id"}}]}"#,
                "before there is one",
            ),
            (
                r#"{"rules": [{"action": {"fail": "after", "how": {"status": 200}}}]}"#,
                "expected 400 to 599",
            ),
            (r#"{"rules": [{"action": {"then": "effect"}}]}"#, "without `\"hold\""),
            (r#"{"rules": [{"match": {"nth": 0}, "action": {}}]}"#, "counted from 1"),
            (
                r#"{"rules": [{"match": {"methd": "GET"}, "action": {}}]}"#,
                "unknown field `methd`",
            ),
        ] {
            let problem = plan(json).unwrap_err();
            assert!(problem.contains(needle), "{problem}");
        }
    }
}
