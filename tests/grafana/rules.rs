//! The rules by promtool, with their cases, and the page that each alert leads to.

use std::collections::BTreeSet;
use std::process::Command;

use regex_lite::Regex;

use super::model::{file, text};

/// The address of the folder `docs/runbooks`, as `docs/grafana.md` explains.
const BASE: &str = "https://docs.notafter.example/runbooks/";
/// What a person who was woken up looks for, in this order.
const HEADINGS: [&str; 5] =
    ["## What it means", "## How urgent", "## What to check", "## How to fix it", "## If it is false"];

/// Runs promtool, and returns what it says.
fn promtool(arguments: &[&str]) -> String {
    let output = Command::new("promtool").args(arguments).current_dir(file("grafana")).output();
    let output = output.expect("promtool on the PATH (Debian package `prometheus`)");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "promtool {arguments:?}:\n{said}");
    said
}

fn alerts() -> BTreeSet<String> {
    let alert = Regex::new("(?m)^ *- alert: (Notafter[A-Z][A-Za-z]+)$").expect("a pattern");
    let rules = text("grafana/rules.yml");
    let alerts: BTreeSet<String> = alert.captures_iter(&rules).map(|found| found[1].to_owned()).collect();
    assert_eq!(alerts.len(), rules.matches("- alert:").count(), "names begin with Notafter and are unique");
    alerts
}

/// The lines of one alert.
fn lines(rules: &str, alert: &str) -> String {
    let (_, after) = rules.split_once(&format!("- alert: {alert}\n")).expect("it is there");
    after.split("- alert:").next().unwrap_or_default().to_owned()
}

#[test]
fn promtool_accepts_rules_and_configuration() {
    promtool(&["check", "rules", "rules.yml"]);
    promtool(&["check", "config", "prometheus.yml"]);
}

#[test]
fn every_case_of_the_rules_holds() {
    promtool(&["test", "rules", "rules_test.yml"]);
}

#[test]
fn every_alert_has_cases_and_its_texts_are_read() {
    let cases = text("grafana/rules_test.yml");
    for alert in alerts() {
        assert!(cases.contains(&format!("alertname: {alert}\n")), "{alert}: nobody reads its text");
        let mentioned = cases.contains(&format!("\"{alert}\""));
        assert!(mentioned, "{alert}: no case in which it fires");
    }
}

#[test]
fn every_alert_says_how_grave_it_is_and_where_help_is() {
    let rules = text("grafana/rules.yml");
    for alert in alerts() {
        let lines = lines(&rules, &alert);
        let severity = ["critical", "warning", "info"].map(|one| format!("labels: {{ severity: {one} }}"));
        assert!(severity.iter().any(|one| lines.contains(one)), "{alert}: no severity");
        for annotation in ["summary:", "description:", &format!("runbook_url: {BASE}{alert}.md\n")] {
            assert!(lines.contains(annotation), "{alert}: no {annotation}");
        }
    }
    assert!(text("docs/grafana.md").contains(BASE), "the address is explained");
}

#[test]
fn every_alert_has_a_page_and_every_page_an_alert() {
    let names = std::fs::read_dir(file("docs/runbooks")).expect("a folder").map(|entry| {
        entry.expect("readable").file_name().to_string_lossy().trim_end_matches(".md").to_owned()
    });
    assert_eq!(names.filter(|name| name != "README").collect::<BTreeSet<_>>(), alerts());
    let index = text("docs/runbooks/README.md");
    for alert in alerts() {
        let page = text(&format!("docs/runbooks/{alert}.md"));
        assert!(page.starts_with(&format!("# {alert}\n")), "{alert}");
        let found: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(found, HEADINGS, "{alert}");
        assert!(page.contains("\n    "), "{alert}: no command to check with");
        assert!(index.contains(&format!("({alert}.md)")), "{alert}: not in the list of pages");
    }
}

#[test]
fn commands_and_queries_of_the_pages_exist() {
    let help = Command::new(env!("CARGO_BIN_EXE_notafter")).arg("--help").output().expect("it runs");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    // as the user of the service, since the packages let nobody else read its configuration
    let command = Regex::new("(?m)^    (?:sudo -u notafter )?notafter ([a-z]+)").expect("a pattern");
    let query = Regex::new(r"(?m)^    promtool query instant \S+ '([^']+)'").expect("a pattern");
    let (mut commands, mut queries) = (0, String::new());
    for alert in alerts() {
        let page = text(&format!("docs/runbooks/{alert}.md"));
        for found in command.captures_iter(&page) {
            assert!(help.contains(&format!("\n  {} ", &found[1])), "{alert}: no command {}", &found[1]);
            commands += 1;
        }
        for (n, found) in query.captures_iter(&page).enumerate() {
            let rule = format!("      - {{ record: \"page:{alert}:q{n}\", expr: '{}' }}\n", &found[1]);
            queries.push_str(&rule);
        }
    }
    assert!(commands > 10 && queries.lines().count() > 10, "this test reads the pages");
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("queries.yml");
    std::fs::write(&rules, format!("groups:\n  - name: pages\n    rules:\n{queries}")).expect("written");
    promtool(&["check", "rules", &rules.display().to_string()]);
}

#[test]
fn provisioning_finds_what_it_names() {
    let compose = text("grafana/compose.yml");
    let mount = Regex::new(r"(?m)^ *- (\./[^:]+):").expect("a pattern");
    let mounts: Vec<String> = mount.captures_iter(&compose).map(|found| found[1].to_owned()).collect();
    assert!(mounts.len() >= 4, "{mounts:?}");
    for path in mounts {
        assert!(file("grafana").join(&path).exists(), "{path}");
    }
    let provider = text("grafana/provisioning/dashboards/notafter.yml");
    let folder =
        Regex::new(r"path: (\S+)").expect("a pattern").captures(&provider).expect("a path")[1].to_owned();
    assert!(compose.contains(&format!(":{folder}/notafter.json:ro")), "{folder} is mounted");
}
