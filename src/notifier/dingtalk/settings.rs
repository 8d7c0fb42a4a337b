//! The keys of its channel table are those of every robot.

use crate::fields::Fields;
use crate::notifier::{ChannelSettings, Robot};

/// Address, secret, keyword and whom to mention.
pub type Settings = Robot;

/// Reads them from a channel table.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<Box<dyn ChannelSettings>> {
    Robot::read(fields)
}
