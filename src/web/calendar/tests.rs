use std::collections::BTreeSet;

use icalendar::{Calendar, CalendarComponent, Component as _};
use proptest::prelude::*;

use super::*;
use crate::domain::policy::Locale;
use crate::domain::testing::moment;
use crate::web::context::testing::plain_context;
use crate::web::testing::renewals::{board, garden};
use crate::web::testing::{fleet, small};

fn query(text: &str) -> CalendarQuery {
    CalendarQuery::parse(Some(text)).expect("understood")
}

fn of(snapshot: &Snapshot, text: &str) -> String {
    calendar(snapshot, &query(text), moment(), &plain_context())
}

/// Read by somebody else.
fn read(text: &str) -> Vec<icalendar::Event> {
    let read: Calendar = text.parse().unwrap_or_else(|error| panic!("{error}:\n{text}"));
    read.components
        .into_iter()
        .filter_map(|component| match component {
            CalendarComponent::Event(event) => Some(event),
            _ => None,
        })
        .collect()
}

/// What every reader may rely on.
fn is_well_formed(text: &str) {
    assert!(
        text.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:") && text.ends_with("END:VCALENDAR\r\n")
    );
    for line in text.split_terminator("\r\n") {
        assert!(line.len() <= LINE, "{} bytes: {line}", line.len());
        assert!(!line.contains(['\r', '\n']), "{line:?}");
    }
    let unfolded = text.replace("\r\n ", "");
    let uids: Vec<_> = unfolded.split("\r\n").filter(|line| line.starts_with("UID:")).collect();
    assert_eq!(uids.iter().collect::<BTreeSet<_>>().len(), uids.len(), "no two events share an id");
    for event in unfolded.split("BEGIN:VEVENT").skip(1) {
        for name in ["UID:", "DTSTAMP:", "DTSTART:", "DTEND:", "SUMMARY:"] {
            assert_eq!(event.matches(&format!("\r\n{name}")).count(), 1, "{name} in {event}");
        }
    }
}

#[test]
fn every_end_is_an_event_that_another_program_reads() {
    let text = of(&small(), "");
    is_well_formed(&text);
    let events = read(&text);
    assert_eq!(events.len(), 7, "one for each certificate:\n{text}");
    let over = &events[0];
    assert_eq!(over.get_summary(), Some("Certificate ends: sessions"));
    assert_eq!(over.property_value("DTSTART"), Some("20261119T080000Z"));
    assert!(text.contains("\r\nCATEGORIES:expired\r\n"), "{text}");
    assert!(over.get_description().is_some_and(|about| about.contains("cn-hangzhou")), "{over:?}");
    let hostile = events.iter().find(|event| event.get_summary().is_some_and(|text| text.contains("script")));
    assert_eq!(
        hostile.and_then(icalendar::Component::get_summary),
        Some("Certificate ends: <script>alert(\"x\")</script>")
    );
}

#[test]
fn an_event_keeps_its_id_when_the_certificate_is_renewed() {
    let uid = |days| {
        let mut garden = crate::web::testing::renewals::Garden::new();
        garden.add("r-1", days);
        let events = read(&of(&garden.snapshot, ""));
        (events[0].get_uid().map(str::to_owned), events[0].property_value("DTSTART").map(str::to_owned))
    };
    let (before, after) = (uid(10), uid(375));
    assert_eq!(before.0, after.0);
    assert_ne!(before.1, after.1);
}

#[test]
fn windows_of_renewals_are_events_in_the_language_that_was_asked_for() {
    let board = board();
    let tongue = Tongue::of(Locale::Zh, true);
    let context = PageContext { renewals: Some(&board), tongue, ..plain_context() };
    let text = calendar(&garden().snapshot, &query("lang=zh"), moment(), &context);
    is_well_formed(&text);
    let windows: Vec<_> = read(&text)
        .into_iter()
        .filter(|event| event.get_uid().is_some_and(|uid| uid.starts_with("renewal-ren_")))
        .collect();
    assert!(!windows.is_empty(), "{text}");
    for window in windows {
        assert!(window.get_summary().is_some_and(|text| text.starts_with("续期窗口：")), "{window:?}");
        assert!(window.property_value("DTSTART") < window.property_value("DTEND"), "{window:?}");
    }
}

#[test]
fn it_is_asked_as_the_api_is_and_never_too_long() {
    assert_eq!(read(&of(&small(), "match=cloud_service%3D%22dcs%22&within=30d")).len(), 2);
    let text = of(&fleet(3_000), "");
    is_well_formed(&text);
    assert_eq!(text.matches("BEGIN:VEVENT").count(), MOST);
    assert_eq!(of(&fleet(30), "limit=7").matches("BEGIN:VEVENT").count(), 7);
    let empty = of(&Snapshot::default(), "");
    is_well_formed(&empty);
    assert!(read(&empty).is_empty() && empty.contains("BEGIN:VTIMEZONE"));
    for text in ["x=1", "cursor=a", "limit=0", "match=zzz"] {
        assert!(CalendarQuery::parse(Some(text)).is_err(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_text_comes_back_as_it_was(text in "\\PC{0,200}") {
        let mut lines = Lines::default();
        lines.put("BEGIN", "VCALENDAR");
        lines.put("BEGIN", "VEVENT");
        lines.text("SUMMARY", &text);
        lines.put("END", "VEVENT");
        lines.put("END", "VCALENDAR");
        prop_assert!(lines.0.split("\r\n").all(|line| line.len() <= LINE));
        let unfolded = lines.0.replace("\r\n ", "");
        let value = unfolded.split("SUMMARY:").nth(1).and_then(|rest| rest.split("\r\n").next()).expect("a line");
        let back = value.replace("\\\\", "\u{0}").replace("\\;", ";").replace("\\,", ",").replace('\u{0}', "\\");
        prop_assert_eq!(back, text);
    }
}
