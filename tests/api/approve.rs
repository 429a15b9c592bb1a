//! The page behind an approval's link: what it shows, that looking changes nothing, and every way it can be too late. In
//! Chromium it is opened on a desktop and on a telephone, and a post is rejected with its button.

use crate::browser;
use crate::fake::*;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use psn::domain::id::{HubId, UserId};
use psn::domain::labels::Labels;
use psn::domain::media::{MediaId, MediaKind, Medium};
use psn::domain::publish::{Approval, ApprovalStatus, Plan, ReviewVerdict};
use psn::domain::time::{Millis, Timestamp};
use psn::ports::media::{MediaBytes as _, MediaStore as _};
use psn::ports::objects::{PostReply, PostRequest, PostSnapshot};
use psn::store::seal::AddressSigner;
use psn::tasks::notify::links::Links;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::process::Stdio;
use tower_service::Service;

const HASH: &str = "5d41402abc4b2a76b9719d911017c592aa";

fn submitted(parts: &[&str]) -> PostSnapshot {
    let mut post = snapshot(Plan {
        hash: HASH.to_owned(),
        scheduled_at: Some(Timestamp::parse("2026-12-24T08:00:00Z").unwrap()),
        labels: Labels {
            hub_id: Some(HubId::from("hub_1")),
            ..Labels::default()
        },
        ..plan("default", parts)
    });
    post.view.approval = Some(approval(ApprovalStatus::Submitted));
    post
}

fn approval(status: ApprovalStatus) -> Approval {
    let reviewed = matches!(status, ApprovalStatus::Approved | ApprovalStatus::Rejected);
    Approval {
        status,
        reviewer: reviewed.then(|| UserId::from("bob")),
        comment: (status == ApprovalStatus::Rejected).then(|| "which <year>?".to_owned()),
        at: NOW,
        edited: false,
        number: 4,
    }
}

/// The path of the link that Eve was sent at that time.
fn link(post: &PostSnapshot, at: Timestamp) -> String {
    let origin = "https://psn.example".to_owned();
    let signer = AddressSigner::new(&"07".repeat(32).as_str().into()).unwrap();
    let links = Links { origin, signer };
    let address = links.approval(&post.plan.post_id, &UserId::from("eve"), HASH, at);
    address.strip_prefix("https://psn.example").unwrap().to_owned()
}

struct Shown {
    status: StatusCode,
    policy: String,
    html: String,
}

async fn open(client: &mut Client, request: Request<Body>) -> Shown {
    let (method, path) = (request.method().clone(), request.uri().to_string());
    let (parts, body) = client.router.call(request).await.unwrap().into_parts();
    let html = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let header = |name: &str| parts.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/html; charset=utf-8", "{html}");
    crate::described::check_answer(
        method.as_str(),
        &path,
        parts.status.as_u16(),
        "text/html",
        &Value::String(html.clone()),
    );
    assert_eq!(
        (header("cache-control"), header("referrer-policy")),
        ("no-store".into(), "no-referrer".into())
    );
    assert!(!html.contains("<script"), "{html}");
    Shown {
        status: parts.status,
        policy: header("content-security-policy"),
        html,
    }
}

async fn get(client: &mut Client, path: &str) -> Shown {
    open(client, Request::get(path).body(Body::empty()).unwrap()).await
}

async fn post(client: &mut Client, path: &str, form: &str) -> Shown {
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    open(client, request.body(Body::from(form.to_owned())).unwrap()).await
}

fn reviewing() -> Client {
    let client = Client::new();
    client.fake.0.lock().unwrap().admins = vec![(UserId::from("eve"), HubId::from("hub_1"))];
    client.fake.0.lock().unwrap().time_zone = Some("Europe/Berlin".to_owned());
    client
}

#[tokio::test]
async fn the_post_is_shown_as_it_will_look_and_looking_changes_nothing() {
    let mut client = reviewing();
    let mut shown = submitted(&["<b>One</b> & #tea by @ada", "Two"]);
    shown.plan.media = vec![vec![picture(b"p", "A cup of \"tea\"")]];
    let path = link(&shown, NOW);
    client.fake.put(shown);
    client.fake.asked();
    let page = get(&mut client, &path).await;
    assert_eq!(page.status, StatusCode::OK);
    for said in [
        "A thread of 2 on X",
        "&lt;b&gt;One&lt;/b&gt; &amp; <i>#tea</i> by <i>@ada</i>",
        "Thu 24 December 2026, 09:00<small>Europe/Berlin</small>",
        "<dd>@ada</dd>",
        "25 of 280 characters",
        "3 of 280 characters",
        "1 of 2",
        "alt=\"A cup of &quot;tea&quot;\"",
        "value=\"approve\"",
        "value=\"reject\"",
    ] {
        assert!(page.html.contains(said), "{said}\n{}", page.html);
    }
    let escaped = path.replace('&', "&amp;");
    assert!(page.html.contains(&format!("action=\"{escaped}\"")), "{}", page.html);
    assert!(
        page.policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{}",
        page.policy
    );
    assert!(
        page.policy
            .ends_with("img-src 'self'; media-src 'self'; form-action 'self'"),
        "{}",
        page.policy
    );
    // Programs that look ahead add words of their own to addresses.
    assert_eq!(
        get(&mut client, &format!("{path}&utm_source=mail")).await.status,
        StatusCode::OK
    );
    assert!(client.fake.asked().iter().all(|request| *request == PostRequest::Show));
}

#[tokio::test]
async fn one_button_approves_and_one_rejects() {
    let mut client = reviewing();
    let waiting = submitted(&["One"]);
    let path = link(&waiting, NOW);
    client.fake.put(waiting.clone());
    for (form, verdict, comment, status, said) in [
        (
            "decision=approve&reason=ignored",
            ReviewVerdict::Approved,
            None,
            ApprovalStatus::Approved,
            "<h2>Approved</h2><p>It goes out Thu 2026-12-24 09:00 Europe/Berlin.",
        ),
        (
            "decision=reject&reason=+which%0D%0Ayear%3F",
            ReviewVerdict::Rejected,
            Some("which\nyear?"),
            ApprovalStatus::Rejected,
            "<h2>Rejected</h2>",
        ),
    ] {
        let mut after = waiting.clone();
        after.view.approval = Some(approval(status));
        client.fake.asked();
        client.fake.answer_next(PostReply::Post(Box::new(after)));
        let page = post(&mut client, &path, form).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(
            page.html.contains(said) && !page.html.contains("<form"),
            "{}",
            page.html
        );
        let expected = PostRequest::Review {
            verdict,
            user: UserId::from("eve"),
            comment: comment.map(str::to_owned),
            hash: Some(HASH.to_owned()),
            edition: None,
        };
        assert_eq!(client.fake.asked().last(), Some(&expected));
    }
    // Somebody was quicker.
    let message = "it does not wait for an approval (it is rejected): its author submits it first".to_owned();
    client.fake.answer_next(PostReply::Conflict { message });
    let page = post(&mut client, &path, "decision=approve").await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert!(
        page.html.contains("Nothing was changed") && page.html.contains("(it is rejected)"),
        "{}",
        page.html
    );
    client.fake.asked();
    for form in ["", "decision=maybe", "reason=x"] {
        assert_eq!(post(&mut client, &path, form).await.status, StatusCode::BAD_REQUEST);
    }
    let long = format!("decision=reject&reason={}", "a".repeat(40_000));
    assert_eq!(
        post(&mut client, &path, &long).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    assert!(client.fake.asked().iter().all(|request| *request == PostRequest::Show));
}

#[tokio::test]
async fn what_is_settled_is_shown_without_buttons() {
    let mut client = reviewing();
    for (status, said) in [
        (Some(ApprovalStatus::Approved), "It was approved by bob."),
        (
            Some(ApprovalStatus::Rejected),
            "It was rejected by bob. They said: which &lt;year&gt;?",
        ),
        (Some(ApprovalStatus::Draft), "Nobody asks any more"),
        (None, "Nobody asks any more"),
    ] {
        let mut settled = submitted(&["One"]);
        settled.view.approval = status.map(approval);
        let path = link(&settled, NOW);
        client.fake.put(settled);
        let page = get(&mut client, &path).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(
            page.html.contains(said) && !page.html.contains("<form"),
            "{said}\n{}",
            page.html
        );
    }
}

#[tokio::test]
async fn a_link_is_good_for_its_reviewer_its_content_and_its_time() {
    let mut client = reviewing();
    let waiting = submitted(&["One"]);
    let path = link(&waiting, NOW);
    client.fake.put(waiting.clone());
    client.fake.asked();
    let ended = link(&waiting, NOW - Millis(7 * 86_400_000));
    let other = path.replace("as=eve", "as=bob");
    let cut = path[..path.len() - 1].to_owned();
    for (path, status, said) in [
        (ended.as_str(), StatusCode::GONE, "expired"),
        (&other, StatusCode::NOT_FOUND, "not one of ours"),
        (&cut, StatusCode::NOT_FOUND, "not one of ours"),
        ("/approve/1?as=eve", StatusCode::NOT_FOUND, "not one of ours"),
        ("/approve/", StatusCode::NOT_FOUND, ""),
    ] {
        if path != "/approve/" {
            let page = get(&mut client, path).await;
            assert!(
                page.status == status && page.html.contains(said),
                "{path}: {}",
                page.html
            );
            assert_eq!(
                post(&mut client, path, "decision=approve").await.status,
                status,
                "{path}"
            );
        }
    }
    assert!(
        client.fake.asked().is_empty(),
        "nothing was asked before the link was judged"
    );

    // Changed since: nobody approves what they did not see.
    let mut changed = waiting.clone();
    changed.plan.hash = "another".to_owned();
    client.fake.put(changed);
    for page in [
        get(&mut client, &path).await,
        post(&mut client, &path, "decision=approve").await,
    ] {
        assert!(
            page.status == StatusCode::CONFLICT && page.html.contains("It was changed since"),
            "{}",
            page.html
        );
    }
    // No admin of the hub any more: the post is nobody's business.
    client.fake.put(waiting);
    client.fake.0.lock().unwrap().admins.clear();
    for page in [
        get(&mut client, &path).await,
        post(&mut client, &path, "decision=approve").await,
    ] {
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        assert!(!page.html.contains("One</p>"), "{}", page.html);
    }
    client.fake.0.lock().unwrap().posts.clear();
    assert_eq!(get(&mut client, &path).await.status, StatusCode::NOT_FOUND);
    assert!(client.fake.asked().iter().all(|request| *request == PostRequest::Show));
}

fn picture(bytes: &[u8], alt: &str) -> Medium {
    Medium {
        id: MediaId(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()),
        kind: MediaKind::Image,
        mime: "image/svg+xml".to_owned(),
        bytes: bytes.len() as u64,
        width: Some(1600),
        height: Some(900),
        duration_ms: None,
        alt_text: (!alt.is_empty()).then(|| alt.to_owned()),
        title: None,
    }
}

const CUP: &str = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1600 900' width='1600' height='900'><linearGradient id='g' x2='1' y2='1'>\
    <stop stop-color='#f6d365'/><stop offset='1' stop-color='#fda085'/></linearGradient><path fill='url(#g)' d='M0 0h1600v900H0z'/>\
    <circle cx='800' cy='450' r='220' fill='#fff' fill-opacity='.75'/></svg>";
const LEAF: &str = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1600 900' width='1600' height='900'><path fill='#1f6f5c' d='M0 0h1600v900H0z'/>\
    <path fill='#9fe0bd' d='M500 700Q500 200 1100 200 1100 700 500 700'/></svg>";

/// Gives an answer the bytes that the Worker's shell would let flow.
async fn flow(
    axum::extract::State(media): axum::extract::State<std::sync::Arc<psn::ports::memory::MemoryMedia>>,
    request: Request<Body>,
    next: axum::middleware::Next,
) -> axum::response::Response {
    let mut response = next.run(request).await;
    let streamed = response.extensions_mut().remove::<psn::api::served::Streamed>();
    if let Some(psn::api::served::Streamed(range)) = streamed {
        *response.body_mut() = Body::from(media.read(&range).await.unwrap());
    }
    response
}

#[tokio::test]
async fn in_chromium_on_a_desktop_and_on_a_telephone() {
    let Some(chromium) = browser::find() else { return };
    let client = reviewing();
    let mut waiting = submitted(&[
        "Why does green tea turn bitter?\n\nNot because of the leaf. It is the water: above 80 °C it draws out what you \
         do not want in a cup. #tea",
        "So let it cool for three minutes, or add a little cold water first. @ada measured it for a year:\nhttps://tea.example/80",
        "That is all. Short, cool, done.",
    ]);
    let media = client.fake.0.lock().unwrap().media.clone();
    let mut pictures = Vec::new();
    for (picture_of, alt) in [(CUP, "A cup of tea seen from above, in warm light"), (LEAF, "")] {
        let medium = picture(picture_of.as_bytes(), alt);
        media
            .put(&medium.id, picture_of.as_bytes().to_vec().into())
            .await
            .unwrap();
        media.describe(&medium).await.unwrap();
        pictures.push(medium);
    }
    waiting.plan.media = vec![vec![pictures[0].clone()], pictures, Vec::new()];
    let path = link(&waiting, NOW);
    let mut after = waiting.clone();
    after.view.approval = Some(approval(ApprovalStatus::Rejected));
    client.fake.put(waiting);
    client.fake.answer_next(PostReply::Post(Box::new(after)));
    client.fake.asked();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{path}", listener.local_addr().unwrap());
    let router = client
        .router
        .clone()
        .layer(axum::middleware::from_fn_with_state(media, flow));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let folder = tempfile::tempdir().unwrap();
    let driver = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/approve.mjs");
    let mut node = tokio::process::Command::new("node");
    node.args([
        driver.as_ref(),
        chromium.as_os_str(),
        folder.path().as_os_str(),
        url.as_ref(),
    ]);
    let ended = node.stdin(Stdio::null()).status().await.unwrap();
    server.abort();
    assert!(ended.success(), "the browser saw no decision within a minute");
    let seen: Value = serde_json::from_slice(&std::fs::read(folder.path().join("seen.json")).unwrap()).unwrap();
    assert_eq!(seen["complaints"], serde_json::json!([]), "{seen:#}");
    assert_eq!(seen["title"], "psn: A thread of 3 on X");
    for place in ["desktop", "phone"] {
        let one = &seen[place];
        assert_eq!(one["overflow"], false, "{place}: {seen:#}");
        assert_eq!(
            one["pictures"],
            serde_json::json!([1600, 1600, 1600]),
            "{place}: {seen:#}"
        );
        assert_eq!(one["approve_in_sight"], true, "{place}: {seen:#}");
    }
    assert_eq!(seen["decided"], "Rejected", "{seen:#}");
    // Nothing but this Worker was asked for anything.
    let origin = url.split("/approve").next().unwrap();
    let others: Vec<_> = seen["requests"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|url| !url.as_str().unwrap().starts_with(origin))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    let Some(PostRequest::Review {
        verdict: ReviewVerdict::Rejected,
        comment,
        ..
    }) = client.fake.asked().pop()
    else {
        panic!("{seen:#}");
    };
    assert_eq!(comment.as_deref(), Some("which year?\nand where?"));
    if let Some(kept) = std::env::var_os("PSN_SCREENSHOTS") {
        for name in ["desktop.png", "phone.png", "reject.png", "decided.png"] {
            std::fs::copy(folder.path().join(name), std::path::Path::new(&kept).join(name)).unwrap();
        }
    }
}
