//! The clouds: a thousand resources in five scopes, people who renew them early, late or never, and outages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use notafter::domain::identity::{CertRole, Scope};
use notafter::domain::listing::{Inspection, Listed, Listing};
use notafter::domain::matcher::{LabelSet, Matcher};
use notafter::domain::reason::{Failure, Reason};
use notafter::domain::resource::{Certificate, DateSource, Facts, Reading, Subject, Tags, TlsState};
use notafter::domain::snapshot::Snapshot;

use crate::dice::Dice;

const TOOK: Duration = Duration::from_secs(1);

pub(crate) fn matcher(expression: &str) -> Matcher {
    Matcher::parse(expression, LabelSet::ALERT).expect(expression)
}

/// When something was read, and which end.
pub(crate) type Read = (DateTime<Utc>, DateTime<Utc>);

/// A resource as it really is.
#[derive(Debug, Clone)]
pub(crate) struct Truth {
    pub(crate) scope: usize,
    pub(crate) not_after: DateTime<Utc>,
    /// Renewed so long before (or after) its end.
    renewed_before: TimeDelta,
    pub(crate) gone: bool,
    /// Every end that it ever had.
    pub(crate) ends: BTreeSet<DateTime<Utc>>,
}

pub(crate) struct Fleet {
    pub(crate) snapshot: Snapshot,
    pub(crate) scopes: Vec<Arc<Scope>>,
    pub(crate) truth: BTreeMap<String, Truth>,
    /// By scope: nobody can look until then, and why.
    outages: Vec<Option<(DateTime<Utc>, Reason)>>,
    /// By resource: every end that was read, with the moment.
    pub(crate) reads: BTreeMap<String, Vec<Read>>,
}

impl Fleet {
    pub(crate) fn new(size: usize, dice: &mut Dice, now: DateTime<Utc>) -> Self {
        let services = [("redis", "cn-hangzhou"), ("redis", "cn-beijing"), ("rds", "cn-hangzhou")];
        let services = services.into_iter().chain([("mongodb", "cn-hangzhou"), ("rds", "eu-central-1")]);
        let scopes: Vec<Arc<Scope>> =
            services.map(|(service, region)| Arc::new(scope(service, region))).collect();
        let truth = (0..size).map(|n| {
            let not_after = now + TimeDelta::hours(i64::try_from(dice.below(370 * 24)).expect("small") - 48);
            let truth = Truth {
                scope: n % scopes.len(),
                not_after,
                renewed_before: renewed_before(dice),
                gone: false,
                ends: [not_after].into(),
            };
            (format!("r-{n:04}"), truth)
        });
        let truth = truth.collect();
        let snapshot = Snapshot::of_scopes(scopes.iter().map(Arc::clone));
        let outages = vec![None; scopes.len()];
        Self { snapshot, scopes, truth, outages, reads: BTreeMap::new() }
    }

    /// What happens in one round: people act, some scopes cannot be read, the others are listed and looked at.
    pub(crate) fn live(&mut self, dice: &mut Dice, now: DateTime<Utc>, round: u32) {
        self.renew(dice, now);
        for scope in 0..self.scopes.len() {
            if dice.one_in(400) {
                let length = TimeDelta::hours(i64::try_from(dice.below(60)).expect("small") + 1);
                let reason = if dice.one_in(3) { Reason::Denied } else { Reason::Timeout };
                self.outages[scope] = Some((now + length, reason));
            }
            match self.outages[scope] {
                Some((until, reason)) if now < until => self.fail(scope, reason, now),
                _ => self.look(scope, dice, now, round),
            }
        }
    }

    fn renew(&mut self, dice: &mut Dice, now: DateTime<Utc>) {
        for truth in self.truth.values_mut().filter(|truth| !truth.gone) {
            if now >= truth.not_after - truth.renewed_before {
                truth.not_after = now + TimeDelta::days(365);
                truth.renewed_before = renewed_before(dice);
                truth.ends.insert(truth.not_after);
            } else if dice.one_in(if truth.not_after - now < TimeDelta::days(30) { 1500 } else { 20_000 }) {
                truth.gone = true;
            }
        }
    }

    fn fail(&mut self, scope: usize, reason: Reason, now: DateTime<Utc>) {
        let failure = Failure { reason, text: "no answer".into(), at: now };
        self.snapshot.scope_mut(&self.scopes[scope]).listing_failed(failure);
    }

    /// Lists a scope, and looks at what is due: a quarter of it each time, and all that is close to its end.
    fn look(&mut self, scope: usize, dice: &mut Dice, now: DateTime<Utc>, round: u32) {
        let here = self.truth.iter().filter(|(_, truth)| truth.scope == scope && !truth.gone);
        let here: Vec<(String, DateTime<Utc>)> =
            here.map(|(id, truth)| (id.clone(), truth.not_after)).collect();
        let view = self.snapshot.scope_mut(&self.scopes[scope]);
        if round.is_multiple_of(3) || view.failure().is_some() {
            let resources = here.iter().map(|(id, _)| listed(id)).collect();
            view.absorb_listing(Listing { resources, ..Listing::default() }, TOOK, now);
        }
        for (number, (id, not_after)) in here.into_iter().enumerate() {
            let due = number % 4 == (round % 4) as usize || not_after - now < TimeDelta::days(20);
            if !due {
                continue;
            }
            // now and then another node answers, with a certificate of its own, never twice in a row; it matters where
            // people are told
            let odd = dice.one_in(if not_after - now < TimeDelta::days(30) { 400 } else { 20_000 });
            let last = self.reads.get(&id).and_then(|reads| reads.last());
            let odd = odd && last.is_none_or(|(_, read)| self.truth[&id].ends.contains(read));
            let end = if odd { not_after + TimeDelta::days(90) } else { not_after };
            view.absorb_inspection(&id, Inspection::Read(reading(end, now)), now);
            self.reads.entry(id).or_default().push((now, end));
        }
    }

    /// The scope of a resource can be read.
    pub(crate) fn is_visible(&self, id: &str, now: DateTime<Utc>) -> bool {
        self.outages[self.truth[id].scope].is_none_or(|(until, _)| now >= until + TimeDelta::hours(7))
    }

    /// Since when a later end than this one is read again and again, at least twice.
    pub(crate) fn renewed_since(&self, id: &str, end: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut reads = self.reads.get(id)?.iter().rev();
        let (last, new) = reads.next().filter(|(_, new)| *new > end)?;
        let same: Vec<_> = reads.take_while(|(_, read)| read == new).map(|(at, _)| *at).collect();
        match same[..] {
            [] => None,
            [_] => Some(*last),
            [.., second, _] => Some(second),
        }
    }

    /// A later end than this one was read twice in a row.
    pub(crate) fn was_renewed(&self, id: &str, end: DateTime<Utc>) -> bool {
        let reads = self.reads.get(id).map_or(&[][..], |reads| reads);
        reads.windows(2).any(|pair| pair[0].1 == pair[1].1 && pair[1].1 > end)
    }

    pub(crate) fn service(&self, id: &str) -> &str {
        &self.scopes[self.truth[id].scope].service
    }
}

/// Most people renew in time, some in the last minute, a few too late.
fn renewed_before(dice: &mut Dice) -> TimeDelta {
    let hours = match dice.below(20) {
        0 => -i64::try_from(dice.below(40 * 24)).expect("small"),
        1..4 => i64::try_from(dice.below(3 * 24)).expect("small"),
        _ => i64::try_from(dice.below(32 * 24)).expect("small"),
    };
    TimeDelta::hours(hours)
}

fn scope(service: &str, region: &str) -> Scope {
    Scope {
        provider: "alibaba".into(),
        account: "prod".into(),
        project: "".into(),
        region: region.into(),
        service: service.into(),
    }
}

fn listed(id: &str) -> Listed {
    let facts = Facts {
        name: "订单库".into(),
        status: "Normal".into(),
        engine: "Redis 7.0".into(),
        tags: Tags::default(),
        group: None,
        locked: false,
        in_use: None,
        used_by: Box::default(),
    };
    Listed { id: id.into(), facts, tags_known: true, reading: None, inspectable: true }
}

fn reading(not_after: DateTime<Utc>, at: DateTime<Utc>) -> Reading {
    let certificate = Certificate {
        role: CertRole::Server,
        not_after,
        not_before: Some(not_after - TimeDelta::days(365)),
        source: DateSource::Api,
        other_not_after: None,
        subject: Subject::default(),
    };
    let certificates = vec![certificate];
    Reading { state: TlsState::Enabled, certificates, managed_by: None, renewal_required: None, at }
}
