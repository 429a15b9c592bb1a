-- Answers to requests that carried an `Idempotency-Key`, kept until they expire. No answer yet: the request is running.
create table public.psn_idempotency (
  user_id text not null,
  key text not null,
  request_digest text not null,
  status integer,
  answer jsonb,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  primary key (user_id, key)
);
-- next
create index if not exists psn_idempotency_expired on public.psn_idempotency (expires_at);
-- next
select public.psn_protect('psn_idempotency', 'select, insert, update, delete');
-- next
-- A task clears away what has expired.
grant select (expires_at), delete on public.psn_idempotency to psn_task;
-- next
create policy psn_idempotency_task on public.psn_idempotency to psn_task using (expires_at < now());
