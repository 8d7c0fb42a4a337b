//! What people change from the page about what is told: acknowledge, silence, end a silence, send a message again or drop
//! it. The API (`changes`) does the same for programs.
//!
//! A form counts once and only for what its reader saw (`form`); what became of it is said by the page that its sender is
//! led back to.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::header::{LOCATION, ORIGIN};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, post};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::access::{CONTROL, MayChange};
use super::api::silences::NewSilence;
use super::changes::{told_added, told_settled};
use super::form::{Filled, Seal};
use super::inside::Alerting;
use super::page::order::{OrderQuery, resource_link};
use super::page::quiet::{
    Acknowledgement, Done, Hands, about, about_letter, about_silence, acknowledgements, length,
};
use super::page::renewal::Viewer;
use super::page::tongue::Tongue;
use super::query::pairs;
use super::refusal::Refusal;
use super::renewals::person;
use super::view::Shown;
use crate::domain::alert::board::Board;
use crate::domain::alert::outbox::State as LetterState;
use crate::domain::alert::silence::SilenceRow;
use crate::domain::matcher::value_in_quotes;
use crate::domain::renewal::attempt::ResourceKey;

/// The page that follows shows what was changed, unless the next evaluation takes longer than this.
const SOON: Duration = Duration::from_secs(2);
/// The most messages that are looked through for one that was given up.
const LETTERS: usize = 1000;

/// The forms that stand on the overview.
pub(super) fn routes() -> Router<Shown> {
    Router::new().route("/silences", only_post(post(end))).route("/letters", only_post(post(settle)))
}

fn only_post(routes: MethodRouter<Shown>) -> MethodRouter<Shown> {
    routes.fallback(|| async { Refusal::method_not_allowed_but("POST") })
}

type Answer = Result<Response, Refusal>;

/// Who looks at a page, and may change something from it; a link on another site may well have led here.
pub(super) struct Looks(pub(super) Viewer);

impl FromRequestParts<Shown> for Looks {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, shown: &Shown) -> Result<Self, Self::Rejection> {
        let mut asked = parts.clone();
        asked.headers.remove("sec-fetch-site");
        asked.headers.remove(ORIGIN);
        let may = MayChange::from_request_parts(&mut asked, shown).await;
        Ok(Self(may.map_or(Viewer::Reader, |may| viewer(&may))))
    }
}

/// Who may change something.
pub(super) fn viewer(may: &MayChange) -> Viewer {
    match may.who() {
        CONTROL => Viewer::Somebody,
        name => Viewer::User(name.to_owned()),
    }
}

/// What a page needs for its forms.
pub(super) struct Tools {
    shown: Shown,
    viewer: Viewer,
    done: Option<Done>,
    next_silence: Box<str>,
}

impl Tools {
    /// For a page that was asked for like this.
    pub(super) fn new(shown: &Shown, viewer: Viewer, query: Option<&str>) -> Self {
        let done = pairs(query).flatten().find(|(name, _)| name == "done");
        let done = done.and_then(|(_, sealed)| read_done(&shown.seal, &sealed));
        let alerting = shown.view.inside.alerting.as_ref();
        let next_silence = alerting.map(|alerting| (alerting.silence_id)((shown.view.now)()));
        Self { shown: shown.clone(), viewer, done, next_silence: next_silence.unwrap_or_default() }
    }

    /// What a page has of them, where there is somebody to tell.
    pub(super) fn hands(&self) -> Option<Hands<'_>> {
        let Self { shown, viewer, done, next_silence } = self;
        let told = shown.view.inside.alerting.is_some();
        told.then_some(Hands { viewer, seal: &shown.seal, done: *done, next_silence })
    }
}

/// `POST /resource`: acknowledges a certificate of a resource, or silences the resource.
pub(super) async fn keep_quiet(
    may: MayChange,
    tongue: Tongue,
    State(shown): State<Shown>,
    body: Bytes,
) -> Answer {
    let filled = Filled::read(&body);
    let by = person(&may, Some(filled.field("by")))?;
    let alerting = shown.view.inside.alerting()?.clone();
    let now = (shown.view.now)();
    let snapshot = Arc::clone(&shown.view.snapshot.borrow());
    let asked = OrderQuery::of_form(&|name| filled.field(name).to_owned());
    let found = asked.found(&snapshot);
    let [key] = &found[..] else {
        return Err(Refusal::not_found("no resource of this identity is known"));
    };
    let back = |done: Done| back_to(&shown, tongue, &resource_link(key), (done, "told"));
    let seen = alerting.with_world(&snapshot, now, |world, memory| {
        let (scope, view) = snapshot.scopes.get_key_value(&key.scope())?;
        Some(acknowledgements(world, memory, scope, view.resources.get(&key.resource_id)?))
    });
    let seen = seen.unwrap_or_default();
    let id = filled.field("id");
    let parts = about(key, id, &seen);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    if !shown.seal.is_of(filled.field("token"), &parts) {
        return Ok(back(Done::Stale));
    }
    let comment = filled.field("comment").trim().to_owned();
    if comment.is_empty() {
        return Ok(back(Done::Unexplained));
    }
    let (wanted, done) = wanted(&filled, key, &seen, now)?;
    let row = NewSilence { author: by, comment, ..wanted }.into_row(id.into(), now);
    let row = row.map_err(Refusal::bad_request)?;
    Ok(back(match add(&alerting, &row, &may).await {
        Ok(true) => done,
        Ok(false) => Done::Stale,
        Err(_) => Done::Away,
    }))
}

/// What the button that was pressed means.
fn wanted(
    filled: &Filled,
    key: &ResourceKey,
    seen: &[Acknowledgement],
    now: DateTime<Utc>,
) -> Result<(NewSilence, Done), Refusal> {
    let what = filled.field("what");
    if what == "silence" {
        let length = length(filled.field("for")).and_then(|length| TimeDelta::from_std(length).ok());
        let length = length.ok_or_else(|| Refusal::bad_request("the form does not say for how long"))?;
        let wanted = NewSilence {
            matcher: Some(expression(key)),
            ends_at: Some(now + length),
            include_expired: filled.field("expired") == "yes",
            ..NewSilence::default()
        };
        return Ok((wanted, Done::Silenced));
    }
    let one = seen.iter().find(|one| one.role.as_str() == what);
    let one = one.ok_or_else(|| Refusal::bad_request("the form says neither acknowledge nor silence"))?;
    let wanted = NewSilence {
        fingerprint: Some(one.fingerprint.to_string()),
        stage: Some(one.stage),
        ends_at: Some(one.until),
        ..NewSilence::default()
    };
    Ok((wanted, Done::Acknowledged))
}

/// What means this resource and no other.
fn expression(key: &ResourceKey) -> String {
    let scope = key.scope();
    let id = ("resource_id", &*key.resource_id);
    let labels = scope.labels().into_iter().chain([id]);
    let labels = labels.map(|(name, value)| format!("{name}={}", value_in_quotes(value)));
    labels.collect::<Vec<_>>().join(", ")
}

/// `false`: there is one with this id, so the form was sent before.
async fn add(alerting: &Alerting, row: &SilenceRow, may: &MayChange) -> Result<bool, Refusal> {
    // one after the other: the store takes a second silence with the same id for a change of the first
    static ADDING: Mutex<()> = Mutex::const_new(());
    let adding = ADDING.lock().await;
    let added = alerting.kept(async |store| {
        if store.silences().await?.iter().any(|known| known.id == row.id) {
            return Ok(false);
        }
        store.add_silence(row).await.map(|()| true)
    });
    if !added.await? {
        return Ok(false);
    }
    drop(adding);
    told_added(row, may);
    seen_by_the_next_evaluation(alerting, |board| board.silences.iter().any(|known| known.id == row.id))
        .await;
    Ok(true)
}

/// `POST /silences`: ends one.
async fn end(may: MayChange, tongue: Tongue, State(shown): State<Shown>, body: Bytes) -> Answer {
    let filled = Filled::read(&body);
    let alerting = shown.view.inside.alerting()?;
    let now = (shown.view.now)();
    let id = filled.field("id");
    let back = |done: Done| Ok(back_to(&shown, tongue, "./", (done, "channels")));
    let Ok(rows) = alerting.kept(async |store| store.silences().await).await else {
        return back(Done::Away);
    };
    let found = rows.iter().find(|row| *row.id == *id && row.ends_at > now);
    let fresh = found.is_some_and(|row| {
        let parts = about_silence(id, row.ends_at);
        shown.seal.is_of(filled.field("token"), &parts.each_ref().map(String::as_str))
    });
    if !fresh {
        return back(Done::Stale);
    }
    match alerting.kept(async |store| store.end_silence(id, now).await).await {
        Ok(true) => {}
        Ok(false) => return back(Done::Stale),
        Err(_) => return back(Done::Away),
    }
    tracing::info!(id, by = may.who(), "a silence was ended");
    let is_over = |row: &SilenceRow| *row.id != *id || row.ends_at <= now;
    seen_by_the_next_evaluation(alerting, |board| board.silences.iter().all(is_over)).await;
    back(Done::Ended)
}

/// `POST /letters`: sends a message again that was given up, or drops it.
async fn settle(may: MayChange, tongue: Tongue, State(shown): State<Shown>, body: Bytes) -> Answer {
    let filled = Filled::read(&body);
    let desk = &shown.view.inside.alerting()?.desk;
    let id = filled.field("id");
    let back = |done: Done| Ok(back_to(&shown, tongue, "./", (done, "channels")));
    let Ok(dead) = desk.messages(&[LetterState::Dead], LETTERS, None).await else {
        return back(Done::Away);
    };
    let fresh = dead.iter().find(|row| *row.message.id == *id).is_some_and(|row| {
        let parts = about_letter(row);
        shown.seal.is_of(filled.field("token"), &parts.each_ref().map(String::as_str))
    });
    if !fresh {
        return back(Done::Stale);
    }
    let (settled, done) = match filled.field("what") {
        "retry" => (desk.retry(id).await, Done::Retried),
        "discard" => (desk.discard(id).await, Done::Dropped),
        _ => return Err(Refusal::bad_request("the form says neither retry nor discard")),
    };
    match settled {
        Ok(true) => {
            told_settled(id, &may, done);
            back(done)
        }
        Ok(false) => back(Done::Stale),
        Err(_) => back(Done::Away),
    }
}

/// Has what is told looked at now, and waits a moment for that.
async fn seen_by_the_next_evaluation(alerting: &Alerting, shows: impl Fn(&Board) -> bool) {
    let mut board = alerting.board.clone();
    alerting.ask.notify_one();
    // whoever waits longer is shown a page that is a moment behind
    timeout(SOON, board.wait_for(|board| shows(board))).await.ok();
}

fn back_to(shown: &Shown, tongue: Tongue, page: &str, (done, place): (Done, &str)) -> Response {
    let between = if page.contains('?') { '&' } else { '?' };
    let seal = shown.seal.token(&about_done(done));
    let link = tongue.keep(format!("{page}{between}done={}.{seal}#{place}", done.as_str()));
    (StatusCode::SEE_OTHER, [(LOCATION, link)]).into_response()
}

/// What became of a form stands in the address, and anybody can write a link: only what we wrote ourselves is said.
fn read_done(seal: &Seal, sealed: &str) -> Option<Done> {
    let (word, token) = sealed.split_once('.')?;
    Done::read(word).filter(|done| seal.is_of(token, &about_done(*done)))
}

fn about_done(done: Done) -> [&'static str; 2] {
    ["done", done.as_str()]
}

#[cfg(test)]
mod tests;
