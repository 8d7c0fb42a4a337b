//! A message as letters, one for each recipient: subject, plain text, HTML, and the letters that it answers. Pure.

use serde::{Deserialize, Serialize};

use super::html;
use crate::domain::alert::message::{CertificateItem, Item, Kind, Message, News};
use crate::notifier::script::{Budget, Script, Unit};
use crate::notifier::{Part, Setting, text};

/// So many items are listed; who has more reads the status page.
const ROWS: usize = 200;
/// No subject is longer, in characters.
const SUBJECT: usize = 120;
/// A letter belongs to so many threads at most.
const THREADS: usize = 20;
/// More than any text of [`ROWS`] rows needs.
const ROOM: Budget = Budget { limit: 512 * 1024, unit: Unit::Bytes, parts: 1 };

/// What is posted: everything but the moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Letter {
    /// Who gets it.
    pub(super) to: Vec<String>,
    /// One line.
    pub(super) subject: String,
    /// The words.
    pub(super) text: String,
    /// The same to look at; empty where there is only the text.
    pub(super) html: String,
    /// Message ids of earlier letters about the same.
    pub(super) answers: Vec<String>,
    /// Keys of the notes under which this letter is to be found by later ones.
    pub(super) threads: Vec<String>,
}

/// One letter for each recipient.
pub(super) fn parts(message: &Message, setting: &Setting<'_>, to: &[String]) -> Vec<Part> {
    let letter = letter(message, setting);
    let addressed = to.iter().map(|to| (Letter { to: vec![to.clone()], ..letter.clone() }, to.clone()));
    addressed.map(|(letter, name)| part(&letter, name)).collect()
}

/// One letter to all of them, without HTML.
pub(super) fn plain(message: &Message, setting: &Setting<'_>, to: &[String]) -> Part {
    let letter = Letter { to: to.to_vec(), html: String::new(), ..letter(message, setting) };
    part(&letter, "plain".to_owned())
}

fn part(letter: &Letter, name: String) -> Part {
    Part { content: serde_json::to_value(letter).expect("texts become JSON"), name }
}

fn letter(message: &Message, setting: &Setting<'_>) -> Letter {
    let (answers, threads) = threads(message, setting);
    let letter = |title: &str, text: String, html: String| {
        let subject = subject(title);
        Letter { to: Vec::new(), subject, text, html, answers: answers.clone(), threads: threads.clone() }
    };
    if setting.template.is_some() {
        let own = text::parts(message, setting, &text::PlainText, ROOM);
        let texts: Vec<_> = own.iter().map(|part| part.text.as_str()).collect();
        let title = own.first().map(|part| part.title.as_str()).unwrap_or_default();
        return letter(title, texts.join("\n\n"), String::new());
    }
    let script = shortened(text::script(message, setting));
    let composed = text::compose(&script, &text::PlainText, ROOM);
    let texts: Vec<_> = composed.iter().map(|part| part.text.as_str()).collect();
    letter(&text::plain(&script.title), texts.join("\n\n"), html::page(&script))
}

fn shortened(script: Script) -> Script {
    let more = script.entries.len().saturating_sub(ROWS);
    let mut entries = script.entries;
    entries.truncate(ROWS);
    Script { entries, left_out: script.left_out + more, ..script }
}

/// On one line, and no longer than a subject may be.
fn subject(title: &str) -> String {
    let title = text::tidy(title);
    match title.char_indices().nth(SUBJECT - 1) {
        Some((end, _)) if title.chars().count() > SUBJECT => format!("{}…", title[..end].trim_end()),
        _ => title.into_owned(),
    }
}

/// Earlier letters about the same things, and the notes that are still to be made. A renewal ends a thread: the key
/// holds the end of the certificate that the talk is about.
fn threads(message: &Message, setting: &Setting<'_>) -> (Vec<String>, Vec<String>) {
    let (mut answers, mut threads) = (Vec::new(), Vec::new());
    if message.kind != Kind::News {
        return (answers, threads);
    }
    for item in message.items.iter().take(THREADS) {
        let key = format!("thread:{}", thread(item));
        match (setting.notes)(&key) {
            Some(id) if answers.contains(&id) => {}
            Some(id) => answers.push(id),
            None => threads.push(key),
        }
    }
    (answers, threads)
}

fn thread(item: &Item) -> String {
    match item {
        Item::Certificate(CertificateItem { news, facts }) => {
            let end = match news {
                News::Renewed { old_not_after, .. } | News::Changed { old_not_after, .. } => *old_not_after,
                _ => facts.not_after,
            };
            format!("{}:{}", facts.fingerprint, end.timestamp())
        }
        Item::Source(source) => format!("{}/{}/{}", source.provider, source.account, source.reason),
        Item::Channel(channel) => format!("channel/{}", channel.channel),
        Item::Renewal(item) => format!("{}:{}", item.facts.fingerprint, item.facts.not_after.timestamp()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::Locale;
    use crate::notifier::samples;

    fn to() -> Vec<String> {
        vec!["dba@example.com".to_owned(), "ops@example.com".to_owned()]
    }

    fn letters(message: &Message, notes: &(dyn Fn(&str) -> Option<String> + Sync)) -> Vec<Letter> {
        let setting = Setting { notes, ..samples::setting(Locale::Zh) };
        let parts = parts(message, &setting, &to());
        parts.into_iter().map(|part| serde_json::from_value(part.content).unwrap()).collect()
    }

    #[test]
    fn each_recipient_gets_a_letter_of_its_own() {
        let letters = letters(&samples::one_critical(), &|_| None);
        let recipients: Vec<_> = letters.iter().map(|letter| letter.to.join(" ")).collect();
        assert_eq!(recipients, to());
    }

    #[test]
    fn two_hundred_rows_and_no_more_are_listed() {
        let letter = letters(&samples::five_hundred(), &|_| None).remove(0);
        assert_eq!(letter.html.matches("<tr>").count(), ROWS);
        assert!(letter.html.contains("312") && letter.text.contains("312"), "300 of 500, and 12 before");
    }

    #[test]
    fn subjects_are_short_and_on_one_line() {
        for (name, message) in samples::all() {
            let letter = letters(&message, &|_| None).remove(0);
            let length = letter.subject.chars().count();
            assert!((1..=SUBJECT).contains(&length), "{name}: {length}");
            assert!(!letter.subject.contains(['\r', '\n']), "{name}: {}", letter.subject);
        }
        assert_eq!(subject(&"订".repeat(121)).chars().count(), SUBJECT);
        assert_eq!(subject(&"订".repeat(120)), "订".repeat(120));
        assert_eq!(subject("a\r\nBcc: b"), "a  Bcc: b");
    }

    #[test]
    fn a_renewal_answers_the_letter_that_announced_it() {
        let Some(Item::Certificate(renewed)) = samples::renewed().items.pop() else { panic!("it is one") };
        let News::Renewed { old_not_after, .. } = renewed.news else { panic!("it is renewed") };
        let mut old = renewed.facts.clone();
        old.not_after = old_not_after;
        let entered =
            samples::message(vec![samples::entered(crate::domain::finding::Stage::Critical, None, old)]);
        let first = letters(&entered, &|_| None).remove(0);
        let [key] = &first.threads[..] else { panic!("{first:?}") };
        let notes = |asked: &str| (asked == key).then(|| "<first@example.com>".to_owned());
        let second = letters(&samples::renewed(), &notes).remove(0);
        assert_eq!((second.answers, second.threads), (vec!["<first@example.com>".to_owned()], vec![]));
    }
}
