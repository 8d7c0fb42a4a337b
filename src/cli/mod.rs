//! Floor 6: the command line. What was asked for, and how the answer looks.
//!
//! Everything here but [`logging`] and [`progress`] is plain functions from values to text: nothing calls a cloud or
//! reads the configuration. `main` joins the parts: [`parse`] → a command → a snapshot → [`report`] or [`explain`] →
//! standard output and an [`Exit`].

use std::io::{self, Write as _};
use std::process::ExitCode;

pub mod args;
mod bundle;
mod client;
pub mod commands;
pub mod doctor;
pub mod explain;
pub mod logging;
pub mod manual;
pub mod progress;
mod renewing;
pub mod report;
mod select;
mod tell;
mod text;

#[cfg(test)]
mod testing;

pub use args::{Arguments, Command, Refusal, parse};

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; for `check`: all fine.
    Ok,
    /// `check`: something ends within `--warning`.
    Warning,
    /// `check`: something ends within `--critical` or is over.
    Critical,
    /// `check`: could not look.
    Unknown,
    /// Tried and failed.
    Failed,
    /// Not a command line that this version understands (`EX_USAGE`).
    Usage,
    /// The configuration is missing or wrong (`EX_CONFIG`).
    Config,
}

impl Exit {
    /// What the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning | Self::Failed => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
            Self::Usage => 64,
            Self::Config => 78,
        }
    }

    /// The same end by the convention of monitoring plugins, where 1 and 2 speak of certificates and everything that
    /// kept `check` from looking is 3.
    #[must_use]
    pub fn of_check(self) -> Self {
        match self {
            Self::Failed | Self::Usage | Self::Config => Self::Unknown,
            told => told,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Prints a result. Whoever reads it may stop reading (`check | head`): that is no failure.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// Whether to colour: only on a terminal, and not where `$NO_COLOR` is set to something (no-color.org).
pub fn wants_colour(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_documented_ones() {
        for (exit, code, of_check) in [
            (Exit::Ok, 0, 0),
            (Exit::Warning, 1, 1),
            (Exit::Critical, 2, 2),
            (Exit::Unknown, 3, 3),
            (Exit::Failed, 1, 3),
            (Exit::Usage, 64, 3),
            (Exit::Config, 78, 3),
        ] {
            assert_eq!((exit.code(), exit.of_check().code()), (code, of_check), "{exit:?}");
        }
    }
}
