-- What a published post has already brought about elsewhere, so that each happens once: an episode counted in its series,
-- a format noted, a slot of a plan done.
create table public.psn_post_effects (
  user_id text not null,
  post_id uuid not null,
  effect text not null,
  at timestamp with time zone not null,
  primary key (user_id, post_id, effect)
);
-- next
select public.psn_protect('psn_post_effects', 'select, insert');
