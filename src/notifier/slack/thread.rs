//! Which thread a message belongs into: that of the message that first told of its certificate.
//!
//! The Web API gives each message an id; it is noted for every certificate that the message tells of. Reminders and
//! good news about the same certificates then go below it, where the story can be read in one place.

use crate::domain::alert::message::{Item, Kind, Message, News};
use crate::notifier::Setting;

/// The thread of all its items; `None` where it belongs to the channel itself.
pub fn of(message: &Message, channel: &str, setting: &Setting<'_>) -> Option<String> {
    if message.kind != Kind::News {
        return None;
    }
    let mut threads = message.items.iter().map(|item| noted(item, channel, setting));
    let first = threads.next()??;
    threads.all(|thread| thread.as_ref() == Some(&first)).then_some(first)
}

/// The certificates for which a new message is to be noted.
pub fn begun(message: &Message) -> Vec<String> {
    let begins = |item: &Item| match item {
        Item::Certificate(item) => match item.news {
            News::Entered { .. } | News::Reminder { .. } | News::Changed { .. } => {
                Some(item.facts.fingerprint.to_string())
            }
            News::Renewed { .. } | News::Gone { .. } => None,
        },
        Item::Source(_) | Item::Channel(_) => None,
    };
    message.items.iter().filter_map(begins).collect()
}

/// What to remember of a new message.
pub fn notes<'a>(
    fingerprints: impl Iterator<Item = &'a str>,
    channel: &str,
    ts: &str,
) -> Vec<(String, String)> {
    fingerprints.map(|fingerprint| (key(fingerprint), format!("{channel} {ts}"))).collect()
}

fn noted(item: &Item, channel: &str, setting: &Setting<'_>) -> Option<String> {
    let Item::Certificate(item) = item else { return None };
    let continues = matches!(item.news, News::Reminder { .. } | News::Renewed { .. } | News::Gone { .. });
    let note = (setting.notes)(&key(&item.facts.fingerprint.to_string())).filter(|_| continues)?;
    // A thread is in the channel in which it was begun, and the setting may name another one by now.
    let (begun_in, ts) = note.split_once(' ')?;
    (begun_in == channel).then(|| ts.to_owned())
}

fn key(fingerprint: &str) -> String {
    format!("thread:{fingerprint}")
}
