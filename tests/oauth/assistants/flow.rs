//! From the address of `/mcp` to tokens, and until they end.

use super::place::{CLAUDE, NOW, ORIGIN, Place, TOKEN, pair, send, worker};
use axum::body::Body;
use axum::http::Request;
use psn::domain::id::{HubId, UserId};
use psn::domain::time::Millis;
use serde_json::{Value, json};

#[tokio::test]
async fn an_assistant_is_let_in_and_goes() {
    let place = Place::new("let_in").await;
    let calls = place.calls();

    // It finds the way.
    let refused = place
        .json("/mcp", &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}))
        .await;
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.header("www-authenticate"),
        "Bearer resource_metadata=\"https://psn.example/.well-known/oauth-protected-resource/mcp\", scope=\"read write publish\""
    );
    for path in [
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource",
    ] {
        let answer = place.get(path).await;
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        let described = answer.ok();
        assert_eq!(described["resource"], "https://psn.example/mcp");
        assert_eq!(described["authorization_servers"], json!([ORIGIN]));
        assert_eq!(described["scopes_supported"], json!(["read", "write", "publish"]));
    }
    let server = place.get("/.well-known/oauth-authorization-server").await.ok();
    assert_eq!(server["issuer"], ORIGIN);
    assert_eq!(server["code_challenge_methods_supported"], json!(["S256"]));
    for (name, path) in [
        ("token", "token"),
        ("registration", "register"),
        ("revocation", "revoke"),
    ] {
        assert_eq!(server[format!("{name}_endpoint")], format!("{ORIGIN}/oauth/{path}"));
    }
    // Whoever looks for more than there is, is told so, and not asked for a token.
    assert_eq!(place.get("/.well-known/openid-configuration").await.status, 404);

    let claude = place.register("Claude", CLAUDE).await;
    let page = place
        .get(&claude.asks(&[("scope", "read write publish admin openid")]))
        .await;
    assert_eq!(page.status, 200);
    for said in [
        "Let <em>Claude</em> use psn?",
        "<dd>claude.ai</dd>",
        "psn.example",
        "psn cannot check",
    ] {
        assert!(page.says(said), "{said}");
    }
    let ticked = |scope: &str| page.text.contains(&format!("value=\"{scope}\" checked"));
    assert!(ticked("read") && ticked("write") && ticked("publish") && !ticked("admin"));
    assert!(page.text.contains("value=\"admin\">") && !page.text.contains("openid"));
    assert!(!page.text.contains("<script") && !page.text.contains("src="));
    assert_eq!(
        place.calls(),
        calls,
        "nobody has proved who they are, and the database was woken"
    );

    // The person takes something away.
    let answer = place.decide(&page, TOKEN, &["read", "write"]).await;
    assert!(answer.says("<em>Claude</em> may use psn"), "{}", answer.text);
    assert!(answer.link("back").starts_with(&format!("{CLAUDE}?code=psn_ac_")));
    assert_eq!(answer.leads_with("back", "state").as_deref(), Some("a state & more"));
    assert_eq!(answer.leads_with("back", "iss").as_deref(), Some(ORIGIN));
    let code = answer.leads_with("back", "code").unwrap();

    let answer = place.redeem(&claude, &code, &[]).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let tokens = answer.ok();
    assert_eq!(
        (&tokens["scope"], &tokens["expires_in"]),
        (&json!("read write"), &json!(3600))
    );
    let (access, _) = pair(&tokens);
    assert_eq!(place.opens(&access).await, 200);
    let denied = Request::post("/v1/posts/01010101-0101-4101-8101-010101010101/approve");
    let denied = denied.header("authorization", format!("Bearer {access}"));
    assert_eq!(place.send(denied.body(Body::empty()).unwrap()).await.status, 403);

    // It is listed under its name, with what it may do, and what was allowed is noted.
    let user = UserId::from("default");
    let listed = place.listed(&user).await;
    let [one] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!(
        (one.name.as_str(), one.scopes.join(" ")),
        ("Claude", "read write".to_owned())
    );
    assert_eq!(one.last_used_at, Some(NOW));
    let deeds = place.deeds(&user).await;
    assert_eq!(deeds[0].1.action, "assistant.allow");
    assert_eq!(deeds[0].1.detail["leads_to"], "claude.ai");
    let kept = place
        .stage
        .ask("select string_agg(t::text, ' ') from psn_oauth_tokens t")
        .await;
    assert!(!kept.contains("psn_at_") && !kept.contains("psn_rt_"), "{kept}");

    // Ended by its person, it is out at once.
    place
        .world()
        .store()
        .api_token_revoke(&user, &one.id, NOW)
        .await
        .unwrap();
    assert_eq!(place.opens(&access).await, 401);
}

#[tokio::test]
async fn tokens_follow_each_other() {
    let place = Place::new("refresh").await;
    let claude = place.register("Claude", CLAUDE).await;
    let (access, refresh) = place.let_in(&claude, TOKEN).await;
    place.world().advance(Millis::from_secs(3_599));
    assert_eq!(place.opens(&access).await, 200);
    let next = place.refresh(&claude, &refresh).await.ok();
    let (second, following) = pair(&next);
    assert!(second != access && following != refresh);
    // The one before is good until its end: it may be under way.
    assert_eq!((place.opens(&access).await, place.opens(&second).await), (200, 200));
    place.world().advance(Millis::from_secs(1));
    assert_eq!((place.opens(&access).await, place.opens(&second).await), (401, 200));

    // The answer was lost: the same request has the same answer, for two minutes.
    place.world().advance(Millis::from_secs(118));
    let again = place.refresh(&claude, &refresh).await.ok();
    assert_eq!(pair(&again), (second.clone(), following.clone()));
    assert_eq!(again["expires_in"], 3600 - 119);
    // Two at once have the same answer too.
    let (one, other) = tokio::join!(place.refresh(&claude, &following), place.refresh(&claude, &following));
    let third = pair(&one.ok());
    assert_eq!(third, pair(&other.ok()));

    // The first one again, when it is clear that its answer came: two have it, and both are out.
    let refused = place.refresh(&claude, &refresh).await;
    assert_eq!(refused.refusal(), "400 invalid_grant");
    assert_eq!(place.opens(&third.0).await, 401);
    assert_eq!(place.refresh(&claude, &third.1).await.refusal(), "400 invalid_grant");
    let user = UserId::from("default");
    let deeds = place.deeds(&user).await;
    assert_eq!(deeds[0].1.action, "assistant.refresh_again");

    // Also when nobody used what came of it, but long after.
    let (_, refresh) = place.let_in(&claude, TOKEN).await;
    let (access, _) = pair(&place.refresh(&claude, &refresh).await.ok());
    place.world().advance(Millis::from_secs(120));
    assert_eq!(place.refresh(&claude, &refresh).await.refusal(), "400 invalid_grant");
    assert_eq!(place.opens(&access).await, 401);

    // Unused for two months it ends.
    let (_, refresh) = place.let_in(&claude, TOKEN).await;
    place.world().advance(Millis::from_secs(60 * 86_400 - 1));
    let (_, refresh) = pair(&place.refresh(&claude, &refresh).await.ok());
    place.world().advance(Millis::from_secs(60 * 86_400));
    assert_eq!(place.refresh(&claude, &refresh).await.refusal(), "400 invalid_grant");
    // A grant lasts a year, however it is used.
    let claude = place.register("Claude", CLAUDE).await;
    let (_, mut refresh) = place.let_in(&claude, TOKEN).await;
    for _ in 0..7 {
        place.world().advance(Millis::from_secs(52 * 86_400));
        (_, refresh) = pair(&place.refresh(&claude, &refresh).await.ok());
    }
    place.world().advance(Millis::from_secs(86_400));
    assert_eq!(place.refresh(&claude, &refresh).await.refusal(), "400 invalid_grant");
    // What has ended is cleared away beside.
    let kept = place
        .stage
        .ask("select count(*) from psn_oauth_tokens where kind = 'access'")
        .await;
    assert!(kept.parse::<u32>().unwrap() < 4, "{kept}");
}

#[tokio::test]
async fn a_grant_ends_with_who_gave_it() {
    let place = Place::new("ends").await;
    let claude = place.register("Claude", CLAUDE).await;
    let store = place.world().store();
    let (ada, hub) = (UserId::from("ada"), HubId::from("hub_1"));
    let (own, id) = place.token_of("ada", 1, &["read", "write"]).await;
    let (access, refresh) = place.let_in(&claude, &own).await;
    assert_eq!(place.opens(&access).await, 200);
    // It ends no later than the token that it was given with.
    let listed = place.listed(&ada).await;
    let grant = listed.iter().find(|token| token.name == "Claude").unwrap();
    assert_eq!(grant.expires_at, Some(NOW + Millis::from_secs(30 * 86_400)));
    let (_, refresh) = pair(&place.refresh(&claude, &refresh).await.ok());
    store.api_token_revoke(&ada, &id, NOW).await.unwrap();
    assert_eq!(place.refresh(&claude, &refresh).await.refusal(), "400 invalid_grant");

    // Whoever leaves the hub is out with all assistants.
    let joins = "insert into team_members (user_id, hub_id, role) values ('eve', 'hub_1', 'admin'), ('ada', 'hub_1', 'member') returning 1";
    assert_eq!(place.stage.ask(joins).await, "1");
    let (own, _) = place.token_of("ada", 2, &["read", "write"]).await;
    let (access, refresh) = place.let_in(&claude, &own).await;
    assert_eq!(place.opens(&access).await, 200);
    assert!(store.member_leave(&ada, (&hub, &ada), NOW).await.unwrap());
    assert_eq!(place.opens(&access).await, 401);
    assert_eq!(place.refresh(&claude, &refresh).await.refusal(), "400 invalid_grant");
}

#[tokio::test]
async fn a_client_gives_its_grant_back() {
    let place = Place::new("revoke").await;
    let claude = place.register("Claude", CLAUDE).await;
    let other = place.register("Other", "https://other.example/cb").await;
    for which in [0, 1] {
        let (access, refresh) = place.let_in(&claude, TOKEN).await;
        let token = [&access, &refresh][which];
        let foreign = place
            .form("/oauth/revoke", &[("token", token), ("client_id", &other.id)])
            .await;
        assert_eq!(foreign.refusal(), "400 invalid_grant");
        assert_eq!(place.opens(&access).await, 200);
        for _ in 0..2 {
            let revoked = place
                .form("/oauth/revoke", &[("token", token), ("client_id", &claude.id)])
                .await;
            assert_eq!(revoked.ok(), json!({}));
        }
        assert_eq!(place.opens(&access).await, 401);
        assert_eq!(place.refresh(&claude, &refresh).await.refusal(), "400 invalid_grant");
    }
    let calls = place.calls();
    for unknown in ["psn_at_x", "psn_rt_", "whatever", TOKEN] {
        assert_eq!(
            place.form("/oauth/revoke", &[("token", unknown)]).await.status,
            200,
            "{unknown}"
        );
    }
    assert_eq!(place.calls(), calls);
    assert_eq!(place.form("/oauth/revoke", &[]).await.refusal(), "400 invalid_request");
    // A person's own token is none of a client's.
    let (own, _) = place.token_of("ada", 1, &["read"]).await;
    assert_eq!(place.form("/oauth/revoke", &[("token", &own)]).await.status, 200);
    assert_eq!(place.opens(&own).await, 200);
}

#[tokio::test]
async fn a_client_outlives_a_change_of_keys() {
    const FRESH: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";
    let mut place = Place::new("keys").await;
    let claude = place.register("Claude", CLAUDE).await;
    let unused = place.register("Unused", "https://unused.example/cb").await;
    let (_, refresh) = place.let_in(&claude, TOKEN).await;
    let given = pair(&place.refresh(&claude, &refresh).await.ok());
    place.change_keys(&[FRESH, crate::support::KEY]);
    assert_eq!(pair(&place.refresh(&claude, &refresh).await.ok()), given);
    place.change_keys(&[FRESH]);
    // Nobody can tell any more what was given for it; what was given is good.
    assert_eq!(place.refresh(&claude, &refresh).await.refusal(), "400 invalid_grant");
    let (access, _) = pair(&place.refresh(&claude, &given.1).await.ok());
    assert_eq!(place.opens(&access).await, 200);
    // A client that was allowed something is known by that; the others register again.
    let page = place.get(&claude.asks(&[])).await;
    assert!(page.says("Let <em>Claude</em> use psn?"));
    let page = place.get(&unused.asks(&[])).await;
    assert_eq!(page.status, 400);
    assert!(page.says("Not a known assistant"));
    let refused = place.refresh(&unused, "psn_rt_x").await;
    assert_eq!(refused.refusal(), "401 invalid_client");
    assert!(refused.header("www-authenticate").starts_with("Bearer"));
}

#[tokio::test]
async fn the_worker_says_where_it_is_found() {
    let place = Place::new("origin").await;
    let found = async |public_url: Option<&str>, uri: &str, host: Option<&str>| {
        let router = worker(place.world(), public_url, &[crate::support::KEY]);
        let mut request = Request::get(format!("{uri}/.well-known/oauth-authorization-server"));
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let answer = send(&router, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        answer.body["issuer"].as_str().unwrap_or("none").to_owned()
    };
    for (public_url, uri, host, expected) in [
        (Some(ORIGIN), "", Some("evil.example"), ORIGIN),
        (None, "", Some("psn.you.workers.dev"), "https://psn.you.workers.dev"),
        (None, "https://PSN.example", Some("evil.example"), "https://psn.example"),
        (None, "http://psn.example", None, "https://psn.example"),
        (None, "", Some("127.0.0.1:8787"), "http://127.0.0.1:8787"),
        (None, "http://localhost:8787", None, "http://localhost:8787"),
        (None, "", Some("[::1]:8787"), "http://[::1]:8787"),
        (
            None,
            "",
            Some("127.0.0.1.evil.example"),
            "https://127.0.0.1.evil.example",
        ),
        (None, "", Some("u@evil.example"), "none"),
        (None, "", Some("evil.example/x"), "none"),
        (None, "", Some("\"evil"), "none"),
        (None, "", None, "none"),
    ] {
        assert_eq!(found(public_url, uri, host).await, expected, "{uri} {host:?}");
    }
    let preflight = Request::options("/oauth/token").header("origin", "https://inspector.example");
    let preflight = place.send(preflight.body(Body::empty()).unwrap()).await;
    assert_eq!(
        (preflight.status, preflight.header("access-control-allow-origin")),
        (204, "*")
    );
}

/// An assistant that was not allowed what it is asked for is told what to ask its person for, and then has it.
#[tokio::test]
async fn an_assistant_steps_up() {
    let place = Place::new("steps_up").await;
    let claude = place.register("Claude", CLAUDE).await;
    let (access, _) = place.let_in(&claude, TOKEN).await;
    let call = |name: &str, arguments: Value| json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": name, "arguments": arguments } });
    let send = async |access: &str, path: &str, body: &Value| {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {access}"))
            .header("content-type", "application/json");
        place.send(request.body(Body::from(body.to_string())).unwrap()).await
    };
    let draft = json!({ "platform": "x", "content": "Clocks lie." });
    let made = send(&access, "/mcp", &call("create_post", draft)).await.ok();
    let id = made["result"]["structuredContent"]["posts"][0]["id"].clone();
    let cancel = call("cancel_post", json!({ "post_id": id }));
    let challenge = "Bearer error=\"insufficient_scope\", scope=\"read write publish\", \
                     resource_metadata=\"https://psn.example/.well-known/oauth-protected-resource/mcp\"";
    let refused = send(&access, "/mcp", &cancel).await;
    assert_eq!((refused.status, refused.header("www-authenticate")), (403, challenge));
    let said = refused.body["error"]["message"].as_str().unwrap();
    assert!(
        said.contains("the scope `publish`") && said.contains("connect this assistant again"),
        "{said}"
    );
    let rest = send(&access, "/v1/pause", &json!({})).await;
    assert_eq!((rest.status, rest.header("www-authenticate")), (403, challenge));
    // A token that a person was given says what to do instead: nobody can be asked about it.
    let (own, _) = place.token_of("default", 7, &["read", "write"]).await;
    let told = send(&own, "/mcp", &cancel).await.ok();
    assert_eq!(told["result"]["isError"], true);

    let wanted = challenge.split('"').nth(3).unwrap();
    let page = place.get(&claude.asks(&[("scope", wanted)])).await;
    let answer = place.decide(&page, TOKEN, &["read", "write", "publish"]).await;
    let code = answer.leads_with("back", "code").unwrap();
    let (more, _) = pair(&place.redeem(&claude, &code, &[]).await.ok());
    let done = send(&more, "/mcp", &cancel).await.ok();
    assert!(done["result"]["isError"] != true, "{done:#}");
}

/// A code stands for its person on the page: once, for a while, for no more than their token may do, and nowhere else.
#[tokio::test]
async fn a_code_is_pasted_instead_of_a_token() {
    let place = Place::new("sign_in").await;
    let claude = place.register("Claude", CLAUDE).await;
    let (own, token_id) = place.token_of("ada", 8, &["read", "write"]).await;
    let page = place.get(&claude.asks(&[("scope", "read write publish")])).await;

    // No other place takes it, and what is no code of this worker's is refused, without the database.
    let code = place.sign_in_code(TOKEN).await;
    let calls = place.calls();
    assert_eq!(place.opens(&code).await, 401);
    let (held, mark) = code.rsplit_once('.').unwrap();
    for forged in [held, &format!("{held}A.{mark}"), "psn_si_", "psn_si_e30.AAAA"] {
        let refused = place.decide(&page, forged, &["read"]).await;
        assert!(
            refused.status == 403 && refused.says("psn did not make this code"),
            "{}",
            refused.text
        );
        assert!(!refused.text.contains(mark), "what was typed is sent back");
    }
    assert_eq!(place.calls(), calls);
    // An assistant makes none.
    let (access, _) = place.let_in(&claude, TOKEN).await;
    let request = Request::post("/v1/oauth/sign-in").header("authorization", format!("Bearer {access}"));
    assert_eq!(place.send(request.body(Body::empty()).unwrap()).await.status, 403);

    // It allows what its token may do, and a refusal does not use it up; of two at once one counts.
    let code = place.sign_in_code(&own).await;
    let beyond = place.decide(&page, &code, &["read", "publish"]).await;
    assert!(beyond.status == 403 && beyond.says("(publish)"), "{}", beyond.text);
    let (one, other) = tokio::join!(
        place.decide(&page, &code, &["read"]),
        place.decide(&page, &code, &["read"])
    );
    let (used, refused) = if one.status == 200 { (one, other) } else { (other, one) };
    assert_eq!((used.status, refused.status), (200, 403), "{}", refused.text);
    assert!(refused.says("This code was used"), "{}", refused.text);
    let given = used.leads_with("back", "code").unwrap();
    let (access, refresh) = pair(&place.redeem(&claude, &given, &[]).await.ok());
    assert_eq!(place.opens(&access).await, 200);
    // What was allowed is noted under the token that the code was made with, and ends with it.
    let deeds = place.deeds(&UserId::from("ada")).await;
    let noted: Vec<(&str, bool)> = deeds
        .iter()
        .map(|(_, deed)| (deed.action.as_str(), deed.token.as_ref() == Some(&token_id)))
        .collect();
    assert_eq!(noted, [("assistant.allow", true), ("assistant.code", true)]);
    assert!(!deeds.iter().any(|(_, deed)| format!("{deed:?}").contains("psn_si_")));
    let ada = UserId::from("ada");
    place
        .world()
        .store()
        .api_token_revoke(&ada, &token_id, NOW)
        .await
        .unwrap();
    assert_eq!(place.refresh(&claude, &refresh).await.refusal(), "400 invalid_grant");

    // Five minutes, to the second, in which nothing else ends.
    let code = place.sign_in_code(TOKEN).await;
    place.world().clock().0.advance(Millis::from_secs(300));
    let late = place.decide(&page, &code, &["read"]).await;
    assert!(
        late.status == 403 && late.says("good for five minutes"),
        "{}",
        late.text
    );
}
