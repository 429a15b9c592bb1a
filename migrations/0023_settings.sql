-- Settings of a user (`scope` is empty), of one of their accounts (its id), or of a hub, whose id then stands in `user_id`.
create table public.psn_settings (
  user_id text not null,
  scope text not null default '',
  name text not null,
  value jsonb not null,
  updated_at timestamp with time zone not null,
  primary key (user_id, scope, name)
);
-- next
select public.psn_protect('psn_settings', 'select, insert, update, delete',
  'user_id = public.psn_me() or user_id in (select public.psn_hubs(''admin''))');
-- next
create policy psn_settings_member on public.psn_settings for select to hub_user
  using (user_id in (select public.psn_hubs()));
