//! Keys that are lent, taken on and read again, against a simulated STS and simulated metadata services.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod chain;
mod doctor;
mod huawei;
mod machine;
mod roles;
mod rotation;
mod secrets;
mod support;
mod ucloud;
