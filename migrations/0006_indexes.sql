-- One index for each query that runs by itself or on every creation.
--
-- A user's posts, newest first.
create index if not exists psn_posts_by_user on public.posts (user_id, created_at desc, id desc);
-- next
-- What a user lately wrote for a platform, to warn of similar texts.
create index if not exists psn_posts_recent on public.posts
  (user_id, platform, (coalesce(published_at, scheduled_at, updated_at)) desc);
-- next
-- Posts that are not at rest, for the sweep across users: few, whatever the table holds.
create index if not exists psn_posts_open on public.posts (id)
  where status in ('scheduled', 'retry', 'partially_posted', 'publishing');
-- next
-- A user's accounts.
create index if not exists psn_oauth_tokens_by_user on public.oauth_tokens (user_id, platform, created_at, id);
