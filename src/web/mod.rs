//! The web port and the control socket: which path is answered by what, and nothing else.
//!
//! `server` knows connections and no paths; before anything is answered, `guard` says who may come in.
//!
//! Answers are made from the snapshot and never cause a call to a cloud.
//!
//! - `GET /`, `/assets/…`, `/api/v1/…`: status page and lists (`view`)
//! - `GET /resource`: the page of one resource (`detail`)
//! - `GET /calendar.ics`: ends of certificates and windows of renewals (`calendar`)
//! - `/api/v1/alerts`, `notifications`, `silences`, `status`, `explain`: what is told, and what people change (`changes`)
//! - `POST /resource`, `/silences`, `/letters`: the same from forms of the page (`quiet`)
//! - `/renewals/…`, `/api/v1/renewals`, `/api/v1/plan`: what is renewed, and orders of people (`renewals`)
//! - `/api/v1/log-level`, `/api/v1/bundle`: what is logged, and everything for who looks for a fault (`operating`)
//! - `GET /metrics`: the metrics page, or parts of it (`scrape`)
//! - `GET /-/healthy`: 200 as long as the loop runs
//! - `GET /-/ready`: 503 until every scope had its first attempt or was restored

pub mod access;
mod answers;
pub mod api;
pub mod bundle;
pub mod calendar;
mod changes;
pub mod context;
pub mod control;
pub mod cursor;
mod desk;
mod detail;
mod doorkeeper;
mod form;
pub mod guard;
mod guesses;
pub mod inside;
pub mod json;
pub mod members;
mod operating;
pub mod page;
pub mod peer;
pub mod planned;
pub mod query;
mod quiet;
pub mod refusal;
mod renewals;
pub mod rows;
mod scrape;
pub mod server;
mod stall;
#[cfg(test)]
pub(crate) mod testing;
pub mod users;
pub mod view;
mod visit;
mod waiting;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::domain::snapshot::Snapshot;
use crate::metrics::MetricsPage;
use access::Access;
use view::View;

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

/// The whole web port. What changes something is refused to those whom the guard did not name.
pub fn router(state: AppState, view: Arc<View>) -> Router {
    routes(state, view, Access::Port)
}

/// The control socket: the same, and what changes something.
pub fn control_router(state: AppState, view: Arc<View>) -> Router {
    routes(state, view, Access::Control)
}

fn routes(state: AppState, view: Arc<View>, access: Access) -> Router {
    let scraped = scrape::Scraped { state: state.clone(), view: Arc::clone(&view) };
    Router::new()
        .route("/metrics", get(scrape::metrics))
        .with_state(scraped)
        .route("/-/healthy", get(answers::healthy))
        .route("/-/ready", get(answers::ready))
        .with_state(state)
        .merge(view::router(view, access))
        .fallback(answers::not_found)
        .method_not_allowed_fallback(answers::method_not_allowed)
}
