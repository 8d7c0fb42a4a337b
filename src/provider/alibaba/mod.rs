//! Alibaba Cloud: Redis and Tair, RDS, MongoDB.
//!
//! `sign` is pure, `api` is the only file that sends, `wire` has the answers in the cloud's own words, `listing` puts
//! pages together, `mapping` turns answers into our words, `errors` says what an error code means.
//!
//! Renewal: `renewal` has the parameters of each engine, `renewer` reads and makes the call, `examination` says what the
//! reading means, `refusal` what became of the call.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;

use crate::call::{CallError, CallErrorKind};
use crate::domain::absence::Named;
use crate::domain::identity::Scope;
use crate::domain::listing::{Inspection, Listing, ScopeList};
use crate::domain::reason::Reason;
use crate::http::Rate;
use crate::provider::{BoxFuture, Calls, Provider, ProviderKind, Renewer};

mod api;
pub mod credentials;
mod endpoints;
mod errors;
mod examination;
mod listing;
mod mapping;
mod product;
mod refusal;
mod renewal;
mod renewer;
mod replay;
pub mod settings;
pub mod sign;
mod wire;

use crate::provider::verdict::Verdict;
pub use api::{Api, Templates};
use product::{Operation, Product};

/// Its entry in the list of clouds.
pub(super) const KIND: ProviderKind = ProviderKind {
    name: Alibaba::NAME,
    services: &["redis", "rds", "mongodb"],
    has_projects: false,
    endpoint_keys: settings::ENDPOINTS,
    calls: Product::calls_of,
    read_policy: "policies/alibaba-read.json",
    renew_policy: Some("policies/alibaba-renew.json"),
    renewal: |scope, resource| renewal::capability(&scope.service, &resource.facts.engine),
    console,
    roles: credentials::ROLES,
    replay: replay::replay,
    settings: settings::read,
    build: Some(settings::build),
};

/// The page of an instance of RDS; for the others the list of their region, where the id can be searched for (seen in
/// use; the vendor documents none of them).
fn console(scope: &Scope, id: &str) -> String {
    let region = &scope.region;
    match &*scope.service {
        "rds" => format!("https://rdsnext.console.aliyun.com/detail/{id}/basicInfo?region={region}"),
        "mongodb" => format!("https://mongodb.console.aliyun.com/replicate/{region}/instances"),
        _ => format!("https://kvstore.console.aliyun.com/Redis/instance/{region}"),
    }
}

/// One account of Alibaba Cloud.
#[derive(Debug)]
pub struct Alibaba {
    api: Api,
    account: Arc<str>,
    /// As configured; `None`: those that the cloud lists.
    regions: Option<Vec<String>>,
    /// The operator's filters cannot be decided without tags.
    tags_needed: bool,
}

impl Alibaba {
    /// The name of this cloud in labels and in the configuration.
    pub const NAME: &'static str = "alibaba";

    /// An account behind this API.
    pub fn new(api: Api, account: Arc<str>, regions: Option<Vec<String>>, tags_needed: bool) -> Self {
        Self { api, account, regions, tags_needed }
    }

    async fn listed_scopes(&self, service: &str) -> Result<ScopeList, CallError> {
        let product = product_of(service)?;
        let (rows, mut odd) = self.api.regions(product).await?.regions.into_rows();
        let mut regions = BTreeSet::new();
        for id in rows.iter().map(|row| row.RegionId.text().filter(|id| is_region(id))) {
            odd += usize::from(id.is_none());
            regions.extend(id.map(str::to_owned));
        }
        let unreadable = |text: String| {
            CallError::new(CallErrorKind::Unreadable, product.action(Operation::Regions), text)
        };
        if regions.is_empty() {
            return Err(unreadable("the answer names no region".to_owned()));
        }
        let incomplete = (odd > 0).then(|| unreadable(format!("{odd} rows have no readable region id")));
        let incomplete = incomplete.map(|error| (Reason::Unreadable, error.to_string()));
        Ok(ScopeList { scopes: self.scopes_in(service, regions), incomplete })
    }

    fn scopes_in(&self, service: &str, regions: impl IntoIterator<Item = String>) -> Vec<Scope> {
        let scope = |region: String| Scope {
            provider: Self::NAME.into(),
            account: Arc::clone(&self.account),
            project: "".into(),
            region: region.into(),
            service: service.into(),
        };
        regions.into_iter().map(scope).collect()
    }

    async fn look(&self, scope: &Scope, id: &str) -> Result<Inspection, CallError> {
        let product = product_of(&scope.service)?;
        let answer = self.api.ssl(product, &scope.region, id).await;
        let now = self.api.http().clock().now();
        match answer {
            Ok(answer) => mapping::inspection(answer, product.action(Operation::Ssl), now),
            Err(error) => match errors::CODES.verdict(&error) {
                Verdict::Unsupported => Ok(mapping::unsupported(now)),
                Verdict::Gone => Ok(Inspection::Gone),
                Verdict::Busy => Ok(Inspection::Busy),
                Verdict::Failure => Err(error),
            },
        }
    }
}

impl Provider for Alibaba {
    fn configured_scopes(&self, service: &str) -> Option<Vec<Scope>> {
        let regions: BTreeSet<String> = self.regions.as_ref()?.iter().cloned().collect();
        Some(self.scopes_in(service, regions))
    }

    fn scopes<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Result<ScopeList, CallError>> {
        Box::pin(self.listed_scopes(service))
    }

    fn named(&self) -> Named {
        Named { regions: self.regions.is_some(), projects: false }
    }

    fn discover<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Listing, CallError>> {
        Box::pin(async move {
            let product = product_of(&scope.service)?;
            listing::read(&self.api, product, &scope.region, self.tags_needed).await
        })
    }

    fn inspect<'a>(&'a self, scope: &'a Scope, id: &'a str) -> BoxFuture<'a, Result<Inspection, CallError>> {
        Box::pin(self.look(scope, id))
    }

    fn calls(&self, service: &str) -> Calls {
        Product::calls_of(service)
    }

    fn key_calls(&self) -> Vec<&'static str> {
        self.api.keys().actions()
    }

    fn clock_ahead(&self) -> Option<TimeDelta> {
        self.api.http().clock_ahead()
    }

    fn rates(&self) -> Vec<Rate> {
        self.api.http().rates()
    }

    fn inspect_rate(&self, scope: &Scope) -> f64 {
        let action = Product::of_service(&scope.service).map(|product| product.action(Operation::Ssl));
        action.map_or(0.0, |action| self.api.http().rate(&scope.region, action))
    }

    fn renewer(&self) -> Option<&dyn Renewer> {
        Some(self)
    }
}

/// A region id becomes part of a host name: letters, digits and hyphens only.
fn is_region(id: &str) -> bool {
    id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn product_of(service: &str) -> Result<Product, CallError> {
    Product::of_service(service)
        .ok_or_else(|| CallError::new(CallErrorKind::Refused, "alibaba", format!("no service `{service}`")))
}
