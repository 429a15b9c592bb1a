-- Further indexes for what is asked often or by itself.
--
-- The calendar: a user's posts by the time they are due.
create index if not exists psn_posts_calendar on public.posts (user_id, scheduled_at) where scheduled_at is not null;
-- next
-- Posts of a user that wait, counted for each account.
create index if not exists psn_posts_waiting on public.posts (user_id, platform)
  where status in ('scheduled', 'publishing', 'retry');
-- next
-- Posts that several platforms share.
create index if not exists psn_posts_by_group on public.posts (user_id, (metadata -> 'psn' ->> 'group_id'))
  where metadata -> 'psn' ->> 'group_id' is not null;
-- next
-- Accounts whose tokens end soonest, across users.
create index if not exists psn_oauth_tokens_ending on public.oauth_tokens (expires_at, id) where isfinite(expires_at);
