//! Prometheus Alertmanager, API v2.

pub mod settings;

use super::NotifierKind;
use crate::domain::finding::Stage;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind {
    name: "alertmanager",
    settings: settings::read,
    least: Stage::Info,
    per_minute: 60.0,
    burst: 10,
    build: None,
};
