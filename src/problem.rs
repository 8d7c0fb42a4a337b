//! What is wrong with a file that a person wrote: where, what, and a way out.
//!
//! A problem never carries the line it stands on: that line may be the one with the secret. Whoever reports decides
//! which words of the file may be repeated; [`quoted`] makes those safe to print. Made by `fields` and `config`,
//! shown by the command line and by a failed reload.

use std::fmt::{self, Write as _};

use crate::visible::shortened;

/// How many problems of one file are printed; more would hide the first ones.
const SHOWN: usize = 100;

/// How much of a text from the file is repeated in a message.
const QUOTED: usize = 48;

/// A place in a file, both counted from 1; the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Character in that line.
    pub column: usize,
}

/// Translates byte offsets into [`Position`]s without keeping the text itself.
#[derive(Debug, Clone, Default)]
pub struct Positions {
    line_starts: Vec<usize>,
    inside_characters: Vec<usize>,
}

impl Positions {
    /// Learns where the lines and characters of `text` begin.
    pub fn new(text: &str) -> Self {
        let bytes = || text.bytes().enumerate();
        let starts = bytes().filter(|&(_, byte)| byte == b'\n').map(|(offset, _)| offset + 1);
        let inside = bytes().filter(|&(_, byte)| byte & 0xc0 == 0x80).map(|(offset, _)| offset);
        Self { line_starts: std::iter::once(0).chain(starts).collect(), inside_characters: inside.collect() }
    }

    /// The place of a byte offset.
    pub fn of(&self, offset: usize) -> Position {
        let line = self.line_starts.partition_point(|&start| start <= offset).max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let before = |limit: usize| self.inside_characters.partition_point(|&byte| byte < limit);
        let extra = before(offset) - before(start);
        Position { line, column: offset - start - extra + 1 }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// Character in the line, from 1.
    pub column: usize,
    /// Dotted path of what it is about, `account[0].credentials.access_key_id`; empty for the file as a whole.
    pub key: String,
    /// The whole sentence, lower case, without full stop.
    pub message: String,
    /// A way out.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem at `position`.
    pub fn new(position: Position, key: impl Into<String>, message: impl Into<String>) -> Self {
        let Position { line, column } = position;
        Self { line, column, key: key.into(), message: message.into(), hint: None }
    }

    /// The same problem with a way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// `12:5: account …` and the hint on lines of its own.
    fn write(&self, file: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, message, .. } = self;
        write!(f, "{file}:{line}:{column}: {message}")?;
        let hint = self.hint.iter().flat_map(|hint| hint.lines().enumerate());
        for (number, text) in hint {
            let lead = if number == 0 { "hint: " } else { "      " };
            write!(f, "\n  {lead}{text}")?;
        }
        Ok(())
    }
}

/// Everything that is wrong with one file, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    file: String,
    list: Vec<Problem>,
}

impl Problems {
    /// Nothing is wrong with `file` yet.
    pub fn new(file: impl Into<String>) -> Self {
        Self { file: file.into(), list: Vec::new() }
    }

    /// Adds one at its place in the file; the same words at the same place are kept once.
    pub fn push(&mut self, problem: Problem) {
        let order = |p: &Problem| (p.line, p.column);
        let slot = self.list.partition_point(|known| order(known) <= order(&problem));
        if !self.list[..slot].contains(&problem) {
            self.list.insert(slot, problem);
        }
    }

    /// Name of the file, as given.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// In the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether the file is fine.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl fmt::Display for Problems {
    /// `config.toml:12:5: account `prod`: `regions` must …`, one after the other.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.list.iter().take(SHOWN).enumerate() {
            if number > 0 {
                f.write_char('\n')?;
            }
            problem.write(&self.file, f)?;
        }
        match self.list.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n{}: and {more} more", self.file),
        }
    }
}

impl std::error::Error for Problems {}

/// A text from the file in quotes: shortened, and with nothing in it that could move a cursor.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", shortened(text, QUOTED))
}

/// A name from the file in backticks, made safe like [`quoted`].
pub fn named(text: &str) -> String {
    format!("`{}`", shortened(text, QUOTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters() {
        let positions = Positions::new("a\n订单 = 1\n");
        for (name, offset, line, column) in [
            ("the very first", 0, 1, 1),
            ("the end of a line", 1, 1, 2),
            ("the begin of a line", 2, 2, 1),
            ("behind two wide characters", 8, 2, 3),
            ("the end of the file", 13, 3, 1),
        ] {
            assert_eq!(positions.of(offset), Position { line, column }, "{name}");
        }
    }

    #[test]
    fn problems_are_shown_in_the_order_of_the_file() {
        let mut problems = Problems::new("config.toml");
        problems.push(Problem::new(Position { line: 9, column: 1 }, "web", "second").hint("do\nthis"));
        problems.push(Problem::new(Position { line: 2, column: 5 }, "poll", "first"));
        problems.push(Problem::new(Position { line: 2, column: 5 }, "poll", "first"));
        let want = "config.toml:2:5: first\nconfig.toml:9:1: second\n  hint: do\n        this";
        assert_eq!(problems.to_string(), want);
    }

    #[test]
    fn a_flood_of_problems_is_cut() {
        let mut problems = Problems::new("c");
        for line in 1..=SHOWN + 5 {
            problems.push(Problem::new(Position { line, column: 1 }, "", "x"));
        }
        assert!(problems.to_string().ends_with("c: and 5 more"));
    }

    #[test]
    fn repeated_text_cannot_move_a_cursor() {
        assert_eq!(quoted("a\u{1b}[2J\n"), "\"a\\u{1b}[2J\\n\"");
        assert_eq!(quoted("a\u{202e}b"), "\"a\\u{202e}b\"");
        assert_eq!(quoted(&"x".repeat(1_000_000)).chars().count(), QUOTED + 3);
    }
}
