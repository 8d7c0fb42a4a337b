//! A report for spreadsheets: RFC 4180, lines end with CRLF, the first one names the columns.
//!
//! A text that a spreadsheet would take for a formula (it begins with `=`, `+`, `-`, `@` or a full-width form of
//! them) gets an apostrophe in front; numbers are written as they are. Every record is one line: control characters
//! are written as their escapes. What could not be read is a record too, at the end, with stage `unknown`: nothing is
//! missing silently.

use std::borrow::Cow;

use super::{Report, Row, Unread};
use crate::cli::text::rfc3339;
use crate::domain::identity::Scope;
use crate::visible::visible;

const HEADER: &str = "cloud_provider,cloud_account,cloud_project,cloud_region,cloud_service,resource_id,cert_role,\
    resource_name,stage,not_after,not_after_unix,seconds_left,last_seen,failure_reason,failure_text\r\n";

pub(super) fn render(report: &Report<'_>) -> String {
    let mut csv = String::from(HEADER);
    for row in &report.rows {
        push_record(&mut csv, &certificate(row));
    }
    for failed in &report.failures {
        push_record(&mut csv, &unread(failed));
    }
    csv
}

fn certificate(row: &Row<'_>) -> Vec<String> {
    let Row { scope, resource, certificate, left, stage } = row;
    let mut record = identity(scope, &resource.id);
    record.extend([
        certificate.role.as_str().to_owned(),
        text(&resource.facts.name),
        stage.as_str().to_owned(),
        rfc3339(certificate.not_after),
        certificate.not_after.timestamp().to_string(),
        left.num_seconds().to_string(),
        resource.reading.as_ref().map(|reading| rfc3339(reading.at)).unwrap_or_default(),
        resource.failure.as_ref().map(|failure| failure.reason.as_str().to_owned()).unwrap_or_default(),
        resource.failure.as_ref().map(|failure| text(&failure.text)).unwrap_or_default(),
    ]);
    record
}

fn unread(unread: &Unread<'_>) -> Vec<String> {
    let Unread { scope, resource, reason, .. } = unread;
    let mut record = identity(scope, resource.map_or("", |resource| &resource.id));
    record.extend([
        String::new(),
        text(resource.map_or("", |resource| &resource.facts.name)),
        "unknown".to_owned(),
    ]);
    record.extend(std::iter::repeat_n(String::new(), 4));
    record.extend([reason.map(|reason| reason.as_str().to_owned()).unwrap_or_default(), text(unread.text)]);
    record
}

fn identity(scope: &Scope, resource_id: &str) -> Vec<String> {
    let Scope { provider, account, project, region, service } = scope;
    [provider, account, project, region, service, resource_id].into_iter().map(text).collect()
}

/// A text of the outside world as a cell, not quoted yet.
fn text(text: &str) -> String {
    let safe = visible(text);
    let formula = safe.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    if formula { format!("'{safe}") } else { safe.into_owned() }
}

fn push_record(csv: &mut String, cells: &[String]) {
    for (number, cell) in cells.iter().enumerate() {
        if number > 0 {
            csv.push(',');
        }
        csv.push_str(&quoted(cell));
    }
    csv.push_str("\r\n");
}

fn quoted(cell: &str) -> Cow<'_, str> {
    let plain = !cell.contains([',', '"']) && cell.trim() == cell;
    if plain { Cow::Borrowed(cell) } else { Cow::Owned(format!("\"{}\"", cell.replace('"', "\"\""))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_a_formula_and_no_text_leaves_its_cell() {
        for (name, written, want) in [
            ("plain", "orders", "orders"),
            ("a formula", "=1+1", "'=1+1"),
            ("a command", "@SUM(A1)", "'@SUM(A1)"),
            ("a link", r#"=HYPERLINK("http://x","y")"#, r#""'=HYPERLINK(""http://x"",""y"")""#),
            ("minus", "-2+3", "'-2+3"),
            ("plus", "+1", "'+1"),
            ("full width", "＝1", "'＝1"),
            ("a tab in front", "\t=1", r"\t=1"),
            ("a newline", "a\r\n=1", r"a\r\n=1"),
            ("commas and quotes", r#"a,"b""#, r#""a,""b""""#),
            ("blanks around", " a ", r#"" a ""#),
            ("empty", "", ""),
        ] {
            assert_eq!(quoted(&text(written)), want, "{name}");
        }
    }

    #[test]
    fn every_record_has_as_many_cells_as_the_header() {
        let (scope, resource) =
            (crate::domain::testing::scope("redis"), crate::domain::testing::resource("r-1"));
        let columns = HEADER.split(',').count();
        let failed = Unread { scope: &scope, resource: Some(&resource), reason: None, text: "x", at: None };
        assert_eq!(unread(&failed).len(), columns);
        let certificate_of = crate::domain::testing::certificate(crate::domain::testing::moment());
        let row = Row {
            scope: &scope,
            resource: &resource,
            certificate: &certificate_of,
            left: chrono::TimeDelta::zero(),
            stage: crate::domain::finding::Stage::Ok,
        };
        assert_eq!(certificate(&row).len(), columns);
    }
}
