//! What people see of the decisions: what was told to whom, and why nothing is told now.
//!
//! The watch loop leaves its last evaluation here; `explain`, the page and the API ask [`lines`] about single
//! certificates. Nothing is decided here: the same judge answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::decide::{self, AccountWords, Waiting, World};
use super::facts::Subject;
use super::judge::{Hold, Judge, Verdict};
use super::memory::{Memory, Told};
use super::message::Fingerprint;
use super::routing::{ChannelRules, Routing, Way};
use super::silence::SilenceRow;
use crate::domain::finding::{Stage, entered_at, stage};
use crate::domain::identity::Scope;
use crate::domain::policy::{AlertPolicy, PollPolicy};
use crate::domain::resource::{Certificate, Resource};

/// What the configuration says about alerts. Replaced as a whole.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Labels and owners, by account.
    pub accounts: BTreeMap<Box<str>, AccountWords>,
    /// Thresholds, reminders, zone.
    pub alert: AlertPolicy,
    /// For what counts as stale.
    pub poll: PollPolicy,
    /// Channels and routes.
    pub routing: Routing,
}

/// What the last evaluation knew; for `explain`, the page and the API.
#[derive(Debug, Clone, Default)]
pub struct Board {
    /// What was told to whom.
    pub memory: Arc<Memory>,
    /// Since when news waits for company.
    pub waiting: Waiting,
    /// Every silence that is kept, also those that ended.
    pub silences: Arc<[SilenceRow]>,
    /// When that was; `None`: there was no evaluation yet.
    pub at: Option<DateTime<Utc>>,
    /// Why nothing can be told at the moment.
    pub trouble: Option<Box<str>>,
}

/// One certificate and one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Line<'w> {
    /// The channel.
    pub channel: &'w ChannelRules,
    /// The identity of the certificate.
    pub fingerprint: Fingerprint,
    /// The way by which news of it come there; `None`: no route leads it there.
    pub way: Option<Way<'w>>,
    /// Its stage, by the thresholds of that way.
    pub stage: Stage,
    /// When it entered that stage; `None` while it is in none.
    pub since: Option<DateTime<Utc>>,
    /// What the channel was told last of it.
    pub told: Option<Told>,
    /// What it is to be told now, or why nothing.
    pub verdict: Verdict<'w>,
}

impl Line<'_> {
    /// There is nothing to say about it: it is in no stage, and the channel was told nothing else.
    pub fn is_fine(&self) -> bool {
        let held = matches!(self.verdict, Verdict::Hold(Hold::Fine | Hold::NoRoute | Hold::Replica));
        self.stage == Stage::Ok && held
    }

    /// When the channel is reminded, where that is known.
    pub fn next_reminder(&self) -> Option<DateTime<Utc>> {
        match &self.verdict {
            Verdict::Hold(Hold::Known { again, .. }) => *again,
            _ => None,
        }
    }
}

/// One certificate, channel by channel, in the order of the configuration.
pub fn lines<'w>(
    world: &'w World<'w>,
    memory: &'w Memory,
    scope: &Arc<Scope>,
    resource: &Resource,
    certificate: &Certificate,
) -> Vec<Line<'w>> {
    let subject = Subject::new(scope, resource, certificate);
    let judge = Judge { world, memory };
    let past = memory.certificates.get(&subject.fingerprint).map(|past| &**past);
    let verdicts = decide::explain(world, memory, scope, resource, certificate);
    let line = |(channel, verdict): (&'w ChannelRules, Verdict<'w>)| {
        let way = judge.way(&subject, past, channel, None);
        let thresholds = judge.thresholds(&subject, &way.unwrap_or_default());
        let stage = stage(certificate, &thresholds, world.now);
        let since = (stage > Stage::Ok).then(|| entered_at(certificate, &thresholds, stage));
        let told = past.and_then(|past| past.told.get(&channel.name));
        let told = told.and_then(|told| told.iter().max_by_key(|told| told.at).copied());
        Line { channel, fingerprint: subject.fingerprint, way, stage, since, told, verdict }
    };
    verdicts.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::alert::tests::{Town, channel, days, matcher, route};

    fn ask<T>(town: &Town, id: &str, answer: impl Fn(&[Line<'_>]) -> T) -> T {
        let view = &town.snapshot.scopes[&town.scope];
        let resource = view.resources.get(id).expect("listed");
        let certificate = &resource.certificates()[0];
        town.world(|world| answer(&lines(world, &town.memory, &town.scope, resource, certificate)))
    }

    #[test]
    fn a_line_says_what_was_told_by_which_way_and_why_nothing_comes_now() {
        let mut town = Town::new().with("r-1", days(5)).with("r-2", days(200));
        town.routing.channels.push(channel("quiet"));
        town.routing.routes = vec![route(r#"severity="critical""#, &["chat"])];
        assert_eq!(town.round().len(), 1);
        town.wait(TimeDelta::hours(1));
        ask(&town, "r-1", |lines| {
            let [chat, quiet] = lines else { panic!("{lines:?}") };
            assert_eq!((&*chat.channel.name, chat.stage), ("chat", Stage::Critical));
            assert_eq!(chat.way.map(|way| way.name()).as_deref(), Some("route 1"));
            assert_eq!(chat.told.map(|told| told.stage), Some(Stage::Critical));
            assert!(chat.since.is_some_and(|since| since < town.now));
            assert!(chat.next_reminder().is_some_and(|next| next > town.now));
            assert_eq!((quiet.way, &quiet.verdict), (None, &Verdict::Hold(Hold::NoRoute)));
        });
        ask(&town, "r-2", |lines| assert!(lines.iter().all(Line::is_fine), "{lines:?}"));
    }

    #[test]
    fn a_silence_is_named() {
        let mut town = Town::new().with("r-1", days(5));
        town.silences.push(crate::domain::alert::silence::Silence {
            id: "sil_1".into(),
            about: crate::domain::alert::silence::About::Matching(matcher(r#"resource_id="r-1""#)),
            starts_at: town.now,
            ends_at: town.now + days(1),
            author: "a".into(),
            comment: "c".into(),
            include_expired: false,
        });
        assert!(town.round().is_empty());
        ask(&town, "r-1", |lines| {
            let Verdict::Hold(hold) = &lines[0].verdict else { panic!("{lines:?}") };
            assert_eq!(hold.code(), "silenced");
            assert!(hold.to_string().starts_with("silence sil_1 holds it until "), "{hold}");
            assert!(!lines[0].is_fine());
        });
    }
}
