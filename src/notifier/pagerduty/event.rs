//! Incidents as the Events API v2 takes them.
//!
//! Pure. The key of the service is put in when the event is posted.

use serde_json::{Map, Value, json};

use super::key;
use super::plan::{Plan, Trigger, plan};
use crate::domain::alert::message::{
    CertificateFacts, CertificateItem, Item, Kind, Message, News, Severity, SourceItem,
};
use crate::notifier::{Part, Setting, text};

/// Characters of a summary; PagerDuty takes 1024.
const SUMMARY: usize = 1000;
/// Names in an incident of many certificates.
const LISTED: usize = 100;

/// Everything to post for a message: what opens before what closes.
pub fn parts(message: &Message, setting: &Setting<'_>) -> Vec<Part> {
    if message.kind == Kind::Test {
        return vec![part(key::message(&message.id), whole(message, setting))];
    }
    let Plan { triggers, groups, resolves, begun, notes } = plan(message, setting.notes);
    let mut parts: Vec<_> = triggers
        .into_iter()
        .map(|trigger| part(trigger.key, single(trigger.item, message, setting)))
        .collect();
    parts.extend(groups.into_iter().map(|(key, members)| part(key, group(&members, message, setting))));
    // a new one is the last of the groups
    if let Some(last) = parts.last_mut().filter(|_| !begun.is_empty()) {
        last.content["begins"] = listed(begun);
    }
    parts.extend(resolves.into_iter().map(|key| part(key, json!({ "event_action": "resolve" }))));
    match parts.last_mut() {
        Some(last) => {
            last.content["notes"] = listed(notes);
        }
        None => parts.push(nothing()),
    }
    parts
}

/// One event with no more than what PagerDuty asks for; `None` where it is no more than that already.
pub fn simpler(part: &Part) -> Option<Part> {
    let event = &part.content["event"];
    let payload = event["payload"].as_object()?;
    let asked = ["summary", "source", "severity"].into_iter();
    let payload: Map<_, _> =
        asked.filter_map(|name| Some((name.to_owned(), payload.get(name)?.clone()))).collect();
    let mut content = part.content.clone();
    content["event"] =
        json!({ "event_action": "trigger", "dedup_key": event["dedup_key"], "payload": payload });
    Some(Part { content, name: part.name.clone() })
}

/// The message with no more than what PagerDuty asks for; `None` where it opens nothing.
pub fn plain(message: &Message, setting: &Setting<'_>) -> Option<Part> {
    let plan = plan(message, setting.notes);
    let opened = || plan.triggers.iter().map(|t| &t.key).chain(plan.groups.iter().map(|(key, _)| key));
    let key = match (message.kind, opened().next(), opened().nth(1)) {
        (Kind::Test, ..) | (_, Some(_), Some(_)) => key::message(&message.id),
        (_, Some(key), None) => key.clone(),
        (_, None, _) => return None,
    };
    let payload = payload(title(message, setting), "notafter", message.severity());
    Some(part(key, json!({ "event_action": "trigger", "payload": payload })))
}

fn listed(notes: Vec<(String, String)>) -> Value {
    notes.into_iter().map(|(key, value)| json!([key, value])).collect()
}

/// A digest may hold nothing that anybody is to be called for.
fn nothing() -> Part {
    Part { content: json!({ "event": null, "notes": [] }), name: "nothing".to_owned() }
}

fn part(key: String, mut event: Value) -> Part {
    event["dedup_key"] = json!(key);
    Part { content: json!({ "event": event, "notes": [] }), name: key }
}

fn trigger(payload: Map<String, Value>, links: Vec<Value>, setting: &Setting<'_>) -> Value {
    let mut event = json!({ "event_action": "trigger", "client": "notafter" });
    event["payload"] = Value::Object(payload);
    if let Some(url) = setting.external_url {
        event["client_url"] = json!(url);
    }
    if !links.is_empty() {
        event["links"] = Value::Array(links);
    }
    event
}

fn payload(summary: String, source: &str, severity: Severity) -> Map<String, Value> {
    let mut payload = Map::new();
    payload.insert(
        "summary".to_owned(),
        json!(cut(if summary.is_empty() { "notafter".to_owned() } else { summary })),
    );
    payload.insert("source".to_owned(), json!(source));
    payload.insert("severity".to_owned(), json!(severity.as_str()));
    payload
}

/// One item.
fn single(item: &Item, message: &Message, setting: &Setting<'_>) -> Value {
    let alone = Message {
        items: vec![item.clone()],
        left_out: 0,
        overview: None,
        kind: Kind::News,
        ..message.clone()
    };
    let summary = title(&alone, setting);
    let mut details = details_of(message);
    let (source, class, links) = match item {
        Item::Certificate(certificate) => {
            details.extend(certificate_details(certificate));
            (place(&certificate.facts), "certificate", console(&certificate.facts))
        }
        Item::Source(source) => {
            details.extend(source_details(source));
            (format!("{}/{}", source.provider, source.account), "source", Vec::new())
        }
        Item::Channel(channel) => (format!("notafter/{}", channel.channel), "channel", Vec::new()),
        Item::Renewal(renewal) => (place(&renewal.facts), "renewal", console(&renewal.facts)),
    };
    let mut payload = payload(summary, &line(&source), item.severity());
    if let Item::Certificate(certificate) = item {
        payload.insert("component".to_owned(), json!(line(name(&certificate.facts))));
        payload.insert("group".to_owned(), json!(line(&certificate.facts.account)));
    }
    payload.insert("class".to_owned(), json!(class));
    payload.insert("timestamp".to_owned(), json!(rfc3339(message.at)));
    payload.insert("custom_details".to_owned(), Value::Object(details));
    trigger(payload, links, setting)
}

/// Many certificates.
fn group(members: &[Trigger<'_>], message: &Message, setting: &Setting<'_>) -> Value {
    let items = members.iter().map(|member| member.item.clone()).collect();
    let together = Message { items, left_out: 0, overview: None, kind: Kind::News, ..message.clone() };
    let mut details = details_of(message);
    let listed = together.items.iter().take(LISTED).filter_map(|item| match item {
        Item::Certificate(CertificateItem { facts, .. }) => {
            Some(json!(line(&format!("{} ({}): {}", name(facts), place(facts), rfc3339(facts.not_after)))))
        }
        Item::Source(_) | Item::Channel(_) | Item::Renewal(_) => None,
    });
    details.insert("certificates".to_owned(), listed.collect());
    details.insert("total".to_owned(), json!(members.len()));
    let mut payload = payload(title(&together, setting), "notafter", together.severity());
    payload.insert("class".to_owned(), json!("certificate"));
    payload.insert("timestamp".to_owned(), json!(rfc3339(message.at)));
    payload.insert("custom_details".to_owned(), Value::Object(details));
    trigger(payload, Vec::new(), setting)
}

/// A test: it opens an incident, which is the only way to see whether somebody is called.
fn whole(message: &Message, setting: &Setting<'_>) -> Value {
    let mut payload = payload(title(message, setting), "notafter", message.severity());
    payload.insert("timestamp".to_owned(), json!(rfc3339(message.at)));
    payload.insert("custom_details".to_owned(), Value::Object(details_of(message)));
    trigger(payload, Vec::new(), setting)
}

fn title(message: &Message, setting: &Setting<'_>) -> String {
    let script = text::script(message, &Setting { template: None, ..*setting });
    text::plain(&script.title)
}

fn details_of(message: &Message) -> Map<String, Value> {
    [("event_id", &message.id), ("route", &message.route)].into_iter().filter_map(detail).collect()
}

fn certificate_details(item: &CertificateItem) -> Map<String, Value> {
    let CertificateItem { facts, news } = item;
    let not_after = rfc3339(facts.not_after).into();
    let last_seen = rfc3339(facts.last_seen).into();
    let stage = match news {
        News::Entered { stage, .. }
        | News::Reminder { stage, .. }
        | News::Renewed { stage, .. }
        | News::Changed { stage, .. } => *stage,
        News::Gone { told, .. } => *told,
    };
    let owner = facts.owner.clone().unwrap_or_default();
    let own = [
        ("stage", &stage.as_str().into()),
        ("not_after", &not_after),
        ("resource_name", &facts.resource_name),
        ("resource_id", &facts.resource_id),
        ("role", &facts.role),
        ("serial", &facts.serial),
        ("sha256", &facts.sha256),
        ("last_seen", &last_seen),
        ("owner", &owner),
    ];
    let labels = facts.labels.iter().map(|(name, value)| (name.as_ref(), value));
    labels.chain(own).filter_map(detail).collect()
}

fn source_details(source: &SourceItem) -> Map<String, Value> {
    let last_success = source.last_success.map(rfc3339).unwrap_or_default().into();
    let texts = [
        ("reason", &source.reason),
        ("error", &source.error),
        ("services", &source.services.join(", ").into()),
        ("regions", &source.regions.join(", ").into()),
        ("last_success", &last_success),
        ("certificates", &source.certificates.to_string().into()),
    ];
    texts.into_iter().filter_map(detail).collect()
}

fn detail<T: AsRef<str>>((name, value): (&str, T)) -> Option<(String, Value)> {
    let value = value.as_ref();
    (!value.is_empty()).then(|| (name.to_owned(), json!(line(value))))
}

fn place(facts: &CertificateFacts) -> String {
    let CertificateFacts { provider, account, project, region, service, resource_id, .. } = facts;
    let parts = [provider, account, project, region, service, resource_id];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).map(|part| &**part).collect();
    parts.join("/")
}

fn name(facts: &CertificateFacts) -> &str {
    if facts.resource_name.trim().is_empty() { &facts.resource_id } else { &facts.resource_name }
}

fn console(facts: &CertificateFacts) -> Vec<Value> {
    let url = facts.console_url.as_deref().filter(|url| url.starts_with("https://"));
    url.map(|url| json!({ "href": url, "text": "console" })).into_iter().collect()
}

fn rfc3339(moment: chrono::DateTime<chrono::Utc>) -> String {
    moment.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// On one line, nothing hidden.
fn line(value: &str) -> String {
    text::tidy(value).trim().to_owned()
}

fn cut(text: String) -> String {
    if text.chars().count() <= SUMMARY {
        return text;
    }
    text.chars().take(SUMMARY - 1).chain(['…']).collect()
}
