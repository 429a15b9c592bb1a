-- Where a user is told: the kind of service, and its sealed address and secrets.
create table public.psn_destinations (
  id uuid primary key default gen_random_uuid(),
  user_id text not null,
  kind text not null,
  label text not null,
  sealed text not null,
  enabled boolean not null default true,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null
);
-- next
create index if not exists psn_destinations_by_user on public.psn_destinations (user_id, created_at, id);
-- next
-- What a user is to be told. A row is written in the transaction that brings the event about; `event_key` names the
-- event, so that it is written once. `pending` until the dispatcher has decided: `routed` to destinations, kept for the
-- next `digest`, or `dropped` (nobody to tell, or not wanted); what a digest took in has its id. A row with an `audience`
-- is about somebody's doing and goes to others: the dispatcher writes a row for each of them.
create table public.psn_outbox (
  id uuid primary key default gen_random_uuid(),
  user_id text not null,
  audience text,
  event_key text not null,
  event_type text not null,
  tier text not null,
  subject text,
  post_id uuid,
  hub_id text,
  payload jsonb not null,
  state text not null default 'pending' check (state in ('pending', 'routed', 'digest', 'dropped')),
  digest_id uuid,
  not_before timestamp with time zone not null,
  claim_token text,
  claimed_until timestamp with time zone,
  created_at timestamp with time zone not null,
  decided_at timestamp with time zone,
  constraint psn_outbox_once unique (user_id, event_key)
);
-- next
create index if not exists psn_outbox_due on public.psn_outbox (not_before, id) where state = 'pending';
-- next
create index if not exists psn_outbox_digest on public.psn_outbox (user_id, created_at, id)
  where state = 'digest' and digest_id is null;
-- next
-- One message to one destination: `pending` until it is `sent`, or `dead` when every try failed.
create table public.psn_deliveries (
  id uuid primary key default gen_random_uuid(),
  user_id text not null,
  outbox_id uuid not null references public.psn_outbox (id) on delete cascade,
  destination_id uuid not null references public.psn_destinations (id) on delete cascade,
  status text not null default 'pending' check (status in ('pending', 'sent', 'dead')),
  attempts integer not null default 0,
  next_at timestamp with time zone not null,
  claim_token text,
  claimed_until timestamp with time zone,
  message_id text,
  last_error text,
  created_at timestamp with time zone not null,
  finished_at timestamp with time zone,
  constraint psn_deliveries_once unique (outbox_id, destination_id)
);
-- next
create index if not exists psn_deliveries_due on public.psn_deliveries (next_at, id) where status = 'pending';
-- next
create index if not exists psn_deliveries_dead on public.psn_deliveries (user_id, created_at desc, id desc) where status = 'dead';
-- next
create index if not exists psn_deliveries_by_destination on public.psn_deliveries (destination_id);
-- next
select public.psn_protect('psn_destinations', 'select, insert, update, delete'),
  public.psn_protect('psn_outbox', 'select, insert'),
  public.psn_protect('psn_deliveries', 'select, update (status, attempts, next_at, finished_at)');
-- next
-- The dispatcher works across users: it decides, delivers, and clears away what is old. It changes nothing that was said.
grant select on public.psn_destinations, public.psn_outbox, public.psn_deliveries to psn_task;
-- next
grant insert, update (state, digest_id, not_before, claim_token, claimed_until, decided_at), delete
  on public.psn_outbox to psn_task;
-- next
grant insert, update (status, attempts, next_at, claim_token, claimed_until, message_id, last_error, finished_at)
  on public.psn_deliveries to psn_task;
-- next
create policy psn_destinations_task on public.psn_destinations for select to psn_task using (true);
-- next
create policy psn_outbox_task on public.psn_outbox to psn_task using (true) with check (true);
-- next
create policy psn_deliveries_task on public.psn_deliveries to psn_task using (true) with check (true);
