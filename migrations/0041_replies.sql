-- What somebody was told last: a reply is about one of those.
create index if not exists psn_deliveries_told on public.psn_deliveries (user_id, finished_at desc, id desc) where status = 'sent';
