//! One attempt to say one message: renders it, posts its parts at the pace of the robot, and says what became of it.
//!
//! A defect in the code of a channel must not take the others along: rendering and posting happen behind a wall.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use super::channels::Channel;
use super::context::Context;
use super::layout::{self, Start};
use super::outbox::Away;
use super::pace::Pace;
use crate::domain::alert::delivery::{Attempt, LIMITS};
use crate::domain::alert::message::Message;
use crate::domain::reason::Reason;
use crate::notifier::{Messenger, Outcome, Part, Receipt, Refusal, Setting, Stamp, Trouble};
use crate::shutdown::Shutdown;

/// Every channel ends an attempt earlier by itself.
const LONGEST: Duration = Duration::from_mins(2);
/// What is said of a defect of ours.
const DEFECT: &str = "a defect of notafter; its log says more";

/// One message on its way through one channel.
pub(super) struct Saying<'a> {
    pub(super) context: &'a Context,
    pub(super) channel: &'a Channel,
    pub(super) messenger: &'a Arc<dyn Messenger>,
    pub(super) pace: &'a Pace,
    /// It is in the outbox: which parts have arrived is remembered there.
    pub(super) recorded: bool,
    pub(super) stop: &'a Shutdown,
}

/// What became of an attempt.
#[derive(Debug)]
pub(super) enum Said {
    /// All of it arrived.
    Everything(Receipt),
    /// It did not, for this reason. Earlier parts may have left something behind.
    Trouble(Attempt, Trouble, Vec<(String, String)>),
    /// A stop was asked for before it was through.
    Stopped,
}

impl Saying<'_> {
    /// Says a message, without the parts that arrived before.
    pub(super) async fn say(
        &self,
        message: &Message,
        done: usize,
        notes: &(dyn Fn(&str) -> Option<String> + Sync),
    ) -> Said {
        let parts = self.render(notes, |setting| self.messenger.parts(message, setting));
        let Some(parts) = parts.filter(|parts| !parts.is_empty()) else {
            return self.plainly(message, notes, Trouble::new(Reason::Internal, DEFECT)).await;
        };
        let Start { from, count: counts } = self.start(&message.id, &parts, done).await;
        let mut all = Receipt::default();
        let (count, mut refused) = (parts.len(), Vec::new());
        for (index, part) in parts.into_iter().enumerate().skip(from) {
            let (name, without) = (part.name.clone(), self.messenger.without(&part));
            if self.remember(&self.messenger.beforehand(&part)).await.is_err() {
                return away(all.notes);
            }
            match self.post_even_simpler(part, &message.id).await {
                None => return Said::Stopped,
                Some(Outcome::Delivered(receipt)) => {
                    all.notes.extend(receipt.notes);
                    all.said = receipt.said;
                    if counts {
                        self.record(&message.id, index + 1).await;
                    }
                }
                Some(Outcome::Refused { what: Refusal::Content, trouble }) => match without {
                    None => return self.plainly(message, notes, trouble).await,
                    Some(left) => {
                        self.tell_refused(
                            &message.id,
                            &name,
                            &trouble,
                            "a part was refused; the others go on",
                        );
                        all.notes.extend(left);
                        refused.push((name, trouble));
                    }
                },
                Some(outcome) => return failed(outcome, all.notes),
            }
        }
        // a part that was counted before has arrived
        if refused.len() == count {
            return self.plainly(message, notes, refused.swap_remove(0).1).await;
        }
        match refused.into_iter().next() {
            Some(first) => self.incomplete(first, count, all.notes).await,
            None => Said::Everything(all),
        }
    }

    /// Some parts arrived and others never will: people can see it, and have it sent again.
    async fn incomplete(
        &self,
        (name, trouble): (String, Trouble),
        count: usize,
        notes: Vec<(String, String)>,
    ) -> Said {
        // of a message that is given up nothing else is remembered
        if self.remember(&notes).await.is_err() {
            return away(notes);
        }
        let text = format!("not all of {count} parts were taken; {name} was refused: {}", trouble.text);
        Said::Trouble(Attempt::Hopeless, Trouble::new(trouble.reason, text), Vec::new())
    }

    async fn remember(&self, notes: &[(String, String)]) -> Result<(), Away> {
        if notes.is_empty() || !self.recorded {
            return Ok(());
        }
        self.context.outbox.remember(&self.channel.name, notes, self.context.now()).await
    }

    /// Posts a part; one that is refused while the others go on, once more with as little in it as possible.
    async fn post_even_simpler(&self, part: Part, id: &str) -> Option<Outcome> {
        let (name, simpler) = (part.name.clone(), self.messenger.simpler(&part));
        let outcome = self.post(part, id).await?;
        match (&outcome, simpler) {
            (Outcome::Refused { what: Refusal::Content, trouble }, Some(simpler)) => {
                self.tell_refused(
                    id,
                    &name,
                    trouble,
                    "a part was refused, and goes out in its simplest form",
                );
                self.post(simpler, id).await
            }
            _ => Some(outcome),
        }
    }

    fn tell_refused(&self, id: &str, part: &str, trouble: &Trouble, what: &str) {
        let (channel, error) = (&*self.channel.name, &*trouble.text);
        tracing::error!(channel, id, part, error, "{what}");
        self.context.telemetry.notification_failed(channel, trouble.reason);
    }

    async fn start(&self, id: &str, parts: &[Part], done: usize) -> Start {
        if !self.recorded {
            return Start { from: done, count: false };
        }
        layout::start(&*self.context.outbox, &self.channel.name, id, parts, done).await
    }

    async fn record(&self, id: &str, arrived: usize) {
        let parts = u32::try_from(arrived).unwrap_or(u32::MAX);
        // if it is not written down, the parts are sent again after a crash, and only then
        if self.context.outbox.progress(id, parts).await.is_err() {
            tracing::debug!(id, parts, "the store does not know which parts have arrived");
        }
    }

    /// Once more as plain text: its form was refused, for that reason.
    async fn plainly(
        &self,
        message: &Message,
        notes: &(dyn Fn(&str) -> Option<String> + Sync),
        trouble: Trouble,
    ) -> Said {
        let plain = self.render(notes, |setting| self.messenger.plain(message, setting)).flatten();
        let Some(part) = plain else { return Said::Trouble(Attempt::Hopeless, trouble, Vec::new()) };
        tracing::warn!(
            channel = &*self.channel.name,
            id = &*message.id,
            error = trouble.text,
            "a message was not accepted in its usual form, and goes out as plain text"
        );
        self.context.telemetry.notification_failed(&self.channel.name, trouble.reason);
        match self.post(part, &message.id).await {
            None => Said::Stopped,
            Some(Outcome::Delivered(receipt)) => Said::Everything(receipt),
            Some(outcome) => failed(outcome, Vec::new()),
        }
    }

    fn render<T>(
        &self,
        notes: &(dyn Fn(&str) -> Option<String> + Sync),
        make: impl FnOnce(&Setting<'_>) -> T,
    ) -> Option<T> {
        let setting = self.context.setting(self.channel, notes);
        catch_unwind(AssertUnwindSafe(|| make(&setting))).ok()
    }

    /// Posts one part when its turn comes. `None`: a stop was asked for before.
    async fn post(&self, part: Part, id: &str) -> Option<Outcome> {
        if !self.pace.take(self.stop).await {
            return None;
        }
        let (messenger, id, now) = (Arc::clone(self.messenger), id.to_owned(), self.context.now());
        let name = part.name.clone();
        let work = tokio::spawn(async move { messenger.post(&part, Stamp { id: &id, now }).await });
        let outcome = match tokio::time::timeout(LONGEST, AbortOnDropHandle::new(work)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Outcome::Retry { after: None, trouble: Trouble::new(Reason::Internal, DEFECT) },
            Err(_) => {
                let text = format!("no answer within {} s", LONGEST.as_secs());
                Outcome::Retry { after: None, trouble: Trouble::new(Reason::Timeout, text) }
            }
        };
        if let Outcome::Retry { after: Some(silence), .. } = &outcome {
            let [least, most] = LIMITS;
            self.pace.hold((*silence).clamp(least, most));
        }
        tracing::debug!(channel = &*self.channel.name, part = name, ?outcome, "posted");
        Some(outcome)
    }
}

/// What has to be remembered cannot be at the moment.
fn away(notes: Vec<(String, String)>) -> Said {
    let trouble = Trouble::new(Reason::Internal, Away.to_string());
    Said::Trouble(Attempt::Failed { after: None }, trouble, notes)
}

fn failed(outcome: Outcome, notes: Vec<(String, String)>) -> Said {
    let (attempt, trouble) = match outcome {
        Outcome::Delivered(receipt) => return Said::Everything(receipt),
        Outcome::Retry { after, trouble } => (Attempt::Failed { after }, trouble),
        Outcome::Refused { what: Refusal::Content, trouble } => (Attempt::Hopeless, trouble),
        Outcome::Refused { what: Refusal::Credentials | Refusal::Target, trouble } => {
            (Attempt::Barred, trouble)
        }
        Outcome::Refused { what: Refusal::Gone, trouble } => (Attempt::Gone, trouble),
    };
    Said::Trouble(attempt, trouble, notes)
}
