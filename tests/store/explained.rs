//! What runs by itself or at every request reads an index, not the table, however many rows there are.

use crate::isolation::projection;
use crate::setup::{Ground, NOW, Waits, new_post, post_id, user};
use psn::dev::postgres::Version;
use psn::domain::id::{AccountId, ApiTokenId, HubId, IdeaId, PostId, RemoteId, RunToken, SeriesId};
use psn::domain::idea::IdeaStatus;
use psn::domain::labels::Labels;
use psn::domain::metrics::Metrics;
use psn::domain::platform::Platform;
use psn::domain::post::Status;
use psn::domain::time::Millis;
use psn::net::Client;
use psn::ports::http::{HttpClient, HttpError, HttpRequest, HttpResponse};
use psn::ports::memory::{ManualClock, SeededEntropy};
use psn::ports::pause::Surroundings;
use psn::store::calendar::Whereabouts;
use psn::store::claim::Claim;
use psn::store::due::Grace;
use psn::store::grants::Pair;
use psn::store::ideas::IdeaFilter;
use psn::store::metrics::{Collected, CountsFilter};
use psn::store::posts::PostFilter;
use psn::store::project::Projection;
use psn::store::recipients::ToldAsk;
use psn::store::{Neon, Secret, Store};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// 100,000 posts of 1,001 users, half of them of one, and as many counts, with what belongs to them in proportion.
const ROWS: &str = "
insert into posts (id, user_id, platform, content, status, scheduled_at, published_at, external_post_id, metadata, created_at, updated_at)
  select md5('post' || n)::uuid, case n % 2 when 0 then 'default' else 'user' || n % 1000 end,
    (array['x', 'linkedin', 'instagram', 'tiktok'])[1 + n % 4], 'text ' || n,
    case when n % 1000 = 1 then 'scheduled' when n % 1000 = 2 then 'retry' when n % 500 = 3 then 'draft' else 'published' end,
    t, case when n % 1000 in (1, 2) or n % 500 = 3 then null else t end, 'r' || n,
    jsonb_build_object('psn', jsonb_build_object('seq', 1, 'group_id', 'g' || n / 2)), t, t
  from (select n, timestamptz '2026-11-23 00:00Z' - n * interval '7 minutes' as t from generate_series(1, 100000) n) rows;
insert into oauth_tokens (id, user_id, platform, access_token, refresh_token, expires_at, metadata)
  select md5('token' || n)::uuid, 'user' || n, (array['x', 'linkedin', 'instagram', 'tiktok'])[1 + n % 4], 'a', 'r',
    timestamptz '2026-11-22Z' + n * interval '1 hour', '{}' from generate_series(1, 20000) n;
insert into post_metrics (user_id, post_id, platform, external_post_id, like_count, collected_at)
  select user_id, id, platform, external_post_id, 1, published_at + interval '1 hour' from posts where status = 'published';
insert into psn_metrics_history (user_id, post_id, collected_at, platform, likes)
  select user_id, id, published_at + interval '1 hour', platform, 1 from posts where status = 'published';
insert into psn_followers (user_id, account_id, day, platform, followers)
  select 'user' || n % 1000, md5('token' || n % 1000)::uuid, date '2026-11-22' - n / 1000, 'x', n from generate_series(1, 50000) n;
insert into psn_settings (user_id, name, value, updated_at)
  select 'user' || n, 'time_zone', '\"UTC\"', '2026-11-22Z' from generate_series(1, 1000) n;
insert into ideas (user_id, hub_id, title, urgency, status, expires_at, created_at)
  select 'user' || n % 1000, case when n % 10 = 0 then 'hub' || n % 100 end, 'i' || n, case n % 3 when 0 then 'timely' else 'evergreen' end,
    case when n % 7 = 0 then 'killed' else 'spark' end, timestamptz '2026-11-22Z' + n * interval '1 hour', '2026-11-01Z'
  from generate_series(1, 20000) n;
insert into series (user_id, name, platform, cadence) select 'user' || n % 1000, 's' || n, 'x', 'weekly' from generate_series(1, 5000) n;
insert into weekly_plans (user_id, week_start, week_end, slots)
  select 'user' || n % 1000, timestamptz '2026-11-23Z' - n / 1000 * interval '7 days', '2026-11-30Z', '[]' from generate_series(1, 20000) n;
insert into team_members (user_id, hub_id) select 'user' || n, 'hub' || n % 100 from generate_series(1, 1000) n;
insert into psn_outbox (id, user_id, event_key, event_type, tier, payload, state, not_before, created_at)
  select md5('o' || n)::uuid, 'user' || n % 1000, 'k' || n, 'post.failed', 'push', '{}',
    case when n % 500 = 0 then 'pending' when n % 500 = 1 then 'digest' else 'routed' end, t, t
  from (select n, timestamptz '2026-11-23 00:00Z' - n * interval '1 minute' as t from generate_series(1, 20000) n) rows;
insert into psn_destinations (id, user_id, kind, label, sealed, created_at, updated_at)
  select md5('d' || n)::uuid, 'user' || n, 'ntfy', 'l', 's', '2026-01-01Z', '2026-01-01Z' from generate_series(0, 999) n;
insert into psn_deliveries (user_id, outbox_id, destination_id, status, next_at, created_at)
  select 'user' || n % 1000, md5('o' || n)::uuid, md5('d' || n % 1000)::uuid,
    case when n % 500 = 0 then 'pending' when n % 500 = 1 then 'dead' else 'sent' end, '2026-11-22Z', '2026-11-22Z'
  from generate_series(1, 20000) n;
insert into whatsapp_sessions (user_id, phone, provider, session_state)
  select 'user' || n, '+49' || 1000000 + n, 'waha', 'active' from generate_series(0, 4999) n;
insert into notification_preferences (user_id) select 'user' || n from generate_series(0, 4999) n;
insert into notification_log (user_id, event_type, tier, provider, recipient, status, dedup_key, sent_at)
  select 'user' || n % 1000, 'post.failed', 'push', 'ntfy', 'l', 'sent', 'k' || n, timestamptz '2026-11-22Z' - n * interval '1 minute'
  from generate_series(1, 20000) n;
insert into psn_api_tokens (user_id, name, digest, scopes, created_at)
  select 'user' || n % 1000, 't', 'd' || n, '{read}', '2026-11-22Z' from generate_series(1, 10000) n;
insert into psn_api_tokens (id, user_id, name, digest, scopes, created_at)
  select md5('g' || n)::uuid, 'user' || n % 1000, 'g', 'grant ' || n, '{read}', '2026-11-22Z' from generate_series(1, 5000) n;
insert into psn_oauth_grants (id, user_id, client_id, client_name, redirect_uri, resource, created_at)
  select md5('g' || n)::uuid, 'user' || n % 1000, 'client' || n % 500, 'c', 'r', 'm', '2026-11-22Z' from generate_series(1, 5000) n;
insert into psn_oauth_codes (id, user_id, digest, client_id, client_name, redirect_uri, resource, challenge, scopes, created_at, expires_at)
  select md5('c' || n)::uuid, 'user' || n % 1000, 'c' || n, 'client' || n % 500, 'c', 'r', 'm', 'h', '{read}', t, t
  from (select n, timestamptz '2026-11-22Z' + n * interval '1 minute' as t from generate_series(1, 5000) n) rows;
insert into psn_oauth_tokens (id, user_id, grant_id, kind, digest, created_at, expires_at)
  select md5('o' || n)::uuid, 'user' || n / 4 % 1000, md5('g' || n / 4)::uuid, (array['access', 'refresh'])[1 + n % 2], 'o' || n, t,
    t + interval '2 days' from (select n, timestamptz '2026-11-22Z' + n * interval '1 second' as t from generate_series(4, 20000) n) rows;
insert into psn_slots (user_id, platform, account_id, slot_at, post_id, claimed_at)
  select user_id, platform, '', scheduled_at, id, '2026-11-22Z' from posts where id < '80000000-0000-0000-0000-000000000000';
";

/// People of a hub: few, and read as a whole to see who is whose admin.
const SMALL: [&str; 1] = ["team_members"];

/// Asks for the plan of each statement before it is run.
#[derive(Clone)]
struct Explaining {
    client: Client,
    plans: Arc<Mutex<Vec<(String, Value)>>>,
}

impl HttpClient for Explaining {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut body: Value = serde_json::from_slice(&request.body).unwrap();
        let mut asked = Vec::new();
        for query in body["queries"].as_array_mut().unwrap() {
            let sql = query["query"].as_str().unwrap().to_owned();
            // What sets the stage has to be done, so that the rest is planned as it will be run.
            let is_setting = sql.starts_with("select set_config");
            if !is_setting {
                query["query"] = json!(format!("explain (format json) {sql}"));
            }
            asked.push((is_setting, sql));
        }
        let explain = HttpRequest {
            body: body.to_string().into(),
            ..request.clone()
        };
        let answer = self.client.send(explain).await?;
        assert_eq!(answer.status, 200, "{asked:?}: {:?}", answer.body);
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        for (index, (is_setting, sql)) in asked.into_iter().enumerate() {
            if !is_setting {
                let text = answer["results"][index]["rows"][0][0].as_str().unwrap();
                let plan = serde_json::from_str(text).unwrap();
                self.plans.lock().unwrap().push((sql, plan));
            }
        }
        self.client.send(request).await
    }
}

/// The tables that a plan reads from end to end.
fn scanned(plan: &Value, found: &mut Vec<String>) {
    match plan {
        Value::Array(members) => members.iter().for_each(|member| scanned(member, found)),
        Value::Object(members) => {
            if members.get("Node Type").and_then(Value::as_str) == Some("Seq Scan") {
                found.push(members["Relation Name"].as_str().unwrap().to_owned());
            }
            members.values().for_each(|member| scanned(member, found));
        }
        _ => {}
    }
}

type ExplainedStore = Store<Explaining, Surroundings<ManualClock, SeededEntropy, Arc<Waits>>>;

/// Everything that the tasks ask by themselves.
async fn tasks(store: &ExplainedStore) {
    let grace = Grace {
        due: Millis::from_secs(300),
        stale: Millis::from_secs(2400),
    };
    let late = store.posts_foreign_due(NOW, grace, None, 50).await.unwrap();
    assert_eq!(late.items.len(), 50);
    store
        .posts_foreign_due(NOW, grace, late.next.as_ref(), 50)
        .await
        .unwrap();
    let ending = store
        .tokens_ending(NOW, Millis::from_secs(86_400), None, 100)
        .await
        .unwrap();
    assert!(!ending.is_empty());
    store
        .tokens_ending(NOW, Millis::from_secs(86_400), ending.last(), 100)
        .await
        .unwrap();
    let countable = store
        .posts_countable(NOW - Millis::from_secs(30 * 86_400), None, 100)
        .await
        .unwrap();
    assert_eq!(countable.len(), 100);
    let ids: Vec<_> = countable.iter().map(|post| post.post.clone()).collect();
    assert_eq!(
        store
            .posts_countable_of(&ids, NOW - Millis::from_secs(30 * 86_400))
            .await
            .unwrap()
            .len(),
        100
    );
    assert_eq!(store.accounts_uncounted(NOW, None, 10).await.unwrap().len(), 10);
    assert!(!store.ideas_expired(NOW, None, 50).await.unwrap().is_empty());
    let lease = Millis::from_secs(60);
    assert_eq!(store.notices_claim("t", NOW, lease, 10).await.unwrap().len(), 10);
    let claims = Some((lease, ["webhook"].as_slice()));
    let next = store.delivery_next("t", None, claims, NOW).await.unwrap();
    assert!(next.delivery.is_some() && next.next_at.is_some());
    store.digest_users().await.unwrap();
    store.digest_notices(&user("user1"), NOW, 100).await.unwrap();
    let ask = ToldAsk {
        user: user("user1"),
        since: NOW,
        event_type: "post.failed".to_owned(),
        subject: Some("k1".to_owned()),
    };
    store.told_lately(&[ask]).await.unwrap();
    let hub = HubId::from("hub_1");
    store.recipients(&[user("user1")], &[hub]).await.unwrap();
    store.conversation("+491000001", "waha").await.unwrap();
    store.notification_overview(&user("user1")).await.unwrap();
    assert!(store.api_token_look_up("d77", NOW).await.unwrap().is_some());
    assert!(store.api_token_look_up("o78", NOW).await.unwrap().is_some());
    assistants(store).await;
}

/// What assistants show, and what they are given.
async fn assistants(store: &ExplainedStore) {
    let code = store.code_find("c77").await.unwrap().unwrap();
    let grant = ApiTokenId::from_random([9; 16]);
    let pair = |n: u8| {
        let one = |n: u8| (PostId::from_random([n; 16]).0, format!("pair {n}"));
        Pair {
            access: one(n),
            refresh: one(n + 1),
        }
    };
    assert!(store.code_take(&code, &grant, &pair(1), NOW).await.unwrap());
    let refresh = store.refresh_find("o79", NOW).await.unwrap().unwrap();
    assert!(refresh.is_live);
    store.refresh_take(&refresh, &pair(3), NOW).await.unwrap();
    assert!(store.grant_of("o78").await.unwrap().is_some());
    assert_eq!(store.client_known("client7").await.unwrap().len(), 10);
}

/// What counts say all together, and learning from them: whoever has half of all posts reads half of them.
async fn counting(store: &ExplainedStore) {
    let who = user("user7");
    store
        .metrics_summary(&who, &CountsFilter::default(), NOW)
        .await
        .unwrap();
    let page = store
        .metrics_page(&who, &CountsFilter::default(), None, 1)
        .await
        .unwrap();
    let counted = Collected {
        post: page.items[0].post.clone(),
        platform: Platform::parse(&page.items[0].platform).unwrap(),
        remote_id: RemoteId::from("r"),
        counts: Metrics {
            likes: Some(2),
            ..Metrics::default()
        },
    };
    store.metrics_record(&who, &[counted], NOW).await.unwrap();
}

/// What publishing a post asks, and what people ask all the time.
async fn requests(store: &ExplainedStore) {
    for name in ["default", "user7"] {
        let who = user(name);
        store.post_insert(&new_post(name, 1)).await.unwrap();
        store.post_get(&who, &post_id(1)).await.unwrap();
        let claim = Claim {
            id: post_id(1),
            user: who.clone(),
            token: RunToken::from("t"),
            content: "x".to_owned(),
            hash: "h".to_owned(),
            seq: 9,
            now: NOW,
            lead: Millis(0),
            take_over: false,
        };
        store.post_claim(&claim).await.unwrap();
        store.post_project(&projection(post_id(1), who.clone())).await.unwrap();
        store.post_list(&who, &PostFilter::default(), None, 20).await.unwrap();
        let week = PostFilter {
            scheduled_from: Some(NOW - Millis::from_secs(7 * 86_400)),
            scheduled_before: Some(NOW),
            ..PostFilter::default()
        };
        store.post_list(&who, &week, None, 20).await.unwrap();
        let open = PostFilter {
            statuses: vec![Status::Scheduled, Status::Retry],
            ..PostFilter::default()
        };
        store.post_list(&who, &open, None, 20).await.unwrap();
        let to_review = PostFilter {
            to_review: true,
            ..PostFilter::default()
        };
        store.post_list(&who, &to_review, None, 20).await.unwrap();
        let group = PostFilter {
            group_id: Some("g7".to_owned()),
            ..PostFilter::default()
        };
        store.post_list(&who, &group, None, 20).await.unwrap();
        store.account_rows(&who).await.unwrap();
        store
            .metrics_page(&who, &CountsFilter::default(), None, 50)
            .await
            .unwrap();
        store.token_rows(&who).await.unwrap();
        store.metrics_of(&who, &post_id(1)).await.unwrap();
        store
            .idea_list(
                &who,
                &IdeaFilter {
                    statuses: vec![IdeaStatus::Spark],
                    ..IdeaFilter::default()
                },
                None,
                20,
            )
            .await
            .unwrap();
        store
            .idea_list(
                &who,
                &IdeaFilter {
                    hub: Some(HubId::from("hub7")),
                    ..IdeaFilter::default()
                },
                None,
                20,
            )
            .await
            .unwrap();
        store.series_list(&who, None, None, None, 20).await.unwrap();
        store.plan_get(&who, NOW).await.unwrap();
        store
            .slots_taken(&who, NOW, NOW + Millis::from_secs(86_400))
            .await
            .unwrap();
        let week = (NOW - Millis::from_secs(7 * 86_400), NOW);
        assert!(!store.calendar_posts(&who, week.0, week.1).await.unwrap().is_empty());
        let place = Whereabouts {
            platform: Platform::X,
            account: AccountId::from("a"),
        };
        store
            .times_taken(&who, &place, week, Some(&post_id(1)), NOW)
            .await
            .unwrap();
        store.slot_of_post(&who, &post_id(1)).await.unwrap();
        store
            .post_project(&Projection {
                seq: 1_000,
                status: Status::Published,
                moved: Some(NOW),
                labels: Some(Labels {
                    series_id: Some(SeriesId::from_random([1; 16])),
                    idea_id: Some(IdeaId::from_random([1; 16])),
                    ..Labels::default()
                }),
                ..projection(post_id(1), who.clone())
            })
            .await
            .unwrap();
        store.labels_named(&who, &Labels::default()).await.unwrap();
        store.dead_letters(&who, None, 20).await.unwrap();
        store.api_token_page(&who, &who, None, None, 9).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_hot_reads_a_whole_table_of_100_000_posts() {
    let ground = Ground::start(Version::V15, false).await;
    let bed = ground.bed("explained").await;
    bed.migrated().await;
    bed.owner(ROWS).await;
    bed.owner("analyze").await;

    let plans = Arc::default();
    let client = Explaining {
        client: Client::new().unwrap(),
        plans: Arc::clone(&plans),
    };
    let connection_string = Secret::new(bed.connection_string.as_str());
    let neon = Neon::new(client, connection_string, Some(&bed.endpoint.sql_url())).unwrap();
    let surroundings = Surroundings {
        clock: ManualClock::new(NOW),
        entropy: SeededEntropy::new(1),
        pause: Arc::default(),
    };
    let store = Store::new(neon, surroundings);
    tasks(&store).await;
    requests(&store).await;
    counting(&store).await;

    let mut broken = Vec::new();
    let plans = plans.lock().unwrap();
    for (sql, plan) in plans.iter() {
        let mut found = Vec::new();
        scanned(plan, &mut found);
        found.retain(|table| !SMALL.contains(&table.as_str()));
        if !found.is_empty() {
            broken.push(format!("{found:?} in {:.200}", sql.trim()));
        }
    }
    assert!(plans.len() > 60, "{} plans", plans.len());
    assert!(broken.is_empty(), "read from end to end:\n{}", broken.join("\n"));
}
