//! What the couriers need of the store. One that cannot be used at the moment is the same to them, whatever the reason:
//! they keep what they know and ask again later.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};

use crate::call::BoxFuture;
use crate::domain::alert::message::{Fingerprint, Message};
use crate::domain::alert::outbox::{Row, Settled, State};
use crate::store::{Counts, Handle};

/// The store cannot be used at the moment. Whoever opens it was told why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store cannot be used at the moment")]
pub(super) struct Away;

/// An answer of the store.
pub(super) type Answer<'a, T> = BoxFuture<'a, Result<T, Away>>;

/// Messages that are lost by no crash. The functions are those of `store`, where they are described.
pub(super) trait Outbox: fmt::Debug + Send + Sync {
    /// What was being sent when the daemon ended is queued again.
    fn return_sending(&self, now: DateTime<Utc>) -> Answer<'_, usize>;
    /// For one channel whose courier knows that it sends nothing: an answer of the store was lost, and what it took then was
    /// never sent. Assumes that no other daemon sends for the channel at the moment: its message would be sent twice.
    fn release<'a>(&'a self, channel: &'a str, now: DateTime<Utc>) -> Answer<'a, ()>;
    /// Takes the next message that is due.
    fn claim<'a>(&'a self, channel: &'a str, now: DateTime<Utc>) -> Answer<'a, Option<Row>>;
    /// Remembers how many parts have arrived.
    fn progress<'a>(&'a self, id: &'a str, parts_done: u32) -> Answer<'a, ()>;
    /// Writes what became of an attempt.
    fn settle<'a>(&'a self, id: &'a str, settled: &'a Settled, now: DateTime<Utc>) -> Answer<'a, ()>;
    /// When the next message is due.
    fn next_due<'a>(&'a self, channel: &'a str) -> Answer<'a, Option<DateTime<Utc>>>;
    /// Everything that waits, and is not held back.
    fn queued<'a>(&'a self, channel: &'a str, now: DateTime<Utc>) -> Answer<'a, Vec<Row>>;
    /// The ends of certificates that are believed.
    fn believed<'a>(
        &'a self,
        certificates: &'a BTreeSet<Fingerprint>,
    ) -> Answer<'a, BTreeMap<Fingerprint, DateTime<Utc>>>;
    /// One message in the place of several.
    fn collapse<'a>(
        &'a self,
        channel: &'a str,
        into: &'a Message,
        superseded: &'a [Box<str>],
        now: DateTime<Utc>,
    ) -> Answer<'a, ()>;
    /// Everything that waits is due then, be it later or earlier than before.
    fn postpone<'a>(&'a self, channel: &'a str, until: DateTime<Utc>) -> Answer<'a, ()>;
    /// What earlier messages left behind.
    fn notes<'a>(&'a self, channel: &'a str) -> Answer<'a, BTreeMap<String, String>>;
    /// Remembers what a message leaves behind before it is settled.
    fn remember<'a>(
        &'a self,
        channel: &'a str,
        notes: &'a [(String, String)],
        now: DateTime<Utc>,
    ) -> Answer<'a, ()>;
    /// Queues messages; one whose id is known already is left alone.
    fn commit<'a>(&'a self, messages: &'a [Message], now: DateTime<Utc>) -> Answer<'a, ()>;
    /// Gives up what waits for a channel and was written down before then.
    fn give_up<'a>(
        &'a self,
        channel: &'a str,
        before: DateTime<Utc>,
        error: &'a str,
        now: DateTime<Utc>,
    ) -> Answer<'a, usize>;
    /// Keeps a value.
    fn keep_value<'a>(&'a self, key: &'a str, value: &'a str) -> Answer<'a, ()>;
    /// A value that was kept.
    fn value<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Box<str>>>;
    /// How many messages wait, and how many were given up.
    fn counts(&self) -> Answer<'_, Counts>;
    /// Throws away what is too old to be of interest.
    fn prune(&self, now: DateTime<Utc>) -> Answer<'_, usize>;
}

/// Asks the store if there is one; an error is reported to whoever opens it.
macro_rules! ask {
    ($handle:ident, |$store:ident| $work:expr) => {
        Box::pin(async move {
            let $store = $handle.store().ok_or(Away)?;
            let answer = $work.await;
            answer.map_err(|error| {
                $handle.report(&$store, error);
                Away
            })
        })
    };
}

/// Rows that are looked through for one whose claim was not answered.
const LOOKED_THROUGH: usize = 500;

impl Outbox for Handle {
    fn return_sending(&self, now: DateTime<Utc>) -> Answer<'_, usize> {
        ask!(self, |store| store.return_sending(now))
    }

    fn release<'a>(&'a self, channel: &'a str, now: DateTime<Utc>) -> Answer<'a, ()> {
        ask!(self, |store| async {
            let sending = store.messages(&[State::Sending], LOOKED_THROUGH, None).await?;
            for row in sending.iter().filter(|row| &*row.message.channel == channel) {
                let error = row.last_error.clone().unwrap_or_else(|| "the store did not answer".into());
                let again = Settled::Again { next_at: now, error, unanswered: false };
                store.settle(&row.message.id, &again, now).await?;
            }
            Ok(())
        })
    }

    fn claim<'a>(&'a self, channel: &'a str, now: DateTime<Utc>) -> Answer<'a, Option<Row>> {
        ask!(self, |store| store.claim(channel, now))
    }

    fn progress<'a>(&'a self, id: &'a str, parts_done: u32) -> Answer<'a, ()> {
        ask!(self, |store| store.progress(id, parts_done))
    }

    fn settle<'a>(&'a self, id: &'a str, settled: &'a Settled, now: DateTime<Utc>) -> Answer<'a, ()> {
        ask!(self, |store| store.settle(id, settled, now))
    }

    fn next_due<'a>(&'a self, channel: &'a str) -> Answer<'a, Option<DateTime<Utc>>> {
        ask!(self, |store| store.next_due(channel))
    }

    fn queued<'a>(&'a self, channel: &'a str, now: DateTime<Utc>) -> Answer<'a, Vec<Row>> {
        ask!(self, |store| store.queued(channel, now))
    }

    fn believed<'a>(
        &'a self,
        certificates: &'a BTreeSet<Fingerprint>,
    ) -> Answer<'a, BTreeMap<Fingerprint, DateTime<Utc>>> {
        ask!(self, |store| store.believed(certificates))
    }

    fn collapse<'a>(
        &'a self,
        channel: &'a str,
        into: &'a Message,
        superseded: &'a [Box<str>],
        now: DateTime<Utc>,
    ) -> Answer<'a, ()> {
        ask!(self, |store| store.collapse(channel, into, superseded, now))
    }

    fn postpone<'a>(&'a self, channel: &'a str, until: DateTime<Utc>) -> Answer<'a, ()> {
        ask!(self, |store| store.postpone(channel, until, None))
    }

    fn notes<'a>(&'a self, channel: &'a str) -> Answer<'a, BTreeMap<String, String>> {
        ask!(self, |store| store.notes(channel))
    }

    fn remember<'a>(
        &'a self,
        channel: &'a str,
        notes: &'a [(String, String)],
        now: DateTime<Utc>,
    ) -> Answer<'a, ()> {
        ask!(self, |store| store.remember(channel, notes, now))
    }

    fn commit<'a>(&'a self, messages: &'a [Message], now: DateTime<Utc>) -> Answer<'a, ()> {
        ask!(self, |store| store.commit_alerts(&[], messages, now))
    }

    fn give_up<'a>(
        &'a self,
        channel: &'a str,
        before: DateTime<Utc>,
        error: &'a str,
        now: DateTime<Utc>,
    ) -> Answer<'a, usize> {
        ask!(self, |store| store.give_up(channel, before, error, now))
    }

    fn keep_value<'a>(&'a self, key: &'a str, value: &'a str) -> Answer<'a, ()> {
        ask!(self, |store| store.keep_value(key, value))
    }

    fn value<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Box<str>>> {
        ask!(self, |store| store.value(key))
    }

    fn counts(&self) -> Answer<'_, Counts> {
        ask!(self, |store| store.counts())
    }

    fn prune(&self, now: DateTime<Utc>) -> Answer<'_, usize> {
        ask!(self, |store| store.prune(now))
    }
}
