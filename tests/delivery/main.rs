//! Messages on their way over real sockets, out of a real store.

#![allow(clippy::unwrap_used)] // tests may

mod desk;
mod pager;
mod support;
mod wire;
