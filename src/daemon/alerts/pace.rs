//! The pace of the robots: one bucket for each, shared by all channels that speak to the same one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::channels::Channel;
use crate::clock::Clock;
use crate::domain::alert::delivery::bucket::Bucket;
use crate::notifier::Sender;
use crate::shutdown::Shutdown;

/// The pace of one robot. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    bucket: Arc<Mutex<Bucket>>,
    clock: Clock,
}

impl Pace {
    /// One for each of these channels, in their order.
    pub(super) fn of_all(channels: &[Channel], clock: &Clock) -> Vec<Self> {
        let mut robots: HashMap<u64, Self> = HashMap::new();
        let pace = |channel: &Channel| {
            let Channel { per_minute, burst, .. } = *channel;
            let fresh = || Self {
                bucket: Arc::new(Mutex::new(Bucket::new(per_minute, burst))),
                clock: clock.clone(),
            };
            let Sender::Messages(messenger) = &channel.sender else { return fresh() };
            let pace = robots.entry(messenger.robot()).or_insert_with(fresh).clone();
            pace.lock().slow_down(per_minute, burst);
            pace
        };
        channels.iter().map(pace).collect()
    }

    /// How long to wait for a token; zero: there is one.
    pub(super) fn wait(&self) -> Duration {
        self.lock().wait(self.clock.elapsed())
    }

    /// Waits for a token and takes it. `false`: a stop was asked for meanwhile.
    pub(super) async fn take(&self, stop: &Shutdown) -> bool {
        loop {
            if stop.is_requested() {
                return false;
            }
            let taken = self.lock().take(self.clock.elapsed());
            let Err(wait) = taken else { return true };
            tokio::select! {
                () = stop.requested() => return false,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// The robot asked for silence.
    pub(super) fn hold(&self, silence: Duration) {
        self.lock().hold(self.clock.elapsed() + silence);
    }

    fn lock(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
