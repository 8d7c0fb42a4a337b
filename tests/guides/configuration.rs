//! `docs/configuration.md`, made from the catalogue, from `config.example.toml` and from what the reader of the
//! configuration answers. `UPDATE_EXPECT=1` writes it anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use notafter::domain::finding::Stage;
use notafter::notifier::NOTIFIERS;
use toml::{Table, Value};

use super::catalogue::{INTRODUCTION, Key, Section, TABLES, Usual};
use super::reader::{self, Place, Takes};

const PAGE: &str = "docs/configuration.md";

/// The ways to write a secret, which are described once.
const SECRET: [&str; 3] = ["env", "file", "credential"];

#[test]
fn the_page_is_what_code_and_catalogue_say() {
    let page = page();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(PAGE, &page).unwrap();
        return;
    }
    let written = fs::read_to_string(PAGE).unwrap();
    let differs = written.lines().zip(page.lines()).find(|(found, want)| found != want);
    assert!(written == page, "{PAGE} differs (UPDATE_EXPECT=1 writes it anew); first at {differs:#?}");
}

#[test]
fn the_catalogue_has_every_key_that_is_read_and_no_other() {
    let document = reader::example();
    let mut read = BTreeSet::new();
    for (table, keys) in reader::known_keys(&document) {
        if SECRET.iter().all(|way| keys.contains(*way)) {
            continue;
        }
        for key in keys {
            let inner = if table.is_empty() { key.clone() } else { format!("{table}.{key}") };
            if TABLES.iter().any(|section| section.path == inner) {
                continue;
            }
            let (section, name) = section_of(&table, &key).unwrap_or_else(|| {
                panic!("`{key}` of `{table}` is read and not in tests/guides/catalogue.rs")
            });
            read.insert((section.path, name));
        }
    }
    assert!(read.len() > 100, "{read:?}");
    for section in TABLES {
        for key in section.keys {
            let known = read.contains(&(section.path, key.name.to_owned()));
            assert!(known, "`{}` of `{}` is described and not read", key.name, section.path);
        }
    }
}

#[test]
fn every_default_is_the_one_in_effect() {
    let document = reader::accepted_example();
    let mut held = 0;
    for (section, key) in keys() {
        let (Usual::Is(usual), Some(place)) = (key.usual, place(&document, section, key)) else { continue };
        let parsed: Table = format!("x = {usual}").parse().unwrap_or_else(|error| panic!("{usual}: {error}"));
        let (mut without, mut with) = (document.clone(), document.clone());
        reader::remove(&mut without, &place);
        reader::set(&mut with, &place, parsed["x"].clone());
        let name = format!("{}: {} = {usual}", section.path, key.name);
        let [without, with] = [without, with].map(|document| reader::effective(&document).expect(&name));
        assert_eq!(without, with, "{name}");
        held += 1;
    }
    assert!(held > 25, "{held}");
}

#[test]
fn what_must_be_there_is_what_the_reader_misses() {
    let document = reader::example();
    for (section, key) in keys() {
        let place = place(&document, section, key).unwrap();
        let required = matches!(key.usual, Usual::Required | Usual::RequiredIf(_));
        assert_eq!(reader::takes(&document, &place).required, required, "{}: {}", section.path, key.name);
    }
}

fn keys() -> impl Iterator<Item = (&'static Section, &'static Key)> {
    TABLES.iter().flat_map(|section| section.keys.iter().map(move |key| (section, key)))
}

/// The section that describes a key: the longest path that leads to its table. What is left of the way is a part of the
/// name: `digest.at`. Clouds and types of channels fall back to what all of them have.
fn section_of(table: &str, key: &str) -> Option<(&'static Section, String)> {
    let common =
        table.find('(').zip(table.find(')')).map(|(from, to)| [&table[..from], &table[to + 1..]].concat());
    [Some(table.to_owned()), common].into_iter().flatten().find_map(|table| {
        let sections = TABLES.iter().filter_map(|section| Some((section, within(&table, section.path)?)));
        let (section, rest) = sections.max_by_key(|(section, _)| section.path.len())?;
        let name = if rest.is_empty() { key.to_owned() } else { format!("{rest}.{key}") };
        section.keys.iter().any(|key| key.name == name).then_some((section, name))
    })
}

/// What is left of the way to `table` from `path`.
fn within<'t>(table: &'t str, path: &str) -> Option<&'t str> {
    match table.strip_prefix(path)? {
        "" => Some(""),
        rest if path.is_empty() => Some(rest),
        rest => rest.strip_prefix('.'),
    }
}

/// Where a key stands in the example for the first time.
fn place(document: &Table, section: &Section, key: &Key) -> Option<Place> {
    let here = |place: &Place| {
        section_of(&place.table, &place.key)
            .is_some_and(|(found, name)| found.path == section.path && name == key.name)
    };
    reader::places(document).into_iter().find(here)
}

fn page() -> String {
    let document = reader::example();
    let mut out = String::from(INTRODUCTION);
    for section in TABLES {
        write!(out, "\n## {}\n\n", section.title).unwrap();
        if !section.text.is_empty() {
            writeln!(out, "{}\n", section.text).unwrap();
        }
        if section.path == "channel" {
            paces(&mut out);
        }
        if section.keys.is_empty() {
            continue;
        }
        out.push_str("| key | type | default | meaning | example |\n|---|---|---|---|---|\n");
        for key in section.keys {
            let place = place(&document, section, key).unwrap_or_else(|| {
                panic!("`{}` of `{}` is not in config.example.toml", key.name, section.path)
            });
            out.push_str(&row(key, &reader::takes(&document, &place), &place.value));
        }
    }
    out
}

fn row(key: &Key, takes: &Takes, example: &Value) -> String {
    let mut kind = match (&takes.words, takes.kind.as_str()) {
        (Some(words), "text") => {
            words.split(", ").map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        }
        _ => takes.kind.clone(),
    };
    if let Some(limits) = &takes.limits {
        write!(kind, ", {limits}").unwrap();
    }
    let usual = match key.usual {
        Usual::Required => "required".to_owned(),
        Usual::RequiredIf(when) => format!("required {when}"),
        Usual::Is(literal) => format!("`{literal}`"),
        Usual::Else(words) => words.to_owned(),
    };
    let cells = [format!("`{}`", key.name), kind, usual, key.text.to_owned(), shown(example)];
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

/// Tables of tables are shown by the keys below them.
fn shown(example: &Value) -> String {
    match example {
        Value::Array(list) if list.iter().any(Value::is_table) && list.len() != 2 => String::new(),
        Value::String(text) if text.contains('"') => format!("`'{text}'`"),
        _ => format!("`{example}`"),
    }
}

fn paces(out: &mut String) {
    out.push_str("| `type` | `rate` where none is set | told from stage |\n|---|---|---|\n");
    for kind in NOTIFIERS {
        let from = match kind.least {
            Stage::Ok | Stage::Info => "`info`",
            Stage::Warning => "`warning`",
            Stage::Critical => "`critical`",
            Stage::Expired => "`expired`",
        };
        writeln!(out, "| `{}` | {} | {from} |", kind.name, kind.per_minute).unwrap();
    }
    out.push('\n');
}
