-- Who belongs to a hub, in the legacy shape. Whoever leaves keeps the row, with the time of it.
create table if not exists public.team_members (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null,
  hub_id text not null,
  role text default 'member' not null,
  display_name text,
  email text,
  joined_at timestamp with time zone default now() not null,
  left_at timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null
);
-- next
create unique index if not exists team_members_user_hub_idx on public.team_members (user_id, hub_id);
-- next
create index if not exists psn_team_members_by_hub on public.team_members (hub_id, user_id);
-- next
-- The hubs that the user is an active member of, in that role or any. A policy of `team_members` that read the table
-- itself would recurse without end (the legacy one does), so this reads it as the owner.
create or replace function public.psn_hubs(wanted_role text default null) returns setof text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select hub_id from public.team_members
  where user_id = public.psn_me() and left_at is null and (wanted_role is null or role = wanted_role)
$$;
-- next
revoke all on function public.psn_hubs(text) from public;
-- next
grant execute on function public.psn_hubs(text) to hub_user;
-- next
select public.psn_protect('team_members', 'select, insert, update, delete', null);
-- next
-- Members see each other, admins decide who belongs, and everybody may leave. Nobody lets themselves in: that takes an
-- invite (0011), or the owner for the first admin of a hub.
create policy team_members_isolation on public.team_members for select to hub_user
  using (user_id = public.psn_me() or hub_id in (select public.psn_hubs()));
-- next
drop policy if exists team_members_admin on public.team_members;
-- next
create policy team_members_admin on public.team_members to hub_user
  using (hub_id in (select public.psn_hubs('admin'))) with check (hub_id in (select public.psn_hubs('admin')));
-- next
drop policy if exists team_members_leave on public.team_members;
-- next
create policy team_members_leave on public.team_members for update to hub_user
  using (user_id = public.psn_me()) with check (user_id = public.psn_me() and left_at is not null);
-- next
-- Notifications go to the admins of a hub, or to all of it: the tasks look up whom.
grant select (user_id, hub_id, role, left_at) on public.team_members to psn_task;
-- next
drop policy if exists team_members_task on public.team_members;
-- next
create policy team_members_task on public.team_members for select to psn_task using (true);
