//! PagerDuty, Events API v2.

pub mod settings;

use super::NotifierKind;
use crate::domain::finding::Stage;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind {
    name: "pagerduty",
    settings: settings::read,
    least: Stage::Critical,
    per_minute: 120.0,
    burst: 20,
    build: None,
};
