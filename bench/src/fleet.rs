//! The fleet that everything is measured with: half Redis, the rest MySQL, PostgreSQL and MongoDB, spread over 4
//! accounts and 5 regions (60 scopes), all with TLS on, with names and three tags as people choose them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use notafter::domain::identity::{CertRole, Scope};
use notafter::domain::listing::{Inspection, Listed, Listing};
use notafter::domain::resource::{Certificate, DateSource, Facts, ManagedBy, Reading, Subject, TlsState};
use notafter::domain::snapshot::{ScopeView, Snapshot};
use notafter::provider::x509;
use notafter::sim::alibaba::{Engine, certificate};

pub const ACCOUNTS: [&str; 4] = ["prod-cn", "prod-intl", "staging", "data-platform"];
pub const REGIONS: [&str; 5] = ["cn-hangzhou", "cn-shanghai", "cn-beijing", "ap-southeast-1", "eu-central-1"];
const SUBJECTS: [&str; 8] =
    ["orders", "payments", "sessions", "inventory", "search", "ledger", "recommendations", "audit"];

/// One resource of it.
pub struct Member {
    pub id: String,
    pub account: &'static str,
    pub region: &'static str,
    pub engine: Engine,
    pub name: String,
    pub tags: [(&'static str, &'static str); 3],
    pub ends: DateTime<Utc>,
}

impl Member {
    /// The resource with this number. Ends are spread over a year from `now`.
    pub fn new(number: usize, now: DateTime<Utc>) -> Self {
        let (prefix, engine) = match number % 10 {
            0..5 => ("r-bp1", Engine::Redis),
            5..8 => ("rm-bp1", Engine::MySql),
            8 => ("pgm-bp1", Engine::PostgreSql),
            _ => ("dds-bp1", Engine::MongoReplica),
        };
        // Ids of clouds come in no order: a multiplication scatters them.
        let scattered = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 12;
        let place = number / 10;
        let subject = SUBJECTS[place % SUBJECTS.len()];
        let day = now.duration_trunc(TimeDelta::days(1)).expect("a day");
        Self {
            id: format!("{prefix}{scattered:013x}"),
            account: ACCOUNTS[place % ACCOUNTS.len()],
            region: REGIONS[place / ACCOUNTS.len() % REGIONS.len()],
            engine,
            name: format!("{subject}-{}-{}", engine.as_str().to_lowercase(), number % 97),
            tags: [("env", ["prod", "staging"][place % 2]), ("owner", "dba@example.com"), ("team", subject)],
            ends: day + TimeDelta::seconds((scattered % (364 * 86_400)) as i64) + TimeDelta::days(1),
        }
    }

    pub fn scope(&self) -> Scope {
        Scope {
            provider: "alibaba".into(),
            account: self.account.into(),
            project: "".into(),
            region: self.region.into(),
            service: self.engine.product().service().into(),
        }
    }

    fn listed(&self) -> Listed {
        let facts = Facts {
            name: self.name.as_str().into(),
            status: self.engine.product().ready().into(),
            engine: self.engine.as_str().into(),
            tags: self.tags.map(|(key, value)| (key.into(), value.into())).into(),
            group: None,
            locked: false,
            in_use: None,
            used_by: Box::default(),
        };
        Listed { id: self.id.as_str().into(), facts, tags_known: true, reading: None, inspectable: true }
    }

    /// What a look at it finds.
    pub fn reading(&self, now: DateTime<Utc>) -> Reading {
        let host = format!("{}.rds.aliyuncs.com", self.id);
        let named = Subject { common_name: host.as_str().into(), ..Subject::default() };
        let begins = self.ends - TimeDelta::days(365);
        let is_postgres = self.engine == Engine::PostgreSql;
        let subject = if is_postgres { subject_of(&host, begins, self.ends) } else { named };
        let shown = Certificate {
            role: CertRole::Server,
            not_after: self.ends,
            not_before: is_postgres.then_some(begins),
            source: if is_postgres { DateSource::X509 } else { DateSource::Api },
            other_not_after: is_postgres.then_some(self.ends),
            subject,
        };
        Reading {
            state: TlsState::Enabled,
            certificates: vec![shown],
            managed_by: is_postgres.then_some(ManagedBy::Cloud),
            renewal_required: (self.engine.product().service() == "rds").then_some(false),
            at: now,
        }
    }
}

fn subject_of(host: &str, begins: DateTime<Utc>, ends: DateTime<Utc>) -> Subject {
    let mut parsed = x509::from_pem(&certificate(host, begins, ends)).expect("a certificate");
    parsed.remove(0).subject
}

/// Everything read well at `now`.
pub fn snapshot(resources: usize, now: DateTime<Utc>) -> Snapshot {
    let mut members: BTreeMap<Scope, Vec<Member>> = BTreeMap::new();
    for number in 0..resources {
        let member = Member::new(number, now);
        members.entry(member.scope()).or_default().push(member);
    }
    let mut snapshot = Snapshot::default();
    for (scope, members) in members {
        *snapshot.scope_mut(&Arc::new(scope)) = view(&members, now);
    }
    snapshot
}

/// One scope with these resources, read well at `now`.
pub fn view(members: &[Member], now: DateTime<Utc>) -> ScopeView {
    let mut view = ScopeView::default();
    let mut listing =
        Listing { resources: members.iter().map(Member::listed).collect(), ..Listing::default() };
    listing.resources.sort_by(|a, b| a.id.cmp(&b.id));
    view.absorb_listing(listing, Duration::from_secs(3), now);
    for member in members {
        view.absorb_inspection(&member.id, Inspection::Read(member.reading(now)), now);
    }
    view
}
