//! What all simulated clouds have in common: a port, answers good and bad, and faults to order.

pub(in crate::sim) mod body;
pub(in crate::sim) mod distort;
pub(in crate::sim) mod fault;
pub(in crate::sim) mod reply;
pub(in crate::sim) mod server;
