//! From single things to messages: one message for each channel and route, first messages, digests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::decide::{Decision, Waiting, World, new_channel, note_told};
use super::facts::Subject;
use super::judge::{Judge, When};
use super::memory::{Memory, Past, Told, ToldBlind};
use super::message::{
    CertificateFacts, CertificateItem, Fingerprint, Item, Kind, Message, News, Overview, RenewalNote,
    Severity, Tone,
};
use super::routing::{ChannelRules, Way};
use crate::domain::calendar::{last_slot, quiet_until};
use crate::domain::finding::{Stage, stage};
use crate::domain::matcher::Matcher;
use crate::domain::policy::Digest;

/// So many items are carried by one message; more are counted.
pub(super) const ITEMS: usize = 1000;

/// Something to tell one channel, if its group goes out now.
#[derive(Debug, Clone)]
pub(super) struct Draft<'w> {
    pub(super) channel: &'w ChannelRules,
    pub(super) way: Way<'w>,
    pub(super) when: When,
    pub(super) item: Item,
    pub(super) mark: Mark,
}

/// What is remembered when it goes out.
#[derive(Debug, Clone)]
pub(super) enum Mark {
    /// The channel knows of this end.
    Told { fingerprint: Fingerprint, told: Told },
    /// The channel knows that it is gone.
    Gone { fingerprint: Fingerprint },
    /// The channel knows that a source is blind.
    Blind { key: Box<str>, severity: Severity },
    /// The channel knows that it sees again.
    Recovered { key: Box<str> },
}

/// Makes messages of drafts.
pub(super) struct Gather<'w, 'm> {
    pub(super) world: &'w World<'w>,
    pub(super) judge: Judge<'w>,
    pub(super) memory: Memory,
    pub(super) waiting: &'m Waiting,
    pub(super) new_id: &'m mut dyn FnMut() -> Box<str>,
}

impl<'w> Gather<'w, '_> {
    pub(super) fn gather(mut self, drafts: Vec<Draft<'w>>) -> Decision {
        let mut messages = Vec::new();
        let mut groups = Groups::of(drafts);
        for channel in self.world.routing.channels.iter().filter(|channel| !channel.replica) {
            let first = groups.first.remove(&*channel.name).unwrap_or_default();
            if !self.memory.channels.contains_key(&channel.name) {
                self.memory.channels.insert(channel.name.clone(), new_channel(self.world.now));
                messages.extend(self.message(Kind::First, channel, first));
            }
            let digests = groups.digests.remove(&*channel.name).unwrap_or_default();
            messages.extend(self.digests(channel, digests));
            messages.extend(self.weekly_test(channel));
            self.forget_times(channel);
        }
        let waiting = self.news(groups.soon, &mut messages);
        self.forget();
        Decision { memory: self.memory, messages, waiting, unheard: BTreeSet::new() }
    }

    /// News goes out once its oldest part waited long enough; everything of the same way goes with it.
    fn news(
        &mut self,
        groups: BTreeMap<(Box<str>, Option<usize>), Vec<Draft<'w>>>,
        out: &mut Vec<Message>,
    ) -> Waiting {
        let mut still = Waiting::new();
        for (key, drafts) in groups {
            let Some(draft) = drafts.iter().find(|draft| draft.when == When::Soon) else { continue };
            let (channel, wait) = (draft.channel, draft.way.group_wait());
            // a clock that was set back must not make it wait for as long
            let since = self.waiting.get(&key).map_or(self.world.now, |since| (*since).min(self.world.now));
            if self.world.now - since < TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX) {
                still.insert(key, since);
                continue;
            }
            // what is only nearly due joins reminders, never news
            let reminders = drafts.iter().any(|draft| draft.when == When::Soon && is_reminder(&draft.item));
            let drafts = drafts.into_iter().filter(|draft| draft.when == When::Soon || reminders);
            out.extend(self.message(Kind::News, channel, drafts.collect()));
        }
        still
    }

    fn digests(
        &mut self,
        channel: &'w ChannelRules,
        mut drafts: BTreeMap<Box<str>, Vec<Draft<'w>>>,
    ) -> Vec<Message> {
        let (zone, now) = (self.world.alert.timezone, self.world.now);
        for digest in self.world.routing.ways_to(&channel.name).filter_map(|way| way.digest()) {
            self.last_used(channel, &digest_key(digest));
        }
        let mut all: BTreeMap<Box<str>, &Digest> = BTreeMap::new();
        all.extend(self.world.routing.ways_to(&channel.name).filter_map(|way| {
            let digest = way.digest()?;
            // what is quiet now is told when that ends, and so is the digest
            let quiet = way.quiet().and_then(|quiet| quiet_until(quiet, zone, now));
            quiet.is_none().then(|| (digest_key(digest), digest))
        }));
        let mut messages = Vec::new();
        for (key, digest) in all {
            if !self.is_due(channel, &key, digest) {
                continue;
            }
            let drafts = drafts.remove(&key).unwrap_or_default();
            let empty = drafts.is_empty();
            if let Some(message) = self.message(Kind::Digest, channel, drafts) {
                messages.push(message);
            } else if empty && digest.send_empty {
                messages.push(self.empty(Kind::Digest, channel));
            }
        }
        messages
    }

    /// A channel that is silent for months must be known to work. A pager is not called for that.
    fn weekly_test(&mut self, channel: &'w ChannelRules) -> Option<Message> {
        let test = self.world.alert.test.as_ref().filter(|_| !channel.pager)?;
        self.is_due(channel, &test_key(test), test).then(|| self.empty(Kind::Test, channel))
    }

    /// A moment of this list came since it was looked at last; it is remembered as used. What passed before the list was
    /// there is no reason to speak.
    fn is_due(&mut self, channel: &ChannelRules, key: &str, times: &Digest) -> bool {
        let now = self.world.now;
        let Some(slot) = last_slot(times, self.world.alert.timezone, now) else { return false };
        let before = self.last_used(channel, key);
        *before = (*before).min(now);
        slot > std::mem::replace(before, slot.max(*before))
    }

    fn last_used(&mut self, channel: &ChannelRules, key: &str) -> &mut DateTime<Utc> {
        let now = self.world.now;
        let past = self.memory.channels.entry(channel.name.clone()).or_insert_with(|| new_channel(now));
        past.digests.entry(key.into()).or_insert(now)
    }

    /// One that is taken up again later begins anew.
    fn forget_times(&mut self, channel: &ChannelRules) {
        let ways = self.world.routing.ways_to(&channel.name);
        let mut wanted: Vec<_> = ways.filter_map(|way| way.digest().map(digest_key)).collect();
        wanted.extend(self.world.alert.test.as_ref().map(test_key));
        if let Some(past) = self.memory.channels.get_mut(&channel.name) {
            past.digests.retain(|key, _| wanted.contains(key));
        }
    }

    fn message(&mut self, kind: Kind, channel: &'w ChannelRules, drafts: Vec<Draft<'w>>) -> Option<Message> {
        let route = drafts.first()?.way.name();
        let mut items = Vec::with_capacity(drafts.len());
        for Draft { item, mark, .. } in drafts {
            self.remember(channel, &item, mark);
            items.push(item);
        }
        items.sort_by_cached_key(urgency);
        let left_out = items.len().saturating_sub(ITEMS);
        items.truncate(ITEMS);
        Some(Message { route, items, left_out, ..self.empty(kind, channel) })
    }

    fn empty(&mut self, kind: Kind, channel: &'w ChannelRules) -> Message {
        let overview = matches!(kind, Kind::First | Kind::Digest).then(|| self.overview(channel));
        Message {
            id: (self.new_id)(),
            channel: channel.name.clone(),
            kind,
            route: Box::default(),
            at: self.world.now,
            items: Vec::new(),
            left_out: 0,
            overview,
        }
    }

    fn remember(&mut self, channel: &ChannelRules, item: &Item, mark: Mark) {
        match (mark, item) {
            (Mark::Told { fingerprint, told }, Item::Certificate(CertificateItem { facts, .. })) => {
                let past = self.memory.certificates.entry(fingerprint);
                let past = past.or_insert_with(|| Arc::new(new_past(facts.clone())));
                let past = Arc::make_mut(past);
                past.facts = facts.clone();
                past.epoch = told.not_after;
                note_told(past, &channel.name, told);
            }
            (Mark::Gone { fingerprint }, _) => {
                if let Some(past) = self.memory.certificates.get_mut(&fingerprint) {
                    Arc::make_mut(past).told.remove(&channel.name);
                }
            }
            (Mark::Blind { key, severity }, Item::Source(facts)) => {
                if let Some(blind) = self.memory.blind.get_mut(&key) {
                    blind.facts = facts.clone();
                    blind.told.insert(channel.name.clone(), ToldBlind { severity, at: self.world.now });
                }
            }
            (Mark::Recovered { key }, _) => {
                if let Some(blind) = self.memory.blind.get_mut(&key) {
                    blind.told.remove(&channel.name);
                }
            }
            // a mark always belongs to its own sort of item
            (Mark::Told { .. } | Mark::Blind { .. }, _) => {}
        }
    }

    /// What nobody needs to know any more.
    fn forget(&mut self) {
        self.memory.certificates.retain(|_, past| !past.told.is_empty());
        self.memory.blind.retain(|_, blind| blind.recovered_at.is_none() || !blind.told.is_empty());
    }

    /// How everything stands that may concern a channel.
    fn overview(&self, channel: &ChannelRules) -> Overview {
        let mut overview = Overview::default();
        let snapshot = self.world.snapshot;
        for (scope, resource) in snapshot.resources() {
            for certificate in resource.certificates() {
                let subject = Subject::new(scope, resource, certificate);
                let means = |matcher: &Matcher| self.judge.may_mean(&subject, matcher);
                let mut ways = self.world.routing.ways_to(&channel.name);
                let Some(way) = ways.find(|way| way.matcher().is_none_or(means)) else { continue };
                let stage = stage(certificate, &self.judge.thresholds(&subject, &way), self.world.now);
                *overview.stages.entry(stage).or_default() += 1;
                if stage > Stage::Ok {
                    *overview.services.entry((&*scope.service).into()).or_default() += 1;
                }
                let renewal = (self.world.renewal)(&scope.provider, subject.fingerprint).note;
                overview.planned += usize::from(matches!(renewal, RenewalNote::Planned { .. }));
            }
        }
        overview.blind = snapshot.scopes.values().filter(|view| view.failure().is_some()).count();
        overview
    }
}

struct Groups<'w> {
    first: BTreeMap<&'w str, Vec<Draft<'w>>>,
    /// By channel, then by digest.
    digests: BTreeMap<&'w str, BTreeMap<Box<str>, Vec<Draft<'w>>>>,
    soon: BTreeMap<(Box<str>, Option<usize>), Vec<Draft<'w>>>,
}

impl<'w> Groups<'w> {
    fn of(drafts: Vec<Draft<'w>>) -> Self {
        let mut groups = Self { first: BTreeMap::new(), digests: BTreeMap::new(), soon: BTreeMap::new() };
        for draft in drafts {
            let channel: &'w str = &draft.channel.name;
            match (draft.when, draft.way.digest()) {
                (When::First, _) => groups.first.entry(channel).or_default().push(draft),
                (When::Digest, Some(digest)) => {
                    let digests = groups.digests.entry(channel).or_default();
                    digests.entry(digest_key(digest)).or_default().push(draft);
                }
                _ => groups.soon.entry((channel.into(), draft.way.number)).or_default().push(draft),
            }
        }
        groups
    }
}

/// The key of a digest: two routes with the same times share one message.
fn digest_key(digest: &Digest) -> Box<str> {
    let days: Vec<String> = digest.days.iter().map(ToString::to_string).collect();
    format!("{} {}", digest.at.format("%H:%M"), days.join(",")).into()
}

fn test_key(test: &Digest) -> Box<str> {
    format!("test {}", digest_key(test)).into()
}

fn is_reminder(item: &Item) -> bool {
    matches!(item, Item::Certificate(CertificateItem { news: News::Reminder { .. }, .. }))
}

/// Expired, critical, warning, info, good news, the rest; within that by date.
pub(super) fn urgency(item: &Item) -> (std::cmp::Reverse<u8>, DateTime<Utc>, String) {
    let rank = match (item, item.tone()) {
        (Item::Certificate(CertificateItem { news: News::Gone { .. }, .. }), _) => 0,
        (_, Tone::Good) => 1,
        (_, Tone::Health) => 2,
        (_, Tone::Info) => 3,
        (_, Tone::Warning) => 4,
        (_, Tone::Critical) => 5,
        (_, Tone::Expired) => 6,
    };
    let (date, name) = match item {
        Item::Certificate(item) => (item.facts.not_after, name(&item.facts)),
        Item::Source(item) => (DateTime::UNIX_EPOCH, item.account.to_string()),
        Item::Channel(item) => (DateTime::UNIX_EPOCH, item.channel.to_string()),
        Item::Renewal(item) => (item.facts.not_after, name(&item.facts)),
    };
    (std::cmp::Reverse(rank), date, name)
}

fn name(facts: &CertificateFacts) -> String {
    format!("{}/{}/{}/{}", facts.account, facts.service, facts.resource_id, facts.role)
}

fn new_past(facts: CertificateFacts) -> Past {
    Past { epoch: facts.not_after, facts, doubt: None, missing: None, told: BTreeMap::new() }
}
