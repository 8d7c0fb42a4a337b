//! `notafter` watches the TLS certificates that clouds issue for the databases, caches and load balancers they manage.
//!
//! Modules in reading order, lowest floor first; a module uses only lower floors (`tests/architecture.rs`). The way
//! of one datum: config → accounts → scopes → listing → due list → look → snapshot → metrics, page and API.

pub mod domain;
pub mod visible;

pub mod call;
pub mod clock;
pub mod problem;
pub mod secret;
pub mod shutdown;
pub mod stamp;
pub mod systemd;
pub mod telemetry;

pub mod fields;
pub mod http;
pub mod tls;

pub mod metrics;
pub mod notifier;
pub mod provider;
pub mod store;

pub mod config;
pub mod sim;
pub mod web;

pub mod daemon;

pub mod cli;
