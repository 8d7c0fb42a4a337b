//! Sources that cannot be read: one message for each account and reason, and one when it is over.
//!
//! It is over when they are read well. One that is taken out of the configuration meanwhile was not read again: that is
//! said as what it is.
//!
//! Until then every certificate behind them keeps its last known date, and its stages go on.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::decide::World;
use super::facts::Subject;
use super::gather::{Draft, Mark};
use super::judge::{Judge, When};
use super::memory::{Blind, Memory, Trouble};
use super::message::{Item, Severity, SourceItem, SourceNews};
use super::routing::{ChannelRules, Way};
use super::silence::About;
use super::standing::Open;
use crate::domain::calendar::quiet_until;
use crate::domain::described::DescribedScope;
use crate::domain::finding::{Stage, stage};
use crate::domain::identity::Scope;
use crate::domain::matcher::{Known, Label, Matcher};
use crate::domain::policy::Route;
use crate::domain::reason::{Failure, Reason};
use crate::domain::resource::Resource;
use crate::domain::snapshot::ScopeView;

/// Failed rounds before a source counts as blind.
const ROUNDS: u32 = 3;
/// Where the key is refused: nothing gets better by waiting.
const ROUNDS_DENIED: u32 = 2;
/// A source with certificates that was blind for so long is critical, whatever their dates say.
const LONG_BLIND: TimeDelta = TimeDelta::hours(24);

type Troubles = BTreeMap<Box<str>, Trouble>;
type BlindSources = BTreeMap<Box<str>, Blind>;

/// Looks at every scope. Returns what is to be remembered of them; what is to be told goes to `drafts`.
pub(super) fn look<'w>(
    world: &'w World<'w>,
    memory: &'w Memory,
    drafts: &mut Vec<Draft<'w>>,
) -> (Troubles, BlindSources) {
    let troubles = troubles(world, memory);
    let mut blind = memory.blind.clone();
    cover(world, &troubles, &mut blind);
    let lookout = Lookout { world, memory };
    for (key, source) in &mut blind {
        let scopes = lookout.scopes(source);
        match (lookout.fate(source, &scopes, &troubles), source.recovered_at) {
            (Fate::Blind, _) => source.recovered_at = None,
            (fate @ (Fate::Readable | Fate::NotWatched), None) => {
                source.recovered_at = Some(world.now);
                source.unwatched = fate == Fate::NotWatched;
            }
            (Fate::Readable | Fate::NotWatched, Some(_)) | (Fate::Unknown, _) => {}
        }
        let facts = lookout.facts(source, &scopes);
        if source.recovered_at.is_none() && differs(&source.facts, &facts) {
            source.facts = facts.clone();
        }
        lookout.tell(&Sight { key, source, scopes: &scopes, facts: &facts }, drafts);
    }
    (troubles, blind)
}

/// What is wrong at the moment in the eyes of a channel that is told the whole state.
pub(super) fn standing(world: &World<'_>, memory: &Memory, channel: &ChannelRules) -> Vec<Open> {
    let lookout = Lookout { world, memory };
    let blind = memory.blind.iter().filter(|(_, source)| source.recovered_at.is_none());
    let open = blind.filter_map(|(key, source)| {
        let scopes = lookout.scopes(source);
        let seen = Sight { key, source, scopes: &scopes, facts: &source.facts };
        let (_, item) = lookout.way(&seen, channel, false)?;
        (!is_too_little(&item, channel)).then_some(Open { item, since: source.since.min(world.now) })
    });
    open.collect()
}

/// Whether anybody looks at what could not be read, by what was said of it.
pub(super) fn is_watched(source: &SourceItem, world: &World<'_>) -> bool {
    let named = |names: &[Box<str>], name: &str| names.iter().any(|known| **known == *name);
    world.snapshot.scopes.keys().any(|scope| {
        (&*scope.provider, &*scope.account) == (&*source.provider, &*source.account)
            && named(&source.services, &scope.service)
            && (named(&source.regions, &scope.region) || named(&source.regions, ""))
    })
}

/// A channel that is for the worst only.
fn is_too_little(item: &Item, channel: &ChannelRules) -> bool {
    channel.least >= Stage::Critical && item.severity() < Severity::Critical
}

/// What became of a blind source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It cannot be read.
    Blind,
    /// It is read well.
    Readable,
    /// Nobody looks any more.
    NotWatched,
    /// No look tells yet.
    Unknown,
}

fn key_of(scope: &Scope) -> Box<str> {
    scope.to_string().into()
}

/// Counts failed rounds by scope.
fn troubles(world: &World<'_>, memory: &Memory) -> Troubles {
    let failing = world.snapshot.scopes.iter().filter_map(|(scope, view)| Some((scope, view.failure()?)));
    let counted = failing.map(|(scope, failure)| {
        let key = key_of(scope);
        let known = memory.troubles.get(&key);
        let trouble = match known {
            Some(known) if known.last_failure == failure.at => known.clone(),
            Some(known) => Trouble {
                since: known.since,
                rounds: known.rounds.saturating_add(1),
                last_failure: failure.at,
            },
            None => Trouble { since: failure.at, rounds: 1, last_failure: failure.at },
        };
        (key, trouble)
    });
    counted.collect()
}

/// Notes which blind source covers which scopes; opens new ones.
fn cover(world: &World<'_>, troubles: &Troubles, blind: &mut BlindSources) {
    for (scope, view) in &world.snapshot.scopes {
        let (Some(failure), Some(trouble)) = (view.failure(), troubles.get(&*key_of(scope))) else {
            continue;
        };
        let key = key_of(scope);
        let covered =
            blind.values().any(|source| source.scopes.contains(&key) && source.recovered_at.is_none());
        if covered || !is_ripe(world, trouble, failure.reason) {
            continue;
        }
        let name = format!("{}/{}/{}", scope.provider, scope.account, failure.reason.as_str());
        match blind.get_mut(&*name) {
            Some(source) if source.recovered_at.is_none() || !source.told.is_empty() => {
                source.scopes.retain(|known| *known != key);
                source.scopes.push(key);
                source.since =
                    if source.recovered_at.take().is_some() { trouble.since } else { source.since };
            }
            _ => {
                let source = Blind {
                    facts: nothing_yet(scope, failure),
                    since: trouble.since,
                    scopes: vec![key],
                    recovered_at: None,
                    unwatched: false,
                    told: BTreeMap::new(),
                };
                blind.insert(name.into(), source);
            }
        }
    }
}

fn is_ripe(world: &World<'_>, trouble: &Trouble, reason: Reason) -> bool {
    let patience = TimeDelta::from_std(world.alert.blind_after).unwrap_or(TimeDelta::MAX);
    match reason {
        Reason::Denied => trouble.rounds >= ROUNDS_DENIED,
        _ => trouble.rounds >= ROUNDS && world.now - trouble.since >= patience,
    }
}

fn nothing_yet(scope: &Scope, failure: &Failure) -> SourceItem {
    SourceItem {
        news: SourceNews::Recovered { since: failure.at, until: failure.at, unwatched: false },
        provider: (&*scope.provider).into(),
        account: (&*scope.account).into(),
        reason: failure.reason.as_str().into(),
        services: Vec::new(),
        regions: Vec::new(),
        error: failure.text.clone(),
        last_success: None,
        certificates: 0,
        worst: Stage::Ok,
    }
}

/// A blind source as it is now.
struct Sight<'s, 'w> {
    key: &'s str,
    source: &'s Blind,
    scopes: &'s [&'w Arc<Scope>],
    facts: &'s SourceItem,
}

struct Lookout<'w> {
    world: &'w World<'w>,
    memory: &'w Memory,
}

impl<'w> Lookout<'w> {
    /// The scopes of a source that are still watched.
    fn scopes(&self, source: &Blind) -> Vec<&'w Arc<Scope>> {
        let scopes = self.world.snapshot.scopes.keys();
        scopes.filter(|scope| source.scopes.contains(&key_of(scope))).collect()
    }

    fn fate(&self, source: &Blind, scopes: &[&Arc<Scope>], troubles: &Troubles) -> Fate {
        if scopes.iter().any(|scope| troubles.contains_key(&*key_of(scope))) {
            return Fate::Blind;
        }
        let is_up = |scope: &Scope| self.world.snapshot.scopes.get(scope).is_some_and(|view| view.is_up());
        if !scopes.is_empty() {
            return if scopes.iter().all(|scope| is_up(scope)) { Fate::Readable } else { Fate::Unknown };
        }
        let kin = self.kin(source);
        // its regions are not known at the moment
        if kin.iter().any(|scope| scope.is_placeholder()) {
            return Fate::Unknown;
        }
        // it stood for all regions, which are known by now
        let stood_for = |scope: &&&Arc<Scope>| source.scopes.contains(&key_of(&placeholder(scope)));
        let mut places = kin.iter().filter(stood_for).peekable();
        match (places.peek().is_some(), places.any(|scope| is_up(scope))) {
            (false, _) => Fate::NotWatched,
            (true, true) => Fate::Readable,
            (true, false) => Fate::Unknown,
        }
    }

    /// The scopes of the same services of its account.
    fn kin(&self, source: &Blind) -> Vec<&'w Arc<Scope>> {
        let facts = &source.facts;
        let is_kin = |scope: &&Arc<Scope>| {
            (&*scope.provider, &*scope.account) == (&*facts.provider, &*facts.account)
                && source.scopes.iter().any(|own| own.starts_with(&service_of(scope)))
        };
        self.world.snapshot.scopes.keys().filter(is_kin).collect()
    }

    fn tell(&self, seen: &Sight<'_, 'w>, drafts: &mut Vec<Draft<'w>>) {
        for channel in self.world.routing.channels.iter().filter(|channel| !channel.replica) {
            let draft = match seen.source.recovered_at {
                Some(until) => self.recovered(seen, channel, until),
                None => self.blind(seen, channel),
            };
            drafts.extend(draft);
        }
    }

    fn blind(&self, seen: &Sight<'_, 'w>, channel: &'w ChannelRules) -> Option<Draft<'w>> {
        let (way, item) = self.way(seen, channel, seen.source.told.contains_key(&channel.name))?;
        let severity = item.severity();
        if let Some(told) = seen.source.told.get(&channel.name)
            && severity <= told.severity
            && self.world.now - told.at < self.remind_every(severity)
        {
            return None;
        }
        if is_too_little(&item, channel) || self.is_silenced(seen, &item) {
            return None;
        }
        self.draft(seen, channel, way, item, Mark::Blind { key: seen.key.into(), severity })
    }

    fn recovered(
        &self,
        seen: &Sight<'_, 'w>,
        channel: &'w ChannelRules,
        until: DateTime<Utc>,
    ) -> Option<Draft<'w>> {
        seen.source.told.get(&channel.name)?;
        let unwatched = seen.source.unwatched;
        let news = SourceNews::Recovered { since: seen.source.since, until, unwatched };
        let item = Item::Source(SourceItem { news, ..seen.facts.clone() });
        // good news takes the way of the bad, which may have been asked for by its severity
        let way = self.world.routing.way(&channel.name, |_, route| self.is_meant(seen, route, &item));
        let any_way = || self.world.routing.ways_to(&channel.name).next().unwrap_or_else(Way::back);
        let mark = Mark::Recovered { key: seen.key.into() };
        self.draft(seen, channel, way.unwrap_or_else(any_way), item, mark)
    }

    /// The way by which a channel hears that it is blind, and what is said there: how bad it is goes by the thresholds of
    /// the way.
    fn way(&self, seen: &Sight<'_, 'w>, channel: &ChannelRules, again: bool) -> Option<(Way<'w>, Item)> {
        let item = |way: &Way<'_>| {
            let worst = self.worst(seen, way);
            let facts = SourceItem { worst, ..seen.facts.clone() };
            let severity = severity(seen.source.since, &facts, self.world.now);
            let news = SourceNews::Blind { since: seen.source.since, severity, again };
            Item::Source(SourceItem { news, ..facts })
        };
        let routing = self.world.routing;
        let way = routing.way(&channel.name, |way, route| self.is_meant(seen, route, &item(way)))?;
        Some((way, item(&way)))
    }

    fn is_meant(&self, seen: &Sight<'_, 'w>, route: &Route, item: &Item) -> bool {
        let means = |matcher: &Matcher| seen.scopes.iter().any(|scope| self.means(scope, matcher, item));
        route.matcher.as_ref().is_none_or(means)
    }

    fn draft(
        &self,
        seen: &Sight<'_, 'w>,
        channel: &'w ChannelRules,
        way: Way<'w>,
        item: Item,
        mark: Mark,
    ) -> Option<Draft<'w>> {
        if !self.memory.channels.contains_key(&channel.name) {
            return Some(Draft { channel, way, when: When::First, item, mark });
        }
        let over = matches!(mark, Mark::Recovered { .. });
        let quiet =
            way.quiet().and_then(|quiet| quiet_until(quiet, self.world.alert.timezone, self.world.now));
        if item.severity() < Severity::Critical && quiet.is_some() && !(over && channel.pager) {
            return None;
        }
        // one that got worse, or is bad, does not wait for a digest
        let told = seen.source.told.get(&channel.name).map(|told| told.severity);
        let reminder = !over && item.severity() == Severity::Warning && told == Some(Severity::Warning);
        let digest = reminder && way.digest().is_some() && !channel.pager;
        let when = if digest { When::Digest } else { When::Soon };
        Some(Draft { channel, way, when, item, mark })
    }

    /// A silence about one region says nothing about the others.
    fn is_silenced(&self, seen: &Sight<'_, 'w>, item: &Item) -> bool {
        let known = |scope: &&&'w Arc<Scope>| !scope.is_placeholder();
        let means = |matcher: &Matcher| {
            seen.scopes.iter().all(|scope| known(&scope) && self.means(scope, matcher, item))
                || seen.scopes.iter().all(|scope| self.means_whatever_region(scope, matcher, item))
        };
        let active = self.world.silences.iter().filter(|silence| silence.is_active(self.world.now));
        active.into_iter().any(|silence| match &silence.about {
            About::Matching(matcher) => means(matcher),
            About::Acknowledged { .. } => false,
        })
    }

    /// Whether it means a scope without asking where that is.
    fn means_whatever_region(&self, scope: &Scope, matcher: &Matcher, item: &Item) -> bool {
        let of_a_place = |label: &Label| matches!(label, Label::CloudRegion | Label::CloudProject);
        !matcher.labels().any(of_a_place) && self.means(scope, matcher, item)
    }

    fn means(&self, scope: &Scope, matcher: &Matcher, item: &Item) -> bool {
        let account = self.world.accounts.get(&*scope.account);
        let label = |key: &str| account?.labels.get(key).map(|value| &**value);
        let described = DescribedScope { scope, account_label: &label };
        matcher.may_match(&|label| match label {
            Label::Severity => Known::Value(Some(item.severity().as_str())),
            Label::Type => Known::Value(Some(item.type_name())),
            Label::Stage => Known::Value(None),
            Label::CloudProject | Label::CloudRegion if scope.is_placeholder() => Known::NotYet,
            // a message about a source is no message about any one resource in it
            other => Known::Value(described.label(other)),
        })
    }

    fn remind_every(&self, severity: Severity) -> TimeDelta {
        let remind = &self.world.alert.remind;
        let every = if severity == Severity::Critical { remind.critical } else { remind.warning };
        TimeDelta::from_std(every).unwrap_or(TimeDelta::MAX)
    }

    fn facts(&self, source: &Blind, scopes: &[&'w Arc<Scope>]) -> SourceItem {
        let views = self.unread(scopes);
        if views.is_empty() {
            return source.facts.clone();
        }
        let mut facts = SourceItem { services: Vec::new(), regions: Vec::new(), ..source.facts.clone() };
        for (scope, _) in &views {
            push_once(&mut facts.services, &scope.service);
            push_once(&mut facts.regions, &scope.region);
        }
        if let Some(failure) = views.iter().find_map(|(_, view)| view.failure()) {
            facts.error.clone_from(&failure.text);
        }
        facts.last_success = views.iter().filter_map(|(_, view)| view.listed_at).max();
        let resources = views.iter().flat_map(|(_, view)| view.resources.iter());
        facts.certificates = resources.map(|resource| resource.certificates().len()).sum();
        facts.worst = self.worst_of(&views, &Way::back());
        facts
    }

    /// What can be read again is not told of, unless all of it can.
    fn unread(&self, scopes: &[&'w Arc<Scope>]) -> Vec<(&'w Arc<Scope>, &'w ScopeView)> {
        let views =
            scopes.iter().filter_map(|scope| Some((*scope, &**self.world.snapshot.scopes.get(*scope)?)));
        let mut views: Vec<_> = views.collect();
        if views.iter().any(|(_, view)| view.failure().is_some()) {
            views.retain(|(_, view)| view.failure().is_some());
        }
        views
    }

    /// The deepest stage in it for those at the end of a way.
    fn worst(&self, seen: &Sight<'_, 'w>, way: &Way<'_>) -> Stage {
        let views = if way.thresholds().is_some() { self.unread(seen.scopes) } else { Vec::new() };
        if views.is_empty() { seen.facts.worst } else { self.worst_of(&views, way) }
    }

    fn worst_of(&self, views: &[(&Arc<Scope>, &ScopeView)], way: &Way<'_>) -> Stage {
        let judge = Judge { world: self.world, memory: self.memory };
        let of = |scope: &Arc<Scope>, resource: &Resource| {
            let stages = resource.certificates().iter().map(|certificate| {
                let subject = Subject::new(scope, resource, certificate);
                stage(certificate, &judge.thresholds(&subject, way), self.world.now)
            });
            stages.max()
        };
        let all =
            views.iter().flat_map(|(scope, view)| view.resources.iter().filter_map(|one| of(scope, one)));
        all.max().unwrap_or(Stage::Ok)
    }
}

/// Critical where a certificate that nobody looks at is, or where nobody looks for a day.
fn severity(since: DateTime<Utc>, facts: &SourceItem, now: DateTime<Utc>) -> Severity {
    let long = now - since >= LONG_BLIND && facts.certificates > 0;
    if facts.worst >= Stage::Critical || long { Severity::Critical } else { Severity::Warning }
}

/// In more than what each failed round changes.
fn differs(old: &SourceItem, new: &SourceItem) -> bool {
    old.services != new.services
        || old.regions != new.regions
        || old.certificates != new.certificates
        || old.worst != new.worst
}

/// `prod/alibaba/redis/`: how the keys of all scopes of a service begin.
fn service_of(scope: &Scope) -> String {
    format!("{}/{}/{}/", scope.account, scope.provider, scope.service)
}

/// What stands for a scope while regions are not known.
fn placeholder(scope: &Scope) -> Scope {
    Scope { project: "".into(), region: "".into(), ..scope.clone() }
}

fn push_once(list: &mut Vec<Box<str>>, text: &str) {
    if !list.iter().any(|known| **known == *text) {
        list.push(text.into());
    }
}
