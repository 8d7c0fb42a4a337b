//! `--log-level`: what is logged, as people write it.

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

/// What is logged: a level for everything, and other levels for some parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Levels(pub(super) Targets);

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
    /// Two levels for everything.
    #[error(
        "there are two levels for everything; write one, and PART=LEVEL for the rest, as in `info,hyper=warn`"
    )]
    Twice,
}

impl Levels {
    /// Reads `info`, `debug,hyper=warn` or `sqlx=error`. Without a level for everything, that is `info`: who quiets
    /// one part does not want to silence the others.
    pub fn parse(text: &str) -> Result<Self, LevelsError> {
        let mut parts = Vec::new();
        let mut everything = None;
        for word in text.split(',').map(str::trim) {
            match word.split_once('=') {
                Some((part, _)) if part.trim().is_empty() => return Err(LevelsError::Empty),
                Some((part, named)) => parts.push((part.trim(), level(named.trim())?)),
                None if word.is_empty() => return Err(LevelsError::Empty),
                None if everything.is_some() => return Err(LevelsError::Twice),
                None => everything = Some(level(word)?),
            }
        }
        let targets = Targets::new().with_default(everything.unwrap_or(LevelFilter::INFO));
        Ok(Self(targets.with_targets(parts)))
    }

    /// What happens, and what is wrong.
    pub fn info() -> Self {
        Self(Targets::new().with_default(LevelFilter::INFO))
    }

    /// Only what nothing else tells.
    pub fn error() -> Self {
        Self(Targets::new().with_default(LevelFilter::ERROR))
    }
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
            assert_eq!(Levels::parse(text), Ok(Levels(want)), "{text}");
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
        ] {
            let error = Levels::parse(text).expect_err("refused").to_string();
            assert!(error.contains(want), "{text}: {error}");
        }
    }
}
