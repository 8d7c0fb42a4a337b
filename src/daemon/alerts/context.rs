//! What every courier shares: what is known and configured, the clock, the store, and the channels with their health.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use tokio::sync::{Notify, watch};

use super::chance::event_id_of;
use super::channels::Channel;
use super::outbox::Outbox;
use super::removed::Removed;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::alert::delivery::current::{Present, current};
use crate::domain::alert::delivery::health::{Health, tellers};
use crate::domain::alert::message::{ChannelItem, ChannelNews, Fingerprint, Item, Kind, Message};
use crate::domain::policy::{PollPolicy, Route};
use crate::domain::snapshot::Snapshot;
use crate::notifier::Setting;
use crate::telemetry::Telemetry;

/// The configured part of what messages say.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Beside UTC.
    pub timezone: Tz,
    /// Address of the status page.
    pub external_url: Option<String>,
    /// The tag that names the owner of a resource, by account.
    pub owner_tags: BTreeMap<String, String>,
    /// For what counts as stale.
    pub poll: PollPolicy,
    /// Who tells of a channel that fails.
    pub routes: Vec<Route>,
    /// Where no other channel of its routes does.
    pub fallback_channel: Option<String>,
}

impl Words {
    /// As configured.
    pub fn of(config: &Config) -> Self {
        let tags = config
            .accounts
            .iter()
            .filter_map(|account| account.owner_tag.as_ref().map(|tag| (account.name.clone(), tag.clone())));
        Self {
            timezone: config.alert.timezone,
            external_url: config.web.external_url.clone(),
            owner_tags: tags.collect(),
            poll: config.poll.clone(),
            routes: config.routes.clone(),
            fallback_channel: config.alert.fallback_channel.clone(),
        }
    }
}

/// One channel, as all see it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) channel: Channel,
    health: Mutex<Health>,
    down: Mutex<Vec<(String, String)>>,
    /// Something was written down for it.
    pub(super) wake: Notify,
    /// A person wants to know whether it works by now.
    probe: AtomicBool,
}

impl Line {
    pub(super) fn with_health(channel: Channel, health: Health) -> Self {
        let (health, down) = (Mutex::new(health), Mutex::default());
        Self { channel, health, down, wake: Notify::new(), probe: AtomicBool::new(false) }
    }

    pub(super) fn name(&self) -> &str {
        &self.channel.name
    }

    pub(super) fn health(&self) -> Health {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn edit_health(&self, edit: impl FnOnce(&mut Health)) {
        edit(&mut self.health.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Of several places, those that do not take the state although another does, each with the reason.
    pub(super) fn down(&self) -> Vec<(String, String)> {
        self.down.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes them.
    pub(super) fn note_down(&self, down: &[(String, String)]) {
        *self.down.lock().unwrap_or_else(PoisonError::into_inner) = down.to_vec();
    }

    /// Has the courier try again now, whatever it waits for.
    pub(super) fn ask_for_probe(&self) {
        self.probe.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Whether that was asked for; once.
    pub(super) fn take_probe(&self) -> bool {
        self.probe.swap(false, Ordering::AcqRel)
    }
}

/// What every courier shares.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) words: Words,
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) clock: Clock,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) lines: Vec<Arc<Line>>,
    pub(super) removed: Removed,
    /// Something in the outbox or in the health of a channel is different.
    pub(super) changed: Notify,
}

impl Context {
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// A message as of now, given the ends that are believed; `None`: not worth saying any more.
    pub(super) fn current(
        &self,
        message: Message,
        sent_in_part: bool,
        believed: &BTreeMap<Fingerprint, DateTime<Utc>>,
    ) -> Option<Message> {
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let owner_tag = |account: &str| self.words.owner_tags.get(account).map(String::as_str);
        let (poll, now) = (&self.words.poll, self.now());
        let present = Present { snapshot: &snapshot, poll, believed, owner_tag: &owner_tag, now };
        current(message, sent_in_part, &present)
    }

    /// What a message is rendered for.
    pub(super) fn setting<'a>(
        &'a self,
        channel: &'a Channel,
        notes: &'a (dyn Fn(&str) -> Option<String> + Sync),
    ) -> Setting<'a> {
        Setting {
            now: self.now(),
            timezone: self.words.timezone,
            locale: channel.locale,
            external_url: self.words.external_url.as_deref(),
            template: channel.template.as_deref(),
            notes,
        }
    }

    /// What others are told of a channel. The same news always has the same ids, so that nobody hears it twice.
    pub(super) fn told_of(&self, channel: &str, news: &ChannelNews) -> Vec<Message> {
        let now = self.now();
        let (word, since) = match news {
            ChannelNews::Failing { since, .. } => ("failing", *since),
            ChannelNews::Recovered { since, .. } => ("recovered", *since),
        };
        let all: Vec<_> =
            self.lines.iter().map(|line| line.channel.teller(!line.health().is_failing(now))).collect();
        let through = tellers(channel, &all, &self.words.routes, self.words.fallback_channel.as_deref());
        let message = |teller: &str| Message {
            id: event_id_of(since, &[word, channel, teller]),
            channel: teller.into(),
            kind: Kind::News,
            route: "".into(),
            at: now,
            items: vec![Item::Channel(ChannelItem { channel: channel.into(), news: news.clone() })],
            left_out: 0,
            overview: None,
        };
        through.into_iter().map(message).collect()
    }

    /// Something was written down: couriers look, and the numbers are counted anew.
    pub(super) fn wake(&self, channels: impl Fn(&str) -> bool) {
        for line in self.lines.iter().filter(|line| channels(line.name())) {
            line.wake.notify_one();
        }
        self.changed.notify_one();
    }
}
