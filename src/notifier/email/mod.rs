//! E-mail by SMTP.

pub mod settings;

use super::NotifierKind;
use crate::domain::finding::Stage;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind {
    name: "email",
    settings: settings::read,
    least: Stage::Info,
    per_minute: 30.0,
    burst: 5,
    build: None,
};
