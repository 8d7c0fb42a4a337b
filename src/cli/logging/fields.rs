//! Fields of an event as text that stays in its line and in its field.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{FormatFields, Writer};

use crate::visible::visible;

/// Writes fields as `name=value`. Everything is one line; a value that could be read as several words is in quotes.
pub(super) struct SafeFields;

impl<'w> FormatFields<'w> for SafeFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut visitor = SafeVisitor { writer, empty: true, result: Ok(()) };
        fields.record(&mut visitor);
        visitor.result
    }
}

struct SafeVisitor<'w> {
    writer: Writer<'w>,
    empty: bool,
    result: fmt::Result,
}

impl SafeVisitor<'_> {
    fn write(&mut self, field: &Field, value: &str) -> fmt::Result {
        if !std::mem::take(&mut self.empty) {
            self.writer.write_char(' ')?;
        }
        let name = field.name();
        match (name == "message", self.writer.has_ansi_escapes()) {
            (true, _) => {}
            (false, true) => write!(self.writer, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m")?,
            (false, false) => write!(self.writer, "{name}=")?,
        }
        self.writer.write_str(&visible(value))
    }
}

impl Visit for SafeVisitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let message = field.name() == "message";
        if message {
            self.record_debug(field, &format_args!("{value}"));
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let causes = std::iter::successors(Some(value), |error| error.source());
        let whole: Vec<_> = causes.map(ToString::to_string).collect();
        self.record_debug(field, &whole.join(": "));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // what the `log` crate's events carry beside their message was shown already
        if self.result.is_err() || field.name().starts_with("log.") {
            return;
        }
        let mut value = format!("{value:?}");
        if field.name() != "message" && !is_one_word(&value) {
            value = format!("{value:?}");
        }
        self.result = self.write(field, &value);
    }
}

/// One word without quotes, or one text in quotes.
fn is_one_word(value: &str) -> bool {
    let Some(inside) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c == '"' || c == '=');
    };
    let mut characters = inside.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return false,
            '\\' if characters.next().is_none() => return false,
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_one_word_is_told_from_what_is_several() {
        for (value, want) in [
            ("word", true),
            ("订单", true),
            ("12.5ms", true),
            (r#""two words""#, true),
            (r#""a \" b""#, true),
            ("two words", false),
            ("a=b", false),
            ("", false),
            (r#""a" b="c""#, false),
            (r#""a\"#, false),
            (r#"""#, false),
        ] {
            assert_eq!(is_one_word(value), want, "{value}");
        }
    }
}
