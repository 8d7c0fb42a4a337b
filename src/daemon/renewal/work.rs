//! What takes time and runs beside the rounds: reading, hooks, and the call itself.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinError;
use tokio::time::Instant;

use super::{Course, Epoch, hook};
use crate::call::CallError;
use crate::clock::Clock;
use crate::domain::policy::{Hook, OwnCertificate};
use crate::domain::renewal::attempt::{Attempt, ResourceKey, State};
use crate::domain::renewal::method::{Call, Material};
use crate::provider::{Examination, Pair, Provider, Sent};

/// No honest reading takes longer; its calls have limits of their own.
const READING: Duration = Duration::from_mins(5);
/// Between plan and call; windows mean nothing to a call that comes later.
const PROMPT: TimeDelta = TimeDelta::minutes(2);
/// A disk may hang.
const FILES: Duration = Duration::from_secs(30);
/// No call is waited for longer: what became of it is found out by reading.
const CALL: Duration = Duration::from_mins(2);

/// What came back.
#[derive(Debug)]
pub(super) enum Done {
    /// A resource was read.
    Read(Box<Reading>),
    /// A hook before a call ended.
    Hook { attempt: Box<str>, said: Result<(), String>, epoch: Epoch },
    /// A call was made.
    Called(Box<Answer>),
    /// A hook after an outcome ended.
    After { attempt: Box<str>, said: Result<(), String> },
    /// A defect of ours; what it was about is read again.
    Panicked,
}

/// One reading.
#[derive(Debug)]
pub(super) struct Reading {
    pub key: ResourceKey,
    /// Between which two jumps of the clock.
    pub epoch: Epoch,
    /// From before the first call: whatever was answered is at least as young.
    pub at: DateTime<Utc>,
    pub found: Result<Examination, CallError>,
    pub material: Material,
}

/// What a cloud said to a call.
#[derive(Debug)]
pub(super) struct Answer {
    /// As it was written down before the call.
    pub attempt: Attempt,
    pub at: DateTime<Utc>,
    pub sent: Sent,
}

impl Course {
    /// Takes in what came back; the next round looks at it.
    pub(super) fn arrive(&mut self, done: Result<Done, JoinError>) {
        let done = done.unwrap_or_else(|error| {
            tracing::error!(%error, "a piece of a renewal ended in a defect of notafter; only reading goes on from here");
            Done::Panicked
        });
        match &done {
            Done::Read(reading) => {
                self.reading.remove(&reading.key);
            }
            Done::Hook { attempt, .. } => {
                self.beginning.remove(attempt);
            }
            Done::Called(answer) => {
                self.beginning.remove(&answer.attempt.id);
                self.calling.remove(&answer.attempt.id);
            }
            Done::After { .. } => {}
            Done::Panicked => {
                // which one it was nobody knows: what is open is read, and nothing is ever called twice
                self.reading.clear();
                self.beginning.clear();
                self.calling.clear();
            }
        }
        self.arrived.push(done);
    }

    /// A call is being made.
    pub(super) fn is_calling(&self) -> bool {
        !self.calling.is_empty()
    }
}

/// Reads one resource, and the operator's own files where the rule names some.
pub(super) async fn read(
    provider: Arc<dyn Provider>,
    key: ResourceKey,
    files: Option<(OwnCertificate, DateTime<Utc>)>,
    epoch: Epoch,
    clock: Clock,
) -> Done {
    let (at, scope) = (clock.now(), key.scope());
    let found = match provider.renewer() {
        Some(renewer) => {
            let read = tokio::time::timeout(READING, renewer.examine(&scope, &key.resource_id));
            read.await.unwrap_or_else(|_| Err(late()))
        }
        None => Err(late()),
    };
    let host = found.as_ref().ok().and_then(|found| found.detail.host.clone());
    let material = match files {
        None => Material::Unread,
        Some((files, end)) => material(files, host, end, clock.now()).await,
    };
    Done::Read(Box::new(Reading { key, epoch, at, found, material }))
}

fn late() -> CallError {
    CallError::new(crate::call::CallErrorKind::Timeout, "", "the instance was not read in time")
}

/// What the operator's files hold. They are read away from the loop: a disk may hang.
async fn material(
    files: OwnCertificate,
    host: Option<Box<str>>,
    end: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Material {
    let read = move || match Pair::read(&files) {
        Ok(pair) => pair.material(host.as_deref(), end, now),
        Err(error) => Material::Unfit { why: error.to_string().into() },
    };
    let read = tokio::time::timeout(FILES, tokio::task::spawn_blocking(read)).await;
    let read = read.unwrap_or(Ok(Material::Unfit { why: "the files could not be read in time".into() }));
    read.unwrap_or_else(|_| Material::Unfit { why: "the files could not be read".into() })
}

/// Asks the operator's program whether now is a good time.
pub(super) async fn before(attempt: Attempt, hook: Hook, epoch: Epoch) -> Done {
    let said = match &hook.before {
        Some(program) => hook::run(program, &words(&attempt, "before"), hook.timeout).await,
        None => Ok(()),
    };
    Done::Hook { attempt: attempt.id, said, epoch }
}

/// Tells the operator's program what became of it.
pub(super) async fn after(attempt: Attempt, hook: Hook) -> Done {
    let said = match &hook.after {
        Some(program) => hook::run(program, &words(&attempt, "after"), hook.timeout).await,
        None => Ok(()),
    };
    Done::After { attempt: attempt.id, said }
}

/// What programs are told, as environment variables.
fn words(attempt: &Attempt, when: &str) -> Vec<(&'static str, String)> {
    let key = &attempt.key.resource;
    let new_end = match attempt.state {
        State::Confirmed { new_not_after } => super::round::second(new_not_after),
        _ => String::new(),
    };
    vec![
        ("NOTAFTER_HOOK", when.to_owned()),
        ("NOTAFTER_ATTEMPT", attempt.id.to_string()),
        ("NOTAFTER_STATE", attempt.state.as_str().to_owned()),
        ("NOTAFTER_CLOUD_PROVIDER", key.provider.to_string()),
        ("NOTAFTER_CLOUD_ACCOUNT", key.account.to_string()),
        ("NOTAFTER_CLOUD_PROJECT", key.project.to_string()),
        ("NOTAFTER_CLOUD_REGION", key.region.to_string()),
        ("NOTAFTER_CLOUD_SERVICE", key.service.to_string()),
        ("NOTAFTER_RESOURCE_ID", key.resource_id.to_string()),
        ("NOTAFTER_NOT_AFTER", super::round::second(attempt.key.not_after)),
        ("NOTAFTER_NEW_NOT_AFTER", new_end),
    ]
}

/// A call, and the moment for which it was planned.
pub(super) struct Errand {
    pub provider: Arc<dyn Provider>,
    /// As it was written down.
    pub attempt: Attempt,
    pub call: Call,
    /// The protected host, for a certificate of the operator's own.
    pub host: Option<Box<str>>,
    /// The moment of the plan, by both clocks.
    pub planned: (DateTime<Utc>, Instant),
    pub clock: Clock,
}

/// Makes the call. It was written down before.
pub(super) async fn call(errand: Errand) -> Done {
    let sent = match pair(&errand).await {
        Ok(pair) => send(&errand, pair.as_ref()).await,
        Err(text) => Sent::NotSent { text: text.into() },
    };
    Done::Called(Box::new(Answer { at: errand.clock.now(), attempt: errand.attempt, sent }))
}

async fn send(errand: &Errand, pair: Option<&Pair>) -> Sent {
    let Some(renewer) = errand.provider.renewer() else {
        return Sent::NotSent { text: "this cloud has no call for it".into() };
    };
    let scope = errand.attempt.key.resource.scope();
    let late = || late_for(errand);
    let sent = tokio::time::timeout(CALL, renewer.renew(&scope, &errand.call, pair, &late));
    sent.await.unwrap_or_else(|_| Sent::Lost { text: "no answer came in time".into() })
}

/// A machine that slept, or a clock that was set, between plan and call: the window may be over.
fn late_for(errand: &Errand) -> Option<String> {
    let (wall, monotonic) = errand.planned;
    let passed = TimeDelta::from_std(monotonic.elapsed()).unwrap_or(TimeDelta::MAX);
    let by_wall = errand.clock.now() - wall;
    let late = passed.max(by_wall) > PROMPT || by_wall < -PROMPT;
    late.then(|| "too much time passed between plan and call; it is planned anew".to_owned())
}

/// The operator's own pair, read and checked once more: it is sent exactly as it was judged.
async fn pair(errand: &Errand) -> Result<Option<Pair>, String> {
    let Some((_, _, files)) = errand.call.material.clone() else { return Ok(None) };
    let (host, end, now) = (errand.host.clone(), errand.attempt.key.not_after, errand.clock.now());
    let read = tokio::task::spawn_blocking(move || {
        let pair = Pair::read(&files).map_err(|error| error.to_string())?;
        match pair.material(host.as_deref(), end, now) {
            Material::Fit { .. } => Ok(Some(pair)),
            Material::Unfit { why } => Err(why.to_string()),
            Material::Unread => Err("nobody has looked at it".to_owned()),
        }
    });
    match tokio::time::timeout(FILES, read).await {
        Ok(Ok(read)) => read,
        Ok(Err(_)) | Err(_) => Err("the files of the new certificate could not be read in time".to_owned()),
    }
}
