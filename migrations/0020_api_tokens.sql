-- Tokens for the API: of each only a digest, what it may do, and when it was last used.
create table public.psn_api_tokens (
  id uuid primary key default gen_random_uuid(),
  user_id text not null,
  name text not null,
  digest text not null constraint psn_api_tokens_digest_unique unique,
  scopes text[] not null,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone,
  last_used_at timestamp with time zone,
  revoked_at timestamp with time zone
);
-- next
create index if not exists psn_api_tokens_by_user on public.psn_api_tokens (user_id, created_at, id);
-- next
select public.psn_protect('psn_api_tokens',
  'select (id, user_id, name, scopes, created_at, expires_at, last_used_at, revoked_at), '
  'insert, update (last_used_at, revoked_at)');
-- next
-- Admins see and end the tokens of those who belong or belonged to their hub. They make none in others' names.
create policy psn_api_tokens_admin on public.psn_api_tokens for select to hub_user
  using (user_id in (select m.user_id from public.team_members m where m.hub_id in (select public.psn_hubs('admin'))));
-- next
create policy psn_api_tokens_end on public.psn_api_tokens for update to hub_user
  using (user_id in (select m.user_id from public.team_members m where m.hub_id in (select public.psn_hubs('admin'))));
-- next
-- Whoever shows a token is not known before it was looked up.
grant select (id, user_id, digest, scopes, expires_at, last_used_at, revoked_at) on public.psn_api_tokens to psn_task;
-- next
create policy psn_api_tokens_task on public.psn_api_tokens for select to psn_task using (true);
