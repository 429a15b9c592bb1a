-- `psn_join` takes invites: it judges who may take which name, and keeps the digest of the new token in the same statement.
drop function if exists public.psn_invite_redeem(text, text, text);
