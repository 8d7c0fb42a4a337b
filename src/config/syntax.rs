//! Text that is no TOML: the words of the parser, with a way out for the mistakes that people make most.

use toml::de::Error;

use crate::fields::Sink;
use crate::problem::named;

/// Adds one syntax error. The parser's `message` never repeats what stands in the file; its `Display` would.
pub(super) fn report(error: &Error, text: &str, sink: &mut Sink) {
    let span = error.span().unwrap_or(0..0);
    let written = text.get(span.clone()).unwrap_or_default();
    let (message, hint) = explain(error.message(), written);
    sink.problem_at(span.start, "", message, hint.map(str::to_owned));
}

fn explain(message: &str, written: &str) -> (String, Option<&'static str>) {
    if message.starts_with("string values must be quoted") {
        return match written {
            "" => ("the value is missing".to_owned(), None),
            _ => (
                "text must stand in quotes".to_owned(),
                Some("name = \"prod\"; durations too: max_age = \"6h\""),
            ),
        };
    }
    if message == "duplicate key" {
        let hint =
            "write each key and each [table] once; only lists of tables such as [[account]] are repeated";
        return (format!("{} stands in this table already", named(&key(written))), Some(hint));
    }
    if message.starts_with("missing escaped value") {
        let hint = "a backslash inside \"…\" is written twice; inside '…' it stands for itself";
        return (format!("not valid TOML: {message}"), Some(hint));
    }
    (format!("not valid TOML: {message}"), None)
}

/// The last part of a key, which is what a duplicate is reported for.
fn key(written: &str) -> String {
    let plain = written.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
    if plain && !written.is_empty() { written.to_owned() } else { "the key".to_owned() }
}
