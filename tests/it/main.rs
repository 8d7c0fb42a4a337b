//! Everything that is tested from outside, in one binary so that it links once.

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

mod config;
