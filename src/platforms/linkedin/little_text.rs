//! LinkedIn's "little text": a text in which some characters have a meaning and must be escaped, and in which people,
//! organisations and hashtags are elements. What is not escaped ends the post: LinkedIn cuts it there in silence.
//! <https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/little-text-format>

/// The characters that stand for themselves only behind a backslash.
const RESERVED: &str = "|{}@[]()<>#\\*_~";

/// How a hashtag begins when it is written as a template.
const TEMPLATE: &str = r"{hashtag|\#|";

/// Who can be mentioned.
const MENTIONED: [&str; 2] = ["urn:li:person:", "urn:li:organization:"];

/// A text as its author wrote it, in little text. Elements are kept: `#word` at the beginning of a word,
/// `{hashtag|\#|word}` and `@[Name](urn:li:person:…)` (or of an organisation), whose name is written as it is shown;
/// everything else is meant literally, and what is reserved in it is escaped, in addresses too.
#[must_use]
pub fn escape(source: &str) -> String {
    let mut little = String::with_capacity(source.len() + source.len() / 8);
    let (mut at, mut before) = (0, None);
    while let Some(first) = source[at..].chars().next() {
        let rest = &source[at..];
        let length = match first {
            '#' if may_precede_hashtag(before) => own_hashtag(rest).inspect(|tag| little.push_str(tag)).map(str::len),
            '{' => template(rest)
                .map(|(tag, _)| tag)
                .inspect(|tag| little.push_str(tag))
                .map(str::len),
            '@' => own_mention(rest).map(|(name, urn, length)| {
                little.push_str("@[");
                name.chars().for_each(|c| push_escaped(&mut little, c));
                little.push_str("](");
                little.push_str(urn);
                little.push(')');
                length
            }),
            _ => None,
        };
        let length = length.unwrap_or_else(|| {
            push_escaped(&mut little, first);
            first.len_utf8()
        });
        before = source[at..at + length].chars().next_back();
        at += length;
    }
    little
}

/// The text that [`escape`] was given.
#[must_use]
pub fn unescape(little: &str) -> String {
    let mut source = String::with_capacity(little.len());
    read(little, |piece| match piece {
        Piece::Letter(letter) => source.push(letter),
        Piece::Hashtag { written, .. } => source.push_str(written),
        Piece::Mention { name, urn } => source.extend(["@[", name.as_str(), "](", urn, ")"]),
    });
    source
}

/// The text as people see it: without escapes, hashtags as `#word`, those who are mentioned by their names. LinkedIn
/// may give an element back in another form than it got it, and this is the same for all of them.
#[must_use]
pub fn shown(little: &str) -> String {
    let mut text = String::with_capacity(little.len());
    read(little, |piece| match piece {
        Piece::Letter(letter) => text.push(letter),
        Piece::Hashtag { word, .. } => text.extend(["#", word]),
        Piece::Mention { name, .. } => text.push_str(&name),
    });
    text
}

/// How long LinkedIn may find a text, in characters: it does not say whether it counts UTF-16 units or code points, and
/// of the former there are never fewer.
#[must_use]
pub fn length(text: &str) -> u32 {
    u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX)
}

fn push_escaped(little: &mut String, letter: char) {
    if RESERVED.contains(letter) {
        little.push('\\');
    }
    little.push(letter);
}

/// Something that little text is made of.
enum Piece<'a> {
    Letter(char),
    Hashtag { written: &'a str, word: &'a str },
    Mention { name: String, urn: &'a str },
}

fn read<'a>(little: &'a str, mut tell: impl FnMut(Piece<'a>)) {
    let mut at = 0;
    while let Some(first) = little[at..].chars().next() {
        let rest = &little[at..];
        let element = match first {
            '\\' => reserved_after(rest).map(|letter| (Piece::Letter(letter), 1 + letter.len_utf8())),
            '#' => word(&rest[1..]).map(|word| {
                let written = &rest[..=word.len()];
                (Piece::Hashtag { written, word }, written.len())
            }),
            '{' => template(rest).map(|(written, word)| (Piece::Hashtag { written, word }, written.len())),
            '@' => mention(rest).map(|(name, urn, length)| (Piece::Mention { name, urn }, length)),
            _ => None,
        };
        let (piece, length) = element.unwrap_or((Piece::Letter(first), first.len_utf8()));
        tell(piece);
        at += length;
    }
}

/// Whether a `#` behind that character begins a hashtag; in an address or within a word it does not.
fn may_precede_hashtag(before: Option<char>) -> bool {
    before.is_none_or(|before| before.is_whitespace() || "([{<\"'“‘«,;!?…—–".contains(before))
}

/// The letters and digits that a text begins with.
fn word(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    (end > 0).then(|| &text[..end])
}

/// `#word`; a number alone (`#1`) is none.
fn own_hashtag(text: &str) -> Option<&str> {
    let word = word(text.strip_prefix('#')?)?;
    word.chars().any(char::is_alphabetic).then(|| &text[..=word.len()])
}

/// `{hashtag|\#|word}` and its word.
fn template(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix(TEMPLATE)?;
    let word = word(rest)?;
    let is_closed = rest[word.len()..].starts_with('}');
    is_closed.then(|| (&text[..TEMPLATE.len() + word.len() + 1], word))
}

/// `@[Name](urn:li:person:…)` as its author writes it: name, URN, length.
fn own_mention(text: &str) -> Option<(&str, &str, usize)> {
    let rest = text.strip_prefix("@[")?;
    let name = &rest[..rest.find(['[', ']', '\n', '\r'])?];
    let (urn, length) = mentioned(rest[name.len()..].strip_prefix("](")?)?;
    (!name.trim().is_empty()).then_some((name, urn, 2 + name.len() + 2 + length))
}

/// The same in little text, where the name is escaped.
fn mention(text: &str) -> Option<(String, &str, usize)> {
    let mut name = String::new();
    let mut at = text.strip_prefix("@[").map(|_| 2)?;
    loop {
        let rest = &text[at..];
        let letter = match rest.chars().next()? {
            ']' => break,
            '\\' => {
                at += 1;
                reserved_after(rest)?
            }
            letter if RESERVED.contains(letter) => return None,
            letter => letter,
        };
        name.push(letter);
        at += letter.len_utf8();
    }
    let (urn, length) = mentioned(text[at..].strip_prefix("](")?)?;
    (!name.is_empty()).then_some((name, urn, at + 2 + length))
}

/// The URN of whom may be mentioned, and its length with the bracket behind it.
fn mentioned(text: &str) -> Option<(&str, usize)> {
    let urn = &text[..text.find(')')?];
    let id = MENTIONED.into_iter().find_map(|kind| urn.strip_prefix(kind))?;
    let is_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (!id.is_empty() && id.bytes().all(is_id)).then_some((urn, urn.len() + 1))
}

/// The reserved character behind a backslash.
fn reserved_after(text: &str) -> Option<char> {
    let next = text.strip_prefix('\\')?.chars().next()?;
    RESERVED.contains(next).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::entropy::Entropy as _;
    use crate::ports::memory::SeededEntropy;

    #[test]
    fn what_is_reserved_is_escaped_and_elements_are_kept() {
        for (source, little) in [
            ("1 + 1 = 2 & \"so\" on – 日本 👩‍👩‍👧", "1 + 1 = 2 & \"so\" on – 日本 👩‍👩‍👧"),
            (
                "| { } @ [ ] ( ) < > # \\ * _ ~",
                r"\| \{ \} \@ \[ \] \( \) \< \> \# \\ \* \_ \~",
            ),
            ("#psn (#rust) #日本", r"#psn \(#rust\) #日本"),
            ("C# and #1 and a#b ##c", r"C\# and \#1 and a\#b \#\#c"),
            ("#snake_case", r"#snake\_case"),
            (
                r"{hashtag|\#|psn} {hashtag|#|psn}",
                r"{hashtag|\#|psn} \{hashtag\|\#\|psn\}",
            ),
            ("@[Ann Lee](urn:li:person:a-_1)!", "@[Ann Lee](urn:li:person:a-_1)!"),
            (
                "@[A (B) GmbH](urn:li:organization:12)",
                r"@[A \(B\) GmbH](urn:li:organization:12)",
            ),
            ("@[Ann](urn:li:member:1) @ann", r"\@\[Ann\]\(urn:li:member:1\) \@ann"),
            ("mail@example.com", r"mail\@example.com"),
            ("https://e.com/a_(b)?c=~d#e", r"https://e.com/a\_\(b\)?c=\~d\#e"),
            ("https://e.com/#e", r"https://e.com/\#e"),
            (r"a\_b", r"a\\\_b"),
        ] {
            assert_eq!(escape(source), little);
            assert_eq!(unescape(little), source);
        }
    }

    #[test]
    fn people_see_words_and_names() {
        let source = r"{hashtag|\#|psn} by @[A (B)](urn:li:person:1) and #rust (a_b)";
        assert_eq!(shown(&escape(source)), "#psn by A (B) and #rust (a_b)");
        assert_eq!(shown(r"{hashtag|\#|psn}"), shown("#psn"));
    }

    #[test]
    fn the_larger_count_is_taken() {
        assert_eq!((length("abc"), length("é日"), length("👍")), (3, 2, 2));
    }

    /// Whether the text has a reserved character that is neither escaped nor part of an element.
    fn has_bare(little: &str) -> bool {
        let mut bare = false;
        let mut inner = String::new();
        read(little, |piece| match piece {
            Piece::Letter(letter) => inner.push(letter),
            Piece::Hashtag { .. } | Piece::Mention { .. } => {}
        });
        // What is left, written out with its escapes, has to be as long as it was: nothing was passed over.
        let mut elements = 0;
        read(little, |piece| match piece {
            Piece::Letter(_) => {}
            Piece::Hashtag { written, .. } => elements += written.len(),
            Piece::Mention { name, urn } => {
                let escapes = name.chars().filter(|c| RESERVED.contains(*c)).count();
                elements += name.len() + escapes + urn.len() + "@[]()".len();
            }
        });
        let escapes = inner.chars().filter(|c| RESERVED.contains(*c)).count();
        bare |= inner.len() + escapes + elements != little.len();
        bare
    }

    #[test]
    fn a_bare_character_is_noticed() {
        for little in ["a_b", "# x", r"\a", "(", "@[Ann](x)", "end\\"] {
            assert!(has_bare(little), "{little}");
        }
        for little in [r"a\_b", "#x", r"@[A\_](urn:li:person:1)"] {
            assert!(!has_bare(little), "{little}");
        }
    }

    #[test]
    fn whatever_is_escaped_comes_back_and_nothing_is_left_bare() {
        let pieces = [
            "|",
            "{",
            "}",
            "@",
            "[",
            "]",
            "(",
            ")",
            "<",
            ">",
            "#",
            "\\",
            "*",
            "_",
            "~",
            " ",
            "\n",
            "a",
            "Ä",
            "日",
            "👍",
            "1",
            "word",
            "#tag",
            "#1",
            "{hashtag|\\#|tag}",
            "{hashtag|",
            "|\\#|",
            "@[",
            "](",
            "](urn:li:person:",
            "urn:li:person:a)",
            "@[Ann](urn:li:person:a-1)",
            "@[A (B) \\ #c](urn:li:organization:2)",
            "https://e.com/a_b#c",
            "e\u{301}",
        ];
        let entropy = SeededEntropy::new(11);
        for _ in 0..20_000 {
            let count = entropy.up_to(12);
            let last = u32::try_from(pieces.len() - 1).unwrap_or(0);
            let source: String = (0..count).map(|_| pieces[entropy.up_to(last) as usize]).collect();
            let little = escape(&source);
            assert_eq!(unescape(&little), source, "{source:?} became {little:?}");
            assert!(!has_bare(&little), "{source:?} became {little:?}");
        }
    }
}
