//! What is known outlives the process: the same list of scenarios over SQLite and over a private PostgreSQL server.

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

mod alert_crash;
mod alert_trouble;
mod alerts;
mod crash;
mod database;
mod handle;
mod large;
mod leaving;
mod postgres;
mod program;
mod renewal_race;
mod renewal_round_trip;
mod renewals;
mod restart;
mod round_trip;
mod secrets;
mod support;
mod trouble;
