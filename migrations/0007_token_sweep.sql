-- The task that keeps tokens alive finds accounts near their end across users: it sees whose they are and when, no token.
grant select (id, user_id, platform, expires_at) on public.oauth_tokens to psn_task;
-- next
drop policy if exists oauth_tokens_task on public.oauth_tokens;
-- next
create policy oauth_tokens_task on public.oauth_tokens for select to psn_task using (true);
