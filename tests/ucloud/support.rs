//! A simulated cloud with two accounts, and the poll loop running over it.

use std::sync::{Arc, LazyLock};

use chrono::{DateTime, TimeDelta, Utc};
use notafter::daemon::poll::{Account, Filter, Mode};
use notafter::domain::policy::PollPolicy;
use notafter::domain::snapshot::{ScopeView, Snapshot};
use notafter::http::{Http, Route};
use notafter::provider::Provider;
use notafter::provider::keys::{FixedKeys, Keys};
use notafter::provider::ucloud::{Api, UCloud as Watched};
use notafter::secret::Secret;
use notafter::sim::ucloud::{self as sim, Entry, Fleet, Project, Region, UCloud};

pub(crate) use crate::common::{crypto, find, quick};

pub(crate) const PROJECT: &str = "org-main";
pub(crate) const SIDE_PROJECT: &str = "org-side";
pub(crate) const REGION: &str = "cn-bj2";
pub(crate) const OTHER_REGION: &str = "hk";
pub(crate) const CLOSED_REGION: &str = "ge-fra";
pub(crate) const SECRET: &str = "PLANTED SECRET+4711/=";
pub(crate) const TOKEN: &str = "PLANTED-TOKEN+/=4711";

/// In this many days from the start of the tests, to the second.
pub(crate) fn days(days: i64) -> DateTime<Utc> {
    static START: LazyLock<i64> = LazyLock::new(|| Utc::now().timestamp());
    DateTime::from_timestamp(*START, 0).expect("in range") + TimeDelta::days(days)
}

/// Two accounts, the first with two projects; three regions, one of them not open.
pub(crate) fn fleet() -> Fleet {
    let mut fleet = Fleet::new(vec![
        Region::new(REGION, "华北（北京2）"),
        Region::new(OTHER_REGION, "中国香港"),
        Region { open: false, ..Region::new(CLOSED_REGION, "德国（法兰克福）") },
    ]);
    let main = vec![Project::new(PROJECT, "主项目"), Project::new(SIDE_PROJECT, "side")];
    for (name, projects) in [("prod", main), ("other", vec![Project::new("org-other", "other")])] {
        let keys = vec![sim::Key::new(&format!("{name}+key/=@"), SECRET)];
        fleet.accounts.push(sim::Account { name: name.into(), projects, keys });
    }
    fleet
}

pub(crate) fn entry(id: &str) -> Entry {
    Entry::new(id, "prod", PROJECT, REGION, days(100))
}

/// What an account of the simulated cloud needs to be polled.
pub(crate) struct Build<'a> {
    pub(crate) name: &'a str,
    pub(crate) public_key: String,
    pub(crate) private_key: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) regions: Option<Vec<String>>,
    pub(crate) projects: Option<Vec<String>>,
    pub(crate) rate_limit: Option<f64>,
    pub(crate) filter: Filter,
}

impl<'a> Build<'a> {
    pub(crate) fn account(name: &'a str) -> Self {
        Self {
            name,
            public_key: format!("{name}+key/=@"),
            private_key: SECRET,
            token: None,
            regions: None,
            projects: None,
            rate_limit: Some(5000.0),
            filter: Filter::default(),
        }
    }

    /// The provider alone, for looks by hand.
    pub(crate) fn provider(self, base: &str, http: &Http) -> Arc<dyn Provider> {
        let (provider_name, name): (Arc<str>, Arc<str>) = (Watched::NAME.into(), self.name.into());
        let route = Route { proxy: None, plain_http: true, only_loopback: true };
        let http = http.account(&provider_name, &name, route, self.rate_limit).expect("a client");
        let token = self.token.map(Secret::new);
        let (id, secret) = (Secret::new(self.public_key), Secret::new(self.private_key));
        let keys = Arc::new(FixedKeys::new(Keys { id, secret, token, expires: None }));
        let api = Api::new(http, keys, Some(base.to_owned()));
        Arc::new(Watched::new(api, name, self.regions, self.projects))
    }

    pub(crate) fn build(self, base: &str, http: &Http) -> Account {
        let (name, filter) = (Arc::from(self.name), self.filter.clone());
        let provider = self.provider(base, http);
        Account { name, provider_name: Watched::NAME.into(), services: vec!["ulb"], provider, filter }
    }
}

/// The poll loop over a simulated cloud.
pub(crate) type Watch = crate::common::Watch<UCloud>;

impl Watch {
    /// Over both accounts, in a quick rhythm.
    pub(crate) async fn over(fleet: Fleet) -> Self {
        let accounts = vec![Build::account("prod"), Build::account("other")];
        Self::with(fleet, quick(), Mode::Continuous, accounts).await
    }

    pub(crate) async fn with(fleet: Fleet, policy: PollPolicy, mode: Mode, accounts: Vec<Build<'_>>) -> Self {
        let cloud = UCloud::start(fleet, Utc::now).await.expect("a free port");
        Self::start(cloud, policy, mode, |cloud, http| {
            accounts.into_iter().map(|build| build.build(&cloud.base_url(), http)).collect()
        })
    }

    /// One round over account `prod`, and what it found.
    pub(crate) async fn once(fleet: Fleet) -> (UCloud, Arc<Snapshot>) {
        let accounts = vec![Build::account("prod")];
        let watch = Self::with(fleet, quick(), Mode::Once { only: None }, accounts).await;
        (watch.cloud.clone(), watch.finished().await)
    }
}

/// A scope; an empty one while it is not known yet.
pub(crate) fn scope(snapshot: &Snapshot, project: &str, region: &str) -> Arc<ScopeView> {
    let found =
        snapshot.scopes.iter().find(|(scope, _)| &*scope.project == project && &*scope.region == region);
    found.map(|(_, view)| Arc::clone(view)).unwrap_or_default()
}
