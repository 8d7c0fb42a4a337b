//! How fast one robot may be spoken to: a bucket of tokens, shared by every channel that uses the robot.
//!
//! It fills at an even rate up to a burst. Whoever wants to post takes a token, or learns how long to wait before asking
//! again. Times are points on the daemon's timeline (time since start).

use std::time::Duration;

/// The tokens of one robot.
#[derive(Debug, Clone)]
pub struct Bucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled_at: Duration,
    held_until: Duration,
}

/// However slow a robot is set, one token comes in so many seconds at the latest.
const SLOWEST: f64 = 3600.0;

impl Bucket {
    /// Full at the start.
    pub fn new(per_minute: f64, burst: u32) -> Self {
        let burst = f64::from(burst.max(1));
        let per_second = (per_minute / 60.0).max(1.0 / SLOWEST);
        Self { per_second, burst, tokens: burst, filled_at: Duration::ZERO, held_until: Duration::ZERO }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// There is none: how long to wait before asking again.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        let wait = self.wait(now);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.tokens -= 1.0;
        Ok(())
    }

    /// How long to wait for a token; zero: there is one.
    pub fn wait(&mut self, now: Duration) -> Duration {
        let passed = now.saturating_sub(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        self.filled_at = self.filled_at.max(now);
        let held = self.held_until.saturating_sub(now);
        if self.tokens >= 1.0 {
            return held;
        }
        let missing = (1.0 - self.tokens).max(0.0) / self.per_second;
        // rounded up, so that whoever wakes then finds it
        held.max(Duration::from_secs_f64(missing) + Duration::from_millis(1))
    }

    /// The robot asked for silence until then. There is no burst right after it.
    pub fn hold(&mut self, until: Duration) {
        self.held_until = self.held_until.max(until);
        self.tokens = self.tokens.min(0.0);
    }

    /// Never faster than this from now on: another channel that shares the robot was told so.
    pub fn slow_down(&mut self, per_minute: f64, burst: u32) {
        let other = Self::new(per_minute, burst);
        self.per_second = self.per_second.min(other.per_second);
        self.burst = self.burst.min(other.burst);
        self.tokens = self.tokens.min(self.burst);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Takes as many tokens as it gets within a time.
    fn taken(bucket: &mut Bucket, from: Duration, until: Duration) -> usize {
        let (mut now, mut count) = (from, 0);
        while now < until {
            match bucket.take(now) {
                Ok(()) => count += 1,
                Err(wait) => now += wait,
            }
        }
        count
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let mut bucket = Bucket::new(15.0, 3);
        assert_eq!(taken(&mut bucket, Duration::ZERO, SECOND), 3);
        assert_eq!(taken(&mut bucket, SECOND, 60 * SECOND), 14);
    }

    #[test]
    fn silence_is_kept_and_no_burst_follows_it() {
        let mut bucket = Bucket::new(60.0, 5);
        bucket.hold(600 * SECOND);
        assert_eq!(bucket.take(SECOND), Err(599 * SECOND));
        bucket.hold(10 * SECOND);
        assert_eq!(taken(&mut bucket, SECOND, 600 * SECOND), 0);
        assert!(taken(&mut bucket, 600 * SECOND, 601 * SECOND) <= 5);
    }

    #[test]
    fn the_slower_of_two_settings_holds() {
        let mut bucket = Bucket::new(60.0, 5);
        bucket.slow_down(15.0, 9);
        assert_eq!(taken(&mut bucket, Duration::ZERO, 60 * SECOND), 5 + 14);
    }

    #[test]
    fn an_absurd_rate_still_lets_one_through_in_an_hour() {
        let mut bucket = Bucket::new(1e-300, 0);
        assert_eq!(taken(&mut bucket, Duration::ZERO, Duration::from_hours(3)), 3);
    }

    proptest! {
        #[test]
        fn no_minute_has_more_than_rate_and_burst(
            rate in 0.5_f64..300.0, burst in 0_u32..40, gaps in proptest::collection::vec(0_u64..5_000, 1..300),
        ) {
            let mut bucket = Bucket::new(rate, burst);
            let mut now = Duration::ZERO;
            let mut taken = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                while let Err(wait) = bucket.take(now) {
                    now += wait;
                }
                taken.push(now);
            }
            for (index, start) in taken.iter().enumerate() {
                let within = taken[index..].iter().filter(|at| **at < *start + 60 * SECOND).count();
                #[allow(clippy::cast_precision_loss)]
                let within = within as f64;
                prop_assert!(within <= rate + f64::from(burst.max(1)) + 1.0, "{within}");
            }
        }
    }
}
