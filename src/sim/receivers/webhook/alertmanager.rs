//! What receivers that were made for Alertmanager's webhook, version 4, expect.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::Shown;
use super::{list, moment, text};

/// The end of what has not ended, in seconds.
const NO_END: i64 = -62_135_596_800;

/// What it says.
pub(super) fn read(body: &Value) -> Result<Shown, String> {
    if body["version"] != "4" {
        return Err("not version 4".to_owned());
    }
    for name in ["groupKey", "receiver", "externalURL"] {
        text(body, name)?;
    }
    for name in ["groupLabels", "commonLabels", "commonAnnotations"] {
        pairs(&body[name], name)?;
    }
    body["truncatedAlerts"].as_u64().ok_or("truncatedAlerts is no number")?;
    let alerts = list(body, "alerts")?;
    let mut shown = Shown { title: text(body, "groupKey")?.to_owned(), ..Shown::default() };
    let mut ended = 0;
    for one in alerts {
        ended += usize::from(alert(one, &mut shown)?);
    }
    let status = if ended == alerts.len() { "resolved" } else { "firing" };
    if alerts.is_empty() || body["status"] != status {
        return Err(format!("the status is not {status}"));
    }
    Ok(shown)
}

/// Whether it has ended.
fn alert(alert: &Value, shown: &mut Shown) -> Result<bool, String> {
    let labels = pairs(&alert["labels"], "labels")?;
    let annotations = pairs(&alert["annotations"], "annotations")?;
    if !labels.contains_key("alertname") || labels.values().any(|value| value.is_empty()) {
        return Err("a label is missing or empty".to_owned());
    }
    if text(alert, "fingerprint")? != fingerprint(&labels) {
        return Err("the fingerprint is not that of the labels".to_owned());
    }
    text(alert, "generatorURL")?;
    let (starts, ends) = (moment(alert, "startsAt")?, moment(alert, "endsAt")?);
    let has_ended = ends != NO_END;
    if alert["status"] != if has_ended { "resolved" } else { "firing" } || has_ended && ends < starts {
        return Err("status and times do not agree".to_owned());
    }
    shown.lines.extend(annotations.values().map(|value| (*value).to_owned()));
    shown.links.extend(annotations.get("console_url").map(|url| (*url).to_owned()));
    Ok(has_ended)
}

fn pairs<'a>(value: &'a Value, name: &str) -> Result<BTreeMap<&'a str, &'a str>, String> {
    let members = value.as_object().ok_or_else(|| format!("{name} is no object"))?;
    let pair = |(name, value): (&'a String, &'a Value)| {
        let value = value.as_str().ok_or_else(|| format!("{name} is no text"))?;
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if is_name { Ok((name.as_str(), value)) } else { Err(format!("{name} is no name")) }
    };
    members.iter().map(pair).collect()
}

/// FNV-1a as Prometheus takes it of labels.
fn fingerprint(labels: &BTreeMap<&str, &str>) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for text in labels.iter().flat_map(|(name, value)| [*name, *value]) {
        for byte in text.bytes().chain(std::iter::once(255)) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211);
        }
    }
    format!("{hash:016x}")
}
