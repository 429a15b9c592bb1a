//! LinkedIn's "little text": what a commentary says once its escapes and elements are read.
//! <https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/little-text-format>. That a text ends
//! at the first reserved character which is neither escaped nor part of an element is what people report.

/// The characters that must be escaped.
const RESERVED: &str = "|{}@[]()<>#\\*_~";

/// A commentary as people see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    pub text: String,
    /// The URNs of those who are mentioned.
    pub mentions: Vec<String>,
    /// How many bytes of the commentary it is made of: fewer than there are where it was cut.
    pub read_bytes: usize,
}

/// Reads a commentary to its end, or to where LinkedIn cuts it.
pub(super) fn shown(commentary: &str) -> Shown {
    let mut shown = Shown::default();
    while let Some(first) = commentary[shown.read_bytes..].chars().next() {
        let rest = &commentary[shown.read_bytes..];
        let taken = match first {
            '\\' => escaped(rest).map(|c| {
                shown.text.push(c);
                1 + c.len_utf8()
            }),
            '#' => word(&rest[1..]).map(|word| {
                shown.text.push('#');
                shown.text.push_str(word);
                1 + word.len()
            }),
            '{' => hashtag(rest).map(|(word, length)| {
                shown.text.push('#');
                shown.text.push_str(word);
                length
            }),
            '@' => mention(rest).map(|(name, urn, length)| {
                shown.text.push_str(&name);
                shown.mentions.push(urn);
                length
            }),
            _ if RESERVED.contains(first) => None,
            _ => {
                shown.text.push(first);
                Some(first.len_utf8())
            }
        };
        let Some(taken) = taken else { break };
        shown.read_bytes += taken;
    }
    shown
}

/// The reserved character behind a backslash.
fn escaped(text: &str) -> Option<char> {
    let next = text.strip_prefix('\\')?.chars().next()?;
    RESERVED.contains(next).then_some(next)
}

/// The letters and digits that a text begins with, if it does.
fn word(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    (end > 0).then(|| &text[..end])
}

/// `{hashtag|\#|word}`.
fn hashtag(text: &str) -> Option<(&str, usize)> {
    let head = r"{hashtag|\#|";
    let rest = text.strip_prefix(head)?;
    let word = word(rest)?;
    rest[word.len()..]
        .starts_with('}')
        .then(|| (word, head.len() + word.len() + 1))
}

/// `@[Name](urn:li:person:…)` or of an organisation: the name, the URN, the length.
fn mention(text: &str) -> Option<(String, String, usize)> {
    let mut name = String::new();
    let mut at = text.strip_prefix("@[").map(|_| 2)?;
    loop {
        let rest = &text[at..];
        match rest.chars().next()? {
            ']' => break,
            '\\' => {
                let c = escaped(rest)?;
                name.push(c);
                at += 1 + c.len_utf8();
            }
            c if RESERVED.contains(c) => return None,
            c => {
                name.push(c);
                at += c.len_utf8();
            }
        }
    }
    let rest = text[at..].strip_prefix("](")?;
    let urn = &rest[..rest.find(')')?];
    let id = ["urn:li:person:", "urn:li:organization:"]
        .into_iter()
        .find_map(|kind| urn.strip_prefix(kind))?;
    let is_id = !id.is_empty()
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    (is_id && !name.is_empty()).then(|| (name, urn.to_owned(), at + 2 + urn.len() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_elements_are_read() {
        for (commentary, text) in [
            (
                "plain, with 1 + 1 = 2 & \"quotes\"",
                "plain, with 1 + 1 = 2 & \"quotes\"",
            ),
            (
                r"\| \{ \} \@ \[ \] \( \) \< \> \# \\ \* \_ \~",
                r"| { } @ [ ] ( ) < > # \ * _ ~",
            ),
            ("#psn and #日本", "#psn and #日本"),
            (r"{hashtag|\#|psn} too", "#psn too"),
            ("hello @[Ann Lee](urn:li:person:a-_1)!", "hello Ann Lee!"),
            (r"@[A \(B\) GmbH](urn:li:organization:12)", "A (B) GmbH"),
        ] {
            let shown = shown(commentary);
            assert_eq!((shown.text.as_str(), shown.read_bytes), (text, commentary.len()));
        }
        assert_eq!(shown("@[Ann](urn:li:person:a)").mentions, ["urn:li:person:a"]);
    }

    #[test]
    fn the_text_ends_at_the_first_character_that_is_not_escaped() {
        for (commentary, text) in [
            ("see (here) now", "see "),
            ("a*b", "a"),
            ("snake_case", "snake"),
            ("#tag_more", "#tag"),
            ("# no word", ""),
            ("mail@example.com", "mail"),
            ("@[Ann](urn:li:member:1) hi", ""),
            ("@[Ann] hi", ""),
            ("{hashtag|#|psn}", ""),
            (r"back\slash", "back"),
            ("end\\", "end"),
            ("日本 <b>", "日本 "),
        ] {
            assert_eq!(shown(commentary).text, text, "{commentary}");
        }
    }
}
