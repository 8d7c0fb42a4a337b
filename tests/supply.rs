//! What `notafter` is made of: only licences that `deny.toml` allows, only parts from the registry that are locked by
//! their digest, and none of the libraries that it forbids.
//!
//! cargo-deny says the same and more; this needs nothing but cargo, so it runs with every test.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn every_licence_of_the_tree_is_allowed() {
    let allowed = words(&deny()["licenses"]["allow"]);
    let mut used = BTreeSet::new();
    let packages = packages();
    assert!(packages.len() > 100, "hardly any parts: {}", packages.len());
    for (name, licence) in packages {
        assert!(!licence.is_empty(), "{name} names no licence");
        let chosen = choose(&licence, &allowed);
        used.extend(
            chosen.unwrap_or_else(|| panic!("{name} is under {licence}, which deny.toml does not allow")),
        );
    }
    assert_eq!(used, allowed, "what deny.toml allows and what is needed");
}

#[test]
fn every_part_comes_from_the_registry_and_is_locked_by_its_digest() {
    let lock: toml::Table = read("Cargo.lock").parse().expect("TOML");
    for package in lock["package"].as_array().expect("packages") {
        let text = |key: &str| package.get(key).and_then(toml::Value::as_str);
        if text("name") == Some("notafter") {
            continue;
        }
        let source = text("source").unwrap_or_else(|| panic!("{package} comes from a folder"));
        assert!(source.starts_with("registry+"), "{package} comes from {source}");
        assert!(text("checksum").is_some_and(|digest| digest.len() == 64), "{package} has no digest");
    }
}

#[test]
fn what_is_forbidden_is_not_in_the_tree() {
    let deny = deny();
    let forbidden: Vec<&str> = deny["bans"]["deny"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|ban| ban["crate"].as_str().expect("a name"))
        .collect();
    assert!(!forbidden.is_empty());
    for (name, _) in packages() {
        assert!(!forbidden.contains(&&*name), "{name} is forbidden by deny.toml");
    }
}

#[test]
fn expressions_of_licences_are_understood() {
    let allowed = ["MIT", "Apache-2.0", "ISC"].map(str::to_owned).into();
    for (expression, want) in [
        ("MIT", Some(&["MIT"][..])),
        ("GPL-3.0", None),
        ("GPL-3.0 OR MIT", Some(&["MIT"])),
        ("MIT OR Apache-2.0", Some(&["MIT"])),
        ("MIT/Apache-2.0", Some(&["MIT"])),
        ("MIT AND ISC", Some(&["ISC", "MIT"])),
        ("MIT AND GPL-3.0", None),
        ("ISC AND (GPL-3.0 OR MIT)", Some(&["ISC", "MIT"])),
        ("(GPL-3.0 OR LGPL-3.0) AND MIT", None),
        ("GPL-3.0 OR MIT AND ISC", Some(&["ISC", "MIT"])),
        ("Apache-2.0 WITH LLVM-exception OR MIT", Some(&["MIT"])),
        ("Apache-2.0 WITH LLVM-exception", None),
    ] {
        let chosen = choose(expression, &allowed);
        let want = want.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(chosen, want, "{expression}");
    }
}

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(name)).expect(name)
}

fn deny() -> toml::Table {
    read("deny.toml").parse().expect("TOML")
}

fn words(list: &toml::Value) -> BTreeSet<String> {
    list.as_array().expect("a list").iter().map(|word| word.as_str().expect("a text").to_owned()).collect()
}

/// Name and licence of everything that is used on Linux, by us, by our tests or to build, but for ourselves.
fn packages() -> BTreeSet<(String, String)> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--locked", "--offline", "--target", "x86_64-unknown-linux-gnu"]).current_dir(ROOT);
    cargo.args(["--edges", "normal,build,dev", "--prefix", "none", "--format", "{p}|{l}"]);
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let lines = text.lines().filter_map(|line| line.trim_end_matches(" (*)").split_once('|'));
    let named = lines.map(|(package, licence)| {
        (package.split(' ').next().unwrap_or_default().to_owned(), licence.to_owned())
    });
    named.filter(|(name, _)| name != "notafter").collect()
}

/// The licences that an expression is taken by, or nothing where it needs one that is not allowed. Where there is a choice,
/// MIT, else the first that is possible.
fn choose(expression: &str, allowed: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = &words[..];
    let chosen = either(&mut rest, allowed);
    assert!(rest.is_empty(), "{expression} is no expression");
    chosen
}

/// Parts joined by OR.
fn either(rest: &mut &[&str], allowed: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    let mut choices = vec![both(rest, allowed)];
    while taken(rest, "OR") {
        choices.push(both(rest, allowed));
    }
    let mut possible: Vec<_> = choices.into_iter().flatten().collect();
    let best = possible.iter().position(|names| names.contains("MIT")).unwrap_or(0);
    (!possible.is_empty()).then(|| possible.swap_remove(best))
}

/// Parts joined by AND, which binds closer.
fn both(rest: &mut &[&str], allowed: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    let mut all = one(rest, allowed);
    while taken(rest, "AND") {
        let next = one(rest, allowed);
        all = all.zip(next).map(|(all, next)| all.into_iter().chain(next).collect());
    }
    all
}

/// A name, perhaps with an exception, or something in brackets.
fn one(rest: &mut &[&str], allowed: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    if taken(rest, "(") {
        let inner = either(rest, allowed);
        assert!(taken(rest, ")"), "a bracket is open");
        return inner;
    }
    let (name, after) = rest.split_first().expect("a name");
    *rest = after;
    if taken(rest, "WITH") {
        let (exception, after) = rest.split_first().expect("an exception");
        *rest = after;
        return Some(format!("{name} WITH {exception}"))
            .filter(|whole| allowed.contains(whole))
            .map(|whole| BTreeSet::from([whole]));
    }
    allowed.get(*name).map(|name| BTreeSet::from([name.clone()]))
}

fn taken(rest: &mut &[&str], word: &str) -> bool {
    let is_next = rest.first() == Some(&word);
    if is_next {
        *rest = &rest[1..];
    }
    is_next
}
