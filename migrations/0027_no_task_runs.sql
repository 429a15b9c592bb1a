-- What is known of the tasks' runs lies in the Worker's index, so that no run wakes the database for its own sake.
drop table if exists public.psn_task_runs;
