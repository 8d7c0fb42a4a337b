//! `notafter` watches the TLS certificates that clouds issue for the databases, caches and load balancers they manage.
//!
//! Modules in reading order, lowest floor first; a module uses only lower floors (`tests/architecture.rs`).

pub mod domain;

pub mod call;
pub mod clock;
pub mod http;
pub mod problem;
pub mod secret;
pub mod shutdown;
pub mod telemetry;

pub mod provider;

pub mod daemon;
pub mod fields;
pub mod metrics;
pub mod sim;

pub mod notifier;

pub mod config;
