//! The decision as a whole, over made-up fleets.

mod cases;
mod doubts;
mod histories;
mod renewals;
mod sources;
mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::decide::{Renewal, Seen, Waiting, World, decide};
use super::memory::Memory;
use super::message::{Fingerprint, Item, Kind, Message, News, Severity};
use super::routing::{ChannelRules, Routing};
use super::silence::Silence;
use super::standing::{self as states, State};
use crate::domain::finding::Stage;
use crate::domain::identity::Scope;
use crate::domain::listing::{Inspection, Listing};
use crate::domain::matcher::{LabelSet, Matcher};
use crate::domain::policy::{AlertPolicy, PollPolicy, Route};
use crate::domain::reason::{Failure, Reason};
use crate::domain::resource::Reading;
use crate::domain::snapshot::Snapshot;
use crate::domain::testing::{certificate, listing, moment, reading, scope};

/// A little more than news waits for company.
const COMPANY: TimeDelta = TimeDelta::seconds(61);

/// A fleet of one scope, what was told of it, and the clock.
pub(super) struct Town {
    pub(super) scope: Arc<Scope>,
    pub(super) snapshot: Snapshot,
    pub(super) alert: AlertPolicy,
    pub(super) poll: PollPolicy,
    pub(super) routing: Routing,
    pub(super) silences: Vec<Silence>,
    pub(super) undelivered: BTreeSet<(Box<str>, Fingerprint, DateTime<Utc>)>,
    pub(super) renewal: Renewal,
    pub(super) memory: Memory,
    pub(super) waiting: Waiting,
    pub(super) seen: Seen,
    pub(super) now: DateTime<Utc>,
    ids: u32,
}

pub(super) fn channel(name: &str) -> ChannelRules {
    ChannelRules { name: name.into(), least: Stage::Info, pager: false, replica: false }
}

pub(super) fn pager(name: &str) -> ChannelRules {
    ChannelRules { least: Stage::Critical, pager: true, ..channel(name) }
}

pub(super) fn route(expression: &str, channels: &[&str]) -> Route {
    Route {
        matcher: (!expression.is_empty()).then(|| matcher(expression)),
        channels: channels.iter().map(ToString::to_string).collect(),
        group_wait: Route::GROUP_WAIT,
        digest: None,
        quiet: None,
        thresholds: None,
        send_renewed: true,
        proceed: false,
    }
}

pub(super) fn matcher(expression: &str) -> Matcher {
    Matcher::parse(expression, LabelSet::ALERT).expect(expression)
}

pub(super) fn days(days: i64) -> TimeDelta {
    TimeDelta::days(days)
}

impl Town {
    /// One chat channel, no routes, and a first evaluation behind it, so that what comes is news.
    pub(super) fn new() -> Self {
        let mut town = Self::never_started();
        town.round();
        town
    }

    pub(super) fn never_started() -> Self {
        let scope = Arc::new(scope("redis"));
        let mut snapshot = Snapshot::of_scopes([Arc::clone(&scope)]);
        snapshot.scope_mut(&scope).absorb_listing(Listing::default(), Duration::from_secs(1), moment());
        Self {
            scope,
            snapshot,
            alert: AlertPolicy::default(),
            poll: PollPolicy::default(),
            routing: Routing { channels: vec![channel("chat")], routes: Vec::new() },
            silences: Vec::new(),
            undelivered: BTreeSet::new(),
            renewal: Renewal::default(),
            memory: Memory::default(),
            waiting: Waiting::new(),
            seen: Seen::default(),
            now: moment(),
            ids: 0,
        }
    }

    /// A certificate that ends so long after now.
    pub(super) fn with(mut self, id: &str, left: TimeDelta) -> Self {
        self.read(id, self.now + left);
        self
    }

    /// A look that finds this end.
    pub(super) fn read(&mut self, id: &str, not_after: DateTime<Utc>) {
        self.look(id, Reading { at: self.now, ..reading(vec![certificate(not_after)]) });
    }

    /// Two looks that find this end, the first of which nobody hears of.
    pub(super) fn read_twice(&mut self, id: &str, not_after: DateTime<Utc>) {
        self.read(id, not_after);
        assert!(self.evaluate().is_empty(), "read once");
        self.wait(TimeDelta::minutes(2)).read(id, not_after);
    }

    pub(super) fn look(&mut self, id: &str, reading: Reading) {
        let now = self.now;
        let view = self.snapshot.scope_mut(&self.scope);
        let mut ids: Vec<Arc<str>> = view.resources.iter().map(|known| Arc::clone(&known.id)).collect();
        if !ids.iter().any(|known| &**known == id) {
            ids.push(id.into());
            let ids: Vec<&str> = ids.iter().map(|id| &**id).collect();
            view.absorb_listing(listing(&ids), Duration::from_secs(1), now);
        }
        view.absorb_inspection(id, Inspection::Read(reading), now);
    }

    /// A complete listing of these.
    pub(super) fn list(&mut self, ids: &[&str]) {
        let now = self.now;
        self.snapshot.scope_mut(&self.scope).absorb_listing(listing(ids), Duration::from_secs(1), now);
    }

    pub(super) fn fail(&mut self, reason: Reason) {
        let failure = Failure { reason, text: "it hurts".into(), at: self.now };
        self.snapshot.scope_mut(&self.scope).listing_failed(failure);
    }

    pub(super) fn world<T>(&self, ask: impl FnOnce(&World<'_>) -> T) -> T {
        let accounts = BTreeMap::new();
        let renewal = |_: &str, _: Fingerprint| self.renewal.clone();
        let console = |_: &Scope, _: &str| None;
        ask(&World {
            snapshot: &self.snapshot,
            accounts: &accounts,
            alert: &self.alert,
            poll: &self.poll,
            routing: &self.routing,
            silences: &self.silences,
            undelivered: &self.undelivered,
            renewal: &renewal,
            console: &console,
            now: self.now,
        })
    }

    /// One evaluation, written down.
    pub(super) fn evaluate(&mut self) -> Vec<Message> {
        let (mut seen, mut ids) = (std::mem::take(&mut self.seen), self.ids);
        let mut new_id = || {
            ids += 1;
            format!("evt_{ids}").into()
        };
        let decision = self.world(|world| decide(world, &self.memory, &self.waiting, &mut seen, &mut new_id));
        (self.seen, self.ids) = (seen, ids);
        (self.memory, self.waiting) = (decision.memory, decision.waiting);
        decision.messages
    }

    /// An evaluation, and another once news waited for company.
    pub(super) fn round(&mut self) -> Vec<Message> {
        let mut messages = self.evaluate();
        self.now += COMPANY;
        messages.extend(self.evaluate());
        messages
    }

    /// What a channel that is told the whole state is told now.
    pub(super) fn state(&self, channel: &str, before: Option<&State>) -> State {
        let channel = self.routing.channel(channel).expect("configured");
        self.world(|world| states::next(before, world, &self.memory, channel))
    }

    /// Time goes by without anything being read.
    pub(super) fn wait(&mut self, time: TimeDelta) -> &mut Self {
        self.now += time;
        self
    }

    /// What was told in one round, in short.
    pub(super) fn told(&mut self) -> Vec<String> {
        self.round().iter().flat_map(shorten).collect()
    }
}

/// `chat: r-1 entered critical`
pub(super) fn shorten(message: &Message) -> Vec<String> {
    let kind = match message.kind {
        Kind::News => String::new(),
        Kind::Digest => "digest ".to_owned(),
        Kind::First => "first ".to_owned(),
        Kind::Test => "test ".to_owned(),
    };
    let of = |item: &Item| match item {
        Item::Certificate(item) => format!("{} {}", item.facts.resource_id, shorten_news(&item.news)),
        Item::Source(item) => format!("{} {:?}", item.account, item.news),
        Item::Channel(item) => item.channel.to_string(),
        Item::Renewal(item) => format!("{} renewal {}", item.facts.resource_id, item.news.as_str()),
    };
    if message.items.is_empty() {
        return vec![format!("{kind}{}: nothing", message.channel)];
    }
    message.items.iter().map(|item| format!("{kind}{}: {}", message.channel, of(item))).collect()
}

fn shorten_news(news: &News) -> String {
    match news {
        News::Entered { stage, previous: None, .. } => format!("entered {}", stage.as_str()),
        News::Entered { stage, previous: Some(previous), .. } => {
            format!("entered {} from {}", stage.as_str(), previous.as_str())
        }
        News::Reminder { stage, .. } => format!("still {}", stage.as_str()),
        News::Renewed { stage: Stage::Ok, .. } => "renewed".to_owned(),
        News::Renewed { stage, .. } => format!("renewed, {}", stage.as_str()),
        News::Changed { stage, .. } => format!("changed, {}", stage.as_str()),
        News::Gone { how, .. } => format!("gone {how:?}"),
    }
}
