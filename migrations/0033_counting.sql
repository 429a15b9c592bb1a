-- The collector of counts asks across users which accounts' followers were not noted today: it sees no number.
grant select (user_id, account_id, day) on public.psn_followers to psn_task;
-- next
drop policy if exists psn_followers_task on public.psn_followers;
-- next
create policy psn_followers_task on public.psn_followers for select to psn_task using (true);
-- next
create index if not exists psn_followers_by_day on public.psn_followers (day, user_id, account_id);
