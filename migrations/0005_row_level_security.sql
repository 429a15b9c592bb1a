-- Row-level security: a user sees and changes only rows of their own.
--
-- The legacy policies read `app.current_user_id` in the form that raises an error where it was never set; and once set
-- locally it reads as an empty text on that connection for ever. Both must mean nobody, hence the nullif. Their names
-- are kept. The security is forced on the owner too, together with a policy that lets the owner see all rows: the
-- legacy program works as the owner and sets nothing.
do $$
declare
  own constant text := 'user_id = nullif(current_setting(''app.current_user_id'', true), '''')';
  target text;
  owner name;
begin
  foreach target in array array['posts', 'oauth_tokens'] loop
    owner := (select pg_get_userbyid(relowner) from pg_class where oid = format('public.%I', target)::regclass);

    execute format('drop policy if exists %I on public.%I', target || '_isolation', target);
    execute format('create policy %I on public.%I to hub_user using (%s) with check (%s)',
      target || '_isolation', target, own, own);

    execute format('drop policy if exists %I on public.%I', target || '_owner', target);
    execute format('create policy %I on public.%I to %I using (true) with check (true)',
      target || '_owner', target, owner);

    execute format('alter table public.%I enable row level security', target);
    execute format('alter table public.%I force row level security', target);
  end loop;
end
$$;
-- next
drop policy if exists posts_task on public.posts;
-- next
create policy posts_task on public.posts for select to psn_task using (true);
