//! What is known outlives the process: the same list of scenarios over SQLite and over a private PostgreSQL server.

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

mod crash;
mod database;
mod large;
mod leaving;
mod postgres;
mod program;
mod restart;
mod round_trip;
mod secrets;
mod support;
mod trouble;
