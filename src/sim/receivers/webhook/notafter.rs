//! Our own body, version 1, as receivers were promised it.

use serde_json::Value;

use super::super::Shown;
use super::{list, moment, text};

const TYPES: [&str; 12] = [
    "certificate.expiring",
    "certificate.expired",
    "certificate.reminder",
    "certificate.renewed",
    "certificate.gone",
    "certificate.changed",
    "source.blind",
    "source.recovered",
    "channel.failing",
    "channel.recovered",
    "digest",
    "test",
];
const STATUSES: [&str; 5] = ["firing", "reminder", "renewed", "health", "test"];
const SEVERITIES: [&str; 3] = ["info", "warning", "critical"];
const STAGES: [&str; 5] = ["ok", "info", "warning", "critical", "expired"];
const IDENTITY: [&str; 7] = [
    "cloud_provider",
    "cloud_account",
    "cloud_project",
    "cloud_region",
    "cloud_service",
    "resource_id",
    "cert_role",
];

/// What it says; `id` is the one that was signed.
pub(super) fn read(body: &Value, id: Option<&str>) -> Result<Shown, String> {
    one_of(body, "version", &["1"])?;
    one_of(body, "type", &TYPES)?;
    moment(body, "timestamp")?;
    let data = &body["data"];
    if id.is_some_and(|id| data["id"] != id) {
        return Err("the id is not the one that was signed".to_owned());
    }
    common(data)?;
    for name in ["id", "route"] {
        text(data, name)?;
    }
    one_of(data, "locale", &["en", "zh"])?;
    let (alerts, sources, channels) =
        (list(data, "alerts")?, list(data, "sources")?, list(data, "channels")?);
    let shown = alerts.len() + sources.len() + channels.len();
    let numbers = (data["total"].as_u64(), data["truncated"].as_u64());
    if numbers.0.zip(numbers.1).is_none_or(|(total, truncated)| total != truncated + shown as u64) {
        return Err("the numbers do not add up".to_owned());
    }
    let mut shown = Shown { title: text(body, "type")?.to_owned(), ..Shown::default() };
    alerts.iter().try_for_each(|alert| certificate(alert, &mut shown))?;
    sources.iter().try_for_each(|item| source(item, &mut shown))?;
    channels.iter().try_for_each(|item| channel(item, &mut shown))?;
    Ok(shown)
}

fn one_of(value: &Value, name: &str, possible: &[&str]) -> Result<(), String> {
    let text = text(value, name)?;
    if possible.contains(&text) { Ok(()) } else { Err(format!("{name} is {text}")) }
}

fn common(value: &Value) -> Result<(), String> {
    one_of(value, "status", &STATUSES)?;
    one_of(value, "severity", &SEVERITIES)
}

fn certificate(alert: &Value, shown: &mut Shown) -> Result<(), String> {
    common(alert)?;
    one_of(alert, "type", &TYPES)?;
    one_of(alert, "stage", &STAGES)?;
    let fingerprint = text(alert, "fingerprint")?;
    if fingerprint.len() != 16 || !fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("the fingerprint is none".to_owned());
    }
    for name in IDENTITY {
        text(&alert["labels"], name)?;
    }
    for name in ["serial", "sha256"] {
        text(alert, name)?;
    }
    moment(alert, "last_seen")?;
    let ends = moment(alert, "not_after")?;
    if alert["not_after_unix"] != ends || !alert["seconds_left"].is_i64() {
        return Err("the end is told in two ways".to_owned());
    }
    one_of(&alert["renewal"], "mode", &["manual", "no_api", "planned"])?;
    if alert["type"] == "certificate.renewed" {
        moment(alert, "old_not_after")?;
        text(alert, "old_serial")?;
        one_of(alert, "by", &["notafter", "external"])?;
    }
    shown.lines.push(text(alert, "resource_name")?.to_owned());
    shown.links.extend(alert["links"]["console"].as_str().map(str::to_owned));
    Ok(())
}

fn source(source: &Value, shown: &mut Shown) -> Result<(), String> {
    common(source)?;
    one_of(source, "type", &["source.blind", "source.recovered"])?;
    for name in ["cloud_provider", "cloud_account", "reason"] {
        text(source, name)?;
    }
    moment(source, "since")?;
    shown.lines.push(text(source, "error")?.to_owned());
    Ok(())
}

fn channel(channel: &Value, shown: &mut Shown) -> Result<(), String> {
    common(channel)?;
    one_of(channel, "type", &["channel.failing", "channel.recovered"])?;
    moment(channel, "since")?;
    shown.lines.push(text(channel, "channel")?.to_owned());
    Ok(())
}
