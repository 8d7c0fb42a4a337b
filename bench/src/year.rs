//! P11: how even the load is, by the real schedule, due list and pace, in time that is only counted.
//!
//! `year DAYS`: 100,000 certificates of 365 days in 20 buckets of quota (account and region), each renewed 7 days
//! before its end. A call takes 100 ms and is always answered.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use notafter::domain::due::{DueList, LaneId};
use notafter::domain::identity::Scope;
use notafter::domain::pace::Pace;
use notafter::domain::policy::PollPolicy;
use notafter::domain::resource::Resource;
use notafter::domain::schedule;

use crate::fleet::{ACCOUNTS, Member, REGIONS, view};
use crate::table::{row, short, verdict};

const RESOURCES: usize = 100_000;
const CALL: Duration = Duration::from_millis(100);
/// As many as the daemon has for a scope at 10 calls a second.
const PLACES: usize = 11;
const HOUR: u64 = 3600;

pub fn main(arguments: &[&str]) {
    let [days] = *arguments else { panic!("see bench/run") };
    let days = crate::number(days) as u64;
    for (name, hours) in [("max_age 6 h (the default)", 6), ("max_age 24 h", 24)] {
        let policy = PollPolicy { max_age: Duration::from_secs(hours * HOUR), ..PollPolicy::default() };
        for cold in [true, false] {
            let started = Instant::now();
            let mut year = Year::new(policy.clone(), cold);
            year.run(Duration::from_secs(days * 24 * HOUR));
            year.report(name, cold, days, started.elapsed());
        }
    }
}

struct Year {
    policy: PollPolicy,
    start: DateTime<Utc>,
    scopes: Vec<Scope>,
    paces: Vec<Pace>,
    resources: Vec<(usize, Resource)>,
    due: DueList<u32>,
    lanes: Vec<LaneId>,
    /// What is under way: when its answer comes.
    under_way: BinaryHeap<Reverse<(Duration, u32)>>,
    minutes: Vec<u32>,
    /// When every certificate had been looked at once.
    first_round: Duration,
    unseen: usize,
}

impl Year {
    fn new(policy: PollPolicy, cold: bool) -> Self {
        let start: DateTime<Utc> = "2026-11-22T00:00:00Z".parse().expect("a date");
        let scopes: Vec<Scope> = (0..ACCOUNTS.len() * REGIONS.len()).map(scope).collect();
        let mut due = DueList::default();
        let lanes: Vec<LaneId> = scopes.iter().map(|_| due.add_lane(PLACES)).collect();
        let mut year = Self {
            policy,
            start,
            paces: vec![Pace::new(None); scopes.len()],
            resources: Vec::with_capacity(RESOURCES),
            due,
            lanes,
            under_way: BinaryHeap::new(),
            minutes: Vec::new(),
            first_round: Duration::ZERO,
            unseen: RESOURCES,
            scopes,
        };
        for number in 0..RESOURCES {
            year.add(number, cold);
        }
        year
    }

    fn add(&mut self, number: usize, cold: bool) {
        let mut member = Member::new(number * 10, self.start);
        // Renewed 7 days before its end, so none has less time left than that.
        member.ends =
            self.start + TimeDelta::seconds(((7 * 86_400) + number as i64 * 311 % (358 * 86_400)).max(0));
        let place = number % self.scopes.len();
        let known = view(std::slice::from_ref(&member), self.start);
        let resource =
            known.resources.get(&member.id).map(|known| Resource::clone(known)).expect("just listed");
        // A daemon that knows its fleet has each look planned already, somewhere within its interval.
        let first = if cold {
            Duration::ZERO
        } else {
            let regular = schedule::next_look(&self.scopes[place], &resource, &self.policy, self.start);
            regular.mul_f64(notafter::domain::hash::stable_fraction(["planned", &member.id]))
        };
        self.due.schedule(self.lanes[place], first, number as u32);
        self.resources.push((place, resource));
        if !cold {
            self.unseen = 0;
        }
    }

    fn run(&mut self, until: Duration) {
        loop {
            let answer = self.under_way.peek().map(|Reverse((at, _))| *at);
            let look = self.due.next_at();
            let now = match (answer, look) {
                (Some(answer), Some(look)) => answer.min(look),
                (Some(only), None) | (None, Some(only)) => only,
                (None, None) => return,
            };
            if now > until {
                return;
            }
            if answer == Some(now) {
                self.answered(now);
            } else if let Some((lane, _, number)) = self.due.take(now) {
                let at = now + self.paces[lane.index()].reserve(now);
                self.count(at);
                self.under_way.push(Reverse((at + CALL, number)));
            }
        }
    }

    fn count(&mut self, at: Duration) {
        let minute = (at.as_secs() / 60) as usize;
        if minute >= self.minutes.len() {
            self.minutes.resize(minute + 1, 0);
        }
        self.minutes[minute] += 1;
    }

    fn answered(&mut self, now: Duration) {
        let Some(Reverse((_, number))) = self.under_way.pop() else { return };
        let (place, resource) = &mut self.resources[number as usize];
        let wall = self.start + TimeDelta::from_std(now).expect("in range");
        let certificate = &mut resource.reading.as_mut().expect("read").certificates[0];
        if certificate.not_after - wall <= TimeDelta::days(7) {
            certificate.not_after += TimeDelta::days(358);
        }
        let first = self.unseen > 0 && resource.due.is_none();
        let scope = &self.scopes[*place];
        let wait = if first {
            schedule::second_look(scope, resource, &self.policy, wall)
        } else {
            schedule::next_look(scope, resource, &self.policy, wall)
        };
        if first {
            resource.due = Some(now);
            self.unseen -= 1;
            self.first_round = now;
        }
        self.paces[*place].succeeded(now);
        self.due.finish(self.lanes[*place]);
        self.due.schedule(self.lanes[*place], now + wait, number);
    }

    fn report(&self, name: &str, cold: bool, days: u64, took: Duration) {
        let begin = if cold { "cold start" } else { "everything known at the start" };
        let calls: u64 = self.minutes.iter().map(|count| u64::from(*count)).sum();
        let mean = calls as f64 / (days * 24 * HOUR) as f64;
        let what = format!("{days} days, {name}, {begin}");
        row("", &what, &format!("{} calls/s, simulated in {:.0} s", short(mean), took.as_secs_f64()));
        verdict("P11", &format!("{what}: busiest minute against the mean"), busiest(&self.minutes), 1.5, "x");
        if cold {
            let after = (self.first_round.as_secs() / 60) as usize + 1;
            let what = format!("the same from the end of the first round (minute {after})");
            verdict("P11", &what, busiest(&self.minutes[after..]), 1.5, "x");
        }
    }
}

fn scope(number: usize) -> Scope {
    Scope {
        provider: "alibaba".into(),
        account: Arc::from(ACCOUNTS[number % ACCOUNTS.len()]),
        project: "".into(),
        region: Arc::from(REGIONS[number / ACCOUNTS.len()]),
        service: "redis".into(),
    }
}

/// The busiest minute, as a multiple of the mean. The last minute is cut off.
fn busiest(minutes: &[u32]) -> f64 {
    let whole = &minutes[..minutes.len().saturating_sub(1)];
    let mean = whole.iter().map(|count| f64::from(*count)).sum::<f64>() / whole.len() as f64;
    f64::from(whole.iter().copied().max().unwrap_or(0)) / mean
}
