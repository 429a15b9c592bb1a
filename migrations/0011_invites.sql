-- Invites to a hub, in the legacy shape. psn keeps the digest of a code in `code`, never the code.
create table if not exists public.invite_codes (
  id uuid primary key default gen_random_uuid() not null,
  hub_id text not null,
  code text not null constraint invite_codes_code_unique unique,
  created_by text not null,
  expires_at timestamp with time zone not null,
  used_by text,
  used_at timestamp with time zone,
  created_at timestamp with time zone default now() not null
);
-- next
select public.psn_protect('invite_codes', 'select, insert, update, delete', 'hub_id in (select public.psn_hubs(''admin''))');
-- next
-- Takes an invite: one statement marks it used and makes the caller a member (again), or nothing happens. Whoever holds
-- a code is no member yet and sees neither table, so this acts as the owner, for the caller alone. The answer is
-- `joined`, also when it is asked again because the first answer was lost; `member`: the caller belongs already, and
-- the code stays good; `used`; `expired`; `unknown`.
create or replace function public.psn_invite_redeem(digest text, shown_name text, shown_email text)
returns table (outcome text, hub text)
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  with invite as (
    select i.id, i.hub_id, i.used_by, i.used_at, i.expires_at, m.user_id is not null as belongs
    from public.invite_codes i
    left join public.team_members m on m.hub_id = i.hub_id and m.user_id = public.psn_me() and m.left_at is null
    where i.code = digest and public.psn_me() is not null
  ),
  used as (
    update public.invite_codes i set used_by = public.psn_me(), used_at = now() from invite
    where i.id = invite.id and not invite.belongs and i.used_by is null and i.used_at is null and i.expires_at > now()
    returning i.hub_id
  ),
  joined as (
    insert into public.team_members as m (user_id, hub_id, display_name, email, joined_at)
    select public.psn_me(), used.hub_id, shown_name, shown_email, now() from used
    on conflict (user_id, hub_id) do update set role = 'member', left_at = null, joined_at = now(), updated_at = now(),
      display_name = coalesce(excluded.display_name, m.display_name), email = coalesce(excluded.email, m.email)
    returning m.hub_id
  )
  select case
      when exists (select from joined) then 'joined'
      when invite.belongs and invite.used_by = public.psn_me() then 'joined'
      when invite.belongs then 'member'
      when invite.used_at is not null or invite.used_by is not null then 'used'
      when invite.expires_at <= now() then 'expired'
      else 'used'
    end, invite.hub_id
  from invite
$$;
-- next
revoke all on function public.psn_invite_redeem(text, text, text) from public;
-- next
grant execute on function public.psn_invite_redeem(text, text, text) to hub_user;
