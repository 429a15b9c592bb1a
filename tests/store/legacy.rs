//! The legacy program goes on working on the same database, as the owner, without setting anything.

use crate::migrations::LEGACY;
use crate::setup::Bed;

/// Its statement shapes: what it does to posts and tokens, and what each answers.
const STATEMENTS: [(&str, &str); 9] = [
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
