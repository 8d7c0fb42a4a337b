//! Prometheus Alertmanager's API v2, as version 0.25 was measured to behave.

use std::collections::BTreeMap;
use std::sync::Mutex;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{Answer, JSON, Receiver, Request, Shown};
use crate::sim::wire::reply::locked;

/// An alert that nobody mentions any more ends by itself after this (`resolve_timeout`).
const RESOLVE: TimeDelta = TimeDelta::minutes(5);

/// Names and values.
pub type Texts = BTreeMap<String, String>;

/// An alert as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What is known about it.
    pub annotations: Texts,
    /// Since when.
    pub starts_at: DateTime<Utc>,
    /// Until when; in the past: it ended.
    pub ends_at: DateTime<Utc>,
}

/// The receiver, with everything that it keeps.
#[derive(Default)]
pub struct Alertmanager {
    authorization: Option<String>,
    kept: Mutex<BTreeMap<Texts, Kept>>,
}

/// Why an alert, or a whole request, is not taken.
struct Refused {
    status: u16,
    code: u16,
    message: String,
}

fn refused(status: u16, code: u16, message: impl Into<String>) -> Refused {
    Refused { status, code, message: message.into() }
}

impl Alertmanager {
    /// Behind a proxy that wants this header.
    pub fn with_authorization(value: &str) -> Self {
        Self { authorization: Some(value.to_owned()), ..Self::default() }
    }

    /// Everything that it keeps, by labels.
    pub fn kept(&self) -> BTreeMap<Texts, Kept> {
        locked(&self.kept).clone()
    }

    fn take(&self, request: &Request) -> Result<(), Refused> {
        if self.authorization.is_some() && self.authorization.as_deref() != request.header("authorization") {
            return Err(refused(401, 401, "Unauthorized"));
        }
        if request.path != "/api/v2/alerts" {
            return Err(refused(404, 404, format!("path {} was not found", request.path)));
        }
        if request.method != "POST" {
            return Err(refused(405, 405, format!("method {} is not allowed", request.method)));
        }
        if !request.is_announced_as_json() {
            return Err(refused(415, 415, "unsupported media type, only [application/json] are allowed"));
        }
        let alerts = parsed(request)?;
        self.keep(alerts, request.at)
    }

    /// The good ones are kept, also where others are bad.
    fn keep(&self, alerts: Vec<Wire>, now: DateTime<Utc>) -> Result<(), Refused> {
        let mut problems = Vec::new();
        let mut kept = locked(&self.kept);
        for alert in alerts {
            match alert.checked(now) {
                Ok((labels, alert)) => drop(kept.insert(labels, alert)),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(refused(400, 400, problems.join("; "))) }
    }
}

impl Receiver for Alertmanager {
    fn name(&self) -> &'static str {
        "alertmanager"
    }

    fn judge(&self, request: &Request) -> Answer {
        match self.take(request) {
            Ok(()) => Answer::accepted(200, "", ""),
            // 400 comes as a text in quotes, the others as an object.
            Err(Refused { status: 400, message, .. }) => {
                Answer::refused(400, JSON, json!(message).to_string())
            }
            Err(Refused { status, code, message }) => {
                Answer::error(status, &json!({ "code": code, "message": message }))
            }
        }
    }

    /// As the list on its page: labels, annotations, links.
    fn shown(&self, request: &Request) -> Option<Shown> {
        let alerts = parsed(request).ok()?;
        let mut shown = Shown { title: format!("{} alerts", alerts.len()), ..Shown::default() };
        for alert in alerts {
            let (labels, kept) = alert.checked(request.at).ok()?;
            let state = if kept.ends_at <= request.at { "resolved" } else { "active" };
            let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
            shown.lines.push(format!("{state} {}", labels.join(" ")));
            for (name, value) in kept.annotations {
                shown.lines.push(format!("  {name}: {value}"));
                // Its page makes a link of an annotation that is nothing but one.
                shown.links.extend(Some(value).filter(|value| value.starts_with("http")));
            }
        }
        Some(shown)
    }
}

/// An alert before its values were looked at.
struct Wire {
    labels: Texts,
    annotations: Texts,
    starts: Option<DateTime<Utc>>,
    ends: Option<DateTime<Utc>>,
}

fn parsed(request: &Request) -> Result<Vec<Wire>, Refused> {
    if request.body.is_empty() {
        return Err(refused(422, 602, "alerts in body is required"));
    }
    let json: Value = serde_json::from_slice(&request.body)
        .map_err(|error| refused(400, 400, format!("parsing alerts body from \"\" failed: {error}")))?;
    let Value::Array(alerts) = json else { return Err(refused(400, 400, "cannot unmarshal object")) };
    alerts.iter().map(wire).collect()
}

fn wire(alert: &Value) -> Result<Wire, Refused> {
    let alert = alert.as_object().ok_or_else(|| refused(400, 400, "cannot unmarshal into an alert"))?;
    let labels = alert.get("labels").filter(|labels| !labels.is_null());
    let labels = labels.ok_or_else(|| refused(422, 602, "labels in body is required"))?;
    let generator = alert.get("generatorURL").and_then(Value::as_str).unwrap_or_default();
    if generator.contains(' ') {
        return Err(refused(422, 601, "generatorURL in body must be of type uri"));
    }
    Ok(Wire {
        labels: texts(labels)?,
        annotations: texts(alert.get("annotations").unwrap_or(&Value::Null))?,
        starts: moment(alert, "startsAt")?,
        ends: moment(alert, "endsAt")?,
    })
}

/// A value that is no text spoils the whole request; `null` is an empty one.
fn texts(value: &Value) -> Result<Texts, Refused> {
    let wrong = || refused(400, 400, "json: cannot unmarshal into Go value of type string");
    let member = |(name, value): (&String, &Value)| match value {
        Value::String(text) => Ok((name.clone(), text.clone())),
        Value::Null => Ok((name.clone(), String::new())),
        _ => Err(wrong()),
    };
    match value {
        Value::Null => Ok(Texts::new()),
        Value::Object(members) => members.iter().map(member).collect(),
        _ => Err(wrong()),
    }
}

/// Without a zone it is UTC; `null` and nothing are no moment.
fn moment(alert: &Map<String, Value>, name: &str) -> Result<Option<DateTime<Utc>>, Refused> {
    let text = match alert.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text,
        Some(_) => return Err(refused(400, 400, format!("{name} in body must be of type date-time"))),
    };
    let plain = || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").map(|moment| moment.and_utc());
    let moment = DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc()).or_else(|_| plain());
    moment.map(Some).map_err(|error| refused(400, 400, format!("{name}: {error}")))
}

impl Wire {
    fn checked(mut self, now: DateTime<Utc>) -> Result<(Texts, Kept), String> {
        self.labels.retain(|_, value| !value.is_empty());
        if self.labels.is_empty() {
            return Err("at least one label pair required".to_owned());
        }
        for (kind, names) in [("label", &self.labels), ("annotation", &self.annotations)] {
            if let Some(name) = names.keys().find(|name| !is_name(name)) {
                return Err(format!("invalid {kind} set: invalid name {name:?}"));
            }
        }
        let starts_at = self.starts.or(self.ends).unwrap_or(now);
        let ends_at = self.ends.unwrap_or(now + RESOLVE);
        if ends_at < starts_at {
            return Err("start time must be before end time".to_owned());
        }
        Ok((self.labels, Kept { annotations: self.annotations, starts_at, ends_at }))
    }
}

fn is_name(name: &str) -> bool {
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins_well && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-22T00:00:00Z".parse().unwrap()
    }

    fn posted(kind: Option<&str>, body: &str) -> (u16, usize) {
        let receiver = Alertmanager::default();
        let request = Request {
            method: "POST".into(),
            path: "/api/v2/alerts".into(),
            query: String::new(),
            headers: kind.map(|kind| ("content-type".to_owned(), kind.to_owned())).into_iter().collect(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            at: now(),
        };
        (receiver.judge(&request).status, receiver.kept().len())
    }

    #[test]
    fn it_answers_as_the_real_one_was_measured_to() {
        let json = Some("application/json");
        for (name, kind, body, status, kept) in [
            ("no type", None, r#"[{"labels":{"a":"b"}}]"#, 415, 0),
            ("another type", Some("text/plain"), r#"[{"labels":{"a":"b"}}]"#, 415, 0),
            ("with a charset", Some("application/json; charset=utf-8"), r#"[{"labels":{"a":"b"}}]"#, 200, 1),
            ("empty", json, "", 422, 0),
            ("broken", json, "[{", 400, 0),
            ("an object", json, "{}", 400, 0),
            ("no alerts", json, "[]", 200, 0),
            ("a number spoils all", json, r#"[{"labels":{"a":"b"}},{"labels":{"a":1}}]"#, 400, 0),
            ("null is empty", json, r#"[{"labels":{"a":"b","c":null}}]"#, 200, 1),
            ("no labels", json, "[{}]", 422, 0),
            ("empty labels", json, r#"[{"labels":{}}]"#, 400, 0),
            ("empty values", json, r#"[{"labels":{"a":""}}]"#, 400, 0),
            ("a bad name", json, r#"[{"labels":{"a-b":"c"}}]"#, 400, 0),
            (
                "a bad name of an annotation",
                json,
                r#"[{"labels":{"a":"b"},"annotations":{"证书":"c"}}]"#,
                400,
                0,
            ),
            ("in the future", json, r#"[{"labels":{"a":"b"},"startsAt":"2026-11-23T00:00:00Z"}]"#, 400, 0),
            (
                "ends first",
                json,
                r#"[{"labels":{"a":"b"},"startsAt":"2026-11-21T00:00:00Z","endsAt":"2026-11-20T00:00:00Z"}]"#,
                400,
                0,
            ),
            ("a blank in the link", json, r#"[{"labels":{"a":"b"},"generatorURL":"http://a b"}]"#, 422, 0),
            ("an empty link", json, r#"[{"labels":{"a":"b"},"generatorURL":""}]"#, 200, 1),
            ("no zone", json, r#"[{"labels":{"a":"b"},"startsAt":"2026-11-21T00:00:00"}]"#, 200, 1),
            ("no moment", json, r#"[{"labels":{"a":"b"},"startsAt":"","endsAt":null}]"#, 200, 1),
            ("good and bad", json, r#"[{"labels":{"a":"b"}},{"labels":{"a-b":"c"}}]"#, 400, 1),
        ] {
            assert_eq!(posted(kind, body), (status, kept), "{name}");
        }
    }
}
