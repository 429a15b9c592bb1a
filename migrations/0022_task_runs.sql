-- Runs of the tasks, one for each time they are due: what they did, how far they came, and until when a run holds its
-- task. Tasks that look at the index alone leave no row, so that the database may sleep.
create table public.psn_task_runs (
  task text not null,
  due_at timestamp with time zone not null,
  status text not null check (status in ('running', 'done', 'failed')),
  token text not null,
  lease_until timestamp with time zone not null,
  started_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  progress jsonb,
  report jsonb,
  primary key (task, due_at)
);
-- next
-- No task overlaps itself.
create unique index if not exists psn_task_runs_one_at_a_time on public.psn_task_runs (task) where status = 'running';
-- next
-- These are nobody's rows: only the tasks read and write them.
select public.psn_protect('psn_task_runs', null, null);
-- next
grant select, insert, update, delete on public.psn_task_runs to psn_task;
-- next
create policy psn_task_runs_task on public.psn_task_runs to psn_task using (true) with check (true);
