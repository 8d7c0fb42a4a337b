//! What a service tells about itself, and what its simulated cloud can be made to do.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use notafter::daemon::poll::{Account, Mode};
use notafter::domain::identity::{CertRole, Scope};
use notafter::domain::policy::PollPolicy;
use notafter::domain::reason::Reason;
use notafter::domain::resource::TlsState;
use notafter::domain::snapshot::{ScopeView, Snapshot};
use notafter::http::Http;
use notafter::sim::alibaba::{Fault, Where};

use crate::common::{self, quick};

/// A boxed future that may move between threads.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// A handle to a simulated cloud.
pub(crate) type Handle = Arc<dyn Cloud>;
/// The poll loop over it.
pub(crate) type Watch = common::Watch<Handle>;

/// A service under test.
pub(crate) struct Service {
    /// As in messages; with `_` for blanks the module of its tests.
    pub(crate) name: &'static str,
    /// Label `cloud_provider`.
    pub(crate) provider: &'static str,
    /// Label `cloud_service`.
    pub(crate) label: &'static str,
    /// Starts its cloud, with two accounts and nothing in them.
    pub(crate) start: fn() -> BoxFuture<Handle>,
    /// The call that lists.
    pub(crate) listing: Call,
    /// The call that looks at one resource; `None`: the listing carries everything.
    pub(crate) detail: Option<Call>,
    /// Home, elsewhere, and the other account's.
    pub(crate) places: [Place; 3],
    /// How many rows make three pages at the least.
    pub(crate) three_pages: usize,
    /// What an error answer with status 500 and the cloud's own words counts as.
    pub(crate) own_500: Reason,
    /// What its requests are made with and nobody may see.
    pub(crate) secrets: &'static [&'static str],
    /// An error answer whose message repeats this text.
    pub(crate) echo: fn(&str) -> Fault,
    /// The answer to a page that has no rows although others were announced.
    pub(crate) empty_page: &'static str,
    /// Properties that cannot be here, and why.
    pub(crate) not_here: &'static [(&'static str, &'static str)],
}

/// A call, and the name of the right to make it.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) right: &'static str,
}

/// Where resources are.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) account: &'static str,
    pub(crate) key: &'static str,
    pub(crate) project: &'static str,
    pub(crate) region: &'static str,
}

/// One of the places of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spot {
    /// Of account `prod`, where things go wrong.
    Home,
    /// Another region of the same account.
    Elsewhere,
    /// Of account `other`.
    Other,
}

impl Spot {
    pub(crate) const ALL: [Self; 3] = [Self::Home, Self::Elsewhere, Self::Other];
}

/// Condition of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// With a certificate that ends then.
    On(DateTime<Utc>),
    /// TLS is off.
    Off,
    /// TLS is not to be had.
    Unsupported,
    /// In the middle of a change.
    Busy,
    /// Listed, but not there when asked for.
    Gone,
}

/// Who asks.
#[derive(Clone, Copy, Default)]
pub(crate) struct Asker {
    /// Signs with this instead of the right secret.
    pub(crate) wrong_secret: Option<&'static str>,
    /// Uses a temporary key with a token.
    pub(crate) temporary: bool,
}

/// What is true of a resource.
pub(crate) struct Truth {
    /// Account, project, region and id.
    pub(crate) place: [String; 4],
    pub(crate) state: TlsState,
    pub(crate) ends: Vec<(CertRole, DateTime<Utc>)>,
}

/// A simulated cloud, as far as the properties need one.
pub(crate) trait Cloud: Send + Sync {
    /// Adds a resource or changes its condition.
    fn put(&self, spot: Spot, id: &str, condition: Condition);
    /// Takes a resource away.
    fn remove(&self, id: &str);
    /// Adds so many resources of every kind and in every condition, at all places.
    fn vary(&self, count: usize);
    /// Makes pages short, where the cloud decides about that.
    fn short_pages(&self);
    /// Makes calls go wrong: so many times, or until further notice.
    fn inject(&self, fault: Fault, place: Where, times: Option<u32>);
    /// Ends all faults.
    fn clear_faults(&self);
    /// Takes a right from the key of `prod`, or gives all of them back.
    fn withhold(&self, right: Option<&str>);
    /// How often this key was used.
    fn used(&self, key: &str) -> usize;
    /// What is true of every resource that can be seen.
    fn truth(&self) -> Vec<Truth>;
    /// The account of a place, as the daemon has it.
    fn account(&self, place: &Place, asker: Asker, http: &Http) -> Account;
}

impl Service {
    pub(crate) fn place(&self, spot: Spot) -> &Place {
        &self.places[spot as usize]
    }

    /// Its cloud with these resources at home, and one at each other place.
    pub(crate) async fn cloud(&self, home: impl IntoIterator<Item = String>) -> Handle {
        let cloud = (self.start)().await;
        for id in home {
            cloud.put(Spot::Home, &id, on(100));
        }
        cloud.put(Spot::Elsewhere, "res-elsewhere", on(100));
        cloud.put(Spot::Other, "res-other", on(100));
        cloud
    }

    /// Both accounts of a cloud, watched.
    pub(crate) fn watch(&self, cloud: Handle, policy: PollPolicy, mode: Mode) -> Watch {
        Watch::start(cloud, policy, mode, |cloud, http| {
            [Spot::Home, Spot::Other]
                .map(|spot| cloud.account(self.place(spot), Asker::default(), http))
                .into()
        })
    }

    /// The same, after everything was read.
    pub(crate) async fn watched(&self, policy: PollPolicy, home: &[&str]) -> Watch {
        let cloud = self.cloud(home.iter().map(|id| (*id).to_owned())).await;
        let watch = self.watch(cloud, policy, Mode::Continuous);
        let all = home.len() + 2;
        watch.until("the first listing", |s| s.resources().count() == all).await;
        watch.until_read().await;
        watch
    }

    /// Listings at a place.
    pub(crate) fn listing_at(&self, spot: Spot) -> Where {
        let place = self.place(spot);
        Where {
            region: Some(place.region.into()),
            key: Some(place.key.into()),
            ..Where::action(self.listing.name)
        }
    }

    /// What is known of a place; nothing while it is not known yet.
    pub(crate) fn scope(&self, snapshot: &Snapshot, spot: Spot) -> Arc<ScopeView> {
        let Place { account, project, region, .. } = *self.place(spot);
        let is =
            |scope: &Scope| (&*scope.account, &*scope.project, &*scope.region) == (account, project, region);
        let found = snapshot.scopes.iter().find(|(scope, _)| is(scope));
        found.map(|(_, view)| Arc::clone(view)).unwrap_or_default()
    }
}

/// For whatever is not about answers that never come: on a busy machine an honest one may take its time.
pub(crate) fn patient() -> PollPolicy {
    PollPolicy { timeout: Duration::from_secs(10), ..quick() }
}

/// For many resources: listed often, looked at seldom.
pub(crate) fn listing_often() -> PollPolicy {
    let (max_age, min_interval) = (Duration::from_secs(4), Duration::from_secs(2));
    PollPolicy { max_age, min_interval, ..patient() }
}

/// With a certificate that ends in so many days.
pub(crate) fn on(days: i64) -> Condition {
    Condition::On(crate::support::alibaba::days(days))
}
