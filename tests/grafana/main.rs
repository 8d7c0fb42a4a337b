//! What is shipped for Grafana and Prometheus holds: the dashboard's layout, every query against a real Prometheus that
//! scrapes the demonstration, every series and label by the documentation, the rules by their cases, a page per alert.
//!
//! Grafana itself is not needed. What may be empty or missing is in [`exceptions`], each with its reason.

mod exceptions;
mod expressions;
mod layout;
mod model;
mod names;
mod queries;
mod rules;
mod server;
