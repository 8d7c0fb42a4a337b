//! The routes of what is told and of what people change. Reading is answered everywhere; changing only where
//! [`MayChange`] lets it.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::access::MayChange;
use super::api::alerts::{AlertsQuery, alerts};
use super::api::notifications::{NotificationsQuery, TestedItem, notifications};
use super::api::reload::ReloadItem;
use super::api::silences::{NewSilence, SilenceItem, SilencesQuery, silences};
use super::api::status::{StoreStatus, status};
use super::inside::Asked;
use super::inside::ReloadRefused;
use super::json::{List, to_text};
use super::page::quiet::Done;
use super::query::Given;
use super::refusal::Refusal;
use super::renewals::person_in;
use super::view::{Shown, headers, list, read_only};
use crate::domain::alert::silence::SilenceRow;
use crate::notifier::desk::DeskError;
use crate::visible::shortened;

/// All of them.
pub(super) fn routes() -> Router<Shown> {
    Router::new()
        .route("/api/v1/alerts", read_only(get(show_alerts)))
        .route("/api/v1/status", read_only(get(show_status)))
        .route("/api/v1/explain", read_only(get(explain)))
        .route("/api/v1/notifications", read_only(get(show_notifications)))
        .route("/api/v1/notifications/test", post(test))
        .route("/api/v1/notifications/{id}/retry", post(retry))
        .route("/api/v1/notifications/{id}/discard", post(discard))
        .route("/api/v1/silences", get(show_silences).post(add_silence))
        .route("/api/v1/silences/{id}", delete(end_silence))
        .route("/-/reload", post(reload))
}

type Answer = Result<Response, Refusal>;

async fn show_alerts(State(shown): State<Shown>, RawQuery(query): RawQuery) -> Answer {
    let query = AlertsQuery::parse(query.as_deref())?;
    let Some(alerting) = shown.view.inside.alerting.clone() else {
        return Ok(list(&List::<()> { items: Vec::new(), next: None }));
    };
    let answer = shown.make(move |snapshot, now, context| {
        alerting.with_world(snapshot, now, |world, memory| list(&alerts(world, memory, &query, context)))
    });
    Ok(answer.await)
}

async fn show_status(State(shown): State<Shown>, RawQuery(query): RawQuery) -> Answer {
    super::query::nothing(query.as_deref())?;
    Ok((headers("application/json", "no-store"), status_now(&shown).await).into_response())
}

/// How the daemon fares, as JSON.
pub(super) async fn status_now(shown: &Shown) -> String {
    let told = shown.view.inside.telling().await;
    let handle = shown.view.inside.store.as_ref();
    let store = handle.and_then(crate::store::Handle::store);
    let store = StoreStatus {
        configured: handle.is_some(),
        usable: store.is_some(),
        place: store.map(|store| store.place().to_owned()),
    };
    let answer = shown
        .make_with(told, None, move |snapshot, now, context| to_text(&status(snapshot, store, now, context)));
    answer.await
}

async fn explain(State(shown): State<Shown>, RawQuery(query): RawQuery) -> Answer {
    let mut given = Given::read(query.as_deref(), &["resource_id"]);
    let id = given.take("resource_id", |text| Ok(text.to_owned()));
    let id = given.finish(id)?.ok_or_else(|| Refusal::bad_request("parameter `resource_id` is missing"))?;
    let view = Arc::clone(&shown.view);
    let text = shown.make(move |snapshot, now, context| {
        let inside = &view.inside;
        let explainer =
            inside.explain.get().ok_or_else(|| Refusal::not_found("nothing is explained here"))?;
        let pace = |scope: &_| inside.pace.as_ref().and_then(|pace| pace(scope));
        let uptime = (now - context.timeline_start).to_std().unwrap_or_default();
        let asked =
            Asked { id: &id, snapshot, pace: &pace, uptime, alerts: None, renewals: context.renewals, now };
        let text = match &inside.alerting {
            Some(alerting) => alerting.with_world(snapshot, now, |world, memory| {
                explainer(&Asked { alerts: Some((world, memory)), ..asked })
            }),
            None => explainer(&asked),
        };
        text.map_err(Refusal::not_found)
    });
    Ok((headers("text/plain; charset=utf-8", "no-store"), text.await?).into_response())
}

async fn show_notifications(State(shown): State<Shown>, RawQuery(query): RawQuery) -> Answer {
    let query = NotificationsQuery::parse(query.as_deref())?;
    let Some(alerting) = &shown.view.inside.alerting else {
        return Ok(list(&List::<()> { items: Vec::new(), next: None }));
    };
    let before = query.before.as_ref().map(|(at, id)| (*at, id.as_str()));
    let rows = alerting.desk.messages(&query.states, query.limit + 1, before).await.map_err(refused)?;
    Ok(list(&notifications(rows, query.limit)))
}

async fn retry(may: MayChange, State(shown): State<Shown>, Path(id): Path<String>) -> Answer {
    let found = shown.view.inside.alerting()?.desk.retry(&id).await.map_err(refused)?;
    settled(found, &id, "queued", (&may, Done::Retried))
}

async fn discard(may: MayChange, State(shown): State<Shown>, Path(id): Path<String>) -> Answer {
    let found = shown.view.inside.alerting()?.desk.discard(&id).await.map_err(refused)?;
    settled(found, &id, "superseded", (&may, Done::Dropped))
}

fn settled(found: bool, id: &str, state: &str, (may, done): (&MayChange, Done)) -> Answer {
    if found {
        told_settled(id, may, done);
        return Ok(list(&json!({"id": id, "state": state})));
    }
    let id = shortened(id, 60);
    Err(Refusal::not_found(format!(
        "no message with the id `{id}` was given up; GET /api/v1/notifications?state=dead lists them"
    )))
}

/// Puts down in the log who had a message settled that was given up.
pub(super) fn told_settled(id: &str, may: &MayChange, done: Done) {
    tracing::info!(id, by = may.who(), what = done.as_str(), "a message that was given up was settled");
}

async fn test(may: MayChange, State(shown): State<Shown>, body: Bytes) -> Answer {
    #[derive(serde::Deserialize, Default)]
    #[serde(deny_unknown_fields, default)]
    struct Wanted {
        channel: Option<String>,
    }
    let wanted: Wanted = if body.is_empty() { Wanted::default() } else { read(&body)? };
    let tested = shown.view.inside.alerting()?.desk.test(wanted.channel.as_deref()).await.map_err(refused)?;
    let channels = tested.iter().map(|one| &*one.channel).collect::<Vec<_>>().join(", ");
    tracing::info!(by = may.who(), channels, "channels were tested");
    Ok(list(&List { items: tested.into_iter().map(TestedItem::from).collect::<Vec<_>>(), next: None }))
}

async fn reload(may: MayChange, State(shown): State<Shown>) -> Answer {
    let nobody = || Refusal::conflict("nothing can be read again here");
    let reload = Arc::clone(shown.view.inside.reload.as_ref().ok_or_else(nobody)?);
    let done = reload.reload(may.who()).await.map_err(|refused| match refused {
        ReloadRefused::Wrong(problems) => Refusal::unusable(problems),
        ReloadRefused::Stopping | ReloadRefused::UnderWay => Refusal::unavailable(refused.to_string()),
    })?;
    Ok(list(&ReloadItem::from(done)))
}

async fn show_silences(State(shown): State<Shown>, RawQuery(query): RawQuery) -> Answer {
    let query = SilencesQuery::parse(query.as_deref())?;
    let Some(alerting) = &shown.view.inside.alerting else {
        return Ok(list(&List::<()> { items: Vec::new(), next: None }));
    };
    let rows = alerting.kept(async |store| store.silences().await).await?;
    Ok(list(&silences(rows, &query, (shown.view.now)())))
}

async fn add_silence(may: MayChange, State(shown): State<Shown>, body: Bytes) -> Answer {
    let alerting = shown.view.inside.alerting()?;
    let now = (shown.view.now)();
    let wanted: NewSilence = read(&body)?;
    let author = person_in(&may, "author", Some(&wanted.author))?;
    let wanted = NewSilence { author, ..wanted };
    let row = wanted.into_row((alerting.silence_id)(now), now).map_err(Refusal::bad_request)?;
    alerting.kept(async |store| store.add_silence(&row).await).await?;
    told_added(&row, &may);
    alerting.ask.notify_one();
    Ok((StatusCode::CREATED, list(&SilenceItem::new(&row, now))).into_response())
}

/// Puts down in the log who added a silence.
pub(super) fn told_added(row: &SilenceRow, may: &MayChange) {
    let SilenceRow { id, author, ends_at, .. } = row;
    tracing::info!(id = &**id, author = &**author, by = may.who(), %ends_at, "a silence was added");
}

async fn end_silence(may: MayChange, State(shown): State<Shown>, Path(id): Path<String>) -> Answer {
    let alerting = shown.view.inside.alerting()?;
    let now = (shown.view.now)();
    if !alerting.kept(async |store| store.end_silence(&id, now).await).await? {
        let id = shortened(&id, 60);
        return Err(Refusal::not_found(format!("no silence with the id `{id}` holds or is to come")));
    }
    tracing::info!(id = &*id, by = may.who(), "a silence was ended");
    alerting.ask.notify_one();
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What serde says of a body names its own words and places only up to a length.
pub(super) fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        let error = error.to_string();
        Refusal::bad_request(format!("the body is not understood: {}", shortened(&error, 300)))
    })
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` gives it
fn refused(error: DeskError) -> Refusal {
    match error {
        DeskError::StoreAway => Refusal::unavailable(error.to_string()),
        DeskError::NoSuchChannel(_) => Refusal::not_found(error.to_string()),
        DeskError::NotConfigured(_) => {
            Refusal::conflict(format!("{error}; configure it again, or discard the message"))
        }
    }
}
