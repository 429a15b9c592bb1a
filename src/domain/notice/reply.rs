//! What people answer to a message: a command in a word or a few, about the post of that message or one that they name.

use super::EventKind;

/// Longest reason that is taken from a message.
const REASON_CHARS_MAX: usize = 2_000;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// It may go out.
    Approve,
    /// It may not, and why.
    Reject {
        /// Why.
        reason: Option<String>,
    },
    /// It is tried again, or goes on.
    Retry,
    /// It is stopped.
    Cancel,
    /// This is what became of the part that nobody could be sure of.
    Resolve(Found),
}

/// What a person found out about a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is out, at that address or under that id.
    Published(String),
    /// It is not.
    NotPublished,
    /// Nobody will look any longer.
    Abandoned,
    /// The message does not say.
    Unsaid,
}

/// An answer: what to do, and with which post, where it names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What to do.
    pub command: Command,
    /// The beginning of the post's id, or all of it, in lower case.
    pub post: Option<String>,
}

impl Command {
    /// Its word.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject { .. } => "reject",
            Self::Retry => "retry",
            Self::Cancel => "cancel",
            Self::Resolve(_) => "resolve",
        }
    }

    /// Whether it is an answer to what was said of such an event: which post is meant where none is named.
    #[must_use]
    pub const fn answers(&self, kind: EventKind) -> bool {
        match self {
            Self::Approve | Self::Reject { .. } => matches!(kind, EventKind::ApprovalRequested),
            Self::Retry => matches!(
                kind,
                EventKind::PostFailed | EventKind::PostPartiallyPosted | EventKind::PostNeedsReview
            ),
            Self::Cancel => matches!(
                kind,
                EventKind::PostFailed
                    | EventKind::PostPartiallyPosted
                    | EventKind::PostNeedsReview
                    | EventKind::PostUnapproved
                    | EventKind::ApprovalResult
            ),
            Self::Resolve(_) => matches!(kind, EventKind::PostNeedsReview),
        }
    }
}

/// Reads a message; `None` where its first word is no command: people write other things too, and those are not for us.
#[must_use]
pub fn read(text: &str) -> Option<Reply> {
    let text = text.trim();
    let (word, rest) = first_word(text);
    let word = word.trim_end_matches([':', ',', '.', '!']).to_ascii_lowercase();
    if !matches!(word.as_str(), "approve" | "reject" | "retry" | "cancel" | "resolve") {
        return None;
    }
    let (named, behind) = first_word(rest);
    let named = named.trim_end_matches([':', ',', '.']).to_ascii_lowercase();
    let (post, rest) = match is_id(&named) {
        true => (Some(named), behind),
        false => (None, rest),
    };
    let command = match word.as_str() {
        "approve" => Command::Approve,
        "reject" => Command::Reject { reason: reason(rest) },
        "retry" => Command::Retry,
        "cancel" => Command::Cancel,
        _ => Command::Resolve(found(rest)),
    };
    Some(Reply { command, post })
}

fn first_word(text: &str) -> (&str, &str) {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// What messages call a post ([`super::message::short_id`]), or its whole id.
fn is_id(word: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match word.len() {
        8 => is_hex(word),
        36 => word.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        }),
        _ => false,
    }
}

fn reason(text: &str) -> Option<String> {
    let text = text.trim_start_matches([':', '-', ' ']).trim();
    let kept: String = text.chars().filter(|c| *c != '\0').take(REASON_CHARS_MAX).collect();
    (!kept.is_empty()).then_some(kept)
}

fn found(text: &str) -> Found {
    let (word, rest) = first_word(text.trim_start_matches([':', ' ']));
    let word = word.trim_end_matches([':', ',', '.']).to_ascii_lowercase();
    match (word.as_str(), rest) {
        ("published", "") => Found::Unsaid,
        ("published", address) => Found::Published(first_word(address).0.to_owned()),
        ("not_published", _) => Found::NotPublished,
        ("not", rest) if first_word(rest).0.to_ascii_lowercase().starts_with("published") => Found::NotPublished,
        ("abandoned", _) => Found::Abandoned,
        _ => Found::Unsaid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1a2b3c4d";

    fn said(text: &str) -> Option<(Command, Option<String>)> {
        read(text).map(|reply| (reply.command, reply.post))
    }

    fn rejected(reason: Option<&str>) -> Command {
        Command::Reject {
            reason: reason.map(str::to_owned),
        }
    }

    #[test]
    fn commands_are_read_as_people_write_them() {
        let id = Some(ID.to_owned());
        for (text, expected) in [
            ("approve", (Command::Approve, None)),
            (" Approve! ", (Command::Approve, None)),
            ("APPROVE 1A2B3C4D", (Command::Approve, id.clone())),
            ("reject", (rejected(None), None)),
            ("reject 1a2b3c4d", (rejected(None), id.clone())),
            (
                "reject 1a2b3c4d which year?",
                (rejected(Some("which year?")), id.clone()),
            ),
            (
                "reject: the facade is wrong",
                (rejected(Some("the facade is wrong")), None),
            ),
            (
                "Reject 1a2b3c4d: two\nlines",
                (rejected(Some("two\nlines")), id.clone()),
            ),
            ("retry 1a2b3c4d", (Command::Retry, id.clone())),
            ("cancel", (Command::Cancel, None)),
            (
                "resolve 1a2b3c4d published https://x.com/a/status/1",
                (
                    Command::Resolve(Found::Published("https://x.com/a/status/1".to_owned())),
                    id.clone(),
                ),
            ),
            ("resolve not published", (Command::Resolve(Found::NotPublished), None)),
            (
                "resolve 1a2b3c4d abandoned",
                (Command::Resolve(Found::Abandoned), id.clone()),
            ),
            ("resolve 1a2b3c4d", (Command::Resolve(Found::Unsaid), id)),
            ("resolve published", (Command::Resolve(Found::Unsaid), None)),
        ] {
            assert_eq!(said(text), Some(expected), "{text}");
        }
        let whole = "3f2a9c1e-0000-4000-8000-000000000000";
        assert_eq!(
            said(&format!("retry {whole}")),
            Some((Command::Retry, Some(whole.to_owned())))
        );
    }

    #[test]
    fn what_is_no_command_is_left_alone() {
        for text in [
            "",
            "hello",
            "approved it yesterday",
            "please approve",
            "rejection",
            "ok",
        ] {
            assert_eq!(said(text), None, "{text}");
        }
    }

    #[test]
    fn a_word_that_looks_like_an_id_only_in_part_belongs_to_the_reason() {
        assert_eq!(said("reject facade"), Some((rejected(Some("facade")), None)));
        assert_eq!(said("reject 1a2b3c4"), Some((rejected(Some("1a2b3c4")), None)));
    }
}
