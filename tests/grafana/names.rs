//! Every series and label that dashboard and rules name is one that the page has, and every one that it has is shown.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;

use super::exceptions::awaited;
use super::expressions::{Selector, selectors};
use super::model::{dashboard, list, queries, text, word};

/// What `docs/metrics.md`, which is made from the code, says of a series.
struct Documented {
    kind: String,
    labels: BTreeSet<String>,
}

/// Every series of the page.
fn documented() -> BTreeMap<String, Documented> {
    let text = text("docs/metrics.md");
    let family =
        Regex::new(r"### `([a-z_]+)`\n\n[^\n]+\n\nType: ([a-z]+)\. Labels: ([^\n]+)\.").expect("a pattern");
    let label = Regex::new("`([a-z_0-9]+)`").expect("a pattern");
    let families = family.captures_iter(&text).map(|found| {
        let labels = label.captures_iter(&found[3]).map(|found| found[1].to_owned()).collect();
        (found[1].to_owned(), Documented { kind: found[2].to_owned(), labels })
    });
    let families: BTreeMap<String, Documented> = families.collect();
    assert_eq!(families.len(), text.matches("### `").count(), "a series is written in another form");
    families
}

/// The family of a series: a histogram has three kinds of them.
fn family<'f>(families: &'f BTreeMap<String, Documented>, series: &str) -> Option<(&'f str, &'f Documented)> {
    let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| series.strip_suffix(end));
    let histogram =
        histogram.and_then(|name| families.get_key_value(name)).filter(|(_, one)| one.kind == "histogram");
    families.get_key_value(series).or(histogram).map(|(name, one)| (name.as_str(), one))
}

/// Expressions with where they are from; the rules are read as text, comments left out.
fn expressions() -> Vec<(String, String)> {
    let dashboard = dashboard();
    let queries = queries(&dashboard).into_iter();
    let queries = queries.map(|query| (format!("panel {}", query.title), query.expression.to_owned()));
    let variables = list(&dashboard["templating"], "list").iter().filter(|one| one["type"] == "query");
    let variables =
        variables.map(|one| (format!("variable {}", one["name"]), word(one, "definition").to_owned()));
    let rules = text("grafana/rules.yml");
    let rules =
        rules.lines().filter(|line| !line.trim_start().starts_with('#') && !line.contains(" record: "));
    let rules = rules.map(|line| (format!("rule {line}"), line.to_owned()));
    queries.chain(variables).chain(rules).collect()
}

/// Every selector of a series of the page, with where it stands.
fn used() -> Vec<(String, Selector)> {
    let found = expressions().into_iter().flat_map(|(place, expression)| {
        selectors(&expression).into_iter().map(move |selector| (place.clone(), selector))
    });
    found.filter(|(_, selector)| !selector.name.contains(':')).collect()
}

#[test]
fn every_series_that_is_named_is_on_the_page() {
    let families = documented();
    let used = used();
    assert!(used.len() > 100, "this test reads {} selectors", used.len());
    for (place, selector) in used {
        let name = &selector.name;
        assert!(family(&families, name).is_some() || awaited(name), "{place}: the page has no {name}");
    }
}

#[test]
fn every_series_of_the_page_is_on_the_dashboard() {
    let families = documented();
    let dashboard = dashboard();
    let shown = queries(&dashboard).into_iter().flat_map(|query| selectors(query.expression));
    let shown: BTreeSet<String> = shown
        .filter_map(|selector| family(&families, &selector.name).map(|(name, _)| name.to_owned()))
        .collect();
    let all: BTreeSet<String> = families.into_keys().collect();
    assert_eq!(shown, all);
}

#[test]
fn every_label_that_is_named_belongs_to_its_series() {
    let families = documented();
    let given = ["job", "instance", "le"].map(str::to_owned);
    for (place, selector) in used() {
        let Some((_, documented)) = family(&families, &selector.name) else { continue };
        for label in selector.labels() {
            let known = documented.labels.contains(&label) || given.contains(&label);
            assert!(known, "{place}: {} has no label {label}", selector.name);
        }
    }
}

#[test]
fn the_dashboard_looks_only_at_the_daemons_that_were_chosen() {
    let dashboard = dashboard();
    for query in queries(&dashboard) {
        let found = selectors(query.expression);
        assert!(!found.is_empty(), "{}: {}", query.title, query.expression);
        for selector in found {
            let chosen = selector.matchers.starts_with(r#"job=~"$job", instance=~"$instance""#);
            assert!(chosen, "{}: {selector:?}", query.title);
        }
    }
}

#[test]
fn what_can_be_filtered_is_filtered_by_every_variable() {
    let families = documented();
    let dashboard = dashboard();
    for query in queries(&dashboard) {
        for selector in selectors(query.expression) {
            let Some((_, documented)) = family(&families, &selector.name) else { continue };
            for label in ["cloud_provider", "cloud_account", "cloud_region", "cloud_service"] {
                let filtered = selector.matchers.contains(&format!(r#"{label}=~"${label}""#));
                assert_eq!(filtered, documented.labels.contains(label), "{}: {label}", query.title);
            }
        }
    }
}

#[test]
fn counters_are_shown_as_rates() {
    let families = documented();
    for (place, selector) in used() {
        let kind = family(&families, &selector.name).map(|(_, one)| &*one.kind);
        let counter = kind.map_or(selector.name.ends_with("_total"), |kind| kind != "gauge");
        assert_eq!(selector.counted_over.is_some(), counter, "{place}: {}", selector.name);
        let range = selector.counted_over.unwrap_or_default();
        assert!(!counter || place.starts_with("rule") || range == "$__rate_interval", "{place}: {range}");
    }
}

#[test]
fn a_recorded_series_has_a_level_a_metric_and_an_operation_and_is_used() {
    let text = text("grafana/rules.yml");
    let record = Regex::new(r"(?m)^ *- record: ([^ \n]+)").expect("a pattern");
    let form = Regex::new("^[a-z]+:[a-z_]+:[a-z_0-9]+$").expect("a pattern");
    let recorded: Vec<String> = record.captures_iter(&text).map(|found| found[1].to_owned()).collect();
    assert!(!recorded.is_empty());
    for name in &recorded {
        assert!(form.is_match(name), "{name}");
        assert!(text.matches(name.as_str()).count() > 1, "{name}: nobody needs it");
    }
    for (place, expression) in expressions() {
        for selector in selectors(&expression).into_iter().filter(|one| one.name.contains(':')) {
            assert!(recorded.contains(&selector.name), "{place}: nobody records {}", selector.name);
        }
    }
}
