use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::event;
use super::key;
use crate::domain::alert::message::{
    By, CertificateFacts, CertificateItem, Fingerprint, Item, Kind, Message, News,
};
use crate::domain::finding::Stage;
use crate::domain::policy::Locale;
use crate::notifier::{Part, Setting, samples};

type Notes = BTreeMap<String, String>;

/// The parts of a message, and the notes once all of them have arrived.
fn told(message: &Message, notes: &mut Notes) -> Vec<(String, String)> {
    let before = notes.clone();
    let lookup = |key: &str| before.get(key).cloned();
    let parts = event::parts(message, &Setting { notes: &lookup, ..samples::setting(Locale::En) });
    for part in &parts {
        let begins = part.content["begins"].as_array().into_iter().flatten();
        for note in begins.chain(part.content["notes"].as_array().expect("a list")) {
            let text = |at: usize| note[at].as_str().expect("text").to_owned();
            notes.insert(text(0), text(1));
        }
    }
    parts.iter().map(action).collect()
}

fn action(part: &Part) -> (String, String) {
    let action = part.content["event"]["event_action"].as_str().unwrap_or("nothing");
    (action.to_owned(), part.name.clone())
}

fn facts(number: u64, days: i64) -> CertificateFacts {
    let facts = samples::facts("orders", &format!("r-{number}"), TimeDelta::days(days));
    CertificateFacts { fingerprint: Fingerprint(number), ..facts }
}

fn certificate(facts: CertificateFacts, news: News) -> Item {
    Item::Certificate(CertificateItem { news, facts })
}

fn entered(number: u64, days: i64, stage: Stage) -> Item {
    certificate(facts(number, days), News::Entered { stage, previous: None, since: samples::now() })
}

/// It ended in so many days, and ends in a year now.
fn renewed(number: u64, days: i64, stage: Stage) -> Item {
    let news = News::Renewed {
        old_not_after: facts(number, days).not_after,
        old_serial: "".into(),
        by: By::External,
        stage,
        told: Stage::Critical,
    };
    certificate(facts(number, if stage == Stage::Ok { 365 } else { 3 }), news)
}

fn message(items: Vec<Item>) -> Message {
    samples::message(items)
}

fn many(count: u64, days: i64) -> Message {
    message((0..count).map(|number| entered(number, days, Stage::Critical)).collect())
}

#[test]
fn an_incident_ends_under_the_key_under_which_it_began() {
    let mut notes = Notes::new();
    let facts = facts(1, 6);
    let key = key::expiry(&facts, facts.not_after);
    let trigger = |key: &str| ("trigger".to_owned(), key.to_owned());
    let resolve = |key: &str| ("resolve".to_owned(), key.to_owned());
    let over = format!("{key}:expired");
    assert_eq!(told(&message(vec![entered(1, 6, Stage::Critical)]), &mut notes), [trigger(&key)]);
    let reminder = News::Reminder { stage: Stage::Critical, since: samples::now() };
    assert_eq!(told(&message(vec![certificate(facts, reminder)]), &mut notes), [trigger(&key)]);
    assert_eq!(
        told(&message(vec![entered(1, 6, Stage::Expired)]), &mut notes),
        [trigger(&over)],
        "called again"
    );
    let ended = told(&message(vec![renewed(1, 6, Stage::Ok)]), &mut notes);
    assert_eq!(ended, [resolve(&key), resolve(&over)]);
    assert!(key.len() == "notafter:".len() + 64 && over.len() <= 255, "{over}");
}

#[test]
fn a_renewal_that_does_not_help_opens_the_next_incident() {
    let told = told(&message(vec![renewed(1, 6, Stage::Critical)]), &mut Notes::new());
    let new = facts(1, 3);
    assert_eq!(told[0], ("trigger".to_owned(), key::expiry(&new, new.not_after)));
    assert_eq!(told.len(), 3, "{told:?}");
}

#[test]
fn a_digest_calls_for_what_is_critical_only() {
    let items = vec![entered(1, 6, Stage::Critical), entered(2, 13, Stage::Warning)];
    for (kind, calls) in [(Kind::News, 2), (Kind::Digest, 1), (Kind::First, 1)] {
        let message = Message { kind, ..message(items.clone()) };
        assert_eq!(told(&message, &mut Notes::new()).len(), calls, "{kind:?}");
    }
    let nothing = told(&samples::digest_fine(), &mut Notes::new());
    assert_eq!(nothing, [("nothing".to_owned(), "nothing".to_owned())]);
}

#[test]
fn more_than_twenty_are_one_incident() {
    assert_eq!(told(&many(20, 6), &mut Notes::new()).len(), 20);
    assert_eq!(told(&many(21, 6), &mut Notes::new()).len(), 1);
}

#[test]
fn an_incident_of_many_ends_with_the_last_of_them() {
    let mut notes = Notes::new();
    let group = told(&many(21, 6), &mut notes).remove(0).1;
    let reminder = News::Reminder { stage: Stage::Critical, since: samples::now() };
    let again = told(&message(vec![certificate(facts(3, 6), reminder)]), &mut notes);
    assert_eq!(again, [("trigger".to_owned(), group.clone())], "a reminder calls the same one");
    for number in 0..21 {
        let told = told(&message(vec![renewed(number, 6, Stage::Ok)]), &mut notes);
        let ended = told.contains(&("resolve".to_owned(), group.clone()));
        assert_eq!(ended, number == 20, "{number}: {told:?}");
    }
}

#[test]
fn only_what_opens_something_is_said_once_more_in_plain_words() {
    let setting = samples::setting(Locale::En);
    let plain = |message: &Message| event::plain(message, &setting).map(|part| action(&part).0);
    assert_eq!(plain(&samples::one_critical()).as_deref(), Some("trigger"));
    assert_eq!(plain(&many(2, 6)).as_deref(), Some("trigger"));
    assert_eq!(plain(&samples::renewed()), None);
}
