-- A database as the legacy program leaves it: its tables, their unique indexes, its role with its rights, and its
-- policies. Written from the recorded facts about its columns; run as the owner of the database.
do $$
begin
  if not exists (select from pg_roles where rolname = 'hub_user') then
    create role hub_user nologin;
  end if;
end
$$;
grant usage on schema public to hub_user;
alter default privileges in schema public grant select, insert, update, delete on tables to hub_user;
alter default privileges in schema public grant usage, select on sequences to hub_user;

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
create table voice_profiles (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null,
  entity_slug text not null,
  entity_display_name text,
  entity_description text,
  last_used_at timestamp with time zone,
  profile_data jsonb not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null
);
create unique index voice_profiles_user_entity_idx on voice_profiles (user_id, entity_slug);
create table edit_history (
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
create table strategy_adjustments (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null,
  adjustment_type text not null,
  field text not null,
  old_value jsonb,
  new_value jsonb,
  reason text not null,
  evidence jsonb,
  tier text not null,
  status text default 'pending' not null,
  applied_at timestamp with time zone,
  created_at timestamp with time zone default now() not null
);
create table ideas (
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
create table series (
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
create table trends (
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
create unique index trends_user_title_source_idx on trends (user_id, title, source);
create table weekly_plans (
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
create table monitored_accounts (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null,
  platform text not null,
  account_handle text not null,
  account_name text,
  last_checked_at timestamp with time zone,
  last_post_count integer,
  created_at timestamp with time zone default now() not null
);
create table notification_preferences (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null constraint notification_preferences_user_id_unique unique,
  provider text default 'waha' not null,
  push_enabled integer default 1 not null,
  digest_enabled integer default 1 not null,
  digest_frequency text default 'daily' not null,
  digest_time text default '08:00' not null,
  quiet_hours_start text,
  quiet_hours_end text,
  max_push_per_day integer default 3 not null,
  timezone text default 'UTC' not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null
);
create table notification_log (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null,
  event_type text not null,
  tier text not null,
  provider text not null,
  recipient text not null,
  status text default 'pending' not null,
  message_id text,
  error text,
  dedup_key text,
  sent_at timestamp with time zone,
  created_at timestamp with time zone default now() not null
);
create table engagement_opportunities (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null,
  platform text not null,
  external_post_id text not null,
  author_handle text not null,
  author_follower_count integer,
  post_snippet text not null,
  post_url text,
  posted_at timestamp with time zone,
  composite_score_bps integer not null,
  relevance_score_bps integer not null,
  recency_score_bps integer not null,
  reach_score_bps integer not null,
  potential_score_bps integer not null,
  status text default 'pending' not null,
  suggested_type text,
  draft_content text,
  engaged_at timestamp with time zone,
  detected_at timestamp with time zone default now(),
  created_at timestamp with time zone default now() not null
);
create unique index engagement_opp_ext_platform_idx on engagement_opportunities (external_post_id, platform);
create table engagement_config (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null constraint engagement_config_user_id_unique unique,
  niche_keywords jsonb,
  platform_toggles jsonb,
  daily_caps jsonb,
  cooldown_minutes jsonb,
  blocklist jsonb,
  updated_at timestamp with time zone default now() not null
);
create table engagement_log (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null,
  opportunity_id uuid not null,
  platform text not null,
  engagement_type text not null,
  content text not null,
  external_reply_id text,
  outcome jsonb,
  engaged_at timestamp with time zone default now() not null,
  created_at timestamp with time zone default now() not null
);
create table whatsapp_sessions (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null constraint whatsapp_sessions_user_id_unique unique,
  phone text not null,
  provider text not null,
  session_state text default 'inactive' not null,
  conversation_context jsonb,
  last_activity_at timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null
);

-- A later migration of the legacy program.
alter table posts add column series_id text;
alter table posts add column language text;
alter table posts add column approval_status text;
alter table posts add column reviewer_id text;
alter table posts add column review_comment text;
alter table posts add column reviewed_at timestamp with time zone;
alter table preference_model add column fatigued_topics jsonb;
alter table preference_model add column locked_settings jsonb;
alter table preference_model add column killed_idea_patterns jsonb;
alter table preference_model add column follower_history jsonb;
create unique index api_keys_user_service_idx on api_keys (user_id, service);

-- Enabled, not forced, on all but two; the one-argument form raises an error where the setting was never made, and the
-- policy of the team asks the team.
do $$
declare
  own constant text := 'user_id = current_setting(''app.current_user_id'')';
  target text;
begin
  for target in select tablename from pg_tables where schemaname = 'public' and tablename not in ('users', 'invite_codes') loop
    execute format('alter table %I enable row level security', target);
    execute format('create policy %I on %I to hub_user using (%s) with check (%s)', target || '_isolation', target,
      case target when 'team_members' then own || ' or hub_id in (select hub_id from team_members where ' || own
        || ' and left_at is null)' else own end, own);
  end loop;
end
$$;
