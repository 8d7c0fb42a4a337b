//! PagerDuty, Events API v2.

pub mod settings;

use super::NotifierKind;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind { name: "pagerduty", settings: settings::read };
