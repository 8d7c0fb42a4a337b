//! Messages on their way over real sockets, out of a real store.

mod desk;
mod support;
mod wire;
