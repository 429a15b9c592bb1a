-- Connected accounts and their sealed tokens, in the legacy shape. There is no unique index on purpose: the legacy
-- program never had one, and its rows may repeat. Writers take an advisory lock for the account instead.
create table if not exists public.oauth_tokens (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null,
  platform text not null,
  access_token text not null,
  refresh_token text,
  expires_at timestamp with time zone,
  scopes text,
  metadata jsonb,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null
);
