//! What the tests against simulated clouds share: the poll loop over one, what anybody can see, what is logged.
//!
//! It knows no cloud. Which fleet there is and how an account of it is made is in the `support` of each test.

#![allow(dead_code, unused_imports)] // no test needs all of it

mod log;
mod seen;
mod watch;

pub(crate) use log::Captured;
pub(crate) use seen::{everything, metrics_page, samples};
pub(crate) use watch::{Watch, beside_each_other, find};

use std::sync::Once;
use std::time::Duration;

use notafter::domain::policy::PollPolicy;

/// Short enough for a test, in the proportions of a real policy.
pub(crate) fn quick() -> PollPolicy {
    PollPolicy {
        max_age: Duration::from_millis(600),
        min_interval: Duration::from_millis(300),
        discover_every: Duration::from_millis(400),
        timeout: Duration::from_millis(1500),
        concurrency: 64,
    }
}

/// Resident memory of this process in MiB.
pub(crate) fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4096 / 1024 / 1024
}

pub(crate) fn crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    });
}
