-- Which media each user has; the bytes lie in the object store under their hash, once for all users.
create table public.psn_media (
  user_id text not null,
  media_id text not null,
  content_type text not null,
  size_bytes bigint not null,
  created_at timestamp with time zone not null,
  last_used_at timestamp with time zone not null,
  primary key (user_id, media_id)
);
-- next
-- The clean-up finds what nobody has used for long.
create index if not exists psn_media_unused on public.psn_media (last_used_at, media_id);
-- next
create index if not exists psn_media_holders on public.psn_media (media_id);
-- next
select public.psn_protect('psn_media', 'select, insert, update, delete');
-- next
grant select, delete on public.psn_media to psn_task;
-- next
create policy psn_media_task on public.psn_media to psn_task using (true);
