//! The daemon's way to Alibaba Cloud, over real sockets, against the simulated cloud: exact dates, every state, every
//! odd answer. Nothing in here replaces a function of ours.

mod bad_answers;
#[path = "../common/mod.rs"]
mod common;
mod doctor;
mod exact;
mod limits;
mod regions;
mod secrets;
mod support;
