//! Who hears of a renewal: one message for each channel whose routes mean the certificate.

use chrono::{DateTime, Utc};

use super::decide::World;
use super::message::{Message, RenewalItem};

/// A message, and when it may go out at the earliest.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// The message.
    pub message: Message,
    /// Not before; `None`: at once.
    pub not_before: Option<DateTime<Utc>>,
}

/// What is told of these renewals, and to whom. The caller writes it down together with what it tells of.
pub fn letters(
    _world: &World<'_>,
    _items: Vec<RenewalItem>,
    _new_id: &mut dyn FnMut() -> Box<str>,
) -> Vec<Letter> {
    Vec::new()
}
