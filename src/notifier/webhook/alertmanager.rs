//! The body of Alertmanager's webhook, version 4, so that receivers that exist for it work unchanged.
//!
//! Labels never hold a date, a number of days or an error: each change of a label is another alert. What changes
//! stands in annotations, which are all text.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::super::{Setting, text};
use super::body::{MAX_ALERTS, rfc3339};
use crate::domain::alert::message::{
    CertificateFacts, CertificateItem, ChannelNews, Item, Kind, Message, News, RenewalItem, RenewalNews,
    Severity, SourceNews,
};
use crate::domain::finding::Stage;
use crate::visible::visible;

/// The end of what has not ended.
const NO_END: &str = "0001-01-01T00:00:00Z";

/// Label and annotation sets.
type Pairs = BTreeMap<String, String>;

/// The body as text, to be signed and sent as it is.
pub fn body(message: &Message, setting: &Setting<'_>) -> String {
    let shown = &message.items[..message.items.len().min(MAX_ALERTS)];
    let mut alerts: Vec<_> = shown.iter().flat_map(|item| of_item(item, message, setting)).collect();
    if alerts.is_empty() {
        alerts.push(of_message(message, setting));
    }
    let (labels, annotations) = (common(&alerts, |alert| &alert.labels), common(&alerts, |a| &a.annotations));
    let group: Pairs = labels.iter().filter(|(name, _)| *name == "alertname").map(owned).collect();
    let all_ended = alerts.iter().all(|alert| alert.status == RESOLVED);
    let envelope = Envelope {
        version: "4",
        group_key: format!("{{}}:{{{}}}", written(&group)),
        truncated_alerts: message.items.len() + message.left_out - shown.len(),
        status: if all_ended { RESOLVED } else { FIRING },
        receiver: &message.channel,
        group_labels: group,
        common_labels: labels,
        common_annotations: annotations,
        external_url: setting.external_url.unwrap_or_default(),
        alerts,
    };
    serde_json::to_string(&envelope).expect("structs with text keys become JSON")
}

const FIRING: &str = "firing";
const RESOLVED: &str = "resolved";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    version: &'static str,
    group_key: String,
    truncated_alerts: usize,
    status: &'static str,
    receiver: &'a str,
    group_labels: Pairs,
    common_labels: Pairs,
    common_annotations: Pairs,
    #[serde(rename = "externalURL")]
    external_url: &'a str,
    alerts: Vec<Alert>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    status: &'static str,
    labels: Pairs,
    annotations: Pairs,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    fingerprint: String,
}

/// What is common to an alert and its end.
struct Draft {
    labels: Pairs,
    annotations: Pairs,
    url: String,
}

impl Draft {
    fn firing(&self, severity: Severity, since: DateTime<Utc>) -> Alert {
        self.alert(FIRING, severity, since, NO_END.to_owned())
    }

    fn resolved(&self, severity: Severity, at: DateTime<Utc>) -> Alert {
        self.alert(RESOLVED, severity, at, rfc3339(at))
    }

    fn alert(
        &self,
        status: &'static str,
        severity: Severity,
        since: DateTime<Utc>,
        ends_at: String,
    ) -> Alert {
        let mut labels = self.labels.clone();
        labels.insert("severity".to_owned(), severity.as_str().to_owned());
        Alert {
            status,
            fingerprint: format!("{:016x}", fingerprint(&labels)),
            labels,
            annotations: self.annotations.clone(),
            starts_at: rfc3339(since),
            ends_at,
            generator_url: self.url.clone(),
        }
    }
}

/// The alerts of one item: severity is a label, so that an escalation ends one alert and begins another.
fn of_item(item: &Item, message: &Message, setting: &Setting<'_>) -> Vec<Alert> {
    let draft = draft(item, message, setting);
    let (at, severity) = (message.at, item.severity());
    match item {
        Item::Certificate(certificate) => match certificate.news {
            News::Entered { previous, since, .. } => {
                let old =
                    previous.filter(|p| *p > Stage::Ok).map(Severity::of).filter(|old| *old != severity);
                let ended = old.map(|old| draft.resolved(old, since));
                ended.into_iter().chain([draft.firing(severity, since)]).collect()
            }
            News::Reminder { since, .. } => vec![draft.firing(severity, since)],
            News::Changed { stage, .. } => changed(&draft, stage, at),
            News::Renewed { stage, told, .. } => renewed(&draft, stage, Severity::of(told), at),
            News::Gone { told, .. } => vec![draft.resolved(Severity::of(told), at)],
        },
        Item::Source(source) => match source.news {
            SourceNews::Blind { since, .. } => vec![draft.firing(severity, since)],
            SourceNews::Recovered { until, .. } => ended_source(&draft, until),
        },
        Item::Channel(channel) => match channel.news {
            ChannelNews::Failing { since, .. } => vec![draft.firing(severity, since)],
            ChannelNews::Recovered { .. } => vec![draft.resolved(Severity::Warning, at)],
        },
        Item::Renewal(renewal) => of_renewal(&draft, &renewal.news, severity, at),
    }
}

/// People read these bodies too, through whatever turns them into messages, so nothing is kept from them. What is told of a
/// renewal goes on until it succeeds; how bad it was said to be is not known any more, so all that may stand ends then.
fn of_renewal(draft: &Draft, news: &RenewalNews, severity: Severity, at: DateTime<Utc>) -> Vec<Alert> {
    match news {
        RenewalNews::Succeeded { .. } => [Severity::Info, Severity::Warning, Severity::Critical]
            .map(|severity| draft.resolved(severity, at))
            .into(),
        RenewalNews::Planned { .. }
        | RenewalNews::Started { .. }
        | RenewalNews::Held { .. }
        | RenewalNews::Failed { .. } => vec![draft.firing(severity, at)],
    }
}

/// The old alert ends; unless the new certificate is as close to its end as the old one was, then it goes on.
fn renewed(draft: &Draft, stage: Stage, told: Severity, at: DateTime<Utc>) -> Vec<Alert> {
    match Severity::of(stage) {
        _ if stage == Stage::Ok => vec![draft.resolved(told, at)],
        severity if severity == told => vec![draft.firing(severity, at)],
        severity => vec![draft.resolved(told, at), draft.firing(severity, at)],
    }
}

/// What stands of the end before may be less bad; how bad is not known any more, so all of that ends. An end in no stage leaves
/// nothing to be resolved later.
fn changed(draft: &Draft, stage: Stage, at: DateTime<Utc>) -> Vec<Alert> {
    if stage == Stage::Ok {
        return vec![draft.resolved(Severity::Info, at)];
    }
    let severity = Severity::of(stage);
    let ended = [Severity::Info, Severity::Warning].into_iter().filter(|less| *less < severity);
    ended.map(|less| draft.resolved(less, at)).chain([draft.firing(severity, at)]).collect()
}

/// How bad a blind source was said to be is not known any more: both alerts that may stand end.
fn ended_source(draft: &Draft, at: DateTime<Utc>) -> Vec<Alert> {
    [Severity::Warning, Severity::Critical].map(|severity| draft.resolved(severity, at)).into()
}

fn draft(item: &Item, message: &Message, setting: &Setting<'_>) -> Draft {
    let mut labels = match item {
        Item::Certificate(item) => identity(&item.facts),
        Item::Source(item) => pairs([
            ("cloud_provider", &item.provider),
            ("cloud_account", &item.account),
            ("reason", &item.reason),
        ]),
        Item::Channel(item) => pairs([("channel", &item.channel)]),
        Item::Renewal(item) => identity(&item.facts),
    };
    labels.insert("alertname".to_owned(), alert_name(item).to_owned());
    let mut annotations = words(item, message, setting);
    let mut url = setting.external_url.unwrap_or_default().to_owned();
    if let Item::Certificate(CertificateItem { facts, .. }) | Item::Renewal(RenewalItem { facts, .. }) = item
    {
        annotations.extend(annotated(facts, setting.now));
        url = facts.console_url.as_deref().map_or(url, str::to_owned);
    }
    match item {
        Item::Certificate(item) => {
            annotations.insert("stage".to_owned(), stage(&item.news).as_str().to_owned());
        }
        Item::Renewal(item) => annotations.extend(renewal(item)),
        Item::Source(_) | Item::Channel(_) => {}
    }
    annotations.insert("event_id".to_owned(), message.id.to_string());
    Draft { labels, annotations, url }
}

/// The same for a certificate whatever is told of it, so that its end closes what its beginning opened.
fn alert_name(item: &Item) -> &'static str {
    match item {
        Item::Certificate(_) => "NotafterCertificateExpiring",
        Item::Source(_) => "NotafterSourceBlind",
        Item::Channel(_) => "NotafterChannelFailing",
        Item::Renewal(_) => "NotafterRenewal",
    }
}

fn stage(news: &News) -> Stage {
    match *news {
        News::Entered { stage, .. }
        | News::Reminder { stage, .. }
        | News::Renewed { stage, .. }
        | News::Changed { stage, .. } => stage,
        News::Gone { told, .. } => told,
    }
}

/// The identity and the labels of the account. An empty label is the same as none in this protocol.
fn identity(facts: &CertificateFacts) -> Pairs {
    let account = facts.labels.iter().map(|(name, value)| (name.as_ref(), value));
    let own = [
        ("cloud_provider", &facts.provider),
        ("cloud_account", &facts.account),
        ("cloud_project", &facts.project),
        ("cloud_region", &facts.region),
        ("cloud_service", &facts.service),
        ("resource_id", &facts.resource_id),
        ("cert_role", &facts.role),
    ];
    pairs(account.chain(own))
}

fn annotated(facts: &CertificateFacts, now: DateTime<Utc>) -> Pairs {
    let days = (facts.not_after - now).num_days().to_string();
    let (not_after, url) = (rfc3339(facts.not_after), facts.console_url.clone().unwrap_or_default());
    pairs([
        ("not_after", &not_after.into()),
        ("days_left", &days.into()),
        ("resource_name", &facts.resource_name),
        ("console_url", &url),
        ("owner", facts.owner.as_ref().unwrap_or(&Box::default())),
    ])
}

fn renewal(item: &RenewalItem) -> Pairs {
    let link = item.link.clone().unwrap_or_default();
    pairs([("news", &item.news.as_str().into()), ("attempt", &item.attempt), ("renewal_url", &link)])
}

/// Our own words of one item: in one line, and whole.
fn words(item: &Item, message: &Message, setting: &Setting<'_>) -> Pairs {
    let alone = Message { items: vec![item.clone()], left_out: 0, overview: None, ..message.clone() };
    let script = text::script(&alone, &Setting { template: None, ..*setting });
    let entry = script.entries.first();
    let summary = entry.map_or_else(|| text::plain(&script.title), |entry| text::plain(&entry.short));
    let lines = entry.map(|entry| entry.lines.iter().map(text::plain).collect::<Vec<_>>());
    pairs([("summary", &summary.into()), ("description", &lines.unwrap_or_default().join("\n").into())])
}

/// A message without items is an alert as well: an empty list would mean that something has ended.
fn of_message(message: &Message, setting: &Setting<'_>) -> Alert {
    let name = if message.kind == Kind::Test { "NotafterTest" } else { "NotafterDigest" };
    let script = text::script(message, &Setting { template: None, ..*setting });
    let lines: Vec<_> = script.opening.iter().map(text::plain).collect();
    let labels = pairs([("alertname", &name.into())]);
    let annotations = pairs([
        ("summary", &text::plain(&script.title).into()),
        ("description", &lines.join("\n").into()),
        ("event_id", &message.id),
    ]);
    let url = setting.external_url.unwrap_or_default().to_owned();
    Draft { labels, annotations, url }.firing(message.severity(), message.at)
}

fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a Box<str>)>) -> Pairs {
    let filled = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    filled.map(|(name, value)| (name.to_owned(), value.to_string())).collect()
}

fn owned((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

/// The pairs that all alerts have.
fn common(alerts: &[Alert], of: impl Fn(&Alert) -> &Pairs) -> Pairs {
    let Some((first, rest)) = alerts.split_first() else { return Pairs::new() };
    let everywhere =
        |(name, value): &(&String, &String)| rest.iter().all(|a| of(a).get(*name) == Some(value));
    of(first).iter().filter(everywhere).map(owned).collect()
}

/// `alertname="x"`, as in group keys.
fn written(labels: &Pairs) -> String {
    let pairs: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={:?}", visible(value))).collect();
    pairs.join(", ")
}

/// FNV-1a over 64 bits of the labels by name, each `name 0xff value 0xff`, as Prometheus does it.
fn fingerprint(labels: &Pairs) -> u64 {
    let bytes =
        labels.iter().flat_map(|(name, value)| name.bytes().chain([0xff]).chain(value.bytes()).chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::Locale;
    use crate::notifier::samples;

    fn alerts(message: &Message) -> Vec<(String, String)> {
        let body = body(message, &samples::setting(Locale::En));
        let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        let pair = |alert: &serde_json::Value| {
            let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
            (text(&alert["status"]), text(&alert["labels"]["severity"]))
        };
        body["alerts"].as_array().expect("a list").iter().map(pair).collect()
    }

    fn changed_to(now: Stage) -> Message {
        let mut message = samples::changed();
        let Item::Certificate(CertificateItem { news: News::Changed { stage, .. }, .. }) =
            &mut message.items[0]
        else {
            panic!("a change")
        };
        *stage = now;
        message
    }

    #[test]
    fn an_alert_ends_under_the_labels_under_which_it_began() {
        for (name, message, want) in [
            (
                "a deeper severity",
                samples::one_critical(),
                &[("resolved", "warning"), ("firing", "critical")][..],
            ),
            ("a first notice", samples::first_notice(), &[("firing", "warning")]),
            ("renewed", samples::renewed(), &[("resolved", "critical")]),
            ("a change to an end in a stage", samples::changed(), &[("firing", "info")]),
            ("to one in no stage", changed_to(Stage::Ok), &[("resolved", "info")]),
            ("to a warning", changed_to(Stage::Warning), &[("resolved", "info"), ("firing", "warning")]),
            (
                "to one that is over",
                changed_to(Stage::Expired),
                &[("resolved", "info"), ("resolved", "warning"), ("firing", "critical")],
            ),
            ("blind", samples::blind(), &[("firing", "warning")]),
            ("can be read again", samples::recovered(), &[("resolved", "warning"), ("resolved", "critical")]),
            ("a test", samples::test(), &[("firing", "info")]),
            ("a planned renewal", samples::renewal_planned(), &[("firing", "info")]),
            ("one that began", samples::renewal_started(), &[("firing", "info")]),
            ("one that was held back", samples::renewal_held(), &[("firing", "warning")]),
            ("one that failed", samples::renewal_refused(), &[("firing", "critical")]),
            (
                "one that succeeded",
                samples::renewal_succeeded(),
                &[("resolved", "info"), ("resolved", "warning"), ("resolved", "critical")],
            ),
        ] {
            let alerts = alerts(&message);
            let alerts: Vec<_> = alerts.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            assert_eq!(alerts, want, "{name}");
        }
    }

    #[test]
    fn a_fingerprint_is_the_one_that_prometheus_computes() {
        let labels = pairs([("alertname", &"x".into())]);
        assert_eq!(format!("{:016x}", fingerprint(&labels)), "d240efc3896bf266");
        assert_eq!(written(&labels), "alertname=\"x\"");
    }
}
