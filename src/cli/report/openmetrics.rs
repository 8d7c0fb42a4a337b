//! A report for Prometheus and its relatives: OpenMetrics text, with the names and labels of `/metrics`.
//!
//! For a file that an agent picks up, or a push. Only what one round knows: gauges, no counters. The values of labels
//! are those of `/metrics`, letter for letter.

use std::collections::HashSet;
use std::fmt::{Display, Write as _};

use chrono::{DateTime, Utc};

use super::{Report, Row};
use crate::domain::identity::{CertRole, Scope};
use crate::domain::resource::{ManagedBy, Resource, TlsState};
use crate::domain::snapshot::ScopeView;

/// Of the specification.
const END: &str = "# EOF\n";

pub(super) fn render(report: &Report<'_>) -> String {
    let text = String::with_capacity(1024 + 1024 * report.rows.len());
    let mut page = Page { text, family: "" };
    certificates(&mut page, &one_a_role(&report.rows));
    resources(&mut page, &report.resources);
    scopes(&mut page, report);
    page.text.push_str(END);
    page.text
}

/// The earliest certificate of each role: two samples must not have the same labels.
fn one_a_role<'r, 's>(rows: &'r [Row<'s>]) -> Vec<&'r Row<'s>> {
    let mut seen: HashSet<(&Scope, &str, CertRole)> = HashSet::new();
    rows.iter().filter(|row| seen.insert((row.scope, &row.resource.id, row.certificate.role))).collect()
}

fn certificates(page: &mut Page, rows: &[&Row<'_>]) {
    page.family("notafter_certificate_not_after_timestamp_seconds", "When the certificate ends.");
    for row in rows {
        page.sample(&of_certificate(row), unix(row.certificate.not_after));
    }
    page.family("notafter_certificate_not_before_timestamp_seconds", "When the certificate began.");
    for row in rows {
        page.optional(&of_certificate(row), row.certificate.not_before.map(unix));
    }
    page.family(
        "notafter_certificate_last_seen_timestamp_seconds",
        "When the certificate was last read from the cloud.",
    );
    for row in rows {
        page.optional(&of_certificate(row), row.resource.reading.as_ref().map(|reading| unix(reading.at)));
    }
    page.family("notafter_certificate_info", "What is known of the certificate.");
    for row in rows {
        page.sample(&information(row), 1);
    }
    page.family(
        "notafter_certificate_dates_disagree",
        "The cloud and the certificate itself differ by more than a day.",
    );
    for row in rows {
        page.optional(&of_certificate(row), row.certificate.dates_disagree().map(i64::from));
    }
}

fn resources(page: &mut Page, resources: &[(&Scope, &Resource)]) {
    page.family("notafter_resource_tls_enabled", "Clients can speak TLS to the resource.");
    for (scope, resource) in resources {
        let enabled = match resource.state() {
            TlsState::Enabled => Some(1),
            TlsState::Disabled => Some(0),
            TlsState::Unsupported | TlsState::Unknown => None,
        };
        page.optional(&of_resource(scope, resource), enabled);
    }
    page.family("notafter_resource_renewal_required", "The cloud itself asks for a renewal.");
    for (scope, resource) in resources {
        let required = resource.reading.as_ref().and_then(|reading| reading.renewal_required);
        page.optional(&of_resource(scope, resource), required.map(i64::from));
    }
}

fn scopes(page: &mut Page, report: &Report<'_>) {
    page.family("notafter_scope_up", "The scope could be read.");
    for (scope, view) in &report.scopes {
        page.sample(&of_scope(scope), i64::from(view.is_up()));
    }
    page.family(
        "notafter_scope_last_success_timestamp_seconds",
        "When the scope was last listed completely.",
    );
    for (scope, view) in &report.scopes {
        page.optional(&of_scope(scope), view.listed_at.map(unix));
    }
    page.family("notafter_scope_discovery_duration_seconds", "How long the last listing of the scope took.");
    for (scope, view) in &report.scopes {
        page.optional(&of_scope(scope), view.listing_took.map(|took| took.as_secs_f64()));
    }
    page.family("notafter_scope_resources", "Resources of the scope by state.");
    for (scope, view) in &report.scopes {
        for (state, count) in states(view) {
            let mut labels = of_scope(scope);
            labels.push("state", state);
            page.sample(&labels, count);
        }
    }
}

fn states(view: &ScopeView) -> [(&'static str, usize); 6] {
    let of = |state: TlsState| (state.as_str(), view.counts.of(state));
    [
        ("discovered", view.resources.len()),
        of(TlsState::Enabled),
        of(TlsState::Disabled),
        of(TlsState::Unsupported),
        of(TlsState::Unknown),
        ("excluded", view.excluded),
    ]
}

fn unix(moment: DateTime<Utc>) -> i64 {
    moment.timestamp()
}

fn of_scope(scope: &Scope) -> Labels {
    let mut labels = Labels(String::with_capacity(256));
    scope.labels().into_iter().for_each(|(name, value)| labels.push(name, value));
    labels
}

fn of_resource(scope: &Scope, resource: &Resource) -> Labels {
    let mut labels = of_scope(scope);
    labels.push("resource_id", &resource.id);
    labels
}

fn of_certificate(row: &Row<'_>) -> Labels {
    let mut labels = of_resource(row.scope, row.resource);
    labels.push("cert_role", row.certificate.role.as_str());
    labels
}

fn information(row: &Row<'_>) -> Labels {
    let subject = &row.certificate.subject;
    let managed_by = row.resource.reading.as_ref().and_then(|reading| reading.managed_by);
    let mut labels = of_certificate(row);
    for (name, value) in [
        ("resource_name", &*row.resource.facts.name),
        ("common_name", &subject.common_name),
        ("issuer", &subject.issuer),
        ("serial", &subject.serial),
        ("sha256", &subject.sha256),
        ("key", &subject.key),
        ("source", row.certificate.source.as_str()),
        ("managed_by", managed_by.map_or("", ManagedBy::as_str)),
    ] {
        labels.push(name, value);
    }
    labels
}

/// The inside of the braces.
struct Labels(String);

impl Labels {
    fn push(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(name);
        self.0.push_str("=\"");
        for character in value.chars() {
            match character {
                '\\' => self.0.push_str("\\\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str("\\n"),
                other => self.0.push(other),
            }
        }
        self.0.push('"');
    }
}

/// What was written so far, and the family that is being written.
struct Page {
    text: String,
    family: &'static str,
}

impl Page {
    /// Begins a family. All are gauges, whose samples carry the name of the family.
    fn family(&mut self, name: &'static str, help: &str) {
        self.family = name;
        write!(self.text, "# TYPE {name} gauge\n# HELP {name} {help}\n").expect("a String takes everything");
    }

    fn sample(&mut self, Labels(labels): &Labels, value: impl Display) {
        writeln!(self.text, "{}{{{labels}}} {value}", self.family).expect("a String takes everything");
    }

    fn optional(&mut self, labels: &Labels, value: Option<impl Display>) {
        if let Some(value) = value {
            self.sample(labels, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_escaped_and_nothing_else_is_changed() {
        let mut labels = Labels(String::new());
        labels.push("a", "x\\y\"z\n订|\r");
        labels.push("b", "");
        assert_eq!(labels.0, "a=\"x\\\\y\\\"z\\n订|\r\",b=\"\"");
    }
}
