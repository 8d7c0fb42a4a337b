//! The channels: one folder for each type, one list of all of them.
//!
//! A type reads its own keys of the channel table here, so that `config` names none. Built like `provider`.

pub mod alertmanager;
pub mod dingtalk;
pub mod email;
pub mod feishu;
pub mod pagerduty;
pub mod slack;
pub mod teams;
pub mod telegram;
pub mod webhook;
pub mod wecom;

mod robot;

pub use robot::Robot;

use std::any::Any;
use std::fmt;

use crate::fields::show::Entries;
use crate::fields::{Fault, Fields, Plain, SecretSetting, check_base, check_url};

/// A type of channel, as far as the configuration has to know it.
#[derive(Debug)]
pub struct NotifierKind {
    /// Value of `type`.
    pub name: &'static str,
    /// Reads its own keys of a channel table; reports what is wrong to the fields.
    pub settings: fn(&mut Fields<'_>) -> Option<Box<dyn ChannelSettings>>,
}

/// Every type, in documented order.
pub const NOTIFIERS: &[NotifierKind] = &[
    slack::KIND,
    webhook::KIND,
    dingtalk::KIND,
    feishu::KIND,
    wecom::KIND,
    teams::KIND,
    telegram::KIND,
    pagerduty::KIND,
    alertmanager::KIND,
    email::KIND,
];

/// The type of that name.
pub fn find(name: &str) -> Option<&'static NotifierKind> {
    NOTIFIERS.iter().find(|kind| kind.name == name)
}

/// The settings of one channel that only its type understands; `Any`, so that the type gets its own back.
pub trait ChannelSettings: Any + fmt::Debug + Send + Sync {
    /// Every secret in it, with the position where it is written.
    fn secrets(&self) -> Vec<&SecretSetting>;

    /// The settings for people, literal secrets hidden, in documented order.
    fn effective(&self) -> Entries;
}

/// A literal address that is a secret itself: whoever has it can write to the channel.
fn secret_url(text: &str) -> Result<(), Fault> {
    check_url(text, Plain::Loopback).map(drop)
}

/// The same for receivers inside one's own network.
fn own_url(text: &str) -> Result<(), Fault> {
    check_url(text, Plain::Anywhere).map(drop)
}

/// The vendor's address, or one that stands in for it; without a slash at its end.
fn base_url(text: &str) -> Result<String, Fault> {
    check_base(text, Plain::Loopback)?;
    Ok(text.trim_end_matches('/').to_owned())
}
