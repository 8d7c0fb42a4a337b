//! What every channel must do, by one list over a table of all of them: golden bodies that the strict receiver takes, a
//! hostile name, every fault and every code, repeats, and no secret anywhere.
//!
//! A new channel is one file in `table`; nothing here knows the name of one.

mod again;
mod chats;
mod complete;
mod documented;
mod golden;
mod hostile;
mod mail;
mod outcomes;
mod plain;
mod samples;
mod secrets;
mod support;
mod table;
mod templates;
