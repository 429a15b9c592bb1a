-- Approval of a hub's posts. The gate is decided by who belongs to the hub, for anybody who publishes: also for somebody
-- who has left it and sees its members no more, so this reads the table as the owner.
create or replace function public.psn_has_members(hub text) returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$ select exists (select from public.team_members where hub_id = hub and left_at is null) $$;
-- next
revoke all on function public.psn_has_members(text) from public;
-- next
grant execute on function public.psn_has_members(text) to hub_user;
-- next
-- The admins of a hub see its posts, to review them. What they decide is written on behalf of the author.
drop policy if exists posts_review on public.posts;
-- next
create policy posts_review on public.posts for select to hub_user
  using (metadata ->> 'hubId' in (select public.psn_hubs('admin')));
-- next
-- Posts of a hub that wait for a reviewer.
create index if not exists psn_posts_submitted on public.posts ((metadata ->> 'hubId'), created_at desc, id desc)
  where approval_status = 'submitted';
-- next
-- What reviewers changed, in the legacy shape: `edit_distance` counts characters, `edit_ratio` is in percent.
create table if not exists public.edit_history (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null,
  post_id text not null,
  original_content text not null,
  edited_content text not null,
  edit_distance integer not null,
  edit_ratio integer not null,
  edit_patterns jsonb,
  created_at timestamp with time zone default now() not null
);
-- next
select public.psn_protect('edit_history', 'select, insert');
