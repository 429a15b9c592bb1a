-- For whom an invite is, where an admin named somebody: whoever takes it belongs under that name, also again.
create table public.psn_invite_terms (
  invite_id uuid primary key,
  hub_id text not null,
  for_user text not null
);
-- next
select public.psn_protect('psn_invite_terms', 'select, insert, delete', 'hub_id in (select public.psn_hubs(''admin''))');
-- next
-- Takes an invite: marks it used, makes the caller a member (again) and keeps the digest of their new token, or does
-- nothing. As `psn_invite_redeem`, which it replaces, it acts as the owner, for the caller alone. Whoever has a token already
-- gives no digest. Whoever has none gets one together with a name, and nobody takes a name that anybody has used here before,
-- a hub's id included, unless an admin made the invite for that name. The answer is `joined`, also when it is asked again
-- because the first answer was lost; `member`: the caller belongs already, and the code stays good; `used`; `expired`, also
-- where whoever made the invite is no admin any more; `taken`: the name is somebody's; `other`: the invite is for another
-- name; `token`: the token is in use; nothing where there is no such code.
create or replace function public.psn_join(code_digest text, shown_name text, shown_email text, token_id uuid,
  token_digest text, token_name text, member_scopes text[], admin_scopes text[], at timestamp with time zone)
returns table (outcome text, hub text, belongs_as text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  me text := public.psn_me();
  invite public.invite_codes%rowtype;
  named text;
  has_role text;
begin
  if me is null then
    return;
  end if;
  -- Two who choose the same name take turns.
  perform pg_advisory_xact_lock(hashtextextended(jsonb_build_array('psn user', me)::text, 0));
  select * into invite from public.invite_codes i where i.code = code_digest for update;
  if not found then
    return;
  end if;
  hub := invite.hub_id;
  select t.for_user into named from public.psn_invite_terms t where t.invite_id = invite.id;
  select m.role into has_role from public.team_members m
    where m.hub_id = invite.hub_id and m.user_id = me and m.left_at is null;
  belongs_as := has_role;
  if invite.used_at is not null or invite.used_by is not null then
    outcome := case when invite.used_by = me and has_role is not null and (token_digest is null
        or exists (select from public.psn_api_tokens t
          where t.digest = token_digest and t.user_id = me and t.revoked_at is null)) then 'joined' else 'used' end;
    return next;
    return;
  end if;
  outcome := case
    when invite.expires_at <= at or not exists (select from public.team_members m where m.hub_id = invite.hub_id
      and m.user_id = invite.created_by and m.role = 'admin' and m.left_at is null) then 'expired'
    when named <> me then 'other'
    when token_digest is null and has_role is not null then 'member'
    when exists (select from public.psn_api_tokens t where t.digest = token_digest) then 'token'
    when token_digest is not null and named is null and (exists (select from public.team_members m where m.user_id = me or m.hub_id = me)
      or exists (select from public.psn_api_tokens t where t.user_id = me)
      or exists (select from public.posts p where p.user_id = me)
      or exists (select from public.oauth_tokens o where o.user_id = me)
      or exists (select from public.psn_settings s where s.user_id = me)
      or exists (select from public.ideas i where i.user_id = me or i.hub_id = me)
      or exists (select from public.invite_codes i where i.hub_id = me)) then 'taken'
    else 'joined'
  end;
  if outcome <> 'joined' then
    return next;
    return;
  end if;
  update public.invite_codes i set used_by = me, used_at = at where i.id = invite.id;
  insert into public.team_members as m (user_id, hub_id, display_name, email, joined_at, created_at, updated_at)
    values (me, invite.hub_id, shown_name, shown_email, at, at, at)
    on conflict (user_id, hub_id) do update set
      role = case when m.left_at is null then m.role else 'member' end,
      joined_at = case when m.left_at is null then m.joined_at else excluded.joined_at end,
      left_at = null, updated_at = excluded.updated_at,
      display_name = coalesce(excluded.display_name, m.display_name), email = coalesce(excluded.email, m.email)
    returning m.role into has_role;
  insert into public.psn_api_tokens (id, user_id, name, digest, scopes, created_at)
    select token_id, me, token_name, token_digest, case has_role when 'admin' then admin_scopes else member_scopes end, at
    where token_digest is not null;
  belongs_as := has_role;
  return next;
end
$$;
-- next
revoke all on function public.psn_join(text, text, text, uuid, text, text, text[], text[], timestamp with time zone) from public;
-- next
grant execute on function public.psn_join(text, text, text, uuid, text, text, text[], text[], timestamp with time zone) to hub_user;
-- next
-- Whether somebody has left that hub and belongs to no other; row-level security shows an admin those of their own hubs only.
-- Answered to admins of the hub, and about oneself.
create or replace function public.psn_has_left(left_hub text, who text) returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select (who = public.psn_me() or left_hub in (select public.psn_hubs('admin')))
    and exists (select from public.team_members m where m.hub_id = left_hub and m.user_id = who and m.left_at is not null)
    and not exists (select from public.team_members m where m.user_id = who and m.left_at is null)
$$;
-- next
revoke all on function public.psn_has_left(text, text) from public;
-- next
grant execute on function public.psn_has_left(text, text) to hub_user;
