//! The dashboard's schema and layout, as far as Grafana would notice or a reader would.

use std::collections::BTreeSet;

use regex_lite::Regex;
use serde_json::Value;

use super::model::{dashboard, everything, list, panels, queries, word};

const KINDS: [&str; 4] = ["stat", "table", "timeseries", "barchart"];
/// Those that Grafana has under these names, as far as they are used.
const UNITS: [&str; 10] = [
    "s",
    "dtdurations",
    "dateTimeAsIso",
    "dateTimeFromNow",
    "short",
    "none",
    "reqps",
    "percentunit",
    "bytes",
    "time:YYYY-MM-DD",
];
const SOURCE: &str = "${datasource}";

/// Left, top, right and bottom of a panel.
fn area(panel: &Value) -> [u64; 4] {
    let [x, y, w, h] = ["x", "y", "w", "h"]
        .map(|side| panel["gridPos"][side].as_u64().unwrap_or_else(|| panic!("no place: {panel}")));
    [x, y, x + w, y + h]
}

fn overlap([left, top, right, bottom]: [u64; 4], other: [u64; 4]) -> bool {
    left < other[2] && other[0] < right && top < other[3] && other[1] < bottom
}

/// Panels that are drawn at the same time.
fn assert_apart(together: &[Value]) {
    for (n, one) in together.iter().enumerate() {
        for other in &together[n + 1..] {
            assert!(!overlap(area(one), area(other)), "{} lies on {}", one["title"], other["title"]);
        }
    }
}

#[test]
fn panels_lie_beside_each_other_and_within_the_page() {
    let dashboard = dashboard();
    assert_apart(list(&dashboard, "panels"));
    for row in list(&dashboard, "panels") {
        assert_apart(list(row, "panels"));
        let below = list(row, "panels").iter().all(|panel| area(panel)[1] > area(row)[1]);
        assert!(below, "a panel of {} lies above its row", row["title"]);
    }
    for panel in everything(&dashboard) {
        let [left, top, right, bottom] = area(panel);
        assert!(left < right && right <= 24 && top < bottom, "{}", panel["title"]);
    }
}

#[test]
fn panels_that_lie_on_each_other_are_noticed() {
    for (name, other, want) in [
        ("the same place", [0, 0, 4, 4], true),
        ("a corner", [3, 3, 8, 8], true),
        ("inside", [1, 1, 2, 2], true),
        ("on its right", [4, 0, 8, 4], false),
        ("below", [0, 4, 4, 8], false),
    ] {
        assert_eq!(overlap([0, 0, 4, 4], other), want, "{name}");
    }
}

#[test]
fn every_panel_says_what_it_shows_and_in_which_unit() {
    let dashboard = dashboard();
    for panel in panels(&dashboard) {
        let title = word(panel, "title");
        assert!(!title.is_empty());
        assert!(KINDS.contains(&word(panel, "type")), "{title}: {}", panel["type"]);
        assert!(word(panel, "description").ends_with('.'), "{title}: no sentence describes it");
        assert_eq!(panel["datasource"]["uid"], SOURCE, "{title}");
        let defaults = &panel["fieldConfig"]["defaults"];
        assert_eq!(defaults["noValue"], "no data", "{title}: empty must look empty");
        let units = list(&panel["fieldConfig"], "overrides")
            .iter()
            .flat_map(|change| list(change, "properties"))
            .filter(|property| property["id"] == "unit")
            .map(|property| word(property, "value"));
        for unit in units.chain([word(defaults, "unit")]) {
            assert!(UNITS.contains(&unit), "{title}: unit {unit}");
        }
        assert!(!list(panel, "targets").is_empty(), "{title}: it asks nothing");
        for target in list(panel, "targets") {
            assert_eq!(target["datasource"]["uid"], SOURCE, "{title}");
            let table = target["format"] == "table";
            assert_eq!(table, ["table", "barchart"].contains(&word(panel, "type")), "{title}");
            assert!(!table || target["instant"] == true, "{title}: a table is of now");
        }
    }
}

#[test]
fn nothing_green_hides_that_there_is_no_data() {
    for panel in panels(&dashboard()) {
        let steps = list(&panel["fieldConfig"]["defaults"]["thresholds"], "steps");
        assert!(steps.iter().all(|step| step["color"] != "green"), "{}", panel["title"]);
    }
}

#[test]
fn ids_titles_and_letters_are_unique() {
    let dashboard = dashboard();
    let all = everything(&dashboard);
    let ids: BTreeSet<u64> = all.iter().map(|panel| panel["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids.len(), all.len(), "ids");
    let rows = all.iter().filter(|panel| panel["type"] == "row").count();
    let titles: BTreeSet<&str> = panels(&dashboard).iter().map(|panel| word(panel, "title")).collect();
    assert_eq!(titles.len() + rows, all.len(), "titles");
    let letters: BTreeSet<_> = queries(&dashboard).iter().map(|query| (query.title, query.letter)).collect();
    assert_eq!(letters.len(), queries(&dashboard).len(), "letters of queries");
}

#[test]
fn it_can_be_provisioned_over_any_data_source() {
    let dashboard = dashboard();
    assert!(dashboard["id"].is_null() && dashboard.get("__inputs").is_none());
    assert!(!dashboard.to_string().contains("DS_PROMETHEUS"));
    let uid = Regex::new("^[a-zA-Z0-9-]{8,40}$").expect("a pattern");
    assert!(uid.is_match(word(&dashboard, "uid")));
    assert!((36..=41).contains(&dashboard["schemaVersion"].as_u64().expect("a number")));
    assert_eq!(dashboard["editable"], false);
    assert_eq!(dashboard["tags"], serde_json::json!(["notafter", "tls"]));
    let variables = list(&dashboard["templating"], "list");
    let sources: Vec<&Value> = variables.iter().filter(|one| one["type"] == "datasource").collect();
    assert_eq!(sources.len(), 1);
    assert_eq!([word(sources[0], "name"), word(sources[0], "query")], ["datasource", "prometheus"]);
    for variable in variables.iter().filter(|one| one["type"] == "query") {
        let name = word(variable, "name");
        assert_eq!(variable["datasource"]["uid"], SOURCE, "{name}");
        assert_eq!([&variable["multi"], &variable["includeAll"]], [true, true], "{name}");
        assert_eq!(variable["refresh"], 2, "{name}");
        assert!([".+", ".*"].contains(&word(variable, "allValue")), "{name}");
    }
}

#[test]
fn every_variable_that_is_used_is_there_and_the_other_way_round() {
    let dashboard = dashboard();
    let variables = list(&dashboard["templating"], "list").iter();
    let declared: BTreeSet<String> = variables.map(|one| word(one, "name").to_owned()).collect();
    let pattern = Regex::new(r"\$\{?([a-z_]+)").expect("a pattern");
    let text = dashboard.to_string();
    let used = pattern.captures_iter(&text).map(|found| found[1].to_owned());
    let used: BTreeSet<String> = used.filter(|name| !name.starts_with("__")).collect();
    assert_eq!(used, declared);
}

#[test]
fn a_table_dresses_only_columns_that_it_has() {
    for panel in panels(&dashboard()).into_iter().filter(|panel| panel["type"] == "table") {
        let organized = list(panel, "transformations").iter().find(|one| one["id"] == "organize");
        let names = &organized.expect("columns have names for people")["options"]["renameByName"];
        let columns: Vec<&str> =
            names.as_object().expect("names").values().filter_map(Value::as_str).collect();
        for change in list(&panel["fieldConfig"], "overrides") {
            let column = word(&change["matcher"], "options");
            assert!(columns.contains(&column), "{}: no column {column}", panel["title"]);
        }
        for sorted in list(&panel["options"], "sortBy") {
            assert!(columns.contains(&word(sorted, "displayName")), "{}: sorted by nothing", panel["title"]);
        }
    }
}
