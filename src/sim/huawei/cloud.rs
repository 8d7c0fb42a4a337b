//! One request from beginning to end: who asks, may they, is it too often, what is the answer, and is it spoilt.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use hyper::http::request::Parts;
use serde_json::Value;

use super::answer;
use super::auth::{self, Locks};
use super::error::ApiError;
use super::model::{Fleet, Instance, Project, Quota};
use super::request::{Action, Received};
use super::store::{self, Store};
use crate::sim::alibaba::{Outcome, Text, Total};
use crate::sim::wire::distort;
use crate::sim::wire::fault::{Aim, Fault, Faults};
use crate::sim::wire::reply::{self as wire, Reaction, Reply, locked};

const JSON: &str = "application/json";

/// How many calls are kept one by one.
const KEPT: usize = 10_000;

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// When it came, by the cloud's clock.
    pub at: DateTime<Utc>,
    /// The AK that it claimed to come from; empty where none signed.
    pub key_id: Text,
    /// Name of the call.
    pub action: &'static str,
    /// The region.
    pub region: Text,
    /// The instance asked for, or whose CA it is.
    pub resource: Text,
    /// What came of it.
    pub outcome: Outcome,
}

/// The state behind the port.
pub(super) struct Cloud {
    clock: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// Where it is reached, for links.
    base: String,
    /// Added to the clock.
    pub(super) offset_ms: AtomicI64,
    /// What there is.
    pub(super) fleet: Mutex<Fleet>,
    /// What goes wrong on purpose.
    pub(super) faults: Mutex<Faults>,
    /// What was called, oldest first.
    pub(super) calls: Mutex<VecDeque<Call>>,
    state: Mutex<State>,
    serial: AtomicU64,
}

/// What earlier calls left behind.
#[derive(Default)]
struct State {
    locks: Locks,
    store: Store,
    taken: HashMap<(Text, String, &'static str), VecDeque<DateTime<Utc>>>,
}

/// What a request is answered with.
enum Answer {
    Json(Value),
    NoContent,
    Object(bytes::Bytes),
}

impl Cloud {
    /// A cloud without faults and memories.
    pub(super) fn new(
        fleet: Fleet,
        base: String,
        clock: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    ) -> Self {
        Self {
            clock,
            base,
            offset_ms: AtomicI64::new(0),
            fleet: Mutex::new(fleet),
            faults: Mutex::default(),
            calls: Mutex::default(),
            state: Mutex::default(),
            serial: AtomicU64::new(1),
        }
    }

    /// The cloud's own time.
    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.clock)() + TimeDelta::milliseconds(self.offset_ms.load(Ordering::Relaxed))
    }

    fn handle(&self, received: &Received<'_>) -> Reaction {
        let request_id = format!("7f2a{:028x}", self.serial.fetch_add(1, Ordering::Relaxed));
        let owner = self.owner(received);
        let resource = owner.as_deref().unwrap_or(received.resource);
        let (action, key_id) = (received.action.name(), received.key_id());
        let region =
            if received.action == Action::Object { self.region_of(resource) } else { received.region.into() };
        let aim = Aim { action, region: &region, resource, key_id };
        let fault = locked(&self.faults).take(&aim);
        let now = self.now() + fault.as_ref().map_or(TimeDelta::zero(), Fault::clock_error);
        let note = |outcome| {
            let call = Call {
                at: now,
                key_id: key_id.into(),
                action,
                region: region.clone(),
                resource: resource.into(),
                outcome,
            };
            self.note(call);
        };
        if let Some(reaction) = fault.as_ref().and_then(|fault| instead(fault, &request_id, now)) {
            note(Outcome::Faulted(fault.as_ref().map_or("", Fault::name)));
            return reaction;
        }
        let decided = self.decide(received, fault.as_ref(), now);
        note(match (&fault, &decided) {
            (Some(fault), _) => Outcome::Faulted(fault.name()),
            (None, Ok(_)) => Outcome::Answered,
            (None, Err(error)) => Outcome::Refused(error.code.clone()),
        });
        let reply = match decided {
            Err(error) => error.reply(&request_id, now),
            Ok(answer) => answer.reply(fault.as_ref(), &request_id, now),
        };
        match fault {
            Some(fault) => distort::delivered(&fault, reply),
            None => Reaction::Reply(Box::new(reply)),
        }
    }

    /// The honest answer: every check in the order of the gateway, then the service's own work.
    fn decide(
        &self,
        received: &Received<'_>,
        fault: Option<&Fault>,
        now: DateTime<Utc>,
    ) -> Result<Answer, ApiError> {
        match received.action {
            Action::Unknown => {
                Err(ApiError::new(404, "APIGW.0101", "The API does not exist or has not been published."))
            }
            Action::Object => {
                let id = locked(&self.state).store.open(received, now)?;
                let fleet = locked(&self.fleet);
                let missing = || ApiError::store(404, "NoSuchKey", "The specified key does not exist.");
                Ok(Answer::Object(store::content(fleet.get(&id).ok_or_else(missing)?)))
            }
            _ => self.decide_signed(received, fault, now),
        }
    }

    fn decide_signed(
        &self,
        received: &Received<'_>,
        fault: Option<&Fault>,
        now: DateTime<Utc>,
    ) -> Result<Answer, ApiError> {
        let key_id = received.key_id();
        let fleet = locked(&self.fleet);
        let mut state = locked(&self.state);
        state.locks.check(key_id, now)?;
        let found = fleet.key(key_id);
        let verified = auth::verify(received, found.map(|(_, key)| key), now);
        if verified.as_ref().is_ok() || verified.as_ref().is_err_and(|error| error.code == "APIGW.0301") {
            state.locks.note(key_id, verified.is_ok(), now);
        }
        verified?;
        let (account, key) = found.expect("an unknown key did not pass verification");
        if let Some(quota) = fleet.quota(received.action.name()) {
            state.take(received, key_id, quota, now)?;
        }
        if received.action == Action::Projects {
            return Ok(Answer::Json(answer::projects(&fleet, &account.id)));
        }
        if let Some(permission) =
            received.action.permission().filter(|permission| !key.rights.allow(permission))
        {
            return Err(ApiError::denied(permission));
        }
        let project = own_project(&fleet, &account.id, received)?;
        if received.action == Action::List {
            return answer::list(&fleet, project, received, fault.and_then(Fault::drift)).map(Answer::Json);
        }
        let instance = own_instance(&fleet, project, received.resource)?;
        match received.action {
            Action::Ssl => Ok(answer::ssl(instance)?.map_or(Answer::NoContent, Answer::Json)),
            _ => answer::download(instance, &mut state.store, &self.base, now).map(Answer::Json),
        }
    }

    /// Whose archive an object is.
    fn owner(&self, received: &Received<'_>) -> Option<Text> {
        (received.action == Action::Object)
            .then(|| locked(&self.state).store.owner(received.resource))
            .flatten()
    }

    fn region_of(&self, id: &str) -> Text {
        let fleet = locked(&self.fleet);
        let project = fleet.get(id).and_then(|instance| fleet.project(&instance.project));
        project.map_or_else(|| "".into(), |project| project.region.clone())
    }

    fn note(&self, call: Call) {
        let mut calls = locked(&self.calls);
        if calls.len() == KEPT {
            calls.pop_front();
        }
        calls.push_back(call);
    }
}

impl State {
    /// Takes a call or refuses it. Refused calls do not count.
    fn take(
        &mut self,
        received: &Received<'_>,
        key_id: &str,
        quota: &Quota,
        now: DateTime<Utc>,
    ) -> Result<(), ApiError> {
        let place = (key_id.into(), received.region.to_owned(), received.action.name());
        let taken = self.taken.entry(place).or_default();
        while taken.front().is_some_and(|first| now - *first >= quota.per) {
            taken.pop_front();
        }
        if taken.len() >= quota.calls {
            return Err(ApiError::throttled(quota.calls, quota.per.num_seconds()));
        }
        taken.push_back(now);
        Ok(())
    }
}

/// The project in the path: of the caller's, and of the region whose host was asked.
fn own_project<'f>(
    fleet: &'f Fleet,
    account: &str,
    received: &Received<'_>,
) -> Result<&'f Project, ApiError> {
    let own = fleet.project(received.project).filter(|project| &*project.account == account);
    let project =
        own.ok_or_else(|| ApiError::new(401, "DCS.1004", "The project does not match the token."))?;
    if &*project.region == received.region {
        return Ok(project);
    }
    Err(ApiError::new(401, "APIGW.0307", "The token must be updated."))
}

fn own_instance<'f>(fleet: &'f Fleet, project: &Project, id: &str) -> Result<&'f Instance, ApiError> {
    fleet.get(id).filter(|instance| instance.project == project.id).ok_or_else(answer::gone)
}

impl Answer {
    fn reply(self, fault: Option<&Fault>, request_id: &str, now: DateTime<Utc>) -> Reply {
        match self {
            Self::NoContent => Reply::new(204, JSON, "", now),
            Self::Object(bytes) => Reply::new(200, "application/zip", bytes, now),
            Self::Json(json) => {
                let body = json.to_string().into_bytes();
                let body =
                    fault.map_or_else(|| body.clone(), |fault| distort::rewritten(fault, body.clone()));
                let body =
                    if let Some(Fault::LyingTotals(total)) = fault { lying(*total, &body) } else { body };
                Reply::new(200, JSON, body, now)
            }
        }
        .with("x-request-id", request_id)
    }
}

fn lying(total: Total, body: &[u8]) -> Vec<u8> {
    distort::changed(body, |mut json| {
        let Some(truth) = json.get("instance_num").and_then(Value::as_i64) else { return json };
        json["instance_num"] = match total {
            Total::TooSmall => (truth / 2).into(),
            Total::TooLarge => (truth + 1000).into(),
            Total::Negative => (-1).into(),
            Total::Absent => Value::Null,
        };
        json
    })
}

/// What comes instead of an answer; `None` for faults that need the honest one.
fn instead(fault: &Fault, request_id: &str, now: DateTime<Utc>) -> Option<Reaction> {
    let error = match fault {
        Fault::Status { status, json: true } => ApiError::new(*status, "DCS.5000", "Internal service error."),
        Fault::Throttle { retry_after_ms: None } => ApiError::throttled(20, 60),
        Fault::Throttle { retry_after_ms: Some(ms) } => {
            ApiError::throttled(20, i64::try_from(ms.div_ceil(1000)).unwrap_or(1))
        }
        Fault::RegionRefused => ApiError::new(403, "IAM.0083", "The region is private."),
        _ => return distort::instead(fault, now),
    };
    Some(Reaction::Reply(Box::new(error.reply(request_id, now))))
}

impl wire::Cloud for Cloud {
    fn react(&self, parts: &Parts, body: &[u8]) -> Reaction {
        self.handle(&Received::new(parts, body))
    }
}
