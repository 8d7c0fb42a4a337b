//! What to tell, to whom, and why not: decided from what is known, what was told before, the policy and `now`.
//!
//! The way of one alert: [`decide`](decide::decide) compares the snapshot with the [`Memory`](memory::Memory) of what was
//! told and says what is due now, as [`Message`](message::Message)s and the memory as it is once they are written down. The store writes
//! both in one transaction; only then a courier reads the message back, renders it as of that moment and sends it.
//!
//! Nothing is remembered that can be derived: what waits for company, for a digest, for the end of quiet hours or of a
//! silence is simply not told yet, and is found again by the next evaluation. So a restart forgets nothing, and what was settled in the
//! meantime is never told.

pub mod board;
pub mod decide;
pub mod delivery;
pub mod facts;
mod gather;
mod gone;
pub mod judge;
pub mod memory;
pub mod message;
pub mod outbox;
pub mod renewals;
pub mod routing;
pub mod silence;
mod sources;
pub mod standing;
pub mod steady;
#[cfg(test)]
mod tests;
