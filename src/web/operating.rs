//! The routes of those who keep the daemon itself: what is logged, and the support bundle. Looking at the first is for
//! everybody, everything else for whom [`MayChange`] lets.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::{get, post};

use super::access::MayChange;
use super::api::log_level::{LogLevelItem, NewLogLevel};
use super::bundle::bundle;
use super::changes::read;
use super::inside::Logging;
use super::query::nothing;
use super::refusal::Refusal;
use super::renewals::person;
use super::view::{Shown, list};

/// All of them.
pub(super) fn routes() -> Router<Shown> {
    Router::new()
        .route("/api/v1/log-level", get(show_levels).put(set_levels).delete(reset_levels))
        .route("/api/v1/bundle", post(make_bundle))
}

type Answer = Result<Response, Refusal>;

async fn show_levels(State(shown): State<Shown>, RawQuery(query): RawQuery) -> Answer {
    nothing(query.as_deref())?;
    Ok(levels(&*logging(&shown)?))
}

async fn set_levels(may: MayChange, State(shown): State<Shown>, body: Bytes) -> Answer {
    let logging = logging(&shown)?;
    let wanted: NewLogLevel = read(&body)?;
    let by = person(&may, wanted.by.as_deref())?;
    let length = wanted.length().map_err(Refusal::bad_request)?;
    logging.set(&wanted.levels, length, &by).map_err(Refusal::bad_request)?;
    Ok(levels(&*logging))
}

async fn reset_levels(may: MayChange, State(shown): State<Shown>) -> Answer {
    let logging = logging(&shown)?;
    logging.reset(may.who());
    Ok(levels(&*logging))
}

async fn make_bundle(may: MayChange, State(shown): State<Shown>) -> Answer {
    let bundle = bundle(&shown).await?;
    tracing::info!(by = may.who(), "a support bundle was made");
    Ok(list(&bundle))
}

fn levels(logging: &dyn Logging) -> Response {
    list(&LogLevelItem::from(logging.levels()))
}

fn logging(shown: &Shown) -> Result<Arc<dyn Logging>, Refusal> {
    let logging = shown.view.inside.logging.clone();
    logging.ok_or_else(|| Refusal::conflict("this process does not say what it logs"))
}
