//! Microsoft Teams, by a Workflows webhook.

pub mod settings;

use super::NotifierKind;
use crate::domain::finding::Stage;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind {
    name: "teams",
    settings: settings::read,
    least: Stage::Info,
    per_minute: 60.0,
    burst: 3,
    build: None,
};
