-- A database as the legacy program leaves it: its tables that psn's layers use, their unique indexes, its role and its
-- policies. Written from the recorded facts about its columns; run as the owner of the database.
do $$
begin
  if not exists (select from pg_roles where rolname = 'hub_user') then
    create role hub_user nologin;
  end if;
end
$$;

create table users (
  id uuid primary key default gen_random_uuid() not null,
  external_id text not null constraint users_external_id_unique unique,
  display_name text,
  email text,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null
);
create table oauth_tokens (
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
create table posts (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null,
  platform text not null,
  content text not null,
  media_urls jsonb,
  status text default 'draft' not null,
  sub_status text,
  parent_post_id text,
  thread_position integer,
  trigger_run_id text,
  fail_reason text,
  platform_post_ids jsonb,
  scheduled_at timestamp with time zone,
  published_at timestamp with time zone,
  external_post_id text,
  metadata jsonb,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null
);
create table api_keys (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null,
  service text not null,
  key_name text not null,
  encrypted_value text not null,
  created_at timestamp with time zone default now() not null
);
create table preference_model (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null constraint preference_model_user_id_unique unique,
  top_formats jsonb,
  top_pillars jsonb,
  best_posting_times jsonb,
  hook_patterns jsonb,
  common_edit_patterns jsonb,
  avg_edit_ratio integer,
  updated_at timestamp with time zone default now() not null,
  created_at timestamp with time zone default now() not null
);
create table post_metrics (
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
create unique index post_metrics_post_platform_idx on post_metrics (post_id, platform);
create table team_members (
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
create unique index team_members_user_hub_idx on team_members (user_id, hub_id);
create table invite_codes (
  id uuid primary key default gen_random_uuid() not null,
  hub_id text not null,
  code text not null constraint invite_codes_code_unique unique,
  created_by text not null,
  expires_at timestamp with time zone not null,
  used_by text,
  used_at timestamp with time zone,
  created_at timestamp with time zone default now() not null
);

-- A later migration of the legacy program.
alter table posts add column series_id text;
alter table posts add column language text;
alter table posts add column approval_status text;
alter table posts add column reviewer_id text;
alter table posts add column review_comment text;
alter table posts add column reviewed_at timestamp with time zone;
create unique index api_keys_user_service_idx on api_keys (user_id, service);

-- Enabled, not forced; the one-argument form raises an error where the setting was never made.
do $$
declare
  target text;
begin
  foreach target in array array['oauth_tokens', 'posts', 'api_keys', 'preference_model', 'post_metrics', 'team_members'] loop
    execute format('alter table %I enable row level security', target);
    execute format('create policy %I on %I to hub_user using (user_id = current_setting(''app.current_user_id'')) '
      'with check (user_id = current_setting(''app.current_user_id''))', target || '_isolation', target);
  end loop;
end
$$;
