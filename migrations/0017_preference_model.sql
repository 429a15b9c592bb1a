-- What worked, in the legacy shape: a row for each user, and one for each hub, whose id then stands in `user_id`.
create table if not exists public.preference_model (
  id uuid primary key default gen_random_uuid() not null,
  user_id text not null constraint preference_model_user_id_unique unique,
  top_formats jsonb,
  top_pillars jsonb,
  best_posting_times jsonb,
  hook_patterns jsonb,
  common_edit_patterns jsonb,
  avg_edit_ratio integer,
  updated_at timestamp with time zone default now() not null,
  created_at timestamp with time zone default now() not null,
  fatigued_topics jsonb,
  locked_settings jsonb,
  killed_idea_patterns jsonb,
  follower_history jsonb
);
-- next
select public.psn_protect('preference_model', 'select, insert, update, delete',
  'user_id = public.psn_me() or user_id in (select public.psn_hubs())');
