//! Who hears of a renewal: one message for each channel whose routes mean the certificate.
//!
//! Nothing is held back to be found again later, as news of certificates are: what is written down here is written down
//! together with what it tells of, once. So silences drop, and quiet hours put off.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::decide::World;
use super::facts::Subject;
use super::gather::{ITEMS, urgency};
use super::judge::{Judge, Prospect};
use super::memory::Memory;
use super::message::{CertificateFacts, Item, Kind, Message, RenewalItem, RenewalNews, Severity};
use super::routing::{ChannelRules, Way};
use super::silence::{About, Silence};
use crate::domain::calendar::quiet_until;
use crate::domain::finding::{Stage, stage};
use crate::domain::identity::{CertRole, Scope};
use crate::domain::resource::{self, Certificate, DateSource, Facts, Resource, Tags};

/// A message, and when it may go out at the earliest.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// The message.
    pub message: Message,
    /// Not before; `None`: at once.
    pub not_before: Option<DateTime<Utc>>,
}

/// What becomes of a piece of news for one channel.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard<'w> {
    /// It is told.
    Told {
        /// How it comes to the channel.
        way: Way<'w>,
        /// Not before; `None`: at once.
        not_before: Option<DateTime<Utc>>,
    },
    /// It is not, and never will be.
    Unheard(Unheard),
}

/// Why a channel does not hear of a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unheard {
    /// It calls people up, or is told the whole state: both follow the stages of the certificate.
    FollowsStages,
    /// No route leads it there.
    NoRoute,
    /// The channel is not for such things.
    BelowLeast(Stage),
    /// The route does not want good news.
    GoodNewsUnwanted,
    /// A person silenced it.
    Silenced {
        /// Which silence.
        id: Box<str>,
    },
}

impl fmt::Display for Unheard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FollowsStages => write!(f, "the channel follows the stages of certificates"),
            Self::NoRoute => write!(f, "no route leads it there"),
            Self::BelowLeast(least) => write!(f, "the channel is told from stage {} on", least.as_str()),
            Self::GoodNewsUnwanted => write!(f, "the route has send_renewed = false"),
            Self::Silenced { id } => write!(f, "silence {id} holds it"),
        }
    }
}

/// What is told of these renewals, and to whom. The caller writes it down together with what it tells of.
pub fn letters(
    world: &World<'_>,
    items: Vec<RenewalItem>,
    new_id: &mut dyn FnMut() -> Box<str>,
) -> Vec<Letter> {
    let mut groups: BTreeMap<GroupKey, (Box<str>, Vec<Item>)> = BTreeMap::new();
    for item in items {
        for (at, (_, heard)) in heard(world, &item).into_iter().enumerate() {
            let Heard::Told { way, not_before } = heard else { continue };
            let group = groups.entry((at, way.number, not_before));
            group.or_insert_with(|| (way.name(), Vec::new())).1.push(Item::Renewal(item.clone()));
        }
    }
    let letter = |((channel, _, not_before), (route, mut items)): (GroupKey, (Box<str>, Vec<Item>))| {
        items.sort_by_cached_key(urgency);
        let left_out = items.len().saturating_sub(ITEMS);
        items.truncate(ITEMS);
        let channel = world.routing.channels[channel].name.clone();
        let (id, at) = (new_id(), world.now);
        let message = Message { id, channel, kind: Kind::News, route, at, items, left_out, overview: None };
        Letter { message, not_before }
    };
    groups.into_iter().map(letter).collect()
}

/// The channels to which letters tell that an attempt succeeded: what [`Attempt::told`] remembers, so that nobody is told
/// of the new end a second time.
///
/// [`Attempt::told`]: crate::domain::renewal::attempt::Attempt::told
pub fn told_of_success(letters: &[Letter], attempt: &str) -> Vec<Box<str>> {
    let tells = |item: &Item| {
        matches!(item, Item::Renewal(item)
            if *item.attempt == *attempt && matches!(item.news, RenewalNews::Succeeded { .. }))
    };
    let telling = letters.iter().filter(|letter| letter.message.items.iter().any(tells));
    telling.map(|letter| letter.message.channel.clone()).collect()
}

/// What becomes of a piece of news, channel by channel, in their order.
pub fn heard<'w>(world: &'w World<'w>, item: &RenewalItem) -> Vec<(&'w ChannelRules, Heard<'w>)> {
    let found = Found::new(world, &item.facts);
    let memory = Memory::default();
    let news = News { world, judge: Judge { world, memory: &memory }, subject: found.subject(), item };
    let channels = world.routing.channels.iter();
    channels.map(|channel| (channel, news.heard(channel).unwrap_or_else(Heard::Unheard))).collect()
}

/// Place of the channel, number of the route, and when.
type GroupKey = (usize, Option<usize>, Option<DateTime<Utc>>);

/// A piece of news, and what it is about.
struct News<'n, 'w> {
    world: &'w World<'w>,
    judge: Judge<'n>,
    subject: Subject<'n>,
    item: &'n RenewalItem,
}

impl<'w> News<'_, 'w> {
    fn heard(&self, channel: &ChannelRules) -> Result<Heard<'w>, Unheard> {
        if channel.pager || channel.replica {
            return Err(Unheard::FollowsStages);
        }
        let way = self.way(channel).ok_or(Unheard::NoRoute)?;
        let succeeded = matches!(self.item.news, RenewalNews::Succeeded { .. });
        if !succeeded && self.severity() < Severity::of(channel.least) {
            return Err(Unheard::BelowLeast(channel.least));
        }
        if succeeded && !way.send_renewed() {
            return Err(Unheard::GoodNewsUnwanted);
        }
        if let Some(silence) = self.silence(&way) {
            return Err(Unheard::Silenced { id: silence.id.clone() });
        }
        Ok(Heard::Told { way, not_before: self.not_before(&way) })
    }

    /// As for news of its certificate; the stage is that of the end that is taken away.
    fn way(&self, channel: &ChannelRules) -> Option<Way<'w>> {
        self.world.routing.way(&channel.name, |way, route| {
            let prospect = self.prospect(way);
            route.matcher.as_ref().is_none_or(|matcher| self.judge.means(&self.subject, matcher, &prospect))
        })
    }

    /// Nobody who was told to expect a renewal is left alone with one that failed. An acknowledgement says that the end is
    /// known, not what is done about it.
    fn silence(&self, way: &Way<'_>) -> Option<&'w Silence> {
        if self.severity() == Severity::Critical {
            return None;
        }
        let prospect = self.prospect(way);
        let active = self.world.silences.iter().filter(|silence| silence.is_active(self.world.now));
        let holds = |silence: &&Silence| match &silence.about {
            About::Acknowledged { .. } => false,
            About::Matching(matcher) => {
                (prospect.stage < Stage::Expired || silence.include_expired)
                    && self.judge.means(&self.subject, matcher, &prospect)
            }
        };
        active.filter(holds).max_by_key(|silence| silence.ends_at)
    }

    /// The end of quiet hours. What would be announced too late then is announced now.
    fn not_before(&self, way: &Way<'_>) -> Option<DateTime<Utc>> {
        let quiet = way.quiet().filter(|_| self.severity() < Severity::Critical)?;
        let until = quiet_until(quiet, self.world.alert.timezone, self.world.now)?;
        match self.item.news {
            RenewalNews::Planned { from, .. } if from <= until => None,
            _ => Some(until),
        }
    }

    fn prospect(&self, way: &Way<'_>) -> Prospect {
        let thresholds = self.judge.thresholds(&self.subject, way);
        let stage = stage(self.subject.certificate, &thresholds, self.world.now);
        let item = Item::Renewal(self.item.clone());
        Prospect { news: None, stage, severity: item.severity(), type_name: item.type_name() }
    }

    fn severity(&self) -> Severity {
        Item::Renewal(self.item.clone()).severity()
    }
}

/// The certificate as it was before, and its resource as it is now; of one that is not there any more, what the news say.
struct Found {
    scope: Arc<Scope>,
    resource: Arc<Resource>,
    certificate: Certificate,
}

impl Found {
    fn new(world: &World<'_>, facts: &CertificateFacts) -> Self {
        let known = world.snapshot.scopes.get_key_value(&facts.scope());
        let resource = known.and_then(|(_, view)| view.resources.get(&facts.resource_id).cloned());
        Self {
            scope: known.map_or_else(|| Arc::new(facts.scope()), |(scope, _)| Arc::clone(scope)),
            resource: resource.unwrap_or_else(|| Arc::new(remembered(facts))),
            certificate: certificate(facts),
        }
    }

    fn subject(&self) -> Subject<'_> {
        Subject::new(&self.scope, &self.resource, &self.certificate)
    }
}

fn remembered(facts: &CertificateFacts) -> Resource {
    let known = Facts {
        name: facts.resource_name.clone(),
        status: "".into(),
        engine: "".into(),
        tags: Tags::default(),
        group: None,
        locked: false,
        in_use: facts.in_use,
        used_by: Box::default(),
    };
    Resource::new((&*facts.resource_id).into(), known)
}

fn certificate(facts: &CertificateFacts) -> Certificate {
    let role = CertRole::ALL.into_iter().find(|role| role.as_str() == &*facts.role);
    Certificate {
        role: role.unwrap_or(CertRole::Server),
        not_after: facts.not_after,
        // once it is renewed, the begin that is known is that of the new one
        not_before: None,
        source: DateSource::Api,
        other_not_after: None,
        subject: resource::Subject::default(),
    }
}
