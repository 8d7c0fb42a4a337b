//! Verdicts by fleet, and every format on one small mixed snapshot.

use super::*;
use crate::cli::testing::{
    AWKWARD, Filled, HOSTILE, assert_expected, failure, in_days, in_seconds, mixed, off,
};
use crate::domain::matcher::LabelSet;
use crate::domain::reason::Reason;
use crate::domain::testing::{certificate, moment, reading};

const DAY: u64 = 86_400;
const REDIS: &str = "alibaba/prod//cn-hangzhou/redis";
const NOBODY: &str = "the verdict does not depend on names";

fn question(matchers: &[Matcher]) -> Question<'_> {
    Question {
        matchers,
        account_label: &|_, _| None,
        warning: Duration::from_secs(30 * DAY),
        critical: Duration::from_secs(7 * DAY),
        now: moment(),
    }
}

fn fleet(fill: impl FnOnce(Filled<'_>)) -> Snapshot {
    let mut snapshot = Snapshot::default();
    fill(Filled::new(&mut snapshot, REDIS, &[("r-1", NOBODY), ("r-2", NOBODY)]));
    snapshot
}

fn days(n: i64) -> DateTime<Utc> {
    in_days(n)
}

#[test]
fn the_verdict_is_the_worst_that_was_found() {
    let denied = || failure(Reason::Denied, "no");
    let odd = || failure(Reason::Unreadable, "no date");
    for (name, snapshot, want) in [
        ("all fine", fleet(|f| drop(f.ends("r-1", days(31)).ends("r-2", days(400)))), 0),
        ("a second before warning", fleet(|f| drop(f.ends("r-1", in_seconds(30 * 86_400 + 1)))), 0),
        ("exactly at warning", fleet(|f| drop(f.ends("r-1", days(30)))), 1),
        ("a second before critical", fleet(|f| drop(f.ends("r-1", in_seconds(7 * 86_400 + 1)))), 1),
        ("exactly at critical", fleet(|f| drop(f.ends("r-1", days(7)))), 2),
        ("the last second", fleet(|f| drop(f.ends("r-1", in_seconds(1)))), 2),
        ("over this second", fleet(|f| drop(f.ends("r-1", moment()))), 2),
        ("long over", fleet(|f| drop(f.ends("r-1", days(-400)).ends("r-2", days(400)))), 2),
        ("a failed listing", fleet(|f| drop(f.ends("r-1", days(99)).listing_fails(denied()))), 3),
        ("a failed look", fleet(|f| drop(f.ends("r-1", days(99)).fails("r-2", odd()))), 3),
        ("a failed look, known date", fleet(|f| drop(f.ends("r-1", days(99)).fails("r-1", odd()))), 3),
        ("failed and warning", fleet(|f| drop(f.ends("r-1", days(20)).listing_fails(denied()))), 1),
        ("failed and critical", fleet(|f| drop(f.ends("r-1", days(2)).fails("r-2", odd()))), 2),
        (
            "off and unsupported",
            fleet(|f| {
                drop(f.read("r-1", off(TlsState::Disabled)).read("r-2", off(TlsState::Unsupported)));
            }),
            0,
        ),
        ("on without a certificate", fleet(|f| drop(f.read("r-1", reading(vec![])))), 3),
        ("an answer that does not say", fleet(|f| drop(f.read("r-1", off(TlsState::Unknown)))), 3),
        ("due and not looked at", fleet(|f| drop(f.due("r-1", Duration::ZERO))), 3),
        ("being created", fleet(|f| drop(f)), 0),
        ("no scope", Snapshot::default(), 3),
        ("an empty scope", fleet_of_nothing(), 0),
        ("a scope that nobody looked at", Snapshot::of_scopes([crate::cli::testing::scope_of(REDIS)]), 3),
    ] {
        let report = Report::from_snapshot(&snapshot, &question(&[]));
        assert_eq!(report.verdict.exit().code(), want, "{name}");
    }
}

fn fleet_of_nothing() -> Snapshot {
    let mut snapshot = Snapshot::default();
    Filled::new(&mut snapshot, REDIS, &[]);
    snapshot
}

#[test]
fn what_was_not_asked_for_changes_nothing() {
    let snapshot = mixed();
    for (expression, want, certificates) in [
        (r#"cloud_account="lab""#, Verdict::Ok, 2),
        (r#"cloud_account="lab", cert_role="ca""#, Verdict::Ok, 1),
        (r#"cloud_region="cn-beijing""#, Verdict::Unknown, 0),
        (r#"resource_id="r-bp1silent""#, Verdict::Unknown, 0),
        (r#"resource_id="r-bp1warning", cloud_service="redis""#, Verdict::Warning, 1),
        (r#"resource_name="订单缓存""#, Verdict::Critical, 1),
        (r#"resource_id="nobody", cloud_account="lab""#, Verdict::Ok, 0),
    ] {
        let matchers = [Matcher::parse(expression, LabelSet::CERTIFICATE).expect("good")];
        let report = Report::from_snapshot(&snapshot, &question(&matchers));
        assert_eq!((report.verdict, report.rows.len()), (want, certificates), "{expression}");
    }
}

#[test]
fn counts_agree_with_what_is_listed() {
    let snapshot = mixed();
    let report = Report::from_snapshot(&snapshot, &question(&[]));
    let counts = report.counts;
    assert_eq!((counts.certificates(), counts.resources(), counts.scopes), (7, 9, 4));
    assert_eq!((counts.expired, counts.critical, counts.warning, counts.ok), (1, 1, 1, 4));
    assert_eq!(counts.scopes_unreadable + counts.resources_unreadable, report.failures.len());
    assert!(report.rows.is_sorted_by_key(|row| row.certificate.not_after));
}

#[test]
fn every_format_is_the_expected_one() {
    let snapshot = mixed();
    let report = Report::from_snapshot(&snapshot, &question(&[]));
    for (format, file) in [
        (CheckFormat::Table, "check.txt"),
        (CheckFormat::Json, "check.json"),
        (CheckFormat::Csv, "check.csv"),
        (CheckFormat::Nagios, "check.nagios"),
        (CheckFormat::Openmetrics, "check.om"),
    ] {
        assert_expected(file, &render(&report, format, Viewer::default()));
    }
}

#[test]
fn no_format_lets_a_name_move_a_cursor_or_begin_a_line() {
    let hostile = HOSTILE.replace('/', "");
    let scope = format!("{hostile}/{hostile}/{hostile}/{hostile}/{hostile}");
    let mut snapshot = Snapshot::default();
    Filled::new(&mut snapshot, &scope, &[(HOSTILE, HOSTILE), ("r-2", HOSTILE)])
        .ends(HOSTILE, days(3))
        .fails("r-2", failure(Reason::Refused, HOSTILE))
        .listing_fails(failure(Reason::Refused, HOSTILE));
    let report = Report::from_snapshot(&snapshot, &question(&[]));
    for (format, lines) in
        [(CheckFormat::Table, 11), (CheckFormat::Csv, 4), (CheckFormat::Nagios, 4), (CheckFormat::Json, 79)]
    {
        let text = render(&report, format, Viewer::default());
        assert!(
            !text.replace("\r\n", "\n").contains(|c| c != '\n' && crate::visible::is_invisible(c)),
            "{text}"
        );
        assert_eq!(text.lines().count(), lines, "{format:?}: {text}");
    }
}

#[test]
fn json_gives_names_back_as_they_were() {
    let mut snapshot = mixed();
    // twice: a listing that takes most of a scope away must be confirmed
    Filled::new(&mut snapshot, REDIS, &[("r-0", HOSTILE)]);
    Filled::new(&mut snapshot, REDIS, &[("r-0", HOSTILE)]).ends("r-0", days(-9));
    let report = Report::from_snapshot(&snapshot, &question(&[]));
    let json: serde_json::Value =
        serde_json::from_str(&render(&report, CheckFormat::Json, Viewer::default())).expect("JSON");
    assert_eq!(json["items"][0]["resource_name"], HOSTILE);
    assert_eq!(json["items"][1]["resource_name"], AWKWARD);
    assert_eq!((&json["version"], &json["verdict"]), (&1.into(), &"critical".into()));
}

#[test]
fn the_first_line_for_monitoring_is_a_word_a_sentence_and_figures() {
    for (name, snapshot, want) in [
        (
            "mixed",
            mixed(),
            "CRITICAL - 1 expired, 1 within 7d, 1 within 30d, 1 scope unreadable, 1 resource unreadable | ",
        ),
        (
            "fine",
            fleet(|f| drop(f.ends("r-1", days(42)).ends("r-2", days(99)))),
            "OK - 2 certificates, the next ends in 42 d | ",
        ),
        ("nothing", fleet_of_nothing(), "OK - no certificate | "),
        ("no scope", Snapshot::default(), "UNKNOWN - there was nothing to look at | "),
        (
            "blind",
            fleet(|f| drop(f.listing_fails(failure(Reason::Timeout, "x")))),
            "UNKNOWN - 1 scope unreadable | ",
        ),
    ] {
        let report = Report::from_snapshot(&snapshot, &question(&[]));
        let text = render(&report, CheckFormat::Nagios, Viewer::default());
        assert!(text.starts_with(want), "{name}: {text}");
        let (first, rest) = text.split_once('\n').expect("a line");
        assert_eq!((first.matches('|').count(), rest.matches('|').count()), (1, 0), "{name}: {text}");
        for figure in first.split_once(" | ").expect("figures").1.split(' ') {
            let (label, value) = figure.split_once('=').expect("label=value");
            assert!(label.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}: {figure}");
            assert!(value.contains(';'), "{name}: {figure}");
        }
    }
}

#[test]
fn a_plugin_says_no_more_than_monitoring_systems_read() {
    let mut snapshot = Snapshot::default();
    let ids: Vec<String> = (0..500).map(|n| format!("r-{n:04}")).collect();
    let name = "长".repeat(500);
    let resources: Vec<_> = ids.iter().map(|id| (id.as_str(), name.as_str())).collect();
    let mut filled = Filled::new(&mut snapshot, REDIS, &resources);
    for id in &ids {
        filled = filled.ends(id, days(1));
    }
    let report = Report::from_snapshot(&snapshot, &question(&[]));
    let text = render(&report, CheckFormat::Nagios, Viewer::default());
    assert!(text.ends_with("\nand 465 more\n") && text.chars().count() < 8192, "{}", text.len());
}

#[test]
fn a_table_fits_the_terminal_and_wide_characters_align() {
    let snapshot = mixed();
    let report = Report::from_snapshot(&snapshot, &question(&[]));
    for width in [80, 100, 120] {
        let text = render(&report, CheckFormat::Table, Viewer { width: Some(width), colour: false });
        let table = text.lines().filter(|line| line.starts_with(['┌', '│', '╞', '└']));
        let widths: Vec<_> = table.map(unicode_width::UnicodeWidthStr::width).collect();
        assert!(widths.iter().all(|line| *line == widths[0] && *line <= width.into()), "{width}: {widths:?}");
    }
}

#[test]
fn colour_adds_nothing_but_colour() {
    let snapshot = mixed();
    let report = Report::from_snapshot(&snapshot, &question(&[]));
    let plain = render(&report, CheckFormat::Table, Viewer::default());
    let coloured = render(&report, CheckFormat::Table, Viewer { width: None, colour: true });
    assert_eq!(coloured.matches("\x1b[0m").count(), report.rows.len());
    let mut stripped = coloured;
    for code in ["\x1b[1;31m", "\x1b[31m", "\x1b[33m", "\x1b[32m", "\x1b[0m"] {
        stripped = stripped.replace(code, "");
    }
    assert_eq!(stripped, plain);
}

#[test]
fn two_certificates_of_one_role_are_one_sample() {
    let snapshot =
        fleet(|f| drop(f.read("r-1", reading(vec![certificate(days(90)), certificate(days(80))]))));
    let report = Report::from_snapshot(&snapshot, &question(&[]));
    let text = render(&report, CheckFormat::Openmetrics, Viewer::default());
    let samples: Vec<_> = text.lines().filter(|l| l.starts_with("notafter_certificate_not_after")).collect();
    assert_eq!(samples.len(), 1);
    assert!(
        samples[0].ends_with(&format!(" {}", days(80).timestamp())),
        "the one that ends first: {samples:?}"
    );
    openmetrics_is_strict(&text);
}

#[test]
fn openmetrics_passes_a_strict_reading() {
    let snapshot = mixed();
    let report = Report::from_snapshot(&snapshot, &question(&[]));
    openmetrics_is_strict(&render(&report, CheckFormat::Openmetrics, Viewer::default()));
    openmetrics_is_strict(&render(
        &Report::from_snapshot(&Snapshot::default(), &question(&[])),
        CheckFormat::Openmetrics,
        Viewer::default(),
    ));
}

/// TYPE, HELP, then samples of that family only; well-formed labels; no family, no label set twice; `# EOF` last.
fn openmetrics_is_strict(text: &str) {
    let body = text.strip_suffix("# EOF\n").expect("ends with # EOF and a newline");
    let (mut families, mut samples) = (std::collections::HashSet::new(), std::collections::HashSet::new());
    let mut family = "";
    for line in body.split_terminator('\n') {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            family = declared.strip_suffix(" gauge").expect("a gauge");
            assert!(families.insert(family) && !family.ends_with("_total"), "{line}");
        } else if let Some(help) = line.strip_prefix("# HELP ") {
            assert!(
                help.strip_prefix(family).is_some_and(|help| help.len() > 2 && help.starts_with(' ')),
                "{line}"
            );
        } else {
            let labels = line.strip_prefix(family).expect("a sample of the family before it");
            let value = after_labels(labels).unwrap_or_else(|| panic!("well-formed labels: {line}"));
            let number = value.strip_prefix(' ').expect("one blank").parse::<f64>();
            assert!(number.is_ok_and(f64::is_finite), "{line}");
            assert!(samples.insert(line.strip_suffix(value)), "twice: {line}");
        }
    }
}

/// What follows `{name="value",…}`, if that is well-formed.
fn after_labels(text: &str) -> Option<&str> {
    let mut rest = text.strip_prefix('{')?;
    loop {
        let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))?;
        rest = rest[end..].strip_prefix("=\"").filter(|_| end > 0)?;
        loop {
            let stop = rest.find(['"', '\\'])?;
            let Some(escaped) = rest[stop..].strip_prefix('\\') else {
                rest = &rest[stop + 1..];
                break;
            };
            rest = escaped.strip_prefix(['\\', '"', 'n'])?;
        }
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return rest.strip_prefix('}'),
        }
    }
}
