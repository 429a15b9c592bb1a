-- What people let assistants do, over OAuth: a code that is good for minutes, then a grant. A grant is a token of
-- `psn_api_tokens` and has its id: it is listed there under the client's name, ended there, and ends when its user leaves.
-- What the client shows are the tokens of `psn_oauth_tokens`, which come and go; the digest of the grant itself is that of none.
create table public.psn_oauth_codes (
  id uuid primary key,
  user_id text not null,
  digest text not null constraint psn_oauth_codes_digest_unique unique,
  client_id text not null,
  client_name text not null,
  redirect_uri text not null,
  resource text not null,
  challenge text not null,
  scopes text[] not null,
  by_token uuid,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  grant_id uuid
);
-- next
create index psn_oauth_codes_by_user on public.psn_oauth_codes (user_id, expires_at);
-- next
-- `by_token` is what the person showed when they consented; `null` is the operator. A grant ends with it.
create table public.psn_oauth_grants (
  id uuid primary key,
  user_id text not null,
  client_id text not null,
  client_name text not null,
  redirect_uri text not null,
  resource text not null,
  by_token uuid,
  created_at timestamp with time zone not null
);
-- next
create index psn_oauth_grants_by_client on public.psn_oauth_grants (client_id, created_at desc);
-- next
-- Of each token a digest. A refresh token that was used stays until it would have ended: shown again, it ends its grant.
-- `parent` is the refresh token that a pair was given for.
create table public.psn_oauth_tokens (
  id uuid primary key,
  user_id text not null,
  grant_id uuid not null,
  kind text not null default 'access' check (kind in ('access', 'refresh')),
  digest text not null constraint psn_oauth_tokens_digest_unique unique,
  parent uuid,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  used_at timestamp with time zone
);
-- next
create index psn_oauth_tokens_kept_by_user on public.psn_oauth_tokens (user_id, expires_at);
-- next
create index psn_oauth_tokens_kept_by_parent on public.psn_oauth_tokens (parent);
-- next
select public.psn_protect('psn_oauth_codes', 'select (id, user_id, client_id, client_name, redirect_uri, resource, challenge, '
    'scopes, by_token, created_at, expires_at, grant_id), insert, update (grant_id), delete'),
  public.psn_protect('psn_oauth_grants', 'select, insert'),
  public.psn_protect('psn_oauth_tokens', 'select (id, user_id, grant_id, kind, parent, created_at, expires_at, used_at), '
    'insert, update (used_at), delete');
-- next
-- Whoever shows a code or a token is not known before it was looked up; nor is a client that comes again.
grant select on public.psn_oauth_codes, public.psn_oauth_grants, public.psn_oauth_tokens to psn_task;
-- next
create policy psn_oauth_codes_task on public.psn_oauth_codes for select to psn_task using (true);
-- next
create policy psn_oauth_grants_task on public.psn_oauth_grants for select to psn_task using (true);
-- next
create policy psn_oauth_tokens_task on public.psn_oauth_tokens for select to psn_task using (true);
