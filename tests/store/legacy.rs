//! The legacy program goes on working on the same database, as the owner, without setting anything.

use crate::migrations::LEGACY;
use crate::setup::Bed;

/// Its statement shapes: what it does to its tables, and what each answers.
const STATEMENTS: [(&str, &str); 26] = [
    (
        "insert into posts (id, user_id, platform, content, status) values \
         ('00000000-0000-4000-8000-000000000001', 'default', 'x', '[\"a\",\"b\"]', default) returning status",
        "draft",
    ),
    (
        "update posts set status = 'scheduled', scheduled_at = '2026-01-01T00:00:00Z', updated_at = now() \
         where id = '00000000-0000-4000-8000-000000000001' returning id",
        "00000000-0000-4000-8000-000000000001",
    ),
    (
        "select count(*) from posts where status = 'scheduled' and scheduled_at < now() limit 50",
        "1",
    ),
    (
        "update posts set status = 'publishing', sub_status = null, metadata = '{\"retryCount\":1}', updated_at = now() \
         where id = '00000000-0000-4000-8000-000000000001' returning metadata",
        "{\"retryCount\": 1}",
    ),
    (
        "insert into oauth_tokens (user_id, platform, access_token, metadata) values ('default', 'x', 'c', '{}') \
         returning platform",
        "x",
    ),
    (
        "select access_token from oauth_tokens where user_id = 'default' and platform = 'x' limit 1",
        "c",
    ),
    (
        "update oauth_tokens set access_token = 'd', updated_at = now() where platform = 'x' returning access_token",
        "d",
    ),
    (
        "delete from posts where metadata ->> 'retryCount' = '1' returning platform",
        "x",
    ),
    ("delete from oauth_tokens returning access_token", "d"),
    (
        "insert into ideas (user_id, hub_id, title, tags, urgency) values ('default', 'hub_1', 'an idea', '[\"k:v\"]', 'timely') \
         returning status",
        "spark",
    ),
    (
        "update ideas set status = 'seed', last_touched_at = now() where title = 'an idea' returning hub_id",
        "hub_1",
    ),
    (
        "insert into series (user_id, hub_id, name, platform, cadence) values ('default', null, 's', 'x', 'weekly') \
         returning tracking_mode",
        "auto-increment",
    ),
    (
        "update series set episode_count = 1, last_published_at = now() where name = 's' returning episode_count",
        "1",
    ),
    (
        "insert into post_metrics (user_id, post_id, platform, external_post_id, like_count) \
         values ('default', '00000000-0000-4000-8000-000000000009', 'x', '1', 5) \
         on conflict (post_id, platform) do update set like_count = excluded.like_count returning like_count",
        "5",
    ),
    (
        "insert into preference_model (user_id, follower_history) values ('hub_1', '[]') \
         on conflict (user_id) do update set top_formats = '[]' returning user_id",
        "hub_1",
    ),
    (
        "insert into trends (user_id, title, source, overall_score) values ('default', 't', 'rss', 7) \
         on conflict (user_id, title, source) do update set overall_score = greatest(trends.overall_score, 7) \
         returning overall_score",
        "7",
    ),
    (
        "insert into weekly_plans (user_id, week_start, week_end, slots) values \
         ('default', '2026-11-23Z', '2026-11-30Z', '[]'), ('default', '2026-11-23Z', '2026-11-30Z', '[]') \
         returning total_slots",
        "0\n0",
    ),
    (
        "insert into team_members (user_id, hub_id, role) values ('ada', 'hub_1', 'admin') returning role",
        "admin",
    ),
    (
        "select count(*) from team_members where hub_id = 'hub_1' and left_at is null",
        "1",
    ),
    (
        "insert into invite_codes (hub_id, code, created_by, expires_at) values ('hub_1', 'c0de', 'ada', '2999-01-01Z') \
         returning code",
        "c0de",
    ),
    (
        "update invite_codes set used_by = 'bob', used_at = now() where code = 'c0de' and used_by is null returning hub_id",
        "hub_1",
    ),
    (
        "insert into notification_preferences (user_id) values ('default') returning digest_time",
        "08:00",
    ),
    (
        "insert into notification_log (user_id, event_type, tier, provider, recipient, status) values \
         ('default', 'post.failed', 'push', 'waha', '49', 'queued') returning status",
        "queued",
    ),
    (
        "insert into whatsapp_sessions (user_id, phone, provider) values ('default', '49', 'waha') returning session_state",
        "inactive",
    ),
    (
        "insert into api_keys (user_id, service, key_name, encrypted_value) values ('hub_1', 'exa', 'exa', 'c') \
         on conflict (user_id, service) do update set encrypted_value = 'c' returning service",
        "exa",
    ),
    (
        "with a as (delete from ideas), b as (delete from series), c as (delete from post_metrics), \
         d as (delete from preference_model), e as (delete from trends), f as (delete from weekly_plans), \
         g as (delete from team_members), h as (delete from invite_codes), i as (delete from notification_preferences), \
         j as (delete from notification_log), k as (delete from whatsapp_sessions) delete from api_keys returning service",
        "exa",
    ),
];

async fn run(bed: &Bed) {
    for (sql, expected) in STATEMENTS {
        assert_eq!(bed.owner(sql).await, expected, "{sql}");
    }
}

pub async fn statements_of_the_legacy_program(bed: Bed) {
    bed.owner(LEGACY).await;
    run(&bed).await;
    bed.migrated().await;
    run(&bed).await;
}
