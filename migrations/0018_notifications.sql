-- How each user wants to be told, in the legacy shape.
create table if not exists public.notification_preferences (
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
-- next
-- What each user was told, in the legacy shape.
create table if not exists public.notification_log (
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
-- next
-- Conversations with people who answer by WhatsApp, in the legacy shape.
create table if not exists public.whatsapp_sessions (
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
-- next
select public.psn_protect(target, 'select, insert, update, delete')
  from unnest(array['notification_preferences', 'notification_log', 'whatsapp_sessions']) as target;
-- next
-- The tasks read how each user wants to be told, whose telephone wrote, and note what was sent.
grant select on public.notification_preferences, public.notification_log to psn_task;
-- next
grant insert on public.notification_log to psn_task;
-- next
grant select (user_id, phone, provider, session_state) on public.whatsapp_sessions to psn_task;
-- next
drop policy if exists notification_preferences_task on public.notification_preferences;
-- next
create policy notification_preferences_task on public.notification_preferences for select to psn_task using (true);
-- next
drop policy if exists notification_log_task on public.notification_log;
-- next
create policy notification_log_task on public.notification_log to psn_task using (true) with check (true);
-- next
drop policy if exists whatsapp_sessions_task on public.whatsapp_sessions;
-- next
create policy whatsapp_sessions_task on public.whatsapp_sessions for select to psn_task using (true);
-- next
create index if not exists psn_notification_log_by_user on public.notification_log (user_id, sent_at desc);
-- next
create index if not exists psn_notification_log_by_key on public.notification_log (user_id, dedup_key, created_at desc);
-- next
create index if not exists psn_whatsapp_sessions_by_phone on public.whatsapp_sessions (phone);
