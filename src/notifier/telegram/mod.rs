//! Telegram bots.

pub mod settings;

use super::NotifierKind;
use crate::domain::finding::Stage;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind {
    name: "telegram",
    settings: settings::read,
    least: Stage::Info,
    per_minute: 15.0,
    burst: 3,
    build: None,
};
