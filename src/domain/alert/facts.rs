//! A certificate as messages show it.

use std::sync::Arc;

use super::decide::World;
use super::message::{CertificateFacts, Fingerprint};
use crate::domain::hash::stable_hash;
use crate::domain::identity::{CertRole, Scope};
use crate::domain::resource::{Certificate, ManagedBy, Resource};

/// A certificate with all that is around it.
#[derive(Clone, Copy)]
pub struct Subject<'s> {
    /// Where its resource is.
    pub scope: &'s Arc<Scope>,
    /// Whose it is.
    pub resource: &'s Resource,
    /// The certificate.
    pub certificate: &'s Certificate,
    /// Its identity.
    pub fingerprint: Fingerprint,
}

impl<'s> Subject<'s> {
    /// One certificate of a resource.
    pub fn new(scope: &'s Arc<Scope>, resource: &'s Resource, certificate: &'s Certificate) -> Self {
        let fingerprint = fingerprint(scope, &resource.id, certificate.role);
        Self { scope, resource, certificate, fingerprint }
    }
}

/// The identity of a certificate over renewals.
pub fn fingerprint(scope: &Scope, resource_id: &str, role: CertRole) -> Fingerprint {
    let [provider, account, project, region, service] = scope.labels().map(|(_, value)| value);
    Fingerprint(stable_hash([provider, account, project, region, service, resource_id, role.as_str()]))
}

/// Everything that messages show of it, as of now.
pub fn of(subject: &Subject<'_>, world: &World<'_>) -> CertificateFacts {
    let Subject { scope, resource, certificate, fingerprint } = *subject;
    let account = world.accounts.get(&*scope.account);
    let owner_tag = account.and_then(|account| account.owner_tag.as_deref());
    let reading = resource.reading.as_ref();
    let managed_by = reading.and_then(|reading| reading.managed_by).map(ManagedBy::as_str);
    CertificateFacts {
        fingerprint,
        provider: (&*scope.provider).into(),
        account: (&*scope.account).into(),
        project: (&*scope.project).into(),
        region: (&*scope.region).into(),
        service: (&*scope.service).into(),
        resource_id: (&*resource.id).into(),
        role: certificate.role.as_str().into(),
        resource_name: resource.facts.name.clone(),
        labels: account.map(|account| account.labels.clone()).unwrap_or_default(),
        owner: owner_tag.and_then(|tag| resource.tag(tag)).map(Into::into),
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        serial: certificate.subject.serial.clone(),
        sha256: certificate.subject.sha256.clone(),
        last_seen: reading.map_or(world.now, |reading| reading.at),
        stale: resource.is_stale(world.poll, world.now),
        in_use: resource.facts.in_use,
        managed_by: managed_by.map(Into::into),
        console_url: (world.console)(scope, &resource.id).map(Into::into),
        renewal: (world.renewal)(&scope.provider, fingerprint).note,
    }
}
