//! An assistant's session inside of the runtime: one with a handshake, one call without, and how it is asked for more rights.

use crate::site::{Answer, Site};
use reqwest::Method;
use serde_json::{Value, json};

const META: &str = "io.modelcontextprotocol/";

/// A message of a client with a handshake.
async fn say(site: &Site, message: &Value) -> Answer {
    let request = site.request(Method::POST, "/mcp", Some(message));
    let request = request
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-11-25");
    site.send(request).await.unwrap()
}

async fn ask(site: &Site, id: u32, method: &str, params: Value) -> Value {
    let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
    let answer = say(site, &message).await;
    assert_eq!(
        (answer.status, &answer.body["id"]),
        (200, &json!(id)),
        "{}",
        answer.body
    );
    answer.body["result"].clone()
}

async fn tool(site: &Site, id: u32, name: &str, arguments: Value) -> Value {
    let result = ask(site, id, "tools/call", json!({ "name": name, "arguments": arguments })).await;
    assert_ne!(result["isError"], true, "{name}: {result:#}");
    result["structuredContent"].clone()
}

pub async fn play(site: &Site) {
    let post = a_session_with_a_handshake(site).await;
    one_call_without(site, &post).await;
    challenges_name_where_the_runtime_is_found(site).await;
}

async fn a_session_with_a_handshake(site: &Site) -> Value {
    let client = json!({ "name": "a test", "version": "1" });
    let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
    let greeted = ask(site, 1, "initialize", hello).await;
    assert_eq!(greeted["protocolVersion"], "2025-11-25", "{greeted:#}");
    assert_eq!(greeted["serverInfo"]["name"], "psn");
    let told = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(say(site, &told).await.status, 202);
    let listed = ask(site, 2, "tools/list", json!({})).await;
    let names: Vec<&str> = listed["tools"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    for name in ["preview_post", "create_post", "schedule_post", "show_post"] {
        assert!(names.contains(&name), "{names:?}");
    }

    let text = "An assistant wrote this inside of the runtime.";
    let preview = tool(site, 3, "preview_post", json!({ "platform": "x", "content": text })).await;
    assert_eq!(
        (&preview["valid"], &preview["parts"][0]["text"]),
        (&json!(true), &json!(text)),
        "{preview:#}"
    );
    let draft = json!({ "platform": "x", "content": text });
    let made = tool(site, 4, "create_post", draft.clone()).await;
    let id = made["posts"][0]["id"].clone();
    // Said again, as where an answer was lost, there is one.
    assert_eq!(tool(site, 5, "create_post", draft).await["posts"][0]["id"], id);
    let at = json!({ "post_id": id, "scheduled_at": "2031-03-03 09:00", "time_zone": "Europe/Berlin" });
    let scheduled = tool(site, 6, "schedule_post", at).await;
    assert_eq!(
        scheduled["post"]["scheduled_at"], "2031-03-03T08:00:00.000Z",
        "{scheduled:#}"
    );
    let shown = tool(site, 7, "show_post", json!({ "post_id": id, "history": true })).await;
    assert_eq!(shown["post"]["status"], "scheduled", "{shown:#}");
    assert_eq!(
        site.get(&format!("/v1/posts/{}", id.as_str().unwrap())).await["status"],
        "scheduled"
    );
    id
}

/// The revision without a handshake: the request says by itself what its client is.
async fn one_call_without(site: &Site, post: &Value) {
    let mut params = json!({ "name": "cancel_post", "arguments": { "post_id": post } });
    params["_meta"] = json!({
        format!("{META}protocolVersion"): "2026-07-28",
        format!("{META}clientCapabilities"): {},
        format!("{META}clientInfo"): { "name": "a test", "version": "1" },
    });
    let message = json!({ "jsonrpc": "2.0", "id": "one", "method": "tools/call", "params": params });
    let stateless = |revision: &str| {
        site.request(Method::POST, "/mcp", Some(&message))
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", revision)
            .header("mcp-method", "tools/call")
            .header("mcp-name", "cancel_post")
    };
    // Headers that say another thing than the body are refused before anything is done.
    let mismatch = site.send(stateless("2025-11-25")).await.unwrap();
    assert_eq!(
        (mismatch.status, &mismatch.body["error"]["code"]),
        (400, &json!(-32020)),
        "{}",
        mismatch.body
    );
    let answer = site.send(stateless("2026-07-28")).await.unwrap();
    let result = &answer.body["result"];
    assert_eq!(
        (answer.status, &answer.body["id"]),
        (200, &json!("one")),
        "{}",
        answer.body
    );
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["_meta"][format!("{META}serverInfo")]["name"], "psn");
    assert_eq!(result["structuredContent"]["post"]["status"], "draft", "{result:#}");
}

/// Who may not, and who may too little, is led to the description of this very worker.
async fn challenges_name_where_the_runtime_is_found(site: &Site) {
    let described = format!(
        "resource_metadata=\"{}\"",
        site.url("/.well-known/oauth-protected-resource/mcp")
    );
    let challenge = async |request: reqwest::RequestBuilder| {
        let answer = request.send().await.unwrap();
        let challenge = answer.headers().get("www-authenticate");
        (
            answer.status().as_u16(),
            challenge.map(|text| text.to_str().unwrap().to_owned()),
        )
    };
    let nobody = site
        .http
        .post(site.url("/mcp"))
        .header("content-type", "application/json")
        .body("{}");
    let wanted = format!("Bearer {described}, scope=\"read write publish\"");
    assert_eq!(challenge(nobody).await, (401, Some(wanted)));
    let reader = json!({ "name": "reader", "scopes": ["read"] });
    let token = site.call(Method::POST, "/v1/tokens", Some(&reader)).await.body;
    let reads = site
        .http
        .post(site.url("/v1/pause"))
        .bearer_auth(token["token"].as_str().unwrap());
    let wanted = format!("Bearer error=\"insufficient_scope\", scope=\"read publish\", {described}");
    assert_eq!(challenge(reads).await, (403, Some(wanted)));
    let listed = site.get("/.well-known/oauth-protected-resource/mcp").await;
    assert_eq!(listed["resource"], site.url("/mcp"));
}
