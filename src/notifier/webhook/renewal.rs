//! Renewals in our own body: a list of their own, so that who counts or opens what stands in `alerts` is not misled by
//! what is only planned.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::body::{Labels, Links, item_status, labels, rfc3339};
use crate::domain::alert::message::{CertificateFacts, Item, RenewalItem, RenewalNews};
use crate::domain::renewal::method::Restarts;

/// A renewal and the certificate that it is about, under the names that `alerts` has for them.
#[derive(Serialize)]
pub(super) struct Entry<'a> {
    fingerprint: String,
    labels: Labels<'a>,
    resource_name: &'a str,
    not_before: Option<String>,
    not_after: String,
    not_after_unix: i64,
    seconds_left: i64,
    serial: &'a str,
    sha256: &'a str,
    last_seen: String,
    renewal: Course<'a>,
    links: Links<'a>,
    r#type: &'static str,
    status: &'static str,
    severity: &'static str,
    stale: bool,
    owner: Option<&'a str>,
    in_use: Option<bool>,
    managed_by: Option<&'a str>,
}

/// How far it is. What a piece of news has nothing to say of is not there.
#[derive(Serialize)]
struct Course<'a> {
    news: &'static str,
    attempt: &'a str,
    who: &'a str,
    rule: &'a str,
    call: &'a str,
    restarts: Restarts,
    link: Option<&'a str>,
    #[serde(flatten)]
    step: Step<'a>,
}

#[derive(Serialize, Default)]
struct Step<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asks: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_not_after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    how: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stops: Option<bool>,
}

/// `None` for what is no renewal.
pub(super) fn renewal(item: &Item, now: DateTime<Utc>) -> Option<Entry<'_>> {
    let Item::Renewal(renewal) = item else { return None };
    let facts: &CertificateFacts = &renewal.facts;
    Some(Entry {
        fingerprint: facts.fingerprint.to_string(),
        labels: labels(facts),
        resource_name: &facts.resource_name,
        not_before: facts.not_before.map(rfc3339),
        not_after: rfc3339(facts.not_after),
        not_after_unix: facts.not_after.timestamp(),
        seconds_left: (facts.not_after - now).num_seconds(),
        serial: &facts.serial,
        sha256: &facts.sha256,
        last_seen: rfc3339(facts.last_seen),
        renewal: course(renewal),
        links: Links { console: facts.console_url.as_deref() },
        r#type: item.type_name(),
        status: item_status(item),
        severity: item.severity().as_str(),
        stale: facts.stale,
        owner: facts.owner.as_deref(),
        in_use: facts.in_use,
        managed_by: facts.managed_by.as_deref(),
    })
}

fn course(item: &RenewalItem) -> Course<'_> {
    let RenewalItem { news, attempt, who, rule, call, restarts, link, .. } = item;
    Course {
        news: news.as_str(),
        attempt,
        who,
        rule,
        call,
        restarts: *restarts,
        link: link.as_deref(),
        step: step(news),
    }
}

fn step(news: &RenewalNews) -> Step<'_> {
    let nothing = Step::default();
    match news {
        RenewalNews::Planned { from, until, asks, missed } => Step {
            from: Some(rfc3339(*from)),
            until: Some(rfc3339(*until)),
            asks: Some(*asks),
            missed: missed.map(rfc3339),
            ..nothing
        },
        RenewalNews::Started { expected_by } => Step { expected_by: Some(rfc3339(*expected_by)), ..nothing },
        RenewalNews::Held { text } => Step { text: Some(text), ..nothing },
        RenewalNews::Succeeded { new_not_after } => {
            Step { new_not_after: Some(rfc3339(*new_not_after)), ..nothing }
        }
        RenewalNews::Failed { how, code, request_id, text, stops } => Step {
            how: Some(how.as_str()),
            code: Some(code),
            request_id: Some(request_id),
            text: Some(text),
            stops: Some(*stops),
            ..nothing
        },
    }
}
