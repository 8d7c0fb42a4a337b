//! The short forms of reading: one key, one kind of value.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::text::Fault;
use super::{Fields, SecretSetting};

impl Fields<'_> {
    /// Any text that is not empty.
    pub fn string(&mut self, key: &'static str) -> Option<String> {
        self.item(key)?.string()
    }

    /// A text that `parse` understands.
    pub fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Option<T> {
        self.item(key)?.parsed(parse)
    }

    /// A list of texts, at least one, each of which `parse` understands.
    pub fn list<T>(
        &mut self,
        key: &'static str,
        mut parse: impl FnMut(&str) -> Result<T, Fault>,
    ) -> Option<Vec<T>> {
        self.item(key)?.list(|item| item.parsed(&mut parse))
    }

    /// One text or a list of them.
    pub fn texts<T>(
        &mut self,
        key: &'static str,
        mut parse: impl FnMut(&str) -> Result<T, Fault>,
    ) -> Option<Vec<T>> {
        let item = self.item(key)?;
        if item.is_list() {
            item.list(|item| item.parsed(&mut parse))
        } else {
            Some(vec![item.parsed(parse)?])
        }
    }

    /// A duration within limits.
    pub fn duration(&mut self, key: &'static str, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.item(key)?.duration(range)
    }

    /// A whole number within limits.
    pub fn integer(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        self.item(key)?.integer(range)
    }

    /// A number above zero.
    pub fn positive(&mut self, key: &'static str) -> Option<f64> {
        self.item(key)?.positive()
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        self.item(key)?.boolean()
    }

    /// One of some words.
    pub fn choice(&mut self, key: &'static str, words: &[&'static str]) -> Option<&'static str> {
        self.item(key)?.choice(words)
    }

    /// A secret; a literal one must pass `check`.
    pub fn secret(
        &mut self,
        key: &'static str,
        check: impl Fn(&str) -> Result<(), Fault>,
    ) -> Option<SecretSetting> {
        self.item(key)?.secret(check)
    }

    /// One secret or a list of them.
    pub fn secrets(
        &mut self,
        key: &'static str,
        check: impl Fn(&str) -> Result<(), Fault>,
    ) -> Option<Vec<SecretSetting>> {
        let item = self.item(key)?;
        if item.is_list() { item.list(|item| item.secret(&check)) } else { Some(vec![item.secret(check)?]) }
    }

    /// A table.
    pub fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Fields<'_>) -> Option<T>,
    ) -> Option<T> {
        self.item(key)?.table(read)
    }

    /// A list of tables, `[[key]]`; `read` also gets the number of each, from 0. Those with problems are left out.
    pub fn tables<T>(
        &mut self,
        key: &'static str,
        read: impl FnMut(usize, &mut Fields<'_>) -> Option<T>,
    ) -> Vec<T> {
        self.item(key).map_or_else(Vec::new, |item| item.tables(read))
    }
}
