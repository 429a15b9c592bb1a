//! The plan of a content: parts, every error at once, warnings.

use psn::domain::content::{Content, Plan, plan};

fn text(text: &str) -> Plan {
    plan(&Content::Text(text.to_string()), false, 280)
}

fn parts(parts: &[&str], numbering: bool) -> Plan {
    plan(
        &Content::Parts(parts.iter().map(|part| part.to_string()).collect()),
        numbering,
        280,
    )
}

fn errors(plan: &Plan) -> Vec<(Option<usize>, &str)> {
    plan.errors
        .iter()
        .map(|error| (error.part, error.message.as_str()))
        .collect()
}

#[test]
fn a_text_that_fits_is_one_part() {
    let plan = text(" Hello 世界 ");
    assert!(plan.is_valid());
    assert_eq!(plan.texts(), ["Hello 世界"]);
    assert_eq!(
        (plan.parts[0].index, plan.parts[0].weighted_length, plan.parts[0].limit),
        (1, 10, 280)
    );
}

#[test]
fn a_text_is_split_when_it_must_be() {
    let plan = text(&"word ".repeat(100));
    assert!(plan.is_valid());
    assert_eq!(plan.parts.len(), 2);
    assert_eq!(text("one\n---\ntwo").texts(), ["one", "two"]);
    assert_eq!(parts(&["one\n---\ntwo"], false).texts(), ["one\n---\ntwo"]);
}

#[test]
fn all_errors_come_at_once() {
    let long = "a".repeat(312);
    let wide = "世".repeat(141);
    let plan = parts(&["fine", " \n", &long, &wide, "bad\u{feff}"], false);
    assert_eq!(
        errors(&plan),
        [
            (Some(2), "part 2 is empty: write something or leave it out"),
            (Some(3), "part 3 is 312/280 characters: shorten it by 32"),
            (Some(4), "part 4 is 282/280 characters: shorten it by 2"),
            (
                Some(5),
                "part 5 has a character that X refuses (U+FEFF, U+FFFE or U+FFFF): remove it"
            ),
        ]
    );
    assert!(plan.errors.iter().all(|error| error.field == "content"));
    assert_eq!(plan.parts.len(), 5);
    assert_eq!(plan.parts[2].errors, ["part 3 is 312/280 characters: shorten it by 32"]);
}

#[test]
fn nothing_is_an_error() {
    assert_eq!(
        errors(&parts(&[], false)),
        [(None, "the content has no part: give at least one")]
    );
    assert_eq!(
        errors(&text(" \n ")),
        [(Some(1), "part 1 is empty: write something or leave it out")]
    );
    assert_eq!(errors(&text("---")).len(), 1);
}

#[test]
fn too_many_parts_name_the_need() {
    let many = vec!["x"; 103];
    assert_eq!(
        errors(&parts(&many, false)),
        [(None, "the content has 103 parts and a thread has at most 100: remove 3")]
    );
    assert!(parts(&many[..100], false).is_valid());
    let long = many.join("\n---\n");
    assert_eq!(
        errors(&text(&long)),
        [(
            None,
            "the text needs 103 parts and a thread has at most 100: shorten it or split it into several posts"
        )]
    );
}

#[test]
fn numbers_count() {
    assert_eq!(parts(&["one", "two"], true).texts(), ["one 1/2", "two 2/2"]);
    assert_eq!(parts(&["one"], true).texts(), ["one"]);
    let plan = parts(&[&"a".repeat(278), ""], true);
    assert_eq!(
        errors(&plan),
        [
            (Some(1), "part 1 is 282/280 characters: shorten it by 2"),
            (Some(2), "part 2 is empty: write something or leave it out")
        ]
    );
}

#[test]
fn warnings_do_not_forbid() {
    let mentions: String = (0..11).map(|n| format!("@user{n} ")).collect();
    let tags: String = (0..6).map(|n| format!("#tag{n} ")).collect();
    let plan = parts(&[&mentions, &tags, "$ABC and $DEF", "$ABC #a @b"], false);
    assert!(plan.is_valid());
    assert_eq!(
        plan.warnings,
        [
            "part 1 has 11 mentions, more than 10: X may take it for spam",
            "part 2 has 6 hashtags, more than 5: X may take it for spam",
            "part 3 has 2 cashtags, more than 1: X refuses that from most apps",
        ]
    );
    assert_eq!(plan.parts[2].warnings, [plan.warnings[2].clone()]);
    assert!(plan.parts[3].warnings.is_empty());
}
