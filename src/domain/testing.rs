//! Builders for tests: small values with everything unimportant filled in.

use chrono::{DateTime, TimeZone, Utc};

use super::identity::{CertRole, Scope};
use super::listing::{Listed, Listing};
use super::resource::{Certificate, DateSource, Facts, Reading, Resource, Subject, Tags, TlsState};

pub(crate) fn moment() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 22, 8, 0, 0).single().expect("a valid date")
}

pub(crate) fn scope(service: &str) -> Scope {
    Scope {
        provider: "alibaba".into(),
        account: "prod".into(),
        project: "".into(),
        region: "cn-hangzhou".into(),
        service: service.into(),
    }
}

pub(crate) fn facts(status: &str) -> Facts {
    Facts {
        name: "orders".into(),
        status: status.into(),
        engine: "Redis 7.0".into(),
        tags: Tags::default(),
        group: None,
        locked: false,
        in_use: None,
        used_by: Box::default(),
    }
}

pub(crate) fn resource(id: &str) -> Resource {
    Resource::new(id.into(), facts("Normal"))
}

pub(crate) fn certificate(not_after: DateTime<Utc>) -> Certificate {
    Certificate {
        role: CertRole::Server,
        not_after,
        not_before: None,
        source: DateSource::Api,
        other_not_after: None,
        subject: Subject::default(),
    }
}

pub(crate) fn reading(certificates: Vec<Certificate>) -> Reading {
    Reading { state: TlsState::Enabled, certificates, managed_by: None, renewal_required: None, at: moment() }
}

pub(crate) fn listing(ids: &[&str]) -> Listing {
    let resources = ids
        .iter()
        .map(|id| Listed {
            id: (*id).into(),
            facts: facts("Normal"),
            tags_known: true,
            reading: None,
            inspectable: true,
        })
        .collect();
    Listing { resources, ..Listing::default() }
}
