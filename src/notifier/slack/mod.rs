//! Slack: incoming webhooks, and the Web API.

pub mod settings;

use super::NotifierKind;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind { name: "slack", settings: settings::read };
