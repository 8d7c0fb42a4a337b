//! What the cloud saw, what the store says and what the receiver got, held against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};
use notafter::domain::renewal::attempt::{Attempt, State};
use notafter::sim::alibaba::Call;
use notafter::sim::receivers::Delivery;

use super::world::is_new;

/// What is found out about one daemon, or all.
#[derive(Default)]
pub(super) struct Figures {
    pub(super) name: String,
    pub(super) kills: usize,
    /// Kills within a tenth of a second after the cloud saw a call.
    pub(super) just_after: usize,
    pub(super) calls: usize,
    /// Calls whose answer was late or lost.
    pub(super) faulted: usize,
    pub(super) confirmed: usize,
    /// Still read.
    pub(super) open: usize,
    pub(super) requests: usize,
    pub(super) problems: Vec<String>,
}

impl Figures {
    pub(super) fn add(&mut self, other: Self) {
        self.kills += other.kills;
        self.just_after += other.just_after;
        self.calls += other.calls;
        self.faulted += other.faulted;
        self.confirmed += other.confirmed;
        self.open += other.open;
        self.requests += other.requests;
        self.problems.extend(other.problems.into_iter().map(|problem| format!("{}: {problem}", other.name)));
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kills, just_after, calls, faulted, confirmed, open, requests, problems } = self;
        write!(
            f,
            "{name} {kills} kills, {just_after} of them just after a call; {calls} calls, {faulted} of them with a lost \
             answer; {confirmed} confirmed, {open} still read; {requests} messages came; {} problems",
            problems.len()
        )
    }
}

/// At any moment at which nothing runs: each call was written down before it was made.
pub(super) fn check_store(calls: &[Call], attempts: &[Attempt]) -> Vec<String> {
    let problem = |call: &Call| {
        let id = call.resource.as_deref().expect("a Modify names its instance");
        let ours = attempts.iter().filter(|attempt| *attempt.key.resource.resource_id == *id);
        let sent: Vec<_> = ours.filter(|attempt| attempt.state.was_sent()).collect();
        match &sent[..] {
            [] => Some(format!("{id} was sent at {}, and the store does not know", call.at)),
            [one] if one.stored_at.is_some_and(|stored| stored <= call.at) => None,
            [one] => Some(format!("{id} was sent at {}, and written down at {:?}", call.at, one.stored_at)),
            several => Some(format!("{id} has {} attempts that were sent", several.len())),
        }
    };
    calls.iter().filter_map(problem).collect()
}

/// After the calm.
pub(super) fn judge(
    calls: &[Call],
    attempts: &[Attempt],
    got: &[Delivery],
    instances: &[(String, DateTime<Utc>)],
    figures: &mut Figures,
) {
    // each instance has one end that is renewed: whatever else is sent is sent for it again, or for a new one
    let mut seen = BTreeSet::new();
    for id in calls.iter().filter_map(|call| call.resource.as_deref()) {
        if !seen.insert(id) {
            figures.problems.push(format!("{id} was sent more than once"));
        }
    }
    figures.problems.extend(check_store(calls, attempts));
    let told = told(got);
    for (id, end) in instances.iter().filter(|(_, end)| is_new(*end)) {
        let ours = attempts.iter().filter(|attempt| *attempt.key.resource.resource_id == **id);
        let states: Vec<_> = ours.map(|attempt| &attempt.state).collect();
        let confirmed = State::Confirmed { new_not_after: *end };
        if states != [&confirmed] {
            figures.problems.push(format!("{id} ends {end} now, and its attempts are {states:?}"));
        }
        match told.get(id).map(BTreeSet::len) {
            Some(1) => {}
            None => figures.problems.push(format!("{id} was renewed, and nobody heard")),
            Some(names) => figures.problems.push(format!("{id}: its success has {names} names")),
        }
    }
    for id in told.keys().filter(|id| !instances.iter().any(|(known, end)| known == *id && is_new(*end))) {
        figures.problems.push(format!("{id} was told as renewed, and is not"));
    }
    figures.calls = calls.len();
    figures.faulted = calls
        .iter()
        .filter(|call| matches!(call.outcome, notafter::sim::alibaba::Outcome::Faulted(_)))
        .count();
    let count = |is: fn(&State) -> bool| attempts.iter().filter(|attempt| is(&attempt.state)).count();
    figures.confirmed = count(|state| matches!(state, State::Confirmed { .. }));
    figures.open = count(State::is_open);
    figures.requests = got.iter().filter(|delivery| delivery.is_accepted()).count();
}

/// Under which names of messages the success of each instance was told.
pub(super) fn told(got: &[Delivery]) -> BTreeMap<String, BTreeSet<String>> {
    let mut told: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for delivery in got.iter().filter(|delivery| delivery.is_accepted()) {
        let (Some(body), Some(name)) = (delivery.request.json(), delivery.request.header("webhook-id"))
        else {
            continue;
        };
        let renewals = body["data"]["renewals"].as_array().cloned().unwrap_or_default();
        for item in renewals.iter().filter(|item| item["type"] == "renewal.succeeded") {
            // the labels of a certificate stand beside each other, or in `labels`
            let id = item["resource_id"].as_str().or(item["labels"]["resource_id"].as_str());
            told.entry(id.expect("it names its instance").to_owned()).or_default().insert(name.to_owned());
        }
    }
    told
}
