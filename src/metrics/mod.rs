//! The metrics page: everything that is known now, in the text format of Prometheus.
//!
//! It is written straight from an immutable `Snapshot`, so a resource that vanished is gone from the next page and
//! two readers cannot disturb each other. No module here knows a cloud, a socket or an HTTP header; `web` hands the
//! blocks out.
//!
//! The text of 100,000 resources has far over 100 MB, but between two scrapes little of it changes. So the answer
//! that scrapers ask for, gzip, is made of pieces: one for each family and chunk of resources (`renderer`), kept by
//! the identity of the chunk and made anew only when that changed. The plain answer is not kept at all: it is written
//! block by block while it is being read (`plain`).
//!
//! Who wants a part of the page (`selection`) gets one made of the same pieces (`selected`), within limits: any visitor
//! may ask for any part.

mod blocks;
pub mod catalogue;
mod channels;
mod counters;
mod deflate;
mod endings;
mod freshness;
mod gzip;
mod inflate;
mod page;
mod plain;
mod process;
pub mod reference;
mod renderer;
mod renewals;
mod resources;
mod scopes;
mod selected;
pub mod selection;
mod text;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::domain::policy::PollPolicy;
use crate::telemetry::Telemetry;

pub use gzip::{GzipBlocks, GzipPage};
pub use inflate::Inflated;
pub use page::{MetricsPage, RenderingFailed};
pub use plain::PlainPage;
pub use process::{BuildInfo, ConfigStatus, Usage};
pub use renderer::Renderer;
pub use renewals::RenewalNumbers;
pub use selected::NotMade;

/// How the body of either answer is to be announced. Prometheus 3 refuses a page without a valid one.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is on the page beside the snapshot.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The daemon's own counters.
    pub telemetry: Arc<Telemetry>,
    /// Decides what counts as stale.
    pub policy: Arc<PollPolicy>,
    /// What is allowed now; sorted, each combination once.
    pub rate_limits: Arc<[RateLimit]>,
    /// How the last reading of the configuration ended.
    pub config: ConfigStatus,
    /// Whether the store can be used; `None` where none is wanted.
    pub store_up: Option<bool>,
    /// The channels, in the order of the configuration.
    pub channels: Arc<[ChannelNumbers]>,
    /// What is under way and what is planned.
    pub renewals: Arc<RenewalNumbers>,
    /// When the process started.
    pub started_at: DateTime<Utc>,
}

/// What is known of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelNumbers {
    /// Its name.
    pub name: Box<str>,
    /// Whether it delivers; `None`: it is not configured any more.
    pub up: Option<bool>,
    /// Of several places that are told the state, how many do not take it although another does; `None`: it sends messages.
    pub down: Option<usize>,
    /// When something was delivered last.
    pub last_success: Option<DateTime<Utc>>,
    /// Messages that wait.
    pub queued: usize,
    /// Messages that were given up.
    pub dead: usize,
}

/// How many calls of one API a second are allowed now.
#[derive(Debug, Clone, PartialEq)]
pub struct RateLimit {
    /// Code of the cloud.
    pub provider: Arc<str>,
    /// Name of the account as configured.
    pub account: Arc<str>,
    /// The cloud's id of the region.
    pub region: Arc<str>,
    /// The cloud's own name of the call.
    pub action: Arc<str>,
    /// Calls per second.
    pub per_second: f64,
}
