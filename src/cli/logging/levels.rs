//! `--log-level` and `log-level`: what is logged, as people write it.

use std::fmt;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use crate::domain::nearest::nearest;
use crate::visible::visible;

/// Names of levels, quietest first.
const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

/// The parts of this program that have levels of their own, `notafter::NAME`; a test holds them against the modules.
const PARTS: [&str; 21] = [
    "call",
    "cli",
    "clock",
    "config",
    "daemon",
    "domain",
    "fields",
    "http",
    "metrics",
    "notifier",
    "problem",
    "provider",
    "secret",
    "shutdown",
    "sim",
    "stamp",
    "store",
    "systemd",
    "telemetry",
    "tls",
    "web",
];

/// What is logged: a level for everything, and other levels for some parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Levels {
    pub(super) targets: Targets,
    everything: LevelFilter,
    parts: Vec<(Box<str>, LevelFilter)>,
}

/// Why a text names no levels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LevelsError {
    /// Not one of the six words.
    #[error("`{written}` is no level{}; levels are off, error, warn, info, debug, trace", did_you_mean(*.meant))]
    Unknown {
        /// As written.
        written: String,
        /// The level that was probably meant.
        meant: Option<&'static str>,
    },
    /// Nothing between two commas, or before `=`.
    #[error("something is missing; write a level, and PART=LEVEL behind commas, as in `info,hyper=warn`")]
    Empty,
    /// No module of ours has this name.
    #[error("`{written}` is no part of notafter{}; its parts are notafter::NAME, NAME one of {}", did_you_mean_part(*.meant), PARTS.join(", "))]
    NoPart {
        /// As written.
        written: String,
        /// The name of the part that was probably meant.
        meant: Option<&'static str>,
    },
    /// Two levels for everything.
    #[error(
        "there are two levels for everything; write one, and PART=LEVEL for the rest, as in `info,hyper=warn`"
    )]
    Twice,
    /// Nobody writes that by hand.
    #[error("that is longer than {LONGEST} characters; name fewer parts")]
    TooLong,
}

/// Characters of what is wanted: each part is compared with every event.
const LONGEST: usize = 1000;

impl Levels {
    /// Reads `info`, `debug,hyper=warn` or `sqlx=error`. Without a level for everything, that is `info`: who quiets
    /// one part does not want to silence the others.
    pub fn parse(text: &str) -> Result<Self, LevelsError> {
        if text.len() > LONGEST {
            return Err(LevelsError::TooLong);
        }
        let mut parts = Vec::new();
        let mut everything = None;
        for word in text.split(',').map(str::trim) {
            match word.split_once('=') {
                Some((part, _)) if part.trim().is_empty() => return Err(LevelsError::Empty),
                Some((part, named)) => parts.push((known(part.trim())?.into(), level(named.trim())?)),
                None if word.is_empty() => return Err(LevelsError::Empty),
                None if everything.is_some() => return Err(LevelsError::Twice),
                None => everything = Some(level(word)?),
            }
        }
        Ok(Self::of(everything.unwrap_or(LevelFilter::INFO), parts))
    }

    /// What happens, and what is wrong.
    pub fn info() -> Self {
        Self::of(LevelFilter::INFO, Vec::new())
    }

    /// Only what nothing else tells.
    pub fn error() -> Self {
        Self::of(LevelFilter::ERROR, Vec::new())
    }

    fn of(everything: LevelFilter, parts: Vec<(Box<str>, LevelFilter)>) -> Self {
        let named = parts.iter().map(|(part, level)| (&**part, *level));
        let targets = Targets::new().with_default(everything).with_targets(named);
        Self { targets, everything, parts }
    }
}

impl fmt::Display for Levels {
    /// As it can be read again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.everything)?;
        self.parts.iter().try_for_each(|(part, level)| write!(f, ",{part}={level}"))
    }
}

/// A part of other programs may have any name; one of ours has to be there.
fn known(part: &str) -> Result<&str, LevelsError> {
    let Some(inside) = part.strip_prefix("notafter::") else { return Ok(part) };
    let name = inside.split("::").next().unwrap_or_default();
    if PARTS.contains(&name) {
        return Ok(part);
    }
    Err(LevelsError::NoPart { written: visible(part).into_owned(), meant: nearest(name, PARTS) })
}

fn level(written: &str) -> Result<LevelFilter, LevelsError> {
    if written.is_empty() {
        return Err(LevelsError::Empty);
    }
    let known = LEVELS.iter().find(|(name, _)| name.eq_ignore_ascii_case(written));
    known.map(|(_, level)| *level).ok_or_else(|| LevelsError::Unknown {
        written: visible(written).into_owned(),
        meant: nearest(written, LEVELS.map(|(name, _)| name)),
    })
}

fn did_you_mean_part(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!(", did you mean `notafter::{name}`?"))
}

fn did_you_mean(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!(", did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_as_people_write_them() {
        let info = Targets::new().with_default(LevelFilter::INFO);
        for (text, want) in [
            ("info", info.clone()),
            ("INFO", info.clone()),
            ("info,hyper=warn", info.clone().with_target("hyper", LevelFilter::WARN)),
            (" hyper = warn , debug ", {
                Targets::new().with_default(LevelFilter::DEBUG).with_target("hyper", LevelFilter::WARN)
            }),
            ("sqlx=off", info.with_target("sqlx", LevelFilter::OFF)),
        ] {
            let levels = Levels::parse(text).expect("good levels");
            assert_eq!(levels.targets, want, "{text}");
            assert_eq!(Levels::parse(&levels.to_string()), Ok(levels), "{text}: read again");
        }
    }

    #[test]
    fn levels_that_cannot_be_read_are_refused_with_what_was_meant() {
        for (text, want) in [
            ("inof", "did you mean `info`?"),
            ("hyper", "`hyper` is no level;"),
            ("info,hyper=wran", "did you mean `warn`?"),
            ("", "something is missing"),
            ("info,", "something is missing"),
            ("=info", "something is missing"),
            ("hyper=", "something is missing"),
            ("info,debug", "two levels for everything"),
            ("info,a[b]=c", "`c` is no level"),
            ("notafter::provder=debug", "did you mean `notafter::provider`?"),
            ("notafter::x\u{202e}=debug", r"`notafter::x\u{202e}` is no part of notafter; its parts are"),
        ] {
            let error = Levels::parse(text).expect_err("refused").to_string();
            assert!(error.contains(want), "{text}: {error}");
        }
    }

    #[test]
    fn parts_of_ours_are_the_modules() {
        let modules = include_str!("../../lib.rs").lines();
        let mut modules: Vec<&str> =
            modules.filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
        modules.retain(|module| *module != "visible"); // logs nothing
        modules.sort_unstable();
        assert_eq!(PARTS.to_vec(), modules);
        assert!(Levels::parse("info,notafter::provider::alibaba=trace,notafter=debug").is_ok());
    }
}
