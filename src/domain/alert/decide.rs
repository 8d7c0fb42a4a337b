//! What to tell now: one evaluation over everything that is known.
//!
//! Pure: the same world and the same memory give the same decision. The caller writes memory and messages down in one
//! transaction and only then goes on from the new memory; if that fails, the next evaluation finds the same again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::facts::Subject;
use super::gather::{Draft, Gather, Mark};
use super::gone::{self, Absence};
use super::judge::{Hold, Judge, Tell, Verdict, When};
use super::memory::{ChannelPast, Doubt, Memory, Past, Told};
use super::message::{CertificateItem, Fingerprint, Gone, Item, Message, News, RenewalNote};
use super::routing::{ChannelRules, Routing, Way};
use super::silence::Silence;
use super::sources;
use crate::domain::calendar::quiet_until;
use crate::domain::finding::Stage;
use crate::domain::identity::Scope;
use crate::domain::policy::{AlertPolicy, PollPolicy};
use crate::domain::resource::{Certificate, Resource, SAME_END, TlsState};
use crate::domain::snapshot::Snapshot;

/// So many ends of one certificate are remembered for each channel.
const ENDS: usize = 16;

/// A channel, a certificate, and an end of it that was written down for the channel and did not arrive.
pub type Unheard = (Box<str>, Fingerprint, DateTime<Utc>);

/// Everything that a decision looks at.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// What is known.
    pub snapshot: &'a Snapshot,
    /// What the configuration says of accounts, by name.
    pub accounts: &'a BTreeMap<Box<str>, AccountWords>,
    /// Thresholds, reminders, zone.
    pub alert: &'a AlertPolicy,
    /// For what counts as stale.
    pub poll: &'a PollPolicy,
    /// Channels and routes.
    pub routing: &'a Routing,
    /// What people do not want to hear.
    pub silences: &'a [Silence],
    /// What was written down for a channel and was never delivered.
    pub undelivered: &'a BTreeSet<Unheard>,
    /// What is known of the renewal of a certificate: of a cloud, and of this one.
    pub renewal: &'a (dyn Fn(&str, Fingerprint) -> Renewal + Sync),
    /// Where to look at a resource in the cloud's console.
    pub console: &'a (dyn Fn(&Scope, &str) -> Option<String> + Sync),
    /// The moment of the decision.
    pub now: DateTime<Utc>,
}

/// What the configuration says of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountWords {
    /// Its labels.
    pub labels: BTreeMap<Box<str>, Box<str>>,
    /// The tag that names the owner of a resource.
    pub owner_tag: Option<Box<str>>,
    /// Fingerprint of its `include` and `exclude`, where they are known.
    pub filtered_by: Option<u64>,
}

/// What is known of the renewal of a certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renewal {
    /// What messages say.
    pub note: RenewalNote,
    /// The end that this daemon itself brought about, and read back.
    pub ours: Option<DateTime<Utc>>,
    /// The channels for which the news of that (`renewal.succeeded`) was written down: they are not told again.
    pub told: Arc<[Box<str>]>,
}

/// What is to be written down.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The memory, once that is done.
    pub memory: Memory,
    /// What is to be told.
    pub messages: Vec<Message>,
    /// Since when news waits for company, by channel and route; for the next evaluation.
    pub waiting: Waiting,
    /// Ends that count as never heard in it. If a message about one of them is on its way by now, the decision is wrong.
    pub unheard: BTreeSet<Unheard>,
}

/// Since when news waits for company, by channel and route. Not kept over a restart: it would only wait anew.
pub type Waiting = BTreeMap<(Box<str>, Option<usize>), DateTime<Utc>>;

/// The ends of all certificates that nobody was told of, so that one which moves forward is noticed. Small, and filled
/// again from the snapshot after a restart.
#[derive(Debug, Default)]
pub struct Seen(HashMap<Fingerprint, (i64, Option<Doubt>)>);

impl Seen {
    /// Notes an end. Returns the one before, if this one is earlier and was read twice.
    fn note(
        &mut self,
        fingerprint: Fingerprint,
        certificate: &Certificate,
        read_at: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let end = certificate.not_after;
        let (known, doubt) = self.0.entry(fingerprint).or_insert((end.timestamp(), None));
        let before = DateTime::from_timestamp(*known, 0).unwrap_or(end);
        if before - end < SAME_END {
            (*known, *doubt) = (end.timestamp(), None);
            return None;
        }
        match doubt {
            Some(first) if first.not_after == end && read_at > first.read_at => Some(before),
            Some(first) if first.not_after == end => None,
            _ => {
                *doubt = Some(Doubt::once(end, read_at));
                None
            }
        }
    }
}

/// Decides. `new_id` makes an id for each message.
pub fn decide(
    world: &World<'_>,
    memory: &Memory,
    waiting: &Waiting,
    seen: &mut Seen,
    new_id: &mut dyn FnMut() -> Box<str>,
) -> Decision {
    let judge = Judge { world, memory };
    let mut decider = Decider {
        world,
        judge,
        loosest: TimeDelta::from_std(world.routing.loosest_info(world.alert)).unwrap_or(TimeDelta::MAX),
        changes: BTreeMap::new(),
        present: HashSet::new(),
        drafts: Vec::new(),
        unheard: BTreeSet::new(),
    };
    decider.certificates(seen);
    decider.missing();
    let (troubles, blind) = sources::look(world, memory, &mut decider.drafts);
    let Decider { changes, drafts, unheard, .. } = decider;
    let mut next = memory.clone();
    for (fingerprint, past) in changes {
        next.certificates.insert(fingerprint, Arc::new(past));
    }
    (next.troubles, next.blind) = (troubles, blind);
    Decision { unheard, ..Gather { world, judge, memory: next, waiting, new_id }.gather(drafts) }
}

/// What would be told of one certificate, channel by channel, and why not.
pub fn explain<'w>(
    world: &'w World<'w>,
    memory: &'w Memory,
    scope: &Arc<Scope>,
    resource: &Resource,
    certificate: &Certificate,
) -> Vec<(&'w ChannelRules, Verdict<'w>)> {
    let subject = Subject::new(scope, resource, certificate);
    let judge = Judge { world, memory };
    let past = memory.certificates.get(&subject.fingerprint).map(|past| &**past);
    let read_at = resource.reading.as_ref().map_or(world.now, |reading| reading.at);
    let belief = past.map(|past| believe(past, certificate, read_at, world));
    let channels = world.routing.channels.iter();
    let verdict = |channel: &'w ChannelRules| match &belief {
        Some(Belief::Doubted(doubt)) => Verdict::Hold(Hold::Doubted(doubt.read_at)),
        Some(Belief::Certain(epoch)) => {
            let believed = Certificate { not_after: *epoch, ..certificate.clone() };
            judge.verdict(&Subject { certificate: &believed, ..subject }, past, channel, None)
        }
        None => judge.verdict(&subject, None, channel, None),
    };
    channels.map(|channel| (channel, verdict(channel))).collect()
}

/// Which end of a certificate is taken for true.
pub(super) enum Belief {
    Certain(DateTime<Utc>),
    Doubted(Doubt),
}

/// Another end is believed when it was read twice in a row, or when this daemon brought it about; an earlier one when it was
/// read twice, whatever was read in between: one of several nodes has it. Where answers differ for longer than twice
/// `max_age`, the promise within which every certificate is looked at, and the old end is in none of them, the earliest of
/// those counts. A doubt does not outlive that promise either: if no answer came since, the old end counts again, or one
/// of several others if it is earlier.
pub(super) fn believe(
    past: &Past,
    certificate: &Certificate,
    read_at: DateTime<Utc>,
    world: &World<'_>,
) -> Belief {
    let end = certificate.not_after;
    if is_believed(past, certificate) {
        return Belief::Certain(past.epoch);
    }
    let ours = (world.renewal)(&past.facts.provider, past.facts.fingerprint).ours == Some(end);
    if ours || past.doubt.is_some_and(|doubt| confirms(past, &doubt, end, read_at)) {
        return Belief::Certain(end);
    }
    let patience = TimeDelta::from_std(world.poll.max_age * 2).unwrap_or(TimeDelta::MAX);
    let doubt = match past.doubt {
        Some(doubt) if doubt.not_after == end && read_at == doubt.read_at => doubt,
        Some(doubt) if read_at > doubt.read_at && read_at - doubt.read_at <= patience => {
            doubt.followed_by(end, read_at)
        }
        _ => Doubt::once(end, read_at),
    };
    match doubt.turns {
        Some((since, earliest)) if doubt.read_at - since > patience => Belief::Certain(earliest),
        _ if world.now - doubt.read_at <= patience || past.doubt != Some(doubt) => Belief::Doubted(doubt),
        Some((_, earliest)) => Belief::Certain(earliest.min(past.epoch)),
        None => Belief::Certain(past.epoch),
    }
}

fn is_believed(past: &Past, certificate: &Certificate) -> bool {
    let end = certificate.not_after;
    let other_serial = {
        let (old, new) = (&past.facts.serial, &certificate.subject.serial);
        past.facts.not_after == past.epoch && !old.is_empty() && !new.is_empty() && old != new
    };
    end == past.epoch || ((end - past.epoch).abs() < SAME_END && !other_serial)
}

/// Whether this end was read before, by another answer.
fn confirms(past: &Past, doubt: &Doubt, end: DateTime<Utc>, read_at: DateTime<Utc>) -> bool {
    let again = doubt.not_after == end || (doubt.earliest() == end && end < past.epoch);
    again && read_at > doubt.read_at
}

/// The doubt that is kept although the old end counts: one that was given up, so that the same answer does not begin a new
/// one, and one about an earlier end while the old one is read as well.
pub(super) fn given_up(past: &Past, certificate: &Certificate, epoch: DateTime<Utc>) -> Option<Doubt> {
    let doubt = past.doubt.filter(|_| epoch == past.epoch)?;
    if !is_believed(past, certificate) {
        return (doubt.not_after == certificate.not_after).then_some(doubt);
    }
    let earliest = doubt.earliest();
    (earliest < epoch).then(|| Doubt { interrupted: true, ..Doubt::once(earliest, doubt.read_at) })
}

struct Decider<'w> {
    world: &'w World<'w>,
    judge: Judge<'w>,
    /// What ends later than this from now, and nobody was told of, is nobody's concern.
    loosest: TimeDelta,
    /// Pasts that changed without a message.
    changes: BTreeMap<Fingerprint, Past>,
    /// Certificates with a past that are there.
    present: HashSet<Fingerprint>,
    drafts: Vec<Draft<'w>>,
    unheard: BTreeSet<Unheard>,
}

impl Decider<'_> {
    fn certificates(&mut self, seen: &mut Seen) {
        let world = self.world;
        for (scope, resource) in world.snapshot.resources() {
            let Some(reading) =
                resource.reading.as_ref().filter(|reading| reading.state == TlsState::Enabled)
            else {
                continue;
            };
            for certificate in &reading.certificates {
                let subject = Subject::new(scope, resource, certificate);
                if let Some(past) = self.judge.memory.certificates.get(&subject.fingerprint) {
                    seen.0.remove(&subject.fingerprint);
                    self.told_before(&subject, past, reading.at);
                    continue;
                }
                let changed_from = seen.note(subject.fingerprint, certificate, reading.at);
                if changed_from.is_some() || certificate.not_after - world.now <= self.loosest {
                    self.judge_all(&subject, None, changed_from);
                }
            }
        }
    }

    fn told_before(&mut self, subject: &Subject<'_>, past: &Past, read_at: DateTime<Utc>) {
        self.present.insert(subject.fingerprint);
        let belief = believe(past, subject.certificate, read_at, self.world);
        let (epoch, doubt, certain) = match belief {
            // a doubt that was given up stays, so that the same answer does not begin a new one
            Belief::Certain(epoch) => (epoch, given_up(past, subject.certificate, epoch), true),
            Belief::Doubted(doubt) => (past.epoch, Some(doubt), false),
        };
        let told = self.heard(subject.fingerprint, past, epoch);
        let changed = epoch != past.epoch || doubt != past.doubt || past.missing.is_some() || told.is_some();
        let now_known = changed.then(|| {
            let told = told.unwrap_or_else(|| past.told.clone());
            Past { epoch, doubt, missing: None, told, ..past.clone() }
        });
        let known = now_known.as_ref().unwrap_or(past);
        if certain && !self.is_at_rest(known) {
            let moved = (epoch != subject.certificate.not_after)
                .then(|| Certificate { not_after: epoch, ..subject.certificate.clone() });
            let certificate = moved.as_ref().unwrap_or(subject.certificate);
            self.judge_all(&Subject { certificate, ..*subject }, Some(known), None);
        }
        if let Some(now_known) = now_known {
            self.changes.entry(subject.fingerprint).or_insert(now_known);
        }
    }

    /// What every channel was told, without the ends before this one of which it did not hear, unless nothing would be left:
    /// another one is what it knows. The messages about them are overtaken (`delivery::current`), so it never will. `None`:
    /// nothing has to be taken out. A pager may have what it did not confirm.
    fn heard(
        &mut self,
        fingerprint: Fingerprint,
        past: &Past,
        epoch: DateTime<Utc>,
    ) -> Option<BTreeMap<Box<str>, Vec<Told>>> {
        let is_pager = |name: &str| self.world.routing.channel(name).is_some_and(|channel| channel.pager);
        let mut changed = None;
        for (name, ends) in past.told.iter().filter(|(name, _)| !is_pager(name)) {
            let lost = unheard(self.world, name, fingerprint, ends);
            let over: Vec<_> = lost.into_iter().filter(|(_, _, end)| *end < epoch).collect();
            if over.is_empty() || over.len() == ends.len() {
                continue;
            }
            let told: &mut BTreeMap<_, Vec<Told>> = changed.get_or_insert_with(|| past.told.clone());
            if let Some(told) = told.get_mut(name) {
                told.retain(|told| over.iter().all(|(_, _, end)| *end != told.not_after));
            }
            self.unheard.extend(over);
        }
        changed
    }

    /// It is in no stage for anybody, and everybody who was told of an end knows of this one.
    fn is_at_rest(&self, past: &Past) -> bool {
        let knows = |ends: &Vec<Told>| {
            ends.iter().max_by_key(|told| told.at).is_some_and(|told| told.not_after == past.epoch)
        };
        past.epoch - self.world.now > self.loosest && past.told.values().all(knows)
    }

    fn judge_all(&mut self, subject: &Subject<'_>, past: Option<&Past>, changed_from: Option<DateTime<Utc>>) {
        for channel in &self.world.routing.channels {
            match self.judge.verdict(subject, past, channel, changed_from) {
                Verdict::Tell(tell) => {
                    let Tell { item, way, when, told } = *tell;
                    let mark = Mark::Told { fingerprint: subject.fingerprint, told };
                    self.drafts.push(Draft { channel, way, when, item, mark });
                }
                Verdict::Settle(hold) => {
                    let Some(past) = past else { continue };
                    if hold == Hold::NeverTold
                        && let Some(ends) = past.told.get(&channel.name)
                    {
                        self.unheard.extend(unheard(self.world, &channel.name, subject.fingerprint, ends));
                    }
                    let told = Told {
                        not_after: subject.certificate.not_after,
                        stage: Stage::Ok,
                        at: self.world.now,
                    };
                    let change = self.changes.entry(subject.fingerprint).or_insert_with(|| past.clone());
                    note_told(change, &channel.name, told);
                }
                Verdict::Hold(_) => {}
            }
        }
    }

    /// What somebody was told of and is not there any more.
    fn missing(&mut self) {
        let memory = self.judge.memory;
        for (fingerprint, past) in &memory.certificates {
            if !self.present.contains(fingerprint) {
                self.one_missing(*fingerprint, past);
            }
        }
    }

    fn one_missing(&mut self, fingerprint: Fingerprint, past: &Arc<Past>) {
        let now = self.world.now;
        let mut change = (**past).clone();
        let missing = gone::missed(change.missing, Absence::of(&past.facts, self.world), now);
        change.missing = Some(missing);
        if let Some(how) = missing.confirmed {
            self.tell_gone(fingerprint, &mut change, how);
        }
        if change != **past {
            self.changes.insert(fingerprint, change);
        }
    }

    fn tell_gone(&mut self, fingerprint: Fingerprint, past: &mut Past, how: Gone) {
        let epoch = past.epoch;
        let mut told = std::mem::take(&mut past.told);
        told.retain(|name, ends| {
            let last = ends.iter().max_by_key(|told| told.at).copied();
            let channel = self.world.routing.channel(name).filter(|channel| !channel.replica);
            let (Some(last), Some(channel)) = (last, channel) else { return false };
            // a renewal that was never told, or an end in peace, needs no end
            if last.stage == Stage::Ok || last.not_after != epoch {
                return false;
            }
            if !channel.pager && gone::is_silenced(&past.facts, last.stage, self.world) {
                return false;
            }
            let undelivered = (name.clone(), fingerprint, epoch);
            if self.world.undelivered.contains(&undelivered) {
                // the warning may still arrive; after that it has to be taken back
                return true;
            }
            let news = News::Gone { how, told: last.stage };
            let item = Item::Certificate(CertificateItem { news, facts: past.facts.clone() });
            let way = self.world.routing.ways_to(&channel.name).next().unwrap_or_else(Way::back);
            let quiet = |quiet| quiet_until(quiet, self.world.alert.timezone, self.world.now);
            if !channel.pager && way.quiet().and_then(quiet).is_some() {
                return true;
            }
            let mark = Mark::Gone { fingerprint };
            self.drafts.push(Draft { channel, way, when: When::Soon, item, mark });
            true
        });
        past.told = told;
    }
}

/// Those of the ends that a channel was told which did not arrive there.
fn unheard(world: &World<'_>, channel: &str, fingerprint: Fingerprint, ends: &[Told]) -> Vec<Unheard> {
    if world.undelivered.is_empty() {
        return Vec::new();
    }
    let all = ends.iter().map(|told| (Box::from(channel), fingerprint, told.not_after));
    all.filter(|end| world.undelivered.contains(end)).collect()
}

/// Notes what a channel knows.
pub(super) fn note_told(past: &mut Past, channel: &str, told: Told) {
    let ends = past.told.entry(channel.into()).or_default();
    match ends.iter_mut().find(|known| known.not_after == told.not_after) {
        Some(known) => {
            // what was told by a clock far ahead does not count
            known.stage = if known.at > told.at { told.stage } else { known.stage.max(told.stage) };
            known.at = told.at;
        }
        None => ends.push(told),
    }
    if ends.len() > ENDS {
        ends.sort_unstable_by_key(|told| told.at);
        ends.remove(0);
    }
}

/// A channel that has its first message now.
pub(super) fn new_channel(now: DateTime<Utc>) -> ChannelPast {
    ChannelPast { since: now, digests: BTreeMap::new() }
}
