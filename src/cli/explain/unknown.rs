//! The answer for an id that nobody knows: what was probably meant, and where it may be hidden.

use crate::cli::text::plural;
use crate::domain::identity::Scope;
use crate::domain::resource::Resource;
use crate::domain::snapshot::Snapshot;
use crate::visible::visible;

/// Below this similarity a guess confuses.
const SIMILAR: f64 = 0.8;
/// At most this many guesses.
const GUESSES: usize = 5;

pub(super) fn answer(id: &str, snapshot: &Snapshot) -> String {
    let mut lines = vec![format!("no resource has the id {}", visible(id))];
    push_list(&mut lines, "did you mean:", guesses(id, snapshot));
    push_list(&mut lines, "it may be in a scope that could not be read:", unreadable(snapshot));
    let excluded = snapshot.scopes.values().map(|view| view.excluded).sum();
    if excluded > 0 {
        let resources = plural(excluded, "resource");
        lines.push(format!("it may be left out by include and exclude, as {resources} were"));
    }
    lines.join("\n") + "\n"
}

fn push_list(lines: &mut Vec<String>, title: &str, entries: Vec<String>) {
    if !entries.is_empty() {
        lines.push(title.to_owned());
        lines.extend(entries.into_iter().map(|entry| format!("  {entry}")));
    }
}

/// Ids that are similar, most similar first; a resource whose name was given instead of its id leads.
fn guesses(id: &str, snapshot: &Snapshot) -> Vec<String> {
    let written = id.to_lowercase();
    let score = |resource: &Resource| {
        if resource.facts.name.eq_ignore_ascii_case(id) {
            return 2.0;
        }
        strsim::jaro_winkler(&written, &resource.id.to_lowercase())
    };
    let scored = snapshot.resources().map(|(scope, resource)| (score(resource), scope, resource));
    let mut near: Vec<_> = scored.filter(|(score, ..)| *score > SIMILAR).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.iter().take(GUESSES).map(|(_, scope, resource)| place(scope, resource)).collect()
}

fn place(scope: &Scope, resource: &Resource) -> String {
    let (scope, name) = (scope.to_string(), &resource.facts.name);
    let named = if name.is_empty() { String::new() } else { format!(" ({})", visible(name)) };
    format!("{}{named} in {}", visible(&resource.id), visible(&scope))
}

fn unreadable(snapshot: &Snapshot) -> Vec<String> {
    let unreadable = snapshot.scopes.iter().filter(|(_, view)| !view.is_up());
    unreadable
        .map(|(scope, view)| {
            let scope = scope.to_string();
            let why = view.failure().map_or_else(
                || "not looked at yet".to_owned(),
                |failure| format!("{}: {}", failure.reason.as_str(), visible(&failure.text)),
            );
            format!("{}: {why}", visible(&scope))
        })
        .collect()
}
