//! The shipped files, read.

use std::path::PathBuf;

use serde_json::Value;

/// A file of the repository.
pub(crate) fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The text of a file of the repository.
pub(crate) fn text(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The dashboard.
pub(crate) fn dashboard() -> Value {
    serde_json::from_str(&text("grafana/notafter.json")).expect("JSON")
}

/// Something in it by name, as text.
pub(crate) fn word<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {value}"))
}

/// Something in it by name, as a list; a missing one is empty.
pub(crate) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// Rows and panels, those of folded rows behind their row.
pub(crate) fn everything(dashboard: &Value) -> Vec<&Value> {
    let panels = list(dashboard, "panels").iter();
    panels.flat_map(|panel| std::iter::once(panel).chain(list(panel, "panels"))).collect()
}

/// What shows something: everything but rows.
pub(crate) fn panels(dashboard: &Value) -> Vec<&Value> {
    everything(dashboard).into_iter().filter(|panel| panel["type"] != "row").collect()
}

/// One query of a panel.
pub(crate) struct Query<'d> {
    /// The panel's title.
    pub(crate) title: &'d str,
    /// Which of the panel's queries it is.
    pub(crate) letter: &'d str,
    /// PromQL with the dashboard's variables in it.
    pub(crate) expression: &'d str,
    /// Whether it is asked for now, rather than for a while.
    pub(crate) instant: bool,
}

/// Every query of the dashboard.
pub(crate) fn queries(dashboard: &Value) -> Vec<Query<'_>> {
    let query = |panel, target| Query {
        title: word(panel, "title"),
        letter: word(target, "refId"),
        expression: word(target, "expr"),
        instant: target["instant"] == true,
    };
    let panels = panels(dashboard).into_iter();
    panels.flat_map(|panel| list(panel, "targets").iter().map(move |target| query(panel, target))).collect()
}
