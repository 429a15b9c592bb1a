-- Rows of another program that psn went on with, and how they were: so that they can be handed back.
create table public.psn_adopted (
  post_id uuid primary key,
  user_id text not null,
  adopted_at timestamp with time zone not null,
  was jsonb not null,
  handed_back_at timestamp with time zone
);
-- next
create index psn_adopted_open on public.psn_adopted (post_id) where handed_back_at is null;
-- next
select public.psn_protect('psn_adopted', 'select, insert, update');
-- next
grant select on public.psn_adopted to psn_task;
-- next
create policy psn_adopted_task on public.psn_adopted for select to psn_task using (true);
-- next
-- Whether psn goes on with rows of the other program is a setting of nobody, which only the owner writes; the tasks read it.
create policy psn_settings_adopting_task on public.psn_settings for select to psn_task
  using (user_id = '' and scope = '' and name = 'adopting');
-- next
-- When the other program last renewed a token: it notes the time under one name, psn under both. The tokens stay closed.
create or replace function public.psn_renewed_elsewhere() returns table (platform text, at text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select platform, max(metadata ->> 'lastRefreshAt') from public.oauth_tokens
  where jsonb_typeof(metadata) = 'object'
    and metadata ->> 'lastRefreshAt' > coalesce(metadata ->> 'lastRefreshedAt', '')
  group by platform
$$;
-- next
revoke all on function public.psn_renewed_elsewhere() from public;
-- next
grant execute on function public.psn_renewed_elsewhere() to psn_task;
