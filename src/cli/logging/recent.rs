//! The last warnings and errors, kept in memory for a support bundle: as they were written to the log, so with as little in
//! them that must not be seen.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// So many lines are kept, the youngest ones.
const MOST: usize = 500;
/// A longer line is cut.
const LONGEST: usize = 2048;

/// The lines. Clones are the same ones.
#[derive(Clone, Default)]
pub(super) struct Recent(Arc<Mutex<VecDeque<String>>>);

impl Recent {
    /// The oldest first.
    pub(super) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl<'w> MakeWriter<'w> for Recent {
    type Writer = &'w Self;

    fn make_writer(&'w self) -> Self::Writer {
        self
    }
}

impl io::Write for &Recent {
    /// Called once for each event, with the whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let text: String = text.trim_end().chars().take(LONGEST).collect();
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= MOST {
            lines.pop_front();
        }
        lines.push_back(text);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_youngest_lines_stay_and_none_is_endless() {
        let recent = Recent::default();
        for number in 0..MOST + 7 {
            (&recent).write_all(format!("line {number}\n").as_bytes()).expect("memory");
        }
        (&recent).write_all("x".repeat(3 * LONGEST).as_bytes()).expect("memory");
        let lines = recent.lines();
        assert_eq!((lines.len(), lines[0].as_str()), (MOST, "line 8"));
        assert_eq!(lines[MOST - 1].len(), LONGEST);
    }
}
