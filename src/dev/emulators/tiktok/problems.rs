//! TikTok's errors: `{data, error: {code, message, log_id}}`. The words are ours where the documents have none.

use serde_json::{Value, json};

/// A refusal: the status and the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
}

const KNOWN: [(u16, &str, &str); 22] = [
    (400, "invalid_params", "The request parameters are not valid."),
    (400, "invalid_param", "The request parameters are not valid."),
    (
        400,
        "app_version_check_failed",
        "The creator's app is too old for this: 31.8 or newer is needed.",
    ),
    (400, "invalid_publish_id", "The publish_id does not exist."),
    (
        400,
        "token_not_authorized_for_specified_publish_id",
        "The publish_id belongs to another user.",
    ),
    (
        400,
        "publish_not_cancellable",
        "The post has come to its end and cannot be cancelled.",
    ),
    (
        401,
        "access_token_invalid",
        "The access token is invalid or not found in the request.",
    ),
    (
        401,
        "scope_not_authorized",
        "The user did not authorize the scope required for completing this request.",
    ),
    (401, "scope_permission_missed", "The app lacks the permission for this."),
    (
        403,
        "spam_risk_too_many_posts",
        "The creator has posted too often in the last 24 hours.",
    ),
    (
        403,
        "spam_risk_user_banned_from_posting",
        "The creator is banned from posting.",
    ),
    (
        403,
        "spam_risk_too_many_pending_share",
        "There are too many pending drafts within 24 hours.",
    ),
    (403, "spam_risk_text", "The text is risky."),
    (403, "spam_risk", "The post is risky."),
    (
        403,
        "reached_active_user_cap",
        "The app has reached its cap of active users for today.",
    ),
    (
        403,
        "unaudited_client_can_only_post_to_private_accounts",
        "An app that is not audited can post to private accounts only.",
    ),
    (
        403,
        "url_ownership_unverified",
        "The address is not one whose ownership the app has verified.",
    ),
    (
        403,
        "privacy_level_option_mismatch",
        "The privacy level is not one of the creator's options.",
    ),
    (429, "rate_limit_exceeded", "Too many requests."),
    (500, "internal_error", "Something went wrong."),
    (502, "bad_gateway", "Something went wrong."),
    (503, "service_unavailable", "Something went wrong."),
];

/// The error of that name.
pub(super) fn named(name: &str) -> Option<Problem> {
    let known = KNOWN.iter().find(|one| one.1 == name)?;
    Some(Problem {
        status: known.0,
        code: known.1,
        message: known.2.to_owned(),
    })
}

/// That error; only for names that are in the list.
pub(super) fn known(name: &str) -> Problem {
    named(name).unwrap_or_else(|| invalid(name))
}

/// Something in the request is wrong.
pub(super) fn invalid(why: &str) -> Problem {
    Problem {
        status: 400,
        code: "invalid_params",
        message: why.to_owned(),
    }
}

impl Problem {
    pub(super) fn body(&self, n: u64) -> Value {
        error(self.code, &self.message, n)
    }
}

pub(super) fn error(code: &str, message: &str, n: u64) -> Value {
    json!({"data": {}, "error": {"code": code, "message": message, "log_id": log_id(n)}})
}

pub(super) fn ok(data: &Value, n: u64) -> Value {
    json!({"data": data, "error": {"code": "ok", "message": "", "log_id": log_id(n)}})
}

pub(super) fn log_id(n: u64) -> String {
    format!("2026112300000000{n:016X}")
}
