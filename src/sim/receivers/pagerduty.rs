//! PagerDuty's Events API v2: takes what fits its schema, and nothing that it does not know.

use serde_json::{Value, json};

use super::{Answer, JSON, Receiver, Request, Shown};

const BODY: usize = 512 * 1024;
const SUMMARY: usize = 1024;
const DEDUP_KEY: usize = 255;
const EVENT: [&str; 8] =
    ["routing_key", "event_action", "dedup_key", "payload", "images", "links", "client", "client_url"];
const PAYLOAD: [&str; 8] =
    ["summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"];

/// A service with one integration.
pub struct PagerDuty {
    routing_key: String,
}

impl PagerDuty {
    /// With this integration key.
    pub fn new(routing_key: &str) -> Self {
        Self { routing_key: routing_key.to_owned() }
    }
}

impl Receiver for PagerDuty {
    fn name(&self) -> &'static str {
        "pagerduty"
    }

    fn judge(&self, request: &Request) -> Answer {
        if request.method != "POST" || request.path != "/v2/enqueue" {
            return Answer::refused(404, "text/html", "<html>Not Found</html>");
        }
        if request.body.len() > BODY {
            return Answer::refused(413, "text/plain", "");
        }
        let event = request.json().filter(|_| request.is_announced_as_json()).unwrap_or_default();
        let problems = self.problems(&event);
        if !problems.is_empty() {
            let message = "Event object is invalid";
            return Answer::error(
                400,
                &json!({ "status": "invalid event", "message": message, "errors": problems }),
            );
        }
        let done =
            json!({ "status": "success", "message": "Event processed", "dedup_key": event["dedup_key"] });
        Answer::accepted(202, JSON, done.to_string())
    }

    fn shown(&self, request: &Request) -> Option<Shown> {
        let event = request.json()?;
        let payload = &event["payload"];
        let title = match event["event_action"].as_str()? {
            "trigger" => payload["summary"].as_str()?.to_owned(),
            action => format!("{action} {}", event["dedup_key"].as_str()?),
        };
        let details = payload["custom_details"].as_object().into_iter().flatten();
        let texts = ["component", "source"].into_iter().map(|name| &payload[name]);
        let listed = details.flat_map(|(_, value)| value.as_array().cloned().unwrap_or(vec![value.clone()]));
        let seen = texts.cloned().chain(listed).filter_map(|value| value.as_str().map(str::to_owned));
        let links = event["links"].as_array().into_iter().flatten();
        Some(Shown {
            title,
            lines: seen.collect(),
            colour: payload["severity"].as_str().map(str::to_owned),
            mentions: Vec::new(),
            links: links.filter_map(|link| link["href"].as_str().map(str::to_owned)).collect(),
        })
    }
}

impl PagerDuty {
    fn problems(&self, event: &Value) -> Vec<String> {
        let mut problems = unknown(event, &EVENT);
        if event["routing_key"] != self.routing_key {
            problems.push("'routing_key' is invalid".to_owned());
        }
        let key = event["dedup_key"].as_str();
        if event.get("dedup_key").is_some() && key.is_none_or(|key| key.chars().count() > DEDUP_KEY) {
            problems.push("Length of 'dedup_key' is incorrect".to_owned());
        }
        match event["event_action"].as_str() {
            Some("trigger") => problems.extend(self::problems(&event["payload"])),
            Some("acknowledge" | "resolve") if key.is_some() => {}
            _ => problems.push("'event_action' is invalid, or 'dedup_key' is missing".to_owned()),
        }
        let listed = event["links"].as_array().into_iter().flatten();
        let is_link = |link: &Value| link["href"].is_string() && unknown(link, &["href", "text"]).is_empty();
        problems.extend(listed.filter(|link| !is_link(link)).map(|_| "'links' is invalid".to_owned()));
        for name in ["client", "client_url"].into_iter().filter(|name| event.get(name).is_some()) {
            problems.extend((!event[name].is_string()).then(|| format!("'{name}' is invalid")));
        }
        problems
    }
}

fn problems(payload: &Value) -> Vec<String> {
    let mut problems = unknown(payload, &PAYLOAD);
    let summary = payload["summary"].as_str().map_or(0, |summary| summary.chars().count());
    if !(1..=SUMMARY).contains(&summary) {
        problems.push("Length of 'payload.summary' is incorrect".to_owned());
    }
    if payload["source"].as_str().is_none_or(str::is_empty) {
        problems.push("'payload.source' is missing or blank".to_owned());
    }
    let severity = payload["severity"].as_str().unwrap_or_default();
    if !["critical", "error", "warning", "info"].contains(&severity) {
        problems
            .push("'payload.severity' is invalid (must be one of the following: 'critical', …)".to_owned());
    }
    let timestamp = &payload["timestamp"];
    let is_moment = |text: &str| chrono::DateTime::parse_from_rfc3339(text).is_ok();
    if !timestamp.is_null() && !timestamp.as_str().is_some_and(is_moment) {
        problems.push("'payload.timestamp' is invalid".to_owned());
    }
    for name in ["component", "group", "class"].into_iter().filter(|name| payload.get(name).is_some()) {
        problems.extend((!payload[name].is_string()).then(|| format!("'payload.{name}' is invalid")));
    }
    problems
}

fn unknown(object: &Value, known: &[&str]) -> Vec<String> {
    let Some(members) = object.as_object() else { return vec!["not an object".to_owned()] };
    let unknown = members.keys().filter(|name| !known.contains(&name.as_str()));
    unknown.map(|name| format!("'{name}' is unknown")).collect()
}
