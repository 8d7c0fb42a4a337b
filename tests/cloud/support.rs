//! A simulated cloud with two accounts, and the poll loop running over it.

use std::sync::{Arc, LazyLock};

use chrono::{DateTime, TimeDelta, Utc};
use notafter::daemon::poll::{Account, Filter, Mode};
use notafter::domain::identity::Scope;
use notafter::domain::policy::PollPolicy;
use notafter::domain::snapshot::{ScopeView, Snapshot};
use notafter::http::{Http, Route};
use notafter::provider::alibaba::{Alibaba, Api, Templates};
use notafter::provider::keys::{FixedKeys, Keys};
use notafter::secret::Secret;
use notafter::sim::alibaba::{self as sim, AlibabaCloud, Engine, Fleet, Instance, Region};

#[allow(unused_imports)] // not every test that borrows this needs all of it
pub(crate) use crate::common::{crypto, find, quick};

pub(crate) const UID: &str = "1000000000000001";
pub(crate) const OTHER_UID: &str = "1000000000000002";
pub(crate) const REGION: &str = "cn-hangzhou";
pub(crate) const OTHER_REGION: &str = "eu-central-1";
pub(crate) const SECRET: &str = "PLANTED-SECRET-4711";
pub(crate) const TOKEN: &str = "PLANTED-TOKEN-4711";

/// In this many days from the start of the tests, to the second.
pub(crate) fn days(days: i64) -> DateTime<Utc> {
    static START: LazyLock<i64> = LazyLock::new(|| Utc::now().timestamp());
    DateTime::from_timestamp(*START, 0).expect("in range") + TimeDelta::days(days)
}

/// Two accounts and two regions, no instances.
pub(crate) fn fleet() -> Fleet {
    let mut fleet = Fleet::new(vec![
        Region::new(REGION, "华东1（杭州）", "China (Hangzhou)"),
        Region::new(OTHER_REGION, "德国", "Germany"),
    ]);
    for (uid, name) in [(UID, "prod"), (OTHER_UID, "other")] {
        let keys = vec![sim::Key::new(name, SECRET)];
        fleet.accounts.push(sim::Account { uid: uid.into(), name: name.into(), keys });
    }
    fleet
}

pub(crate) fn instance(engine: Engine, id: &str) -> Instance {
    Instance::new(engine, id, UID, REGION, days(100))
}

/// What an account of the simulated cloud needs to be polled.
pub(crate) struct Build<'a> {
    pub(crate) name: &'a str,
    pub(crate) key_id: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) services: Vec<&'static str>,
    pub(crate) regions: Option<Vec<String>>,
    pub(crate) rate_limit: Option<f64>,
    pub(crate) filter: Filter,
}

impl<'a> Build<'a> {
    pub(crate) fn account(name: &'a str) -> Self {
        Self {
            name,
            key_id: name,
            secret: SECRET,
            token: None,
            services: vec!["redis", "rds", "mongodb"],
            regions: None,
            rate_limit: Some(5000.0),
            filter: Filter::default(),
        }
    }

    pub(crate) fn build(self, base: &str, http: &Http) -> Account {
        let (provider_name, name): (Arc<str>, Arc<str>) = (Alibaba::NAME.into(), self.name.into());
        let route = Route { proxy: None, plain_http: true, only_loopback: true };
        let http = http.account(&provider_name, &name, route, self.rate_limit).expect("a client");
        let token = self.token.map(Secret::new);
        let (id, secret) = (Secret::new(self.key_id), Secret::new(self.secret));
        let keys = Arc::new(FixedKeys::new(Keys { id, secret, token, expires: None }));
        let base = || Some(base.to_owned());
        let api = Api::new(http, keys, Templates { redis: base(), rds: base(), mongodb: base() });
        let provider = Arc::new(Alibaba::new(api, Arc::clone(&name), self.regions, false));
        Account { name, provider_name, services: self.services, provider, filter: self.filter }
    }
}

/// The poll loop over a simulated cloud.
pub(crate) type Watch = crate::common::Watch<AlibabaCloud>;

impl Watch {
    /// Over both accounts, in a quick rhythm.
    pub(crate) async fn over(fleet: Fleet) -> Self {
        Self::with(fleet, quick(), Mode::Continuous, vec![Build::account("prod"), Build::account("other")])
            .await
    }

    pub(crate) async fn with(fleet: Fleet, policy: PollPolicy, mode: Mode, accounts: Vec<Build<'_>>) -> Self {
        let cloud = AlibabaCloud::start(fleet, Utc::now).await.expect("a free port");
        Self::start(cloud, policy, mode, |cloud, http| {
            accounts.into_iter().map(|build| build.build(&cloud.base_url(), http)).collect()
        })
    }
}

/// A scope; an empty one while it is not known yet.
pub(crate) fn scope(snapshot: &Snapshot, account: &str, region: &str, service: &str) -> Arc<ScopeView> {
    let wanted =
        |scope: &Scope| &*scope.account == account && &*scope.region == region && &*scope.service == service;
    let found = snapshot.scopes.iter().find(|(scope, _)| wanted(scope));
    found.map(|(_, view)| Arc::clone(view)).unwrap_or_default()
}
