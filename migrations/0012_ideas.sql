-- Ideas and the trends they may come from, in the legacy shape. An idea with a hub belongs to all of its members.
create table if not exists public.ideas (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null,
  hub_id text,
  title text not null,
  notes text,
  tags jsonb,
  status text default 'spark' not null,
  urgency text default 'evergreen' not null,
  pillar text,
  platform text,
  format text,
  claimed_by text,
  kill_reason text,
  expires_at timestamp with time zone,
  last_touched_at timestamp with time zone default now() not null,
  source_type text,
  source_id text,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null
);
-- next
create table if not exists public.trends (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null,
  title text not null,
  url text,
  source text not null,
  source_score integer,
  pillar_relevance jsonb,
  overall_score integer default 0 not null,
  suggested_angles jsonb,
  detected_at timestamp with time zone default now() not null,
  expires_at timestamp with time zone,
  used_in_idea_id text,
  created_at timestamp with time zone default now() not null
);
-- next
create unique index if not exists trends_user_title_source_idx on public.trends (user_id, title, source);
-- next
-- Nobody writes in another member's name.
select public.psn_protect('ideas', 'select, insert, update, delete',
  '(user_id = public.psn_me() and hub_id is null) or hub_id in (select public.psn_hubs())',
  'user_id = public.psn_me() and (hub_id is null or hub_id in (select public.psn_hubs()))'),
  public.psn_protect('trends', 'select, insert, update, delete');
-- next
-- The task that ends ideas finds whose are over; it ends them on behalf of their users.
grant select (id, user_id, status, urgency, expires_at) on public.ideas to psn_task;
-- next
drop policy if exists ideas_task on public.ideas;
-- next
create policy ideas_task on public.ideas for select to psn_task using (true);
-- next
create index if not exists psn_ideas_by_user on public.ideas (user_id, created_at desc, id desc);
-- next
create index if not exists psn_ideas_by_hub on public.ideas (hub_id, created_at desc, id desc) where hub_id is not null;
-- next
create index if not exists psn_ideas_ending on public.ideas (expires_at, id)
  where urgency = 'timely' and status not in ('used', 'killed');
-- next
create index if not exists psn_trends_by_score on public.trends (user_id, overall_score desc, id);
