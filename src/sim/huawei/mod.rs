//! A simulated Huawei Cloud on a loopback port: IAM, the caches of every region, and the object store.
//!
//! Regions have hosts of their own in the real cloud; here the first part of the path stands for the host (`/iam`,
//! `/{region}`, `/obs`). The way of a request: `cloud` finds out what it is about (`request`), who asks (`auth`), has
//! it answered (`answer`, `store`), and spoils the answer where a test wants that. What there is to tell is in
//! `model`.
//!
//! It shares only the signature with the code that it is there to test, and that is held to the official SDK.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::cloud::Call;
use self::cloud::Cloud;
pub use self::model::{Account, Download, Fleet, Instance, Link, Project, Quota, Ssl, Truth};
pub use self::store::{LINK_MARKER, archive};
pub use super::alibaba::{
    Charset, Expiry, Fault, Hang, Key, Outcome, Reset, Rights, Text, Token, Total, Where, WrongType,
    certificate,
};
use super::wire::reply::locked;
use super::wire::server;

mod answer;
mod auth;
mod cloud;
mod error;
pub mod fleet;
mod model;
mod request;
mod store;

/// A running simulated cloud. Clones are handles to the same one; the last to go stops it.
#[derive(Clone)]
pub struct HuaweiCloud {
    cloud: Arc<Cloud>,
    address: SocketAddr,
    _stop_with_the_last_handle: Arc<DropGuard>,
}

impl HuaweiCloud {
    /// Starts on a free loopback port of the current tokio runtime. `clock` is the cloud's own time.
    pub async fn start(
        fleet: Fleet,
        clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let cloud = Arc::new(Cloud::new(fleet, format!("http://{address}"), Box::new(clock)));
        let stop = CancellationToken::new();
        let guard = Arc::new(stop.clone().drop_guard());
        tokio::spawn(server::serve(listener, cloud.clone(), stop));
        Ok(Self { cloud, address, _stop_with_the_last_handle: guard })
    }

    /// Where it is reached: `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The endpoint `dcs` of a configuration.
    pub fn dcs(&self) -> String {
        format!("{}/{{region}}", self.base_url())
    }

    /// The endpoint `iam` of a configuration.
    pub fn iam(&self) -> String {
        format!("{}/iam", self.base_url())
    }

    /// Its own time.
    pub fn now(&self) -> DateTime<Utc> {
        self.cloud.now()
    }

    /// Puts its clock off by so much.
    pub fn set_clock_offset(&self, offset: TimeDelta) {
        self.cloud.offset_ms.store(offset.num_milliseconds(), Ordering::Relaxed);
    }

    /// Reads or changes anything, between two calls.
    pub fn modify<R>(&self, change: impl FnOnce(&mut Fleet) -> R) -> R {
        change(&mut locked(&self.cloud.fleet))
    }

    /// Changes one instance; `false` if there is none with this id.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Instance)) -> bool {
        self.modify(|fleet| fleet.get_mut(id).map(change).is_some())
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
        locked(&self.cloud.calls).iter().cloned().collect()
    }

    /// How often a call was made, answered or not.
    pub fn count(&self, action: &str) -> usize {
        locked(&self.cloud.calls).iter().filter(|call| call.action == action).count()
    }

    /// Forgets the calls so far.
    pub fn forget_calls(&self) {
        locked(&self.cloud.calls).clear();
    }
}
