//! Whatever happens, in whatever order: the promises of the decision.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::*;
use crate::domain::alert::message::By;
use crate::domain::finding::stage;
use crate::domain::policy::Thresholds;

#[derive(Debug, Clone)]
enum Event {
    /// A look at one of them.
    Look(usize),
    /// The cloud has another end from now on: so many days from now.
    Moves(usize, i64),
    /// The same, and it is looked at until that is believed.
    Settles(usize, i64),
    /// This daemon renewed it for so many days, and told the chat of that, or did not.
    Renewed(usize, i64, bool),
    /// The next look at it reads another end, once.
    Glitch(usize, i64),
    /// From now on two nodes answer in turn, with ends of their own.
    Nodes(usize, i64, i64),
    /// A listing without it.
    Vanishes(usize),
    /// Nobody can look.
    Fails,
    /// Time goes by, in hours.
    Wait(i64),
    /// The daemon starts again: only memory stays.
    Restart,
    /// What was decided cannot be written down.
    Unwritten,
    /// Nothing arrives at the chat until it is back.
    Away,
    /// What waited arrives, but for what events have overtaken.
    Back,
}

fn event() -> impl Strategy<Value = Event> {
    let id = 0..4_usize;
    prop_oneof![
        6 => id.clone().prop_map(Event::Look),
        2 => (id.clone(), -2..60_i64).prop_map(|(id, days)| Event::Moves(id, days)),
        3 => (id.clone(), -2..60_i64).prop_map(|(id, days)| Event::Settles(id, days)),
        1 => (id.clone(), 1..400_i64, any::<bool>()).prop_map(|(id, days, told)| Event::Renewed(id, days, told)),
        1 => (id.clone(), -2..400_i64).prop_map(|(id, days)| Event::Glitch(id, days)),
        1 => (id.clone(), -4..40_i64, -4..400_i64).prop_map(|(id, one, other)| Event::Nodes(id, one, other)),
        1 => id.prop_map(Event::Vanishes),
        1 => Just(Event::Fails),
        5 => (1..80_i64).prop_map(Event::Wait),
        1 => Just(Event::Restart),
        1 => Just(Event::Unwritten),
        1 => Just(Event::Away),
        1 => Just(Event::Back),
    ]
}

/// When something was read, and which end.
type Read = (DateTime<Utc>, DateTime<Utc>);

/// What the observer knows: the truth, and everything that was told.
struct History {
    town: Town,
    truth: BTreeMap<usize, DateTime<Utc>>,
    glitch: Option<(usize, DateTime<Utc>)>,
    /// The end that the next look finds, and the one behind it.
    nodes: BTreeMap<usize, (DateTime<Utc>, DateTime<Utc>)>,
    /// By resource: every end that was read, in order, with the moment.
    reads: HashMap<String, Vec<Read>>,
    /// Crossings that were told: resource, end, stage.
    crossings: Vec<(String, DateTime<Utc>, Stage)>,
    /// By resource: when something was told of it last while it was expired.
    log: Vec<(DateTime<Utc>, Message)>,
    is_away: bool,
    /// What was written down while nothing arrives.
    queue: Vec<Message>,
    /// By resource, what arrived of it, in order: the end, and whether it was trouble.
    heard: HashMap<String, Vec<(DateTime<Utc>, bool)>>,
    /// This daemon told of its renewals itself.
    told_itself: bool,
}

fn name(id: usize) -> String {
    format!("r-{id}")
}

impl History {
    fn new() -> Self {
        let mut town = Town::new();
        // one that never changes keeps listings from shrinking to nothing
        for id in ["s-1", "s-2", "s-3", "s-4", "s-5"] {
            town.read(id, town.now + days(4000));
        }
        Self {
            town,
            truth: BTreeMap::new(),
            glitch: None,
            nodes: BTreeMap::new(),
            reads: HashMap::new(),
            crossings: Vec::new(),
            log: Vec::new(),
            is_away: false,
            queue: Vec::new(),
            heard: HashMap::new(),
            told_itself: false,
        }
    }

    fn happen(&mut self, event: &Event) {
        self.town.wait(TimeDelta::minutes(1));
        match *event {
            Event::Look(id) => self.look(id),
            Event::Moves(id, left) => self.moves(id, left),
            Event::Settles(id, left) => {
                self.moves(id, left);
                self.look(id);
                self.round();
                self.look(id);
            }
            Event::Renewed(id, left, told) => {
                let end = self.town.now + days(left);
                self.truth.insert(id, end);
                self.nodes.remove(&id);
                self.told_itself |= told;
                let told: Arc<[Box<str>]> = if told { ["chat".into()].into() } else { [].into() };
                self.town.renewal = Renewal { ours: Some(end), told, ..Renewal::default() };
                self.look(id);
            }
            Event::Nodes(id, one, other) => {
                self.nodes.insert(id, (self.town.now + days(one), self.town.now + days(other)));
            }
            Event::Glitch(id, left) => self.glitch = Some((id, self.town.now + days(left))),
            Event::Vanishes(id) => {
                let keep: Vec<String> =
                    self.town.snapshot.resources().map(|(_, r)| r.id.to_string()).collect();
                let keep: Vec<&str> =
                    keep.iter().map(String::as_str).filter(|known| *known != name(id)).collect();
                self.town.list(&keep);
            }
            Event::Fails => self.town.fail(Reason::Timeout),
            Event::Wait(hours) => drop(self.town.wait(TimeDelta::hours(hours))),
            Event::Restart => {
                self.town.waiting.clear();
                self.town.seen = Seen::default();
                let mut memory = Memory::default();
                for row in self.town.memory.rows_since(&Memory::default()) {
                    memory.take_in(row.kind, &row.key, &row.value.expect("new")).expect("own row");
                }
                self.town.memory = memory;
            }
            Event::Unwritten => {
                let (memory, waiting) = (self.town.memory.clone(), self.town.waiting.clone());
                self.town.round();
                (self.town.memory, self.town.waiting) = (memory, waiting);
            }
            Event::Away => self.is_away = true,
            Event::Back => self.arrive(),
        }
        self.round();
    }

    /// What is written down in a round arrives, or waits.
    fn round(&mut self) -> Vec<Message> {
        let mut all = Vec::new();
        for _ in 0..2 {
            for message in self.town.evaluate() {
                self.check(&message);
                self.log.push((self.town.now, message.clone()));
                self.queue.push(message.clone());
                all.push(message);
            }
            if !self.is_away {
                self.arrive();
            }
            self.town.undelivered = self.undelivered();
            self.town.wait(COMPANY);
        }
        all
    }

    /// A warning of an end that is over by what is believed does not go out.
    fn arrive(&mut self) {
        self.is_away = false;
        for item in std::mem::take(&mut self.queue).iter().flat_map(|message| &message.items) {
            let Item::Certificate(item) = item else { continue };
            let warns =
                matches!(item.news, News::Entered { .. } | News::Reminder { .. } | News::Changed { .. });
            let past = self.town.memory.certificates.get(&item.facts.fingerprint);
            if warns && past.is_some_and(|past| past.epoch > item.facts.not_after) {
                continue;
            }
            let heard = self.heard.entry(item.facts.resource_id.to_string()).or_default();
            if let News::Renewed { old_not_after, .. } = item.news {
                let knew = heard.iter().any(|(end, _)| *end == old_not_after);
                let id = &item.facts.resource_id;
                assert!(knew, "{id}: renewed from {old_not_after}, and people know {heard:?}");
            }
            match &item.news {
                News::Gone { .. } => heard.clear(),
                News::Renewed { stage, .. } => heard.push((item.facts.not_after, *stage > Stage::Ok)),
                _ => heard.push((item.facts.not_after, true)),
            }
        }
    }

    /// As the store has it.
    fn undelivered(&self) -> std::collections::BTreeSet<crate::domain::alert::decide::Unheard> {
        let certificates =
            self.queue.iter().flat_map(|message| &message.items).filter_map(|item| match item {
                Item::Certificate(item) if item.news.is_first_word() => Some(item),
                _ => None,
            });
        let heard =
            |id: &str, end| self.heard.get(id).is_some_and(|ends| ends.iter().any(|one| one.0 == end));
        let lost = certificates.filter(|item| !heard(&item.facts.resource_id, item.facts.not_after));
        lost.map(|item| ("chat".into(), item.facts.fingerprint, item.facts.not_after)).collect()
    }

    /// Who heard of trouble that is over by what is believed, heard that it is over.
    fn check_over(&self) {
        for past in self.town.memory.certificates.values().filter(|past| past.missing.is_none()) {
            let id = &*past.facts.resource_id;
            let Some((end, trouble)) = self.heard.get(id).and_then(|heard| heard.last()) else { continue };
            let left_alone = *trouble && *end < past.epoch && past.doubt.is_none();
            assert!(!left_alone || self.told_itself, "{id}: nobody says that it ends {} now", past.epoch);
        }
    }

    fn moves(&mut self, id: usize, left: i64) {
        self.truth.insert(id, self.town.now + days(left));
        self.nodes.remove(&id);
    }

    fn look(&mut self, id: usize) {
        let now = self.town.now;
        let truth = *self.truth.entry(id).or_insert(now + days(35));
        let end = match self.glitch.take() {
            Some((odd, end)) if odd == id => end,
            other => {
                self.glitch = other;
                self.nodes.get_mut(&id).map_or(truth, |(next, behind)| {
                    std::mem::swap(next, behind);
                    *behind
                })
            }
        };
        self.town.read(&name(id), end);
        self.reads.entry(name(id)).or_default().push((now, end));
    }

    /// An end was read twice in a row; or for half a day there were only others than the old one, and it is the earliest.
    fn is_believable(&self, id: &str, end: DateTime<Utc>, old: DateTime<Utc>) -> bool {
        let reads = &self.reads[id];
        let same = |a: DateTime<Utc>, b: DateTime<Utc>| (a - b).abs() < days(1);
        let twice = reads.windows(2).any(|pair| same(pair[0].1, end) && same(pair[1].1, end));
        let others = reads.iter().rposition(|(_, read)| same(*read, old)).map_or(0, |last| last + 1);
        let earliest = |from: usize| reads[from..].iter().map(|(_, read)| *read).min();
        let long = |from: usize| reads[reads.len() - 1].0 - reads[from].0 > TimeDelta::hours(12);
        twice || (others..reads.len()).any(|from| long(from) && earliest(from) == Some(end))
    }

    fn check(&mut self, message: &Message) {
        for item in &message.items {
            let Item::Certificate(item) = item else { continue };
            let (id, end) = (item.facts.resource_id.to_string(), item.facts.not_after);
            match item.news {
                News::Entered { stage, .. } => {
                    let crossing = (id.clone(), end, stage);
                    assert!(!self.crossings.contains(&crossing), "{id} was told twice to enter {stage:?}");
                    self.crossings.push(crossing);
                }
                News::Renewed { old_not_after, by, stage, .. } => {
                    assert!(end > old_not_after, "{id} was renewed to an earlier end");
                    let ours = self.town.renewal.ours == Some(end);
                    let again = ours && stage == Stage::Ok && !self.town.renewal.told.is_empty();
                    assert!(!again, "{id} was told as renewed twice");
                    assert!(
                        by == By::Notafter || self.is_believable(&id, end, old_not_after),
                        "{id} was renewed by an end that was not read twice in a row"
                    );
                    let known =
                        self.crossings.iter().any(|(known, told, _)| *known == id && *told == old_not_after)
                            || self.log.iter().flat_map(|(_, message)| &message.items).any(|told| {
                                matches!(told, Item::Certificate(told)
                                if *told.facts.resource_id == *id && told.facts.not_after == old_not_after)
                            });
                    assert!(known, "{id}: nobody was told of the old end");
                }
                // one that comes back after that is a new one
                News::Gone { .. } => self.crossings.retain(|(known, ..)| *known != id),
                _ => {}
            }
        }
    }

    /// What nodes show in turn is looked at for a day.
    fn look_at_nodes(&mut self) {
        for _ in 0..8 {
            self.town.wait(TimeDelta::hours(3));
            for id in self.nodes.keys().copied().collect::<Vec<_>>() {
                self.look(id);
            }
            self.round();
        }
    }

    /// Nobody is left alone with a certificate that is over.
    fn check_expired(&mut self) {
        self.look_at_nodes();
        self.town.fail(Reason::Timeout);
        let deadline = self.town.now + TimeDelta::hours(26);
        let mut reminded: Vec<String> = Vec::new();
        while self.town.now < deadline {
            self.town.wait(TimeDelta::minutes(30));
            for message in self.round() {
                reminded.extend(message.items.iter().filter_map(|item| match item {
                    Item::Certificate(item) => Some(item.facts.resource_id.to_string()),
                    _ => None,
                }));
            }
        }
        let now = self.town.now;
        for (_, resource) in self.town.snapshot.resources() {
            let [certificate] = resource.certificates() else { continue };
            let past = self
                .town
                .memory
                .certificates
                .values()
                .find(|past| past.facts.resource_id == (&*resource.id).into());
            let over = now - certificate.not_after;
            let nodes = self.nodes.iter().find(|(id, _)| *name(**id) == *resource.id);
            let over = nodes.map_or(over, |(_, (one, other))| now - *one.min(other));
            let fresh = past.is_none_or(|past| past.epoch == certificate.not_after) || nodes.is_some();
            if over > TimeDelta::hours(26) && over < days(14) && fresh {
                assert!(
                    reminded.contains(&resource.id.to_string()),
                    "{}: expired and not a word",
                    resource.id
                );
            }
            assert!(stage(certificate, &Thresholds::default(), now) >= Stage::Ok);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn no_history_breaks_a_promise(events in prop::collection::vec(event(), 1..80)) {
        let mut history = History::new();
        for event in &events {
            history.happen(event);
        }
        history.arrive();
        history.check_expired();
        history.check_over();
    }
}
