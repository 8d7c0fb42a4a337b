//! Names that an operator gives: how they may look, and that none is given twice.

use std::collections::BTreeMap;

use crate::fields::{Fault, Fields};
use crate::problem::{named, quoted};

/// Long enough for any name, short enough for a label and a column.
const LONGEST: usize = 64;

/// The names of one kind of table, with the line where each was given.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<String, usize>);

impl Names {
    /// Reads `name` of the table number `number` (from 0); later messages about the table begin with it.
    pub(super) fn claim(&mut self, kind: &str, number: usize, fields: &mut Fields<'_>) -> Option<String> {
        let context = match fields.peek("name") {
            Some(name) if !name.is_empty() => format!("{kind} {}", named(name)),
            _ => format!("{kind} {}", number + 1),
        };
        fields.set_context(&context);
        let name = fields.require("name", "name = \"prod\"").parsed("name", name)?;
        let line = fields.position("name").line;
        if let Some(first) = self.0.get(&name) {
            let predicate = format!("is taken by another {kind} in line {first}");
            fields.problem("name", &predicate, "give each a name of its own");
            return None;
        }
        self.0.insert(name.clone(), line);
        Some(name)
    }

    /// All names, in alphabetical order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Goes into labels, paths and commands: no blanks, nothing that needs quotes.
fn name(text: &str) -> Result<String, Fault> {
    if text.chars().any(|c| !c.is_alphanumeric() && !"-_.".contains(c)) {
        let message = format!("may hold letters, digits, `-`, `_` and `.`, found {}", quoted(text));
        return Err(Fault::new(message, ""));
    }
    if text.chars().count() > LONGEST {
        return Err(Fault::new(format!("must not be longer than {LONGEST} characters"), ""));
    }
    Ok(text.to_owned())
}

/// A cloud's id of a region or a project.
pub(super) fn id(text: &str) -> Result<String, Fault> {
    if text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
        return Ok(text.to_owned());
    }
    Err(Fault::new(format!("is no id: found {}", quoted(text)), "an id has letters, digits, `-` and `_`"))
}

/// Refuses what stands in a list twice.
pub(super) fn unique<T>(parse: impl Fn(&str) -> Result<T, Fault>) -> impl FnMut(&str) -> Result<T, Fault> {
    let mut seen = Vec::new();
    move |text| {
        let value = parse(text)?;
        if seen.iter().any(|known| known == text) {
            return Err(Fault::new(format!("names {} twice", quoted(text)), "once is enough"));
        }
        seen.push(text.to_owned());
        Ok(value)
    }
}
