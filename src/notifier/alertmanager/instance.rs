//! One instance of the cluster: posts alerts to it, and finds the one for which it refuses a whole batch.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::header::HeaderMap;

use super::alerts::Alert;
use crate::domain::reason::Reason;
use crate::notifier::post::{self, Post};
use crate::notifier::{Outcome, Refusal, Trouble};
use crate::secret::Secret;

/// So many alerts go in one request,
const BATCH: usize = 200;
/// and so many bytes; proxies in front of it often take a megabyte at most.
const BATCH_BYTES: usize = 512 * 1024;

/// An alert as it goes on the wire; the same for every instance.
#[derive(Debug)]
pub(super) struct Ready {
    /// Which one it is, for people.
    title: String,
    /// Tells alerts apart by everything but time, which is new with each post.
    key: String,
    json: String,
}

impl Ready {
    /// Of an alert.
    pub(super) fn new(alert: &Alert) -> Self {
        Self {
            title: alert.title(),
            key: format!("{:?} {:?}", alert.labels, alert.annotations),
            json: serde_json::to_string(alert).expect("texts become JSON"),
        }
    }
}

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
    pub(super) async fn tell(&self, alerts: &[Ready]) -> Result<Taken, Outcome> {
        let mut bad = self.bad().clone();
        bad.retain(|known, _| alerts.iter().any(|alert| alert.key == *known));
        let good: Vec<_> = alerts.iter().filter(|alert| !bad.contains_key(&alert.key)).collect();
        for batch in batches(&good) {
            match self.post(batch).await {
                Err(refusal) if is_content(&refusal) => bad.extend(self.one_by_one(batch, refusal).await?),
                other => other?,
            }
        }
        let left_out = alerts.iter().filter_map(|alert| Some((alert, bad.get(&alert.key)?)));
        let left_out = left_out.map(|(alert, why)| format!("{}: {why}", alert.title)).collect();
        *self.bad() = bad;
        Ok(Taken { left_out })
    }

    /// A defect while it was held leaves it whole all the same.
    fn bad(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.bad.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same batch would be refused again, so each goes alone, once; the refused ones come back with the reason.
    async fn one_by_one(&self, batch: &[&Ready], refusal: Outcome) -> Result<Vec<(String, String)>, Outcome> {
        let [_, _, ..] = batch else { return Err(refusal) };
        let mut bad = Vec::new();
        for alert in batch {
            match self.post(&[alert]).await {
                Err(Outcome::Refused { what: Refusal::Content, trouble }) => {
                    tracing::warn!(
                        instance = self.place,
                        alert = alert.title,
                        said = trouble.text,
                        "left out"
                    );
                    bad.push((alert.key.clone(), trouble.text));
                }
                other => other?,
            }
        }
        if bad.len() == batch.len() { Err(refusal) } else { Ok(bad) }
    }

    async fn post(&self, alerts: &[&Ready]) -> Result<(), Outcome> {
        let alerts: Vec<_> = alerts.iter().map(|alert| alert.json.as_str()).collect();
        let body = format!("[{}]", alerts.join(","));
        let reply = self.post.json(self.address.expose(), self.headers.clone(), body.into()).await?;
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

/// Neither too many nor too large.
fn batches<'a, 'b>(alerts: &'a [&'b Ready]) -> Vec<&'a [&'b Ready]> {
    let (mut batches, mut rest) = (Vec::new(), alerts);
    while !rest.is_empty() {
        let mut size = 0;
        let fits = |alert: &&&Ready| {
            size += alert.json.len() + 1;
            size <= BATCH_BYTES
        };
        let count = rest.iter().take(BATCH).take_while(fits).count().max(1);
        let (batch, later) = rest.split_at(count);
        batches.push(batch);
        rest = later;
    }
    batches
}

/// What was said of an attempt that did not succeed.
pub(super) fn trouble(outcome: &Outcome) -> Option<&Trouble> {
    match outcome {
        Outcome::Retry { trouble, .. } | Outcome::Refused { trouble, .. } => Some(trouble),
        Outcome::Delivered(_) => None,
    }
}
