//! The daemon's way to Huawei Cloud, over real sockets, against the simulated cloud: both dates, every state, every odd
//! answer, link and archive. Nothing in here replaces a function of ours.

mod account_lock;
mod bad_answers;
#[path = "../common/mod.rs"]
mod common;
mod doctor;
mod downloads;
mod exact;
mod limits;
mod projects;
mod secrets;
mod support;
