//! Floor 0: what `notafter` knows and how it decides, as plain values and plain functions.
//!
//! Nothing in here waits, reads a clock, touches a file or a socket, or knows the name of a cloud: `now` is always
//! an argument. `tests/architecture.rs` holds this module to that. The way of one datum begins with
//! `schedule` (what is due), goes through `snapshot` (what is known) and ends in `finding` (what is wrong).

pub mod absence;
pub mod alert;
pub mod calendar;
pub mod described;
pub mod difference;
pub mod due;
pub mod duration;
pub mod finding;
pub mod gate;
pub mod hash;
pub mod identity;
pub mod interner;
pub mod listing;
pub mod matcher;
pub mod nearest;
pub mod pace;
pub mod person;
pub mod policy;
pub mod reason;
pub mod renewal;
pub mod resource;
pub mod restart;
pub mod schedule;
pub mod shelf;
pub mod snapshot;

#[cfg(test)]
pub(crate) mod testing;
