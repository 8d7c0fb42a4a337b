//! The daemon's way to Alibaba Cloud, over real sockets, against the simulated cloud: exact dates, every state, every
//! odd answer. Nothing in here replaces a function of ours.

mod bad_answers;
#[path = "../common/mod.rs"]
mod common;
mod doctor;
mod exact;
mod limits;
mod regions;
mod renewal_answers;
mod renewal_calls;
mod renewal_desk;
mod renewal_pair;
mod secrets;
mod support;
