//! Instagram's errors, by their codes:
//! <https://developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/error-codes>. The words are ours
//! where the documents have none.

use crate::dev::emulators::engine::Reply;
use crate::dev::emulators::oauth::Worth;
use serde_json::{Value, json};

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub status: u16,
    pub code: i32,
    pub subcode: Option<u32>,
    pub message: String,
}

/// Errors that are known by code and subcode (0: none).
const KNOWN: [(i32, u32, &str); 36] = [
    (1, 0, "An unknown error has occurred."),
    (
        2,
        0,
        "An unexpected error has occurred. Please retry your request later.",
    ),
    (4, 0, "Application request limit reached"),
    (10, 0, "Application does not have permission for this action"),
    (17, 0, "User request limit reached"),
    (32, 0, "Page request limit reached"),
    (200, 0, "Permissions error"),
    (
        368,
        0,
        "The action attempted has been deemed abusive or is otherwise disallowed",
    ),
    (506, 0, "Duplicate status message"),
    (613, 0, "Calls to this api have exceeded the rate limit."),
    (
        80_002,
        0,
        "There have been too many calls to this Instagram account. Wait a bit and try again.",
    ),
    (100, 0, "Invalid parameter"),
    (
        100,
        33,
        "Unsupported request. Object does not exist, cannot be loaded due to missing permissions, or does not support this operation",
    ),
    (100, 2_207_023, "The media type is unknown"),
    (100, 2_207_028, "A carousel needs at least 2 and at most 10 items"),
    (100, 2_207_040, "The caption has too many tags of people"),
    (1, 2_207_057, "The thumbnail offset is not within the video"),
    (-2, 2_207_003, "It takes too long to download the media"),
    (-2, 2_207_020, "The media has expired"),
    (9004, 2_207_052, "The media could not be fetched from this URI"),
    (-1, 2_207_001, "Instagram server error. Try again"),
    (-1, 2_207_032, "Create media fail, please try to re-create media"),
    (-1, 2_207_053, "Unknown upload error"),
    (
        9007,
        2_207_027,
        "The media is not ready for publishing, please wait for a moment",
    ),
    (
        24,
        2_207_006,
        "The requested resource does not exist: the media cannot be found",
    ),
    (
        24,
        2_207_008,
        "The requested resource does not exist: the media builder cannot be found yet",
    ),
    (9, 2_207_042, "The maximum number of posts is reached"),
    (4, 2_207_051, "We restrict certain activity to protect our community"),
    (25, 2_207_050, "The Instagram account is restricted"),
    (352, 2_207_026, "The video format is not supported"),
    (36_000, 2_207_004, "The image size is too large"),
    (36_001, 2_207_005, "The image format is not supported"),
    (36_003, 2_207_009, "The submitted image's aspect ratio is not supported"),
    (36_004, 2_207_010, "The caption is too long"),
    (352, 2_207_082, "The media could not be processed"),
    (190, 463, "Error validating access token: Session has expired"),
];

/// The error of that name: `CODE`, or `CODE/SUBCODE`.
pub(super) fn named(name: &str) -> Option<Problem> {
    let (code, subcode) = name.split_once('/').unwrap_or((name, "0"));
    let (code, subcode) = (code.parse::<i32>().ok()?, subcode.parse::<u32>().ok()?);
    let known = KNOWN.iter().find(|one| (one.0, one.1) == (code, subcode))?;
    Some(Problem {
        status: match code {
            1 | 2 if subcode == 0 => 500,
            200 => 403,
            _ => 400,
        },
        code,
        subcode: (subcode != 0).then_some(subcode),
        message: known.2.to_owned(),
    })
}

/// That error; only for names that are in the list.
pub(super) fn known(name: &str) -> Problem {
    named(name).unwrap_or_else(|| invalid(name))
}

/// A parameter that is wrong: code 100.
pub(super) fn invalid(why: &str) -> Problem {
    Problem {
        status: 400,
        code: 100,
        subcode: None,
        message: format!("(#100) {why}"),
    }
}

/// No such route.
pub(super) fn unsupported(method: &str) -> Problem {
    invalid(&format!("Unsupported request - method type: {}", method.to_lowercase()))
}

/// No such object for this account.
pub(super) fn no_such(method: &str, id: &str) -> Problem {
    let message = format!(
        "Unsupported {} request. Object with ID '{id}' does not exist, cannot be loaded due to missing permissions, or \
         does not support this operation",
        method.to_lowercase()
    );
    Problem {
        message,
        ..known("100/33")
    }
}

/// What a token that does not work is told.
pub(super) fn dead(worth: Worth) -> Problem {
    let (message, subcode) = match worth {
        Worth::Expired => ("Error validating access token: Session has expired", Some(463)),
        Worth::Withdrawn => (
            "Error validating access token: The user has not authorized application",
            Some(458),
        ),
        Worth::Good | Worth::Unknown => ("Invalid OAuth access token - Cannot parse access token", None),
    };
    Problem {
        status: 400,
        code: 190,
        subcode,
        message: message.to_owned(),
    }
}

impl Problem {
    /// The answer's body.
    pub(super) fn body(&self) -> Value {
        let kind = if matches!(self.code, 100) {
            "IGApiException"
        } else {
            "OAuthException"
        };
        let mut error = json!({"message": self.message, "type": kind, "code": self.code});
        if let Some(subcode) = self.subcode {
            error["error_subcode"] = subcode.into();
            // Publishing errors come with words for people.
            if subcode > 2_000_000 {
                error["is_transient"] = matches!(self.code, -1 | -2 | 9007).into();
                error["error_user_title"] = "Something went wrong".into();
                error["error_user_msg"] = self.message.clone().into();
            }
        } else if matches!(self.code, 1 | 2) {
            error["is_transient"] = true.into();
        }
        error["fbtrace_id"] = "Aemulated".into();
        json!({ "error": error })
    }

    pub(super) fn reply(&self) -> Reply {
        Reply::json(self.status, self.body())
    }
}
