//! Media at signed addresses.

use crate::fake::{Fake, NOW, app};
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use psn::api::served::Streamed;
use psn::domain::media::{MediaId, MediaKind, Medium};
use psn::domain::time::Timestamp;
use psn::ports::media::MediaStore;
use psn::store::seal::AddressSigner;
use tower_service::Service;

#[tokio::test]
async fn media_are_served_at_signed_addresses() {
    let fake = Fake::default();
    let medium = Medium {
        id: MediaId("a".repeat(64)),
        kind: MediaKind::Image,
        mime: "image/png".to_owned(),
        bytes: 1_000,
        width: None,
        height: None,
        duration_ms: None,
        alt_text: None,
        title: None,
    };
    let media = fake.0.lock().unwrap().media.clone();
    media.describe(&medium).await.unwrap();
    let mut router = app(&fake, Vec::new());
    let signer = AddressSigner::new(&"07".repeat(32).as_str().into()).unwrap();
    let address = signer.sign(&medium.id, Timestamp(NOW.0 + 60_000));
    // No token: whoever has the address may read.
    let mut ask = async |method: &str, path: &str, headers: &[(&str, &str)]| {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        router.call(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    let streamed = |answer: &axum::response::Response| {
        let range = answer
            .extensions()
            .get::<Streamed>()
            .map(|Streamed(range)| (range.first, range.length));
        let header = |name: &str| {
            answer
                .headers()
                .get(name)
                .map_or("", |value| value.to_str().unwrap())
                .to_owned()
        };
        (
            answer.status().as_u16(),
            range,
            header("content-length"),
            header("content-range"),
        )
    };
    let whole = ask("GET", &address, &[]).await;
    assert_eq!(
        streamed(&whole),
        (200, Some((0, 1_000)), "1000".to_owned(), String::new())
    );
    for (name, value) in [
        ("content-type", "image/png"),
        ("cache-control", "private"),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(whole.headers()[name], value);
    }
    let head = ask("HEAD", &address, &[("range", "bytes=0-1")]).await;
    assert_eq!(
        streamed(&head),
        (200, Some((0, 1_000)), "1000".to_owned(), String::new())
    );
    let part = ask("GET", &address, &[("range", "bytes=990-")]).await;
    assert_eq!(
        streamed(&part),
        (206, Some((990, 10)), "10".to_owned(), "bytes 990-999/1000".to_owned())
    );
    let same = format!("\"{}\"", medium.id);
    for (tag, status) in [(same.as_str(), 206), ("\"other\"", 200)] {
        let answer = ask("GET", &address, &[("range", "bytes=-1"), ("if-range", tag)]).await;
        assert_eq!(answer.status(), status, "{tag}");
    }
    let behind = ask("GET", &address, &[("range", "bytes=1000-")]).await;
    assert_eq!(
        streamed(&behind),
        (416, None, "0".to_owned(), "bytes */1000".to_owned())
    );

    let other = signer.sign(&MediaId("b".repeat(64)), Timestamp(NOW.0 + 60_000));
    let over = signer.sign(&medium.id, NOW);
    let mut answers = Vec::new();
    for wrong in [
        // Signed, but there is no such medium; over; not signed.
        other.as_str(),
        &over,
        &address[..address.len() - 4],
        &format!("{address}&x=1"),
        &address.replace("until=1", "until=2"),
        &address.replace("aaa", "bbb"),
        &format!("/media/{}", medium.id),
        "/media/x?until=1&sig=1",
    ] {
        let answer = ask("GET", wrong, &[]).await;
        assert_eq!(answer.status(), 404, "{wrong}");
        answers.push(answer.into_body().collect().await.unwrap().to_bytes());
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    assert_eq!(ask("POST", &address, &[]).await.status(), 405);
}
