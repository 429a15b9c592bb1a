-- Weekly plans, in the legacy shape: a week may have several rows there, and the newest counts.
create table if not exists public.weekly_plans (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null,
  week_start timestamp with time zone not null,
  week_end timestamp with time zone not null,
  slots jsonb,
  total_slots integer default 0 not null,
  completed_slots integer default 0 not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null
);
-- next
select public.psn_protect('weekly_plans', 'select, insert, update, delete');
-- next
create index if not exists psn_weekly_plans_by_week on public.weekly_plans (user_id, week_start, created_at desc, id desc);
-- next
-- Times of the calendar that are taken: of each account, one post at a time. `account_id` is empty where a post has none yet.
create table public.psn_slots (
  user_id text not null,
  platform text not null,
  account_id text not null,
  slot_at timestamp with time zone not null,
  post_id uuid not null,
  claimed_at timestamp with time zone not null,
  primary key (user_id, platform, account_id, slot_at),
  constraint psn_slots_one_per_post unique (user_id, post_id)
);
-- next
select public.psn_protect('psn_slots', 'select, insert, update, delete');
