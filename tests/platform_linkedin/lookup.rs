//! What is looked for after an ambiguous call: an organisation's posts are read, a member's cannot be.

use crate::fake::{End, Fake, NOW, broken, json, problem, token};
use psn::domain::id::{RemoteId, RemoteUserId};
use psn::domain::media::{Handle, set_handle};
use psn::domain::outcome::LookUp;
use psn::domain::time::{Millis, Timestamp};
use psn::platforms::{LookUpQuery, PlatformClient};
use psn::ports::http::HttpErrorKind;
use serde_json::{Value, json as value};

const ORGANIZATION: &str = "{\"author\":\"urn:li:organization:42\"}";
const SINCE: Timestamp = Timestamp(NOW.0 - 60_000);

fn post(id: &str, commentary: &str, made: Timestamp) -> Value {
    value!({
        "id": id, "author": "urn:li:organization:42", "commentary": commentary, "createdAt": made.0,
        "lifecycleState": "PUBLISHED",
    })
}

fn page(posts: &[Value]) -> End {
    json(200, &value!({"paging": {"start": 0}, "elements": posts}))
}

struct Asked<'a> {
    text: &'a str,
    known: &'a [RemoteId],
    handles: &'a [Handle],
    options: Option<&'a str>,
    attempts: u32,
}

const ASKED: Asked<'_> = Asked {
    text: "a (b) #psn",
    known: &[],
    handles: &[],
    options: Some(ORGANIZATION),
    attempts: 1,
};

async fn look(fake: &Fake, asked: &Asked<'_>, probe: bool, now: Timestamp) -> LookUp {
    let member = RemoteUserId::from("a-1");
    let query = LookUpQuery {
        remote_user_id: &member,
        text: asked.text,
        reply_to: None,
        since: SINCE,
        known_ids: asked.known,
        media_count: 0,
        options: asked.options,
        handles: asked.handles,
        attempts: asked.attempts,
    };
    let answer = fake.client_with(now, probe).look_up(&token(), &query).await;
    let first = answer.candidates.first();
    assert_eq!(first.is_some(), matches!(answer.verdict, LookUp::Present { .. }));
    answer.verdict
}

async fn found(ends: Vec<End>, asked: &Asked<'_>) -> LookUp {
    look(&Fake::new(ends), asked, false, NOW).await
}

fn present(id: &str) -> LookUp {
    LookUp::Present {
        remote_id: RemoteId::from(id),
    }
}

#[tokio::test]
async fn an_organizations_posts_are_read_newest_first() {
    let fake = Fake::new([page(&[])]);
    assert_eq!(look(&fake, &ASKED, false, NOW).await, LookUp::Absent);
    let request = &fake.asked()[0];
    assert_eq!(
        request.url,
        "http://linkedin.test/rest/posts?author=urn%3Ali%3Aorganization%3A42&q=author&start=0&count=100&sortBy=CREATED"
    );
    assert_eq!(request.headers["x-restli-method"], "FINDER");
    assert_eq!(request.headers["linkedin-version"], "202609");
}

#[tokio::test]
async fn a_post_is_found_by_what_people_see_of_it() {
    let (id, text) = ("urn:li:share:7", r"a \(b\) #psn");
    for (posts, expected) in [
        (vec![post(id, text, SINCE)], present(id)),
        (vec![post(id, r"a \(b\) {hashtag|\#|psn}", SINCE)], present(id)),
        (vec![post(id, r" a  \(b\) #psn", SINCE - Millis(59_000))], present(id)),
        (vec![post(id, text, SINCE - Millis(61_000))], LookUp::Absent),
        (vec![post(id, r"a \(c\) #psn", SINCE)], LookUp::Absent),
        (vec![post(id, "a", SINCE)], LookUp::Absent),
        (vec![], LookUp::Absent),
        // The oldest of several.
        (
            vec![
                post("urn:li:share:9", text, SINCE + Millis(2)),
                post("urn:li:share:8", text, SINCE),
            ],
            present("urn:li:share:8"),
        ),
    ] {
        assert_eq!(found(vec![page(&posts)], &ASKED).await, expected, "{posts:?}");
    }
    let known = [RemoteId::from(id)];
    let asked = Asked { known: &known, ..ASKED };
    assert_eq!(
        found(vec![page(&[post(id, text, SINCE)])], &asked).await,
        LookUp::Absent
    );
}

#[tokio::test]
async fn states_are_told_apart() {
    let with = |state: &str| {
        let mut post = post("urn:li:share:7", r"a \(b\) #psn", SINCE);
        post["lifecycleState"] = state.into();
        vec![page(&[post])]
    };
    assert_eq!(found(with("PUBLISH_FAILED"), &ASKED).await, LookUp::Absent);
    assert!(matches!(
        found(with("PUBLISH_REQUESTED"), &ASKED).await,
        LookUp::Processing { .. }
    ));
}

#[tokio::test]
async fn without_a_text_the_media_tell() {
    let mut handles = Vec::new();
    set_handle(&mut handles, "media.1.id", "urn:li:image:7");
    set_handle(&mut handles, "media.1.sent", "1");
    let asked = Asked {
        text: "",
        handles: &handles,
        ..ASKED
    };
    let with = |image: &str| {
        let mut post = post("urn:li:share:7", "", SINCE);
        post["content"] = value!({"media": {"id": image}});
        vec![page(&[post])]
    };
    assert_eq!(found(with("urn:li:image:7"), &asked).await, present("urn:li:share:7"));
    assert_eq!(found(with("urn:li:image:8"), &asked).await, LookUp::Absent);
}

#[tokio::test]
async fn pages_are_read_as_far_as_the_time_in_question() {
    let full = |made: Timestamp| page(&vec![post("urn:li:share:1", "other", made); 100]);
    let wanted = post("urn:li:share:7", r"a \(b\) #psn", SINCE);
    let fake = Fake::new([full(NOW), page(std::slice::from_ref(&wanted))]);
    assert_eq!(look(&fake, &ASKED, false, NOW).await, present("urn:li:share:7"));
    assert!(fake.asked()[1].url.contains("start=100&"), "{}", fake.asked()[1].url);
    assert_eq!(found(vec![full(SINCE - Millis(61_000))], &ASKED).await, LookUp::Absent);
    let too_many = found(vec![full(NOW), full(NOW), full(NOW)], &ASKED).await;
    assert!(matches!(too_many, LookUp::Unreadable { .. }), "{too_many:?}");
}

#[tokio::test]
async fn what_cannot_be_read_says_nothing() {
    for (end, dead, at_midnight) in [
        (broken(HttpErrorKind::MaybeSent), false, false),
        (problem(500, "ERROR"), false, false),
        (problem(409, "CONFLICT"), false, false),
        (problem(426, "NONEXISTENT_VERSION"), false, false),
        (problem(429, "TOO_MANY_REQUESTS"), false, true),
        (problem(401, "EXPIRED_ACCESS_TOKEN"), true, false),
        (
            json(200, &value!({"elements": [{"id": "urn:li:share:7"}]})),
            false,
            false,
        ),
        (json(200, &value!({})), false, false),
    ] {
        let words = format!("{end:?}");
        let LookUp::Unreadable {
            token_dead, retry_at, ..
        } = found(vec![end], &ASKED).await
        else {
            panic!("{words}");
        };
        assert_eq!((token_dead, retry_at.is_some()), (dead, at_midnight), "{words}");
    }
    let denied = found(vec![problem(403, "ACCESS_DENIED")], &ASKED).await;
    let LookUp::Impossible { message } = denied else {
        panic!("{denied:?}");
    };
    assert!(
        message.contains("https://www.linkedin.com/company/42/posts/"),
        "{message}"
    );
    assert!(message.contains("`psn post resolve`"), "{message}");
}

#[tokio::test]
async fn a_members_posts_are_a_persons_business() {
    for attempts in [1, 2] {
        for age in [0, 30_000, 400_000] {
            let asked = Asked {
                options: None,
                attempts,
                ..ASKED
            };
            let fake = Fake::new([]);
            let LookUp::Impossible { message } = look(&fake, &asked, false, SINCE + Millis(age)).await else {
                panic!("without the probe nothing is sent again");
            };
            assert!(
                message.contains("https://www.linkedin.com/in/me/recent-activity/all/"),
                "{message}"
            );
            assert!(message.contains("`psn post resolve`"), "{message}");
            assert!(fake.asked().is_empty(), "nothing is asked that will be refused");
        }
    }
}

#[tokio::test]
async fn the_probe_has_a_window_and_one_call() {
    for (attempts, age, expected) in [
        (1, 0, "later"),
        (1, 29_999, "later"),
        (1, 30_000, "again"),
        (1, 480_000, "again"),
        (1, 480_001, "person"),
        (2, 0, "person"),
        (2, 60_000, "person"),
        (0, 60_000, "person"),
    ] {
        let asked = Asked {
            options: None,
            attempts,
            ..ASKED
        };
        let found = match look(&Fake::new([]), &asked, true, SINCE + Millis(age)).await {
            LookUp::Unreadable {
                retry_at, token_dead, ..
            } => {
                assert_eq!((retry_at, token_dead), (Some(SINCE + Millis(30_000)), false));
                "later"
            }
            LookUp::NotOut => "again",
            LookUp::Impossible { .. } => "person",
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{attempts} attempts, {age} ms");
    }
}
