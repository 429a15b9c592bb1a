-- The tasks read in which zones users live: quiet hours, digests and weeks are in them.
grant select on public.psn_settings to psn_task;
-- next
create policy psn_settings_zone_task on public.psn_settings for select to psn_task
  using (scope = '' and name = 'time_zone');
