//! A simulated Alibaba Cloud on a loopback port: Redis, RDS and MongoDB, told apart by the API version.
//!
//! The way of a request: `wire::server` takes it off the wire, `cloud` finds out what it is about (`request`), who asks
//! (`auth`), whether it is too often (`quota`), has it answered (`answer`, then `redis`, `rds` or `mongodb`), notes
//! it (`ledger`) and spoils the answer where a test wants that (`wire::fault`, `distort`). What there is to tell is in
//! `fleet`, `account` and `model`; a Modify call plays out in `change`.
//!
//! It shares only the signature with the code that it is there to test, and that is held to the official SDKs.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::account::{Account, Key, Quota, Region, Renewal, Rights, Token};
use self::change::{Order, Wish};
use self::cloud::Cloud;
pub use self::fleet::{Expected, Fleet};
pub use self::ledger::{Call, CallKind, Count, Outcome, Parameter};
pub use self::model::{Expiry, Instance, OnModify, Refusal, ServerCert, SslModel, Text, Truth, Window};
pub use self::product::{Engine, Product};
pub use self::sts::{IdentityProvider, Role, Sts};
pub use super::pem::{PRIVATE_KEY_MARKER, certificate};
pub use super::wire::fault::{Charset, Fault, Hang, Reset, Total, Where, WrongType};
use super::wire::reply::locked;
use super::wire::server;

mod account;
mod answer;
mod auth;
mod change;
mod cloud;
mod distort;
mod error;
mod fleet;
mod json;
mod ledger;
mod model;
mod mongodb;
mod paging;
mod product;
mod quota;
mod rds;
mod rds_ssl;
mod rds_tags;
mod redis;
mod request;
mod sts;

/// A running simulated cloud. Clones are handles to the same one; the last to go stops it.
#[derive(Clone)]
pub struct AlibabaCloud {
    cloud: Arc<Cloud>,
    address: SocketAddr,
    stop: CancellationToken,
    _stop_with_the_last_handle: Arc<DropGuard>,
}

impl AlibabaCloud {
    /// Starts on a free loopback port of the current tokio runtime. `clock` is the cloud's own time.
    pub async fn start(
        fleet: Fleet,
        clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let cloud = Arc::new(Cloud::new(fleet, Box::new(clock)));
        let stop = CancellationToken::new();
        let guard = Arc::new(stop.clone().drop_guard());
        tokio::spawn(server::serve(listener, cloud.clone(), stop.clone()));
        Ok(Self { cloud, address, stop, _stop_with_the_last_handle: guard })
    }

    /// Where all three products are served: `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The value of the `host` header, which is signed.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Its own time.
    pub fn now(&self) -> DateTime<Utc> {
        self.cloud.now()
    }

    /// Puts its clock off by so much.
    pub fn set_clock_offset(&self, offset: TimeDelta) {
        self.cloud.offset_ms.store(offset.num_milliseconds(), Ordering::Relaxed);
    }

    /// Stops serving now: the port closes, and every connection with it. The handle can still be asked.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Reads or changes anything, between two calls.
    pub fn modify<R>(&self, change: impl FnOnce(&mut Fleet) -> R) -> R {
        change(&mut locked(&self.cloud.fleet))
    }

    /// Adds an instance.
    pub fn create(&self, instance: Instance) {
        self.modify(|fleet| fleet.insert(instance));
    }

    /// Takes an instance away; `false` if there is none with this id.
    pub fn delete(&self, id: &str) -> bool {
        self.modify(|fleet| fleet.remove(id).is_some())
    }

    /// Somebody renewed a certificate: TLS is on and its end is a new one. `false` if there is no such instance.
    pub fn renew(&self, id: &str, expires: DateTime<Utc>) -> bool {
        self.change(id, |instance| instance.ssl = SslModel::on(expires))
    }

    /// Somebody presses the button: modifying for a while, then a later end, as after a Modify call. `false` if the
    /// instance is unknown, or cannot be worked on.
    pub fn start_renewal(&self, id: &str) -> bool {
        let now = self.now();
        let order = Order { wish: Wish::Renew, material: None, in_window: false };
        self.modify(|fleet| {
            let renewal = fleet.renewal;
            let Some(instance) = fleet.settled(id, now) else { return false };
            change::check_ready(instance).is_ok() && change::accept(instance, order, renewal, now).is_ok()
        })
    }

    /// Sets the status of an instance; `false` if there is none with this id.
    pub fn set_status(&self, id: &str, status: &str) -> bool {
        self.change(id, |instance| instance.status = status.into())
    }

    /// Changes one instance; `false` if there is none with this id.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Instance)) -> bool {
        let now = self.now();
        self.modify(|fleet| fleet.settled(id, now).map(change).is_some())
    }

    /// What is true of every instance now, sorted by account, region, service and id.
    pub fn expected(&self) -> Vec<Expected> {
        let now = self.now();
        let mut rows = self.modify(|fleet| fleet.expected(now));
        rows.sort_unstable_by(|a, b| a.place().cmp(&b.place()));
        rows
    }

    /// Makes calls go wrong: so many times, or until further notice.
    pub fn inject(&self, fault: Fault, place: Where, times: Option<u32>) {
        locked(&self.cloud.faults).inject(fault, place, times);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        locked(&self.cloud.faults).clear();
    }

    /// The last calls, at most 10,000, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        locked(&self.cloud.ledger).last()
    }

    /// Every call that changes something, whatever came of it, oldest first; none is ever dropped.
    pub fn changes(&self) -> Vec<Call> {
        locked(&self.cloud.ledger).changes()
    }

    /// How often each key made each call in each region.
    pub fn counts(&self) -> BTreeMap<CallKind, Count> {
        locked(&self.cloud.ledger).counts()
    }

    /// Forgets the calls so far.
    pub fn forget_calls(&self) {
        locked(&self.cloud.ledger).clear();
    }
}
