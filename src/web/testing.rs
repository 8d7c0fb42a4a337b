//! Snapshots for tests of the pages.

pub(crate) mod renewals;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use crate::domain::identity::{CertRole, Scope};
use crate::domain::listing::{Inspection, Listed, Listing};
use crate::domain::reason::{Failure, Reason};
use crate::domain::resource::{Certificate, DateSource, Facts, ManagedBy, Reading, Subject, TlsState};
use crate::domain::snapshot::Snapshot;
use crate::domain::testing::{certificate, facts, moment, reading, scope};

/// Builds the resources of one scope.
pub(crate) struct ScopeBuilder<'s> {
    snapshot: &'s mut Snapshot,
    scope: Arc<Scope>,
}

pub(crate) fn in_scope(snapshot: &mut Snapshot, scope: Scope) -> ScopeBuilder<'_> {
    let scope = Arc::new(scope);
    snapshot.scope_mut(&scope);
    ScopeBuilder { snapshot, scope }
}

impl ScopeBuilder<'_> {
    /// A complete listing of these ids.
    pub(crate) fn listed(self, ids: &[(&str, &str)]) -> Self {
        let resources = ids.iter().map(|(id, name)| listed(id, name)).collect();
        let listing = Listing { resources, ..Listing::default() };
        let at = moment() - TimeDelta::minutes(20);
        self.snapshot.scope_mut(&self.scope).absorb_listing(listing, Duration::from_millis(1_250), at);
        self
    }

    /// A good look.
    pub(crate) fn read(self, id: &str, reading: Reading) -> Self {
        let at = reading.at;
        self.snapshot.scope_mut(&self.scope).absorb_inspection(id, Inspection::Read(reading), at);
        self
    }

    /// A look that failed ten minutes ago.
    pub(crate) fn look_failed(self, id: &str, reason: Reason, text: &str) -> Self {
        let failure = Failure { reason, text: text.into(), at: moment() - TimeDelta::minutes(10) };
        self.snapshot.scope_mut(&self.scope).inspection_failed(id, failure);
        self
    }

    /// A listing that failed five minutes ago.
    pub(crate) fn listing_failed(self, reason: Reason, text: &str) -> Self {
        let failure = Failure { reason, text: text.into(), at: moment() - TimeDelta::minutes(5) };
        self.snapshot.scope_mut(&self.scope).listing_failed(failure);
        self
    }
}

/// TLS is on, and the certificate ends then.
pub(crate) fn ending_in(left: TimeDelta) -> Reading {
    reading(vec![certificate(moment() + left)])
}

/// Something of everything.
pub(crate) fn small() -> Snapshot {
    let mut snapshot = Snapshot::default();
    in_scope(&mut snapshot, scope("redis"))
        .listed(&[
            ("r-over", "sessions"),
            ("r-hours", "carts"),
            ("r-days", "<script>alert(\"x\")</script>"),
            ("r-denied", "ledger"),
            ("r-dateless", "queue"),
            ("r-new", "fresh"),
        ])
        .read("r-over", ending_in(TimeDelta::days(-3)))
        .read("r-hours", ending_in(TimeDelta::hours(30)))
        .look_failed("r-hours", Reason::Refused, "inspect r-hours: refused (InternalError, request 7F2A)")
        .read("r-days", ending_in(TimeDelta::days(5)))
        .read("r-dateless", reading(vec![]))
        .look_failed(
            "r-denied",
            Reason::Unreadable,
            "inspect r-denied: no field `SSLExpiredTime` in the answer",
        );
    in_scope(
        &mut snapshot,
        Scope {
            provider: "huawei".into(),
            account: "core".into(),
            project: "0a1b2c".into(),
            region: "cn-north-4".into(),
            service: "dcs".into(),
        },
    )
    .listed(&[
        ("d-soon", "mail\u{202e}gnp.exe"),
        ("d-weeks", "search"),
        ("d-fine", "订单缓存"),
        ("d-off", "scratch"),
        ("d-old", "legacy"),
    ])
    .read("d-soon", ending_in(TimeDelta::days(10)))
    .read("d-weeks", ending_in(TimeDelta::days(25)))
    .read("d-fine", both_roles())
    .read("d-off", in_state(TlsState::Disabled))
    .read("d-old", in_state(TlsState::Unsupported));
    in_scope(&mut snapshot, Scope { region: "eu-central-1".into(), ..scope("rds") }).listing_failed(
        Reason::Denied,
        "list prod/alibaba/rds/eu-central-1: DescribeDBInstances: denied (Forbidden.RAM, request 1C0D)",
    );
    in_scope(&mut snapshot, Scope { region: "cn-shanghai".into(), ..scope("rds") }).listed(&[]);
    in_scope(&mut snapshot, scope("mongodb"));
    snapshot
}

/// So many certificates in ten scopes, ending over two years.
pub(crate) fn fleet(count: usize) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for number in 0..10_usize.min(count) {
        let region = format!("cn-region-{number}");
        let scope = Arc::new(Scope { region: region.into(), ..scope("redis") });
        let view = snapshot.scope_mut(&scope);
        let mine = (number..count).step_by(10);
        let resources =
            mine.map(|n| Listed { reading: Some(of_number(n)), ..listed(&format!("r-{n:08}"), "cache") });
        let listing = Listing { resources: resources.collect(), ..Listing::default() };
        view.absorb_listing(listing, Duration::from_secs(2), moment());
    }
    snapshot
}

fn of_number(number: usize) -> Reading {
    let scattered = (number * 7_919) % 17_520;
    ending_in(TimeDelta::hours(i64::try_from(scattered).expect("two years of hours") - 100))
}

fn both_roles() -> Reading {
    let server = Certificate {
        not_before: Some(moment() - TimeDelta::days(65)),
        source: DateSource::X509,
        other_not_after: Some(moment() + TimeDelta::days(400)),
        subject: Subject {
            common_name: "*.dcs.example.com".into(),
            issuer: "CN=Example CA".into(),
            serial: "0a1b".into(),
            sha256: "9f86d081".into(),
            key: "rsa-2048".into(),
            names: ["*.dcs.example.com".into(), "10.0.0.7".into()].into(),
        },
        ..certificate(moment() + TimeDelta::days(300))
    };
    let ca = Certificate { role: CertRole::Ca, ..certificate(moment() + TimeDelta::days(3_000)) };
    Reading {
        managed_by: Some(ManagedBy::Customer),
        renewal_required: Some(true),
        at: moment() - TimeDelta::hours(9),
        ..reading(vec![server, ca])
    }
}

fn in_state(state: TlsState) -> Reading {
    Reading { state, ..reading(vec![]) }
}

fn listed(id: &str, name: &str) -> Listed {
    let facts = Facts { name: name.into(), ..facts("Normal") };
    Listed { id: id.into(), facts, tags_known: true, reading: None, inspectable: true }
}
