//! The official clients, of both generations, find their own way in.

use super::place::{Place, TOKEN};
use psn::domain::id::UserId;
use serde_json::{Value, json};
use std::process::Stdio;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_clients_are_let_in() {
    let place = Place::new("clients").await;
    let origin = place.listening().await;
    let driver = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oauth/assistants/sdk.mjs");
    let mut child = tokio::process::Command::new("node");
    child
        .args([driver, &origin, TOKEN])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let done = child.output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let came_to: Value = serde_json::from_slice(&done.stdout).unwrap();
    let ways = came_to.as_array().unwrap();
    assert_eq!(ways.len(), 2);
    for way in ways {
        assert_eq!(way["steps"], json!(["REDIRECT", "AUTHORIZED", "AUTHORIZED"]), "{way}");
        assert_eq!(way["state"], "a state");
        assert_eq!(way["resource"], format!("{origin}/mcp"));
        assert_eq!((&way["scope"], &way["isRenewed"]), (&json!("read write"), &json!(true)));
        assert!(way["tools"].as_u64().unwrap() > 5, "{way}");
    }
    // What was allowed before is asked for again, so that nothing is lost.
    let stepped = &ways[1]["steppedUp"];
    assert_eq!(stepped["asked"], "read write publish", "{stepped}");
    assert_eq!(
        (&stepped["scope"], &stepped["paused"]),
        (&stepped["asked"], &json!(true)),
        "{stepped}"
    );
    assert_ne!(stepped["refused"], "nothing", "{stepped}");
    let user = UserId::from("default");
    let listed = place.listed(&user).await;
    assert_eq!(listed.len(), 3);
    assert!(
        listed
            .iter()
            .all(|token| token.name == "An official client" && token.last_used_at.is_some())
    );
}
