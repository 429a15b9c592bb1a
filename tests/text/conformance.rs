//! X's own suite: every group of `validate.json`, the entity groups of `extract.json`.

use std::ops::Range;
use std::path::Path;

use psn::domain::text::{self, Rules};
use serde_json::Value;

/// The cases of one group.
pub fn cases(file: &str, group: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/specs/twitter-text/conformance-json")
        .join(file);
    let suite: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = suite["tests"][group].as_array().unwrap().clone();
    assert!(!cases.is_empty(), "`{group}` of `{file}` is empty");
    cases
}

/// Runs `check` on each case of a group; it returns what we say, to be compared with what is expected.
fn agree(file: &str, group: &str, check: impl Fn(&str) -> Value) {
    let mut failed = Vec::new();
    for case in cases(file, group) {
        let said = check(case["text"].as_str().unwrap());
        if said != case["expected"] {
            failed.push(format!(
                "{}: {} expected {}, got {said}",
                case["description"], case["text"], case["expected"]
            ));
        }
    }
    assert!(failed.is_empty(), "{group}:\n{}", failed.join("\n"));
}

/// A byte span in code points, which is what the suite's indices are.
fn indices(text: &str, span: &Range<usize>) -> [usize; 2] {
    [text[..span.start].chars().count(), text[..span.end].chars().count()]
}

#[test]
fn validate_plain_groups() {
    agree("validate.json", "tweets", |text| text::is_valid(text, Rules::V1).into());
    agree("validate.json", "usernames", |text| text::is_username(text).into());
    agree("validate.json", "lists", |text| text::is_list(text).into());
    agree("validate.json", "hashtags", |text| text::is_hashtag(text).into());
    agree("validate.json", "urls", |text| text::is_url(text, true).into());
    agree("validate.json", "urls_without_protocol", |text| {
        text::is_url(text, false).into()
    });
}

#[test]
fn validate_weighted_groups() {
    let measure = |rules: Rules| {
        move |text: &str| {
            let measure = text::measure(text, rules);
            serde_json::json!({
                "weightedLength": measure.weighted_length,
                "valid": measure.valid,
                "permillage": measure.permillage,
                "displayRangeStart": 0,
                "displayRangeEnd": measure.display_end,
                "validRangeStart": 0,
                "validRangeEnd": measure.valid_end,
            })
        }
    };
    agree("validate.json", "WeightedTweetsCounterTest", measure(Rules::V2));
    agree(
        "validate.json",
        "WeightedTweetsWithDiscountedEmojiCounterTest",
        measure(Rules::V3),
    );
    agree(
        "validate.json",
        "UnicodeDirectionalMarkerCounterTest",
        measure(Rules::V3),
    );
    for group in [
        "WeightedTweetsWithDiscountedEmojiCounterTest",
        "UnicodeDirectionalMarkerCounterTest",
    ] {
        for case in cases("validate.json", group) {
            let length = text::weighted_length(case["text"].as_str().unwrap());
            assert_eq!(Value::from(length), case["expected"]["weightedLength"], "{case}");
        }
    }
}

#[test]
fn extract_urls() {
    let urls = |text: &str| {
        text::urls(text)
            .iter()
            .map(|url| text[url.span.clone()].to_string())
            .collect::<Vec<_>>()
            .into()
    };
    agree("extract.json", "urls", urls);
    agree("extract.json", "tco_urls_with_params", urls);
    let indexed = |text: &str| {
        let url =
            |url: &text::Url| serde_json::json!({"url": text[url.span.clone()], "indices": indices(text, &url.span)});
        text::urls(text).iter().map(url).collect::<Vec<_>>().into()
    };
    agree("extract.json", "urls_with_indices", indexed);
    agree("extract.json", "urls_with_directional_markers", indexed);
}

#[test]
fn extract_mentions() {
    fn plain(text: &str) -> Vec<text::Mention<'_>> {
        text::mentions(text)
            .into_iter()
            .filter(|one| one.list_slug.is_empty())
            .collect()
    }
    agree("extract.json", "mentions", |text| {
        plain(text).iter().map(|one| one.screen_name).collect::<Vec<_>>().into()
    });
    agree("extract.json", "mentions_with_indices", |text| {
        let one = |one: &text::Mention<'_>| serde_json::json!({"screen_name": one.screen_name, "indices": indices(text, &one.span)});
        plain(text).iter().map(one).collect::<Vec<_>>().into()
    });
    agree("extract.json", "mentions_or_lists_with_indices", |text| {
        let one = |one: &text::Mention<'_>| {
            serde_json::json!({
                "screen_name": one.screen_name,
                "list_slug": one.list_slug,
                "indices": indices(text, &one.span),
            })
        };
        text::mentions(text).iter().map(one).collect::<Vec<_>>().into()
    });
    agree("extract.json", "replies", |text| text::reply(text).into());
}

#[test]
fn extract_tags() {
    let tags = |text: &str| {
        text::hashtags(text)
            .iter()
            .map(|one| one.tag)
            .collect::<Vec<_>>()
            .into()
    };
    agree("extract.json", "hashtags", tags);
    agree("extract.json", "hashtags_from_astral", tags);
    agree("extract.json", "hashtags_with_indices", |text| {
        let one =
            |one: &text::Hashtag<'_>| serde_json::json!({"hashtag": one.tag, "indices": indices(text, &one.span)});
        text::hashtags(text).iter().map(one).collect::<Vec<_>>().into()
    });
    agree("extract.json", "cashtags", |text| {
        text::cashtags(text)
            .iter()
            .map(|one| one.symbol)
            .collect::<Vec<_>>()
            .into()
    });
    agree("extract.json", "cashtags_with_indices", |text| {
        let one =
            |one: &text::Cashtag<'_>| serde_json::json!({"cashtag": one.symbol, "indices": indices(text, &one.span)});
        text::cashtags(text).iter().map(one).collect::<Vec<_>>().into()
    });
}
