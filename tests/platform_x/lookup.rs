//! Finding a post again: what counts as the same text, the same parent, the same time, and what counts as an answer.

use crate::fake::{End, Fake, NOW, answer, broken, json};
use psn::domain::id::{RemoteId, RemoteUserId};
use psn::domain::outcome::LookUp;
use psn::domain::time::Millis;
use psn::platforms::{AccessToken, LookUpAnswer, LookUpQuery, PlatformClient};
use psn::ports::http::HttpErrorKind;
use serde_json::{Value, json};

async fn look(ends: impl IntoIterator<Item = End>, text: &str, reply_to: Option<&str>, known: &[&str]) -> LookUpAnswer {
    look_with(ends, text, reply_to, known, 0).await
}

async fn look_with(
    ends: impl IntoIterator<Item = End>,
    text: &str,
    reply_to: Option<&str>,
    known: &[&str],
    media_count: usize,
) -> LookUpAnswer {
    let fake = Fake::new(ends);
    let user = RemoteUserId::from("42");
    let parent = reply_to.map(RemoteId::from);
    let known: Vec<RemoteId> = known.iter().map(|id| RemoteId::from(*id)).collect();
    let query = LookUpQuery {
        remote_user_id: &user,
        text,
        reply_to: parent.as_ref(),
        since: NOW,
        known_ids: &known,
        media_count,
        options: None,
        handles: &[],
        attempts: 1,
    };
    fake.client().look_up(&AccessToken::new("t"), &query).await
}

/// A post made two seconds after the attempt, with some keys replaced (`null` removes).
fn post(id: &str, text: &str, with: Value) -> Value {
    let mut post = json!({"id": id, "text": text, "created_at": (NOW + Millis(2_000)).to_rfc3339(), "author_id": "42"});
    for (key, value) in with.as_object().unwrap() {
        post[key] = value.clone();
    }
    post.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    post
}

fn page(posts: Vec<Value>) -> End {
    json(
        200,
        &json!({"meta": {"result_count": posts.len(), "newest_id": "1"}, "data": posts}),
    )
}

async fn finds(ours: &str, theirs: Value) -> bool {
    let answer = look([page(vec![theirs])], ours, None, &[]).await;
    match answer.verdict {
        LookUp::Present { remote_id } => remote_id.as_str() == "7" && answer.candidates == [remote_id],
        LookUp::Absent => false,
        other => panic!("{other:?}"),
    }
}

fn url(short: &str, long: &str) -> Value {
    json!({"start": 0, "end": 23, "url": short, "expanded_url": long, "display_url": "…"})
}

#[tokio::test]
async fn the_text_as_x_shows_it_is_the_text_that_was_sent() {
    let link = "https://t.co/abcdefghij";
    let with = |long: &str| json!({"entities": {"urls": [url(link, long)]}});
    for (ours, theirs, keys) in [
        ("hello", "hello", json!({})),
        (
            "a & b <c> \"d\" 'e'",
            "a &amp; b &lt;c&gt; &quot;d&quot; &#39;e&#39;",
            json!({}),
        ),
        ("a & b <c>", "a & b <c>", json!({})),
        (
            "write &amp; for an ampersand",
            "write &amp;amp; for an ampersand",
            json!({}),
        ),
        (
            "write &amp; for an ampersand",
            "write &amp; for an ampersand",
            json!({}),
        ),
        ("line\n\nnext  word ", "line\nnext word", json!({})),
        ("cafe\u{301}", "caf\u{e9}", json!({})),
        (
            "see https://example.com/a?b=1&c=2",
            &format!("see {link}"),
            with("https://example.com/a?b=1&c=2"),
        ),
        (
            "see https://example.com/a?b=1&c=2",
            &format!("see {link}"),
            with("https://example.com/a?b=1&amp;c=2"),
        ),
        (
            "see example.com now",
            &format!("see {link} now"),
            with("http://example.com"),
        ),
        (
            "see example.com now",
            &format!("see {link} now"),
            with("http://example.com/"),
        ),
        (
            "(https://example.com/).",
            &format!("({link})."),
            with("https://example.com"),
        ),
        ("HTTPS://example.com", link, with("https://example.com")),
        ("https://example.com/ä", link, with("https://example.com/%C3%A4")),
        (
            "多字节 https://example.com/路 👍",
            &format!("多字节 {link} 👍"),
            with("https://example.com/路"),
        ),
    ] {
        assert!(finds(ours, post("7", theirs, keys)).await, "{ours} / {theirs}");
    }
}

#[tokio::test]
async fn another_text_is_another_post() {
    for (ours, theirs) in [
        ("hello", "Hello"),
        ("hello", "hello!"),
        ("hello 1/2", "hello 2/2"),
        ("a & b", "a and b"),
        ("a/b/", "a/b"),
        ("", "x"),
    ] {
        assert!(!finds(ours, post("7", theirs, json!({}))).await, "{ours} / {theirs}");
    }
    let (a, b) = ("https://t.co/a", "https://t.co/b");
    let keys = json!({"entities": {"urls": [url(a, "https://example.com/1"), url(b, "https://example.com/2")]}});
    let ours = "https://example.com/2 https://example.com/1";
    assert!(!finds(ours, post("7", &format!("{a} {b}"), keys.clone())).await);
    assert!(finds(ours, post("7", &format!("{b} {a}"), keys)).await);
}

#[tokio::test]
async fn short_addresses_may_begin_alike_and_media_have_their_own() {
    let (short, longer, media) = ("https://t.co/ab", "https://t.co/abc", "https://t.co/m");
    let mut picture = url(media, "https://x.com/psn/status/7/photo/1");
    picture["media_key"] = json!("3_1");
    let urls = json!([
        url(short, "https://one.example"),
        url(longer, "https://two.example"),
        picture
    ]);
    let theirs = format!("{longer} {short} {media}");
    let keys = json!({"entities": {"urls": urls}});
    let theirs = post("7", &theirs, keys);
    let answer = look_with(
        [page(vec![theirs])],
        "https://two.example https://one.example",
        None,
        &[],
        1,
    )
    .await;
    assert_eq!(answer.candidates, [RemoteId::from("7")]);
}

#[tokio::test]
async fn a_post_has_as_many_media_as_were_sent() {
    let link = "https://t.co/media12345";
    let keys = |keys: Value| json!({"attachments": {"media_keys": keys}});
    let photo = json!({"entities": {"urls": [url(link, "https://x.com/ada/status/7/photo/1")]}});
    let both = json!({"attachments": {"media_keys": ["3_1"]}, "entities": photo["entities"]});
    let ended = format!("look {link}");
    for (count, ours, theirs, with, expected) in [
        (0, "look", "look", json!({}), true),
        (1, "look", "look", json!({}), false),
        (0, "look", "look", keys(json!(["3_1"])), false),
        (1, "look", "look", keys(json!(["3_1"])), true),
        (2, "look", "look", keys(json!(["3_1"])), false),
        (2, "look", "look", keys(json!(["3_1", "3_2"])), true),
        // X puts the address of the media behind the text, and may or may not say what it is.
        (1, "look", &ended, both.clone(), true),
        (1, "look", &ended, keys(json!(["3_1"])), true),
        (1, "look", &ended, photo.clone(), true),
        (0, "look", &ended, photo.clone(), true),
        (0, "look", &ended, json!({}), false),
        (1, "", link, both.clone(), true),
        (1, "", link, keys(json!(["3_1"])), true),
        (1, "", "", keys(json!(["3_1"])), true),
        (1, "", &ended, keys(json!(["3_1"])), false),
        (1, "look", &format!("look up {link}"), keys(json!(["3_1"])), false),
    ] {
        let theirs = post("7", theirs, with);
        let answer = look_with([page(vec![theirs.clone()])], ours, None, &[], count).await;
        assert_eq!(answer.verdict != LookUp::Absent, expected, "{count} {ours} {theirs}");
    }
}

#[tokio::test]
async fn both_vocabularies_are_read() {
    let long = "word ".repeat(80);
    let note = json!({"text": format!("{long} https://t.co/x &amp; so on"), "entities": {"urls": [url("https://t.co/x", "https://example.com/x")]}});
    let ours = format!("{long}https://example.com/x & so on");
    for key in ["note_tweet", "note_post"] {
        assert!(finds(&ours, post("7", "word word…", json!({key: note}))).await, "{key}");
    }
    for keys in [
        vec!["referenced_tweets"],
        vec!["referenced_posts"],
        vec!["referenced_tweets", "referenced_posts"],
    ] {
        let mut theirs = post("7", "t", json!({"attachments": {}, "new_key": [1]}));
        for key in &keys {
            theirs[*key] = json!([{"type": "quoted", "id": "9"}, {"type": "replied_to", "id": "5"}]);
        }
        for (parent, expected) in [(Some("5"), true), (Some("6"), false), (Some("9"), false), (None, false)] {
            let answer = look([page(vec![theirs.clone()])], "t", parent, &[]).await;
            assert_eq!(answer.verdict != LookUp::Absent, expected, "{keys:?} {parent:?}");
        }
    }
}

#[tokio::test]
async fn only_an_unknown_own_post_of_the_time_with_the_parent_counts() {
    let made = |ms: i64| json!({"created_at": (NOW + Millis(ms)).to_rfc3339()});
    for (keys, expected) in [
        (json!({}), true),
        (made(0), true),
        (made(-60_000), true),
        (made(-60_001), false),
        (made(-86_400_000), false),
        (json!({"author_id": "43"}), false),
        (json!({"author_id": null}), true),
        (json!({"referenced_tweets": [{"type": "retweeted", "id": "3"}]}), false),
        (json!({"referenced_tweets": [{"type": "quoted", "id": "3"}]}), true),
        (json!({"referenced_tweets": [{"type": "replied_to", "id": "3"}]}), false),
        (
            json!({"entities": null, "referenced_posts": null, "note_tweet": null}),
            true,
        ),
    ] {
        assert_eq!(finds("t", post("7", "t", keys.clone())).await, expected, "{keys}");
    }
    let posts = || {
        vec![
            post("1000", "t", json!({})),
            post("999", "t", json!({})),
            post("998", "t", json!({})),
        ]
    };
    let answer = look([page(posts())], "t", None, &["998"]).await;
    assert_eq!(
        answer.verdict,
        LookUp::Present {
            remote_id: RemoteId::from("999")
        },
        "the oldest that is not known"
    );
    assert_eq!(answer.candidates, [RemoteId::from("999"), RemoteId::from("1000")]);
    let answer = look([page(posts())], "t", None, &["998", "999", "1000"]).await;
    assert_eq!((answer.verdict, answer.candidates), (LookUp::Absent, vec![]));
}

#[tokio::test]
async fn every_page_is_read_before_absent_counts() {
    let with_next = |posts: Vec<Value>, token: &str| {
        json(
            200,
            &json!({"meta": {"result_count": posts.len(), "next_token": token}, "data": posts}),
        )
    };
    let other = || vec![post("9", "other", json!({}))];
    let answer = look(
        [with_next(other(), "n"), page(vec![post("7", "t", json!({}))])],
        "t",
        None,
        &[],
    )
    .await;
    assert_eq!(
        answer.verdict,
        LookUp::Present {
            remote_id: RemoteId::from("7")
        }
    );
    let answer = look([with_next(other(), "n"), page(other())], "t", None, &[]).await;
    assert_eq!(answer.verdict, LookUp::Absent);
    let endless = || (0..3).map(|n| with_next(other(), &format!("n{n}")));
    assert!(matches!(
        look(endless(), "t", None, &[]).await.verdict,
        LookUp::Unreadable { token_dead: false, .. }
    ));
    let answer = look([with_next(other(), "n"), answer_of(503)], "t", None, &[]).await;
    assert!(matches!(answer.verdict, LookUp::Unreadable { .. }));
}

fn answer_of(status: u16) -> End {
    answer(status, &[], "")
}

#[tokio::test]
async fn an_empty_timeline_is_an_answer() {
    for body in [
        json!({"meta": {"result_count": 0}}),
        json!({"data": [], "meta": {"result_count": 0}}),
        json!({"data": []}),
        json!({"meta": {"result_count": 0}, "errors": [{"title": "t", "type": "about:blank"}]}),
    ] {
        assert_eq!(
            look([json(200, &body)], "t", None, &[]).await.verdict,
            LookUp::Absent,
            "{body}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_no_answer() {
    let reset = (NOW.0 / 1_000 + 9).to_string();
    let limited = answer(
        429,
        &[("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", &reset)],
        "",
    );
    let forbidden = json(403, &json!({"title": "Forbidden", "detail": "You may not."}));
    for (end, at, dead, words) in [
        (limited, Some(NOW + Millis(9_000)), false, "rate limit"),
        (answer_of(401), None, true, "connect the account again"),
        (answer_of(402), None, false, "credit"),
        (forbidden, None, false, "You may not"),
        (
            json(404, &json!({"detail": "No such user."})),
            None,
            false,
            "No such user",
        ),
        (answer_of(404), None, false, "404"),
        (answer_of(307), None, false, "`X_API_URL`"),
        (answer_of(500), None, false, "500"),
        (broken(HttpErrorKind::MaybeSent), None, false, "could not be asked"),
        (broken(HttpErrorKind::NotSent), None, false, "could not be asked"),
        (answer(200, &[], ""), None, false, "ends too early"),
        (
            answer(200, &[], r#"{"data":[{"id":"7","#),
            None,
            false,
            "ends too early",
        ),
        (answer(200, &[], "<html>"), None, false, "not JSON"),
        (json(200, &json!([])), None, false, "another shape"),
        (json(200, &json!({})), None, false, "without a list"),
        (json(200, &json!({"data": {}})), None, false, "another shape"),
        (json(200, &json!({"data": [{"id": "7"}]})), None, false, "another shape"),
        (
            json(200, &json!({"meta": {"result_count": 3}})),
            None,
            false,
            "without a list",
        ),
        (
            json(
                200,
                &json!({"errors": [{"detail": "Suspended.", "type": "about:blank"}]}),
            ),
            None,
            false,
            "Suspended",
        ),
        (page(vec![post("seven", "t", json!({}))]), None, false, "not a number"),
    ] {
        let shown = format!("{end:?}");
        match look([end], "t", None, &[]).await.verdict {
            LookUp::Unreadable {
                message,
                retry_at,
                token_dead,
            } => {
                assert_eq!((retry_at, token_dead), (at, dead), "{shown}");
                assert!(message.contains(words), "{message}");
            }
            other => panic!("{shown}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_not_understood_is_asked_in_the_other_vocabulary() {
    let bare = || page(vec![post("7", "t", json!({"created_at": null}))]);
    let refused = || {
        json(
            400,
            &json!({"title": "Invalid Request", "detail": "Unknown parameter."}),
        )
    };
    for not_understood in [bare, refused] {
        let user = RemoteUserId::from("42");
        let query = LookUpQuery {
            remote_user_id: &user,
            text: "t",
            reply_to: None,
            since: NOW,
            known_ids: &[],
            media_count: 0,
            options: None,
            handles: &[],
            attempts: 1,
        };
        let fake = Fake::new([not_understood(), page(vec![post("7", "t", json!({}))])]);
        let answer = fake.client().look_up(&AccessToken::new("t"), &query).await;
        assert_eq!(
            answer.verdict,
            LookUp::Present {
                remote_id: RemoteId::from("7")
            }
        );
        let asked: Vec<bool> = fake
            .asked()
            .iter()
            .map(|request| request.url.contains("post.fields"))
            .collect();
        assert_eq!(asked, [false, true]);
        let answer = look([not_understood(), not_understood()], "t", None, &[]).await;
        assert!(
            matches!(answer.verdict, LookUp::Unreadable { token_dead: false, .. }),
            "and no more than once"
        );
    }
}
