//! The written word holds: every key of the configuration is described, both READMEs say the same, every link leads
//! somewhere, tables that repeat the code are what the code says, and the manual page is well-formed.

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

mod catalogue;
mod clouds;
mod configuration;
mod examples;
mod languages;
mod links;
mod manual;
mod pages;
mod reader;
mod refusals;
