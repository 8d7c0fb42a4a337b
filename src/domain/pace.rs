//! How fast one API of one account in one region may be called.
//!
//! A debt-model bucket without a queue: [`Pace::reserve`] hands out the next free moment and the caller waits for it.
//! It starts low because most quotas are not published, halves when the cloud throttles, obeys the cloud's hint, and
//! recovers by a tenth a minute (`facts`: Alibaba counts calls per account, region and API name).

use std::time::Duration;

/// Calls per second at the start, where the operator named no limit.
pub const START: f64 = 3.0;
/// The most calls per second that are tried unasked.
pub const CEILING: f64 = 10.0;
/// However long the throttling lasts, one call in this many seconds is still tried.
const SLOWEST: f64 = 1.0 / 60.0;
/// Growth for each minute of use without throttling.
const GROWTH: f64 = 1.1;
/// A hint of the cloud beyond this is cut: a defective one must not silence a scope for a day.
const LONGEST_HINT: Duration = Duration::from_mins(10);

/// The pace of one (account, region, API). Times are points on the daemon's timeline (time since start).
#[derive(Debug, Clone)]
pub struct Pace {
    rate: f64,
    ceiling: f64,
    next_free: Duration,
    held_until: Duration,
    grown_at: Duration,
    cut_at: Option<Duration>,
    throttled_in_a_row: u32,
}

impl Pace {
    /// Starts at [`START`] and finds its way up to [`CEILING`]; with a limit of the operator, starts there.
    pub fn new(limit: Option<f64>) -> Self {
        // a limit so small that a wait would not fit a `Duration` means "hardly ever"
        let limit = limit.map(|limit| limit.max(SLOWEST / 60.0));
        Self {
            rate: limit.unwrap_or(START),
            ceiling: limit.unwrap_or(CEILING),
            next_free: Duration::ZERO,
            held_until: Duration::ZERO,
            grown_at: Duration::ZERO,
            cut_at: None,
            throttled_in_a_row: 0,
        }
    }

    /// Calls per second allowed now.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Takes the next free moment and tells how long to wait for it.
    pub fn reserve(&mut self, now: Duration) -> Duration {
        let at = self.next_free.max(self.held_until).max(now);
        self.next_free = at + Duration::from_secs_f64(1.0 / self.rate);
        at.saturating_sub(now)
    }

    /// Whether the cloud asked for silence beyond `now`. Those who reserved before it did must reserve again.
    pub fn held(&self, now: Duration) -> bool {
        self.held_until > now
    }

    /// The cloud took a call.
    pub fn succeeded(&mut self, now: Duration) {
        let used = now.saturating_sub(self.grown_at).min(Duration::from_mins(1));
        self.rate = (self.rate * GROWTH.powf(used.as_secs_f64() / 60.0)).min(self.ceiling.max(self.rate));
        self.grown_at = now;
        self.throttled_in_a_row = 0;
    }

    /// The cloud refused a call, sent at `sent`, for coming too fast.
    ///
    /// Calls that were under way together are refused together: only the first of them halves the rate.
    pub fn throttled(&mut self, sent: Duration, now: Duration, hint: Option<Duration>) {
        self.grown_at = now;
        if self.cut_at.is_none_or(|cut| sent >= cut) {
            self.rate = (self.rate / 2.0).max(SLOWEST.min(self.ceiling));
            self.cut_at = Some(now);
            self.throttled_in_a_row = self.throttled_in_a_row.saturating_add(1);
        }
        let silence = hint.map_or_else(|| self.own_silence(), |hint| hint.min(LONGEST_HINT));
        self.held_until = self.held_until.max(now + silence);
    }

    /// Without a hint: one second, doubling to a minute.
    fn own_silence(&self) -> Duration {
        Duration::from_secs(1 << self.throttled_in_a_row.saturating_sub(1).min(6)).min(Duration::from_mins(1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn calls_are_spaced_evenly_and_idle_time_is_not_saved_up() {
        let mut pace = Pace::new(Some(4.0));
        assert_eq!(pace.reserve(SECOND), Duration::ZERO);
        assert_eq!(pace.reserve(SECOND), Duration::from_millis(250));
        assert_eq!(pace.reserve(SECOND), Duration::from_millis(500));
        assert_eq!(pace.reserve(60 * SECOND), Duration::ZERO);
        assert_eq!(pace.reserve(60 * SECOND), Duration::from_millis(250));
    }

    #[test]
    fn it_starts_at_three_and_finds_its_way_to_ten_in_a_quarter_of_an_hour() {
        let mut pace = Pace::new(None);
        assert!((pace.rate() - 3.0).abs() < f64::EPSILON);
        for second in 1..=900 {
            pace.succeeded(second * SECOND);
        }
        assert!((pace.rate() - 10.0).abs() < 1e-9, "{}", pace.rate());
    }

    #[test]
    fn a_configured_limit_is_used_from_the_start_and_never_exceeded() {
        let mut pace = Pace::new(Some(25.0));
        pace.succeeded(60 * SECOND);
        assert!((pace.rate() - 25.0).abs() < f64::EPSILON);
    }

    #[test]
    fn throttling_halves_once_for_calls_that_were_under_way_together() {
        let mut pace = Pace::new(Some(8.0));
        for _ in 0..5 {
            pace.throttled(SECOND, 2 * SECOND, None);
        }
        assert!((pace.rate() - 4.0).abs() < f64::EPSILON);
        pace.throttled(3 * SECOND, 4 * SECOND, None);
        assert!((pace.rate() - 2.0).abs() < f64::EPSILON);
    }

    #[test]
    fn the_clouds_hint_is_obeyed_up_to_a_ceiling() {
        let mut pace = Pace::new(None);
        pace.throttled(SECOND, SECOND, Some(30 * SECOND));
        assert!(pace.held(30 * SECOND) && !pace.held(31 * SECOND));
        assert_eq!(pace.reserve(SECOND), 30 * SECOND);
        pace.throttled(40 * SECOND, 40 * SECOND, Some(Duration::MAX));
        assert_eq!(pace.reserve(40 * SECOND), LONGEST_HINT);
    }

    #[test]
    fn hours_of_throttling_leave_one_call_a_minute_and_recovery_takes_a_while() {
        let mut pace = Pace::new(None);
        let mut now = Duration::ZERO;
        for _ in 0..200 {
            now += pace.reserve(now);
            pace.throttled(now, now, None);
        }
        assert!((pace.rate() - SLOWEST).abs() < f64::EPSILON);
        pace.succeeded(now + 3600 * SECOND);
        assert!(pace.rate() < SLOWEST * 1.2, "one good call is not a recovery");
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_rate_and_one(
            limit in 0.2_f64..500.0, gaps in proptest::collection::vec(0_u64..2_000, 1..400),
        ) {
            let mut pace = Pace::new(Some(limit));
            let mut now = Duration::ZERO;
            let mut sent = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap) / 4;
                sent.push((now + pace.reserve(now)).as_secs_f64());
            }
            for (index, start) in sent.iter().enumerate() {
                for (calls, end) in sent[index..].iter().enumerate() {
                    #[allow(clippy::cast_precision_loss)]
                    let calls = calls as f64;
                    prop_assert!(calls <= (end - start) * limit + 1e-4);
                }
            }
        }
    }
}
