//! Any receiver of JSON over HTTP.

pub mod settings;

use super::NotifierKind;
use crate::domain::finding::Stage;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind {
    name: "webhook",
    settings: settings::read,
    least: Stage::Info,
    per_minute: 60.0,
    burst: 10,
    build: None,
};
