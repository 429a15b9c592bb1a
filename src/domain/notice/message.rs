//! What a notice says: which post, what happened, what to do. One function makes it from an event; the channels only give
//! it their form.

use super::event::EventKind;
use crate::domain::platform::Platform;

/// Longest message (the legacy program's limit, and WhatsApp's).
pub const TEXT_CHARS_MAX: usize = 4_096;
/// Of a post's text so much is shown.
pub const EXCERPT_CHARS_MAX: usize = 80;

/// Keys of a notice's payload. All values are texts; what is missing is left out of the message. Those of posts are the
/// legacy program's where it has them.
pub mod key {
    /// The platform's name.
    pub const PLATFORM: &str = "platform";
    /// The beginning of the post's text ([`super::excerpt`]).
    pub const TITLE: &str = "title";
    /// What happened: one sentence.
    pub const MESSAGE: &str = "what";
    /// What to do, where the event alone does not tell: one sentence.
    pub const WHAT_TO_DO: &str = "todo";
    /// When the post is due (RFC 3339).
    pub const SCHEDULED_AT: &str = "scheduledAt";
    /// The account, as people know it.
    pub const ACCOUNT: &str = "account";
    /// Who wrote the post, or who asks.
    pub const AUTHOR: &str = "authorId";
    /// Who approved or rejected.
    pub const REVIEWER: &str = "reviewerId";
    /// `approved` or `rejected`.
    pub const RESULT: &str = "result";
    /// What the reviewer says about it.
    pub const COMMENT: &str = "comment";
    /// Where the post is to be found.
    pub const URL: &str = "url";
    /// The hash of the content that an approval is asked for: whoever approves says with it what they saw.
    pub const HASH: &str = "hash";
}

/// What a message is made from.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// What happened.
    pub kind: EventKind,
    /// The post it is about.
    pub post: Option<&'a str>,
    /// Reads the payload.
    pub get: &'a dyn Fn(&str) -> Option<String>,
    /// A page for it: where to approve or reject.
    pub link: Option<&'a str>,
    /// Lines of a digest.
    pub lines: &'a [String],
    /// A time as the user's clocks show it.
    pub clock: &'a dyn Fn(&str) -> String,
    /// Whether words can be sent back (`retry 1a2b3c4d`).
    pub answers: bool,
}

/// A message without the form of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// One line: what happened to what.
    pub title: String,
    /// The sentences behind it.
    pub lines: Vec<String>,
    /// A page for it.
    pub link: Option<String>,
}

impl Message {
    /// Title and sentences as plain text of at most that many characters.
    #[must_use]
    pub fn text(&self, chars_max: usize) -> String {
        let mut text = self.title.clone();
        for line in self.lines.iter().chain(&self.link) {
            text.push('\n');
            text.push_str(line);
        }
        shortened(&text, chars_max)
    }
}

/// The beginning of a post's text, on one line.
#[must_use]
pub fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    shortened(&line, EXCERPT_CHARS_MAX)
}

fn shortened(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// What a message calls a post, and how a person names it in an answer: the beginning of its id.
#[must_use]
pub fn short_id(post: &str) -> &str {
    post.get(..8).unwrap_or(post)
}

/// What a notice says.
#[must_use]
pub fn message(source: &Source<'_>) -> Message {
    let get = |name: &str| (source.get)(name).filter(|text| !text.trim().is_empty());
    let mut lines = Vec::new();
    lines.extend(get(key::MESSAGE).map(sentence));
    if let Some(at) = get(key::SCHEDULED_AT) {
        lines.push(format!("Due {}.", (source.clock)(&at)));
    }
    lines.extend(get(key::COMMENT).map(|comment| format!("Comment: {comment}")));
    lines.extend(get(key::URL));
    lines.extend(source.lines.iter().cloned());
    let given = get(key::WHAT_TO_DO).filter(|_| source.link.is_none());
    lines.extend(
        given
            .map(|text| sentence(format!("To do: {text}")))
            .or_else(|| todo(source)),
    );
    lines.extend(source.answers.then(|| answers(source)).flatten());
    Message {
        title: title(source),
        lines,
        link: source.link.map(str::to_owned),
    }
}

/// One line for a digest.
#[must_use]
pub fn digest_line(source: &Source<'_>) -> String {
    let reason = (source.get)(key::MESSAGE).filter(|_| source.kind != EventKind::PostPublished);
    let url = (source.get)(key::URL).filter(|_| source.kind == EventKind::PostPublished);
    let more = reason.or(url).map(|more| format!(": {more}")).unwrap_or_default();
    format!("- {}{more}", title(source))
}

/// The platform as people call it.
fn platform(source: &Source<'_>) -> Option<String> {
    let name = (source.get)(key::PLATFORM)?;
    Some(Platform::parse(&name).map_or(name, |platform| platform.title().to_owned()))
}

fn sentence(text: String) -> String {
    if text.ends_with(['.', '!', '?', '…']) {
        text
    } else {
        format!("{text}.")
    }
}

/// What messages call a post: where it goes, how it begins, and the beginning of its id.
#[must_use]
pub fn which(platform: &str, beginning: Option<&str>, post: Option<&str>) -> String {
    let words = [platform, "post"].into_iter().filter(|word| !word.is_empty());
    let words = words.collect::<Vec<_>>().join(" ");
    let of_text = beginning.map(|text| format!(" “{text}”")).unwrap_or_default();
    let named = post.map(|post| format!(" ({})", short_id(post))).unwrap_or_default();
    format!("{words}{of_text}{named}")
}

fn title(source: &Source<'_>) -> String {
    let get = source.get;
    let platform = platform(source).unwrap_or_default();
    let which = which(&platform, get(key::TITLE).as_deref(), source.post);
    let account = get(key::ACCOUNT)
        .map(|account| format!(" {account}"))
        .unwrap_or_default();
    let by = |name: &str| get(name).map(|who| format!(" by {who}")).unwrap_or_default();
    match source.kind {
        EventKind::PostPublished => format!("Published: {which}"),
        EventKind::PostFailed => format!("Failed, nothing is out: {which}"),
        EventKind::PostNeedsReview => format!("Look at it: {which}"),
        EventKind::PostPartiallyPosted => format!("Stopped in the middle: {which}"),
        EventKind::PostUnapproved => format!("Not published, its approval is missing: {which}"),
        EventKind::ApprovalRequested => format!("Asks for your approval: {which}{}", by(key::AUTHOR)),
        EventKind::ApprovalResult => {
            let result = get(key::RESULT).unwrap_or_else(|| "judged".to_owned());
            format!("{}: {which}{}", capital(&result), by(key::REVIEWER))
        }
        EventKind::AccountDead => format!("Account needs you: {platform}{account}"),
        EventKind::AccountEnding => format!("Account ends soon: {platform}{account}"),
        EventKind::DigestDaily => "Your digest".to_owned(),
        EventKind::DigestWeekly => "Your week".to_owned(),
        EventKind::Test => "psn reaches you here".to_owned(),
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

fn todo(source: &Source<'_>) -> Option<String> {
    let id = source.post.unwrap_or("ID");
    let platform = platform(source).unwrap_or_else(|| "the platform".to_owned());
    Some(match source.kind {
        EventKind::PostFailed => format!("To do: mend what is said, then `psn post retry {id}`."),
        EventKind::PostNeedsReview => {
            format!("To do: look whether it is on {platform}, then say so with `psn post resolve {id}`.")
        }
        EventKind::PostPartiallyPosted => {
            format!("To do: `psn post retry {id}` goes on, `psn post resolve {id} --roll-back` deletes what is out.")
        }
        EventKind::PostUnapproved => {
            format!("To do: get it approved, then schedule it again: `psn post schedule {id} --at TIME`.")
        }
        EventKind::ApprovalRequested if source.link.is_some() => "To do: approve or reject it here:".to_owned(),
        EventKind::ApprovalRequested => format!("To do: `psn post approve {id}` or `psn post reject {id}`."),
        EventKind::ApprovalResult if (source.get)(key::RESULT).as_deref() == Some("rejected") => {
            format!("To do: change it, then ask again: `psn post submit {id}`.")
        }
        EventKind::AccountDead | EventKind::AccountEnding => {
            format!("To do: `psn account connect {}`.", platform.to_lowercase())
        }
        EventKind::Test => "Nothing to do.".to_owned(),
        EventKind::PostPublished | EventKind::ApprovalResult | EventKind::DigestDaily | EventKind::DigestWeekly => {
            return None;
        }
    })
}

/// What can be answered by a message.
fn answers(source: &Source<'_>) -> Option<String> {
    let id = short_id(source.post?);
    Some(match source.kind {
        EventKind::PostFailed | EventKind::PostPartiallyPosted => format!("Or answer: retry {id}, cancel {id}"),
        EventKind::PostNeedsReview => format!("Or answer: resolve {id} published LINK, resolve {id} not published"),
        EventKind::ApprovalRequested => format!("Or answer: approve {id}, reject {id} REASON"),
        _ => return None,
    })
}

/// What a digest says: the most pressing first. Every entry has its kind and its line.
#[must_use]
pub fn digest_lines(entries: &[(Option<EventKind>, String)]) -> Vec<String> {
    let sections: [(&str, &[EventKind]); 4] = [
        (
            "Waiting for you",
            &[
                EventKind::PostFailed,
                EventKind::PostNeedsReview,
                EventKind::PostPartiallyPosted,
                EventKind::PostUnapproved,
                EventKind::ApprovalRequested,
            ],
        ),
        ("Published", &[EventKind::PostPublished]),
        ("Accounts", &[EventKind::AccountDead, EventKind::AccountEnding]),
        ("Also", &[]),
    ];
    let section_of = |kind: Option<EventKind>| {
        let of_kind = |kind| sections.iter().position(|(_, kinds)| kinds.contains(&kind));
        kind.and_then(of_kind).unwrap_or(sections.len() - 1)
    };
    let mut lines = Vec::new();
    for (number, (name, _)) in sections.iter().enumerate() {
        let of_section: Vec<_> = entries.iter().filter(|(kind, _)| section_of(*kind) == number).collect();
        if !of_section.is_empty() {
            lines.push(format!("{name}: {}", of_section.len()));
            lines.extend(of_section.into_iter().map(|(_, line)| line.clone()));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: &str = "3f2a9c1e-0000-4000-8000-000000000000";

    fn payload(name: &str) -> Option<String> {
        let text = match name {
            key::PLATFORM => "LinkedIn",
            key::TITLE => "Ten things",
            key::MESSAGE => "LinkedIn answered that the text is too long",
            _ => return None,
        };
        Some(text.to_owned())
    }

    fn source(kind: EventKind) -> Source<'static> {
        Source {
            kind,
            post: Some(POST),
            get: &payload,
            link: None,
            lines: &[],
            clock: &str::to_owned,
            answers: false,
        }
    }

    #[test]
    fn a_message_says_which_post_what_happened_and_what_to_do() {
        let said = message(&source(EventKind::PostFailed)).text(TEXT_CHARS_MAX);
        assert_eq!(
            said,
            format!(
                "Failed, nothing is out: LinkedIn post “Ten things” (3f2a9c1e)\n\
                 LinkedIn answered that the text is too long.\n\
                 To do: mend what is said, then `psn post retry {POST}`."
            )
        );
        for kind in EventKind::ALL.into_iter().filter(|kind| kind.is_critical()) {
            let said = message(&source(kind));
            assert!(
                said.lines.iter().any(|line| line.starts_with("To do: ")),
                "{kind}: {said:?}"
            );
            assert!(said.title.contains("LinkedIn"), "{kind}: {said:?}");
        }
    }

    #[test]
    fn an_approval_is_not_called_a_rejection() {
        for (result, title, has_todo) in [("approved", "Approved: ", false), ("rejected", "Rejected: ", true)] {
            let get = |name: &str| match name {
                key::RESULT => Some(result.to_owned()),
                key::REVIEWER => Some("Bob".to_owned()),
                other => payload(other),
            };
            let said = message(&Source {
                get: &get,
                ..source(EventKind::ApprovalResult)
            });
            assert!(
                said.title.starts_with(title) && said.title.ends_with("by Bob"),
                "{said:?}"
            );
            assert_eq!(
                said.lines.iter().any(|line| line.starts_with("To do")),
                has_todo,
                "{said:?}"
            );
        }
    }

    #[test]
    fn a_link_stands_at_the_end_and_answers_name_the_post() {
        let said = message(&Source {
            link: Some("https://psn.example/approve/1"),
            answers: true,
            ..source(EventKind::ApprovalRequested)
        });
        let text = said.text(TEXT_CHARS_MAX);
        assert!(text.ends_with("\nhttps://psn.example/approve/1"), "{text}");
        assert!(text.contains("approve 3f2a9c1e, reject 3f2a9c1e"), "{text}");
    }

    #[test]
    fn a_digest_begins_with_what_waits_for_a_person() {
        let entries = [
            (Some(EventKind::PostPublished), "- a".to_owned()),
            (None, "- b".to_owned()),
            (Some(EventKind::ApprovalRequested), "- c".to_owned()),
            (Some(EventKind::PostPublished), "- d".to_owned()),
        ];
        let lines = digest_lines(&entries);
        assert_eq!(
            lines,
            [
                "Waiting for you: 1",
                "- c",
                "Published: 2",
                "- a",
                "- d",
                "Also: 1",
                "- b"
            ]
        );
        let line = digest_line(&source(EventKind::PostFailed));
        assert_eq!(
            line,
            "- Failed, nothing is out: LinkedIn post “Ten things” (3f2a9c1e): LinkedIn answered that the text is too long"
        );
    }

    #[test]
    fn texts_are_shortened_by_characters() {
        assert_eq!(excerpt("one\n  two"), "one two");
        let long = excerpt(&"ä".repeat(100));
        assert_eq!(long.chars().count(), EXCERPT_CHARS_MAX);
        assert!(long.ends_with('…'));
    }
}
