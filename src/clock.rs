//! The one place where time comes from.
//!
//! Wall time (UTC) is for dates; the timeline (time since start, monotonic) is for "how long from now". The two part
//! when a machine sleeps or its clock is set: [`Clock::notice_jump`] brings the timeline after.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// Wall and monotonic time may drift apart by this much before it counts as a jump.
const TOLERANCE: Duration = Duration::from_mins(10);

/// Tells the time. Cheap to clone; clones agree.
#[derive(Clone)]
pub struct Clock {
    wall: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    started: Instant,
    timeline: Arc<Mutex<Timeline>>,
}

struct Timeline {
    /// What was slept through and is added to the monotonic clock.
    skipped: Duration,
    /// Wall time and monotonic time when they last agreed: several short sleeps add up.
    compared: (DateTime<Utc>, Instant),
}

impl Clock {
    /// The machine's own clocks.
    pub fn system() -> Self {
        Self::with_wall(Utc::now)
    }

    /// A wall clock of the caller's choice, for tests.
    pub fn with_wall(wall: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        let (now, started) = (wall(), Instant::now());
        let timeline = Timeline { skipped: Duration::ZERO, compared: (now, started) };
        Self { wall: Arc::new(wall), started, timeline: Arc::new(Mutex::new(timeline)) }
    }

    /// Wall time, UTC.
    pub fn now(&self) -> DateTime<Utc> {
        (self.wall)()
    }

    /// Time since start by the monotonic clock alone, which nothing makes jump.
    pub fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    /// The point on the timeline: time since start, suspended time included once it was noticed.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed() + self.lock().skipped
    }

    /// The moment on the tokio clock at which the timeline reaches `at`.
    pub fn instant_of(&self, at: Duration) -> Instant {
        self.started + at.saturating_sub(self.lock().skipped)
    }

    /// The wall time of a point on the timeline, as far as can be foreseen.
    pub fn wall_of(&self, at: Duration) -> DateTime<Utc> {
        let ahead = TimeDelta::from_std(at).unwrap_or(TimeDelta::MAX);
        let elapsed = TimeDelta::from_std(self.elapsed()).unwrap_or(TimeDelta::MAX);
        self.now().checked_add_signed(ahead - elapsed).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Compares the clocks. A jump of the wall clock by more than ten minutes is returned; one forward (the machine
    /// slept) moves the timeline too, so that what should have happened meanwhile is due now.
    pub fn notice_jump(&self) -> Option<TimeDelta> {
        let (wall, monotonic) = (self.now(), Instant::now());
        let mut timeline = self.lock();
        let (wall_before, monotonic_before) = timeline.compared;
        let passed = TimeDelta::from_std(monotonic - monotonic_before).ok()?;
        let jump = (wall - wall_before) - passed;
        if jump.abs().to_std().ok()? < TOLERANCE {
            return None;
        }
        timeline.compared = (wall, monotonic);
        timeline.skipped += jump.to_std().unwrap_or(Duration::ZERO);
        Some(jump)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Timeline> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clock").field("now", &self.now()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    fn settable() -> (Clock, Arc<AtomicI64>) {
        let seconds = Arc::new(AtomicI64::new(1_800_000_000));
        let wall = Arc::clone(&seconds);
        let read = move || DateTime::from_timestamp(wall.load(Ordering::Relaxed), 0).expect("in range");
        (Clock::with_wall(read), seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn sleeping_for_eight_hours_moves_the_timeline() {
        let (clock, seconds) = settable();
        seconds.fetch_add(8 * 3600, Ordering::Relaxed);
        assert_eq!(clock.elapsed(), Duration::ZERO);
        assert_eq!(clock.notice_jump(), Some(TimeDelta::hours(8)));
        assert_eq!(clock.elapsed(), Duration::from_hours(8));
        assert_eq!(clock.notice_jump(), None);
        assert_eq!(clock.instant_of(Duration::from_hours(9)), Instant::now() + Duration::from_hours(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_set_back_is_told_and_leaves_the_timeline_alone() {
        let (clock, seconds) = settable();
        seconds.fetch_sub(86_400, Ordering::Relaxed);
        assert_eq!(clock.notice_jump(), Some(TimeDelta::days(-1)));
        assert_eq!(clock.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn short_sleeps_add_up() {
        let (clock, seconds) = settable();
        for _ in 0..3 {
            assert_eq!(clock.notice_jump(), None);
            seconds.fetch_add(220, Ordering::Relaxed);
        }
        assert_eq!(clock.notice_jump(), Some(TimeDelta::minutes(11)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_correction_is_no_jump() {
        let (clock, seconds) = settable();
        seconds.fetch_add(90, Ordering::Relaxed);
        assert_eq!(clock.notice_jump(), None);
    }
}
