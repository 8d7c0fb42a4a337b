//! A simulated UCloud on a loopback port: GetRegion, GetProjectList and DescribeSSLV2 behind one gateway.
//!
//! The way of a request: `wire::server` takes it off the wire, `cloud` finds out what it is about (`request`), who asks
//! (`auth`), whether it is too often, has it answered (`answer`), notes it (`ledger`) and spoils the answer where a
//! test wants that (`wire::fault`, `wire::distort`). What there is to tell is in `store`, `account` and `model`.
//!
//! It shares only the signature with the code that it is there to test, and that is held to the official SDKs.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::wire::fault::{Fault, Where};
use super::wire::reply::locked;
use super::wire::server;

pub use self::account::{Account, Key, Project, Quota, Region, Text, Token};
use self::cloud::Cloud;
pub use self::ledger::{Call, Outcome};
pub use self::model::{Block, Content, Date, Entry, Expected, Relation, Relations};
pub use self::store::Fleet;

mod account;
mod answer;
mod auth;
mod cloud;
mod error;
pub mod fleet;
mod ledger;
mod model;
mod request;
mod store;

/// A running simulated cloud. Clones are handles to the same one; the last to go stops it.
#[derive(Clone)]
pub struct UCloud {
    cloud: Arc<Cloud>,
    address: SocketAddr,
    _stop_with_the_last_handle: Arc<DropGuard>,
}

impl UCloud {
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
        tokio::spawn(server::serve(listener, cloud.clone(), stop));
        Ok(Self { cloud, address, _stop_with_the_last_handle: guard })
    }

    /// Where everything is served: `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its own time.
    pub fn now(&self) -> DateTime<Utc> {
        self.cloud.now()
    }

    /// Reads or changes anything, between two calls.
    pub fn modify<R>(&self, change: impl FnOnce(&mut Fleet) -> R) -> R {
        change(&mut locked(&self.cloud.fleet))
    }

    /// Changes one entry; `false` if there is none with this id.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Entry)) -> bool {
        self.modify(|fleet| fleet.get_mut(id).map(change).is_some())
    }

    /// What is true of every entry now.
    pub fn expected(&self) -> Vec<Expected> {
        self.modify(|fleet| fleet.expected())
    }

    /// Makes calls go wrong: so many times, or until further notice. Faults about clocks and tokens for the next page
    /// mean nothing here: this cloud has neither.
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

    /// Forgets the calls so far.
    pub fn forget_calls(&self) {
        locked(&self.cloud.ledger).clear();
    }
}
