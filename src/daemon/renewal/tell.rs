//! What is told of an attempt: its certificate as it is known now, and what is new.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::domain::alert::board::Rules;
use crate::domain::alert::decide::{Renewal, World};
use crate::domain::alert::facts::{self, Subject};
use crate::domain::alert::message::{
    CertificateFacts, Fingerprint, RenewalFailure, RenewalItem, RenewalNews, RenewalNote,
};
use crate::domain::alert::renewals::{Letter, letters};
use crate::domain::alert::silence::Silence;
use crate::domain::identity::{CertRole, Scope};
use crate::domain::renewal::attempt::{Attempt, Class, State};
use crate::domain::renewal::method::{Capability, Restarts};
use crate::domain::resource::Resource;
use crate::domain::snapshot::Snapshot;
use crate::provider;

/// What telling is made of.
pub(super) struct Teller<'a> {
    pub snapshot: &'a Snapshot,
    pub rules: &'a Rules,
    pub silences: &'a [Silence],
    /// Address of the status page.
    pub page: Option<&'a str>,
    pub now: DateTime<Utc>,
}

impl Teller<'_> {
    /// The letters that tell of these attempts.
    pub(super) fn letters(
        &self,
        news: Vec<(&Attempt, RenewalNews)>,
        new_id: &mut dyn FnMut() -> Box<str>,
    ) -> Vec<Letter> {
        let console = |scope: &Scope, id: &str| Some((provider::find(&scope.provider)?.console)(scope, id));
        // what is planned is what these letters tell
        let renewal = |_: &str, _: Fingerprint| Renewal::default();
        let world = World {
            snapshot: self.snapshot,
            accounts: &self.rules.accounts,
            alert: &self.rules.alert,
            poll: &self.rules.poll,
            routing: &self.rules.routing,
            silences: self.silences,
            undelivered: &BTreeSet::new(),
            renewal: &renewal,
            console: &console,
            now: self.now,
        };
        let items = news.into_iter().map(|(attempt, news)| self.item(attempt, news, &world)).collect();
        letters(&world, items, new_id)
    }

    fn item(&self, attempt: &Attempt, news: RenewalNews, world: &World<'_>) -> RenewalItem {
        let scope = Arc::new(attempt.key.resource.scope());
        let resource = resource(self.snapshot, &scope, &attempt.key.resource.resource_id);
        let method = resource.map(|resource| capability(&scope, resource));
        let (call, restarts) = match method {
            Some(Capability::Call(method)) => (method.action.into(), method.restarts),
            _ => (Box::default(), Restarts::Unknown),
        };
        RenewalItem {
            news,
            facts: self.facts(attempt, &scope, resource, world),
            attempt: attempt.id.clone(),
            who: attempt.wanted_by().into(),
            rule: attempt.rule.clone(),
            call,
            restarts,
            link: self
                .page
                .map(|page| format!("{}/renewals/{}", page.trim_end_matches('/'), attempt.id).into()),
        }
    }

    /// As known now; of a resource that is not known any more, what the attempt itself says. The end is the old one.
    fn facts(
        &self,
        attempt: &Attempt,
        scope: &Arc<Scope>,
        resource: Option<&Resource>,
        world: &World<'_>,
    ) -> CertificateFacts {
        let not_after = attempt.key.not_after;
        let shown = resource.and_then(|resource| {
            let servers = resource.certificates().iter().filter(|known| known.role == CertRole::Server);
            Some((resource, servers.min_by_key(|known| known.not_after)?))
        });
        match shown {
            Some((resource, certificate)) => {
                let facts = facts::of(&Subject::new(scope, resource, certificate), world);
                CertificateFacts { not_after, ..facts }
            }
            None => bare(attempt, scope, self.now),
        }
    }
}

fn bare(attempt: &Attempt, scope: &Scope, now: DateTime<Utc>) -> CertificateFacts {
    CertificateFacts {
        fingerprint: attempt.key.resource.fingerprint(),
        provider: (&*scope.provider).into(),
        account: (&*scope.account).into(),
        project: (&*scope.project).into(),
        region: (&*scope.region).into(),
        service: (&*scope.service).into(),
        resource_id: attempt.key.resource.resource_id.clone(),
        role: CertRole::Server.as_str().into(),
        resource_name: Box::default(),
        labels: BTreeMap::new(),
        owner: None,
        not_before: None,
        not_after: attempt.key.not_after,
        serial: Box::default(),
        sha256: Box::default(),
        last_seen: now,
        stale: true,
        in_use: None,
        managed_by: None,
        console_url: None,
        renewal: RenewalNote::Manual,
    }
}

/// A resource, if it is known.
pub(super) fn resource<'s>(snapshot: &'s Snapshot, scope: &Scope, id: &str) -> Option<&'s Resource> {
    let view = snapshot.scopes.get(scope)?;
    view.resources.get(id).map(|resource| &**resource)
}

/// How a resource is renewed.
pub(super) fn capability(scope: &Scope, resource: &Resource) -> Capability {
    provider::find(&scope.provider).map_or(Capability::NoApi, |kind| (kind.renewal)(scope, resource))
}

/// What is told of an outcome; `None`: it is none.
pub(super) fn outcome(state: &State, text: &str, stops: bool) -> Option<RenewalNews> {
    let failed = |how, code: &str, request_id: &str, text: &str| {
        Some(RenewalNews::Failed {
            how,
            code: code.into(),
            request_id: request_id.into(),
            text: text.into(),
            stops,
        })
    };
    match state {
        State::Announced
        | State::Approved
        | State::Rejected { .. }
        | State::Stored
        | State::Accepted { .. } => None,
        State::NotSent { text } => Some(RenewalNews::Held { text: text.clone() }),
        State::Confirmed { new_not_after } => Some(RenewalNews::Succeeded { new_not_after: *new_not_after }),
        State::WithoutEffect => failed(RenewalFailure::WithoutEffect, "", "", text),
        State::FailedLater { text } => failed(RenewalFailure::Later, "", "", text),
        State::Refused { class, code, request_id } => failed(refused(*class), code, request_id, text),
        State::Unknown => failed(RenewalFailure::Unknown, "", "", text),
    }
}

fn refused(class: Class) -> RenewalFailure {
    match class {
        Class::Retry => RenewalFailure::RefusedForNow,
        Class::Person => RenewalFailure::RefusedForAPerson,
        Class::Permanent => RenewalFailure::RefusedForGood,
    }
}
