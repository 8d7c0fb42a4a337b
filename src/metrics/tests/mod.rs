//! The page as a whole.

mod cache;
mod selected;
mod shared;
mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use super::catalogue::{Kind, catalogue};
use super::reference::reference;
use super::text;
use support::{expect_file, plain, sample, samples, snapshot_of_everything, surroundings, without_process};

use crate::domain::testing::moment;

#[test]
fn the_whole_page_is_as_expected() {
    let page = plain(&snapshot_of_everything(), &surroundings(), moment());
    let stable: String = page
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("notafter_build_info{") && !line.starts_with("process_"))
        .collect();
    expect_file("tests/expected/metrics.txt", &stable);
}

#[test]
fn the_page_and_the_catalogue_name_the_same_families_in_the_same_order() {
    let page = plain(&snapshot_of_everything(), &surroundings(), moment());
    let declared: String = catalogue()
        .iter()
        .map(|family| {
            let mut out = bytes::BytesMut::new();
            text::header(&mut out, family);
            String::from_utf8(out.to_vec()).expect("text")
        })
        .collect();
    let on_page: String = page.split_inclusive('\n').filter(|line| line.starts_with('#')).collect();
    assert_eq!(on_page, declared);
}

#[test]
fn every_family_has_a_sample_somewhere_with_exactly_its_labels_and_stands_together() {
    // without one there are no tasks to count
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _inside = runtime.enter();
    let page = plain(&snapshot_of_everything(), &surroundings(), moment());
    let mut order = Vec::new();
    for line in samples(&page) {
        let (name, labels) = sample(line);
        let family = catalogue()
            .iter()
            .find(|family| match family.kind {
                Kind::Histogram => name
                    .strip_prefix(family.name)
                    .is_some_and(|rest| ["_bucket", "_sum", "_count"].contains(&rest)),
                Kind::Gauge | Kind::Counter => name == family.name,
            })
            .unwrap_or_else(|| panic!("not in the catalogue: {line}"));
        let mut want: Vec<_> = family.labels.to_vec();
        want.extend(name.ends_with("_bucket").then_some("le"));
        assert_eq!(labels, want, "{line}");
        if order.last() != Some(&family.name) {
            order.push(family.name);
        }
    }
    assert_eq!(order, catalogue().iter().map(|family| family.name).collect::<Vec<_>>());
}

#[test]
fn no_series_is_there_twice() {
    let page = plain(&snapshot_of_everything(), &surroundings(), moment());
    let mut series: Vec<_> = samples(&page).map(|line| line.rsplit_once(' ').expect("a value").0).collect();
    series.sort_unstable();
    assert!(series.is_sorted_by(|a, b| a < b), "{series:#?}");
}

#[test]
fn names_and_help_follow_the_conventions() {
    for family in catalogue() {
        let (name, help) = (family.name, family.help);
        assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{name}");
        assert!(name.starts_with("notafter_") || name.starts_with("process_"), "{name}");
        assert!(help.ends_with('.') && help.matches(". ").count() == 0, "{name}: one sentence: {help}");
        let ours = [
            "build_info",
            "config_last",
            "store_up",
            "process_",
            "tasks",
            "notification",
            "channel_up",
            "channel_places",
            "outbox",
            "heartbeat",
            "renewals_",
            "renewal_planned",
        ];
        let ours = ours.iter().any(|part| name.contains(part));
        assert!(ours || help.contains("background"), "{name}: says where the value comes from: {help}");
        for taken in ["job", "instance", "region", "zone", "service", "type", "owner", "env"] {
            assert!(!family.labels.contains(&taken), "{name}: scrapers attach {taken} themselves");
        }
    }
}

#[test]
fn promtool_has_nothing_to_say() {
    check_metrics(&plain(&snapshot_of_everything(), &surroundings(), moment()));
}

/// Also used for parts of it.
fn check_metrics(page: &str) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool on the PATH (Debian package `prometheus`)");
    promtool.stdin.take().expect("piped").write_all(page.as_bytes()).expect("reads the page");
    let output = promtool.wait_with_output().expect("ends");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn the_reference_is_made_from_the_catalogue() {
    let reference = reference();
    for family in catalogue() {
        assert_eq!(reference.matches(&format!("### `{}`\n", family.name)).count(), 1, "{}", family.name);
    }
    expect_file("docs/metrics.md", &reference);
}

#[test]
fn promtool_accepts_what_the_reference_says_for_large_fleets() {
    let reference = reference();
    let blocks = reference.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let folder = tempfile::tempdir().expect("a folder");
    let mut checked = 0;
    for block in blocks {
        let what = if block.starts_with("groups:") { "rules" } else { "config" };
        let file = folder.path().join("checked.yml");
        std::fs::write(&file, block).expect("written");
        let promtool = Command::new("promtool").args(["check", what]).arg(file).output();
        let promtool = promtool.expect("promtool on the PATH (Debian package `prometheus`)");
        assert!(promtool.status.success(), "{block}\n{}", String::from_utf8_lossy(&promtool.stderr));
        checked += 1;
    }
    assert_eq!(checked, 2);
}

#[test]
fn a_page_without_anything_is_a_page() {
    let snapshot = crate::domain::snapshot::Snapshot::default();
    let page = without_process(&plain(&snapshot, &surroundings(), moment()));
    assert!(page.contains("\nnotafter_poll_due_resources 0\n"), "{page}");
    assert!(!page.contains("notafter_scope_up{"), "{page}");
}
