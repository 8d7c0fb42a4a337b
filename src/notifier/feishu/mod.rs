//! Feishu and Lark custom bots.

pub mod settings;

use super::NotifierKind;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind { name: "feishu", settings: settings::read };
