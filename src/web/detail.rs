//! The route of the page of one resource.

use std::sync::Arc;

use askama::Template as _;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::page::resource::{Reading, asked_for, nothing_or_several, resource_page};
use super::page::tongue::Tongue;
use super::quiet::{Looks, Tools};
use super::view::{Shown, written};
use crate::domain::renewal::attempt::ResourceKey;
use crate::domain::renewal::ledger::Entry;
use crate::provider;

/// The youngest attempts whose ledger is shown.
const ATTEMPTS: usize = 5;
/// Entries of each.
const ENTRIES: usize = 40;

/// `GET /resource?id=…`: what the query leaves open may be anything.
pub(super) async fn show(
    Looks(viewer): Looks,
    State(shown): State<Shown>,
    tongue: Tongue,
    RawQuery(query): RawQuery,
) -> Response {
    let snapshot = Arc::clone(&shown.view.snapshot.borrow());
    let asked = asked_for(query.as_deref());
    let found = asked.found(&snapshot);
    let [key] = &found[..] else {
        let status = if found.is_empty() { StatusCode::NOT_FOUND } else { StatusCode::OK };
        let html = shown.make(move |_, now, context| {
            nothing_or_several(&found, query.as_deref(), now, &context.speaking(tongue)).render()
        });
        return (status, written(html.await)).into_response();
    };
    let (key, ledger) = (key.clone(), ledger(&shown, key).await);
    let alerting = shown.view.inside.alerting.clone();
    let tools = Tools::new(&shown, viewer, query.as_deref());
    let html = shown.make_with(None, Some(tools), move |_, now, context| {
        let context = &context.speaking(tongue);
        let (scope, resource) = snapshot
            .scopes
            .get_key_value(&key.scope())
            .and_then(|(scope, view)| Some((scope, view.resources.get(&key.resource_id)?)))?;
        let console = provider::find(&scope.provider).map(|cloud| (cloud.console)(scope, &resource.id));
        let reading = Reading { scope, resource, alerts: None, ledger: &ledger, console: console.as_deref() };
        let page = match &alerting {
            Some(alerting) => alerting.with_world(&snapshot, now, |world, memory| {
                resource_page(&Reading { alerts: Some((world, memory)), ..reading }, now, context)
            }),
            None => resource_page(&reading, now, context),
        };
        Some(page.render())
    });
    html.await.map_or_else(|| StatusCode::NOT_FOUND.into_response(), written)
}

/// What is written down of its renewals; of those that the board knows.
async fn ledger(shown: &Shown, key: &ResourceKey) -> Vec<Entry> {
    let inside = &shown.view.inside;
    let (Some(renewing), Some(handle)) = (&inside.renewing, &inside.store) else { return Vec::new() };
    let board = Arc::clone(&renewing.board.borrow());
    let Some(store) = handle.store() else { return Vec::new() };
    let mine = board.attempts.iter().filter(|attempt| attempt.key.resource == *key);
    let mut entries = Vec::new();
    for attempt in mine.take(ATTEMPTS) {
        match store.entries(Some(&attempt.id), ENTRIES, None).await {
            Ok(found) => entries.extend(found),
            Err(error) => {
                handle.report(&store, error);
                return entries;
            }
        }
    }
    entries
}
