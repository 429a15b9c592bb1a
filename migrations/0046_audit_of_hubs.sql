-- Admins see what those who belong or belonged to their hub did, as they see their tokens (0020).
create policy psn_audit_admin on public.psn_audit for select to hub_user
  using (user_id in (select m.user_id from public.team_members m where m.hub_id in (select public.psn_hubs('admin'))));
