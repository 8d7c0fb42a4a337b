//! Everything that was decided and everything that arrived, and the promises about it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use notafter::domain::alert::message::{CertificateItem, Item, Message, News, SourceNews};
use notafter::domain::alert::outbox::State;
use notafter::domain::alert::routing::Routing;
use notafter::domain::finding::Stage;

use crate::fleet::Fleet;

/// The longest silence about what is expired: a day, what joins a daily digest a little more.
const REMINDED: TimeDelta = TimeDelta::hours(52);
const A_DAY: TimeDelta = TimeDelta::days(1);

type About = (String, String);

#[derive(Default)]
pub(crate) struct Ledger {
    decided: BTreeMap<String, Message>,
    /// By id: every time it arrived, and what it said.
    arrived: BTreeMap<String, Vec<(DateTime<Utc>, Message)>>,
    settled: BTreeMap<String, State>,
    /// By channel and resource: when something was decided about it last.
    last_word: HashMap<About, DateTime<Utc>>,
    /// Channel, resource, end, stage: each is told once.
    crossings: BTreeSet<(String, String, DateTime<Utc>, Stage)>,
    /// Channel and resource: ends that were told as coming.
    told: HashMap<About, BTreeSet<DateTime<Utc>>>,
    blind: BTreeMap<(String, String), bool>,
}

impl Ledger {
    pub(crate) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.decided.values()
    }

    /// A message was written down.
    pub(crate) fn decided(&mut self, message: &Message, fleet: &Fleet, now: DateTime<Utc>) {
        let known = self.decided.insert(message.id.to_string(), message.clone());
        assert!(known.is_none(), "{} was used twice", message.id);
        assert!(!message.items.is_empty(), "{} says nothing", message.id);
        for item in &message.items {
            match item {
                Item::Certificate(item) => self.certificate(&message.channel, item, fleet, now),
                Item::Source(item) => {
                    let key = (message.channel.to_string(), format!("{}/{}", item.account, item.reason));
                    let open = self.blind.entry(key.clone()).or_default();
                    match item.news {
                        SourceNews::Blind { again, .. } => {
                            assert_eq!(*open, again, "{key:?}: blind is told once, and then reminded of");
                            *open = true;
                        }
                        SourceNews::Recovered { .. } => {
                            assert!(std::mem::take(open), "{key:?}: nobody knew that it was blind");
                        }
                    }
                }
                Item::Channel(_) | Item::Renewal(_) => {}
            }
        }
    }

    fn certificate(&mut self, channel: &str, item: &CertificateItem, fleet: &Fleet, now: DateTime<Utc>) {
        let id = item.facts.resource_id.to_string();
        let (about, end) = ((channel.to_owned(), id.clone()), item.facts.not_after);
        self.last_word.insert(about.clone(), now);
        let told = self.told.entry(about.clone()).or_default();
        match item.news {
            News::Entered { stage, .. } => {
                let crossing = (channel.to_owned(), id, end, stage);
                assert!(!self.crossings.contains(&crossing), "told twice: {crossing:?}");
                self.crossings.insert(crossing);
                told.insert(end);
            }
            News::Reminder { .. } => {
                assert!(told.contains(&end), "{about:?}: reminded of what it never heard");
            }
            News::Renewed { old_not_after, .. } => {
                assert!(end > old_not_after, "{about:?}");
                assert!(told.contains(&old_not_after), "{about:?}: good news without the bad");
                let reads = &fleet.reads[&id];
                let twice = reads.iter().rev().take(2).all(|(_, read)| *read == end);
                assert!(
                    twice,
                    "{about:?}: renewed without being read twice: {:?}",
                    reads.iter().rev().take(3)
                );
                assert!(fleet.truth[&id].ends.contains(&end), "{about:?}: no such end");
                told.insert(end);
            }
            News::Changed { .. } => {
                told.insert(end);
            }
            News::Gone { .. } => {
                assert!(fleet.truth[&id].gone, "{about:?} is still there");
                self.crossings.retain(|(to, what, ..)| (to, what) != (&about.0, &about.1));
            }
        }
    }

    /// A message arrived. It may arrive again, as the same one.
    pub(crate) fn arrived(&mut self, message: &Message, now: DateTime<Utc>) {
        self.arrived.entry(message.id.to_string()).or_default().push((now, message.clone()));
    }

    pub(crate) fn settled(&mut self, id: &str, state: State, must_have_arrived: bool) {
        if must_have_arrived {
            assert!(self.arrived.contains_key(id), "{id} is noted as delivered and never arrived");
        }
        let before = self.settled.insert(id.to_owned(), state);
        assert_eq!(before, None, "{id} is there twice");
    }

    /// Nobody is left alone with a certificate that is over and can be seen.
    pub(crate) fn check_expired(&self, fleet: &Fleet, routing: &Routing, now: DateTime<Utc>) {
        for (id, truth) in fleet.truth.iter().filter(|(_, truth)| !truth.gone) {
            let over = now - truth.not_after;
            if !(REMINDED < over && over < TimeDelta::days(14) && fleet.is_visible(id, now)) {
                continue;
            }
            for channel in routing.channels.iter().map(|channel| &*channel.name) {
                let for_the_team = fleet.service(id) == "rds";
                if (channel == "team" && !for_the_team) || (channel == "chat" && for_the_team) {
                    continue;
                }
                let last = self.last_word.get(&(channel.to_owned(), id.clone()));
                let silent = last.map_or(over, |last| now - *last);
                assert!(
                    silent <= REMINDED,
                    "{channel} heard nothing of {id} for {} h, over for {} h",
                    silent.num_hours(),
                    over.num_hours()
                );
            }
        }
    }

    /// The whole list at the end.
    pub(crate) fn check_all(&self, fleet: &Fleet) {
        for id in self.decided.keys() {
            assert!(self.settled.contains_key(id), "{id} is lost");
        }
        for (id, arrivals) in &self.arrived {
            let [(_, first), rest @ ..] = &arrivals[..] else { continue };
            for (_, again) in rest {
                assert_eq!((&first.channel, first.at), (&again.channel, again.at), "{id} is another message");
            }
        }
        // the chat never hears of one end more often than its stages and reminders make necessary
        let mut words: BTreeMap<(&str, &str, DateTime<Utc>), usize> = BTreeMap::new();
        for message in self.messages() {
            for item in &message.items {
                if let Item::Certificate(item) = item {
                    let key = (&*message.channel, &*item.facts.resource_id, item.facts.not_after);
                    *words.entry(key).or_default() += 1;
                }
            }
        }
        for ((channel, id, end), count) in words {
            let truth = &fleet.truth[id];
            let over = truth
                .ends
                .range(end..)
                .nth(1)
                .map_or(TimeDelta::days(40), |next| *next - TimeDelta::days(365) - end);
            let days =
                usize::try_from((over.max(TimeDelta::zero()) + A_DAY * 14).num_days()).expect("not negative");
            // four stages, three reminders of a warning, one a day from critical on
            assert!(count <= 8 + days, "{channel} heard {count} times of {id} and its end {end}");
        }
    }
}
