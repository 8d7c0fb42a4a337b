//! The daemon observed from outside: what it logs and for whom, how it ends by a defect, and what nobody ever sees of it.

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

mod defect;
mod dumps;
mod levels;
mod lines;
mod planted;
mod secrets;
#[path = "../control/support.rs"]
#[allow(dead_code)] // not all of it is needed here
mod support;
