//! Made-up months: random fleets, rules and outcomes, and every call held against what was allowed.

use std::collections::BTreeSet;

use chrono::Timelike as _;
use proptest::prelude::*;

use super::*;
use crate::domain::renewal::attempt::{Class, Seen};
use crate::domain::renewal::method::{Begins, Condition};
use crate::domain::renewal::refusal::Refusal;

/// A fleet in the making.
#[derive(Debug, Clone)]
struct Draft {
    mode: RenewalMode,
    announce_hours: u64,
    max_in_progress: u32,
    max_per_day: u32,
    stop_after: u32,
    from: u32,
    hours: u32,
    zone: Tz,
    cloud: bool,
    blackout: u64,
    /// Days that are left, service, whether a rule allows it, whether it is a replica of the first.
    members: Vec<(i64, usize, bool, bool)>,
    /// How calls end, in turn.
    outcomes: Vec<u8>,
    /// Step of the clock.
    step: i64,
}

fn any_draft() -> impl Strategy<Value = Draft> {
    let modes = prop_oneof![
        6 => Just(RenewalMode::Auto),
        3 => Just(RenewalMode::Approve),
        1 => Just(RenewalMode::Plan),
        1 => Just(RenewalMode::Off),
    ];
    let zone = proptest::sample::select(vec![
        Tz::UTC,
        Tz::Asia__Shanghai,
        Tz::America__New_York,
        Tz::Europe__Berlin,
    ]);
    let limits = (1_u64..49, 1_u32..3, 1_u32..4, 1_u32..4);
    let window = (0_u32..24, 1_u32..24, zone, any::<bool>(), 0_u64..20);
    let members = proptest::collection::vec((1_i64..40, 0_usize..3, any::<bool>(), any::<bool>()), 1..7);
    let outcomes = proptest::collection::vec(0_u8..8, 12);
    (modes, limits, window, members, outcomes, 11_i64..61).prop_map(
        |(mode, limits, window, members, outcomes, step)| {
            let (announce_hours, max_in_progress, max_per_day, stop_after) = limits;
            let (from, hours, zone, cloud, blackout) = window;
            Draft {
                mode,
                announce_hours,
                max_in_progress,
                max_per_day,
                stop_after,
                from,
                hours,
                zone,
                cloud,
                blackout,
                members,
                outcomes,
                step,
            }
        },
    )
}

const SERVICES: [&str; 2] = ["redis", "mongodb"];

/// A month with its fleet.
struct Month {
    fleet: Fleet,
    draft: Draft,
    /// The service of each resource, by id.
    services: BTreeMap<Box<str>, &'static str>,
    allowed: BTreeSet<Box<str>>,
    /// Every call: resource, end, moment.
    calls: Vec<(ResourceKey, DateTime<Utc>, DateTime<Utc>)>,
    announced: BTreeMap<Box<str>, DateTime<Utc>>,
}

impl Month {
    fn new(draft: Draft) -> Self {
        let mut fleet = Fleet::empty();
        let window = if draft.cloud {
            Window::Cloud
        } else {
            let hours = Hours {
                from: time(draft.from, 0),
                to: time((draft.from + draft.hours) % 24, 0),
                days: EVERY_DAY.to_vec(),
            };
            Window::Local { timezone: draft.zone, hours }
        };
        let blackout = fleet.now.date_naive() + chrono::Days::new(draft.blackout);
        fleet.policy = RenewalPolicy {
            mode: draft.mode,
            announce: Duration::from_hours(draft.announce_hours),
            max_in_progress: draft.max_in_progress,
            max_per_day: draft.max_per_day,
            stop_after_failures: draft.stop_after,
            blackout: vec![blackout],
            allow: vec![rule(r#"tag:renew="yes""#, window)],
            ..RenewalPolicy::default()
        };
        let mut month = Self {
            fleet,
            services: BTreeMap::new(),
            allowed: BTreeSet::new(),
            calls: Vec::new(),
            announced: BTreeMap::new(),
            draft,
        };
        month.settle_in();
        month
    }

    fn settle_in(&mut self) {
        for (number, (days, service, allowed, replica)) in self.draft.members.clone().into_iter().enumerate()
        {
            let (id, service) = (format!("r-{number}"), SERVICES[service % SERVICES.len()]);
            self.fleet.add(service, &id, days);
            self.fleet.change(service, &id, |resource| {
                let answer = if allowed { "yes" } else { "no" };
                resource.facts.tags = [("renew".into(), answer.into())].into();
                resource.facts.group = replica.then(|| "r-0".into());
            });
            self.services.insert(id.as_str().into(), service);
            if allowed {
                self.allowed.insert(id.into());
            }
        }
    }

    /// Everything is read anew at this moment; statuses are what the cloud makes of the calls.
    fn refresh(&mut self) {
        let hours =
            format!("{:02}:00Z-{:02}:00Z", self.draft.from, (self.draft.from + self.draft.hours) % 24);
        for (id, service) in self.services.clone() {
            let end = self.fleet.end(service, &id);
            self.fleet.read(service, &id, end);
            self.fleet.change(service, &id, |_| {});
            self.fleet.detail(service, &id, |detail| detail.window = Some(hours.as_str().into()));
        }
    }

    fn run(&mut self) -> Result<(), TestCaseError> {
        let end = self.fleet.now + TimeDelta::days(32);
        while self.fleet.now < end {
            self.refresh();
            let mut plan = self.fleet.plan();
            self.restart_plans_the_same(&plan)?;
            for told in &plan.announce {
                let attempt = told.attempt.clone();
                self.announced.entry(attempt.id.clone()).or_insert(self.fleet.now);
                self.write(attempt);
            }
            // how one call ends may forbid the next: a plan is good for one
            while let Some((step, attempt)) = begun(&plan).into_iter().next() {
                self.check(step, attempt)?;
                self.call(attempt);
                plan = self.fleet.plan();
            }
            self.follow();
            self.approve(&plan);
            self.fleet.now += minutes(self.draft.step);
        }
        Ok(())
    }

    /// What was written down is all that a plan needs.
    fn restart_plans_the_same(&self, want: &Plan) -> Result<(), TestCaseError> {
        let mut rows: Vec<String> =
            self.fleet.attempts.iter().map(|attempt| serde_json::to_string(attempt).expect("JSON")).collect();
        rows.reverse();
        let read: Vec<Attempt> = rows.iter().map(|row| serde_json::from_str(row).expect("ours")).collect();
        let again = plan(&self.fleet.world(&read));
        prop_assert_eq!(&again, want);
        Ok(())
    }

    fn write(&mut self, attempt: Attempt) {
        match self.fleet.attempts.iter_mut().find(|known| known.id == attempt.id) {
            Some(known) => *known = attempt,
            None => self.fleet.attempts.push(attempt),
        }
    }

    /// Some that ask are approved, some at a later time, some never.
    fn approve(&mut self, plan: &Plan) {
        for question in &plan.ask {
            let id = &question.resource.resource_id;
            let willing = !id.ends_with('2') && self.fleet.now.hour().is_multiple_of(3);
            let approval = self.fleet.approval(TimeDelta::zero(), false);
            for attempt in
                self.fleet.attempts.iter_mut().filter(|known| known.id == question.attempt && willing)
            {
                (attempt.state, attempt.approval) = (State::Approved, Some(approval.clone()));
            }
        }
    }

    fn check(&self, step: &Step, attempt: &Attempt) -> Result<(), TestCaseError> {
        let (now, draft, id) = (self.fleet.now, &self.draft, &step.resource.resource_id);
        prop_assert!(matches!(draft.mode, RenewalMode::Auto | RenewalMode::Approve), "mode {:?}", draft.mode);
        prop_assert!(self.allowed.contains(id), "{} is not allowed", id);
        prop_assert!(attempt.key.not_after - now <= TimeDelta::days(14), "too early");
        let announced = self.announced.get(&attempt.id).copied();
        let long_enough =
            |at| now - at >= TimeDelta::hours(i64::try_from(draft.announce_hours).expect("small"));
        prop_assert!(announced.is_some_and(long_enough), "announced {:?}, now {}", announced, now);
        prop_assert!(draft.mode == RenewalMode::Auto || attempt.approval.is_some(), "not approved");
        self.check_window(step)?;
        self.check_limits(step)
    }

    fn check_window(&self, step: &Step) -> Result<(), TestCaseError> {
        let Decision::Renew { call, attempt } = &step.decision else { return Ok(()) };
        let begins = match call.begins {
            Begins::AtOnce => self.fleet.now,
            Begins::InCloudWindow => attempt.planned.expect("a window").begin,
        };
        prop_assert!(begins - self.fleet.now <= TimeDelta::hours(2));
        let zone = if self.draft.cloud { Tz::UTC } else { self.draft.zone };
        for moment in [begins, begins + minutes(39)] {
            let local = moment.with_timezone(&zone);
            let since = (local.hour() + 24 - self.draft.from) % 24;
            prop_assert!(since < self.draft.hours, "{} is outside", local);
            prop_assert!(
                !self.fleet.policy.blackout.contains(&local.date_naive()),
                "{} is a blackout",
                local
            );
        }
        Ok(())
    }

    fn check_limits(&self, step: &Step) -> Result<(), TestCaseError> {
        let (now, end) = (self.fleet.now, step.certificate.expect("one").not_after);
        let twice = self.calls.iter().any(|(resource, of, _)| *resource == step.resource && *of == end);
        prop_assert!(!twice, "sent twice for one end");
        let today = self.calls.iter().filter(|(_, _, at)| now - *at < TimeDelta::hours(24)).count();
        prop_assert!(today < self.draft.max_per_day as usize, "{} today", today);
        let open: Vec<_> = self.fleet.attempts.iter().filter(|attempt| attempt.state.is_open()).collect();
        prop_assert!(open.len() < self.draft.max_in_progress as usize, "{} under way", open.len());
        let group = |key: &ResourceKey| {
            let service = self.services[&key.resource_id];
            let own = self.fleet.resource(service, &key.resource_id).facts.group.clone();
            (service, own.unwrap_or_else(|| key.resource_id.clone()))
        };
        let together = open.iter().any(|attempt| group(&attempt.key.resource) == group(&step.resource));
        prop_assert!(!together, "two of a group");
        let mut ended: Vec<_> =
            self.fleet.attempts.iter().filter(|a| a.state.was_sent() && !a.state.is_open()).collect();
        ended.sort_by_key(|attempt| attempt.changed_at);
        let failed = ended.iter().rev().take_while(|attempt| attempt.state.has_failed()).count();
        let approved_since = ended.last().is_some_and(|last| {
            let Decision::Renew { attempt, .. } = &step.decision else { return false };
            attempt.approval.as_ref().is_some_and(|approval| approval.at > last.changed_at)
        });
        prop_assert!(failed < self.draft.stop_after as usize || approved_since, "{} failures", failed);
        Ok(())
    }

    fn call(&mut self, attempt: &Attempt) {
        let outcome = self.draft.outcomes[self.calls.len() % self.draft.outcomes.len()];
        let mut stored = attempt.clone();
        let changed = match outcome {
            0 => State::Refused { class: Class::Retry, code: "Busy".into(), request_id: "R".into() },
            1 => State::NotSent { text: "no connection".into() },
            2 => State::Stored,
            _ => State::Accepted { request_id: "R".into() },
        };
        if outcome != 1 {
            self.calls.push((attempt.key.resource.clone(), attempt.key.not_after, self.fleet.now));
        }
        stored.state = changed;
        self.write(stored);
    }

    /// Reads what is open: most are renewed a while after the call, some never.
    fn follow(&mut self) {
        let now = self.fleet.now;
        for index in 0..self.fleet.attempts.len() {
            let attempt = self.fleet.attempts[index].clone();
            let Some(sent) = attempt.sent_at().filter(|_| attempt.state.is_open()) else { continue };
            let done = attempt.expected_by.expect("stored") - minutes(20) <= now;
            let effect = done && (sent.minute() + sent.day_of_year()) % 4 != 0;
            let id = &attempt.key.resource.resource_id;
            let service = self.services[id];
            let new_end = attempt.key.not_after + TimeDelta::days(365);
            if effect {
                self.fleet.read(service, id, new_end);
            }
            let not_after = Some(if effect { new_end } else { attempt.key.not_after });
            let seen = Seen::Read { at: now, condition: Condition::Ready, not_after, failed: None };
            if let Some(state) = attempt.settled(&seen, now) {
                self.fleet.attempts[index].state = state;
                self.fleet.attempts[index].changed_at = now;
            }
        }
    }
}

trait DayOfYear {
    fn day_of_year(&self) -> u32;
}

impl DayOfYear for DateTime<Utc> {
    fn day_of_year(&self) -> u32 {
        chrono::Datelike::ordinal(self)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_call_of_a_month_was_allowed(draft in any_draft()) {
        Month::new(draft).run()?;
    }
}

#[test]
fn a_month_renews_something() {
    let draft = Draft {
        mode: RenewalMode::Auto,
        announce_hours: 24,
        max_in_progress: 1,
        max_per_day: 2,
        stop_after: 9,
        from: 18,
        hours: 4,
        zone: Tz::UTC,
        cloud: false,
        blackout: 3,
        members: vec![(10, 0, true, false), (11, 0, true, true), (12, 1, true, false), (20, 0, true, false)],
        outcomes: vec![4],
        step: 17,
    };
    let mut month = Month::new(draft);
    month.run().expect("nothing forbidden");
    assert_eq!(month.calls.len(), 4, "{:?}", month.calls);
    let steps = month.fleet.plan().steps;
    let resting = |step: &Step| {
        matches!(
            step.decision.why(),
            Some(Refusal::TooEarly | Refusal::AlreadyTried | Refusal::StoppedAfterFailures)
        )
    };
    assert!(steps.iter().all(resting), "{steps:#?}");
}
