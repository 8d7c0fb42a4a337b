//! Whatever an attempt and an entry say is read back, to the nanosecond.

use chrono::{DateTime, TimeDelta, Utc};
use notafter::domain::renewal::attempt::{Approval, Attempt, AttemptKey, By, Class, ResourceKey, State};
use notafter::domain::renewal::ledger::{Change, Entry};
use notafter::domain::renewal::window::Span;
use notafter::store::{Committed, Store};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::Runtime;

use crate::database::Database;
use crate::support::moment;

fn text() -> impl Strategy<Value = Box<str>> {
    let odd = select(vec!["", "\0", "%", "a/b", "%2F", "'; --", "\u{1F600}", "\"\\"]);
    prop_oneof![any::<String>(), "[a-z]{1,8}", odd.prop_map(str::to_owned)].prop_map(Into::into)
}

/// Any time, of which nothing but what it says is compared.
fn time() -> impl Strategy<Value = DateTime<Utc>> {
    let seconds = -62_000_000_000_i64..300_000_000_000;
    (seconds, 0..1_000_000_000_u32).prop_map(|(s, ns)| DateTime::from_timestamp(s, ns).unwrap())
}

/// A time of a clock.
fn clock() -> impl Strategy<Value = DateTime<Utc>> {
    (0..9_000_000_000_000_000_000_i64).prop_map(DateTime::from_timestamp_nanos)
}

fn state() -> impl Strategy<Value = State> {
    let class = select(vec![Class::Retry, Class::Person, Class::Permanent]);
    prop_oneof![
        Just(State::Announced),
        Just(State::Approved),
        text().prop_map(|person| State::Rejected { person }),
        Just(State::Stored),
        text().prop_map(|text| State::NotSent { text }),
        text().prop_map(|request_id| State::Accepted { request_id }),
        time().prop_map(|new_not_after| State::Confirmed { new_not_after }),
        Just(State::WithoutEffect),
        text().prop_map(|text| State::FailedLater { text }),
        (class, text(), text()).prop_map(|(class, code, request_id)| State::Refused {
            class,
            code,
            request_id
        }),
        Just(State::Unknown),
    ]
}

fn key() -> impl Strategy<Value = AttemptKey> {
    let names = [text(), text(), text(), text(), text(), text()];
    (names, time()).prop_map(|([provider, account, project, region, service, resource_id], not_after)| {
        let resource = ResourceKey { provider, account, project, region, service, resource_id };
        AttemptKey { resource, not_after }
    })
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let by = prop_oneof![Just(By::Rule), text().prop_map(|name| By::Person { name })];
    let approval = (text(), time(), time(), any::<bool>()).prop_map(|(by, at, until, at_once)| Approval {
        by,
        at,
        until,
        at_once,
    });
    let window = (time(), time()).prop_map(|(begin, end)| Span { begin, end });
    let times = [time(), time(), time(), time()].map(option::of);
    let more = (times, option::of(window), option::of(approval));
    (key(), any::<u32>(), by, text(), more, state(), clock()).prop_map(
        |(key, number, by, rule, (times, planned, approval), state, changed_at)| {
            let [announced_at, missed_at, stored_at, expected_by] = times;
            Attempt {
                announced_at,
                missed_at,
                approval,
                stored_at,
                expected_by,
                state,
                ..Attempt::new(key, number, by, &rule, planned, changed_at)
            }
        },
    )
}

fn entry() -> impl Strategy<Value = Entry> {
    (clock(), [text(), text(), text(), text(), text(), text()]).prop_map(
        |(at, [attempt, state, who, rule, request_id, text])| Entry {
            at,
            attempt,
            state,
            who,
            rule,
            request_id,
            text,
        },
    )
}

async fn assert_kept(store: &Store, attempt: &Attempt, entry: &Entry) {
    let change = Change { attempt: attempt.clone(), instead_of: None, entry: Some(entry.clone()) };
    let committed = store.commit_renewals(&[change], &[], moment(), None).await.unwrap();
    assert_eq!(committed, Committed::Done);
    let read = store.attempts(DateTime::<Utc>::MIN_UTC).await.unwrap();
    assert_eq!(read.iter().find(|found| found.id == attempt.id), Some(attempt));
    let read = store.entries(Some(&entry.attempt), usize::MAX, None).await.unwrap();
    assert!(read.contains(entry), "{entry:?}");
    let again = Attempt { changed_at: attempt.changed_at + TimeDelta::nanoseconds(1), ..attempt.clone() };
    let change = Change { attempt: again, instead_of: Some(attempt.changed_at), entry: None };
    let committed = store.commit_renewals(&[change], &[], moment(), None).await.unwrap();
    assert_eq!(committed, Committed::Done, "the time that was read is the time that was written");
}

fn every_field_comes_back(database: &Database) {
    let runtime = Runtime::new().unwrap();
    let store = runtime.block_on(database.open());
    let config = ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(attempt in attempt(), entry in entry())| {
        runtime.block_on(assert_kept(&store, &attempt, &entry));
    });
    runtime.block_on(store.close());
}

#[test]
fn every_field_comes_back_from_sqlite() {
    every_field_comes_back(&Database::sqlite());
}

#[test]
fn every_field_comes_back_from_postgres() {
    every_field_comes_back(&Database::postgres());
}
