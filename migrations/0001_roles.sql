-- Roles: `hub_user` acts for one user at a time, `psn_task` reads for the watchdog across users. Neither can log in;
-- the owner becomes one of them for a transaction. Roles belong to the whole cluster, so another database of the same
-- project may have made them, even in this moment.
do $$
declare
  wanted name;
  may_become boolean;
begin
  foreach wanted in array array['hub_user', 'psn_task']::name[] loop
    if not exists (select from pg_roles where rolname = wanted) then
      begin
        execute format('create role %I nologin', wanted);
      exception when duplicate_object or unique_violation then
        null;
      end;
    end if;

    -- From 16 on, whoever creates a role may administer it but not become it until that is granted.
    if current_setting('server_version_num')::int >= 160000 then
      execute 'select pg_has_role(current_user, $1, ''SET'')' into may_become using wanted;
    else
      may_become := pg_has_role(current_user, wanted, 'MEMBER');
    end if;
    if not may_become then
      begin
        if current_setting('server_version_num')::int >= 160000 then
          execute format('grant %I to current_user with set true, inherit false', wanted);
        else
          execute format('grant %I to current_user', wanted);
        end if;
      exception when unique_violation then
        null;
      end;
    end if;
  end loop;
end
$$;
