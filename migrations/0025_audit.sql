-- Who did what: added to and never changed. It names things and holds no contents.
create table public.psn_audit (
  id bigint generated always as identity primary key,
  at timestamp with time zone not null,
  user_id text not null,
  token_id uuid,
  action text not null,
  target text,
  detail jsonb
);
-- next
create index if not exists psn_audit_by_user on public.psn_audit (user_id, id desc);
-- next
select public.psn_protect('psn_audit', 'select, insert');
