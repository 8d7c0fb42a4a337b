//! What `check` found: certificates, soonest end first, what could not be looked at, and a verdict.
//!
//! [`Report::from_snapshot`] decides, [`render`] writes; both are plain functions. The stages are those of the two
//! thresholds of the command line, to the letter: unlike alerts they are not shortened for short-lived certificates.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Exit;
use super::args::CheckFormat;
use super::select::Selection;
use super::text::{left, plural};
use crate::domain::duration::show_duration;
use crate::domain::finding::Stage;
use crate::domain::identity::Scope;
use crate::domain::matcher::Matcher;
use crate::domain::resource::{Certificate, Resource, TlsState};
use crate::domain::snapshot::{ScopeView, Snapshot};

mod csv;
mod json;
mod nagios;
mod openmetrics;
mod table;
mod unread;

pub use unread::Unread;

/// What `check` was asked.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Any of them; everything where there is none.
    pub matchers: &'a [Matcher],
    /// Labels of accounts as configured: account and key to value, for `label:KEY`.
    pub account_label: &'a dyn Fn(&str, &str) -> Option<&'a str>,
    /// Worth a warning when no more than this is left.
    pub warning: Duration,
    /// Critical when no more than this is left.
    pub critical: Duration,
    /// The moment everything is measured from.
    pub now: DateTime<Utc>,
}

/// What `check` found. Borrows from the snapshot.
#[derive(Debug)]
pub struct Report<'s> {
    /// When the round ended.
    pub checked_at: DateTime<Utc>,
    /// The threshold of a warning.
    pub warning: Duration,
    /// The threshold of critical.
    pub critical: Duration,
    /// The scopes that were meant.
    pub scopes: Vec<(&'s Scope, &'s ScopeView)>,
    /// The resources that were meant, by scope and id.
    pub resources: Vec<(&'s Scope, &'s Resource)>,
    /// Their certificates, soonest end first.
    pub rows: Vec<Row<'s>>,
    /// What could not be looked at: scopes first, then resources.
    pub failures: Vec<Unread<'s>>,
    /// How many of what.
    pub counts: Counts,
    /// All in one word.
    pub verdict: Verdict,
}

/// A certificate that was found.
#[derive(Debug, Clone, Copy)]
pub struct Row<'s> {
    /// Where.
    pub scope: &'s Scope,
    /// Whose.
    pub resource: &'s Resource,
    /// The certificate.
    pub certificate: &'s Certificate,
    /// How much is left; negative when it is over.
    pub left: TimeDelta,
    /// `Ok`, `Warning`, `Critical` or `Expired`.
    pub stage: Stage,
}

/// How many of what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Certificates with more than the warning threshold left.
    pub ok: usize,
    /// Certificates within the warning threshold.
    pub warning: usize,
    /// Certificates within the critical threshold.
    pub critical: usize,
    /// Certificates that are over.
    pub expired: usize,
    /// Resources with TLS on.
    pub enabled: usize,
    /// Resources with TLS off.
    pub disabled: usize,
    /// Resources that cannot have TLS.
    pub unsupported: usize,
    /// Resources of which nobody knows.
    pub unknown: usize,
    /// Resources that could not be read.
    pub resources_unreadable: usize,
    /// Scopes.
    pub scopes: usize,
    /// Scopes that could not be read.
    pub scopes_unreadable: usize,
}

impl Counts {
    /// All certificates.
    pub fn certificates(&self) -> usize {
        self.ok + self.warning + self.critical + self.expired
    }

    /// All resources.
    pub fn resources(&self) -> usize {
        self.enabled + self.disabled + self.unsupported + self.unknown
    }
}

/// All in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All fine.
    Ok,
    /// Something ends within the warning threshold.
    Warning,
    /// Something ends within the critical threshold or is over.
    Critical,
    /// Something could not be looked at, and nothing of the above was found.
    Unknown,
}

impl Verdict {
    /// The word used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }

    /// How the process ends.
    pub fn exit(self) -> Exit {
        match self {
            Self::Ok => Exit::Ok,
            Self::Warning => Exit::Warning,
            Self::Critical => Exit::Critical,
            Self::Unknown => Exit::Unknown,
        }
    }
}

impl<'s> Report<'s> {
    /// Picks what was meant from a snapshot and judges it.
    pub fn from_snapshot(snapshot: &'s Snapshot, question: &Question<'_>) -> Self {
        let Question { matchers, account_label, warning, critical, now } = *question;
        let mut report = Self {
            checked_at: now,
            warning,
            critical,
            scopes: Vec::new(),
            resources: Vec::new(),
            rows: Vec::new(),
            failures: Vec::new(),
            counts: Counts::default(),
            verdict: Verdict::Unknown,
        };
        let selection = Selection::new(matchers, account_label);
        for (scope, view) in &snapshot.scopes {
            report.add_scope(scope, view, &selection);
        }
        report.sort();
        report.verdict = report.judge(snapshot.scopes.is_empty());
        report
    }

    /// What is wrong, one phrase each, worst first: `2 expired`, `3 within 7d`, `1 scope unreadable`.
    fn problems(&self) -> Vec<String> {
        let Counts { expired, critical, warning, scopes_unreadable, resources_unreadable, .. } = self.counts;
        [
            (expired, format!("{expired} expired")),
            (critical, format!("{critical} within {}", show_duration(self.critical))),
            (warning, format!("{warning} within {}", show_duration(self.warning))),
            (scopes_unreadable, format!("{} unreadable", plural(scopes_unreadable, "scope"))),
            (resources_unreadable, format!("{} unreadable", plural(resources_unreadable, "resource"))),
        ]
        .into_iter()
        .filter_map(|(count, phrase)| (count > 0).then_some(phrase))
        .collect()
    }

    /// All in one sentence.
    fn headline(&self) -> String {
        let problems = self.problems();
        match self.rows.first() {
            _ if !problems.is_empty() => problems.join(", "),
            Some(row) => {
                let certificates = plural(self.counts.certificates(), "certificate");
                format!("{certificates}, the next ends in {}", left(row.left))
            }
            None if self.verdict == Verdict::Unknown => "there was nothing to look at".to_owned(),
            None => "no certificate".to_owned(),
        }
    }

    fn add_scope(&mut self, scope: &'s Scope, view: &'s ScopeView, selection: &Selection<'_>) {
        if !selection.may_reach_into(scope) {
            return;
        }
        self.scopes.push((scope, view));
        self.counts.scopes += 1;
        if let Some(unread) = Unread::scope(scope, view) {
            self.failures.push(unread);
            self.counts.scopes_unreadable += 1;
        }
        for resource in view.resources.iter() {
            if selection.may_mean(scope, resource) {
                self.add_resource(scope, resource, selection);
            }
        }
    }

    fn add_resource(&mut self, scope: &'s Scope, resource: &'s Resource, selection: &Selection<'_>) {
        let meant = |certificate: &&Certificate| selection.means(scope, resource, certificate.role);
        let certificates: Vec<_> = resource.certificates().iter().filter(meant).collect();
        if certificates.is_empty() && !resource.certificates().is_empty() {
            return;
        }
        self.resources.push((scope, resource));
        match resource.state() {
            TlsState::Enabled => self.counts.enabled += 1,
            TlsState::Disabled => self.counts.disabled += 1,
            TlsState::Unsupported => self.counts.unsupported += 1,
            TlsState::Unknown => self.counts.unknown += 1,
        }
        if let Some(unread) = Unread::resource(scope, resource) {
            self.failures.push(unread);
            self.counts.resources_unreadable += 1;
        }
        for certificate in certificates {
            self.add_certificate(scope, resource, certificate);
        }
    }

    fn add_certificate(&mut self, scope: &'s Scope, resource: &'s Resource, certificate: &'s Certificate) {
        let left = certificate.not_after - self.checked_at;
        let stage = self.stage(left);
        match stage {
            Stage::Expired => self.counts.expired += 1,
            Stage::Critical => self.counts.critical += 1,
            Stage::Warning => self.counts.warning += 1,
            Stage::Info | Stage::Ok => self.counts.ok += 1,
        }
        self.rows.push(Row { scope, resource, certificate, left, stage });
    }

    fn stage(&self, left: TimeDelta) -> Stage {
        match left.to_std() {
            Ok(left) if left > self.warning => Stage::Ok,
            Ok(left) if left > self.critical => Stage::Warning,
            Ok(left) if !left.is_zero() => Stage::Critical,
            _ => Stage::Expired,
        }
    }

    fn sort(&mut self) {
        self.rows.sort_by_key(|row| {
            (row.certificate.not_after, row.scope, &row.resource.id, row.certificate.role)
        });
        self.failures.sort_by_key(|unread| unread.resource.is_some());
    }

    fn judge(&self, nothing_to_look_at: bool) -> Verdict {
        match () {
            () if self.counts.expired + self.counts.critical > 0 => Verdict::Critical,
            () if self.counts.warning > 0 => Verdict::Warning,
            () if nothing_to_look_at || !self.failures.is_empty() => Verdict::Unknown,
            () => Verdict::Ok,
        }
    }
}

/// What the reader of a report looks at it through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Viewer {
    /// Columns of the terminal; `None` where there is none, and lines may be as long as they like.
    pub width: Option<u16>,
    /// Colour helps; only ever on a terminal.
    pub colour: bool,
}

/// Writes a report. The text ends with a newline.
pub fn render(report: &Report<'_>, format: CheckFormat, viewer: Viewer) -> String {
    match format {
        CheckFormat::Table => table::render(report, viewer),
        CheckFormat::Json => json::render(report),
        CheckFormat::Csv => csv::render(report),
        CheckFormat::Nagios => nagios::render(report),
        CheckFormat::Openmetrics => openmetrics::render(report),
    }
}

#[cfg(test)]
mod tests;
