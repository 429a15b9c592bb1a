//! What the week cost: how long the database was awake, how many requests Cloudflare counts, how much processor time a
//! wake takes.

use super::Week;
use crate::native::Native;
use crate::place::Place as _;
use crate::{DAY, HOUR, MINUTE};
use nix::time::{ClockId, clock_gettime};
use psn::domain::time::{Millis, Timestamp};
use std::fmt::Write as _;
use std::future::poll_fn;
use std::io::Write as _;
use std::pin::pin;
use std::time::Duration;

/// Neon lets a database sleep after so long without a request.
const IDLE: Millis = Millis(5 * MINUTE.0);
/// What its smallest one takes.
const COMPUTE_UNITS: f64 = 0.25;
/// CU-hours that are free a month.
const COMPUTE_MAX: f64 = 100.0;
/// Requests that Cloudflare's free plan answers a day.
const REQUESTS_MAX: u64 = 100_000;
/// What one of its invocations may take.
const CPU_MAX: Duration = Duration::from_millis(10);

/// What woke the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    Alarm,
    Cron,
}

pub struct Cost {
    pub wakes: Vec<(Wake, Duration)>,
    /// Counts at the beginning of the week.
    requests: u64,
    objects: u64,
    asked: usize,
}

impl Cost {
    pub fn of(place: &Native) -> Self {
        Self {
            wakes: Vec::new(),
            requests: place.requests(),
            objects: place.world.object_requests(),
            asked: place.world.http().asked.lock().unwrap().len(),
        }
    }
}

/// Processor time of this thread.
fn processor() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

/// What a future gives, and the processor time that it took: neither what it waited for, nor what servers and clients
/// behind connections did meanwhile.
pub async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let mut future = pin!(future);
    let mut spent = Duration::ZERO;
    let given = poll_fn(|context| {
        let began = processor();
        let polled = future.as_mut().poll(context);
        spent += processor().saturating_sub(began);
        polled
    });
    let given = given.await;
    (given, spent)
}

/// How long a database was awake that was asked at these times.
pub fn awake(asked: &[Timestamp]) -> Millis {
    let mut asked = asked.to_vec();
    asked.sort_unstable();
    let mut total = 0;
    let mut until = Timestamp(i64::MIN);
    for at in asked {
        total += (at.0 + IDLE.0) - until.0.max(at.0);
        until = at + IDLE;
    }
    Millis(total)
}

/// So much of a list is at most as large as what is given; in milliseconds.
fn quantile(sorted: &[Duration], part: f64) -> f64 {
    let place = (sorted.len() - 1) as f64 * part;
    sorted[place.round() as usize].as_secs_f64() * 1_000.0
}

impl Week {
    /// Prints what the week cost, and holds it against what is free.
    pub fn report(&self) {
        let cost = &self.cost;
        let asked = self.place.world.http().asked.lock().unwrap()[cost.asked..].to_vec();
        let days = self.place.now().since(self.began).0 as f64 / DAY.0 as f64;
        let hours = awake(&asked).0 as f64 / HOUR.0 as f64;
        let a_month = hours * COMPUTE_UNITS / days * 365.25 / 12.0;
        let crons = cost.wakes.iter().filter(|(wake, _)| *wake == Wake::Cron).count() as u64;
        let (fetches, objects) = (
            self.place.requests() - cost.requests,
            self.place.world.object_requests() - cost.objects,
        );
        let a_day = ((fetches + crons + objects) as f64 / days) as u64;
        let mut table = format!("\na week of {} posts on four platforms:\n", self.posts.len());
        let mut row = |name: &str, value: String| writeln!(table, "  {name:<44} {value}").unwrap();
        row("requests to the database", asked.len().to_string());
        row("the database awake", format!("{hours:.1} h"));
        row("CU-hours a month (free: 100)", format!("{a_month:.1}"));
        row("requests to the API", fetches.to_string());
        row("cron events", crons.to_string());
        row("requests and alarms of objects", objects.to_string());
        row("requests a day (free: 100,000)", a_day.to_string());
        for wake in [Wake::Alarm, Wake::Cron] {
            let of_it = cost.wakes.iter().filter(|(of, _)| *of == wake);
            let mut times: Vec<Duration> = of_it.map(|(_, spent)| *spent).collect();
            times.sort_unstable();
            let (half, most) = (quantile(&times, 0.5), quantile(&times, 0.99));
            let above = times.iter().filter(|time| **time > CPU_MAX).count();
            row(
                &format!("processor per wake by {wake:?}, not optimised"),
                format!(
                    "p50 {half:.2} ms, p99 {most:.2} ms, {above} of {} above 10 ms",
                    times.len()
                ),
            );
        }
        // Past the harness, which would keep it to itself.
        std::io::stdout().write_all(table.as_bytes()).unwrap();
        assert!(a_month < COMPUTE_MAX, "{table}{}", self.wakers(&asked));
        assert!(a_day < REQUESTS_MAX, "{table}");
    }

    /// At which minutes of the hour the database was woken, and how often: that tells by whom.
    fn wakers(&self, asked: &[Timestamp]) -> String {
        let mut until = Timestamp(i64::MIN);
        let mut minutes = [0; 60];
        for at in asked {
            if *at > until {
                minutes[usize::try_from(at.0 / MINUTE.0 % 60).unwrap()] += 1;
            }
            until = *at + IDLE;
        }
        let woken = minutes.iter().enumerate().filter(|(_, times)| **times > 0);
        let woken: Vec<_> = woken.map(|(minute, times)| format!("{minute}: {times}")).collect();
        format!("woken at minutes {}", woken.join(", "))
    }
}

#[test]
fn overlapping_times_awake_count_once() {
    let minute = |at: i64| Timestamp(at * MINUTE.0);
    assert_eq!(awake(&[]), Millis(0));
    assert_eq!(awake(&[minute(0)]), IDLE);
    assert_eq!(awake(&[minute(0), minute(0), minute(3)]), Millis(8 * MINUTE.0));
    assert_eq!(awake(&[minute(20), minute(0)]), Millis(10 * MINUTE.0));
}
