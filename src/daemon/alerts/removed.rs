//! Messages of channels that are not configured any more: somebody took a channel out of the file while it had messages
//! left, on purpose or by mistake.
//!
//! They are shown at once as what they are (log, status, page, metrics), and wait for 72 hours in which the channel may
//! come back; then it goes on where it was, and they get their whole time to be delivered. After that they are put with
//! the dead letters, with a reason that says so: there they are seen and dropped, or sent again once the channel is back.
//!
//! Counted is the time in which a daemon ran without the channel, by the monotonic clock and over restarts: neither a
//! clock that jumps nor a machine that was off gives anything up. A message is never given up before it is 72 hours old.
//!
//! What the channel was told stays remembered as long as the certificates are there (`domain::alert::decide`), so that one
//! that comes back hears nothing twice; of certificates that are gone it is forgotten.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::context::Context;
use super::outbox::{Away, Outbox};
use crate::domain::alert::delivery::GIVE_UP_AFTER;
use crate::notifier::Sender;
use crate::store::Counts;

/// How long a channel was missed is written down this often; a crash makes it that much shorter.
const WRITE_EVERY: Duration = Duration::from_mins(5);
/// Where that stands.
const KEY: &str = "removed/";

/// The channels that are missed.
#[derive(Debug, Default)]
pub(super) struct Removed(Mutex<BTreeMap<Box<str>, Absence>>);

#[derive(Debug, Clone, Copy, Default)]
struct Absence {
    missed: Duration,
    written: Duration,
}

impl Removed {
    /// Looks at what waits, after so much time has passed since the last look. Tells how many messages were given up.
    pub(super) async fn look(
        &self,
        context: &Context,
        counts: &Counts,
        passed: Duration,
    ) -> Result<usize, Away> {
        let waits = counts.iter().filter(|(name, waiting)| waiting.queued > 0 && !takes(context, name));
        let mut given_up = 0;
        for (channel, waiting) in waits {
            let absence = match self.known(channel) {
                Some(known) => Absence { missed: known.missed.saturating_add(passed), ..known },
                None => begin(context, channel, waiting.queued).await?,
            };
            self.note(channel, absence);
            if still_waited_for(absence.missed).is_none() {
                given_up += give_up(context, channel).await?;
            }
            if absence.missed >= absence.written + WRITE_EVERY {
                write(&*context.outbox, channel, absence.missed).await?;
                self.note(channel, Absence { written: absence.missed, ..absence });
            }
        }
        let left: Vec<_> = self.lock().keys().cloned().collect();
        for channel in left.iter().filter(|name| counts.get(*name).is_none_or(|left| left.queued == 0)) {
            // nothing waits for it any more, so the next one that does has its whole time
            write(&*context.outbox, channel, Duration::ZERO).await?;
            self.lock().remove(channel);
        }
        Ok(given_up)
    }

    /// How long the messages of a channel that is not configured are kept at least; `None`: not known yet.
    pub(super) fn kept_for(&self, channel: &str) -> Option<Duration> {
        self.known(channel).map(|absence| still_waited_for(absence.missed).unwrap_or_default())
    }

    fn known(&self, channel: &str) -> Option<Absence> {
        self.lock().get(channel).copied()
    }

    fn note(&self, channel: &str, absence: Absence) {
        self.lock().insert(channel.into(), absence);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Absence>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a channel of this name sends messages. One that is told the present state does not.
pub(super) fn takes(context: &Context, channel: &str) -> bool {
    let messenger = |sender: &Sender| matches!(sender, Sender::Messages(_));
    context.lines.iter().any(|line| line.name() == channel && messenger(&line.channel.sender))
}

/// For a courier that begins: whether its channel was missed before. From now on it is not.
pub(super) async fn is_back(outbox: &dyn Outbox, channel: &str) -> Result<bool, Away> {
    let was_missed = !read(outbox, channel).await?.is_zero();
    if was_missed {
        write(outbox, channel, Duration::ZERO).await?;
    }
    Ok(was_missed)
}

async fn begin(context: &Context, channel: &str, messages: usize) -> Result<Absence, Away> {
    let missed = read(&*context.outbox, channel).await?;
    let hours = still_waited_for(missed).unwrap_or_default().as_secs().div_ceil(3600);
    tracing::warn!(
        channel,
        messages,
        hours,
        "messages wait for a channel that is not configured; they are given up after so many hours unless it comes back"
    );
    Ok(Absence { missed, written: missed })
}

async fn give_up(context: &Context, channel: &str) -> Result<usize, Away> {
    let (now, hours) = (context.now(), GIVE_UP_AFTER.num_hours());
    let why = format!("the channel is not configured, and did not come back within {hours} hours");
    let messages = context.outbox.give_up(channel, now - GIVE_UP_AFTER, &why, now).await?;
    if messages > 0 {
        tracing::error!(channel, messages, "given up: {why}");
    }
    Ok(messages)
}

fn still_waited_for(missed: Duration) -> Option<Duration> {
    let whole = GIVE_UP_AFTER.to_std().unwrap_or_default();
    whole.checked_sub(missed).filter(|rest| !rest.is_zero())
}

async fn read(outbox: &dyn Outbox, channel: &str) -> Result<Duration, Away> {
    let seconds = outbox.value(&format!("{KEY}{channel}")).await?;
    Ok(Duration::from_secs(seconds.and_then(|text| text.parse().ok()).unwrap_or_default()))
}

async fn write(outbox: &dyn Outbox, channel: &str, missed: Duration) -> Result<(), Away> {
    outbox.keep_value(&format!("{KEY}{channel}"), &missed.as_secs().to_string()).await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::super::testing::{HOOK, Puppet, Rig, channel, delivered, message, pass, retry};
    use super::*;
    use crate::domain::alert::delivery::testing::{entered, item};
    use crate::domain::alert::outbox::State;
    use crate::domain::finding::Stage;

    const HOUR: u64 = 3600;

    /// A daemon with another channel, and messages for `old`.
    fn without_old() -> Rig {
        let rig = Rig::new([channel("other", &HOOK, &Puppet::willing(1))]);
        rig.commit((0..3).map(|n| message("old", n, vec![item("r-1", 7, entered(Stage::Critical, None))])));
        rig
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_for_a_channel_that_does_not_come_back_is_given_up_after_three_days_of_running() {
        let rig = without_old();
        let first = rig.start();
        pass(40 * HOUR).await;
        first.kill().await;
        // a week in which nothing ran
        pass(7 * 24 * HOUR).await;
        let second = rig.start();
        pass(31 * HOUR).await;
        assert_eq!(rig.outbox.count("old", State::Queued), 3, "not before its time");
        pass(2 * HOUR).await;
        assert_eq!((rig.outbox.count("old", State::Queued), rig.outbox.count("old", State::Dead)), (0, 3));
        let error = rig.outbox.kept().rows[0].last_error.clone().expect("a reason");
        assert_eq!(&*error, "the channel is not configured, and did not come back within 72 hours");
        second.kill().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_jumps_gives_nothing_up_and_a_young_message_gets_its_time() {
        let rig = without_old();
        let running = rig.start();
        pass(HOUR).await;
        rig.skew.store(366 * 24 * 60, Ordering::Relaxed);
        pass(HOUR).await;
        rig.skew.store(0, Ordering::Relaxed);
        pass(HOUR).await;
        assert_eq!(rig.outbox.count("old", State::Queued), 3);
        rig.commit([message("old", 60 * 24 * 2, vec![item("r-2", 7, entered(Stage::Critical, None))])]);
        pass(70 * HOUR).await;
        assert_eq!((rig.outbox.count("old", State::Queued), rig.outbox.count("old", State::Dead)), (1, 3));
        running.kill().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_channel_that_comes_back_goes_on_and_what_waited_has_its_whole_time() {
        let mut rig = without_old();
        let first = rig.start();
        pass(71 * HOUR).await;
        first.kill().await;
        let began = tokio::time::Instant::now();
        let cured = move || began.elapsed() > Duration::from_secs(30 * HOUR);
        let old = Puppet::new(2, move |_| if cured() { delivered() } else { retry(None) });
        rig.channels.push(channel("old", &HOOK, &old));
        let second = rig.start();
        pass(29 * HOUR).await;
        assert_eq!(rig.outbox.count("old", State::Queued), 3, "tried for a day, and not given up");
        pass(3 * HOUR).await;
        assert_eq!(rig.outbox.count("old", State::Delivered), 3);
        assert_eq!(rig.outbox.kept().values["removed/old"], "0".into(), "it is missed no more");
        second.kill().await;
    }
}
