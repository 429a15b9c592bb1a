-- Rights, whether or not the roles were here before: the legacy program granted nothing where it found its role.
do $$
begin
  if not has_schema_privilege('hub_user', 'public', 'usage') then
    grant usage on schema public to hub_user;
  end if;
  if not has_schema_privilege('psn_task', 'public', 'usage') then
    grant usage on schema public to psn_task;
  end if;
end
$$;
-- next
grant select, insert, update, delete on public.posts, public.oauth_tokens to hub_user;
-- next
-- The tasks find work across users and then do it as the user it belongs to.
grant select on public.posts to psn_task;
