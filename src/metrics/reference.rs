//! `docs/metrics.md`, made from the catalogue.

use std::fmt::Write;

use super::catalogue::{Family, catalogue};
use crate::domain::identity::CertRole;
use crate::domain::reason::Reason;
use crate::domain::renewal::refusal::Refusal;
use crate::domain::resource::{DateSource, ManagedBy};
use crate::telemetry::renewals::FAILURES;

const INTRODUCTION: &str = "\
# Metrics

<!-- Made from the catalogue in src/metrics/catalogue.rs; `UPDATE_EXPECT=1 cargo test metrics` writes it anew. -->

`GET /metrics` answers in the text format of Prometheus, version 0.0.4, with gzip where the reader accepts it.

The daemon asks the clouds in the background, at its own pace, and a scrape only shows what is known: it never causes
a call. How old a value is, `notafter_certificate_last_seen_timestamp_seconds` and
`notafter_scope_last_success_timestamp_seconds` say. A failed look takes nothing off the page; a resource leaves it
when a complete listing no longer has it. What is not known has no line: there are no zeros or minus ones that stand
for something else, and a date that has passed stays what it was.

A certificate has 3 to 5 series and a resource up to 2 more; a scope has 10 and its counters 9. Counters of
renewals are there where something may be renewed. The gzip form of the page is made at most once a second.

Labels are named here in the order in which the page has them. In what the daemon counts about itself, its counters
and its histogram, that is by name.

";

/// The whole text.
pub fn reference() -> String {
    let mut out = String::from(INTRODUCTION);
    for (title, prefix) in [
        ("Certificates and resources", &["notafter_certificate_", "notafter_resource_"][..]),
        ("Scopes and polling", &["notafter_scope_", "notafter_poll_"]),
        ("Calls to clouds", &["notafter_api_"]),
        (
            "Messages",
            &["notafter_notification", "notafter_channel_", "notafter_outbox_", "notafter_heartbeat_"],
        ),
        ("Renewals", &["notafter_renewal"]),
        (
            "The daemon",
            &["notafter_build_", "notafter_config_", "notafter_store_", "notafter_tasks", "process_"],
        ),
    ] {
        section(&mut out, title, |family| prefix.iter().any(|prefix| family.name.starts_with(prefix)));
    }
    values(&mut out);
    out
}

fn section(out: &mut String, title: &str, belongs: impl Fn(&Family) -> bool) {
    line(out, format_args!("## {title}\n"));
    for family in catalogue().iter().filter(|family| belongs(family)) {
        let labels: Vec<_> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "none".to_owned() } else { labels.join(", ") };
        line(out, format_args!("### `{}`\n", family.name));
        line(out, format_args!("{}\n", family.help));
        line(out, format_args!("Type: {}. Labels: {labels}.\n", family.kind.as_str()));
    }
}

fn values(out: &mut String) {
    line(out, format_args!("## Values of labels\n"));
    line(out, format_args!("| label | values |\n|---|---|"));
    for (label, values) in [
        ("cert_role", CertRole::ALL.map(CertRole::as_str).to_vec()),
        ("source", [DateSource::Api, DateSource::X509].map(DateSource::as_str).to_vec()),
        ("managed_by", [ManagedBy::Cloud, ManagedBy::Customer].map(ManagedBy::as_str).to_vec()),
        ("state", [&super::scopes::STATES[..], &super::channels::STATES].concat()),
        ("reason", Reason::ALL.map(Reason::as_str).to_vec()),
        ("reason` of `notafter_renewals_failed_total", FAILURES.map(|(_, word)| word).to_vec()),
        ("reason` of `notafter_renewals_refused_total", Refusal::ALL.iter().map(|why| why.code()).collect()),
    ] {
        let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
        line(out, format_args!("| `{label}` | {} |", values.join(", ")));
    }
    out.push('\n');
    out.push_str("`cloud_project` is empty where the cloud has no projects, `managed_by` where the cloud does not say.\n");
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("writing into memory cannot fail");
}
