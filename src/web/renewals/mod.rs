//! The routes of renewals: what is planned and was done, for programs and on pages, and the orders of people.
//!
//! An order is given to the [`RenewalDesk`](super::inside::RenewalDesk), which writes it down; nothing in here begins a
//! renewal. Reading is answered everywhere; ordering only where [`MayChange`] lets it.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::access::{CONTROL, MayChange};
use super::api::renewals::{AttemptMember, RenewalsQuery, renewal, renewals};
use super::inside::{OrderError, Ordered, Renewing, Word};
use super::json::{Moment, to_text};
use super::page::order::OrderQuery;
use super::query::nothing;
use super::refusal::Refusal;
use super::view::{Shown, headers, list, read_only};
use crate::domain::person::is_taken;
use crate::domain::renewal::attempt::ResourceKey;
use crate::domain::renewal::ledger::Entry;
use crate::domain::renewal::show::show;
use crate::visible::{is_invisible, shortened, visible};

mod pages;

/// Names of people are no longer, in characters.
const LONGEST: usize = 100;
/// So much of what happened to an attempt is shown, the latest.
const HISTORY: usize = 500;

/// All of them.
pub(super) fn routes() -> Router<Shown> {
    Router::new()
        .route("/api/v1/renewals", get(show_renewals).post(order))
        .route("/api/v1/renewals/{id}", read_only(get(show_renewal)))
        .route("/api/v1/renewals/{id}/approve", post(approve))
        .route("/api/v1/renewals/{id}/reject", post(reject))
        .route("/api/v1/plan", read_only(get(show_plan)))
        .route("/renewals/order", get(pages::show_order).post(pages::order))
        .route("/renewals/{id}", get(pages::show).post(pages::decide))
}

type Answer = Result<Response, Refusal>;

async fn show_renewals(State(shown): State<Shown>, RawQuery(query): RawQuery) -> Answer {
    let query = RenewalsQuery::parse(query.as_deref())?;
    Ok(shown.make(move |snapshot, now, context| list(&renewals(snapshot, &query, now, context))).await)
}

async fn show_renewal(
    State(shown): State<Shown>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    nothing(query.as_deref())?;
    let ledger = ledger(&shown, &id).await;
    let found = shown.make(move |_, now, context| {
        renewal(&id, ledger.as_deref(), now, context).map(|found| list(&found)).ok_or_else(|| unknown(&id))
    });
    found.await
}

async fn show_plan(State(shown): State<Shown>, RawQuery(query): RawQuery) -> Answer {
    nothing(query.as_deref())?;
    let Renewing { board, .. } = renewing(&shown)?.clone();
    let text = shown.make(move |_, _, _| {
        let board = Arc::clone(&board.borrow());
        let trouble =
            board.trouble.as_ref().map(|trouble| format!("nothing is begun: {}\n", visible(trouble)));
        let none = board.at.is_none().then(|| "nothing was planned yet: ask again in a moment\n".to_owned());
        let plan = show(&board.plan, board.mode, &|text| visible(text).into_owned());
        [trouble, none, Some(plan)].into_iter().flatten().collect::<String>()
    });
    Ok((headers("text/plain; charset=utf-8", "no-store"), text.await).into_response())
}

/// What stands in the body of a decision.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Decided {
    by: Option<String>,
    now: bool,
    changed_at: Option<Moment>,
}

async fn approve(may: MayChange, State(shown): State<Shown>, Path(id): Path<String>, body: Bytes) -> Answer {
    let Decided { by, now, changed_at } = read(&body)?;
    let by = person(&may, by.as_deref())?;
    let word = Word { by: &by, at_once: now, seen: changed_at.map(|at| at.0) };
    let ordered = renewing(&shown)?.desk.approve(&id, word).await;
    Ok(answered(&shown, StatusCode::OK, ordered))
}

async fn reject(may: MayChange, State(shown): State<Shown>, Path(id): Path<String>, body: Bytes) -> Answer {
    let Decided { by, now, changed_at } = read(&body)?;
    if now {
        return Err(Refusal::bad_request("the body is not understood: `now` has no meaning for a rejection"));
    }
    let by = person(&may, by.as_deref())?;
    let word = Word { by: &by, at_once: false, seen: changed_at.map(|at| at.0) };
    let ordered = renewing(&shown)?.desk.reject(&id, word).await;
    Ok(answered(&shown, StatusCode::OK, ordered))
}

/// What stands in the body of an order by hand.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Wanted {
    resource_id: String,
    cloud_provider: Option<String>,
    cloud_account: Option<String>,
    cloud_project: Option<String>,
    cloud_region: Option<String>,
    cloud_service: Option<String>,
    by: Option<String>,
    now: bool,
    changed_at: Option<Moment>,
}

async fn order(may: MayChange, State(shown): State<Shown>, body: Bytes) -> Answer {
    let wanted: Wanted = read(&body)?;
    let by = person(&may, wanted.by.as_deref())?;
    let word = Word { by: &by, at_once: wanted.now, seen: wanted.changed_at.map(|at| at.0) };
    let asked = OrderQuery {
        resource: wanted.resource_id,
        provider: wanted.cloud_provider,
        account: wanted.cloud_account,
        project: wanted.cloud_project,
        region: wanted.cloud_region,
        service: wanted.cloud_service,
    };
    if asked.resource.is_empty() {
        return Err(Refusal::bad_request("the body is not understood: `resource_id` is missing"));
    }
    let desk = renewing(&shown)?.desk.clone();
    let found = shown.make(move |snapshot, _, _| (asked.found(snapshot), asked));
    let (found, asked) = found.await;
    match &found[..] {
        [] => Err(no_resource(&asked.resource)),
        [only] => Ok(answered(&shown, StatusCode::CREATED, desk.order(only, word).await)),
        several => Ok(ambiguous(several)),
    }
}

/// Who orders: the user that was asked for, or over the control socket whoever they say they are, and that it was there
/// that they said so.
pub(super) fn person(may: &MayChange, given: Option<&str>) -> Result<String, Refusal> {
    person_in(may, "by", given)
}

/// The same where the name stands in another field than `by`.
pub(super) fn person_in(may: &MayChange, field: &str, given: Option<&str>) -> Result<String, Refusal> {
    let given = given.map(str::trim).filter(|given| !given.is_empty());
    let who = may.who();
    let Some(given) = given else { return Ok(who.to_owned()) };
    if given.chars().count() > LONGEST || given.chars().any(is_invisible) {
        return Err(Refusal::bad_request(format!(
            "`{field}` is a name of at most {LONGEST} characters that can be seen"
        )));
    }
    if is_taken(given) {
        return Err(Refusal::bad_request(format!(
            "`{field}` is a word that notafter uses for itself: say who you are, or leave it out"
        )));
    }
    match who {
        CONTROL => Ok(format!("{given} ({CONTROL})")),
        _ if given == who => Ok(given.to_owned()),
        _ => Err(Refusal::bad_request(format!(
            "`{field}` is another name than that of the user who asks: leave it out"
        ))),
    }
}

/// What is written down of an attempt, the oldest first. `None`: it cannot be read now, or there is nothing.
async fn ledger(shown: &Shown, id: &str) -> Option<Vec<Entry>> {
    let handle = shown.view.inside.store.as_ref()?;
    let store = handle.store()?;
    match store.entries(Some(id), HISTORY, None).await {
        Ok(mut entries) => {
            entries.reverse();
            Some(entries).filter(|entries| !entries.is_empty())
        }
        Err(error) => {
            tracing::warn!(%error, "what is written down of a renewal cannot be read; shown is what its attempt remembers");
            handle.report(&store, error);
            None
        }
    }
}

fn renewing(shown: &Shown) -> Result<&Renewing, Refusal> {
    shown.view.inside.renewing.as_ref().ok_or_else(|| {
        Refusal::conflict(
            "this daemon renews nothing: set `mode` in [renewal], and allow what may be renewed",
        )
    })
}

fn unknown(id: &str) -> Refusal {
    let id = shortened(id, 60);
    Refusal::not_found(format!("there is no renewal with the id `{id}`; GET /api/v1/renewals lists them"))
}

fn no_resource(id: &str) -> Refusal {
    let id = shortened(id, 60);
    Refusal::not_found(format!(
        "no resource with the id `{id}` is known there; GET /api/v1/certificates lists them"
    ))
}

/// An empty body says nothing, and is none.
fn read<T: DeserializeOwned + Default>(body: &Bytes) -> Result<T, Refusal> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| {
        let error = error.to_string();
        Refusal::bad_request(format!("the body is not understood: {}", shortened(&error, 300)))
    })
}

fn answered(shown: &Shown, status: StatusCode, ordered: Ordered) -> Response {
    match ordered {
        Ok(attempt) => (status, list(&AttemptMember::new(&attempt, (shown.view.now)()))).into_response(),
        Err(error) => not_ordered(&error),
    }
}

fn status_of(error: &OrderError) -> StatusCode {
    match error {
        OrderError::Unknown => StatusCode::NOT_FOUND,
        OrderError::Refused { .. } | OrderError::Over(_) | OrderError::Changed => StatusCode::CONFLICT,
        OrderError::StoreAway => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Programs go by `code`: `unknown`, `refused` (then `reason` is the code of the refusal), `over` (then `state` is the word
/// of its state), `changed`, `ambiguous`, `store_away`.
fn not_ordered(error: &OrderError) -> Response {
    let (code, more) = match error {
        OrderError::Unknown => ("unknown", None),
        OrderError::Refused { why, .. } => ("refused", Some(("reason", why.code()))),
        OrderError::Over(state) => ("over", Some(("state", *state))),
        OrderError::Changed => ("changed", None),
        OrderError::StoreAway => ("store_away", None),
    };
    let advice = match error {
        OrderError::Refused { why, .. } => format!("; to do: {}", why.advice()),
        _ => String::new(),
    };
    let detail = format!("{}{advice}", visible(&error.to_string()));
    coded(status_of(error), code, &detail, more)
}

fn ambiguous(several: &[ResourceKey]) -> Response {
    let all: Vec<String> = several.iter().map(|key| visible(&key.to_string()).into_owned()).collect();
    let detail = format!(
        "several resources have this id: {}; tell them apart with cloud_account, cloud_service, cloud_region or \
         cloud_project",
        all.join("; ")
    );
    coded(StatusCode::CONFLICT, "ambiguous", &detail, None)
}

fn coded(status: StatusCode, code: &str, detail: &str, more: Option<(&str, &str)>) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let mut body = json!({
        "type": format!("urn:notafter:order:{code}"),
        "title": title, "status": status.as_u16(), "detail": detail, "code": code,
    });
    if let Some((name, value)) = more {
        body[name] = value.into();
    }
    let headers = [(CONTENT_TYPE, "application/problem+json"), (CACHE_CONTROL, "no-store")];
    (status, headers, to_text(&body)).into_response()
}

#[cfg(test)]
mod tests;
