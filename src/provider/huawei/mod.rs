//! Huawei Cloud: distributed caches (DCS for Redis).
//!
//! `sign` is pure, `api` is the only file that sends, `wire` has the answers in the cloud's own words, `projects` and
//! `listing` put them together, `mapping` turns them into our words, `errors` says what an error code means. A look is
//! the SSL detail, which has the end of the server's certificate, and now and then the CA's certificate: `downloads`
//! says when, `link` where to, `archive` what is in it. `hold` keeps a refused key from being locked for everybody.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::call::{CallError, CallErrorKind};
use crate::domain::absence::Named;
use crate::domain::identity::Scope;
use crate::domain::listing::{Inspection, Listing, ScopeList};
use crate::domain::reason::Reason;
use crate::domain::renewal::method::Capability;
use crate::domain::resource::TlsState;
use crate::domain::snapshot::ScopeView;
use crate::http::Rate;
use crate::provider::{BoxFuture, Calls, Examined, Provider, ProviderKind};

mod action;
mod api;
mod archive;
pub mod credentials;
mod downloads;
mod endpoints;
mod errors;
mod hold;
mod link;
mod listing;
mod mapping;
mod projects;
mod replay;
pub mod settings;
pub mod sign;
mod wire;

use api::{Place, SslAnswer};
use downloads::{Downloads, Outcome};
use mapping::Downloaded;
use wire::Ssl;

pub use api::Api;
pub use downloads::Rhythm;
pub use endpoints::Templates;
pub use projects::Wanted;

/// Its entry in the list of clouds.
pub(super) const KIND: ProviderKind = ProviderKind {
    name: Huawei::NAME,
    services: &[Huawei::SERVICE],
    has_projects: true,
    endpoint_keys: settings::ENDPOINTS,
    calls: |_| action::CALLS,
    read_policy: "policies/huawei-read.json",
    renew_policy: None,
    renewal: |_, _| Capability::NoApi,
    // the list of caches of a region; the vendor documents no address of a single one
    console: |scope, _| {
        let region = &scope.region;
        format!("https://console.huaweicloud.com/dcs/?region={region}#/dcs/manager/cacheList")
    },
    roles: credentials::ROLES,
    replay: replay::replay,
    settings: settings::read,
    build: Some(settings::build),
};

/// A look does not wait longer than this for the turn of its download: the next look will do.
const PATIENCE: Duration = Duration::from_secs(2);
/// Nor longer than this for the download itself, waits for the pace of its calls included: the end of the server's
/// certificate is known by then and must not be held back.
const LONGEST_DOWNLOAD: Duration = Duration::from_secs(6);
/// Downloads of one project that are under way together: as many as it takes to learn that they are refused.
const TOGETHER: usize = 3;

/// One account of Huawei Cloud.
#[derive(Debug)]
pub struct Huawei {
    api: Api,
    account: Arc<str>,
    wanted: Wanted,
    downloads: Mutex<Downloads>,
    /// Turns at downloading, by project.
    turns: Mutex<HashMap<Place, Arc<Semaphore>>>,
}

impl Huawei {
    /// The name of this cloud in labels and in the configuration.
    pub const NAME: &'static str = "huawei";
    /// Its only service.
    pub const SERVICE: &'static str = "dcs";

    /// An account behind this API.
    pub fn new(api: Api, account: Arc<str>, wanted: Wanted, rhythm: Rhythm) -> Self {
        let downloads = Mutex::new(Downloads::new(rhythm));
        Self { api, account, wanted, downloads, turns: Mutex::default() }
    }

    fn scopes_at(&self, places: BTreeSet<Place>) -> Vec<Scope> {
        let scope = |place: Place| Scope {
            provider: Self::NAME.into(),
            account: Arc::clone(&self.account),
            project: place.project,
            region: place.region,
            service: Self::SERVICE.into(),
        };
        places.into_iter().map(scope).collect()
    }

    async fn listed_scopes(&self) -> Result<ScopeList, CallError> {
        let (mut rows, mut odd) = (Vec::new(), 0);
        for iam in self.api.templates().iam(self.wanted.regions.as_deref()) {
            let (read, unread) = self.api.projects(&iam).await?.projects.into_rows();
            rows.extend(read);
            odd += unread;
        }
        let found = self.wanted.sort_out(&rows, self.api.templates());
        odd += found.odd;
        self.tell_what_is_left_out(&found);
        let unreadable = |text| CallError::new(CallErrorKind::Unreadable, action::PROJECTS, text);
        if found.places.is_empty() {
            let text = "no project that this key may use is in a region to be watched";
            return Err(unreadable(text.to_owned()));
        }
        let incomplete = (odd > 0).then(|| unreadable(format!("{odd} rows have no readable id and name")));
        let incomplete = incomplete.map(|error| (Reason::Unreadable, error.to_string()));
        Ok(ScopeList { scopes: self.scopes_at(found.places), incomplete })
    }

    fn tell_what_is_left_out(&self, found: &projects::Found) {
        for region in &found.unknown_regions {
            tracing::info!(
                account = &*self.account,
                region,
                "no caches are known there; to watch it, configure it"
            );
        }
        for word in &found.missing {
            tracing::warn!(
                account = &*self.account,
                missing = word,
                "configured, and no project of this key fits"
            );
        }
    }

    async fn list(&self, place: &Place) -> Result<Listing, CallError> {
        let mut listing = listing::read(&self.api, place).await?;
        let mut downloads = self.downloads();
        // Where TLS was on, one row that says "unsupported" takes no certificate away: the detail is asked.
        for listed in listing.resources.iter_mut().filter(|listed| downloads.knows(place, &listed.id)) {
            if listed.reading.take().is_some() {
                listed.inspectable = true;
            }
        }
        if listing.incomplete.is_none() {
            let ids: HashSet<&str> = listing.resources.iter().map(|listed| &*listed.id).collect();
            downloads.keep_only(place, &ids);
        }
        drop(downloads);
        Ok(listing)
    }

    /// A look, and how the download ended if one was due.
    async fn look(&self, place: &Place, id: &str) -> Result<Examined, CallError> {
        let answer = self.api.ssl(place, id).await?;
        let now = self.api.http().clock().now();
        let without = |state| Inspection::Read(mapping::without_certificate(state, now));
        let mut beside = None;
        let inspection = match answer {
            SslAnswer::Off => without(TlsState::Disabled),
            SslAnswer::Unsupported => without(TlsState::Unsupported),
            SslAnswer::Gone => Inspection::Gone,
            SslAnswer::Busy => Inspection::Busy,
            SslAnswer::Detail(ssl) if !mapping::is_on(&ssl)? => without(TlsState::Disabled),
            SslAnswer::Detail(ssl) => {
                beside = self.download_if_due(place, id, &ssl).await?;
                mapping::inspection(&ssl, self.downloads().last(place, id).as_deref(), now)
            }
        };
        Ok(Examined { inspection, beside })
    }

    /// Downloads the CA's certificate anew where that is due, and says how that ended.
    ///
    /// # Errors
    /// Only that the key itself is refused; a download that fails never makes a look fail.
    async fn download_if_due(
        &self,
        place: &Place,
        id: &str,
        ssl: &Ssl,
    ) -> Result<Option<Result<(), CallError>>, CallError> {
        self.downloads().is_on(place, id);
        let shown = ssl.ssl_expired_at.text();
        let is_due = || self.downloads().is_due(place, id, shown, self.api.http().clock().elapsed());
        if is_due()
            && let Some(_turn) = self.turn(place).await
            && is_due()
        {
            return self.renew_download(place, id, shown).await.map(Some);
        }
        Ok(None)
    }

    /// A turn at downloading; `None` where it would not come soon. Details must not queue behind downloads, which the
    /// cloud throttles on their own and which an object store may leave without an answer.
    async fn turn(&self, place: &Place) -> Option<OwnedSemaphorePermit> {
        let wait = |action| self.api.http().wait(&place.region, action);
        if wait(action::DOWNLOAD).max(wait(action::FETCH)) > PATIENCE {
            return None;
        }
        let turns = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(place.clone()).or_insert_with(|| Arc::new(Semaphore::new(TOGETHER))))
        };
        tokio::time::timeout(PATIENCE, turns.acquire_owned()).await.ok()?.ok()
    }

    async fn renew_download(
        &self,
        place: &Place,
        id: &str,
        shown: Option<&str>,
    ) -> Result<Result<(), CallError>, CallError> {
        use CallErrorKind::{KeyDenied, NotSent, PermissionDenied, Throttled, Timeout, Unreachable};
        let download = tokio::time::timeout(LONGEST_DOWNLOAD, self.download(place, id)).await;
        let late = |_| {
            let text = format!("not done within {LONGEST_DOWNLOAD:?}, waits for the pace included");
            Err(CallError::new(CallErrorKind::Timeout, action::DOWNLOAD, text))
        };
        let (outcome, error) = match download.unwrap_or_else(late) {
            Ok(downloaded) => (Outcome::Done(Arc::new(downloaded)), None),
            Err(error) => match error.kind {
                KeyDenied | NotSent => return Err(error),
                PermissionDenied => (Outcome::Refused, Some(error)),
                Throttled(_) | Timeout | Unreachable => (Outcome::Unanswered, Some(error)),
                _ => (Outcome::Failed, Some(error)),
            },
        };
        let news = self.downloads().note(place, id, shown, outcome, self.api.http().clock().elapsed());
        self.tell(place, id, error.as_ref(), news);
        Ok(error.map_or(Ok(()), Err))
    }

    /// A link, what is behind it, and what is in that. A link that is refused may just have expired: once, another one
    /// is asked for.
    async fn download(&self, place: &Place, id: &str) -> Result<Downloaded, CallError> {
        let link = self.api.link(place, id).await?;
        let bytes = match self.api.fetch(place, &link).await {
            Err(error) if error.kind == CallErrorKind::Refused => {
                let link = self.api.link(place, id).await?;
                self.api.fetch(place, &link).await?
            }
            other => other?,
        };
        let found = archive::certificates(&bytes)
            .map_err(|error| CallError::new(CallErrorKind::Unreadable, action::FETCH, error.to_string()))?;
        let none = || CallError::new(CallErrorKind::Unreadable, action::FETCH, "no certificate was found");
        Downloaded::of(found).ok_or_else(none)
    }

    /// The first failure of a project is worth a line, its repetition is not.
    fn tell(&self, place: &Place, id: &str, error: Option<&CallError>, news: bool) {
        let Some(error) = error else { return };
        let Place { region, project } = place;
        if news {
            tracing::warn!(
                account = &*self.account, %region, %project, resource = id, %error,
                "a CA certificate could not be downloaded; the end of the server's is watched all the same"
            );
        } else {
            tracing::debug!(account = &*self.account, %region, %project, resource = id, %error, "download failed again");
        }
    }

    fn downloads(&self) -> MutexGuard<'_, Downloads> {
        self.downloads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Provider for Huawei {
    fn configured_scopes(&self, service: &str) -> Option<Vec<Scope>> {
        (service == Self::SERVICE)
            .then(|| self.wanted.places())
            .flatten()
            .map(|places| self.scopes_at(places))
    }

    fn scopes<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<ScopeList, CallError>> {
        Box::pin(self.listed_scopes())
    }

    fn named(&self) -> Named {
        Named { regions: self.wanted.regions.is_some(), projects: self.wanted.projects.is_some() }
    }

    /// So that what was downloaded is not downloaded again with the first look, and stays known if it cannot be.
    fn recall(&self, scope: &Scope, known: &ScopeView) {
        let (place, now) = (place_of(scope), self.api.http().clock().elapsed());
        let mut downloads = self.downloads();
        for resource in known.resources.iter().filter(|resource| resource.state() == TlsState::Enabled) {
            downloads.is_on(&place, &resource.id);
            if let Some((downloaded, shown)) = mapping::recalled(resource.certificates()) {
                downloads.recall(&place, &resource.id, downloaded, shown, now);
            }
        }
    }

    fn forget(&self, scope: &Scope) {
        let place = place_of(scope);
        self.downloads().forget(&place);
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).remove(&place);
    }

    fn discover<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Listing, CallError>> {
        Box::pin(async move { self.list(&place_of(scope)).await })
    }

    fn inspect<'a>(&'a self, scope: &'a Scope, id: &'a str) -> BoxFuture<'a, Result<Inspection, CallError>> {
        Box::pin(async move { Ok(self.look(&place_of(scope), id).await?.inspection) })
    }

    fn examine<'a>(&'a self, scope: &'a Scope, id: &'a str) -> BoxFuture<'a, Result<Examined, CallError>> {
        Box::pin(async move { self.look(&place_of(scope), id).await })
    }

    fn calls(&self, _: &str) -> Calls {
        action::CALLS
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
        self.api.http().rate(&scope.region, action::SSL)
    }
}

fn place_of(scope: &Scope) -> Place {
    Place { region: Arc::clone(&scope.region), project: Arc::clone(&scope.project) }
}
