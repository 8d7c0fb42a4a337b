//! A reader of configuration tables that keeps exact positions and collects everything that is wrong.
//!
//! The whole file is one [`Sink`]; each table is read through [`Fields`], each value through an [`Item`]. Every key
//! that is asked for becomes known, and `finish` reports the ones that nobody asked for. Reading goes on after a
//! problem: functions give `None`, and the caller learns from the sink whether the file is fine. What a value means
//! is decided by whoever owns the table: a cloud, a channel, `config`. Values of keys that may hold a secret are
//! never repeated in a message.

pub mod show;

mod item;
mod secret;
mod short;
mod text;
mod url;

pub use item::Item;
pub use secret::{SecretSetting, no_check};
pub use text::Fault;
pub use url::{Endpoint, Plain, ProxyUrl, check_base, check_url};

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::domain::nearest::nearest;
use crate::problem::{Position, Positions, Problem, Problems, named};

/// Where everything that is found in one file is gathered.
#[derive(Debug)]
pub struct Sink {
    positions: Positions,
    problems: Problems,
    secrets: Vec<SecretSetting>,
}

impl Sink {
    /// For the file `file` with this text.
    pub fn new(file: &str, text: &str) -> Self {
        Self { positions: Positions::new(text), problems: Problems::new(file), secrets: Vec::new() }
    }

    /// Adds a problem at a byte offset of the text.
    pub fn problem_at(&mut self, offset: usize, key: &str, message: String, hint: Option<String>) {
        let problem = Problem::new(self.positions.of(offset), key, message);
        self.problems.push(Problem { hint, ..problem });
    }

    /// All problems, and every secret that was read, also from tables that have problems.
    pub fn into_parts(self) -> (Problems, Vec<SecretSetting>) {
        (self.problems, self.secrets)
    }
}

/// Whose key it is: for people (`context`, `name`) and as a path for machines.
#[derive(Debug, Clone, Default)]
struct Place {
    context: String,
    name: String,
    path: String,
}

impl Place {
    fn child(&self, key: &str) -> Self {
        let join = |parent: &str| if parent.is_empty() { key.to_owned() } else { format!("{parent}.{key}") };
        Self { context: self.context.clone(), name: join(&self.name), path: join(&self.path) }
    }

    fn element(&self, number: usize) -> Self {
        Self { path: format!("{}[{number}]", self.path), ..self.clone() }
    }

    /// How a table of that name is written.
    fn table_hint(&self) -> String {
        match self.name.rsplit('.').next().unwrap_or_default() {
            name if self.path == name => format!("write [{name}] on a line of its own, and its keys below"),
            name => format!("write it in braces: {name} = {{ … }}"),
        }
    }

    /// ``account `prod`: `credentials.access_key_id` ``
    fn subject(&self) -> String {
        match self.name.as_str() {
            "" => self.context.trim_end_matches(": ").to_owned(),
            name => format!("{}{}", self.context, named(name)),
        }
    }
}

/// One table of the file.
#[derive(Debug)]
pub struct Fields<'a> {
    table: &'a DeTable<'a>,
    start: usize,
    place: Place,
    known: Vec<&'static str>,
    judged: bool,
    sink: &'a mut Sink,
}

impl<'a> Fields<'a> {
    /// The file as a whole.
    pub fn root(table: &'a DeTable<'a>, sink: &'a mut Sink) -> Self {
        Self { table, start: 0, place: Place::default(), known: Vec::new(), judged: true, sink }
    }

    /// From now on messages about this table begin with ``context: `` and leave out the path that led here.
    pub fn set_context(&mut self, context: &str) {
        self.place.context = format!("{context}: ");
        self.place.name.clear();
    }

    /// The value of `key`, if it is there. From now on the key is a known one.
    pub fn item(&mut self, key: &'static str) -> Option<Item<'_>> {
        self.know(key);
        let (_, value) = self.table.get_key_value(key)?;
        Some(Item {
            place: self.place.child(key),
            value: value.get_ref(),
            span: value.span(),
            sink: &mut *self.sink,
        })
    }

    /// Reports `key` if it is missing; `example` shows how it is written.
    pub fn require(&mut self, key: &'static str, example: &str) -> &mut Self {
        self.know(key);
        if !self.has(key) {
            let place = self.place.child(key);
            let message = format!("{} is missing", place.subject());
            self.sink.problem_at(self.start, &place.path, message, Some(example.to_owned()));
        }
        self
    }

    /// A number that stays the same as long as the same is written in this table, leaving out the keys `without`. For
    /// comparisons within one process: secrets go into it.
    pub fn fingerprint(&self, without: &[&str]) -> u64 {
        let mut hasher = DefaultHasher::new();
        hash_table(self.table, without, &mut hasher);
        hasher.finish()
    }

    /// Whether `key` is there, whatever its value.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The text behind `key`, without judging it; for words such as the name of the table.
    pub fn peek(&self, key: &str) -> Option<&str> {
        self.table.get(key)?.get_ref().as_str()
    }

    /// Whether nothing stands in the table.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Makes `key` a known one without reading it: another problem already says why it cannot be understood.
    pub fn skip(&mut self, key: &'static str) {
        self.know(key);
    }

    /// Makes every key a known one: another problem already says why none of them can be understood.
    pub fn skip_rest(&mut self) {
        self.judged = false;
    }

    /// Reports something about `key`, at its value; at the table if it is not there.
    pub fn problem(&mut self, key: &str, predicate: &str, hint: &str) {
        let place = self.place.child(key);
        let offset = self.table.get_key_value(key).map_or(self.start, |(_, value)| value.span().start);
        let message = format!("{} {predicate}", place.subject());
        self.sink.problem_at(offset, &place.path, message, Some(hint.to_owned()));
    }

    /// Reports something about the table as a whole.
    pub fn problem_here(&mut self, predicate: &str, hint: &str) {
        let message = format!("{} {predicate}", self.place.subject()).trim_start().to_owned();
        self.sink.problem_at(self.start, &self.place.path, message, Some(hint.to_owned()));
    }

    /// Where the value of `key` stands; the table if it is not there.
    pub fn position(&self, key: &str) -> Position {
        let offset = self.table.get_key_value(key).map_or(self.start, |(_, value)| value.span().start);
        self.sink.positions.of(offset)
    }

    /// The one place where a key that is understood but has no behaviour yet is refused: nothing that an operator
    /// wrote is ever silently without effect. `value` narrows it to one value of the key.
    pub fn not_built(&mut self, key: &'static str, value: Option<&str>, instead: &str) {
        self.know(key);
        let Some((written, _)) = self.table.get_key_value(key) else { return };
        let mut place = self.place.child(key);
        let path = place.path.clone();
        place.name.extend(value.iter().flat_map(|value| [" = \"", value, "\""]));
        let message = format!("{} is not built yet in this version", place.subject());
        self.sink.problem_at(written.span().start, &path, message, Some(instead.to_owned()));
    }

    /// Reports every key that nobody asked for, with what is possible.
    pub fn finish(self) {
        for (key, _) in self.table {
            if !self.judged || self.known.contains(&key.get_ref().as_ref()) {
                continue;
            }
            let place = self.place.child(key.get_ref());
            let message = format!("{}unknown key {}", place.context, named(&place.name));
            let hint = possible_keys(key.get_ref(), &self.known);
            self.sink.problem_at(key.span().start, &place.path, message, Some(hint));
        }
    }

    fn know(&mut self, key: &'static str) {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
    }
}

fn possible_keys(written: &str, known: &[&'static str]) -> String {
    let meant = nearest(written, known.iter().copied());
    let meant = meant.map_or_else(String::new, |key| format!("did you mean `{key}`? "));
    format!("{meant}possible here: {}", known.join(", "))
}

/// What kind of value it is, in words.
fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(list) if list.is_empty() => "an empty list",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The table behind a value, with the offset that stands for it.
fn table_of<'a>(value: &'a DeValue<'a>, span: &Range<usize>) -> Option<(&'a DeTable<'a>, usize)> {
    value.as_table().map(|table| (table, span.start))
}

/// Keys in order, whatever their order in the file; each value behind a mark of its kind.
fn hash_table(table: &DeTable<'_>, without: &[&str], hasher: &mut DefaultHasher) {
    let pairs = table.iter().map(|(key, value)| (key.get_ref().as_ref(), value.get_ref()));
    let mut pairs: Vec<(&str, &DeValue<'_>)> = pairs.filter(|(key, _)| !without.contains(key)).collect();
    pairs.sort_by_key(|(key, _)| *key);
    pairs.len().hash(hasher);
    for (key, value) in pairs {
        key.hash(hasher);
        hash_value(value, hasher);
    }
}

fn hash_value(value: &DeValue<'_>, hasher: &mut DefaultHasher) {
    match value {
        DeValue::String(text) => ("string", text.as_ref()).hash(hasher),
        DeValue::Integer(number) => ("integer", number.to_string()).hash(hasher),
        DeValue::Float(number) => ("float", number.to_string()).hash(hasher),
        DeValue::Boolean(value) => ("boolean", value).hash(hasher),
        DeValue::Datetime(at) => ("datetime", at.to_string()).hash(hasher),
        DeValue::Array(values) => {
            ("array", values.len()).hash(hasher);
            values.iter().for_each(|value| hash_value(value.get_ref(), hasher));
        }
        DeValue::Table(table) => {
            "table".hash(hasher);
            hash_table(table, &[], hasher);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The problems that `read` finds in `text`.
    fn problems(text: &str, read: impl FnOnce(&mut Fields<'_>)) -> String {
        let (table, errors) = DeTable::parse_recoverable(text);
        assert!(errors.is_empty(), "{text}");
        let mut sink = Sink::new("c.toml", text);
        let mut fields = Fields::root(table.get_ref(), &mut sink);
        read(&mut fields);
        fields.finish();
        sink.into_parts().0.to_string()
    }

    #[test]
    fn a_key_that_nobody_asks_for_is_reported() {
        let found = problems("nmae = 'x'", |fields| {
            fields.string("name");
            fields.integer("port", 1..=9);
        });
        let want = "c.toml:1:1: unknown key `nmae`\n  hint: did you mean `name`? possible here: name, port";
        assert_eq!(found, want);
    }

    #[test]
    fn a_context_takes_the_place_of_the_path() {
        let found = problems("[[account]]\nid = { x = 1 }", |fields| {
            fields.tables("account", |_, fields| {
                fields.set_context("account `prod`");
                fields.table("id", |fields| fields.string("x"))
            });
        });
        assert_eq!(found, "c.toml:2:12: account `prod`: `id.x` must be text in quotes, found a whole number");
    }

    #[test]
    fn reading_goes_on_after_a_problem() {
        let found = problems("a = 1\nb = ''\nc = [1, 'x', ' y']", |fields| {
            fields.string("a");
            fields.string("b");
            fields.list("c", |text| Ok(text.to_owned()));
            fields.require("d", "d = 1");
        });
        for want in [
            "1:5: `a` must be text",
            "2:5: `b` must not be empty",
            "3:6: `c` must be",
            "3:14: `c` has blanks",
        ] {
            assert!(found.contains(want), "{want}: {found}");
        }
        assert!(found.contains("1:1: `d` is missing\n  hint: d = 1"), "{found}");
    }

    #[test]
    fn what_is_not_built_is_refused_only_where_it_is_written() {
        let read = |fields: &mut Fields<'_>| {
            fields.choice("mode", &["off", "auto"]);
            fields.not_built("mode", Some("auto"), "mode = \"off\"");
        };
        let want = "c.toml:1:1: `mode = \"auto\"` is not built yet in this version\n  hint: mode = \"off\"";
        assert_eq!(problems("mode = 'auto'", read), want);
        assert_eq!(problems("", read), "");
    }
}
