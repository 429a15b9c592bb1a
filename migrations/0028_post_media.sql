-- Posts by their media, for the clean-up that asks which are still needed.
create index if not exists psn_posts_media on public.posts using gin (media_urls) where media_urls is not null;
