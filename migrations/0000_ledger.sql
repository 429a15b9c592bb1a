-- The table that remembers which migrations ran. Run every time; changes nothing when it is there.
create table if not exists public.psn_migrations (
  version integer primary key,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default now()
);
-- next
-- Only the owner has any business here. The legacy program grants its role rights on every future table, so they are
-- taken away again.
do $$
declare
  owner name := (select pg_get_userbyid(relowner) from pg_class where oid = 'public.psn_migrations'::regclass);
begin
  if exists (select from pg_policy where polrelid = 'public.psn_migrations'::regclass) then
    return;
  end if;
  alter table public.psn_migrations enable row level security;
  alter table public.psn_migrations force row level security;
  execute format('create policy psn_migrations_owner on public.psn_migrations to %I using (true) with check (true)', owner);
  revoke all on public.psn_migrations from public;
  if exists (select from pg_roles where rolname = 'hub_user') then
    revoke all on public.psn_migrations from hub_user;
  end if;
end
$$;
