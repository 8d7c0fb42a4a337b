//! One certificate and one channel: is there something to tell now, and if not, why not.
//!
//! A pure question, so that the decision, `explain` and the page can all ask it.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::decide::World;
use super::facts::{self, Subject};
use super::memory::{Memory, Past, Told};
use super::message::{By, CertificateItem, Item, News, RenewalNote, Severity};
use super::routing::{ChannelRules, Way};
use super::silence::{About, Silence};
use super::standing::Open;
use crate::domain::calendar::{next_slot, quiet_until};
use crate::domain::described::Described;
use crate::domain::finding::{Stage, entered_at, stage};
use crate::domain::matcher::{Known, Label, Matcher};
use crate::domain::policy::{Remind, Route, Thresholds};

/// After this, what is expired is told weekly: whoever has not acted by then will not act tomorrow either.
const LONG_EXPIRED: TimeDelta = TimeDelta::days(14);
/// And then this often.
const WEEK: TimeDelta = TimeDelta::days(7);
/// A renewal that was planned for then and is not over by now does not keep quiet any longer.
const LATE: TimeDelta = TimeDelta::hours(1);
/// What was told this far ahead of now was told by a clock that went wrong.
const AHEAD: TimeDelta = TimeDelta::minutes(10);
/// A reminder that is due within this share of its interval comes along with one that is due.
const NEARLY: i32 = 4;

/// What a channel is to be told of a certificate.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict<'w> {
    /// Something, now or with others.
    Tell(Box<Tell<'w>>),
    /// Nothing, and it never will be: what happened is taken as known.
    Settle(Hold),
    /// Nothing at the moment.
    Hold(Hold),
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Tell<'w> {
    /// What.
    pub item: Item,
    /// How it comes to the channel.
    pub way: Way<'w>,
    /// When.
    pub when: When,
    /// What the channel knows then.
    pub told: Told,
}

/// When something is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// With the first message that the channel ever gets.
    First,
    /// As soon as others had time to join.
    Soon,
    /// Only if another reminder goes out anyway.
    Along,
    /// With the next digest.
    Digest,
}

impl When {
    /// For people.
    pub fn as_text(self) -> &'static str {
        match self {
            Self::First => "with the first message of the channel",
            Self::Soon => "as soon as others had time to join",
            Self::Along => "with the next reminder that goes out",
            Self::Digest => "with the next digest",
        }
    }

    /// The word used in the API.
    pub fn code(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Soon => "soon",
            Self::Along => "along",
            Self::Digest => "digest",
        }
    }
}

/// Why nothing is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Hold {
    /// It is in no stage.
    Fine,
    /// The channel knows.
    Known {
        /// What it was told.
        stage: Stage,
        /// When.
        at: DateTime<Utc>,
        /// When it is reminded; `None`: never.
        again: Option<DateTime<Utc>>,
    },
    /// No route leads it there.
    NoRoute,
    /// The channel is not for such things.
    BelowLeast(Stage),
    /// Another date was read once; the next look decides.
    Doubted(DateTime<Utc>),
    /// It was not there at the last look; the next one decides.
    Missing,
    /// A person silenced it.
    Silenced {
        /// Which silence.
        id: Box<str>,
        /// Until then.
        until: DateTime<Utc>,
    },
    /// These are quiet hours.
    Quiet(DateTime<Utc>),
    /// A renewal is planned in time.
    Planned(DateTime<Utc>),
    /// It was renewed before anybody could be told that it would end.
    NeverTold,
    /// The route does not want good news.
    RenewedUnwanted,
    /// This daemon renewed it, and told the channel of that.
    ToldAsRenewal,
    /// The channel is told the whole state again and again.
    Replica,
}

impl Hold {
    /// The word used in the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Known { .. } => "known",
            Self::NoRoute => "no_route",
            Self::BelowLeast(_) => "below_least",
            Self::Doubted(_) => "doubted",
            Self::Missing => "missing",
            Self::Silenced { .. } => "silenced",
            Self::Quiet(_) => "quiet",
            Self::Planned(_) => "planned",
            Self::NeverTold => "never_told",
            Self::RenewedUnwanted => "renewed_unwanted",
            Self::ToldAsRenewal => "told_as_renewal",
            Self::Replica => "replica",
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minute = |at: &DateTime<Utc>| at.format("%Y-%m-%d %H:%M UTC").to_string();
        match self {
            Self::Fine => write!(f, "it is in no stage"),
            Self::Known { stage, at, again } => {
                write!(f, "told as {} on {}", stage.as_str(), minute(at))?;
                again.map_or(Ok(()), |again| write!(f, "; reminder from {}", minute(&again)))
            }
            Self::NoRoute => write!(f, "no route leads it there"),
            Self::BelowLeast(least) => write!(f, "the channel is told from stage {} on", least.as_str()),
            Self::Doubted(at) => {
                write!(f, "another date was read once, on {}; the next look decides", minute(at))
            }
            Self::Missing => write!(f, "it was not there at the last look; the next one decides"),
            Self::Silenced { id, until } => write!(f, "silence {id} holds it until {}", minute(until)),
            Self::Quiet(until) => write!(f, "quiet hours until {}", minute(until)),
            Self::Planned(at) => write!(f, "its renewal is planned for {}", minute(at)),
            Self::NeverTold => write!(f, "renewed before anybody was told"),
            Self::RenewedUnwanted => write!(f, "the route has send_renewed = false"),
            Self::ToldAsRenewal => write!(f, "told when notafter renewed it"),
            Self::Replica => write!(f, "the channel is told the whole state every minute"),
        }
    }
}

/// What may be said of a certificate by a route with its own thresholds.
pub(super) struct Prospect {
    pub(super) news: Option<News>,
    /// Its `stage`, `severity` and `type` for matchers.
    pub(super) stage: Stage,
    pub(super) severity: Severity,
    pub(super) type_name: &'static str,
}

/// A certificate, a channel, the way between them, and what the channel was told.
#[derive(Clone, Copy)]
struct Question<'q, 'w> {
    subject: &'q Subject<'q>,
    channel: &'w ChannelRules,
    way: Way<'w>,
    told: &'q [Told],
}

/// Judges with a world and a memory.
#[derive(Clone, Copy)]
pub(super) struct Judge<'w> {
    pub(super) world: &'w World<'w>,
    pub(super) memory: &'w Memory,
}

impl<'w> Judge<'w> {
    /// What this channel is to be told. `changed_from` is the end that the certificate had before, where nobody was told
    /// of that one.
    pub(super) fn verdict(
        &self,
        subject: &Subject<'_>,
        past: Option<&Past>,
        channel: &'w ChannelRules,
        changed_from: Option<DateTime<Utc>>,
    ) -> Verdict<'w> {
        if channel.replica {
            return Verdict::Hold(Hold::Replica);
        }
        let told = &*self.told(past, channel);
        let way = self.way(subject, past, channel, changed_from);
        let Some(way) = way.or_else(|| self.way_back(subject, past, channel)) else {
            return Verdict::Hold(Hold::NoRoute);
        };
        let thresholds = self.thresholds(subject, &way);
        let prospect = self.prospect(subject, past, told, &thresholds, changed_from);
        match prospect.news {
            Some(ref news) => self.weigh(&Question { subject, channel, way, told }, &prospect, news),
            None => Verdict::Hold(self.known(subject, told, prospect.stage)),
        }
    }

    /// The way by which news of it come to this channel, replicas among them.
    pub(super) fn way(
        &self,
        subject: &Subject<'_>,
        past: Option<&Past>,
        channel: &ChannelRules,
        changed_from: Option<DateTime<Utc>>,
    ) -> Option<Way<'w>> {
        let told = &*self.told(past, channel);
        self.world.routing.way(&channel.name, |way, route| {
            let thresholds = self.thresholds(subject, way);
            let prospect = self.prospect(subject, past, told, &thresholds, changed_from);
            route.matcher.as_ref().is_none_or(|matcher| self.means(subject, matcher, &prospect))
        })
    }

    /// Who was told of the trouble hears that it is over, whatever the routes say by now.
    fn way_back(
        &self,
        subject: &Subject<'_>,
        past: Option<&Past>,
        channel: &'w ChannelRules,
    ) -> Option<Way<'w>> {
        let way = self.world.routing.ways_to(&channel.name).next().unwrap_or_else(Way::back);
        let thresholds = self.thresholds(subject, &way);
        let prospect = self.prospect(subject, past, &self.told(past, channel), &thresholds, None);
        matches!(prospect.news, Some(News::Renewed { .. })).then_some(way)
    }

    /// What the channel was told. What a clock said that was far ahead was not true.
    fn told<'p>(&self, past: Option<&'p Past>, channel: &ChannelRules) -> Cow<'p, [Told]> {
        let told = past.and_then(|past| past.told.get(&channel.name)).map_or(&[][..], |told| told);
        let soon = self.world.now + AHEAD;
        if told.iter().all(|told| told.at <= soon) {
            return Cow::Borrowed(told);
        }
        told.iter().filter(|told| told.at <= soon).copied().collect()
    }

    fn weigh(&self, question: &Question<'_, 'w>, prospect: &Prospect, news: &News) -> Verdict<'w> {
        let Question { subject, channel, way, .. } = *question;
        let over = matches!(news, News::Renewed { stage: Stage::Ok, .. });
        if let Some(hold) = self.unwanted(question, news) {
            return Verdict::Settle(hold);
        }
        let weight = match news {
            News::Renewed { .. } => Stage::Expired,
            News::Changed { stage, .. } => (*stage).max(Stage::Warning),
            _ => prospect.stage,
        };
        if weight < channel.least {
            return Verdict::Hold(Hold::BelowLeast(channel.least));
        }
        let silence = self.silence(question, prospect).filter(|_| !(over && channel.pager));
        if let Some(silence) = silence.filter(|_| !over || way.digest().is_none()) {
            let hold = Hold::Silenced { id: silence.id.clone(), until: silence.ends_at };
            return if over { Verdict::Settle(hold) } else { Verdict::Hold(hold) };
        }
        let when = match self.when(question, prospect, news) {
            // what was renewed under a silence joins the digest
            Ok(When::Soon) if silence.is_some() => When::Digest,
            Ok(when) => when,
            Err(hold) => return Verdict::Hold(hold),
        };
        let not_after = subject.certificate.not_after;
        let told = Told { not_after, stage: told_stage(news), at: self.world.now };
        let facts = facts::of(subject, self.world);
        let item = Item::Certificate(CertificateItem { news: news.clone(), facts });
        Verdict::Tell(Box::new(Tell { item, way, when, told }))
    }

    /// Good news that is not told and never will be.
    fn unwanted(&self, question: &Question<'_, '_>, news: &News) -> Option<Hold> {
        let Question { subject, channel, way, told } = question;
        let News::Renewed { stage, .. } = news else { return None };
        // one that is in a stage again has more to say than that it was renewed
        if *stage == Stage::Ok && !channel.pager && self.told_as_renewal(subject, &channel.name) {
            return Some(Hold::ToldAsRenewal);
        }
        let undelivered = |told: &Told| {
            let key = (channel.name.clone(), subject.fingerprint, told.not_after);
            self.world.undelivered.contains(&key)
        };
        // a pager may have it although it did not say so; what is over there is simply over
        if !channel.pager && latest(told).is_some_and(undelivered) {
            return Some(Hold::NeverTold);
        }
        (!way.send_renewed() && !channel.pager).then_some(Hold::RenewedUnwanted)
    }

    /// The message that tells of the renewal itself was written down for this channel.
    fn told_as_renewal(&self, subject: &Subject<'_>, channel: &str) -> bool {
        let renewal = (self.world.renewal)(&subject.scope.provider, subject.fingerprint);
        renewal.ours == Some(subject.certificate.not_after)
            && renewal.told.iter().any(|known| **known == *channel)
    }

    fn when(&self, question: &Question<'_, '_>, prospect: &Prospect, news: &News) -> Result<When, Hold> {
        let Question { subject, channel, way, told } = question;
        let (now, not_after) = (self.world.now, subject.certificate.not_after);
        let mut when = When::Soon;
        if let News::Reminder { stage, .. } = news {
            let Some(here) = here(told, not_after) else { return Err(Hold::Fine) };
            when = self.reminder(subject, here, *stage)?;
        }
        if !self.memory.channels.contains_key(&channel.name) {
            return Ok(When::First);
        }
        let over = matches!(news, News::Renewed { .. });
        if prospect.severity < Severity::Critical
            && !(over && channel.pager)
            && let Some(until) = way.quiet().and_then(|quiet| quiet_until(quiet, self.zone(), now))
        {
            return Err(Hold::Quiet(until));
        }
        let can_wait = match news {
            News::Entered { stage: Stage::Info, .. } => true,
            News::Reminder { stage, .. } => self.may_wait_for_digest(way, *stage, not_after),
            _ => false,
        };
        Ok(if can_wait && way.digest().is_some() && !channel.pager { When::Digest } else { when })
    }

    /// A reminder joins the digest, unless that would make it come at less than half its pace.
    fn may_wait_for_digest(&self, way: &Way<'_>, stage: Stage, not_after: DateTime<Utc>) -> bool {
        let now = self.world.now;
        let slot = way.digest().and_then(|digest| next_slot(digest, self.zone(), now));
        let every = remind_every(&self.world.alert.remind, stage, not_after, now);
        slot.zip(every).is_some_and(|(slot, every)| stage < Stage::Critical || slot - now <= every)
    }

    /// Whether a reminder is due, or nearly so.
    fn reminder(&self, subject: &Subject<'_>, here: &Told, stage: Stage) -> Result<When, Hold> {
        let now = self.world.now;
        let Some(every) = remind_every(&self.world.alert.remind, stage, subject.certificate.not_after, now)
        else {
            return Err(Hold::Known { stage: here.stage, at: here.at, again: None });
        };
        if let RenewalNote::Planned { at } =
            (self.world.renewal)(&subject.scope.provider, subject.fingerprint).note
            && at < subject.certificate.not_after
            // what was to begin then and is not seen to be over is worth a word again
            && now < at + LATE
        {
            return Err(Hold::Planned(at));
        }
        let due = here.at + every;
        match () {
            () if now >= due => Ok(When::Soon),
            () if now >= due - every / NEARLY => Ok(When::Along),
            () => Err(Hold::Known { stage: here.stage, at: here.at, again: Some(due) }),
        }
    }

    fn known(&self, subject: &Subject<'_>, told: &[Told], stage: Stage) -> Hold {
        let not_after = subject.certificate.not_after;
        match here(told, not_after) {
            Some(here) if here.stage > Stage::Ok => {
                let every = remind_every(&self.world.alert.remind, stage, not_after, self.world.now);
                Hold::Known { stage: here.stage, at: here.at, again: every.map(|every| here.at + every) }
            }
            _ => Hold::Fine,
        }
    }

    fn prospect(
        &self,
        subject: &Subject<'_>,
        past: Option<&Past>,
        told: &[Told],
        thresholds: &Thresholds,
        changed_from: Option<DateTime<Utc>>,
    ) -> Prospect {
        let certificate = subject.certificate;
        let stage = stage(certificate, thresholds, self.world.now);
        let since = || entered_at(certificate, thresholds, stage);
        let old_serial = |end: DateTime<Utc>| {
            let facts = past.map(|past| &past.facts).filter(|facts| facts.not_after == end);
            facts.map_or_else(Box::default, |facts| facts.serial.clone())
        };
        let renewed = |last: &Told| {
            let ours = (self.world.renewal)(&subject.scope.provider, subject.fingerprint).ours;
            News::Renewed {
                old_not_after: last.not_after,
                old_serial: old_serial(last.not_after),
                by: if ours == Some(certificate.not_after) { By::Notafter } else { By::External },
                stage,
                told: last.stage,
            }
        };
        let news = match (here(told, certificate.not_after), latest(told), changed_from) {
            (None, Some(last), _) if last.not_after < certificate.not_after && last.stage > Stage::Ok => {
                Some(renewed(last))
            }
            (None, Some(last), _) if last.not_after > certificate.not_after => Some(News::Changed {
                old_not_after: last.not_after,
                old_serial: old_serial(last.not_after),
                stage,
            }),
            (None, None, Some(old)) => {
                Some(News::Changed { old_not_after: old, old_serial: Box::default(), stage })
            }
            // it went back to an earlier one, which was spoken of since, and has come again
            (Some(here), Some(last), _)
                if here.stage == Stage::Ok
                    && last.stage > Stage::Ok
                    && last.not_after < certificate.not_after
                    && last.at > here.at =>
            {
                Some(renewed(last))
            }
            (here, _, _) => match here.map_or(Stage::Ok, |here| here.stage) {
                told if stage > told => {
                    let previous = Some(told).filter(|told| *told > Stage::Ok);
                    Some(News::Entered { stage, previous, since: since() })
                }
                told if stage == told && stage >= Stage::Warning => {
                    Some(News::Reminder { stage, since: since() })
                }
                _ => None,
            },
        };
        seen_by_matchers(news, stage)
    }

    /// Whether it is wrong in the eyes of a channel that is told the whole state.
    pub(super) fn standing(&self, subject: &Subject<'_>, channel: &ChannelRules) -> Option<Open> {
        let prospect = |way: &Way<'_>| {
            let thresholds = self.thresholds(subject, way);
            self.prospect(subject, None, &[], &thresholds, None)
        };
        let means = |way: &Way<'_>, route: &Route| {
            let matcher = route.matcher.as_ref();
            matcher.is_none_or(|matcher| self.means(subject, matcher, &prospect(way)))
        };
        let way = self.world.routing.way(&channel.name, means)?;
        let Prospect { news, stage, .. } = prospect(&way);
        let news = news.filter(|_| stage >= channel.least)?;
        let since = entered_at(subject.certificate, &self.thresholds(subject, &way), stage);
        let facts = facts::of(subject, self.world);
        let item = Item::Certificate(CertificateItem { news, facts });
        Some(Open { item, since: since.min(self.world.now) })
    }

    pub(super) fn thresholds(&self, subject: &Subject<'_>, way: &Way<'_>) -> Thresholds {
        way.thresholds().copied().unwrap_or_else(|| {
            let account = self.world.accounts.get(&*subject.scope.account);
            let label = |key: &str| account?.labels.get(key).map(|value| &**value);
            let described = described(subject, &label);
            let found = self.world.alert.overrides.iter().find(|(matcher, _)| described.is(matcher));
            found.map_or(self.world.alert.thresholds, |(_, thresholds)| *thresholds)
        })
    }

    pub(super) fn means(&self, subject: &Subject<'_>, matcher: &Matcher, prospect: &Prospect) -> bool {
        let account = self.world.accounts.get(&*subject.scope.account);
        let label = |key: &str| account?.labels.get(key).map(|value| &**value);
        let described = described(subject, &label);
        matcher.matches(&|label| match label {
            Label::Severity => Some(prospect.severity.as_str()),
            Label::Stage => Some(prospect.stage.as_str()),
            Label::Type => Some(prospect.type_name),
            other => described.value(other),
        })
    }

    /// Whether a matcher may mean it at some time, whatever is told of it then.
    pub(super) fn may_mean(&self, subject: &Subject<'_>, matcher: &Matcher) -> bool {
        let account = self.world.accounts.get(&*subject.scope.account);
        let label = |key: &str| account?.labels.get(key).map(|value| &**value);
        let described = described(subject, &label);
        matcher.may_match(&|label| match label {
            Label::Severity | Label::Stage | Label::Type => Known::NotYet,
            other => Known::Value(described.value(other)),
        })
    }

    /// An acknowledgement is about the end that was told, not about the one that comes after a renewal.
    fn silence(&self, question: &Question<'_, '_>, prospect: &Prospect) -> Option<&'w Silence> {
        let Question { subject, told, .. } = *question;
        let told = here(told, subject.certificate.not_after);
        let known = |silence: &Silence| told.is_some_and(|told| told.at <= silence.starts_at);
        let now = self.world.now;
        let active = self.world.silences.iter().filter(|silence| silence.is_active(now));
        let holds = |silence: &&Silence| match &silence.about {
            About::Acknowledged { fingerprint, stage } => {
                known(silence) && *fingerprint == subject.fingerprint && prospect.stage <= *stage
            }
            About::Matching(matcher) => {
                (prospect.stage < Stage::Expired || silence.include_expired)
                    && self.means(subject, matcher, prospect)
            }
        };
        active.filter(holds).max_by_key(|silence| silence.ends_at)
    }

    fn zone(&self) -> chrono_tz::Tz {
        self.world.alert.timezone
    }
}

fn described<'v>(subject: &Subject<'v>, label: &'v dyn Fn(&str) -> Option<&'v str>) -> Described<'v> {
    Described {
        role: Some(subject.certificate.role),
        ..Described::new(subject.scope, subject.resource, label)
    }
}

/// How matchers see it: good news under the stage and severity of what was told, so that it takes the way of the bad.
fn seen_by_matchers(news: Option<News>, stage: Stage) -> Prospect {
    let (stage, severity, type_name) = match &news {
        Some(News::Renewed { told, .. }) => (*told, Severity::of(*told), "certificate.renewed"),
        Some(News::Changed { .. }) => {
            (stage, Severity::of(stage).max(Severity::Warning), "certificate.changed")
        }
        Some(News::Reminder { .. }) => (stage, Severity::of(stage), "certificate.reminder"),
        _ if stage == Stage::Expired => (stage, Severity::Critical, "certificate.expired"),
        _ => (stage, Severity::of(stage), "certificate.expiring"),
    };
    Prospect { news, stage, severity, type_name }
}

/// The stage that a channel knows of after these news.
fn told_stage(news: &News) -> Stage {
    match news {
        News::Entered { stage, .. }
        | News::Reminder { stage, .. }
        | News::Renewed { stage, .. }
        | News::Changed { stage, .. } => *stage,
        News::Gone { .. } => Stage::Ok,
    }
}

/// How often a stage is told again; `None`: never.
fn remind_every(
    remind: &Remind,
    stage: Stage,
    not_after: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<TimeDelta> {
    let every = match stage {
        Stage::Ok | Stage::Info => return None,
        Stage::Warning => remind.warning,
        Stage::Critical => remind.critical,
        Stage::Expired => remind.expired,
    };
    let every = TimeDelta::from_std(every).unwrap_or(TimeDelta::MAX);
    let long_expired = stage == Stage::Expired && now - not_after > LONG_EXPIRED;
    Some(if long_expired { every.max(WEEK) } else { every })
}

/// What was told of this end.
fn here(told: &[Told], not_after: DateTime<Utc>) -> Option<&Told> {
    told.iter().find(|told| told.not_after == not_after)
}

/// What was told last.
fn latest(told: &[Told]) -> Option<&Told> {
    told.iter().max_by_key(|told| told.at)
}

impl Silence {
    /// It holds at this moment.
    pub fn is_active(&self, now: DateTime<Utc>) -> bool {
        self.starts_at <= now && now < self.ends_at
    }
}
