//! UCloud: certificates of load balancers.
//!
//! `sign` is pure, `api` is the only file that sends, `wire` has the answers in the cloud's own words and lets no
//! private key in, `listing` puts pages together, `mapping` turns answers into our words, `errors` says what a
//! `RetCode` means. A listing carries everything; a look at one certificate is only for those whose date it did not
//! tell.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;

use crate::call::{CallError, CallErrorKind};
use crate::domain::absence::Named;
use crate::domain::identity::Scope;
use crate::domain::listing::{Inspection, Listing, ScopeList};
use crate::domain::reason::Reason;
use crate::domain::renewal::method::Capability;
use crate::domain::snapshot::ScopeView;
use crate::http::Rate;
use crate::provider::loose::{Loose, Row};
use crate::provider::{BoxFuture, Calls, Provider, ProviderKind};

mod api;
pub mod credentials;
mod errors;
mod listing;
mod mapping;
mod replay;
pub mod settings;
pub mod sign;
mod wire;

pub use api::Api;
use api::{DESCRIBE, GET_PROJECT_LIST, GET_REGION, Place};
use listing::Known;

/// Its entry in the list of clouds.
pub(super) const KIND: ProviderKind = ProviderKind {
    name: UCloud::NAME,
    services: &["ulb"],
    has_projects: true,
    endpoint_keys: settings::ENDPOINTS,
    calls: calls_of,
    read_policy: "policies/ucloud-read.json",
    renew_policy: None,
    renewal: |_, _| Capability::NoApi,
    // the list of balancers; no address of a single certificate is known
    console: |_, _| "https://console.ucloud.cn/ulb".to_owned(),
    roles: credentials::ROLES,
    replay: replay::replay,
    settings: settings::read,
    build: Some(settings::build),
};

/// The calls that are made. A look at one certificate makes the listing's own call.
fn calls_of(_: &str) -> Calls {
    Calls { scopes: &[GET_REGION, GET_PROJECT_LIST], listing: &[DESCRIBE], ..Calls::default() }
}

/// One account of UCloud.
#[derive(Debug)]
pub struct UCloud {
    api: Api,
    account: Arc<str>,
    /// As configured; `None`: those that the cloud lists.
    regions: Option<Vec<String>>,
    /// As configured; `None`: those that the cloud lists.
    projects: Option<Vec<String>>,
    memory: Mutex<Memory>,
}

/// What was learnt since the start.
#[derive(Debug, Default)]
struct Memory {
    /// By place, the certificates of the listings so far.
    known: HashMap<Place, Known>,
    /// Places that were told of as not open.
    closed: HashSet<Place>,
}

impl UCloud {
    /// The name of this cloud in labels and in the configuration.
    pub const NAME: &'static str = "ucloud";

    /// An account behind this API.
    pub fn new(
        api: Api,
        account: Arc<str>,
        regions: Option<Vec<String>>,
        projects: Option<Vec<String>>,
    ) -> Self {
        Self { api, account, regions, projects, memory: Mutex::default() }
    }

    fn scopes_in(
        &self,
        service: &str,
        regions: &BTreeSet<String>,
        projects: &BTreeSet<String>,
    ) -> Vec<Scope> {
        let pairs = projects.iter().flat_map(|project| regions.iter().map(move |region| (project, region)));
        let scope = |(project, region): (&String, &String)| Scope {
            provider: Self::NAME.into(),
            account: Arc::clone(&self.account),
            project: project.as_str().into(),
            region: region.as_str().into(),
            service: service.into(),
        };
        pairs.map(scope).collect()
    }

    /// Rows are zones, so a region comes several times.
    async fn regions(&self) -> Result<Ids, CallError> {
        match &self.regions {
            Some(configured) => Ok(Ids::configured(configured)),
            None => Ids::read(self.api.regions().await?.Regions, |row| &row.Region, GET_REGION, "region"),
        }
    }

    async fn projects(&self) -> Result<Ids, CallError> {
        let Some(configured) = &self.projects else {
            let answer = self.api.projects().await?;
            let count = answer.ProjectSet.len();
            let ids = Ids::read(answer.ProjectSet, |row| &row.ProjectId, GET_PROJECT_LIST, "project")?;
            return Ok(ids.expecting(answer.ProjectCount.number(), count, GET_PROJECT_LIST));
        };
        Ok(Ids::configured(configured))
    }

    async fn listed_scopes(&self, service: &str) -> Result<ScopeList, CallError> {
        let (regions, projects) = (self.regions().await?, self.projects().await?);
        let scopes = self.scopes_in(service, &regions.ids, &projects.ids);
        let incomplete = regions.incomplete.or(projects.incomplete);
        Ok(ScopeList { scopes, incomplete: incomplete.map(|error| (Reason::Unreadable, error.to_string())) })
    }

    /// A region that never answered and is not open to the account is one without certificates, and no error: the list
    /// of regions may name more than an account uses. One that answered before keeps what is known of it, and fails.
    async fn list(&self, scope: &Scope) -> Result<Listing, CallError> {
        let place = place_of(scope);
        let before = self.memory().known.get(&place).cloned();
        let mut known = before.clone().unwrap_or_default();
        match listing::read(&self.api, &place, &mut known).await {
            Ok(listing) => {
                self.memory().known.insert(place, known);
                Ok(listing)
            }
            Err(error) if before.is_none() && errors::says_not_open(&error) => {
                self.tell_once_that_it_is_closed(place, scope, &error);
                Ok(Listing::default())
            }
            Err(error) => Err(error),
        }
    }

    /// Worth a second look where somebody wrote the region down.
    fn tell_once_that_it_is_closed(&self, place: Place, scope: &Scope, error: &CallError) {
        const TEXT: &str = "the region is not open to the account, nothing is expected there";
        match (self.memory().closed.insert(place), &self.regions) {
            (true, Some(_)) => tracing::warn!(%scope, %error, "{TEXT}"),
            (true, None) => tracing::info!(%scope, %error, "{TEXT}"),
            (false, _) => {}
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Provider for UCloud {
    fn configured_scopes(&self, service: &str) -> Option<Vec<Scope>> {
        let regions = self.regions.as_ref()?.iter().cloned().collect();
        let projects = self.projects.as_ref()?.iter().cloned().collect();
        Some(self.scopes_in(service, &regions, &projects))
    }

    fn scopes<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Result<ScopeList, CallError>> {
        Box::pin(self.listed_scopes(service))
    }

    fn named(&self) -> Named {
        Named { regions: self.regions.is_some(), projects: self.projects.is_some() }
    }

    /// So that a certificate which is missing now is asked for by its id, and a region that closes is a failure.
    fn recall(&self, scope: &Scope, known: &ScopeView) {
        let ids = known.resources.iter().map(|resource| Arc::clone(&resource.id));
        if !known.resources.is_empty() {
            self.memory().known.entry(place_of(scope)).or_default().extend(ids);
        }
    }

    fn forget(&self, scope: &Scope) {
        let place = place_of(scope);
        let mut memory = self.memory();
        memory.known.remove(&place);
        memory.closed.remove(&place);
    }

    fn discover<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Listing, CallError>> {
        Box::pin(self.list(scope))
    }

    fn inspect<'a>(&'a self, scope: &'a Scope, id: &'a str) -> BoxFuture<'a, Result<Inspection, CallError>> {
        Box::pin(async move { listing::inspect(&self.api, &place_of(scope), id).await })
    }

    fn calls(&self, service: &str) -> Calls {
        calls_of(service)
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

    fn inspect_rate(&self, _: &Scope) -> f64 {
        self.api.rate()
    }
}

fn place_of(scope: &Scope) -> Place {
    Place { project: Arc::clone(&scope.project), region: Arc::clone(&scope.region) }
}

/// The distinct ids of regions or projects.
#[derive(Default)]
struct Ids {
    ids: BTreeSet<String>,
    /// Why some may be missing.
    incomplete: Option<CallError>,
}

impl Ids {
    fn configured(ids: &[String]) -> Self {
        Self { ids: ids.iter().cloned().collect(), incomplete: None }
    }

    /// Those in rows; none at all is no answer.
    fn read<T>(
        rows: Vec<Row<T>>,
        id: impl Fn(&T) -> &Loose,
        action: &'static str,
        what: &str,
    ) -> Result<Self, CallError> {
        let (mut found, mut odd) = (Self::default(), 0);
        for row in rows {
            match &row {
                Row::Read(row) if id(row).text().is_some() => {
                    found.ids.extend(id(row).text().map(str::to_owned));
                }
                Row::Read(_) | Row::Odd => odd += 1,
            }
        }
        if found.ids.is_empty() {
            return Err(unreadable(action, format!("the answer names no {what}")));
        }
        found.incomplete =
            (odd > 0).then(|| unreadable(action, format!("{odd} rows have no readable {what} id")));
        Ok(found)
    }

    /// Holds the number of rows against the one that was announced, if one was.
    fn expecting(mut self, announced: Option<usize>, came: usize, action: &'static str) -> Self {
        if let Some(announced) = announced.filter(|announced| *announced != came) {
            let text = format!("{announced} rows were announced and {came} came");
            self.incomplete.get_or_insert_with(|| unreadable(action, text));
        }
        self
    }
}

fn unreadable(action: &'static str, text: String) -> CallError {
    CallError::new(CallErrorKind::Unreadable, action, text)
}
