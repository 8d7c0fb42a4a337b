//! The simulated cloud, called over the wire: right calls are answered, wrong ones refused, faults as ordered.

mod access;
mod certificates;
mod lists;
mod support;
