//! Every limit in one place; relations between them are asserted at compile time.

use crate::domain::time::Millis;

/// A thread has at most this many parts.
pub const PARTS_MAX: usize = 100;

/// A request body may have at most this many bytes (256 KiB).
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// Attempts of one step before a person is asked (invariant I7).
pub const ATTEMPTS_MAX: u32 = 8;

/// A time at most this far in the past counts as now; more is refused.
pub const PAST_TOLERANCE_MS: Millis = Millis(60_000);

/// A time further ahead than this (10 years) is a slip of the keys and refused; workerd refuses alarms after 2189.
pub const AHEAD_MAX_MS: Millis = Millis(10 * 365 * 86_400_000);

/// Deadline of one publishing call, unless `CALL_DEADLINE_MS` says otherwise.
pub const CALL_DEADLINE_MS: Millis = Millis(10_000);

/// When to look after an ambiguous outcome, in ms after it was noticed, unless `LOOKUP_DELAYS_MS` says otherwise. The
/// last is X's settle time: reports of read-after-write lag range from under a second to minutes.
pub const LOOKUP_DELAYS_MS: [Millis; 3] = [Millis(15_000), Millis(60_000), Millis(300_000)];

/// A post that could not start within this time of its schedule is not published late but goes to a person. What it waited
/// for its account to be connected again, or for the next month's budget, does not count; where the platform limited it,
/// it has twice as long.
pub const LATE_AFTER_MS: Millis = Millis(24 * 3_600 * 1_000);

/// Outbound calls per wake: the free plan allows 50, and ten are kept for the database and the index.
pub const CALLS_PER_WAKE_MAX: u32 = 40;

/// While parts are going out, the row in Neon is at most this far behind the journal.
pub const PROJECTION_LAG_MS_MAX: Millis = Millis(5_000);

// A call still in flight from a stale instance must have ended before "absent" counts (invariant I3).
const _: () = assert!(LOOKUP_DELAYS_MS[LOOKUP_DELAYS_MS.len() - 1].0 > CALL_DEADLINE_MS.0);

/// A post is claimed at most this long before its time, spread over the posts, so that at its time only the call is
/// left to make: a thousand posts of one second would otherwise open a thousand database connections in that second.
pub const CLAIM_LEAD_MS: Millis = Millis(10_000);

/// Waits of one step (rate limit, credit, dead token) before a person is asked.
pub const WAITS_MAX: u32 = 200;

/// Unreadable look-ups of one attempt before a person is asked: with a wait of at most five minutes, about eight hours.
pub const UNREADABLE_MAX: u32 = 100;

/// A post with media, or on a platform that takes several calls, is prepared from this long before its time on: uploads
/// and processing take minutes, and what platforms give out for them lives an hour at least.
pub const PREPARE_LEAD_MS: Millis = Millis(10 * 60_000);

/// Failures in a row while a part is being prepared before its post stops: with a wait of at most five minutes, about
/// eight hours.
pub const PREPARATION_FAILURES_MAX: u32 = 100;

/// How often a part is prepared anew, because what the platform gave out for it is void, before its post stops.
pub const PREPARATION_RESTARTS_MAX: u32 = 8;

/// How long a platform may process something before a person is asked (platform-apis 4.4: some videos take more than
/// half an hour).
pub const PROCESSING_MS_MAX: Millis = Millis(2 * 3_600_000);

/// When a platform is asked what it calls a post that is out under a handle only, after that: public names appear after
/// moderation, usually in a minute, sometimes after hours (platform-apis 4.4).
pub const IDENTIFY_AFTER_MS: [Millis; 6] = [
    Millis(60_000),
    Millis(5 * 60_000),
    Millis(30 * 60_000),
    Millis(2 * 3_600_000),
    Millis(6 * 3_600_000),
    Millis(24 * 3_600_000),
];

/// How long a platform may fetch a medium at the address that it was given. TikTok may fetch for an hour and Instagram
/// within a day of making its container (platform-apis 4.4 and 3.4); two more for clocks and queues.
pub const ADDRESS_LIFETIME_MS: Millis = Millis(26 * 3_600_000);

/// Time allowed for a call that carries a chunk of a medium, at least.
pub const UPLOAD_DEADLINE_MS: Millis = Millis(60_000);

/// Weighted length that a part may have on X (twitter-text v3, `maxWeightedTweetLength`).
pub const WEIGHTED_LENGTH_MAX: u32 = 280;

/// A medium may have at most this many bytes (4 GiB): the most that any platform takes (TikTok's videos).
pub const MEDIUM_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// Bytes of a chunk of an upload, and the most that one request may carry of a medium (8 MiB): what a Worker holds at
/// once. R2 wants at least 5 MiB.
pub const CHUNK_BYTES: u64 = 8 * 1024 * 1024;

/// A medium that the Worker fetches itself may have at most this many bytes (512 MiB).
pub const FETCHED_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Time for fetching a medium, all its bytes together.
pub const FETCH_MS_MAX: Millis = Millis(5 * 60_000);

// The number of a chunk goes up to 10,000 in R2.
const _: () = assert!(MEDIUM_BYTES_MAX / CHUNK_BYTES < 10_000);

/// Weighted length that a part may have on X where the account pays for long posts (X's changelog, 2024-08-20).
pub const LONG_WEIGHTED_LENGTH_MAX: u32 = 25_000;

/// Counts of posts of the last 90 days are what is learnt from.
pub const LEARN_FROM_MS: Millis = Millis(90 * 24 * 3_600_000);
