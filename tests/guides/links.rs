//! Every relative link and anchor leads somewhere, and every page below `docs/` can be reached from the README.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Component, Path, PathBuf};

use super::pages;

/// Where a link points: a file, and a heading in it.
struct Link {
    file: PathBuf,
    anchor: Option<String>,
}

#[test]
fn every_relative_link_leads_somewhere() {
    let all = pages::all();
    assert!(all.len() > 20, "{:?}", all.keys());
    let mut broken = Vec::new();
    for (page, text) in &all {
        for target in targets(text) {
            if let Err(why) = follow(page, &target, &all) {
                broken.push(format!("{}: ({target}) {why}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_page_of_the_documentation_is_reached_from_either_readme() {
    let all = pages::all();
    for start in ["README.md", "README.zh-CN.md"] {
        let other = if start == "README.md" { "README.zh-CN.md" } else { "README.md" };
        let mut seen = BTreeSet::from([PathBuf::from(start), PathBuf::from(other)]);
        let mut waiting = VecDeque::from([PathBuf::from(start)]);
        while let Some(page) = waiting.pop_front() {
            for target in targets(&all[&page]) {
                let Ok(Link { file, .. }) = follow(&page, &target, &all) else { continue };
                if all.contains_key(&file) && seen.insert(file.clone()) {
                    waiting.push_back(file);
                }
            }
        }
        let lost: Vec<_> =
            all.keys().filter(|page| page.starts_with("docs") && !seen.contains(*page)).collect();
        assert!(lost.is_empty(), "not reached from {start}: {lost:?}");
    }
}

/// The targets of all links and images outside of code.
fn targets(page: &str) -> Vec<String> {
    let prose = pages::lines(page).into_iter().filter(|line| !line.code);
    prose.flat_map(|line| in_line(line.text)).collect()
}

fn in_line(text: &str) -> Vec<String> {
    let plain: String =
        text.split('`').enumerate().map(|(at, part)| if at % 2 == 0 { part } else { "" }).collect();
    let behind = plain.split("](").skip(1);
    behind.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()).collect()
}

/// What `target` on `page` leads to; where it leads out of the repository nothing is asked for.
fn follow(page: &Path, target: &str, all: &BTreeMap<PathBuf, String>) -> Result<Link, String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(Link { file: PathBuf::new(), anchor: None });
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let file = match path {
        "" => page.to_owned(),
        _ => plain(&page.parent().unwrap_or(Path::new("")).join(path)).ok_or("leaves the repository")?,
    };
    let link = Link { file, anchor: anchor.map(str::to_owned) };
    if !link.file.exists() && !link.file.as_os_str().is_empty() {
        return Err("does not exist".to_owned());
    }
    match (&link.anchor, all.get(&link.file)) {
        (Some(anchor), Some(text)) if !anchors(text).contains(anchor) => {
            Err("has no such heading".to_owned())
        }
        _ => Ok(link),
    }
}

/// Without `.` and `..`; `None` where that leads out.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut found = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => found.push(name),
            Component::ParentDir if !found.pop() => return None,
            Component::ParentDir | Component::CurDir => {}
            _ => return None,
        }
    }
    Some(found)
}

/// The anchors of a page's headings, as the usual renderers make them.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, words) in pages::headings(page) {
        let slug: String = words
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let number = (0..1000).find(|number| !found.contains(&numbered(&slug, *number)));
        found.insert(numbered(&slug, number.unwrap_or(0)));
    }
    found
}

/// A heading that stands there again gets a number.
fn numbered(slug: &str, number: usize) -> String {
    if number == 0 { slug.to_owned() } else { format!("{slug}-{number}") }
}

#[test]
fn anchors_are_made_as_people_link_them() {
    let page =
        "# What it does, step by step\n\n## `notafter_build_info`\n\n## Same\n\n## Same\n\n## 它不做什么？\n";
    let want = ["notafter_build_info", "same", "same-1", "what-it-does-step-by-step", "它不做什么"];
    assert_eq!(anchors(page), want.map(str::to_owned).into());
}
