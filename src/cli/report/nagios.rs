//! A report for monitoring systems that run plugins: one line with a word, a sentence and figures, then what is wrong.
//!
//! Such a system cuts the output at its first `|` into text and figures and shows only the first line on its pages;
//! many read no more than 8 KiB. So no name brings a `|` or a newline along, and the list is cut, worst first.

use super::table::sentence;
use super::{Counts, Report, Row, Verdict};
use crate::cli::text::{left, utc};
use crate::domain::finding::Stage;
use crate::visible::visible;

/// At most this many lines, and this many characters in each: about 8 KiB.
const LINES: usize = 35;
const CHARACTERS: usize = 220;

pub(super) fn render(report: &Report<'_>) -> String {
    let word = match report.verdict {
        Verdict::Ok => "OK",
        Verdict::Warning => "WARNING",
        Verdict::Critical => "CRITICAL",
        Verdict::Unknown => "UNKNOWN",
    };
    let mut lines = vec![format!("{word} - {} | {}", report.headline(), figures(report))];
    let wrong = report.rows.iter().take_while(|row| row.stage != Stage::Ok).map(ending);
    let blind = report.failures.iter().map(|unread| format!("unreadable: {}", sentence(unread)));
    lines.extend(wrong.chain(blind).take(LINES).map(|line| harmless(&line)));
    let Counts { ok, .. } = report.counts;
    let untold = (report.rows.len() - ok + report.failures.len()).saturating_sub(LINES);
    if untold > 0 {
        lines.push(format!("and {untold} more"));
    }
    lines.join("\n") + "\n"
}

/// `label=value;warn;crit;min`. The time to the first end alerts when it falls below its thresholds, hence `N:`.
fn figures(report: &Report<'_>) -> String {
    let Counts { ok, warning, critical, expired, resources_unreadable, scopes_unreadable, .. } =
        report.counts;
    let mut figures: Vec<_> = [
        ("expired", expired),
        ("critical", critical),
        ("warning", warning),
        ("ok", ok),
        ("resources_unreadable", resources_unreadable),
        ("scopes_unreadable", scopes_unreadable),
    ]
    .into_iter()
    .map(|(name, count)| format!("{name}={count};;;0"))
    .collect();
    if let Some(first) = report.rows.first() {
        let (left, warning, critical) =
            (first.left.num_seconds(), report.warning.as_secs(), report.critical.as_secs());
        figures.push(format!("first_end={left}s;{warning}:;{critical}:"));
    }
    figures.join(" ")
}

fn ending(row: &Row<'_>) -> String {
    let Row { scope, resource, certificate, stage, .. } = row;
    let (ends, when) = (utc(certificate.not_after), left(row.left));
    let how = if *stage == Stage::Expired {
        format!("ended {ends}, {when}")
    } else {
        format!("ends {ends}, in {when}")
    };
    let (stage, role) = (stage.as_str(), certificate.role.as_str());
    let (id, name) = (&resource.id, &resource.facts.name);
    let name = if name.is_empty() { String::new() } else { format!(" ({name})") };
    format!("{stage}: {scope} {id}{name} {role} {how}")
}

/// One line, without `|`, not too long.
fn harmless(line: &str) -> String {
    let line = visible(line).replace('|', "\\u{7c}");
    match line.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
