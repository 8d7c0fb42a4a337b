//! What the reader of the configuration itself says of every key: which there are, what they take, which must be there.
//!
//! It is asked through `config.example.toml`, where every key stands: a value of the wrong kind is answered with the
//! right one, a number out of range with the range, an unknown key with those that are known.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use notafter::config;
use notafter::problem::Problems;
use toml::value::Datetime;
use toml::{Table, Value};

/// A step into a document.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Element(usize),
}

/// One key where it stands in the example.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The table in the words of the catalogue: `account(huawei).credentials`.
    pub(super) table: String,
    /// The key.
    pub(super) key: String,
    /// What the example has there.
    pub(super) value: Value,
    steps: Vec<Step>,
}

impl Place {
    /// As problems name it: `account[2].credentials.access_key`.
    fn path(&self) -> String {
        self.steps.iter().fold(String::new(), |path, step| match step {
            Step::Key(key) if path.is_empty() => key.clone(),
            Step::Key(key) => format!("{path}.{key}"),
            Step::Element(number) => format!("{path}[{number}]"),
        })
    }
}

/// The example with every key that is commented out taken in.
pub(super) fn example() -> Table {
    let text = fs::read_to_string("config.example.toml").unwrap();
    let taken =
        |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned();
    text.lines().map(taken).collect::<Vec<_>>().join("\n").parse().unwrap()
}

/// The example without what this version refuses because it is not built.
pub(super) fn accepted_example() -> Table {
    let mut document = example();
    let problems = problems(&document);
    for problem in &problems {
        assert!(problem.1.ends_with("is not built yet in this version"), "{problem:?}");
        let place = places(&document).into_iter().find(|place| place.path() == problem.0).unwrap();
        remove(&mut document, &place);
    }
    // what has no effect while renewal is off is not shown either
    document["renewal"]["mode"] = Value::from("plan");
    document
}

/// Every key of every table of a document.
pub(super) fn places(document: &Table) -> Vec<Place> {
    let mut found = Vec::new();
    walk(document, "", &[], &mut found);
    found
}

fn walk(table: &Table, name: &str, steps: &[Step], found: &mut Vec<Place>) {
    for (key, value) in table {
        let steps = [steps, &[Step::Key(key.clone())]].concat();
        found.push(Place {
            table: name.to_owned(),
            key: key.clone(),
            value: value.clone(),
            steps: steps.clone(),
        });
        let path = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        if let Some(inner) = value.as_table() {
            walk(inner, &path, &steps, found);
        }
        for (number, element) in value.as_array().into_iter().flatten().enumerate() {
            if let Some(inner) = element.as_table() {
                let kind = element.get("provider").or_else(|| element.get("type")).and_then(Value::as_str);
                let path = kind.map_or_else(|| path.clone(), |kind| format!("{path}({kind})"));
                walk(inner, &path, &[&steps[..], &[Step::Element(number)]].concat(), found);
            }
        }
    }
}

/// The table that a key stands in.
fn holder<'d>(document: &'d mut Table, place: &Place) -> &'d mut Table {
    let mut value: Option<&mut Value> = None;
    let mut root = Some(document);
    for step in &place.steps[..place.steps.len() - 1] {
        value = match (step, value.take(), root.take()) {
            (Step::Key(key), None, Some(root)) => root.get_mut(key),
            (Step::Key(key), Some(value), _) => value.get_mut(key),
            (Step::Element(number), Some(value), _) => value.get_mut(*number),
            _ => None,
        };
    }
    match value {
        Some(value) => value.as_table_mut().unwrap(),
        None => root.unwrap(),
    }
}

/// Puts another value there.
pub(super) fn set(document: &mut Table, place: &Place, value: Value) {
    holder(document, place).insert(place.key.clone(), value);
}

/// Takes the key away.
pub(super) fn remove(document: &mut Table, place: &Place) {
    holder(document, place).remove(&place.key);
}

/// Key, message and hint of every problem.
fn problems(document: &Table) -> Vec<(String, String, String)> {
    let text = toml::to_string(document).unwrap();
    let found = config::parse(&text, "c.toml").err();
    let words = |problems: Problems| {
        let each = problems.iter().map(|problem| {
            (problem.key.clone(), problem.message.clone(), problem.hint.clone().unwrap_or_default())
        });
        each.collect()
    };
    found.map_or_else(Vec::new, words)
}

/// The effective settings of a document; nothing where it has problems.
pub(super) fn effective(document: &Table) -> Option<String> {
    config::parse(&toml::to_string(document).unwrap(), "c.toml").ok().map(|config| config.effective())
}

/// What a key takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Takes {
    /// The kind of value in the words of the page.
    pub(super) kind: String,
    /// The words that are possible, where it is one of some.
    pub(super) words: Option<String>,
    /// The limits of a number or a duration.
    pub(super) limits: Option<String>,
    /// Whether the reader misses it when it is not there.
    pub(super) required: bool,
}

/// Asks the reader about a key of the example.
pub(super) fn takes(document: &Table, place: &Place) -> Takes {
    let wrong: Value = Value::Datetime("1979-05-27".parse::<Datetime>().unwrap());
    let path = place.path();
    let answers = |value: Value| {
        let mut document = document.clone();
        set(&mut document, place, value);
        problems(&document)
    };
    let alone = answers(wrong.clone());
    let (_, message, hint) = refused(&alone, &path).unwrap_or_else(|| panic!("{path}: {alone:?}"));
    let listed = answers(Value::Array(vec![wrong]));
    let element = refused(&listed, &format!("{path}[0]")).map(|(_, message, _)| kind(&message).to_owned());
    let kind = match (kind(&message), element) {
        ("list", Some(element)) => format!("list of {element}s"),
        (kind, Some(element)) if kind == element => format!("{kind}, or list of {element}s"),
        (kind, _) => kind.to_owned(),
    };
    let kind = match &place.value {
        Value::Table(_) if kind == "text" => "text, or table".to_owned(),
        Value::String(word) if kind.starts_with("list") => format!("`{word:?}`, or {kind}"),
        _ => kind,
    };
    let words = hint.split_once("possible: ").map(|(_, words)| words.to_owned());
    let limits = limits(&kind, &path, &answers);
    let mut without = document.clone();
    remove(&mut without, place);
    let required =
        problems(&without).iter().any(|(key, message, _)| *key == path && message.ends_with("is missing"));
    Takes { kind, words, limits, required }
}

fn refused(problems: &[(String, String, String)], path: &str) -> Option<(String, String, String)> {
    problems.iter().find(|(key, message, _)| key == path && message.contains("must be ")).cloned()
}

/// `must be a duration in quotes, found …` in the words of the page.
fn kind(message: &str) -> &'static str {
    let must = message.split_once("must be ").map_or("", |(_, rest)| rest);
    let must = must.split_once(", found").map_or(must, |(must, _)| must);
    match must {
        "a duration in quotes" => "duration",
        "text in quotes" => "text",
        "a whole number without quotes" => "whole number",
        "a number without quotes" => "number",
        "true or false without quotes" => "`true` or `false`",
        "a list" => "list",
        "a table" => "table",
        "a secret" => "secret",
        "a list of tables" => "list of tables",
        other => panic!("a kind of value that the page has no word for: {other}"),
    }
}

fn limits(
    kind: &str,
    path: &str,
    answers: &impl Fn(Value) -> Vec<(String, String, String)>,
) -> Option<String> {
    let extreme = match kind {
        "duration" => Value::from("99999d"),
        "whole number" => Value::from(i64::MIN),
        "number" => Value::from(-1.0),
        _ => return None,
    };
    let (_, message, _) = refused(&answers(extreme), path)?;
    let must = message.split_once("must be ")?.1.split_once(", found")?.0;
    let words = must.replace("between ", "").replace(" and ", " to ").replace('"', "");
    Some(words.replace("a number above zero", "above 0"))
}

/// The keys that the reader names as possible in each table, by its own answer to a key that does not exist.
pub(super) fn known_keys(document: &Table) -> BTreeMap<String, BTreeSet<String>> {
    const PROBE: &str = "probe_that_is_no_key";
    let mut probed = document.clone();
    probe(&mut probed, PROBE);
    let named: BTreeMap<String, String> = places(&probed)
        .into_iter()
        .filter(|place| place.key == PROBE)
        .map(|place| (place.path(), place.table))
        .collect();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (key, _, hint) in problems(&probed) {
        if let (Some(table), Some((_, keys))) = (named.get(&key), hint.split_once("possible here: ")) {
            found.entry(table.clone()).or_default().extend(keys.split(", ").map(str::to_owned));
        }
    }
    found
}

fn probe(table: &mut Table, name: &str) {
    for (_, value) in table.iter_mut() {
        match value {
            Value::Table(inner) => probe(inner, name),
            Value::Array(list) => {
                list.iter_mut().filter_map(Value::as_table_mut).for_each(|inner| probe(inner, name));
            }
            _ => {}
        }
    }
    table.insert(name.to_owned(), Value::from("x"));
}
