//! The web port: which path is answered by what, and nothing else.
//!
//! Answers are made from the snapshot and never cause a call to a cloud. `server` knows connections and no paths.
//!
//! - `GET /metrics`: the metrics page (`scrape`)
//! - `GET /-/healthy`: 200 as long as the loop runs
//! - `GET /-/ready`: 503 until every scope had its first attempt or was restored

mod answers;
mod doorkeeper;
mod scrape;
pub mod server;
mod stall;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::domain::snapshot::Snapshot;
use crate::metrics::MetricsPage;

/// What the answers are made from. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// Everything known now.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// The metrics page that all readers share.
    pub metrics: Arc<MetricsPage>,
    /// What time it is.
    pub now: Now,
}

/// Where the time comes from; a test can set it.
pub type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

impl fmt::Debug for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppState").field("metrics", &self.metrics).finish_non_exhaustive()
    }
}

/// The whole port.
pub fn router(state: AppState) -> Router {
    let routes = Router::new()
        .route("/metrics", get(scrape::metrics))
        .route("/-/healthy", get(answers::healthy))
        .route("/-/ready", get(answers::ready));
    answers::dressed(routes).with_state(state)
}
