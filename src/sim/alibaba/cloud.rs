//! One request from beginning to end: who asks, may they, is it too often, what is the answer, and is it spoilt.

use std::borrow::Cow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use hyper::http::request::Parts;

use super::account::Key;
use super::answer::{Asked, answer, id_parameter};
use super::auth::{self, Nonces};
use super::distort;
use super::error::ApiError;
use super::fleet::Fleet;
use super::ledger::{Call, Ledger, Outcome, Parameter};
use super::model::Text;
use super::product::Product;
use super::quota::Quotas;
use super::request::{Action, Received, action};
use super::sts;
use crate::sim::wire::fault::{Aim, Fault, Faults};
use crate::sim::wire::reply::{self as wire, Reaction, Reply, locked};

/// A body that was made honestly, before anything spoils it.
pub(super) struct Honest {
    /// HTTP status.
    pub(super) status: u16,
    /// Sent as `x-acs-retry-after`.
    pub(super) retry_after_ms: Option<u64>,
    /// JSON.
    pub(super) body: Vec<u8>,
}

/// The state behind the port.
pub(super) struct Cloud {
    clock: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// Added to the clock.
    pub(super) offset_ms: AtomicI64,
    /// What there is.
    pub(super) fleet: Mutex<Fleet>,
    /// What goes wrong on purpose.
    pub(super) faults: Mutex<Faults>,
    /// What was called.
    pub(super) ledger: Mutex<Ledger>,
    /// What earlier calls used up.
    pub(super) gate: Mutex<Gate>,
    serial: AtomicU64,
}

/// What was used up by earlier calls.
#[derive(Default)]
pub(super) struct Gate {
    /// Each is good once.
    pub(super) nonces: Nonces,
    quotas: Quotas,
}

/// What a request is about, as far as it can be told before it is believed.
pub(super) struct Target {
    /// The product, where its version is known.
    pub(super) product: Option<Product>,
    /// The call, where the product knows it.
    pub(super) action: Option<(Action, &'static str)>,
    /// Name of the call as sent.
    pub(super) action_name: Cow<'static, str>,
    /// Access key id that the request claims to come from.
    pub(super) key_id: Text,
    /// Region asked for, or in which the instance is.
    pub(super) region: Text,
    /// Instance asked for.
    pub(super) resource: Option<Text>,
    /// With what, where something is to be changed.
    parameters: Vec<Parameter>,
}

impl Target {
    fn aim(&self) -> Aim<'_> {
        Aim {
            action: &self.action_name,
            region: &self.region,
            resource: self.resource.as_deref().unwrap_or_default(),
            key_id: &self.key_id,
        }
    }
}

impl Cloud {
    /// A cloud without faults and memories.
    pub(super) fn new(fleet: Fleet, clock: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>) -> Self {
        Self {
            clock,
            offset_ms: AtomicI64::new(0),
            fleet: Mutex::new(fleet),
            faults: Mutex::default(),
            ledger: Mutex::default(),
            gate: Mutex::default(),
            serial: AtomicU64::new(1),
        }
    }

    /// The cloud's own time.
    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.clock)() + TimeDelta::milliseconds(self.offset_ms.load(Ordering::Relaxed))
    }

    fn handle(&self, received: &Received<'_>, request_id: &str) -> Reaction {
        let target = self.target(received);
        let fault = locked(&self.faults).take(&target.aim());
        let now = self.now() + fault.as_ref().map_or(TimeDelta::zero(), Fault::clock_error);
        if let Some(fault) = &fault
            && let Some(reaction) = distort::instead(fault, request_id, now)
        {
            self.note(target, now, Outcome::Faulted(fault.name()), false);
            return reaction;
        }
        let decided = self.decide(received, &target, fault.as_ref(), now, request_id);
        let throttled = decided.as_ref().is_err_and(ApiError::is_throttling);
        let outcome = match (&fault, &decided) {
            (Some(fault), _) => Outcome::Faulted(fault.name()),
            (None, Ok(_)) => Outcome::Answered,
            (None, Err(error)) => Outcome::Refused(error.code.clone()),
        };
        self.note(target, now, outcome, throttled);
        let honest = match decided {
            Ok(body) => Honest { status: 200, retry_after_ms: None, body },
            Err(error) => Honest::refused(&error, request_id, received.header("host")),
        };
        match fault {
            Some(fault) => distort::afterwards(&fault, honest, request_id, now),
            None => Reaction::Reply(Box::new(honest.reply(request_id, now))),
        }
    }

    /// The honest answer: every check in the order of the real cloud, then the product's own work.
    fn decide(
        &self,
        received: &Received<'_>,
        target: &Target,
        fault: Option<&Fault>,
        now: DateTime<Utc>,
        request_id: &str,
    ) -> Result<Vec<u8>, ApiError> {
        if sts::is_asked(received) {
            return self.hand_out(received, target, now, request_id);
        }
        let product = target.product.ok_or_else(|| {
            ApiError::new(400, "InvalidVersion", "Specified parameter Version is not valid.")
        })?;
        let (action, name) = target
            .action
            .ok_or_else(|| ApiError::new(404, "InvalidAction.NotFound", "Specified api is not found."))?;
        let found = locked(&self.fleet).key(&target.key_id).map(|(of, key)| (of.uid.clone(), key.clone()));
        auth::verify(received, found.as_ref().map(|(_, key)| key), now)?;
        let (uid, key) = found.expect("an unknown key did not pass verification");
        locked(&self.gate).nonces.take(&key.id, received.header("x-acs-signature-nonce"), now)?;
        check_rights(&uid, &key, product, name)?;
        let mut fleet = locked(&self.fleet);
        if let Some(quota) = fleet.quota(name) {
            let bucket = (uid.clone(), target.region.clone(), product, name);
            locked(&self.gate).quotas.take(bucket, quota, now)?;
        }
        let drift = fault.and_then(Fault::drift);
        let asked = Asked { product, action, account: &uid, received, now, request_id, drift };
        answer(&asked, &mut fleet)
    }

    fn target(&self, received: &Received<'_>) -> Target {
        let product = received.product();
        let name = received.action_name();
        let action = product.and_then(|product| action(product, name));
        let resource = product.and_then(|product| received.get(id_parameter(product)));
        let resource = resource.filter(|_| action.is_none_or(|(action, _)| action != Action::List));
        let changes = action.is_some_and(|(action, _)| action == Action::ModifySsl);
        let fleet = locked(&self.fleet);
        let instance = resource.and_then(|id| fleet.get(id));
        let asked_region = || {
            let id = received.get("RegionId").unwrap_or_default();
            fleet.region(id).map_or_else(|| id.into(), |region| region.id.clone())
        };
        Target {
            product,
            action,
            action_name: action.map_or_else(|| name.to_owned().into(), |(_, name)| name.into()),
            key_id: fleet
                .key(received.key_id())
                .map_or_else(|| received.key_id().into(), |(_, key)| key.id.clone()),
            region: instance.map_or_else(asked_region, |instance| instance.region.clone()),
            resource: instance.map_or_else(|| resource.map(Text::from), |instance| Some(instance.id.clone())),
            parameters: if changes { received.parameters() } else { Vec::new() },
        }
    }

    fn note(&self, target: Target, at: DateTime<Utc>, outcome: Outcome, throttled: bool) {
        let Target { product, action_name, key_id, region, resource, parameters, .. } = target;
        let call = Call { at, key_id, product, action: action_name, region, resource, outcome, parameters };
        locked(&self.ledger).note(call, throttled);
    }

    fn request_id(&self) -> String {
        format!("51A0FA7E-0000-4000-8000-{:012X}", self.serial.fetch_add(1, Ordering::Relaxed))
    }
}

impl wire::Cloud for Cloud {
    fn react(&self, parts: &Parts, body: &[u8]) -> Reaction {
        let (method, uri) = (parts.method.as_str(), &parts.uri);
        let received =
            Received::new(method, uri.path(), uri.query().unwrap_or_default(), &parts.headers, body);
        let request_id = self.request_id();
        match received {
            Ok(received) => self.handle(&received, &request_id),
            Err(error) => {
                let honest = Honest::refused(&error, &request_id, "");
                Reaction::Reply(Box::new(honest.reply(&request_id, self.now())))
            }
        }
    }
}

fn check_rights(uid: &Text, key: &Key, product: Product, name: &str) -> Result<(), ApiError> {
    let action = format!("{}:{name}", product.ram_prefix());
    if key.rights.allow(&action) { Ok(()) } else { Err(ApiError::denied(action, uid)) }
}

impl Honest {
    /// An error answer.
    pub(super) fn refused(error: &ApiError, request_id: &str, host: &str) -> Self {
        let body = error.body(request_id, host);
        Self { status: error.status, retry_after_ms: error.retry_after_ms, body }
    }

    /// As it goes on the wire.
    pub(super) fn reply(self, request_id: &str, now: DateTime<Utc>) -> Reply {
        let mut reply = Reply::new(self.status, "application/json;charset=utf-8", self.body, now);
        reply.headers.push(("x-acs-request-id".into(), request_id.to_owned()));
        if let Some(ms) = self.retry_after_ms {
            reply.headers.push(("x-acs-retry-after".into(), ms.to_string()));
        }
        reply
    }
}
