-- Whom a request acts for: nobody where the setting was never made, and where it reads as an empty text.
create or replace function public.psn_me() returns text
language sql stable parallel safe
as $$ select nullif(current_setting('app.current_user_id', true), '') $$;
-- next
revoke all on function public.psn_me() from public;
-- next
grant execute on function public.psn_me() to hub_user, psn_task;
-- next
-- What every table that holds rows of users needs, in one place for the migrations that follow: rights for `hub_user`,
-- row-level security that is forced, a policy for the owner (the legacy program works as the owner and sets nothing) and
-- one for the user's own rows. Rights are taken away first, as the legacy program grants its role everything on every
-- future table. `own` says which rows a user sees and may leave behind; where it is null the caller makes the policies.
-- `made` says which rows a user may make, where that is less. Nothing is ever restrictive: the owner is a member of
-- `hub_user`, so that the legacy program would be restricted too.
create or replace function public.psn_protect(target text, rights text, own text default 'user_id = public.psn_me()',
  made text default null)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  owner name := (select pg_get_userbyid(relowner) from pg_class where oid = format('public.%I', target)::regclass);
begin
  execute format('revoke all on public.%I from public, hub_user, psn_task', target);
  if rights is not null then
    execute format('grant %s on public.%I to hub_user', rights, target);
  end if;

  execute format('drop policy if exists %I on public.%I', target || '_owner', target);
  execute format('create policy %I on public.%I to %I using (true) with check (true)', target || '_owner', target, owner);

  execute format('drop policy if exists %I on public.%I', target || '_isolation', target);
  execute format('drop policy if exists %I on public.%I', target || '_made', target);
  execute format('drop policy if exists %I on public.%I', target || '_changed', target);
  execute format('drop policy if exists %I on public.%I', target || '_deleted', target);
  if own is not null and made is null then
    execute format('create policy %I on public.%I to hub_user using (%s) with check (%s)',
      target || '_isolation', target, own, own);
  elsif own is not null then
    execute format('create policy %I on public.%I for select to hub_user using (%s)', target || '_isolation', target, own);
    execute format('create policy %I on public.%I for insert to hub_user with check (%s)', target || '_made', target, made);
    execute format('create policy %I on public.%I for update to hub_user using (%s) with check (%s)',
      target || '_changed', target, own, own);
    execute format('create policy %I on public.%I for delete to hub_user using (%s)', target || '_deleted', target, own);
  end if;

  execute format('alter table public.%I enable row level security', target);
  execute format('alter table public.%I force row level security', target);
end
$$;
-- next
revoke all on function public.psn_protect(text, text, text, text) from public;
