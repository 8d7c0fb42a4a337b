//! One request from beginning to end: who asks, may they, is it too often, what is the answer, and is it spoilt.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use hyper::http::request::Parts;
use serde_json::Value;

use super::account::{Quota, Text};
use super::answer::{Asked, answer};
use super::auth;
use super::error::ApiError;
use super::ledger::{Call, Ledger, Outcome};
use super::request::Received;
use super::store::Fleet;
use crate::sim::wire::distort;
use crate::sim::wire::fault::{Aim, Fault, Faults};
use crate::sim::wire::reply::{self as wire, Reaction, Reply, locked};

const JSON: &str = "application/json;charset=utf-8";

/// The state behind the port.
pub(super) struct Cloud {
    clock: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// What there is.
    pub(super) fleet: Mutex<Fleet>,
    /// What goes wrong on purpose.
    pub(super) faults: Mutex<Faults>,
    /// What was called.
    pub(super) ledger: Mutex<Ledger>,
    taken: Mutex<HashMap<Text, VecDeque<DateTime<Utc>>>>,
    serial: AtomicU64,
}

impl Cloud {
    /// A cloud without faults and memories.
    pub(super) fn new(fleet: Fleet, clock: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>) -> Self {
        Self {
            clock,
            fleet: Mutex::new(fleet),
            faults: Mutex::default(),
            ledger: Mutex::default(),
            taken: Mutex::default(),
            serial: AtomicU64::new(1),
        }
    }

    /// The cloud's own time.
    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    fn handle(&self, received: &Received, uuid: &str) -> Reaction {
        let now = self.now();
        let mut call = self.call(received, now);
        let aim = Aim {
            action: &call.action,
            region: &call.region,
            resource: &call.resource,
            key_id: &call.key_id,
        };
        let fault = locked(&self.faults).take(&aim);
        if let Some(fault) = &fault
            && let Some(reaction) = instead(fault, &call.action, uuid, now)
        {
            call.outcome = Outcome::Faulted(fault.name());
            locked(&self.ledger).note(call);
            return reaction;
        }
        let decided = self.decide(received, &call, fault.as_ref(), now);
        call.outcome = match (&fault, &decided) {
            (Some(fault), _) => Outcome::Faulted(fault.name()),
            (None, Ok(_)) => Outcome::Answered,
            (None, Err(error)) => Outcome::Refused(error.code),
        };
        let body = decided.unwrap_or_else(|error| error.body(&call.action));
        locked(&self.ledger).note(call);
        match fault {
            None => Reaction::Reply(Box::new(reply(200, body.to_string().into_bytes(), uuid, now))),
            Some(fault) => afterwards(&fault, &body, uuid, now),
        }
    }

    fn decide(
        &self,
        received: &Received,
        call: &Call,
        fault: Option<&Fault>,
        now: DateTime<Utc>,
    ) -> Result<Value, ApiError> {
        if call.action.is_empty() {
            return Err(ApiError::new(160, "Missing Action"));
        }
        let fleet = locked(&self.fleet);
        let found = fleet.key(&call.key_id);
        auth::verify(received, found.map(|(_, key)| key), now)?;
        let (account, key) = found.expect("an unknown key did not pass verification");
        if let Some(quota) = fleet.quota {
            self.take(&account.name, quota, now)?;
        }
        let drift = fault.and_then(Fault::drift);
        answer(&Asked { action: &call.action, account, key, received, drift }, &fleet)
    }

    /// Takes a call of an account or refuses it; refused calls do not count.
    fn take(&self, account: &Text, quota: Quota, now: DateTime<Utc>) -> Result<(), ApiError> {
        let mut all = locked(&self.taken);
        let taken = all.entry(account.clone()).or_default();
        while taken.front().is_some_and(|first| now - *first >= quota.per) {
            taken.pop_front();
        }
        if taken.len() >= quota.calls {
            return Err(ApiError::throttled());
        }
        taken.push_back(now);
        Ok(())
    }

    #[allow(clippy::unused_self)] // every call of a cloud is one of its methods
    fn call(&self, received: &Received, at: DateTime<Utc>) -> Call {
        let get = |name: &str| received.get(name).unwrap_or_default();
        Call {
            at,
            key_id: get("PublicKey"),
            action: get("Action"),
            region: get("Region"),
            project: get("ProjectId"),
            resource: get("SSLId"),
            offset: get("Offset"),
            outcome: Outcome::Answered,
        }
    }
}

impl wire::Cloud for Cloud {
    fn react(&self, parts: &Parts, body: &[u8]) -> Reaction {
        let uuid = format!("5f0c1a2b-0000-4000-8000-{:012x}", self.serial.fetch_add(1, Ordering::Relaxed));
        let nothing_here = parts.uri.path() != "/" || !matches!(parts.method.as_str(), "GET" | "POST");
        if nothing_here {
            return Reaction::Reply(Box::new(Reply::new(
                404,
                "text/plain",
                "404 page not found",
                self.now(),
            )));
        }
        match Received::new(parts, body) {
            Ok(received) => self.handle(&received, &uuid),
            Err(error) => {
                let body = error.body("").to_string().into_bytes();
                Reaction::Reply(Box::new(reply(200, body, &uuid, self.now())))
            }
        }
    }
}

fn reply(status: u16, body: Vec<u8>, uuid: &str, now: DateTime<Utc>) -> Reply {
    Reply::new(status, JSON, body, now).with("x-ucloud-request-uuid", uuid)
}

/// What comes instead of an answer; `None` for faults that need the honest one.
fn instead(fault: &Fault, action: &str, uuid: &str, now: DateTime<Utc>) -> Option<Reaction> {
    let (status, error) = match fault {
        Fault::Status { status, json: true } if *status == 503 => {
            (503, ApiError::new(150, "Service unavailable"))
        }
        Fault::Status { status, json: true } => (*status, ApiError::new(130, "Gateway fault")),
        Fault::Throttle { .. } => (200, ApiError::throttled()),
        Fault::RegionRefused => (200, ApiError::not_available("Region")),
        _ => return distort::instead(fault, now),
    };
    let body = error.body(action).to_string().into_bytes();
    Some(Reaction::Reply(Box::new(reply(status, body, uuid, now))))
}

/// What becomes of the honest answer.
fn afterwards(fault: &Fault, body: &Value, uuid: &str, now: DateTime<Utc>) -> Reaction {
    let mut body = distort::rewritten(fault, body.to_string().into_bytes());
    if *fault == Fault::TextCodes {
        body = distort::changed(&body, text_codes);
    }
    distort::delivered(fault, reply(200, body, uuid, now))
}

fn text_codes(mut json: Value) -> Value {
    if let Some(code) = json.get("RetCode").map(ToString::to_string) {
        json["RetCode"] = code.into();
    }
    json
}
