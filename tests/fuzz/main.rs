//! Foreign bytes, spoilt on purpose: answers of clouds, archives, certificates, expressions, configurations, keys.
//!
//! A stand-in for a fuzzer that runs with every other test: honest inputs are spoilt by a seeded generator (`mutate`)
//! and fed to whatever reads them, through the same functions that the daemon uses; answers of clouds come over real
//! sockets from the simulated clouds. For each input: no panic, no secret in any text that comes of it, and no spoilt
//! listing that counts as a complete one with fewer resources. There is no clock in it: what keeps a reader from
//! hanging are its limits of size.
//!
//! `NOTAFTER_FUZZ_INPUTS` is the number of inputs over all targets (20000), `NOTAFTER_FUZZ_SEED` another beginning.
//! An input that fails is told by target, seed and number, and comes again when those are the same.

mod answers;
mod clouds;
#[path = "../common/mod.rs"]
mod common;
mod listings;
mod mutate;
mod run;
#[path = "../conformance/support.rs"]
mod support;
mod texts;
