//! Fleets for tests, and expected files.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::identity::{CertRole, Scope};
use crate::domain::listing::{Inspection, Listed, Listing};
use crate::domain::reason::{Failure, Reason};
use crate::domain::resource::{Certificate, DateSource, ManagedBy, Reading, Subject, TlsState};
use crate::domain::snapshot::Snapshot;
use crate::domain::testing::{certificate, facts, moment, reading};

/// A name as bad as names can be.
pub(super) const HOSTILE: &str =
    "=cmd|'/c calc'!A1\nOK - all fine | expired=0\r\x1b[31m\u{9b}2J\u{202e}\",\\end";

/// A bad name without characters that would make an expected file unreadable.
pub(super) const AWKWARD: &str = "=cmd|'/c calc'!A1\nOK - all fine | expired=0\",\\end";

pub(super) fn scope_of(line: &str) -> Arc<Scope> {
    let [provider, account, project, region, service] = line.split('/').collect::<Vec<_>>()[..] else {
        panic!("provider/account/project/region/service, not {line}")
    };
    Arc::new(Scope {
        provider: provider.into(),
        account: account.into(),
        project: project.into(),
        region: region.into(),
        service: service.into(),
    })
}

pub(super) fn failure(reason: Reason, text: &str) -> Failure {
    Failure { reason, text: text.into(), at: moment() }
}

pub(super) fn in_seconds(seconds: i64) -> DateTime<Utc> {
    moment() + TimeDelta::seconds(seconds)
}

pub(super) fn in_days(days: i64) -> DateTime<Utc> {
    moment() + TimeDelta::days(days)
}

pub(super) fn off(state: TlsState) -> Reading {
    Reading { state, ..reading(vec![]) }
}

/// A scope that is filled step by step.
pub(super) struct Filled<'s> {
    snapshot: &'s mut Snapshot,
    scope: Arc<Scope>,
}

impl<'s> Filled<'s> {
    /// A scope with these resources, id and name, listed a minute ago.
    pub(super) fn new(snapshot: &'s mut Snapshot, scope: &str, resources: &[(&str, &str)]) -> Self {
        let scope = scope_of(scope);
        let listed = |&(id, name): &(&str, &str)| Listed {
            id: id.into(),
            facts: crate::domain::resource::Facts { name: name.into(), ..facts("Normal") },
            tags_known: true,
            reading: None,
            inspectable: true,
        };
        let listing = Listing { resources: resources.iter().map(listed).collect(), ..Listing::default() };
        let view = snapshot.scope_mut(&scope);
        view.absorb_listing(listing, Duration::from_millis(250), in_seconds(-60));
        Self { snapshot, scope }
    }

    pub(super) fn read(self, id: &str, reading: Reading) -> Self {
        self.snapshot.scope_mut(&self.scope).absorb_inspection(id, Inspection::Read(reading), moment());
        self
    }

    pub(super) fn ends(self, id: &str, not_after: DateTime<Utc>) -> Self {
        self.read(id, reading(vec![certificate(not_after)]))
    }

    pub(super) fn fails(self, id: &str, failure: Failure) -> Self {
        self.snapshot.scope_mut(&self.scope).inspection_failed(id, failure);
        self
    }

    pub(super) fn listing_fails(self, failure: Failure) -> Self {
        self.snapshot.scope_mut(&self.scope).listing_failed(failure);
        self
    }

    pub(super) fn due(self, id: &str, due: Duration) -> Self {
        self.snapshot.scope_mut(&self.scope).plan(id, due);
        self
    }
}

/// Everything that can be seen, in small.
pub(super) fn mixed() -> Snapshot {
    let mut snapshot = Snapshot::default();
    let redis = [
        ("r-bp1critical", "sessions"),
        ("r-bp1expired", "订单缓存"),
        ("r-bp1fine", "carts"),
        ("r-bp1off", "scratch"),
        ("r-bp1old", "legacy"),
        ("r-bp1silent", "billing"),
        ("r-bp1warning", "search"),
    ];
    Filled::new(&mut snapshot, "alibaba/prod//cn-hangzhou/redis", &redis)
        .ends("r-bp1critical", in_seconds(31 * 3600 + 59))
        .ends("r-bp1expired", in_days(-3))
        .ends("r-bp1fine", in_days(300))
        .read("r-bp1off", off(TlsState::Disabled))
        .read("r-bp1old", off(TlsState::Unsupported))
        .fails("r-bp1silent", failure(Reason::Timeout, "DescribeInstanceSSL: no answer within 15s"))
        .ends("r-bp1warning", in_days(20));
    Filled::new(&mut snapshot, "alibaba/prod//cn-beijing/rds", &[]).listing_fails(failure(
        Reason::Denied,
        "DescribeDBInstances: not allowed (Forbidden.RAM, request 7F2A)",
    ));
    Filled::new(&mut snapshot, "ucloud/shop/org-abc/cn-bj2/ulb", &[("ssl-1", AWKWARD)])
        .read("ssl-1", uploaded());
    Filled::new(&mut snapshot, "huawei/lab/p-1/cn-north-4/dcs", &[("dcs-1", "queue")]).read(
        "dcs-1",
        reading(vec![
            certificate(in_days(200)),
            Certificate { role: CertRole::Ca, source: DateSource::X509, ..certificate(in_days(3000)) },
        ]),
    );
    snapshot
}

fn uploaded() -> Reading {
    let subject = Subject {
        common_name: "shop.example.com".into(),
        issuer: "CN=Example CA, O=\"Example\"".into(),
        serial: "0a1b".into(),
        sha256: "ab".repeat(32).into(),
        key: "rsa-2048".into(),
        names: ["shop.example.com".into(), "*.shop.example.com".into()].into(),
    };
    let certificate = Certificate {
        not_before: Some(in_days(-300)),
        source: DateSource::X509,
        other_not_after: Some(in_days(60)),
        subject,
        ..certificate(in_days(65))
    };
    Reading {
        managed_by: Some(ManagedBy::Customer),
        renewal_required: Some(true),
        ..reading(vec![certificate])
    }
}

/// Compares with a file of `tests/expected`; `UPDATE_EXPECT=1` writes it instead.
pub(super) fn assert_expected(file: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/expected").join(file);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, text).expect("the expectation can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{file} differs; UPDATE_EXPECT=1 rewrites it");
}
