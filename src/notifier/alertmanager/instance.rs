//! One instance of the cluster: posts alerts to it, and finds the one for which it refuses a whole batch.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use reqwest::header::HeaderMap;

use super::alerts::Alert;
use crate::domain::reason::Reason;
use crate::notifier::post::{self, Post};
use crate::notifier::{Outcome, Refusal, Trouble};
use crate::secret::Secret;

/// So many alerts go in one request.
const BATCH: usize = 200;

/// One of the cluster.
#[derive(Debug)]
pub(super) struct Instance {
    /// Scheme and host.
    pub(super) place: String,
    address: Secret,
    post: Post,
    /// Who we are.
    headers: HeaderMap,
    /// Alerts that it refused one by one, and what it said: not tried again until they change.
    bad: Mutex<BTreeMap<String, String>>,
}

/// An instance took everything but these.
pub(super) struct Taken {
    /// What was left out, and why.
    pub(super) left_out: Vec<String>,
}

impl Instance {
    /// The one at this address, whose path was completed already.
    pub(super) fn new(place: String, address: Secret, post: Post, headers: HeaderMap) -> Self {
        Self { place, address, post, headers, bad: Mutex::default() }
    }

    /// Posts every alert.
    ///
    /// # Errors
    /// The first thing that went wrong, unless only some of the alerts were refused.
    pub(super) async fn tell(&self, alerts: &[Alert]) -> Result<Taken, Outcome> {
        let mut bad = self.bad.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let keys: Vec<_> = alerts.iter().map(key).collect();
        bad.retain(|known, _| keys.contains(known));
        let good: Vec<_> = alerts.iter().filter(|alert| !bad.contains_key(&key(alert))).collect();
        for batch in good.chunks(BATCH) {
            match self.post(batch).await {
                Err(refusal) if is_content(&refusal) => {
                    bad.extend(self.one_by_one(batch, refusal).await?);
                }
                other => other?,
            }
        }
        let left_out = alerts.iter().filter_map(|alert| Some((alert, bad.get(&key(alert))?)));
        let left_out = left_out.map(|(alert, why)| format!("{}: {why}", alert.title())).collect();
        *self.bad.lock().unwrap_or_else(PoisonError::into_inner) = bad;
        Ok(Taken { left_out })
    }

    /// The same batch would be refused again, so each goes alone, once; the refused ones come back with the reason.
    async fn one_by_one(&self, batch: &[&Alert], refusal: Outcome) -> Result<Vec<(String, String)>, Outcome> {
        let [_, _, ..] = batch else { return Err(refusal) };
        let mut bad = Vec::new();
        for alert in batch {
            match self.post(&[alert]).await {
                Err(Outcome::Refused { what: Refusal::Content, trouble }) => {
                    bad.push((key(alert), trouble.text))
                }
                other => other?,
            }
        }
        if bad.len() == batch.len() { Err(refusal) } else { Ok(bad) }
    }

    async fn post(&self, alerts: &[&Alert]) -> Result<(), Outcome> {
        let body = Bytes::from(serde_json::to_vec(alerts).expect("texts become JSON"));
        let reply = self.post.json(self.address.expose(), self.headers.clone(), body).await?;
        if let Some(outcome) = self.post.usual(&reply) {
            return Err(outcome);
        }
        // The receiver says 200 and nothing more; a page with that status is somebody else's.
        if reply.status.as_u16() == 200 && reply.body.trim_ascii().is_empty() {
            return Ok(());
        }
        Err(post::retry(
            Reason::Unreadable,
            format!("not an answer of Alertmanager: {}", self.post.said(&reply)),
        ))
    }
}

fn is_content(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused { what: Refusal::Content, .. })
}

/// Tells alerts apart by everything but time, which is new with each post.
fn key(alert: &Alert) -> String {
    format!("{:?} {:?}", alert.labels, alert.annotations)
}

/// What was said of an attempt that did not succeed.
pub(super) fn trouble(outcome: &Outcome) -> Option<&Trouble> {
    match outcome {
        Outcome::Retry { trouble, .. } | Outcome::Refused { trouble, .. } => Some(trouble),
        Outcome::Delivered(_) => None,
    }
}
