//! Splitting: where it cuts, what it never does, and that nothing is lost.

use proptest::prelude::*;
use psn::domain::text::{SplitError, SplitOptions, split, urls, weighted_length};

fn options(limit: u32) -> SplitOptions {
    SplitOptions {
        limit,
        ..SplitOptions::default()
    }
}

fn parts(text: &str, limit: u32) -> Vec<String> {
    split(text, options(limit)).unwrap()
}

#[test]
fn what_fits_stays() {
    assert_eq!(parts("  Hello\n\nworld \n", 280), ["Hello\n\nworld"]);
    let numbered = SplitOptions {
        numbering: true,
        ..options(280)
    };
    assert_eq!(split("Hello", numbered).unwrap(), ["Hello"]);
}

#[test]
fn nothing_is_refused() {
    for text in ["", "  \n ", "---", "---\n\n---\n", "\u{200b}"] {
        assert_eq!(split(text, options(280)), Err(SplitError::Empty), "{text:?}");
    }
}

#[test]
fn short_paragraphs_share_a_part() {
    assert_eq!(parts("aa\nbb\n\ncc\n\n\ndd", 11), ["aa\nbb\n\ncc", "dd"]);
}

#[test]
fn cuts_between_paragraphs_first() {
    assert_eq!(parts("One. Two.\n\nThree. Four.", 20), ["One. Two.", "Three. Four."]);
}

#[test]
fn then_between_sentences_and_lines() {
    assert_eq!(
        parts("One two. Three four. Five six.", 22),
        ["One two. Three four.", "Five six."]
    );
    assert_eq!(parts("one two\nthree four five", 18), ["one two", "three four five"]);
    assert_eq!(
        parts("He said \"No.\" She went. Away they went.", 24),
        ["He said \"No.\" She went.", "Away they went."]
    );
    assert_eq!(parts("今日は晴れ。明日は雨。", 14), ["今日は晴れ。", "明日は雨。"]);
}

#[test]
fn a_sentence_that_must_be_cut_fills_the_part_before() {
    assert_eq!(parts("Dr. aaa bbb ccc ddd eee", 12), ["Dr. aaa bbb", "ccc ddd eee"]);
}

#[test]
fn then_between_words_and_characters() {
    assert_eq!(parts("one two three", 8), ["one two", "three"]);
    assert_eq!(parts("abcdefgh", 3), ["abc", "def", "gh"]);
    assert_eq!(parts("👨‍👩‍👧‍👦👍🏽🇩🇪", 4), ["👨‍👩‍👧‍👦👍🏽", "🇩🇪"]);
}

#[test]
fn a_url_stays_whole() {
    let url = "https://example.com/a-very-long-path/that-goes-on?and=on&and=on";
    assert_eq!(
        parts(&format!("words here {url} and there"), 25),
        ["words here", url, "and there"]
    );
    assert_eq!(
        split(&format!("a {url}"), options(20)),
        Err(SplitError::Unbreakable {
            start: url.chars().take(60).collect(),
            weighted_length: 23,
            room: 20
        })
    );
}

#[test]
fn a_line_of_dashes_forces_a_part() {
    assert_eq!(
        parts("one\n---\ntwo\n --- \r\n---\nthree --- four", 280),
        ["one", "two", "three --- four"]
    );
    let numbered = SplitOptions {
        numbering: true,
        ..options(280)
    };
    assert_eq!(split("one\n---\ntwo", numbered).unwrap(), ["one 1/2", "two 2/2"]);
}

#[test]
fn numbers_have_exactly_their_room() {
    let numbered = |limit| SplitOptions {
        numbering: true,
        ..options(limit)
    };
    assert_eq!(split("aaaa bbbb", numbered(8)).unwrap(), ["aaaa 1/2", "bbbb 2/2"]);
    let ten = split(&["abcdefgh"; 10].join(" "), numbered(14)).unwrap();
    assert_eq!(ten.len(), 10);
    assert_eq!((ten[0].as_str(), ten[9].as_str()), ("abcdefgh 1/10", "abcdefgh 10/10"));
    assert!(ten.iter().all(|part| weighted_length(part) <= 14));
}

#[test]
fn too_much_names_the_need() {
    let text = vec!["a".repeat(280); 101].join("\n\n");
    let error = split(&text, options(280)).unwrap_err();
    assert_eq!(error, SplitError::TooManyParts { needed: 101, max: 100 });
    assert_eq!(
        error.to_string(),
        "the text needs 101 parts and a thread has at most 100: shorten it or split it into several posts"
    );
    assert_eq!(parts(&text[..282 * 100 - 2], 280).len(), 100);
}

/// The text without what a split may drop.
fn kept(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| line.trim() != "---").collect();
    lines
        .join("\n")
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .collect()
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-zA-Z]{1,12}",
        2 => "[a-z]{1,8}[.!?,]",
        1 => Just("https://example.com/a_(b)?x=1".to_string()),
        1 => Just("example.com".to_string()),
        1 => Just(" sub.example.music/path ".to_string()),
        1 => "[ぁ-んー。、]{1,20}",
        1 => Just("👨‍👩‍👧‍👦👍🏽".to_string()),
        1 => Just("e\u{301}\u{302}".to_string()),
        1 => Just("\n---\n".to_string()),
        1 => "\\PC{1,6}",
        1 => "[a-z]{30,90}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_everything_fits(
        pieces in prop::collection::vec((piece(), prop::sample::select(vec!["", " ", "  ", "\n", "\n\n", "\r\n\r\n"])), 1..60),
        limit in 60u32..=280,
        numbering: bool,
    ) {
        let text: String = pieces.into_iter().map(|(piece, space)| piece + space).collect();
        let options = SplitOptions { limit, numbering, parts_max: 1000 };
        let parts = match split(&text, options) {
            Ok(parts) => parts,
            Err(error) => {
                prop_assert_eq!(error, SplitError::Empty);
                return Ok(());
            }
        };
        let total = parts.len();
        let mut joined = String::new();
        for (index, part) in parts.iter().enumerate() {
            prop_assert!(weighted_length(part) <= limit, "{:?} is too long", part);
            prop_assert_eq!(part.trim(), part.as_str());
            prop_assert!(!part.is_empty());
            let suffix = format!(" {}/{total}", index + 1);
            let bare = if numbering && total > 1 { part.strip_suffix(&suffix).unwrap() } else { part };
            joined.push_str(bare);
            joined.push('\n');
        }
        prop_assert_eq!(kept(&joined), kept(&text));
        // A URL of the text is in one part, whole.
        for url in urls(&text) {
            let url = &text[url.span];
            prop_assert!(parts.iter().any(|part| part.contains(url)), "{} was cut", url);
        }
    }

    #[test]
    fn a_split_of_a_part_is_the_part(text in "[a-z .]{1,600}") {
        for part in split(&text, options(280)).unwrap_or_default() {
            prop_assert_eq!(split(&part, options(280)).unwrap(), [part]);
        }
    }
}
