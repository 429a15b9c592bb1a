//! Tables: the vectors of the system before psn, what came after twitter-text 3.1.0, and comparing.

use psn::domain::text::{SIMILARITY_MIN, content_hash, normalize_for_match, similarity, weighted_length};

fn check(table: &[(&str, u32)]) {
    for (text, expected) in table {
        assert_eq!(weighted_length(text), *expected, "{text:?} ({})", text.escape_unicode());
    }
}

#[test]
fn plain_texts() {
    check(&[
        ("", 0),
        ("Hello", 5),
        ("中文", 4),
        ("a\u{200d}b", 3),
        ("\r\n", 2),
        ("—", 1),
        ("“”", 2),
        ("©", 1),
        ("…", 2),
        ("€", 2),
        ("™", 2),
        ("\u{1e9e}", 2),
        ("नमस्ते", 6),
        ("e\u{301}", 1),
        ("𝐀", 2),
        ("1.5m", 4),
        ("v1.2.3", 6),
    ]);
}

#[test]
fn urls() {
    check(&[
        ("https://example.com.", 24),
        ("https://a.com https://b.com", 47),
        ("example.com", 23),
        ("t.co/abc", 23),
        ("https://example.com/path).", 25),
        ("hello.world and e.g. this", 37),
        ("user@example.com", 16),
        ("@a@b.co", 7),
        ("file.txt", 8),
        ("node.js", 7),
        ("end.Start", 9),
        ("http://a", 8),
        ("ftp://x.com/a", 13),
        ("(see https://x.com/a_(b))", 29),
        ("https://例え.jp/パス", 25 + 2),
    ]);
}

#[test]
fn emoji_up_to_12() {
    check(&[
        ("😀", 2),
        ("👨‍👩‍👧‍👦", 2),
        ("🇩🇪", 2),
        ("👩🏽‍💻", 2),
        ("1\u{fe0f}\u{20e3}", 2),
        ("❤\u{fe0f}", 2),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", 2),
        ("🏳️‍🌈", 2),
        ("🥱", 2),
        ("👍🏿👍🏿", 4),
    ]);
}

#[test]
fn newer_emoji_count_two() {
    let newer = [
        "🧑‍⚕️",
        "🧑🏽‍🚀",
        "🧑‍🦰",
        "🧑🏻‍🤝‍🧑🏿",
        "🥷🏽",
        "🧑‍🎄",
        "🏳️‍⚧️",
        "⚧️",
        "👩‍🍼",
        "🐻‍❄️",
        "🐈‍⬛",
        "🤵🏽‍♀️",
        "👰‍♂️",
        "❤️‍🔥",
        "❤️‍🩹",
        "😮‍💨",
        "😵‍💫",
        "😶‍🌫️",
        "🧔🏿‍♀️",
        "👩🏻‍❤️‍👨🏿",
        "👨🏻‍❤️‍💋‍👨🏿",
        "💏🏽",
        "🫠",
        "🫱🏻‍🫲🏿",
        "🤝🏽",
        "🫅🏾",
        "🫷🏻",
        "🐦‍⬛",
        "🙂‍↔️",
        "🙂‍↕️",
        "🐦‍🔥",
        "🍋‍🟩",
        "🍄‍🟫",
        "⛓️‍💥",
        "🧑‍🧑‍🧒‍🧒",
        "🧑‍🧒",
        "🚶🏽‍♀️‍➡️",
        "🧎‍➡️",
        "👨🏿‍🦽‍➡️",
        "🇨🇶",
        "🫩",
        "🫆",
        "🪾",
        "🛘",
        "🫪",
        "👯🏻‍♂️",
        "🤼🏽",
        "🧑‍🩰",
        "🏴󠁵󠁳󠁴󠁸󠁿",
    ];
    for emoji in newer {
        assert_eq!(weighted_length(emoji), 2, "{emoji} ({})", emoji.escape_unicode());
        assert_eq!(
            weighted_length(&format!("a{emoji}b {emoji}{emoji}")),
            9,
            "{emoji} among others"
        );
        assert_eq!(
            weighted_length(&format!("{emoji} example.com")),
            26,
            "{emoji} before a URL"
        );
    }
}

#[test]
fn newer_domains_count_as_the_larger_reading() {
    let long = format!("https://example.music/{}", "a".repeat(40));
    check(&[
        // A link of 23 is more than the text.
        ("example.music", 23),
        ("a.kids", 23),
        ("Amazon.AMAZON/x", 23),
        ("x.ישראל", 23),
        // The text is more than a link.
        (&long, 62),
        // Each by itself.
        (&format!("a.spa {long}"), 23 + 1 + 62),
        // A known one inside of a newer one: a link of 23 and the rest.
        ("example.com.music", 23 + 6),
        // No domain at all in either reading.
        ("user@example.music", 18),
        ("a.musical", 9),
    ]);
}

#[test]
fn equal_posts_compare_equal() {
    let pairs = [
        ("see example.com now", "see http://example.com now"),
        ("see Example.COM/Path", "see http://example.com/Path"),
        ("https://example.com", "https://example.com/"),
        ("https://example.com/", "http://example.com"),
        ("(https://example.com).", "(https://example.com/)."),
        ("example.com?x=1", "http://example.com/?x=1"),
        ("日本語example.com", "日本語http://example.com"),
        ("日本語https://example.com/a", "日本語https://example.com/a"),
        ("https://例え.jp/パス", "https://xn--r8jz45g.jp/%E3%83%91%E3%82%B9"),
        ("https://Bücher.example/a", "https://XN--Bcher-KVA.example/a"),
        ("x.unknowntld", "http://x.unknowntld/"),
        ("e\u{301} a", "\u{e9} a"),
        (" two  words\n\nthere ", "two words\nthere"),
        ("end.Start", "end.start"),
    ];
    for (sent, read) in pairs {
        assert_eq!(
            normalize_for_match(sent),
            normalize_for_match(read),
            "{sent:?} and {read:?}"
        );
    }
}

#[test]
fn different_posts_compare_different() {
    let pairs = [
        ("Hello", "hello"),
        ("example.com/a", "example.com/A"),
        ("example.com/a", "example.com/a/b"),
        ("example.com", "example.org"),
        ("one two", "onetwo"),
        ("1/2", "2/2"),
        ("part 1/3", "part 2/3"),
        ("a & b", "a &amp; b"),
        ("100% sure", "100 sure"),
        ("😀", "😁"),
        ("and/or", "andor"),
        ("xn--a-.example", "a.example"),
        ("xn--!.example", "xn--?.example"),
        ("xn--bcher-kva.example", "xn--bcher-kvb.example"),
    ];
    for (one, other) in pairs {
        assert_ne!(normalize_for_match(one), normalize_for_match(other));
    }
}

#[test]
fn normalizing_twice_changes_nothing() {
    for text in [
        "see http://http://Example.com/ x",
        "a  b",
        "https://xn--r8jz45g.jp/",
        "%E3%83%91",
        "100%",
        "%zz%e3",
    ] {
        let once = normalize_for_match(text);
        assert_eq!(normalize_for_match(&once), once, "{text:?}");
    }
}

#[test]
fn hashes_tell_lists_of_parts_apart() {
    let hash = |parts: &[&str]| content_hash(&parts.iter().map(|part| part.to_string()).collect::<Vec<_>>());
    assert_eq!(hash(&["a"]).len(), 64);
    assert_eq!(hash(&["a", "b"]), hash(&["a", "b"]));
    assert_ne!(hash(&["ab"]), hash(&["a", "b"]));
    assert_ne!(hash(&["a", "b"]), hash(&["b", "a"]));
    assert_ne!(hash(&[]), hash(&[""]));
}

#[test]
fn similarity_is_the_share_of_words() {
    assert_eq!(similarity("a b c d", "A B\nc D"), 1.0);
    assert_eq!(similarity("a b", "c d"), 0.0);
    assert_eq!(similarity("a b c", "a b d"), 0.5);
    assert!(similarity("one two three four five", "one two three four six") < SIMILARITY_MIN);
    assert!(similarity("1 2 3 4 5 6 7 8 9", "1 2 3 4 5 6 7 8 9 10") >= SIMILARITY_MIN);
}
