//! E-mail by SMTP.

pub mod settings;

use super::NotifierKind;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind { name: "email", settings: settings::read };
