//! The web port: what it answers, as plain functions of (snapshot, query, now, context).

pub mod api;
pub mod context;
pub mod cursor;
pub mod json;
pub mod page;
pub mod query;
pub mod refusal;
pub mod rows;
#[cfg(test)]
pub(crate) mod testing;
pub mod view;
pub mod visible;
