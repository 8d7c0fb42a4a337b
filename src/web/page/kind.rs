//! Into which drawer of the overview a row belongs: exactly one.

use chrono::{DateTime, Utc};

use crate::domain::finding::Stage;
use crate::domain::resource::TlsState;
use crate::web::context::PageContext;
use crate::web::rows::Row;

/// A drawer of the overview, most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Over.
    Expired,
    /// Worth waking somebody.
    Critical,
    /// Worth planning.
    Warning,
    /// Worth knowing.
    Info,
    /// Nothing to do.
    Fine,
    /// It may end unseen: no state, or TLS on and no date.
    Unknown,
    /// TLS is off.
    Off,
    /// TLS is not possible.
    Unsupported,
}

impl Kind {
    /// Every drawer, in order.
    pub const ALL: [Self; 8] = [
        Self::Expired,
        Self::Critical,
        Self::Warning,
        Self::Info,
        Self::Fine,
        Self::Unknown,
        Self::Off,
        Self::Unsupported,
    ];

    /// The value of `stage` in the query, and the class in the style sheet.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Fine => "ok",
            Self::Unknown => "unknown",
            Self::Off => "off",
            Self::Unsupported => "unsupported",
        }
    }

    /// The drawer of a row.
    pub fn of(row: &Row<'_>, context: &PageContext<'_>, now: DateTime<Utc>) -> Self {
        match (row.stage(context, now), row.resource.state()) {
            (Some(Stage::Expired), _) => Self::Expired,
            (Some(Stage::Critical), _) => Self::Critical,
            (Some(Stage::Warning), _) => Self::Warning,
            (Some(Stage::Info), _) => Self::Info,
            (Some(Stage::Ok), _) => Self::Fine,
            (None, TlsState::Enabled | TlsState::Unknown) => Self::Unknown,
            (None, TlsState::Disabled) => Self::Off,
            (None, TlsState::Unsupported) => Self::Unsupported,
        }
    }
}
