//! The text format, version 0.0.4: how names, labels and numbers are written.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use chrono::{DateTime, Utc};

use super::catalogue::Family;
use crate::domain::identity::Scope;

/// The labels of a scope are hardly ever longer.
const SCOPE_LABELS: usize = 192;

/// `# HELP` and `# TYPE` of a family.
pub(super) fn header(out: &mut BytesMut, family: &Family) {
    for part in ["# HELP ", family.name, " "] {
        out.extend_from_slice(part.as_bytes());
    }
    escape(out, family.help, Quoted::No);
    for part in ["\n# TYPE ", family.name, " ", family.kind.as_str(), "\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// A whole family that has a single value and no labels.
pub(super) fn single(out: &mut BytesMut, family: &Family, value: impl FnOnce(&mut BytesMut)) {
    header(out, family);
    sample(out, family.name, &[], value);
}

/// One line.
pub(super) fn sample(
    out: &mut BytesMut,
    name: &str,
    labels: &[(&str, &str)],
    value: impl FnOnce(&mut BytesMut),
) {
    out.extend_from_slice(name.as_bytes());
    for (n, (name, value)) in labels.iter().enumerate() {
        out.extend_from_slice(if n == 0 { b"{" } else { b"," });
        label(out, name, value);
    }
    out.extend_from_slice(if labels.is_empty() { b" " } else { b"} " });
    value(out);
    out.extend_from_slice(b"\n");
}

/// The labels of a scope, without braces.
pub(super) fn scope_labels(scope: &Scope) -> BytesMut {
    let mut out = BytesMut::with_capacity(SCOPE_LABELS);
    write_scope_labels(&mut out, scope);
    out
}

/// The labels of many scopes, one after the other in the same memory.
pub(super) fn labels_of_scopes<'s>(
    scopes: impl ExactSizeIterator<Item = &'s Arc<Scope>>,
) -> impl Iterator<Item = BytesMut> {
    let mut out = BytesMut::with_capacity(SCOPE_LABELS * scopes.len());
    scopes.map(move |scope| {
        write_scope_labels(&mut out, scope);
        out.split()
    })
}

fn write_scope_labels(out: &mut BytesMut, scope: &Scope) {
    for (n, (name, value)) in scope.labels().into_iter().enumerate() {
        if n > 0 {
            out.extend_from_slice(b",");
        }
        label(out, name, value);
    }
}

/// `name="value"`.
pub(super) fn label(out: &mut BytesMut, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    label_value(out, value);
    out.extend_from_slice(b"\"");
}

/// A label value, without its quotes.
pub(super) fn label_value(out: &mut BytesMut, value: &str) {
    escape(out, value, Quoted::Yes);
}

/// A whole number.
pub(super) fn integer(out: &mut BytesMut, value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = value;
    loop {
        at -= 1;
        digits[at] = b'0' + last_digit(rest);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// A number that is measured rather than counted.
pub(super) fn float(out: &mut BytesMut, value: f64) {
    write!(out, "{value}").expect("writing into memory cannot fail");
}

/// Yes or no.
pub(super) fn boolean(out: &mut BytesMut, value: bool) {
    out.extend_from_slice(if value { b"1" } else { b"0" });
}

/// A moment in unix seconds, down to milliseconds where it has some; finer, a reader's float could not hold it.
pub(super) fn timestamp(out: &mut BytesMut, at: DateTime<Utc>) {
    let millis = at.timestamp_millis();
    if millis < 0 {
        out.extend_from_slice(b"-");
    }
    decimal::<3>(out, millis.unsigned_abs());
}

/// A duration in seconds, down to microseconds.
pub(super) fn seconds(out: &mut BytesMut, duration: Duration) {
    decimal::<6>(out, u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
}

/// `value / 10^PLACES`, without zeros at the end.
fn decimal<const PLACES: usize>(out: &mut BytesMut, value: u64) {
    let mut fraction = [b'0'; PLACES];
    let mut rest = value;
    for digit in fraction.iter_mut().rev() {
        *digit = b'0' + last_digit(rest);
        rest /= 10;
    }
    integer(out, rest);
    if let Some(last) = fraction.iter().rposition(|digit| *digit != b'0') {
        out.extend_from_slice(b".");
        out.extend_from_slice(&fraction[..=last]);
    }
}

#[allow(clippy::cast_possible_truncation)] // a digit
fn last_digit(value: u64) -> u8 {
    (value % 10) as u8
}

#[derive(Clone, Copy, PartialEq)]
enum Quoted {
    Yes,
    No,
}

fn escape(out: &mut BytesMut, text: &str, quoted: Quoted) {
    let mut rest = text.as_bytes();
    let special = |byte: &u8| matches!(byte, b'\\' | b'\n') || (*byte == b'"' && quoted == Quoted::Yes);
    // Nearly all texts are plain. Without a way out of the loop the compiler looks at many bytes at once.
    if !rest.iter().fold(false, |found, byte| found | special(byte)) {
        out.extend_from_slice(rest);
        return;
    }
    while let Some(at) = rest.iter().position(special) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(match rest[at] {
            b'\n' => b"\\n",
            b'"' => b"\\\"",
            _ => b"\\\\",
        });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::metrics::catalogue::Kind;

    fn written(write: impl FnOnce(&mut BytesMut)) -> String {
        let mut out = BytesMut::new();
        write(&mut out);
        String::from_utf8(out.to_vec()).expect("text")
    }

    #[test]
    fn label_values_are_escaped_exactly() {
        for (value, want) in [
            ("", ""),
            ("plain", "plain"),
            ("back\\slash", "back\\\\slash"),
            ("quo\"te", "quo\\\"te"),
            ("new\nline", "new\\nline"),
            ("\\n", "\\\\n"),
            ("\"\\\n\"", "\\\"\\\\\\n\\\""),
            ("tab\tand\rreturn stay", "tab\tand\rreturn stay"),
            ("订单-主库", "订单-主库"),
            ("brace}{,=", "brace}{,="),
        ] {
            assert_eq!(written(|out| label_value(out, value)), want, "{value:?}");
        }
    }

    #[test]
    fn help_keeps_its_quotes() {
        let family = Family { name: "x", kind: Kind::Counter, labels: &[], help: "a \"b\"\nc\\d" };
        assert_eq!(written(|out| header(out, &family)), "# HELP x a \"b\"\\nc\\\\d\n# TYPE x counter\n");
    }

    #[test]
    fn moments_are_whole_seconds_or_have_a_short_fraction() {
        let epoch = DateTime::<Utc>::UNIX_EPOCH;
        for (millis, want) in [
            (0, "0"),
            (1_795_334_400_000, "1795334400"),
            (1_795_334_400_500, "1795334400.5"),
            (1_795_334_400_007, "1795334400.007"),
            (1_795_334_400_120, "1795334400.12"),
            (-1, "-0.001"),
            (-1_500, "-1.5"),
            (253_402_300_799_000, "253402300799"),
        ] {
            assert_eq!(
                written(|out| timestamp(out, epoch + TimeDelta::milliseconds(millis))),
                want,
                "{millis}"
            );
        }
        for extreme in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let text = written(|out| timestamp(out, extreme));
            assert!(text.parse::<f64>().is_ok(), "{text}");
        }
    }

    #[test]
    fn numbers_are_written_as_they_are() {
        for value in [0, 9, 10, 99, 100, 12_345, u64::MAX] {
            assert_eq!(written(|out| integer(out, value)), value.to_string());
        }
        for (micros, want) in [(0, "0"), (1, "0.000001"), (1_250_000, "1.25"), (61_000_000, "61")] {
            assert_eq!(written(|out| seconds(out, Duration::from_micros(micros))), want);
        }
        for (value, want) in [(3.0, "3"), (0.5, "0.5"), (1.0 / 3.0, "0.3333333333333333")] {
            assert_eq!(written(|out| float(out, value)), want);
        }
    }
}
