-- Sealed keys of search and media services, in the legacy shape; `user_id` holds the id of the hub. psn keeps them
-- readable when the hub's key changes.
create table if not exists public.api_keys (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null,
  service text not null,
  key_name text not null,
  encrypted_value text not null,
  created_at timestamp with time zone default now() not null
);
-- next
create unique index if not exists api_keys_user_service_idx on public.api_keys (user_id, service);
-- next
grant select, insert, update, delete on public.api_keys to hub_user;
-- next
-- As in 0005: a user's own rows, and all of them for the owner.
do $$
declare
  own constant text := 'user_id = nullif(current_setting(''app.current_user_id'', true), '''')';
  owner name := (select pg_get_userbyid(relowner) from pg_class where oid = 'public.api_keys'::regclass);
begin
  drop policy if exists api_keys_isolation on public.api_keys;
  execute format('create policy api_keys_isolation on public.api_keys to hub_user using (%s) with check (%s)', own, own);
  drop policy if exists api_keys_owner on public.api_keys;
  execute format('create policy api_keys_owner on public.api_keys to %I using (true) with check (true)', owner);
  alter table public.api_keys enable row level security;
  alter table public.api_keys force row level security;
end
$$;
