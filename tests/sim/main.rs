//! The simulated cloud, called over the wire: right calls are answered, wrong ones refused, faults as ordered.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod access;
mod certificates;
mod demo;
mod faults;
mod lists;
mod support;
