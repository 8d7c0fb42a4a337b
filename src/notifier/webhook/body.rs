//! Our own body: every fact of a message, for programs.
//!
//! Names, their order and their meaning are a promise to receivers: within version 1 fields may be added behind the
//! others, never changed. Pure; the words of templates do not get in here. The text goes to `sign` and then out, byte
//! for byte.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::super::Setting;
use super::renewal::{self, renewal};
use crate::domain::alert::message::{
    By, CertificateFacts, CertificateItem, ChannelItem, ChannelNews, Gone, Item, Kind, Message, News,
    Overview, RenewalNews, RenewalNote, SourceItem, SourceNews,
};
use crate::domain::finding::Stage;

/// So many items a body holds; how many more there were is told in `truncated`.
pub const MAX_ALERTS: usize = 100;

/// The body as text, to be signed and sent as it is.
pub fn body(message: &Message, setting: &Setting<'_>) -> String {
    let shown = &message.items[..message.items.len().min(MAX_ALERTS)];
    let total = message.items.len() + message.left_out;
    let data = Data {
        id: &message.id,
        status: status(message),
        severity: message.severity().as_str(),
        route: &message.route,
        locale: setting.locale.as_str(),
        total,
        truncated: total - shown.len(),
        alerts: certificates(shown).map(|(item, news)| alert(item, news, setting.now)).collect(),
        sources: shown.iter().filter_map(source).collect(),
        channels: shown.iter().filter_map(channel).collect(),
        overview: message.overview.as_ref().map(overview),
        external_url: setting.external_url,
        renewals: shown.iter().filter_map(|item| renewal(item, setting.now)).collect(),
    };
    let envelope =
        Envelope { version: "1", r#type: message.type_name(), timestamp: rfc3339(message.at), data };
    serde_json::to_string(&envelope).expect("structs with text keys become JSON")
}

/// `2026-11-22T00:00:00Z`, as everywhere in the bodies.
pub fn rfc3339(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[derive(Serialize)]
struct Envelope<'a> {
    version: &'static str,
    r#type: &'static str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    id: &'a str,
    status: &'static str,
    severity: &'static str,
    route: &'a str,
    locale: &'static str,
    total: usize,
    truncated: usize,
    alerts: Vec<Alert<'a>>,
    sources: Vec<Source<'a>>,
    channels: Vec<Channel<'a>>,
    overview: Option<Numbers<'a>>,
    external_url: Option<&'a str>,
    renewals: Vec<renewal::Entry<'a>>,
}

#[derive(Serialize)]
struct Alert<'a> {
    fingerprint: String,
    stage: &'static str,
    previous_stage: Option<&'static str>,
    since: Option<String>,
    labels: Labels<'a>,
    resource_name: &'a str,
    not_before: Option<String>,
    not_after: String,
    not_after_unix: i64,
    seconds_left: i64,
    serial: &'a str,
    sha256: &'a str,
    last_seen: String,
    renewal: Note,
    links: Links<'a>,
    r#type: &'static str,
    status: &'static str,
    severity: &'static str,
    stale: bool,
    owner: Option<&'a str>,
    in_use: Option<bool>,
    managed_by: Option<&'a str>,
    #[serde(flatten)]
    before: Option<Before<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    how: Option<&'static str>,
}

/// Those of the identity first, then those of the account; the configuration keeps their names apart.
#[derive(Serialize)]
pub(super) struct Labels<'a> {
    cloud_provider: &'a str,
    cloud_account: &'a str,
    cloud_project: &'a str,
    cloud_region: &'a str,
    cloud_service: &'a str,
    resource_id: &'a str,
    cert_role: &'a str,
    #[serde(flatten)]
    account: &'a BTreeMap<Box<str>, Box<str>>,
}

#[derive(Serialize)]
struct Note {
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Links<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) console: Option<&'a str>,
}

/// The certificate that was there before.
#[derive(Serialize)]
struct Before<'a> {
    old_not_after: String,
    old_serial: &'a str,
}

#[derive(Serialize)]
struct Source<'a> {
    r#type: &'static str,
    status: &'static str,
    severity: &'static str,
    cloud_provider: &'a str,
    cloud_account: &'a str,
    reason: &'a str,
    services: &'a [Box<str>],
    regions: &'a [Box<str>],
    error: &'a str,
    since: String,
    until: Option<String>,
    again: bool,
    last_success: Option<String>,
    certificates: usize,
    worst_stage: &'static str,
    unwatched: bool,
}

#[derive(Serialize)]
#[allow(clippy::struct_field_names)] // as in the label of that name
struct Channel<'a> {
    r#type: &'static str,
    status: &'static str,
    severity: &'static str,
    channel: &'a str,
    since: String,
    failures: Option<u32>,
    error: Option<&'a str>,
    queued: Option<usize>,
    delayed: Option<usize>,
}

#[derive(Serialize)]
struct Numbers<'a> {
    stages: BTreeMap<&'static str, usize>,
    services: &'a BTreeMap<Box<str>, usize>,
    blind: usize,
    planned: usize,
}

/// Whether receivers open, keep or close something for it.
fn status(message: &Message) -> &'static str {
    if message.kind == Kind::Test {
        return "test";
    }
    let present = |wanted: &&str| message.items.iter().any(|item| item_status(item) == *wanted);
    ["firing", "reminder", "renewed"].into_iter().find(|wanted| present(wanted)).unwrap_or("health")
}

pub(super) fn item_status(item: &Item) -> &'static str {
    match item {
        Item::Certificate(CertificateItem { news, .. }) => match news {
            News::Entered { .. } | News::Changed { .. } => "firing",
            News::Reminder { .. } => "reminder",
            News::Renewed { .. } => "renewed",
            News::Gone { .. } => "health",
        },
        Item::Renewal(item) => match item.news {
            RenewalNews::Failed { .. } => "firing",
            RenewalNews::Succeeded { .. } => "renewed",
            RenewalNews::Planned { .. } | RenewalNews::Started { .. } | RenewalNews::Held { .. } => "health",
        },
        Item::Source(_) | Item::Channel(_) => "health",
    }
}

/// The certificates among the items, each with its item for what all items have.
fn certificates(items: &[Item]) -> impl Iterator<Item = (&Item, &CertificateItem)> {
    items.iter().filter_map(|item| match item {
        Item::Certificate(certificate) => Some((item, certificate)),
        Item::Source(_) | Item::Channel(_) | Item::Renewal(_) => None,
    })
}

fn alert<'a>(item: &Item, certificate: &'a CertificateItem, now: DateTime<Utc>) -> Alert<'a> {
    let CertificateItem { news, facts } = certificate;
    let (stage, previous, since) = stages(news);
    Alert {
        fingerprint: facts.fingerprint.to_string(),
        stage: stage.as_str(),
        previous_stage: previous.map(Stage::as_str),
        since: since.map(rfc3339),
        labels: labels(facts),
        resource_name: &facts.resource_name,
        not_before: facts.not_before.map(rfc3339),
        not_after: rfc3339(facts.not_after),
        not_after_unix: facts.not_after.timestamp(),
        seconds_left: (facts.not_after - now).num_seconds(),
        serial: &facts.serial,
        sha256: &facts.sha256,
        last_seen: rfc3339(facts.last_seen),
        renewal: note(&facts.renewal),
        links: Links { console: facts.console_url.as_deref() },
        r#type: item.type_name(),
        status: item_status(item),
        severity: item.severity().as_str(),
        stale: facts.stale,
        owner: facts.owner.as_deref(),
        in_use: facts.in_use,
        managed_by: facts.managed_by.as_deref(),
        before: before(news),
        by: by(news),
        how: how(news),
    }
}

/// The stage now, the deepest one told before, and since when.
fn stages(news: &News) -> (Stage, Option<Stage>, Option<DateTime<Utc>>) {
    match *news {
        News::Entered { stage, previous, since } => (stage, previous, Some(since)),
        News::Reminder { stage, since } => (stage, Some(stage), Some(since)),
        News::Renewed { stage, told, .. } => (stage, Some(told), None),
        News::Changed { stage, .. } => (stage, None, None),
        News::Gone { told, .. } => (told, Some(told), None),
    }
}

pub(super) fn labels(facts: &CertificateFacts) -> Labels<'_> {
    Labels {
        cloud_provider: &facts.provider,
        cloud_account: &facts.account,
        cloud_project: &facts.project,
        cloud_region: &facts.region,
        cloud_service: &facts.service,
        resource_id: &facts.resource_id,
        cert_role: &facts.role,
        account: &facts.labels,
    }
}

fn note(note: &RenewalNote) -> Note {
    match note {
        RenewalNote::Manual => Note { mode: "manual", at: None },
        RenewalNote::NoApi => Note { mode: "no_api", at: None },
        RenewalNote::Planned { at } => Note { mode: "planned", at: Some(rfc3339(*at)) },
    }
}

fn before(news: &News) -> Option<Before<'_>> {
    match news {
        News::Renewed { old_not_after, old_serial, .. } | News::Changed { old_not_after, old_serial, .. } => {
            Some(Before { old_not_after: rfc3339(*old_not_after), old_serial })
        }
        _ => None,
    }
}

fn by(news: &News) -> Option<&'static str> {
    match news {
        News::Renewed { by: By::Notafter, .. } => Some("notafter"),
        News::Renewed { by: By::External, .. } => Some("external"),
        _ => None,
    }
}

fn how(news: &News) -> Option<&'static str> {
    match news {
        News::Gone { how: Gone::NotListed, .. } => Some("not_listed"),
        News::Gone { how: Gone::TlsOff, .. } => Some("tls_off"),
        News::Gone { how: Gone::NotShown, .. } => Some("not_shown"),
        News::Gone { how: Gone::NotWatched, .. } => Some("not_watched"),
        _ => None,
    }
}

fn source(item: &Item) -> Option<Source<'_>> {
    let Item::Source(source) = item else { return None };
    let SourceItem { news, provider, account, reason, services, regions, error, .. } = source;
    let (since, until, again, unwatched) = match *news {
        SourceNews::Blind { since, again, .. } => (since, None, again, false),
        SourceNews::Recovered { since, until, unwatched } => (since, Some(until), false, unwatched),
    };
    Some(Source {
        r#type: item.type_name(),
        status: item_status(item),
        severity: item.severity().as_str(),
        cloud_provider: provider,
        cloud_account: account,
        reason,
        services,
        regions,
        error,
        since: rfc3339(since),
        until: until.map(rfc3339),
        again,
        last_success: source.last_success.map(rfc3339),
        certificates: source.certificates,
        worst_stage: source.worst.as_str(),
        unwatched,
    })
}

fn channel(item: &Item) -> Option<Channel<'_>> {
    let Item::Channel(ChannelItem { channel, news }) = item else { return None };
    let common = |since| Channel {
        r#type: item.type_name(),
        status: item_status(item),
        severity: item.severity().as_str(),
        channel,
        since: rfc3339(since),
        failures: None,
        error: None,
        queued: None,
        delayed: None,
    };
    Some(match news {
        ChannelNews::Failing { since, failures, error, queued } => {
            Channel { failures: Some(*failures), error: Some(error), queued: Some(*queued), ..common(*since) }
        }
        ChannelNews::Recovered { since, delayed } => Channel { delayed: Some(*delayed), ..common(*since) },
    })
}

fn overview(overview: &Overview) -> Numbers<'_> {
    Numbers {
        stages: overview.stages.iter().map(|(stage, count)| (stage.as_str(), *count)).collect(),
        services: &overview.services,
        blind: overview.blind,
        planned: overview.planned,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::domain::policy::Locale;
    use crate::notifier::samples;

    fn read(message: &Message) -> Value {
        serde_json::from_str(&body(message, &samples::setting(Locale::Zh))).expect("JSON")
    }

    #[test]
    fn fields_come_in_the_promised_order() {
        let body = body(&samples::one_critical(), &samples::setting(Locale::Zh));
        let order = [
            "version",
            "type",
            "timestamp",
            "data",
            "id",
            "status",
            "severity",
            "route",
            "locale",
            "total",
            "truncated",
            "alerts",
            "fingerprint",
            "stage",
            "previous_stage",
            "since",
            "labels",
            "cloud_provider",
            "cloud_account",
            "cloud_project",
            "cloud_region",
            "cloud_service",
            "resource_id",
            "cert_role",
            "resource_name",
            "not_before",
            "not_after",
            "not_after_unix",
            "seconds_left",
            "serial",
            "sha256",
            "last_seen",
            "renewal",
            "links",
        ];
        let mut rest = body.as_str();
        for name in order {
            let at = rest.find(&format!("\"{name}\":"));
            rest = &rest[at.unwrap_or_else(|| panic!("{name} is not where it belongs: {body}"))..];
        }
        assert!(body.contains("\"resource_name\":\"订单库\""), "as UTF-8: {body}");
    }

    #[test]
    fn type_and_status_say_what_to_do_with_it() {
        for (name, message, r#type, status) in [
            ("critical", samples::one_critical(), "certificate.expiring", "firing"),
            ("expired", samples::expired(), "certificate.expired", "firing"),
            ("reminder", samples::reminder(), "certificate.reminder", "reminder"),
            ("renewed", samples::renewed(), "certificate.renewed", "renewed"),
            ("changed", samples::changed(), "certificate.changed", "firing"),
            ("gone", samples::gone(Gone::NotListed), "certificate.gone", "health"),
            ("blind", samples::blind(), "source.blind", "health"),
            ("recovered", samples::recovered(), "source.recovered", "health"),
            ("failing", samples::channel_failing(), "channel.failing", "health"),
            ("planned", samples::renewal_planned(), "renewal.planned", "health"),
            ("started", samples::renewal_started(), "renewal.started", "health"),
            ("held", samples::renewal_held(), "renewal.held", "health"),
            ("succeeded", samples::renewal_succeeded(), "renewal.succeeded", "renewed"),
            ("failed", samples::renewal_refused(), "renewal.failed", "firing"),
            ("digest", samples::digest_fine(), "digest", "health"),
            ("test", samples::test(), "test", "test"),
        ] {
            let body = read(&message);
            assert_eq!((&body["type"], &body["data"]["status"]), (&r#type.into(), &status.into()), "{name}");
        }
    }

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        let message = samples::five_hundred();
        let data = read(&message)["data"].take();
        let total = message.items.len() + message.left_out;
        assert_eq!(data["alerts"].as_array().map(Vec::len), Some(MAX_ALERTS));
        assert_eq!((&data["total"], &data["truncated"]), (&total.into(), &(total - MAX_ALERTS).into()));
    }
}
