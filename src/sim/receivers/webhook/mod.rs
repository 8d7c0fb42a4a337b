//! A receiver of webhooks that reads the promise of their bodies to the letter, and checks who signed.

mod alertmanager;
mod notafter;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Answer, Receiver, Request, Shown};

/// How far the time of a signature may be off.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// Somebody's own receiver.
pub struct Webhook {
    secrets: Vec<String>,
    header: Option<(&'static str, &'static str)>,
    form: Form,
}

/// What it understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Notafter,
    Alertmanager,
}

impl Webhook {
    /// One that understands our own bodies. Any of the secrets is good enough; with none, nothing is signed.
    pub fn notafter(secrets: &[&str]) -> Self {
        let secrets = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        Self { secrets, header: None, form: Form::Notafter }
    }

    /// One that was made for Alertmanager.
    pub fn alertmanager(secrets: &[&str]) -> Self {
        Self { form: Form::Alertmanager, ..Self::notafter(secrets) }
    }

    /// It also wants this header, whose name is in lower case.
    #[must_use]
    pub fn wants(self, name: &'static str, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }
}

impl Receiver for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn judge(&self, request: &Request) -> Answer {
        if request.method != "POST" {
            return refused(405, "only POST");
        }
        if self.header.is_some_and(|(name, value)| request.header(name) != Some(value)) {
            return refused(401, "the token is missing");
        }
        if let Err(problem) = self.signed(request) {
            return refused(401, problem);
        }
        match self.read(request) {
            Ok(_) => Answer::accepted(200, "", ""),
            Err(problem) => refused(400, &problem),
        }
    }

    fn shown(&self, request: &Request) -> Option<Shown> {
        self.read(request).ok()
    }
}

fn refused(status: u16, problem: &str) -> Answer {
    Answer::error(status, &json!({ "error": problem }))
}

impl Webhook {
    fn read(&self, request: &Request) -> Result<Shown, String> {
        if !request.is_announced_as_json() {
            return Err("not announced as JSON".to_owned());
        }
        let body = request.json().ok_or("no JSON")?;
        match self.form {
            Form::Notafter => notafter::read(&body, request.header("webhook-id")),
            Form::Alertmanager => alertmanager::read(&body),
        }
    }

    /// Standard Webhooks 1.0: one signature by any of the secrets, at about this time.
    fn signed(&self, request: &Request) -> Result<(), &'static str> {
        if self.secrets.is_empty() {
            return Ok(());
        }
        let header = |name| request.header(name).ok_or("a header of the signature is missing");
        let (id, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
        let at = timestamp.parse::<i64>().map_err(|_| "the timestamp is no number of seconds")?;
        if (request.at.timestamp() - at).abs() > TOLERANCE.num_seconds() {
            return Err("the timestamp is too far off");
        }
        if id.is_empty() || id.contains('.') {
            return Err("the id is none");
        }
        let content = [id.as_bytes(), b".", timestamp.as_bytes(), b".", &request.body].concat();
        let given: Vec<&str> = header("webhook-signature")?.split(' ').collect();
        let known = self.secrets.iter().any(|secret| given.contains(&expected(secret, &content).as_str()));
        if known { Ok(()) } else { Err("nobody known has signed this") }
    }
}

fn expected(secret: &str, content: &[u8]) -> String {
    let key = STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap_or_default();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), content);
    format!("v1,{}", STANDARD.encode(tag))
}

/// The text of that name; empty is a text, too.
fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, String> {
    value[name].as_str().ok_or_else(|| format!("{name} is no text"))
}

/// A moment of that name.
fn moment(value: &Value, name: &str) -> Result<i64, String> {
    let text = text(value, name)?;
    let moment = chrono::DateTime::parse_from_rfc3339(text).map_err(|_| format!("{name} is no moment"))?;
    if text.ends_with('Z') { Ok(moment.timestamp()) } else { Err(format!("{name} is not in UTC")) }
}

/// The list of that name.
fn list<'a>(value: &'a Value, name: &str) -> Result<&'a [Value], String> {
    value[name].as_array().map(Vec::as_slice).ok_or_else(|| format!("{name} is no list"))
}
