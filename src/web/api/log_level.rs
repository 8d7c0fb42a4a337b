//! `/api/v1/log-level`: what is logged, and for how long.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::inside::LogLevels;
use super::super::json::Moment;
use crate::domain::duration::parse_duration;

/// As long as a wish holds that does not say.
pub const USUAL: Duration = Duration::from_mins(10);
/// No wish holds longer: who needs more asks again, or configures it.
pub const LONGEST: Duration = Duration::from_hours(24);

/// What is logged.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // here and below named as the members, which the OpenAPI document explains
pub struct LogLevelItem {
    pub levels: String,
    pub configured: String,
    pub until: Option<Moment>,
    pub by: Option<String>,
}

impl From<LogLevels> for LogLevelItem {
    fn from(levels: LogLevels) -> Self {
        let LogLevels { levels, configured, until, by } = levels;
        Self { levels, configured, until: until.map(Moment), by }
    }
}

/// What should be logged.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct NewLogLevel {
    pub levels: String,
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub length: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl NewLogLevel {
    /// How long the wish holds, or what is wrong with that.
    ///
    /// # Errors
    /// It is no duration, or too long.
    pub fn length(&self) -> Result<Duration, String> {
        let Some(text) = &self.length else { return Ok(USUAL) };
        let length = parse_duration(text).map_err(|error| format!("`for`: {error}; {}", error.hint()))?;
        if length.is_zero() || length > LONGEST {
            return Err("`for` is more than nothing and at most \"24h\"; by then somebody should look again"
                .to_owned());
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_holds_for_a_while_and_never_for_ever() {
        let length = |text: Option<&str>| {
            NewLogLevel { levels: "info".to_owned(), length: text.map(str::to_owned), by: None }.length()
        };
        assert_eq!((length(None), length(Some("30m"))), (Ok(USUAL), Ok(Duration::from_mins(30))));
        assert_eq!(length(Some("24h")), Ok(LONGEST));
        for bad in ["25h", "30", "0s", "soon"] {
            assert!(length(Some(bad)).is_err_and(|error| error.contains("`for`")), "{bad}");
        }
    }
}
