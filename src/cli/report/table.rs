//! A report for people: a table, one sentence, and what could not be read.
//!
//! Colour only repeats what a word already says.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};

use super::{Counts, Report, Row, Unread, Viewer};
use crate::cli::text::{left, plural, utc};
use crate::domain::finding::Stage;
use crate::visible::visible;

/// How many unreadable resources are told one by one; scopes are all told.
const RESOURCES_TOLD: usize = 20;

pub(super) fn render(report: &Report<'_>, viewer: Viewer) -> String {
    let mut text = String::new();
    if !report.rows.is_empty() {
        push_table(&mut text, report, viewer);
    }
    push_line(&mut text, &summary(report));
    if let Some(others) = without_certificate(&report.counts) {
        push_line(&mut text, &others);
    }
    push_failures(&mut text, report);
    text
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn push_table(text: &mut String, report: &Report<'_>, viewer: Viewer) {
    let with_project = report.rows.iter().any(|row| !row.scope.project.is_empty());
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    if let Some(width) = viewer.width {
        table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.set_header(header(with_project));
    table.add_rows(report.rows.iter().map(|row| cells(row, with_project)));
    for column in table.column_iter_mut().take(3) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    if let Some(left) = table.column_mut(1) {
        left.set_cell_alignment(CellAlignment::Right);
    }
    for line in table.lines() {
        push_line(text, &if viewer.colour { coloured(line) } else { line });
    }
}

fn header(with_project: bool) -> Vec<&'static str> {
    let mut header = vec!["Stage", "Left", "Ends (UTC)", "Account", "Service", "Region"];
    header.extend(with_project.then_some("Project"));
    header.extend(["Resource", "Name", "Role"]);
    header
}

fn cells(row: &Row<'_>, with_project: bool) -> Vec<String> {
    let Row { scope, resource, certificate, .. } = row;
    let mut cells = vec![
        row.stage.as_str().to_owned(),
        left(row.left),
        certificate.not_after.format("%Y-%m-%d %H:%M").to_string(),
        visible(&scope.account).into_owned(),
        visible(&scope.service).into_owned(),
        visible(&scope.region).into_owned(),
    ];
    cells.extend(with_project.then(|| visible(&scope.project).into_owned()));
    cells.push(visible(&resource.id).into_owned());
    cells.push(visible(&resource.facts.name).into_owned());
    cells.push(certificate.role.as_str().to_owned());
    cells
}

/// Colours the first cell of a line by the stage that stands in it.
fn coloured(line: String) -> String {
    let stage = Stage::ALL.into_iter().find_map(|stage| {
        let behind = line.strip_prefix("│ ")?.strip_prefix(stage.as_str())?;
        behind.starts_with(' ').then_some((stage, behind))
    });
    let Some((stage, behind)) = stage else { return line };
    let code = match stage {
        Stage::Expired => "1;31",
        Stage::Critical => "31",
        Stage::Warning | Stage::Info => "33",
        Stage::Ok => "32",
    };
    format!("│ \x1b[{code}m{}\x1b[0m{behind}", stage.as_str())
}

fn summary(report: &Report<'_>) -> String {
    let counts = &report.counts;
    let mut summary = report.headline();
    if !report.problems().is_empty() {
        write!(summary, ", {} fine", counts.ok).expect("a String takes everything");
    }
    let certificates = plural(counts.certificates(), "certificate");
    let (resources, scopes) = (plural(counts.resources(), "resource"), plural(counts.scopes, "scope"));
    format!("{summary}; {certificates} on {resources} in {scopes}, {}", utc(report.checked_at))
}

fn without_certificate(counts: &Counts) -> Option<String> {
    let parts: Vec<_> = [
        (counts.disabled, "off on"),
        (counts.unsupported, "not possible on"),
        (counts.unknown, "not known of"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{word} {count}"))
    .collect();
    (!parts.is_empty()).then(|| format!("TLS is {}", parts.join(", ")))
}

fn push_failures(text: &mut String, report: &Report<'_>) {
    if report.failures.is_empty() {
        return;
    }
    push_line(text, "\nCould not be read:");
    let told = report.counts.scopes_unreadable + RESOURCES_TOLD;
    for unread in report.failures.iter().take(told) {
        push_line(text, &format!("  {}", sentence(unread)));
    }
    let untold = report.failures.len().saturating_sub(told);
    if untold > 0 {
        push_line(text, &format!("  and {}", plural(untold, "more resource")));
    }
}

/// `prod/alibaba/rds/cn-hangzhou: denied: …`.
pub(super) fn sentence(unread: &Unread<'_>) -> String {
    let Unread { scope, resource, reason, text, .. } = unread;
    let mut sentence = visible(&scope.to_string()).into_owned();
    if let Some(resource) = resource {
        write!(sentence, " {}", visible(&resource.id)).expect("a String takes everything");
    }
    if let Some(reason) = reason {
        write!(sentence, ": {}", reason.as_str()).expect("a String takes everything");
    }
    format!("{sentence}: {}", visible(text))
}
