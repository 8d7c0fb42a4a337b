//! Floor 5: the loops that make it a daemon.

pub mod poll;
