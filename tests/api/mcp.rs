//! MCP from outside: messages of both kinds of clients, answers compared as a whole.

use crate::described;
use crate::fake::*;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use psn::api::auth::Caller;
use psn::api::scopes::{Scope, Scopes};
use psn::domain::id::UserId;
use serde_json::{Value, json};
use tower_service::Service;

const META: &str = "io.modelcontextprotocol/";

/// Sends what a client sends, and gives what it gets: status, kind, body.
async fn send(client: &mut Client, request: Request<Body>) -> Value {
    let (parts, body) = client.router.call(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let kind = parts
        .headers
        .get("content-type")
        .map_or("", |kind| kind.to_str().unwrap());
    let body = match kind {
        "" => Value::Null,
        "text/event-stream" => json!(String::from_utf8(bytes.to_vec()).unwrap()),
        _ => serde_json::from_slice(&bytes).unwrap(),
    };
    described::check_answer("POST", "/mcp", parts.status.as_u16(), kind, &body);
    json!({ "status": parts.status.as_u16(), "kind": kind, "body": body })
}

fn request(headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::post("/mcp").header("authorization", format!("Bearer {TOKEN}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

const JSON: (&str, &str) = ("content-type", "application/json");

/// A message of a client with a handshake.
async fn older(client: &mut Client, message: &Value) -> Value {
    let headers = [JSON, ("mcp-protocol-version", "2025-11-25")];
    send(client, request(&headers, message.to_string())).await
}

/// A message of a client of the current revision, with what it carries on every request.
async fn current(client: &mut Client, method: &str, params: Value, capabilities: Value) -> Value {
    let mut params = params;
    params["_meta"] = json!({
        format!("{META}protocolVersion"): "2026-07-28",
        format!("{META}clientCapabilities"): capabilities,
        format!("{META}clientInfo"): { "name": "test", "version": "1" },
    });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let mut headers = vec![JSON, ("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
    headers.extend(params["name"].as_str().map(|name| ("mcp-name", name)));
    send(client, request(&headers, message.to_string())).await
}

fn message(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

/// Calls a tool as an older client does: its result.
async fn tool(client: &mut Client, name: &str, arguments: Value) -> Value {
    let call = message("tools/call", json!({ "name": name, "arguments": arguments }));
    older(client, &call).await["body"]["result"].clone()
}

/// What an assistant reads of a result.
fn text(result: &Value) -> &str {
    result["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("{result:#}"))
}

#[tokio::test]
async fn both_kinds_of_clients_are_greeted() {
    let mut client = Client::new();
    let mut said = Vec::new();
    for version in ["2025-11-25", "2025-03-26", "2026-07-28", "1.0"] {
        let params =
            json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
        let sent = request(&[JSON], message("initialize", params).to_string());
        let answer = send(&mut client, sent).await;
        said.push(json!([version, answer["body"]["result"]["protocolVersion"]]));
        if version == "2025-11-25" {
            said.push(answer);
        }
    }
    let told = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    said.push(older(&mut client, &told).await);
    said.push(older(&mut client, &message("ping", json!({}))).await);
    said.push(current(&mut client, "server/discover", json!({}), json!({})).await);
    insta::assert_json_snapshot!("mcp_greetings", said);
}

#[tokio::test]
async fn what_there_is_is_listed() {
    let mut client = Client::new();
    let listed = current(&mut client, "tools/list", json!({}), json!({})).await;
    let (mut result, before) = (
        listed["body"]["result"].clone(),
        older(&mut client, &message("tools/list", json!({}))).await,
    );
    assert_eq!(result["tools"], before["body"]["result"]["tools"]);
    let tools = result["tools"].take();
    insta::assert_json_snapshot!("mcp_tools_envelope", result);
    let lines: Vec<String> = tools
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| {
            let (properties, hints) = (&tool["inputSchema"]["properties"], &tool["annotations"]);
            let names: Vec<&str> = properties.as_object().unwrap().keys().map(String::as_str).collect();
            let hint = |name: &str, short| if hints[name] == true { short } else { "" };
            format!(
                "{}{}{} ({})",
                tool["name"].as_str().unwrap(),
                hint("readOnlyHint", " looks"),
                hint("destructiveHint", " destroys"),
                names.join(", "),
            )
        })
        .collect();
    insta::assert_snapshot!("mcp_tools", lines.join("\n"));
    let prompts = current(&mut client, "prompts/list", json!({}), json!({})).await;
    insta::assert_json_snapshot!("mcp_prompts", prompts);
    let prompt = json!({ "name": "capture", "arguments": { "request": "clocks are odd" } });
    let got = current(&mut client, "prompts/get", prompt, json!({})).await;
    let text = got["body"]["result"]["messages"][0]["content"]["text"]
        .as_str()
        .unwrap();
    assert!(
        text.starts_with("Keep ideas with psn. What the person wants: clocks are odd\n"),
        "{text}"
    );
}

#[tokio::test]
async fn messages_that_make_no_sense() {
    let mut client = Client::new();
    let mut said = Vec::new();
    for (headers, body) in [
        (&[JSON][..], "{".to_owned()),
        (&[JSON], String::new()),
        (&[JSON], "7".to_owned()),
        (&[JSON], r#"{"id":1,"method":"ping"}"#.to_owned()),
        (&[JSON], message("tools/fetch", json!({})).to_string()),
        (&[JSON], message("tools/call", json!({})).to_string()),
        (
            &[JSON],
            message("tools/call", json!({ "name": "drop_tables" })).to_string(),
        ),
        (
            &[JSON],
            message("tools/call", json!({ "name": "list_posts", "arguments": [] })).to_string(),
        ),
        (&[JSON], message("tools/list", json!({ "cursor": "x" })).to_string()),
        (&[JSON], message("prompts/get", json!({ "name": "x" })).to_string()),
        (
            &[JSON, ("mcp-protocol-version", "1999-01-01")],
            message("ping", json!({})).to_string(),
        ),
        (
            &[JSON, ("mcp-protocol-version", "2026-07-28")],
            message("tools/list", json!({})).to_string(),
        ),
        (
            &[("content-type", "text/plain")],
            message("ping", json!({})).to_string(),
        ),
        (&[JSON, ("accept", "text/html")], message("ping", json!({})).to_string()),
        (
            &[JSON, ("idempotency-key", "ä")],
            message("ping", json!({})).to_string(),
        ),
    ] {
        let answer = send(&mut client, request(headers, body.clone())).await;
        said.push(json!({ "sent": body, "headers": headers[1..], "answer": answer }));
    }
    said.push(current(&mut client, "ping", json!({}), json!({})).await);
    said.push(current(&mut client, "tools/call", json!({ "name": "x" }), json!({})).await);
    insta::assert_json_snapshot!("mcp_wrong_messages", said);
    let large = message("ping", json!({ "padding": "x".repeat(300 * 1024) }));
    assert_eq!(older(&mut client, &large).await["status"], 413);
}

#[tokio::test]
async fn several_messages_in_one_request_where_the_revision_has_that() {
    let mut client = Client::new();
    let batch = json!([
        message("ping", json!({})),
        { "jsonrpc": "2.0", "method": "notifications/cancelled" },
        7,
        message("nothing", json!({})),
    ]);
    let mut said = Vec::new();
    for version in ["2025-03-26", "2025-06-18", "2026-07-28"] {
        let sent = request(&[JSON, ("mcp-protocol-version", version)], batch.to_string());
        said.push(json!([version, send(&mut client, sent).await]));
    }
    for batch in [json!([]), Value::from(vec![message("ping", json!({})); 21])] {
        said.push(send(&mut client, request(&[JSON], batch.to_string())).await);
    }
    let told = json!([{ "jsonrpc": "2.0", "method": "notifications/cancelled" }]);
    said.push(send(&mut client, request(&[JSON], told.to_string())).await);
    insta::assert_json_snapshot!("mcp_batches", said);
}

#[tokio::test]
async fn a_subscription_ends_at_once() {
    let mut client = Client::new();
    let listened = current(
        &mut client,
        "subscriptions/listen",
        json!({ "notifications": { "toolsListChanged": true } }),
        json!({}),
    );
    insta::assert_json_snapshot!("mcp_listen", listened.await);
}

#[tokio::test]
async fn who_is_let_in() {
    let mut client = Client::new();
    let ping = message("ping", json!({})).to_string();
    let bare = |headers: &[(&str, &str)]| {
        let mut request = Request::post("/mcp").header("host", "psn.example.dev");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::from(ping.clone())).unwrap()
    };
    let unknown = client.send(bare(&[JSON])).await;
    assert_eq!(unknown.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        unknown.headers["www-authenticate"],
        "Bearer resource_metadata=\"https://psn.example.dev/.well-known/oauth-protected-resource/mcp\", scope=\"read write publish\""
    );
    let token = format!("Bearer {TOKEN}");
    let authorized = ("authorization", token.as_str());
    let foreign = client
        .send(bare(&[JSON, authorized, ("origin", "https://evil.example")]))
        .await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    assert!(
        foreign.detail().contains("a page of another site sent this"),
        "{}",
        foreign.detail()
    );
    for origin in [&[][..], &[("origin", "https://psn.example.dev")]] {
        let headers = [&[JSON, authorized][..], origin].concat();
        assert_eq!(send(&mut client, bare(&headers)).await["status"], 200);
    }
    for method in ["GET", "DELETE", "PUT"] {
        let answer = client.call(method, "/mcp", Value::Null).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.headers["allow"], "POST");
    }
}

#[tokio::test]
async fn a_text_is_previewed_and_mended() {
    let mut client = Client::new();
    let long = "a".repeat(281);
    let wrong = tool(
        &mut client,
        "preview_post",
        json!({ "platform": "x", "content": ["one", long] }),
    )
    .await;
    assert_eq!(wrong["structuredContent"]["valid"], false);
    let right = tool(
        &mut client,
        "preview_post",
        json!({ "platform": "x", "content": ["one", "two"] }),
    )
    .await;
    let refused = tool(
        &mut client,
        "create_post",
        json!({ "platform": "x", "content": ["one", long, long] }),
    )
    .await;
    assert_eq!(refused["isError"], true);
    let unknown = tool(
        &mut client,
        "create_post",
        json!({ "platform": "x", "content": "one", "colour": "red" }),
    )
    .await;
    let said = [&wrong, &right, &refused, &unknown].map(text);
    insta::assert_snapshot!("mcp_previews", said.join("\n\n").replace(&long, "LONG"));
}

#[tokio::test]
async fn a_repeated_call_makes_one_post() {
    let mut client = Client::new();
    let arguments = json!({ "platform": "x", "content": "hello", "scheduled_at": "2026-11-24T09:00:00Z" });
    let first = tool(&mut client, "create_post", arguments.clone()).await;
    insta::assert_json_snapshot!("mcp_created", first);
    let again = tool(&mut client, "create_post", arguments.clone()).await;
    assert_eq!(again["structuredContent"], first["structuredContent"]);
    assert!(text(&again).starts_with("This call was made before; no second post was made.\n"));
    let made = |client: &Client| {
        let world = client.fake.0.lock().unwrap();
        (world.created, world.posts.len())
    };
    assert_eq!(made(&client), (1, 1));

    // Another text is another post, and so is the same one under another id.
    for other in [
        json!({ "platform": "x", "content": "hello!", "scheduled_at": "2026-11-24T09:00:00Z" }),
        json!({ "platform": "x", "content": "hello", "scheduled_at": "2026-11-24T09:00:00Z", "request_id": "2" }),
    ] {
        tool(&mut client, "create_post", other).await;
    }
    assert_eq!(made(&client), (3, 3));
    let reused = json!({ "platform": "x", "content": "other", "request_id": "2" });
    let reused = tool(&mut client, "create_post", reused).await;
    assert!(text(&reused).contains("was used for another body"), "{}", text(&reused));

    // Deleted in between, it is made anew: the person wants it.
    let id = first["structuredContent"]["posts"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    client.fake.0.lock().unwrap().posts.retain(|known, _| known.0 != id);
    let anew = tool(&mut client, "create_post", arguments).await;
    assert_ne!(anew["structuredContent"]["posts"][0]["id"], json!(id));
    assert!(text(&anew).starts_with("X post "), "{}", text(&anew));
}

#[tokio::test]
async fn a_refusal_of_before_does_not_stick() {
    let mut client = Client::new();
    let arguments = json!({ "platform": "linkedin", "content": "hello" });
    let account = psn::ports::objects::PostReply::Account { accounts: Vec::new() };
    client.fake.answer_next(account);
    let refused = tool(&mut client, "create_post", arguments.clone()).await;
    assert!(
        text(&refused).contains("Next: `list_accounts` names the accounts"),
        "{}",
        text(&refused)
    );
    let made = tool(&mut client, "create_post", arguments).await;
    assert_eq!(made["structuredContent"]["posts"][0]["status"], "draft", "{made:#}");
}

#[tokio::test]
async fn what_goes_out_at_once_takes_a_word() {
    let mut client = Client::new();
    for at in ["now", "in 30 seconds", "2026-11-23T09:00:20Z", "2026-11-23T08:59:30Z"] {
        let at_once = json!({ "platform": "x", "content": "hello", "scheduled_at": at });
        let refused = tool(&mut client, "create_post", at_once).await;
        assert_eq!(refused["isError"], true, "{at}");
    }
    let published = json!({ "platform": "x", "content": "hello", "publish": "now" });
    let refused = tool(&mut client, "create_post", published).await;
    assert!(text(&refused).contains("`publish_post_now`"), "{}", text(&refused));
    let made = tool(
        &mut client,
        "create_post",
        json!({ "platform": "x", "content": "hello" }),
    )
    .await;
    let id = made["structuredContent"]["posts"][0]["id"].clone();
    client.fake.asked();

    // Without a client that asks, the assistant has to.
    let asked = tool(&mut client, "publish_post_now", json!({ "post_id": id })).await;
    insta::assert_json_snapshot!("mcp_asked", asked);
    for wrong in [json!(true), json!("yes")] {
        let again = tool(
            &mut client,
            "publish_post_now",
            json!({ "post_id": id, "confirm": wrong }),
        )
        .await;
        assert!(text(&again).starts_with("Not done yet."), "{}", text(&again));
    }
    assert!(!client.fake.asked().contains(&psn::ports::objects::PostRequest::Publish));
    let code = asked["structuredContent"]["needs_confirmation"]["confirm"].clone();
    tool(
        &mut client,
        "publish_post_now",
        json!({ "post_id": id, "confirm": code }),
    )
    .await;
    assert!(client.fake.asked().contains(&psn::ports::objects::PostRequest::Publish));

    // A client that can ask does, about this text; what it brings back counts for this text.
    let forms = json!({ "elicitation": { "form": {} } });
    let call = json!({ "name": "publish_post_now", "arguments": { "post_id": id } });
    let question = current(&mut client, "tools/call", call.clone(), forms.clone()).await;
    insta::assert_json_snapshot!("mcp_question", question);
    let state = question["body"]["result"]["requestState"].clone();
    for (answer, state, done) in [
        (
            json!({ "action": "decline" }),
            state.clone(),
            "Not done: the person did not agree.",
        ),
        (
            json!({ "action": "accept", "content": { "agree": true } }),
            state.clone(),
            "X post ",
        ),
    ] {
        let mut call = call.clone();
        call["inputResponses"] = json!({ "confirm": answer });
        call["requestState"] = state;
        let result = current(&mut client, "tools/call", call, forms.clone()).await["body"]["result"].clone();
        assert!(text(&result).starts_with(done), "{}", text(&result));
        assert_eq!(result["resultType"], "complete");
    }
    assert!(client.fake.asked().contains(&psn::ports::objects::PostRequest::Publish));
    let mut forged = call.clone();
    forged["inputResponses"] = json!({ "confirm": { "action": "accept", "content": { "agree": true } } });
    forged["requestState"] = json!("00000000");
    let again = current(&mut client, "tools/call", forged, forms).await;
    assert_eq!(again["body"]["result"]["resultType"], "input_required");
    assert!(!client.fake.asked().contains(&psn::ports::objects::PostRequest::Publish));
    // One that cannot is told as an older one is.
    let without = current(&mut client, "tools/call", call, json!({ "elicitation": { "url": {} } })).await;
    assert!(text(&without["body"]["result"]).starts_with("Not done yet."));
}

#[tokio::test]
async fn a_token_decides_what_a_tool_may_do() {
    let mut client = Client::new();
    let made = tool(
        &mut client,
        "create_post",
        json!({ "platform": "x", "content": "hello" }),
    )
    .await;
    let id = made["structuredContent"]["posts"][0]["id"].clone();
    let scopes: Scopes = [Scope::Read].into_iter().collect();
    let caller = Caller {
        scopes,
        ..Caller::operator(UserId::from("default"))
    };
    // In process, as whoever is known already.
    let mut routes = routes(&client.fake);
    let mut said = Vec::new();
    for (name, arguments) in [
        ("show_post", json!({ "post_id": id })),
        ("edit_post", json!({ "post_id": id, "content": "other" })),
        ("cancel_post", json!({ "post_id": id })),
    ] {
        let call = message("tools/call", json!({ "name": name, "arguments": arguments }));
        let mut request = request(&[JSON], call.to_string());
        request.extensions_mut().insert(caller.clone());
        let body = routes.call(request).await.unwrap().into_body();
        let answer: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
        said.push(text(&answer["result"]).lines().next().unwrap().to_owned());
    }
    insta::assert_snapshot!("mcp_scopes", said.join("\n").replace(id.as_str().unwrap(), "ID"));
}

#[tokio::test]
async fn what_is_away_is_told_so() {
    let mut client = Client::new();
    client.fake.0.lock().unwrap().database_down = true;
    let mut said = Vec::new();
    for (name, arguments) in [
        ("list_posts", json!({})),
        ("list_accounts", json!({})),
        ("find_free_slots", json!({})),
        ("show_post", json!({ "post_id": "../accounts" })),
        ("show_post", json!({})),
        ("list_posts", json!({ "status": "lost" })),
        (
            "change_idea",
            json!({ "idea_id": "1", "rate": "love", "move_to": "seed" }),
        ),
    ] {
        let result = tool(&mut client, name, arguments.clone()).await;
        assert_eq!(result["isError"], true, "{result:#}");
        assert!(!result.to_string().contains("secret"));
        said.push(format!("{name} {arguments}\n{}", text(&result)));
    }
    insta::assert_snapshot!("mcp_away", said.join("\n\n"));
}
