//! Floor 4: the loops that make it a daemon.

pub mod poll;
