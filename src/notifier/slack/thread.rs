//! Which thread a message belongs into: that of the message that first told of its certificate.
//!
//! The Web API gives each message an id; it is noted for every certificate that the message tells of. Reminders and
//! good news about the same certificates then go below it, where the story can be read in one place.

use crate::domain::alert::message::{Item, Kind, Message, News, RenewalNews};
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
        Item::Source(_) | Item::Channel(_) | Item::Renewal(_) => None,
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
    let continued = match item {
        Item::Certificate(item) => match item.news {
            News::Reminder { .. } | News::Renewed { .. } | News::Gone { .. } => Some(&item.facts),
            News::Entered { .. } | News::Changed { .. } => None,
        },
        // what somebody may have to act on is not hidden in a thread
        Item::Renewal(item) => match item.news {
            RenewalNews::Started { .. } | RenewalNews::Succeeded { .. } => Some(&item.facts),
            RenewalNews::Planned { .. } | RenewalNews::Held { .. } | RenewalNews::Failed { .. } => None,
        },
        Item::Source(_) | Item::Channel(_) => None,
    };
    let note = (setting.notes)(&key(&continued?.fingerprint.to_string()))?;
    // A thread is in the channel in which it was begun, and the setting may name another one by now.
    let (begun_in, ts) = note.split_once(' ')?;
    (begun_in == channel).then(|| ts.to_owned())
}

fn key(fingerprint: &str) -> String {
    format!("thread:{fingerprint}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::Locale;
    use crate::notifier::samples;

    fn thread(message: &Message, noted: Option<&str>) -> Option<String> {
        let lookup = |key: &str| noted.map(str::to_owned).filter(|_| key.starts_with("thread:"));
        of(message, "C1", &Setting { notes: &lookup, ..samples::setting(Locale::En) })
    }

    #[test]
    fn what_continues_a_story_goes_below_its_beginning() {
        let noted = Some("C1 1503435956.000247");
        for (name, message, noted, threaded) in [
            ("a reminder", samples::reminder(), noted, true),
            ("good news", samples::renewed(), noted, true),
            ("gone", samples::gone(crate::domain::alert::message::Gone::NotListed), noted, true),
            ("a renewal that began", samples::renewal_started(), noted, true),
            ("one that succeeded", samples::renewal_succeeded(), noted, true),
            ("one that asks", samples::renewal_asks(), noted, false),
            ("one that failed", samples::renewal_refused(), noted, false),
            ("never told here", samples::reminder(), None, false),
            ("told in another channel", samples::reminder(), Some("C2 1503435956.000247"), false),
            ("a deeper stage", samples::one_critical(), noted, false),
            ("a source", samples::blind(), noted, false),
            ("a digest", samples::digest(), noted, false),
            ("several, some of them new", samples::five_mixed(), noted, false),
        ] {
            assert_eq!(thread(&message, noted).is_some(), threaded, "{name}");
        }
    }

    #[test]
    fn a_new_message_is_noted_for_every_certificate_in_it() {
        let begun = begun(&samples::one_critical());
        let notes = notes(begun.iter().map(String::as_str), "C1", "1503435956.000247");
        let want = ("thread:9f86d081884c7d65".to_owned(), "C1 1503435956.000247".to_owned());
        assert_eq!(notes, [want]);
        assert!(super::begun(&samples::renewed()).is_empty(), "good news begins nothing");
    }
}
