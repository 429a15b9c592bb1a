-- Series of posts, in the legacy shape. A series with a hub belongs to all of its members.
create table if not exists public.series (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null,
  hub_id text,
  name text not null,
  description text,
  platform text not null,
  template jsonb,
  cadence text not null,
  cadence_custom_days integer,
  tracking_mode text default 'auto-increment' not null,
  tracking_format text,
  episode_count integer default 0 not null,
  status text default 'active' not null,
  last_published_at timestamp with time zone,
  pillar text,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null
);
-- next
-- Nobody writes in another member's name.
select public.psn_protect('series', 'select, insert, update, delete',
  '(user_id = public.psn_me() and hub_id is null) or hub_id in (select public.psn_hubs())',
  'user_id = public.psn_me() and (hub_id is null or hub_id in (select public.psn_hubs()))');
-- next
create index if not exists psn_series_by_user on public.series (user_id, created_at, id);
-- next
create index if not exists psn_series_by_hub on public.series (hub_id, created_at, id) where hub_id is not null;
