//! From text to [`Matcher`], with the character at which reading failed.

use regex_lite::{Regex, RegexBuilder};

use super::label::{Label, LabelSet, WORDS, is_bare};
use super::{Matcher, Op, Term};
use crate::domain::nearest::nearest;

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (character {column} of the expression)")]
pub struct MatcherError {
    /// Character of the text it is about, from 1.
    pub column: usize,
    /// What is wrong; reads well behind "the expression".
    pub message: String,
    /// A way out.
    pub hint: String,
}

const SHAPE: &str = r#"label OP "value", joined by commas; OP is one of = != =~ !~, for example cloud_service="redis", tag:env=~"prod|staging""#;

/// Walks over the text once, from left to right.
pub(super) struct Reader<'t> {
    text: &'t str,
    at: usize,
    allowed: LabelSet,
    limit: Limit,
}

/// What an expression may cost. A short pattern can stand for a very large machine (`a{200000}`).
#[derive(Clone, Copy)]
pub(super) struct Limit {
    /// Bytes of the whole expression.
    pub text: usize,
    /// Patterns in it.
    pub patterns: usize,
    /// Bytes that a pattern takes in memory; it is matched state by state.
    pub pattern: usize,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str, allowed: LabelSet, limit: Limit) -> Self {
        Self { text, at: 0, allowed, limit }
    }

    pub(super) fn matcher(mut self) -> Result<Matcher, MatcherError> {
        let mut terms = Vec::new();
        if self.text.len() > self.limit.text {
            let most = format!("{} bytes at most", self.limit.text);
            return Err(self.error("is too long", most));
        }
        self.skip_blanks();
        if self.rest().is_empty() {
            return Err(self.error("is empty", SHAPE));
        }
        loop {
            terms.push(self.term()?);
            if terms.iter().filter(|term| term.pattern.is_some()).count() > self.limit.patterns {
                return Err(self.error("has too many patterns", format!("{} at most", self.limit.patterns)));
            }
            self.skip_blanks();
            if self.rest().is_empty() {
                return Ok(Matcher { terms });
            }
            if !self.take(",") {
                return Err(self.error("has something behind a value that is no comma", SHAPE));
            }
            self.skip_blanks();
            if self.rest().is_empty() {
                return Err(self.error("ends with a comma", "take the last comma away"));
            }
        }
    }

    fn term(&mut self) -> Result<Term, MatcherError> {
        let label = self.label()?;
        self.skip_blanks();
        let op = self.op()?;
        self.skip_blanks();
        let start = self.at;
        let value = self.quoted(&label, op)?;
        let pattern = match op {
            Op::Is | Op::IsNot => None,
            Op::Like | Op::NotLike => {
                let pattern = whole(&value, self.limit.pattern);
                Some(pattern.map_err(|why| self.error_at(start, why.0, why.1))?)
            }
        };
        Ok(Term { label, op, value: value.into(), pattern })
    }

    fn label(&mut self) -> Result<Label, MatcherError> {
        let start = self.at;
        let name = self.word();
        let label = match name.split_once(':') {
            Some(("tag", _)) => Label::Tag(self.key(start + "tag:".len())?.into()),
            Some(("label", _)) => Label::AccountLabel(self.key(start + "label:".len())?.into()),
            _ => self.plain_label(start, name)?,
        };
        if self.allowed.contains(&label) {
            return Ok(label);
        }
        let hint = format!("possible here: {}", self.possible());
        Err(self.error_at(start, format!("cannot ask for `{label}` here"), hint))
    }

    fn plain_label(&self, start: usize, name: &str) -> Result<Label, MatcherError> {
        if name.is_empty() {
            return Err(self.error_at(start, "has no label where one is expected", SHAPE));
        }
        if let Some((_, label)) = WORDS.iter().find(|(word, _)| *word == name) {
            return Ok(label.clone());
        }
        let close = nearest(name, self.allowed.words());
        let meant = close.map_or_else(String::new, |word| format!("did you mean `{word}`? "));
        let shown: String = name.chars().take(40).collect();
        let hint = format!("{meant}possible here: {}", self.possible());
        Err(self.error_at(start, format!("asks for an unknown label `{shown}`"), hint))
    }

    fn possible(&self) -> String {
        let words: Vec<_> = self.allowed.words().chain(["tag:KEY", "label:KEY"]).collect();
        words.join(", ")
    }

    /// The key that begins at `start`, behind `tag:` or `label:`.
    fn key(&mut self, start: usize) -> Result<String, MatcherError> {
        let key = if self.text[start..].starts_with('"') {
            self.at = start;
            self.between_quotes()?
        } else {
            self.text[start..self.at].to_owned()
        };
        let hint = "tag:KEY or label:KEY, for example tag:env=\"prod\"";
        if key.is_empty() { Err(self.error_at(start, "names no key", hint)) } else { Ok(key) }
    }

    fn op(&mut self) -> Result<Op, MatcherError> {
        if self.rest().starts_with("==") {
            return Err(self.error("has `==`", "one `=` is enough"));
        }
        let known = [Op::Like, Op::NotLike, Op::IsNot, Op::Is];
        let found = known.into_iter().find(|op| self.take(op.as_str()));
        found.ok_or_else(|| self.error("has no `=`, `!=`, `=~` or `!~` behind a label", SHAPE))
    }

    fn quoted(&mut self, label: &Label, op: Op) -> Result<String, MatcherError> {
        if self.rest().starts_with('"') {
            return self.between_quotes();
        }
        let hint = format!("{label}{}\"…\"", op.as_str());
        Err(self.error("has a value without double quotes", hint))
    }

    fn between_quotes(&mut self) -> Result<String, MatcherError> {
        let start = self.at;
        let mut text = String::new();
        let mut characters = self.text[start + 1..].char_indices().peekable();
        while let Some((offset, character)) = characters.next() {
            match (character, characters.peek()) {
                ('"', _) => {
                    self.at = start + 1 + offset + 1;
                    return Ok(text);
                }
                ('\\', Some(&(_, escaped @ ('"' | '\\')))) => {
                    text.push(escaped);
                    characters.next();
                }
                _ => text.push(character),
            }
        }
        Err(self.error_at(start, "has a quote that is not closed", r#"a quote inside a value is written \""#))
    }

    /// What may be a label, as far as it goes.
    fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !is_bare(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn take(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        self.at += if found { expected.len() } else { 0 };
        found
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn error(&self, message: impl Into<String>, hint: impl Into<String>) -> MatcherError {
        self.error_at(self.at, message, hint)
    }

    fn error_at(&self, at: usize, message: impl Into<String>, hint: impl Into<String>) -> MatcherError {
        let column = self.text[..at].chars().count() + 1;
        MatcherError { column, message: message.into(), hint: hint.into() }
    }
}

/// A pattern that matches whole values only, or what is wrong with it and a way out.
fn whole(pattern: &str, limit: usize) -> Result<Regex, (String, String)> {
    let refused = |error: regex_lite::Error| {
        let hint = "write a plain character of that kind with a backslash in front: \\. \\( \\*";
        (format!("has a regular expression that cannot be read: {error}"), hint.to_owned())
    };
    // alone first: inside the group, `a)(b` would be read as something else
    let read = |pattern: &str| RegexBuilder::new(pattern).size_limit(limit).build();
    read(pattern).map_err(refused)?;
    read(&format!("^(?:{pattern})$")).map_err(refused)
}
