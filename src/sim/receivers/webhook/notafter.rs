//! Our own body, version 1, as receivers were promised it.

use serde_json::Value;

use super::super::Shown;
use super::{list, moment, text};

const TYPES: [&str; 17] = [
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
    "renewal.planned",
    "renewal.started",
    "renewal.held",
    "renewal.succeeded",
    "renewal.failed",
    "digest",
    "test",
];
const STATUSES: [&str; 5] = ["firing", "reminder", "renewed", "health", "test"];
const SEVERITIES: [&str; 3] = ["info", "warning", "critical"];
const STAGES: [&str; 5] = ["ok", "info", "warning", "critical", "expired"];
const FAILURES: [&str; 6] =
    ["refused_for_now", "refused_for_a_person", "refused_for_good", "later", "without_effect", "unknown"];
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
    let renewals = list(data, "renewals")?;
    let shown = alerts.len() + sources.len() + channels.len() + renewals.len();
    let numbers = (data["total"].as_u64(), data["truncated"].as_u64());
    if numbers.0.zip(numbers.1).is_none_or(|(total, truncated)| total != truncated + shown as u64) {
        return Err("the numbers do not add up".to_owned());
    }
    let mut shown = Shown { title: text(body, "type")?.to_owned(), ..Shown::default() };
    alerts.iter().try_for_each(|alert| certificate(alert, &mut shown))?;
    sources.iter().try_for_each(|item| source(item, &mut shown))?;
    channels.iter().try_for_each(|item| channel(item, &mut shown))?;
    renewals.iter().try_for_each(|item| renewal(item, &mut shown))?;
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
    facts(alert, shown)?;
    one_of(&alert["renewal"], "mode", &["manual", "no_api", "planned"])?;
    if alert["type"] == "certificate.renewed" {
        moment(alert, "old_not_after")?;
        text(alert, "old_serial")?;
        one_of(alert, "by", &["notafter", "external"])?;
    }
    Ok(())
}

/// What every item about a certificate says of it.
fn facts(item: &Value, shown: &mut Shown) -> Result<(), String> {
    let fingerprint = text(item, "fingerprint")?;
    if fingerprint.len() != 16 || !fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("the fingerprint is none".to_owned());
    }
    for name in IDENTITY {
        text(&item["labels"], name)?;
    }
    for name in ["serial", "sha256"] {
        text(item, name)?;
    }
    moment(item, "last_seen")?;
    let ends = moment(item, "not_after")?;
    if item["not_after_unix"] != ends || !item["seconds_left"].is_i64() {
        return Err("the end is told in two ways".to_owned());
    }
    shown.lines.push(text(item, "resource_name")?.to_owned());
    shown.links.extend(item["links"]["console"].as_str().map(str::to_owned));
    Ok(())
}

fn renewal(item: &Value, shown: &mut Shown) -> Result<(), String> {
    common(item)?;
    facts(item, shown)?;
    let renewal = &item["renewal"];
    let news = text(renewal, "news")?;
    if item["type"] != format!("renewal.{news}") {
        return Err(format!("news and type do not agree: {news}"));
    }
    for name in ["attempt", "who", "rule", "call"] {
        shown.lines.push(text(renewal, name)?.to_owned());
    }
    one_of(renewal, "restarts", &["yes", "no", "unknown"])?;
    shown.links.extend(renewal["link"].as_str().map(str::to_owned));
    shown.lines.extend(renewal["text"].as_str().map(str::to_owned));
    course(renewal, news)
}

/// What each piece of news has to say.
fn course(renewal: &Value, news: &str) -> Result<(), String> {
    let is_bool = |name: &str| renewal[name].is_boolean().then_some(()).ok_or(format!("{name} is missing"));
    match news {
        "planned" => {
            let (from, until) = (moment(renewal, "from")?, moment(renewal, "until")?);
            if until <= from {
                return Err("the window ends before it begins".to_owned());
            }
            is_bool("asks")
        }
        "started" => moment(renewal, "expected_by").map(drop),
        "held" => text(renewal, "text").map(drop),
        "succeeded" => moment(renewal, "new_not_after").map(drop),
        "failed" => {
            one_of(renewal, "how", &FAILURES)?;
            for name in ["code", "request_id", "text"] {
                text(renewal, name)?;
            }
            is_bool("stops")
        }
        other => Err(format!("no such news: {other}")),
    }
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
