//! What the receivers got, what the store says, and what is true, held against each other.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use notafter::domain::alert::message::{CertificateFacts, CertificateItem, Item, News};
use notafter::domain::alert::outbox::{Row, State};
use notafter::domain::finding::Stage;
use notafter::notifier::pagerduty::key;
use notafter::sim::receivers::Delivery;
use notafter::store::{Cursor, Store};
use serde_json::Value;

use crate::nest::CHANNELS;
use crate::world::World;

/// So many rows are read at once: after ten thousand kills there are many, and eight judges at work.
const PAGE: usize = 500;

/// A stage that was entered later than this before the end need not be told yet.
const JUST_NOW: TimeDelta = TimeDelta::seconds(5);

/// What is found out about one daemon.
pub(crate) struct Account {
    pub(crate) summary: String,
    pub(crate) problems: Vec<String>,
}

/// What a channel was told, and what the store says of it.
struct Channel<'a> {
    name: &'static str,
    rows: Vec<&'a Row>,
    /// What came and was accepted.
    accepted: Vec<&'a Delivery>,
    /// How often each message came.
    ids: BTreeMap<String, usize>,
    /// Messages of which the sender cannot know whether they came.
    doubtful: BTreeSet<String>,
}

/// Everything about one daemon.
pub(crate) struct Evidence<'a> {
    number: usize,
    rows: Vec<Row>,
    got: &'a [Vec<Delivery>; 3],
    world: &'a World,
    /// When it was stopped.
    moment: DateTime<Utc>,
}

impl<'a> Evidence<'a> {
    pub(crate) async fn gather(
        number: usize,
        store: &Store,
        got: &'a [Vec<Delivery>; 3],
        world: &'a World,
        moment: DateTime<Utc>,
    ) -> Self {
        let mut rows: Vec<Row> = Vec::new();
        loop {
            let before = rows.last().map(|row| Cursor::behind(&row.message));
            let page = store.messages(&State::ALL, PAGE, before.as_ref()).await.unwrap();
            if page.is_empty() {
                return Self { number, rows, got, world, moment };
            }
            rows.extend(page);
        }
    }

    pub(crate) fn judge(&self) -> Account {
        let (mut problems, mut parts) = (Vec::new(), Vec::new());
        for (name, got) in CHANNELS.into_iter().zip(self.got) {
            let channel = self.channel(name, got);
            let mut found = self.judge_channel(&channel);
            for problem in &mut found {
                *problem = format!("daemon {}, {name}: {problem}", self.number);
            }
            let repeats: usize = channel.ids.values().map(|times| times - 1).sum();
            let rows = channel.rows.len();
            parts.push(format!("{name}: {rows} messages, {repeats} requests more than those"));
            problems.extend(found);
        }
        Account { summary: parts.join("; "), problems }
    }

    fn channel(&self, name: &'static str, got: &'a [Delivery]) -> Channel<'_> {
        let accepted: Vec<_> = got.iter().filter(|delivery| delivery.is_accepted()).collect();
        let (mut ids, mut doubtful) = (BTreeMap::new(), BTreeSet::new());
        for delivery in &accepted {
            let Some(id) = id(name, delivery) else { continue };
            if delivery.fault == Some("reset after delivery") {
                doubtful.insert(id.clone());
            }
            *ids.entry(id).or_default() += 1;
        }
        let rows = self.rows.iter().filter(|row| &*row.message.channel == name).collect();
        Channel { name, rows, accepted, ids, doubtful }
    }

    fn judge_channel(&self, channel: &Channel<'_>) -> Vec<String> {
        let mut problems = Vec::new();
        problems.extend(self.nothing_is_lost(channel));
        problems.extend(nothing_came_that_was_not_written_down(channel));
        problems.extend(each_crossing_has_one_name(channel));
        problems.extend(self.whoever_should_know_knows(channel));
        problems.extend(self.whoever_was_told_hears_of_the_end(channel));
        if channel.name == "pager" {
            problems.extend(each_incident_has_one_key(channel));
        }
        problems
    }

    /// Every message arrived, or was overtaken by events.
    fn nothing_is_lost(&self, channel: &Channel<'_>) -> Vec<String> {
        let mut problems = Vec::new();
        for row in &channel.rows {
            let (id, what) = (&*row.message.id, row.message.type_name());
            match row.state {
                State::Delivered if self.arrived(channel, row) => {}
                State::Delivered => problems.push(format!("{id} ({what}) is delivered and never came")),
                State::Superseded => {
                    problems.extend(self.lost_with(channel, row).map(|lost| format!("with {id}: {lost}")));
                }
                state => {
                    problems.push(format!("{id} ({what}) is {state:?} at the end: {:?}", row.last_error));
                }
            }
        }
        problems
    }

    fn arrived(&self, channel: &Channel<'_>, row: &Row) -> bool {
        // a pager is called only by what is still so, and rings off by key
        let calls = |item: &CertificateItem| match item.news {
            News::Entered { .. } | News::Reminder { .. } => !self.is_over(&item.facts),
            _ => false,
        };
        let id = &*row.message.id;
        let rung_off = |item: &CertificateItem| match item.news {
            News::Renewed { old_not_after, .. } => {
                resolved(channel, &key::expiry(&item.facts, old_not_after))
            }
            News::Gone { .. } => resolved(channel, &key::expiry(&item.facts, item.facts.not_after)),
            _ => true,
        };
        let items = || certificates(row);
        if channel.name != "pager" {
            return channel.ids.contains_key(id);
        }
        items().all(rung_off) && (channel.ids.contains_key(id) || !items().any(calls))
    }

    /// What nobody was told because this message was taken back: its news that is still news.
    fn lost_with<'c>(&'c self, channel: &'c Channel<'_>, row: &'c Row) -> impl Iterator<Item = String> + 'c {
        certificates(row).filter_map(move |item| {
            let told = channel.rows.iter().filter(|other| other.state == State::Delivered);
            let told = told.flat_map(|other| certificates(other)).any(|other| {
                other.facts.fingerprint == item.facts.fingerprint
                    && other.facts.not_after >= item.facts.not_after
                    && told_stage(&other.news) >= told_stage(&item.news)
            });
            (!told && !self.is_over(&item.facts)).then(|| {
                format!("{} {:?} was taken back and told nowhere else", item.facts.resource_id, item.news)
            })
        })
    }

    fn is_over(&self, facts: &CertificateFacts) -> bool {
        self.world.is_over(&facts.resource_id, facts.not_after)
    }

    /// Every certificate in a stage was told to each channel that is for such things.
    fn whoever_should_know_knows(&self, channel: &Channel<'_>) -> Vec<String> {
        let least = if channel.name == "pager" { Stage::Critical } else { Stage::Info };
        let mut deepest: BTreeMap<(&str, DateTime<Utc>), Stage> = BTreeMap::new();
        for item in came(channel) {
            let known = deepest.entry((&item.facts.resource_id, item.facts.not_after)).or_insert(Stage::Ok);
            *known = (*known).max(told_stage(&item.news));
        }
        let mut problems = Vec::new();
        for id in self.world.ids(self.number) {
            let Some(stage) = self.world.stage(&id, self.moment - JUST_NOW) else { continue };
            let Some(end) = self.world.present(&id) else { continue };
            let told = deepest.get(&(id.as_str(), end)).copied().unwrap_or(Stage::Ok);
            if stage >= least && told < stage {
                problems.push(format!("{id} is {stage:?} and told as {told:?}"));
            }
        }
        problems
    }

    /// Whoever was warned of an end hears when it is not the end any more.
    fn whoever_was_told_hears_of_the_end(&self, channel: &Channel<'_>) -> Vec<String> {
        let over: BTreeSet<_> = came(channel)
            .filter_map(|item| match item.news {
                News::Renewed { old_not_after, .. } | News::Changed { old_not_after, .. } => {
                    Some((item.facts.fingerprint, old_not_after))
                }
                News::Gone { .. } => Some((item.facts.fingerprint, item.facts.not_after)),
                _ => None,
            })
            .collect();
        let mut problems = Vec::new();
        for row in channel.rows.iter().filter(|row| channel.ids.contains_key(&*row.message.id)) {
            // a sender that heard an error takes it that nobody was told
            if channel.doubtful.contains(&*row.message.id) {
                continue;
            }
            for CertificateItem { news, facts } in certificates(row) {
                let renewed = self.world.present(&facts.resource_id).is_some() && self.is_over(facts);
                let warned = matches!(news, News::Entered { .. });
                if warned && renewed && !over.contains(&(facts.fingerprint, facts.not_after)) {
                    problems.push(format!("{} was renewed, and nobody says so", facts.resource_id));
                }
            }
        }
        problems
    }
}

/// Nothing is sent before it is written down.
fn nothing_came_that_was_not_written_down(channel: &Channel<'_>) -> Vec<String> {
    let known: BTreeSet<_> = channel.rows.iter().map(|row| &*row.message.id).collect();
    let unknown = channel.ids.keys().filter(|id| !known.contains(id.as_str()));
    let mut problems: Vec<_> = unknown.map(|id| format!("{id} came and is not in the store")).collect();
    let nameless = channel.accepted.iter().filter(|delivery| id(channel.name, delivery).is_none());
    if channel.name != "pager" {
        problems.extend(nameless.map(|delivery| format!("without a name: {:?}", delivery.shown)));
    }
    problems
}

/// No two messages tell that the same certificate entered the same stage before the same end.
fn each_crossing_has_one_name(channel: &Channel<'_>) -> Vec<String> {
    let mut names: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for row in channel
        .rows
        .iter()
        .filter(|row| row.state == State::Delivered || channel.ids.contains_key(&*row.message.id))
    {
        for CertificateItem { news, facts } in certificates(row) {
            if let News::Entered { stage, .. } = news {
                let crossing = (&*facts.resource_id, facts.not_after, *stage);
                names.entry(crossing).or_default().insert(&row.message.id);
            }
        }
    }
    names
        .into_iter()
        .filter(|(_, names)| names.len() > 1)
        .map(|(crossing, names)| format!("{crossing:?} was told as {names:?}"))
        .collect()
}

/// A call that is repeated, and every later call about the same, has the key of the first.
fn each_incident_has_one_key(channel: &Channel<'_>) -> Vec<String> {
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in channel.accepted.iter().filter_map(|delivery| delivery.request.json()) {
        if event["event_action"] != "trigger" {
            continue;
        }
        let key = event["dedup_key"].as_str().unwrap_or_default();
        for about in subjects(&event["payload"]) {
            keys.entry(about).or_default().insert(key.to_owned());
        }
    }
    keys.into_iter()
        .filter(|(_, keys)| keys.len() > 1)
        .map(|(about, keys)| format!("one incident, {about}, has the keys {keys:?}"))
        .collect()
}

/// What a call is about: a certificate that is about to end or over; or many of them, which one message may call about
/// in more than one incident (some were told together before, others are new).
fn subjects(payload: &Value) -> Vec<String> {
    let details = &payload["custom_details"];
    // "name (place): end", and both moments are written alike
    let listed = |line: &Value| {
        let line = line.as_str().expect("a line of text");
        let (_, end) = line.rsplit_once(": ").expect("an end");
        format!("{line}, {}", payload["timestamp"].as_str().is_some_and(|at| end <= at))
    };
    match details["resource_id"].as_str() {
        Some(id) => vec![format!("{id}, {}, {}", details["not_after"], details["stage"] == "expired")],
        None => details["certificates"].as_array().into_iter().flatten().map(listed).collect(),
    }
}

fn resolved(channel: &Channel<'_>, key: &str) -> bool {
    channel
        .accepted
        .iter()
        .filter_map(|delivery| delivery.request.json())
        .any(|event| event["event_action"] == "resolve" && event["dedup_key"] == key)
}

fn certificates(row: &Row) -> impl Iterator<Item = &CertificateItem> {
    row.message.items.iter().filter_map(|item| match item {
        Item::Certificate(item) => Some(item),
        _ => None,
    })
}

/// What a channel was told, whatever the store says became of it. What only rings off at a pager has no name there.
fn came<'c>(channel: &'c Channel<'_>) -> impl Iterator<Item = &'c CertificateItem> {
    let came = |row: &&&Row| channel.ids.contains_key(&*row.message.id) || row.state == State::Delivered;
    channel.rows.iter().filter(came).flat_map(|row| certificates(row))
}

fn told_stage(news: &News) -> Stage {
    match *news {
        News::Entered { stage, .. }
        | News::Reminder { stage, .. }
        | News::Renewed { stage, .. }
        | News::Changed { stage, .. } => stage,
        News::Gone { .. } => Stage::Ok,
    }
}

/// By which name a message came.
fn id(channel: &str, delivery: &Delivery) -> Option<String> {
    let request = &delivery.request;
    match channel {
        "hook" => request.header("webhook-id").map(str::to_owned),
        "pager" => Some(request.json()?["payload"]["custom_details"]["event_id"].as_str()?.to_owned()),
        _ => {
            let text = String::from_utf8_lossy(&request.body).into_owned();
            let at = text.find("evt_")?;
            text.get(at..at + 30).map(str::to_owned)
        }
    }
}
