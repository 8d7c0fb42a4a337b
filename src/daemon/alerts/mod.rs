//! Alerts: decided by the watch loop, written down, delivered by a courier for each channel.

pub mod watch;
