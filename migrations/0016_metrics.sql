-- The newest counts of each post, in the legacy shape.
create table if not exists public.post_metrics (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null,
  post_id uuid not null,
  platform text not null,
  external_post_id text not null,
  impression_count integer default 0 not null,
  like_count integer default 0 not null,
  retweet_count integer default 0 not null,
  quote_count integer default 0 not null,
  reply_count integer default 0 not null,
  bookmark_count integer default 0 not null,
  url_link_clicks integer,
  user_profile_clicks integer,
  engagement_score integer default 0 not null,
  engagement_rate_bps integer default 0 not null,
  post_format text,
  post_topic text,
  post_pillar text,
  collected_at timestamp with time zone default now() not null,
  created_at timestamp with time zone default now() not null,
  language text
);
-- next
create unique index if not exists post_metrics_post_platform_idx on public.post_metrics (post_id, platform);
-- next
create index if not exists psn_post_metrics_by_user on public.post_metrics (user_id, collected_at desc, post_id desc);
-- next
-- Every collection, so that a curve can be drawn; what a platform does not tell is null, never 0.
create table public.psn_metrics_history (
  user_id text not null,
  post_id uuid not null,
  collected_at timestamp with time zone not null,
  platform text not null,
  views bigint,
  impressions bigint,
  reach bigint,
  likes bigint,
  comments bigint,
  shares bigint,
  quotes bigint,
  saves bigint,
  clicks bigint,
  primary key (user_id, post_id, collected_at)
);
-- next
-- Followers of each account, one count a day.
create table public.psn_followers (
  user_id text not null,
  account_id uuid not null,
  day date not null,
  platform text not null,
  followers bigint not null,
  primary key (user_id, account_id, day)
);
-- next
-- A post has one row of counts whoever writes it, so nobody takes the place of another's.
select public.psn_protect('post_metrics', 'select, insert, update, delete', 'user_id = public.psn_me()',
    'user_id = public.psn_me() and exists (select from public.posts p where p.id = post_id and p.user_id = public.psn_me())'),
  public.psn_protect('psn_metrics_history', 'select, insert, update, delete'),
  public.psn_protect('psn_followers', 'select, insert, update, delete');
-- next
-- The collector finds posts whose time has come across users, and then works on behalf of each.
grant select (user_id, post_id, platform, collected_at) on public.post_metrics to psn_task;
-- next
drop policy if exists post_metrics_task on public.post_metrics;
-- next
create policy post_metrics_task on public.post_metrics for select to psn_task using (true);
-- next
create index if not exists psn_posts_published on public.posts (published_at, id)
  where status in ('published', 'partially_posted');
