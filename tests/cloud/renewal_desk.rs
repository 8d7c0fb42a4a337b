//! One account of the simulated cloud with somebody who renews: reads the list, asks how, and makes the call.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use notafter::clock::Clock;
use notafter::daemon::poll::Account;
use notafter::domain::identity::Scope;
use notafter::domain::policy::OwnCertificate;
use notafter::domain::renewal::method::{Begins, Call, Capability};
use notafter::domain::resource::Resource;
use notafter::http::Http;
use notafter::provider::{self, Examination, Pair, Renewer, Sent};
use notafter::sim::alibaba::{self as sim, AlibabaCloud, Fault, Instance, Where};
use notafter::telemetry::Telemetry;

use crate::support::{Build, REGION, crypto, fleet};

/// The limit of one call.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(1500);

pub(crate) struct Desk {
    pub(crate) cloud: AlibabaCloud,
    account: Account,
}

impl Desk {
    pub(crate) async fn with(instances: Vec<Instance>) -> Self {
        let mut fleet = fleet();
        for instance in instances {
            fleet.insert(instance);
        }
        let cloud = AlibabaCloud::start(fleet, Utc::now).await.expect("a free port");
        let account = account(&cloud.base_url());
        Self { cloud, account }
    }

    pub(crate) fn renewer(&self) -> &dyn Renewer {
        self.account.provider.renewer().expect("this cloud renews")
    }

    pub(crate) async fn examine(&self, service: &str, id: &str) -> Examination {
        self.renewer().examine(&scope(service), id).await.expect("readable")
    }

    /// The call as it would be planned: by the listing, and by the host that was read.
    pub(crate) async fn call(
        &self,
        service: &str,
        id: &str,
        own: Option<&OwnCertificate>,
        begins: Begins,
    ) -> Call {
        let scope = scope(service);
        let listing = self.account.provider.discover(&scope).await.expect("listed");
        let listed = listing.resources.into_iter().find(|listed| &*listed.id == id).expect("in the list");
        let resource = Resource::new(listed.id, listed.facts);
        let kind = provider::find("alibaba").expect("a cloud");
        let Capability::Call(method) = (kind.renewal)(&scope, &resource) else { panic!("{id} has a call") };
        let host = self.examine(service, id).await.detail.host;
        method.call(id, host.as_deref(), own, begins)
    }

    pub(crate) async fn send(&self, service: &str, call: &Call, pair: Option<&Pair>) -> Sent {
        self.renewer().renew(&scope(service), call, pair, &|| None).await
    }

    /// The same for a call that comes too late by the time that it is its turn.
    pub(crate) async fn send_late(&self, service: &str, call: &Call) -> Sent {
        self.renewer().renew(&scope(service), call, None, &|| Some("it is over".to_owned())).await
    }

    /// Renews as planned, at once.
    pub(crate) async fn renew(&self, service: &str, id: &str) -> Sent {
        let call = self.call(service, id, None, Begins::AtOnce).await;
        self.send(service, &call, None).await
    }

    /// The calls that change something, as they arrived.
    pub(crate) fn arrived(&self) -> Vec<sim::Call> {
        self.cloud.calls().into_iter().filter(|call| call.action.starts_with("Modify")).collect()
    }

    /// The one call that arrived, `Action Name=value …` in the order of the names.
    pub(crate) fn the_one(&self) -> String {
        let arrived = self.arrived();
        assert_eq!(arrived.len(), 1, "{arrived:?}");
        let mut parameters: Vec<_> =
            arrived[0].parameters.iter().map(|found| format!(" {}={}", found.name, found.value)).collect();
        parameters.sort();
        format!("{}{}", arrived[0].action, parameters.concat())
    }

    /// Every call that changes something goes wrong in this way.
    pub(crate) fn spoil(&self, fault: &Fault) {
        for action in ["ModifyInstanceSSL", "ModifyDBInstanceSSL"] {
            self.cloud.inject(fault.clone(), Where::action(action), None);
        }
    }
}

/// An account that looks for the cloud there.
pub(crate) fn account(base: &str) -> Account {
    crypto();
    let http = Http::new(TIMEOUT, 8, Clock::system(), Arc::new(Telemetry::new()));
    Build::account("prod").build(base, &http)
}

pub(crate) fn scope(service: &str) -> Scope {
    let [provider, account, project, region, service] =
        ["alibaba", "prod", "", REGION, service].map(Into::into);
    Scope { provider, account, project, region, service }
}
