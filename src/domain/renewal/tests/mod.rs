//! Plans over made-up fleets.

mod attempts;
mod cases;
mod months;
mod notes;
mod text;
mod windows;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::attempt::{Approval, Attempt, AttemptKey, By, ResourceKey, State};
use super::method::{Capability, Deferring, Detail, Material, Method, OwnMethod, Restarts};
use super::plan::{Decision, Plan, Step, World, plan};
use crate::domain::alert::decide::AccountWords;
use crate::domain::alert::silence::Silence;
use crate::domain::identity::Scope;
use crate::domain::listing::{Inspection, Listing};
use crate::domain::matcher::{LabelSet, Matcher};
use crate::domain::policy::{
    EVERY_DAY, Hours, OwnCertificate, RenewalMode, RenewalPolicy, RenewalRule, Window,
};
use crate::domain::resource::{Certificate, Reading, Resource, TlsState};
use crate::domain::snapshot::Snapshot;
use crate::domain::testing::{certificate, listing, moment, reading, scope};

/// Restarts, at once, nothing else to say.
pub(super) static PLAIN: Method = Method {
    action: "ModifyInstanceSSL",
    id: "InstanceId",
    fixed: &[("SSLEnabled", "Update")],
    host: None,
    own: None,
    deferring: None,
    restarts: Restarts::Yes,
    ready: &["Normal"],
    changing_tls: &["SSLModifying"],
    changing: &["Restarting"],
};

/// Asks for the host, and takes a certificate of the customer's.
pub(super) static WITH_HOST: Method = Method {
    action: "ModifyDBInstanceSSL",
    id: "DBInstanceId",
    fixed: &[("SSLEnabled", "1"), ("CAType", "cloud")],
    host: Some("ConnectionString"),
    own: Some(OwnMethod {
        fixed: &[("SSLEnabled", "1"), ("CAType", "custom")],
        certificate: "ServerCert",
        key: "ServerKey",
    }),
    restarts: Restarts::Unknown,
    ..PLAIN
};

/// Can wait for the window by itself.
pub(super) static WAITING: Method = Method {
    id: "DBInstanceId",
    fixed: &[("SSLAction", "Update")],
    deferring: Some(Deferring { at_once: ("SwitchMode", "0"), in_window: ("SwitchMode", "1") }),
    ..PLAIN
};

pub(super) fn capability(scope: &Scope, resource: &Resource) -> Capability {
    match (&*scope.service, &*resource.facts.engine) {
        (_, "Odd 1.0") => Capability::UnknownEngine,
        ("redis", _) => Capability::Call(&PLAIN),
        ("rds", _) => Capability::Call(&WITH_HOST),
        ("mongodb", _) => Capability::Call(&WAITING),
        _ => Capability::NoApi,
    }
}

pub(super) fn time(hour: u32, minute: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, minute, 0).expect("a time")
}

pub(super) fn date(month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, month, day).expect("a date")
}

pub(super) fn minutes(minutes: i64) -> TimeDelta {
    TimeDelta::minutes(minutes)
}

pub(super) fn local(from: u32, to: u32) -> Window {
    let hours = Hours { from: time(from, 0), to: time(to, 0), days: EVERY_DAY.to_vec() };
    Window::Local { timezone: Tz::UTC, hours }
}

pub(super) fn rule(expression: &str, window: Window) -> RenewalRule {
    let matcher = Matcher::parse(expression, LabelSet::CERTIFICATE).expect(expression);
    RenewalRule { matcher, window, certificate: None, hook: None }
}

pub(super) fn own_certificate() -> OwnCertificate {
    OwnCertificate { cert_file: PathBuf::from("/etc/new.pem"), key_file: PathBuf::from("/etc/new.key") }
}

/// What a case changes of a fleet.
pub(super) type Change = fn(&mut Fleet);

/// A fleet, its rules, its past, and the clock.
pub(super) struct Fleet {
    pub(super) snapshot: Snapshot,
    pub(super) policy: RenewalPolicy,
    pub(super) accounts: BTreeMap<Box<str>, AccountWords>,
    pub(super) details: BTreeMap<ResourceKey, Detail>,
    pub(super) troubles: BTreeMap<ResourceKey, Box<str>>,
    pub(super) heard: BTreeMap<ResourceKey, DateTime<Utc>>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) silences: Vec<Silence>,
    pub(super) zone: Tz,
    pub(super) now: DateTime<Utc>,
}

impl Fleet {
    /// Nothing in it; everything is allowed between 07:00 and 10:00 UTC, which is now.
    pub(super) fn empty() -> Self {
        let allow = vec![rule(r#"cloud_account=~".*""#, local(7, 10))];
        Self {
            snapshot: Snapshot::default(),
            policy: RenewalPolicy { mode: RenewalMode::Auto, allow, ..RenewalPolicy::default() },
            accounts: BTreeMap::new(),
            details: BTreeMap::new(),
            troubles: BTreeMap::new(),
            heard: BTreeMap::new(),
            attempts: Vec::new(),
            silences: Vec::new(),
            zone: Tz::UTC,
            now: moment(),
        }
    }

    /// One Redis instance whose certificate ends in ten days, announced two days ago: it would be renewed now.
    pub(super) fn ready() -> Self {
        let mut fleet = Self::empty();
        fleet.add("redis", "r-1", 10);
        fleet.announce("redis", "r-1");
        fleet
    }

    pub(super) fn scope(service: &str) -> Arc<Scope> {
        Arc::new(scope(service))
    }

    pub(super) fn key(service: &str, id: &str) -> ResourceKey {
        ResourceKey::new(&scope(service), id)
    }

    /// An instance whose certificate ends in so many days, read now.
    pub(super) fn add(&mut self, service: &str, id: &str, days: i64) {
        let end = self.now + TimeDelta::days(days);
        self.put(service, id);
        self.read(service, id, end);
    }

    fn put(&mut self, service: &str, id: &str) {
        let (scope, now) = (Self::scope(service), self.now);
        let view = self.snapshot.scope_mut(&scope);
        let mut all = Listing::default();
        for known in view.resources.iter() {
            let mut listed = listing(&[&known.id]).resources.remove(0);
            listed.facts = known.facts.clone();
            all.resources.push(listed);
        }
        all.resources.extend(listing(&[id]).resources);
        view.absorb_listing(all, Duration::from_secs(1), now);
    }

    /// A look, and what was read for a renewal, say this end.
    pub(super) fn read(&mut self, service: &str, id: &str, end: DateTime<Utc>) {
        self.detail(service, id, |detail| detail.not_after = Some(end));
        self.look(service, id, Reading { at: self.now, ..reading(vec![certificate(end)]) });
    }

    pub(super) fn look(&mut self, service: &str, id: &str, reading: Reading) {
        let now = self.now;
        let view = self.snapshot.scope_mut(&Self::scope(service));
        view.absorb_inspection(id, Inspection::Read(reading), now);
    }

    /// Lists everything again, as it is but for this.
    pub(super) fn change(&mut self, service: &str, id: &str, change: impl Fn(&mut Resource)) {
        let now = self.now;
        let view = self.snapshot.scope_mut(&Self::scope(service));
        let mut all = Listing::default();
        for known in view.resources.iter() {
            let mut changed = (**known).clone();
            if &*known.id == id {
                change(&mut changed);
            }
            let mut listed = listing(&[&known.id]).resources.remove(0);
            listed.facts = changed.facts;
            all.resources.push(listed);
        }
        view.absorb_listing(all, Duration::from_secs(1), now);
    }

    pub(super) fn change_certificate(&mut self, service: &str, id: &str, change: impl Fn(&mut Certificate)) {
        let mut read = self.resource(service, id).reading.clone().expect("read");
        read.certificates.iter_mut().for_each(change);
        self.look(service, id, read);
    }

    pub(super) fn change_reading(&mut self, service: &str, id: &str, change: impl Fn(&mut Reading)) {
        let mut read = self.resource(service, id).reading.clone().expect("read");
        change(&mut read);
        if let Some(detail) = self.details.get_mut(&Self::key(service, id)) {
            detail.managed_by = read.managed_by;
        }
        self.look(service, id, read);
    }

    pub(super) fn off(&mut self, service: &str, id: &str, state: TlsState) {
        for _ in 0..2 {
            self.look(service, id, Reading { state, at: self.now, ..reading(vec![]) });
        }
    }

    pub(super) fn resource(&self, service: &str, id: &str) -> Arc<Resource> {
        let found =
            self.snapshot.resources().find(|(scope, known)| &*scope.service == service && &*known.id == id);
        Arc::clone(found.expect("known").1)
    }

    pub(super) fn end(&self, service: &str, id: &str) -> DateTime<Utc> {
        self.resource(service, id).certificates()[0].not_after
    }

    /// Announced two days ago, without a window that could have passed.
    pub(super) fn announce(&mut self, service: &str, id: &str) {
        let attempt = self.attempt(service, id, 1, By::Rule, State::Announced);
        self.attempts.push(attempt);
    }

    /// An attempt on an instance that was written down two days ago.
    pub(super) fn attempt(&self, service: &str, id: &str, number: u32, by: By, state: State) -> Attempt {
        let key = AttemptKey { resource: Self::key(service, id), not_after: self.end(service, id) };
        let before = self.now - TimeDelta::days(2);
        let sent = state.was_sent().then_some(before);
        let expected_by = sent.map(|at| at + minutes(40));
        Attempt {
            stored_at: sent,
            expected_by,
            state,
            ..Attempt::new(key, number, by, "cloud_account=~\".*\"", None, before)
        }
    }

    pub(super) fn detail(&mut self, service: &str, id: &str, change: impl Fn(&mut Detail)) {
        let (at, known) = (self.now, self.resource(service, id));
        let detail = self.details.entry(Self::key(service, id)).or_insert_with(|| Detail {
            status: Some((&*known.facts.status).into()),
            managed_by: known.reading.as_ref().and_then(|reading| reading.managed_by),
            ..Detail::silent(at)
        });
        detail.at = at;
        change(detail);
    }

    pub(super) fn approval(&self, ago: TimeDelta, at_once: bool) -> Approval {
        let at = self.now - ago;
        Approval { by: "alice".into(), at, until: at + TimeDelta::days(3), at_once }
    }

    pub(super) fn plan(&self) -> Plan {
        plan(&self.world(&self.attempts))
    }

    pub(super) fn world<'a>(&'a self, attempts: &'a [Attempt]) -> World<'a> {
        World {
            snapshot: &self.snapshot,
            policy: &self.policy,
            accounts: &self.accounts,
            capability: &capability,
            details: &self.details,
            troubles: &self.troubles,
            heard: &self.heard,
            attempts,
            silences: &self.silences,
            zone: self.zone,
            now: self.now,
        }
    }

    /// What is to be done about one instance.
    pub(super) fn step(&self, service: &str, id: &str) -> Step {
        let key = Self::key(service, id);
        let steps = self.plan().steps;
        steps.into_iter().find(|step| step.resource == key).expect("a step for everything")
    }
}

pub(super) fn begun(plan: &Plan) -> Vec<(&Step, &Attempt)> {
    let begun = |step| match step {
        &Step { decision: Decision::Renew { ref attempt, .. }, .. } => Some(&**attempt),
        _ => None,
    };
    plan.steps.iter().filter_map(|step| begun(step).map(|attempt| (step, attempt))).collect()
}
