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

/// The paces of robots, with the limits that they were made for.
pub(super) type Robots = HashMap<u64, (Vec<(u64, u32)>, Pace)>;

impl Pace {
    /// One for each of these channels, in their order, and by robot. One that is in `known` with the same limits goes on.
    pub(super) fn of_all(channels: &[Channel], clock: &Clock, known: &Robots) -> (Vec<Self>, Robots) {
        let mut robots = Robots::new();
        let limits = |robot: u64| -> Vec<(u64, u32)> {
            let of = |channel: &&Channel| matches!(&channel.sender, Sender::Messages(messenger) if messenger.robot() == robot);
            let limits = channels.iter().filter(of);
            limits.map(|channel| (channel.per_minute.to_bits(), channel.burst)).collect()
        };
        let pace = |channel: &Channel| {
            let Channel { per_minute, burst, .. } = *channel;
            let fresh = || Self {
                bucket: Arc::new(Mutex::new(Bucket::new(per_minute, burst))),
                clock: clock.clone(),
            };
            let Sender::Messages(messenger) = &channel.sender else { return fresh() };
            let robot = messenger.robot();
            let (_, pace) = robots.entry(robot).or_insert_with(|| {
                let limits = limits(robot);
                let same = known.get(&robot).filter(|(known, _)| *known == limits);
                (limits, same.map_or_else(fresh, |(_, pace)| pace.clone()))
            });
            pace.lock().slow_down(per_minute, burst);
            pace.clone()
        };
        (channels.iter().map(pace).collect(), robots)
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
