//! One value: what it must be, and the words in which it is refused.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::de::DeValue;

use super::text::{Fault, clean};
use super::{Fields, Place, Sink, kind_of, table_of};
use crate::domain::duration::{DURATION_HINT, parse_duration, show_duration};
use crate::domain::nearest::nearest;
use crate::problem::{Position, quoted};

/// One value of a table or of a list.
#[derive(Debug)]
pub struct Item<'a> {
    pub(super) place: Place,
    pub(super) value: &'a DeValue<'a>,
    pub(super) span: Range<usize>,
    pub(super) sink: &'a mut Sink,
}

impl Item<'_> {
    /// Reports it: ``the key`` `predicate`. The hint may be empty.
    pub fn refuse(&mut self, predicate: &str, hint: &str) {
        self.refuse_at(self.span.start, predicate, hint);
    }

    fn refuse_at(&mut self, offset: usize, predicate: &str, hint: &str) {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        let message = format!("{} {predicate}", self.place.subject());
        self.sink.problem_at(offset, &self.place.path, message, hint);
    }

    /// Reports that it is of another kind. Names the kind, never the value.
    pub(super) fn refuse_kind<T>(mut self, expected: &str, hint: &str) -> Option<T> {
        let predicate = format!("must be {expected}, found {}", kind_of(self.value));
        self.refuse(&predicate, hint);
        None
    }

    /// Whether it is a list.
    pub fn is_list(&self) -> bool {
        self.value.is_array()
    }

    /// Whether it is a table.
    pub fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// The text, if it is one; for choices between a word and something else.
    pub fn as_text(&self) -> Option<&str> {
        self.value.as_str()
    }

    /// Whether it is a list with nothing in it.
    pub fn is_empty_list(&self) -> bool {
        self.value.as_array().is_some_and(|list| list.is_empty())
    }

    /// Where it stands.
    pub fn position(&self) -> Position {
        self.sink.positions.of(self.span.start)
    }

    /// Any text that is not empty and has no blanks around it.
    pub fn string(self) -> Option<String> {
        self.parsed(|text| Ok(text.to_owned()))
    }

    /// A text that `parse` understands.
    pub fn parsed<T>(self, parse: impl FnOnce(&str) -> Result<T, Fault>) -> Option<T> {
        self.text("text in quotes", "", parse)
    }

    fn text<T>(
        mut self,
        expected: &str,
        hint: &str,
        parse: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Option<T> {
        let Some(text) = self.value.as_str() else { return self.refuse_kind(expected, hint) };
        match clean(text).and_then(parse) {
            Ok(value) => Some(value),
            Err(fault) => {
                let offset = self.span.start + fault.offset_in(text, self.span.len());
                self.refuse_at(offset, &fault.message, &fault.hint);
                None
            }
        }
    }

    /// A duration within limits.
    pub fn duration(self, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.text("a duration in quotes", DURATION_HINT, |text| {
            let duration = parse_duration(text);
            let duration =
                duration.map_err(|error| Fault::new(format!("{error}: {}", quoted(text)), error.hint()))?;
            if range.contains(&duration) {
                return Ok(duration);
            }
            let [least, most] = [range.start(), range.end()].map(|limit| show_duration(*limit));
            Err(Fault::new(format!("must be between \"{least}\" and \"{most}\", found {}", quoted(text)), ""))
        })
    }

    /// One of some words.
    pub fn choice(self, words: &[&'static str]) -> Option<&'static str> {
        let hint = format!("possible: {}", words.join(", "));
        self.text("text in quotes", &hint, |text| {
            let found = words.iter().copied().find(|word| *word == text);
            found.ok_or_else(|| no_such_word(text, words))
        })
    }

    /// A whole number within limits.
    pub fn integer(mut self, range: RangeInclusive<i64>) -> Option<i64> {
        let (least, most) = (range.start(), range.end());
        let Some(number) = self.value.as_integer() else {
            return self.refuse_kind("a whole number without quotes", "digits only, without a unit");
        };
        let value = i64::from_str_radix(number.as_str(), number.radix()).ok();
        if let Some(value) = value.filter(|value| range.contains(value)) {
            return Some(value);
        }
        let limits = if *most == i64::MAX {
            format!("{least} or more")
        } else {
            format!("between {least} and {most}")
        };
        let digits = quoted(&number.to_string());
        self.refuse(&format!("must be {limits}, found {}", digits.trim_matches('"')), "");
        None
    }

    /// A number above zero, with or without a fraction.
    pub fn positive(mut self) -> Option<f64> {
        let written = match self.value {
            DeValue::Integer(number) if number.radix() == 10 => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            _ => return self.refuse_kind("a number without quotes", "digits only, without a unit"),
        };
        let number: Option<f64> = written.parse().ok();
        let number = number.filter(|number| number.is_finite() && *number > 0.0);
        if number.is_none() {
            let digits = quoted(&written);
            self.refuse(&format!("must be a number above zero, found {}", digits.trim_matches('"')), "");
        }
        number
    }

    /// `true` or `false`.
    pub fn boolean(self) -> Option<bool> {
        match self.value.as_bool() {
            None => self.refuse_kind("true or false without quotes", ""),
            found => found,
        }
    }

    /// A list of at least one element, each read by `read`. One bad element spoils the list; all are looked at.
    pub fn list<T>(mut self, mut read: impl FnMut(Item<'_>) -> Option<T>) -> Option<Vec<T>> {
        let Some(array) = self.value.as_array() else {
            return self.refuse_kind("a list", "write it in brackets: [\"…\"]");
        };
        if array.is_empty() {
            self.refuse("must name at least one", "a key that is left out has its default");
            return None;
        }
        let mut elements = Vec::with_capacity(array.len());
        for (number, value) in array.iter().enumerate() {
            elements.push(read(Item {
                place: self.place.element(number),
                value: value.get_ref(),
                span: value.span(),
                sink: &mut *self.sink,
            }));
        }
        elements.into_iter().collect()
    }

    /// A table with keys of the operator's own choice, in their order.
    pub fn map<T>(self, mut read: impl FnMut(&str, Item<'_>) -> Option<T>) -> Option<BTreeMap<String, T>> {
        let Some((table, _)) = table_of(self.value, &self.span) else {
            let hint = self.place.table_hint();
            return self.refuse_kind("a table", &hint);
        };
        let mut entries = Vec::with_capacity(table.len());
        for (key, value) in table {
            let item = Item {
                place: self.place.child(key.get_ref()),
                value: value.get_ref(),
                span: value.span(),
                sink: &mut *self.sink,
            };
            let value = read(key.get_ref(), item);
            entries.push(value.map(|value| (key.get_ref().to_string(), value)));
        }
        entries.into_iter().collect()
    }

    /// A table; what `read` did not ask for is reported.
    pub fn table<T>(self, read: impl FnOnce(&mut Fields<'_>) -> Option<T>) -> Option<T> {
        let Some((table, start)) = table_of(self.value, &self.span) else {
            let hint = self.place.table_hint();
            return self.refuse_kind("a table", &hint);
        };
        let mut fields =
            Fields { table, start, place: self.place, known: Vec::new(), judged: true, sink: self.sink };
        let value = read(&mut fields);
        fields.finish();
        value
    }

    /// A list of tables.
    pub(super) fn tables<T>(self, mut read: impl FnMut(usize, &mut Fields<'_>) -> Option<T>) -> Vec<T> {
        let brackets = format!("write [[{}]] for each of them", self.place.name);
        let Some(array) = self.value.as_array().filter(|array| !array.is_empty()) else {
            self.refuse_kind::<T>("a list of tables", &brackets);
            return Vec::new();
        };
        let mut found = Vec::new();
        for (number, value) in array.iter().enumerate() {
            let place = self.place.element(number);
            let item = Item { place, value: value.get_ref(), span: value.span(), sink: &mut *self.sink };
            if item.is_table() {
                found.extend(item.table(|fields| read(number, fields)));
            } else {
                found.extend(item.refuse_kind("a list of tables", &brackets));
            }
        }
        found
    }
}

fn no_such_word(text: &str, words: &[&'static str]) -> Fault {
    let meant = nearest(text, words.iter().copied());
    let meant = meant.map_or_else(String::new, |word| format!("did you mean \"{word}\"? "));
    Fault::new(format!("cannot be {}", quoted(text)), format!("{meant}possible: {}", words.join(", ")))
}
