//! Nobody slips past the list.

use notafter::notifier::NOTIFIERS;

use crate::table;

#[test]
fn every_channel_is_in_the_table() {
    let table = table::all();
    let missing: Vec<_> = NOTIFIERS
        .iter()
        .filter(|kind| kind.build.is_some())
        .map(|kind| kind.name)
        .filter(|name| table.iter().all(|channel| channel.kind != *name))
        .collect();
    assert!(missing.is_empty(), "no entry in tests/channels/table: {missing:?}");
}

#[test]
fn every_entry_is_one_of_a_kind() {
    let mut names: Vec<_> = table::all().iter().map(|channel| channel.name).collect();
    names.sort_unstable();
    let before = names.len();
    names.dedup();
    assert_eq!(names.len(), before, "two entries of the same name: {names:?}");
}
