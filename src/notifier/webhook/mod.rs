//! Any receiver of JSON over HTTP.

pub mod settings;

use super::NotifierKind;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind { name: "webhook", settings: settings::read };
