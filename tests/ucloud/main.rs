//! The daemon's way to UCloud, over real sockets, against the simulated cloud: exact dates, every shape of a bundle,
//! every odd answer, and no private key anywhere. Nothing in here replaces a function of ours.

mod bad_answers;
mod bundles;
#[path = "../common/mod.rs"]
mod common;
mod exact;
mod gateway;
mod limits;
mod projects;
mod secrets;
mod support;
