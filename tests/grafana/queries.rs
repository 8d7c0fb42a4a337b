//! Every query of dashboard and rules, asked of a real Prometheus that scrapes the demonstration.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::Utc;
use regex_lite::Regex;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::exceptions::{EITHER, HEARD, MAY_BE_EMPTY, QUIET};
use super::model::{Query, dashboard, list, panels, queries, word};
use super::server::{Demo, PATIENCE, Prometheus};

/// What Grafana puts in for the variables, with everything chosen and this job.
fn filled(expression: &str, job: &str) -> String {
    let mut text =
        expression.replace("$__rate_interval", "30s").replace("$job", job).replace("$instance", ".+");
    for label in ["cloud_provider", "cloud_account", "cloud_region", "cloud_service"] {
        text = text.replace(&format!("${label}"), ".*");
    }
    text.replace("$warning_days", "30").replace("$critical_days", "7")
}

async fn ask(prometheus: &Prometheus, query: &Query<'_>, job: &str) -> Vec<Value> {
    let when = if query.instant { "now" } else { "for a while" };
    let answer = prometheus.query(&filled(query.expression, job), when).await;
    answer.unwrap_or_else(|error| panic!("{} {}: {error}", query.title, query.letter))
}

/// Some counters move only with the next round, so that there is some waiting.
async fn shows_something(prometheus: &Prometheus, query: &Query<'_>) -> Vec<Value> {
    let end = Instant::now() + PATIENCE;
    loop {
        let found = ask(prometheus, query, ".+").await;
        let excused = MAY_BE_EMPTY.iter().any(|(title, _)| *title == query.title);
        if excused || !found.is_empty() {
            return found;
        }
        assert!(Instant::now() < end, "{} {} is empty: {}", query.title, query.letter, query.expression);
        sleep(Duration::from_millis(500)).await;
    }
}

fn number(sample: &Value) -> f64 {
    sample["value"][1].as_str().and_then(|text| text.parse().ok()).expect("a number")
}

/// The ends of all certificates by the metrics page itself.
async fn ends(demo: &Demo) -> Vec<f64> {
    let page = demo.page("/metrics").await;
    let lines =
        page.lines().filter(|line| line.starts_with("notafter_certificate_not_after_timestamp_seconds{"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect()
}

#[tokio::test]
async fn every_query_shows_what_the_demonstration_has() {
    let demo = Demo::begin().await;
    let prometheus = Prometheus::over(&demo).await;
    let dashboard = dashboard();
    let mut shown = BTreeMap::new();
    for query in queries(&dashboard) {
        let found = shows_something(&prometheus, &query).await;
        shown.insert((query.title, query.letter), found);
    }
    overview_counts_what_the_page_has(&demo, &shown).await;
    what_ends_next_is_sorted_out_of_everything(&demo, &shown).await;
    the_year_has_every_certificate_that_ends_in_it(&demo, &shown).await;
    tables_have_the_columns_that_they_name(&dashboard, &shown);
    nothing_is_shown_of_daemons_that_are_not_there(&prometheus, &dashboard).await;
    variables_offer_something(&prometheus, &dashboard).await;
    rules_say_what_they_should(&demo, &prometheus).await;
}

type Shown<'d> = BTreeMap<(&'d str, &'d str), Vec<Value>>;

async fn overview_counts_what_the_page_has(demo: &Demo, shown: &Shown<'_>) {
    #[allow(clippy::cast_precision_loss)] // seconds since 1970 are exact
    let now = Utc::now().timestamp() as f64;
    let ends = ends(demo).await;
    #[allow(clippy::cast_precision_loss)] // hundreds
    let within = |from: f64, to: f64| {
        let left = ends.iter().map(|end| (end - now) / 86400.0);
        left.filter(|left| *left > from && *left <= to).count() as f64
    };
    for (title, want) in [
        ("Expired", within(f64::MIN, 0.0)),
        ("Critical", within(0.0, 7.0)),
        ("Warning", within(7.0, 30.0)),
        ("Fine", within(30.0, f64::MAX)),
    ] {
        let value = number(&shown[&(title, "A")][0]);
        // The page and the query are moments apart, in which one may pass a limit.
        assert!((value - want).abs() <= 1.0, "{title}: {value} instead of {want}");
        assert!(value > 0.0, "{title}: the demonstration shows each");
    }
    let page = demo.page("/metrics").await;
    let blind =
        page.lines().filter(|line| line.starts_with("notafter_scope_up{") && line.ends_with(" 0")).count();
    assert_eq!(number(&shown[&("Blind scopes", "A")][0]).to_string(), blind.to_string());
    assert!(blind > 0);
}

async fn what_ends_next_is_sorted_out_of_everything(demo: &Demo, shown: &Shown<'_>) {
    let mut ends = ends(demo).await;
    ends.sort_by(f64::total_cmp);
    let mut first: Vec<f64> =
        shown[&("What ends next", "A")].iter().map(|row| number(row) / 1000.0).collect();
    first.sort_by(f64::total_cmp);
    assert_eq!(first, ends[..100]);
    for letter in ["B", "C", "D"] {
        assert_eq!(shown[&("What ends next", letter)].len(), 100, "column {letter}");
    }
    let named =
        shown[&("What ends next", "D")].iter().filter(|row| row["metric"]["resource_name"].is_string());
    assert!(named.count() > 50);
}

async fn the_year_has_every_certificate_that_ends_in_it(demo: &Demo, shown: &Shown<'_>) {
    #[allow(clippy::cast_precision_loss)] // seconds since 1970 are exact
    let now = Utc::now().timestamp() as f64;
    let ends = ends(demo).await;
    let ahead = ends.iter().filter(|end| **end > now && **end < now + 371.0 * 86400.0).count();
    let weeks = &shown[&("Certificates that end, by week", "A")];
    let sum: f64 = weeks.iter().map(number).sum();
    #[allow(clippy::cast_precision_loss)] // hundreds
    let ahead = ahead as f64;
    assert!((sum - ahead).abs() <= 1.0, "{sum} instead of {ahead}");
    for week in weeks {
        let millis: i64 = word(&week["metric"], "week").parse().expect("whole milliseconds");
        let day = chrono::DateTime::from_timestamp_millis(millis).expect("a moment");
        assert_eq!(day.format("%a %H:%M:%S").to_string(), "Mon 00:00:00");
    }
}

fn tables_have_the_columns_that_they_name(dashboard: &Value, shown: &Shown<'_>) {
    for panel in panels(dashboard) {
        let title = word(panel, "title");
        let tables = ["table", "barchart"].contains(&word(panel, "type"));
        if !tables || MAY_BE_EMPTY.iter().any(|(excused, _)| *excused == title) {
            continue;
        }
        let targets = list(panel, "targets");
        let mut columns: Vec<String> = match targets.len() {
            1 => vec!["Value".to_owned(), r"cloud_account\cloud_service".to_owned()],
            _ => targets.iter().map(|target| format!("Value #{}", word(target, "refId"))).collect(),
        };
        for target in targets {
            let labels =
                shown[&(title, word(target, "refId"))].iter().filter_map(|row| row["metric"].as_object());
            columns.extend(labels.flat_map(|labels| labels.keys().cloned()));
        }
        for change in list(panel, "transformations") {
            let named =
                change["options"]["renameByName"].as_object().into_iter().flat_map(|names| names.keys());
            for name in named {
                assert!(columns.contains(name), "{title}: no column {name}");
            }
        }
    }
}

/// Empty must look empty: no zero stands for something that nobody knows.
async fn nothing_is_shown_of_daemons_that_are_not_there(prometheus: &Prometheus, dashboard: &Value) {
    for query in queries(dashboard) {
        let found = ask(prometheus, &query, "nobody").await;
        assert_eq!(found, [] as [Value; 0], "{} {}", query.title, query.letter);
    }
}

async fn variables_offer_something(prometheus: &Prometheus, dashboard: &Value) {
    let values = Regex::new(r"^label_values\((.+), ([a-z_]+)\)$").expect("a pattern");
    for variable in list(&dashboard["templating"], "list").iter().filter(|one| one["type"] == "query") {
        let definition = word(variable, "definition");
        assert_eq!(variable["query"]["query"], definition);
        let parts = values.captures(definition).expect("values of a label");
        let expression = format!("count by ({}) ({})", &parts[2], filled(&parts[1], ".+"));
        let found = prometheus.query(&expression, "now").await.expect("understood");
        assert!(found.iter().any(|one| one["metric"][&parts[2]].is_string()), "{definition} offers nothing");
    }
}

async fn rules_say_what_they_should(demo: &Demo, prometheus: &Prometheus) {
    let mut alerts = BTreeMap::new();
    for rule in prometheus.rules().await {
        let name = word(&rule, "name");
        assert_eq!(rule["health"], "ok", "{name}: {}", rule["lastError"]);
        let found = prometheus.query(word(&rule, "query"), "now").await.expect("understood");
        if rule["type"] == "alerting" {
            alerts.insert(name.to_owned(), found.len());
        } else {
            assert!(!found.is_empty(), "{name} records nothing");
        }
    }
    for (name, reason) in HEARD {
        assert!(alerts.remove(name).is_some_and(|count| count > 0), "{name} is silent, though {reason}");
    }
    for (name, reason) in QUIET {
        assert_eq!(alerts.remove(name), Some(0), "{name} is heard, though {reason}");
    }
    for (name, _) in EITHER {
        assert!(alerts.remove(name).is_some(), "{name} is no alert");
    }
    assert!(alerts.is_empty(), "it is not said whether the demonstration lets these be heard: {alerts:?}");
    #[allow(clippy::cast_precision_loss)] // seconds since 1970 are exact
    let limit = Utc::now().timestamp() as f64 + 7.0 * 86400.0;
    let critical = ends(demo).await.into_iter().filter(|end| *end < limit).count();
    let firing = r#"ALERTS{alertname="NotafterCertificateExpiryCritical", alertstate="firing"}"#;
    let firing = prometheus.query(firing, "now").await.expect("understood").len();
    assert!(firing.abs_diff(critical) <= 1, "{firing} fire, {critical} are critical");
}
