//! Floor 3: simulated clouds on loopback, for `notafter demo`, for tests and for benchmarks.
//!
//! They speak the real protocols: signatures are checked, lists have pages, calls are throttled, and an accepted
//! renewal takes its time. They never use the code that reads the answers, so what they say to be true can be
//! held against it.

pub mod alibaba;
pub mod demo;
pub mod fleet;
pub mod huawei;
pub mod metadata;
mod pem;
pub mod receivers;
pub mod ucloud;
mod wire;
