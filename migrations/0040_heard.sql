-- Whether anybody would be told of what happens to the posts of the user that a request acts for: they themselves, or an
-- admin of that hub of theirs. The object of a post asks with every notice, so that nobody is woken for nothing. Where the
-- others are told nobody may read, so this looks as the owner, and answers for hubs of the user alone.
create or replace function public.psn_heard(hub text) returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select exists (select from public.psn_destinations d where d.user_id = public.psn_me() and d.enabled)
    or exists (select from public.team_members m where m.hub_id = hub and m.hub_id in (select public.psn_hubs())
      and m.left_at is null and m.role = 'admin'
      and exists (select from public.psn_destinations d where d.user_id = m.user_id and d.enabled))
$$;
-- next
revoke all on function public.psn_heard(text) from public;
-- next
grant execute on function public.psn_heard(text) to hub_user;
