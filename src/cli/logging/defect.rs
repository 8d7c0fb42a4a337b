//! A panic is a defect of ours: it is told in the log, in the form of the log, wherever it happens.
//!
//! What becomes of it is not decided here. Where a wall stands around the work (one look, one answer, one message) the rest
//! goes on; a loop that ends so ends the daemon, and the service manager starts it anew.

use std::any::Any;
use std::panic::{self, PanicHookInfo};

use tracing::Level;

use crate::visible::shortened;

/// No message of ours is longer.
const LONGEST: usize = 200;

/// From now on a panic is an event.
pub(super) fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let (panic, at) = (message(info.payload()), place(info));
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("without a name");
        if tracing::enabled!(Level::ERROR) {
            tracing::error!(panic, at, thread, "a panic, which is a defect of notafter: please report it");
        } else {
            eprintln!("notafter: a panic at {at}, which is a defect of notafter: {panic}");
        }
    }));
}

fn place(info: &PanicHookInfo<'_>) -> String {
    info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string)
}

/// What was said, up to where a value begins: behind a colon or a quote stands what was worked on (`expect` shows the error,
/// cutting a text shows the text), and that may hold a secret. Numbers are none.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("something that is no text");
    let end = if text.starts_with("index out of bounds: ") {
        text.len()
    } else {
        text.find([':', '`', '"', '\'', '\n']).unwrap_or(text.len())
    };
    shortened(text[..end].trim_end(), LONGEST).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_told_up_to_where_a_value_begins() {
        let cut = std::panic::catch_unwind(|| {
            let text = String::from("证PLANTED");
            let middle = text.len() - 9;
            text[..middle].len()
        });
        let cut = message(&*cut.expect_err("in the middle of a character"));
        assert!(!cut.contains("PLANTED") && cut.contains("char boundary"), "{cut}");
        for (text, want) in [
            ("the invariant holds: Err(\"PLANTED\")", "the invariant holds"),
            ("the invariant holds", "the invariant holds"),
            ("no such `PLANTED`", "no such"),
            ("a\nPLANTED", "a"),
            (
                "index out of bounds: the len is 3 but the index is 5",
                "index out of bounds: the len is 3 but the index is 5",
            ),
        ] {
            assert_eq!(message(&text), want);
            assert_eq!(message(&text.to_owned()), want);
        }
        assert_eq!(message(&7_u8), "something that is no text");
    }
}
