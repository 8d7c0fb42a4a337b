//! A progress bar for people who wait for `check`; where nobody watches standard error, nothing at all.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How far a round is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Looks that came back, well or not.
    pub done: usize,
    /// Looks that are known to be needed so far; grows while scopes are listed.
    pub known: usize,
    /// Looks that failed, of those that came back.
    pub failed: usize,
}

/// The bar on standard error. Clones are the same bar; it goes away with the last one.
#[derive(Debug, Clone)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar, if standard error is a terminal.
    pub fn on_stderr() -> Self {
        let progress = Self::on(ProgressDrawTarget::stderr());
        if !progress.bar.is_hidden() {
            progress.bar.enable_steady_tick(Duration::from_millis(200));
        }
        progress
    }

    fn on(target: ProgressDrawTarget) -> Self {
        let style = ProgressStyle::with_template("{spinner} {elapsed} [{wide_bar}] {pos}/{len}{msg}");
        let style = style.expect("the template is a constant").progress_chars("=> ");
        Self { bar: ProgressBar::with_draw_target(Some(0), target).with_style(style) }
    }

    /// Shows how far the round is.
    pub fn show(&self, Done { done, known, failed }: Done) {
        self.bar.set_length(known.max(done) as u64);
        self.bar.set_position(done as u64);
        self.bar.set_message(if failed == 0 { String::new() } else { format!(", {failed} failed") });
    }

    /// Lets something else be printed on the terminal meanwhile.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Takes the bar away, before the result is printed.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_a_round_whose_size_is_found_out_on_the_way() {
        let progress = Progress::on(ProgressDrawTarget::hidden());
        for (done, known, failed, length, message) in [
            (0, 0, 0, 0, ""),
            (3, 10, 0, 10, ""),
            (12, 10, 2, 12, ", 2 failed"),
            (40, 40, 2, 40, ", 2 failed"),
        ] {
            progress.show(Done { done, known, failed });
            assert_eq!((progress.bar.position(), progress.bar.length()), (done as u64, Some(length)));
            assert_eq!(progress.bar.message(), message);
        }
        progress.finish();
        assert!(progress.bar.is_finished());
    }

    #[test]
    fn what_is_printed_aside_is_printed_once() {
        let progress = Progress::on(ProgressDrawTarget::hidden());
        let mut printed = 0;
        progress.aside(|| printed += 1);
        assert_eq!(printed, 1);
    }
}
