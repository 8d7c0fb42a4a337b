//! The manual page as a reader of it sees it: `man` shows it without a complaint.

use std::path::{Path, PathBuf};
use std::process::Command;

use notafter::cli::manual;

/// The page in a file of its own.
fn written(folder: &Path) -> PathBuf {
    let path = folder.join("notafter.1");
    let mut page = Vec::new();
    manual::man(&mut page).unwrap();
    std::fs::write(&path, page).unwrap();
    path
}

#[test]
fn mandoc_finds_no_error() {
    let folder = tempfile::tempdir().unwrap();
    // another reader than groff, where it is on the machine
    let Ok(found) = Command::new("mandoc").args(["-Tlint", "-Werror"]).arg(written(folder.path())).output()
    else {
        return;
    };
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stdout));
}

#[test]
fn man_shows_every_section_without_a_complaint() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    // --warnings asks groff for its complaints; without man on the machine there is nothing to ask
    let mut man = Command::new("man");
    man.args(["--warnings", "--local-file"]).arg(&path).env("MANWIDTH", "100").env("LC_ALL", "C.UTF-8");
    let Ok(shown) = man.output() else { return };
    let (text, complaints) = (String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
    assert!(shown.status.success() && complaints.is_empty(), "{complaints}");
    for section in
        ["NAME", "SYNOPSIS", "COMMANDS", "OPTIONS OF CHECK", "EXIT STATUS", "SIGNALS", "FILES", "ENVIRONMENT"]
    {
        assert!(text.lines().any(|line| line == section), "{section}");
    }
}
