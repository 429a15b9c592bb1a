-- Answers to requests with an `Idempotency-Key` lie in the Worker's index, so that a repeat wakes no database.
drop table if exists public.psn_idempotency;
