//! `notafter` watches the TLS certificates that clouds issue for the databases, caches and load balancers they manage.
//!
//! Modules in reading order, lowest floor first; a module uses only lower floors (`tests/architecture.rs`).

pub mod domain;

pub mod web;
