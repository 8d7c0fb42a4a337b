//! The pages of renewals, and what their forms order. A form counts once, and only for what its reader saw.

use std::sync::Arc;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};

use super::{Answer, ledger, no_resource, person, renewing, status_of, unknown};
use crate::web::access::MayChange;
use crate::web::form::Filled;
use crate::web::inside::{Renewing, Word};
use crate::web::page::order::{OrderQuery, Ordering, order_page};
use crate::web::page::renewal::{Asked, Notice, Reading, Viewer, about, renewal_page};
use crate::web::page::tongue::Tongue;
use crate::web::planned::{entries, entry};
use crate::web::quiet::{Looks, viewer};
use crate::web::refusal::Refusal;
use crate::web::view::{Shown, written};

pub(super) async fn show(
    Looks(viewer): Looks,
    tongue: Tongue,
    State(shown): State<Shown>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let asked = Asked::read(query.as_deref());
    page_of(&shown, tongue, id, viewer, asked, None).await
}

/// The page of one renewal, where there is one, or will be in a moment.
async fn page_of(
    shown: &Shown,
    tongue: Tongue,
    id: String,
    viewer: Viewer,
    asked: Asked,
    notice: Option<Notice>,
) -> Answer {
    let seal = Arc::clone(&shown.seal);
    let ledger = ledger(shown, &id).await;
    let page = shown.make(move |_, now, context| {
        let token = |parts: &[&str]| seal.token(parts);
        let ledger = ledger.as_deref();
        let reading = Reading { id: &id, ledger, viewer: &viewer, asked: &asked, token: &token };
        let page = renewal_page(&reading, notice, now, &context.speaking(tongue));
        page.map(|page| page.render()).ok_or_else(|| unknown(&id))
    });
    page.await.map(written)
}

pub(super) async fn decide(
    may: MayChange,
    tongue: Tongue,
    State(shown): State<Shown>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let filled = Filled::read(&body);
    let by = person(&may, Some(filled.field("by")))?;
    let viewer = viewer(&may);
    let Renewing { board, desk } = renewing(&shown)?.clone();
    let board = Arc::clone(&board.borrow());
    let found = entry(&board, &id).ok_or_else(|| unknown(&id))?;
    if !shown.seal.is_of(filled.field("token"), &about(&found).each_ref().map(String::as_str)) {
        return again(&shown, tongue, id, viewer, StatusCode::CONFLICT, Notice::Stale).await;
    }
    let seen = found.attempt.map(|attempt| attempt.changed_at);
    let word = Word { by: &by, at_once: filled.field("now") == "yes", seen };
    let ordered = match filled.field("what") {
        "approve" => desk.approve(&id, word).await,
        "reject" => desk.reject(&id, word).await,
        _ => return Err(Refusal::bad_request("the form says neither approve nor reject")),
    };
    match ordered {
        Ok(attempt) => Ok(back_to(tongue, &attempt.id, attempt.changed_at.timestamp_millis())),
        Err(error) => again(&shown, tongue, id, viewer, status_of(&error), Notice::Refused(error)).await,
    }
}

async fn again(
    shown: &Shown,
    tongue: Tongue,
    id: String,
    viewer: Viewer,
    status: StatusCode,
    notice: Notice,
) -> Answer {
    let page = page_of(shown, tongue, id, viewer, Asked::default(), Some(notice)).await?;
    Ok((status, page).into_response())
}

/// Beside this page, wherever a proxy has put it.
fn back_to(tongue: Tongue, id: &str, changed_at: i64) -> Response {
    let link = tongue.keep(format!("{id}?after={changed_at}"));
    (StatusCode::SEE_OTHER, [(LOCATION, link)]).into_response()
}

pub(super) async fn show_order(
    Looks(viewer): Looks,
    tongue: Tongue,
    State(shown): State<Shown>,
    RawQuery(query): RawQuery,
) -> Answer {
    let asked = OrderQuery::read(query.as_deref());
    order_page_of(&shown, tongue, asked, viewer, None).await
}

async fn order_page_of(
    shown: &Shown,
    tongue: Tongue,
    asked: OrderQuery,
    viewer: Viewer,
    notice: Option<Notice>,
) -> Answer {
    let seal = Arc::clone(&shown.seal);
    let page = shown.make(move |snapshot, now, context| {
        let token = |parts: &[&str]| seal.token(parts);
        let found = asked.found(snapshot);
        if found.is_empty() {
            return Err(no_resource(&asked.resource));
        }
        let ordering = Ordering { asked: &asked, found: &found, viewer: &viewer, token: &token };
        Ok(order_page(&ordering, notice, now, &context.speaking(tongue)).render())
    });
    page.await.map(written)
}

pub(super) async fn order(may: MayChange, tongue: Tongue, State(shown): State<Shown>, body: Bytes) -> Answer {
    let filled = Filled::read(&body);
    let by = person(&may, Some(filled.field("by")))?;
    let viewer = viewer(&may);
    let asked = OrderQuery::of_form(&|name| filled.field(name).to_owned());
    let Renewing { board, desk } = renewing(&shown)?.clone();
    let found = Arc::clone(&shown.view.snapshot.borrow());
    let found = asked.found(&found);
    let [key] = &found[..] else { return Err(no_resource(&asked.resource)) };
    let board = Arc::clone(&board.borrow());
    let entry = entries(&board).find(|entry| entry.step.is_some() && entry.resource() == Some(key));
    let seen = entry.as_ref().and_then(|entry| Some(entry.attempt?.changed_at));
    let state = entry.map(|entry| about(&entry)).unwrap_or_default();
    let fresh = shown.seal.is_of(filled.field("token"), &state.each_ref().map(String::as_str));
    let (status, notice) = if fresh {
        let word = Word { by: &by, at_once: filled.field("now") == "yes", seen };
        match desk.order(key, word).await {
            Ok(attempt) => {
                return Ok(back_to(tongue, &attempt.id, attempt.changed_at.timestamp_millis()));
            }
            Err(error) => (status_of(&error), Notice::Refused(error)),
        }
    } else {
        (StatusCode::CONFLICT, Notice::Stale)
    };
    let page = order_page_of(&shown, tongue, asked, viewer, Some(notice)).await?;
    Ok((status, page).into_response())
}
