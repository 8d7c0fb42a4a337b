//! A simulated cloud with two accounts, and the poll loop running over it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use notafter::daemon::poll::{Account, Filter, Mode};
use notafter::domain::identity::CertRole;
use notafter::domain::resource::Certificate;
use notafter::domain::snapshot::{ScopeView, Snapshot};
use notafter::http::{Http, Route};
use notafter::provider::huawei::{Api, Huawei, Rhythm, Templates, Wanted};
use notafter::provider::keys::{FixedKeys, Keys};
use notafter::secret::Secret;
use notafter::sim::huawei::{self as sim, Fault, Fleet, HuaweiCloud, Instance, Key, Project, Where};

pub(crate) use crate::common::{beside_each_other, find, quick};

pub(crate) const REGION: &str = "cn-north-4";
pub(crate) const OTHER_REGION: &str = "ap-southeast-3";
pub(crate) const PROJECT: &str = "0123456789abcdef0123456789abcde1";
pub(crate) const TEAM: &str = "0123456789abcdef0123456789abcde2";
pub(crate) const ELSEWHERE: &str = "0123456789abcdef0123456789abcde3";
pub(crate) const OTHER_PROJECT: &str = "0123456789abcdef0123456789abcde4";
pub(crate) const AK: &str = "PLANTEDAK4711";
pub(crate) const SECRET: &str = "PLANTED-SECRET-4711";
pub(crate) const TOKEN: &str = "PLANTED-TOKEN-4711";

/// In this many days from now, to the millisecond, which is all that the cloud writes.
pub(crate) fn days(days: i64) -> DateTime<Utc> {
    let now = DateTime::from_timestamp_millis(Utc::now().timestamp() * 1000 + 669).expect("in range");
    now + TimeDelta::days(days)
}

/// The same to the second, as in a certificate.
pub(crate) fn whole_days(count: i64) -> DateTime<Utc> {
    days(count) - TimeDelta::milliseconds(669)
}

/// Two accounts, two regions, a sub-project, no instances.
pub(crate) fn fleet() -> Fleet {
    let mut fleet = Fleet::default();
    let north = Project::new(PROJECT, REGION, "account-1");
    fleet.projects = vec![
        north.part(TEAM, "team"),
        north,
        Project::new(ELSEWHERE, OTHER_REGION, "account-1"),
        Project::new(OTHER_PROJECT, REGION, "account-2"),
    ];
    for (id, name, key) in [("account-1", "prod", AK), ("account-2", "other", "OTHERAK")] {
        let keys = vec![Key::new(key, SECRET)];
        fleet.accounts.push(sim::Account { id: id.into(), name: name.into(), keys });
    }
    fleet
}

pub(crate) fn instance(id: &str) -> Instance {
    Instance::new(id, PROJECT, days(100), whole_days(2000))
}

/// Downloads again so soon that a test sees it.
pub(crate) fn often() -> Rhythm {
    let soon = Duration::from_millis(300);
    Rhythm { again: soon, refused: soon, failed: soon }
}

/// What an account of the simulated cloud needs to be polled.
pub(crate) struct Build<'a> {
    pub(crate) name: &'a str,
    pub(crate) key_id: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) wanted: Wanted,
    pub(crate) rhythm: Rhythm,
    pub(crate) rate_limit: Option<f64>,
}

impl<'a> Build<'a> {
    pub(crate) fn account(name: &'a str) -> Self {
        Self {
            name,
            key_id: if name == "prod" { AK } else { "OTHERAK" },
            secret: SECRET,
            token: None,
            wanted: Wanted::default(),
            rhythm: Rhythm::default(),
            rate_limit: Some(5000.0),
        }
    }

    pub(crate) fn build(self, cloud: &HuaweiCloud, http: &Http) -> Account {
        let (provider_name, name): (Arc<str>, Arc<str>) = (Huawei::NAME.into(), self.name.into());
        let route = Route { proxy: None, plain_http: true, only_loopback: true };
        let http = http.account(&provider_name, &name, route, self.rate_limit).expect("a client");
        let token = self.token.map(Secret::new);
        let (id, secret) = (Secret::new(self.key_id), Secret::new(self.secret));
        let keys = Arc::new(FixedKeys::new(Keys { id, secret, token, expires: None }));
        let templates = Templates { dcs: Some(cloud.dcs()), iam: Some(cloud.iam()) };
        let api = Api::new(http, keys, templates, true);
        let provider = Arc::new(Huawei::new(api, Arc::clone(&name), self.wanted, self.rhythm));
        Account { name, provider_name, services: vec!["dcs"], provider, filter: Filter::default() }
    }
}

/// The poll loop over a simulated cloud.
pub(crate) type Watch = crate::common::Watch<HuaweiCloud>;

impl Watch {
    /// Over both accounts, in a quick rhythm.
    pub(crate) async fn over(fleet: Fleet) -> Self {
        Self::with(fleet, Mode::Continuous, vec![Build::account("prod"), Build::account("other")]).await
    }

    pub(crate) async fn with(fleet: Fleet, mode: Mode, accounts: Vec<Build<'_>>) -> Self {
        let cloud = HuaweiCloud::start(fleet, Utc::now).await.expect("a free port");
        Self::at(cloud, mode, accounts)
    }

    /// Over one account of a cloud on which calls of a kind go wrong from the start.
    pub(crate) async fn upset(fleet: Fleet, fault: Fault, place: Where) -> Self {
        let cloud = HuaweiCloud::start(fleet, Utc::now).await.expect("a free port");
        cloud.inject(fault, place, None);
        Self::at(cloud, Mode::Continuous, vec![Build::account("prod")])
    }

    fn at(cloud: HuaweiCloud, mode: Mode, accounts: Vec<Build<'_>>) -> Self {
        Self::start(cloud, quick(), mode, |cloud, http| {
            accounts.into_iter().map(|build| build.build(cloud, http)).collect()
        })
    }

    /// A single round over one account.
    pub(crate) async fn once(fleet: Fleet, account: Build<'_>) -> (HuaweiCloud, Arc<Snapshot>) {
        let watch = Self::with(fleet, Mode::Once { only: None }, vec![account]).await;
        let cloud = watch.cloud.clone();
        (cloud, watch.finished().await)
    }

    /// Waits until so many more calls of this name came.
    pub(crate) async fn until_called(&self, action: &str, more: usize) {
        let wanted = self.cloud.count(action) + more;
        for _ in 0..500 {
            if self.cloud.count(action) >= wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{action} was not called {more} times more within 10 s");
    }
}

/// The certificate of that role, if it is known.
pub(crate) fn certificate<'s>(snapshot: &'s Snapshot, id: &str, role: CertRole) -> Option<&'s Certificate> {
    find(snapshot, id)?.certificates().iter().find(|certificate| certificate.role == role)
}

/// Its end.
pub(crate) fn end(snapshot: &Snapshot, id: &str, role: CertRole) -> Option<DateTime<Utc>> {
    certificate(snapshot, id, role).map(|certificate| certificate.not_after)
}

pub(crate) fn scope<'s>(snapshot: &'s Snapshot, account: &str, project: &str) -> &'s ScopeView {
    let mut scopes = snapshot.scopes.iter();
    let found = scopes.find(|(scope, _)| &*scope.account == account && &*scope.project == project);
    found.unwrap_or_else(|| panic!("no scope {account}/{project}")).1
}
