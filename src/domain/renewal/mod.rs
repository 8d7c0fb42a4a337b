//! Renewals: what is to be done now, what waits, what is refused, and why. Pure, like every decision in here.
//!
//! The way of one renewal: [`plan`](plan::plan) looks at the snapshot, the policy and the [`Attempt`](attempt::Attempt)s so far and says what to
//! announce, whom to ask, what to read again and which one call to begin. The caller writes the attempt down, makes the call, and from then on only reads:
//! [`Attempt::settled`](attempt::Attempt::settled) says what became of it. Nothing in here knows a cloud: how one is asked is a
//! [`Method`](method::Method), plain data of the cloud's own folder.
//!
//! Nothing is remembered between two plans but attempts, so that a restart at any moment plans the same.

mod announce;
pub mod attempt;
pub mod board;
mod book;
mod judge;
mod knowledge;
pub mod ledger;
pub mod method;
pub mod note;
pub mod plan;
pub mod refusal;
pub mod show;
#[cfg(test)]
mod tests;
mod timing;
pub mod window;

pub use book::stopped_at;
