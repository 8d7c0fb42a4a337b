//! Attempts and what the ledger says of them come back, and of two that want the same only one gets it.

use chrono::{DateTime, TimeDelta, Utc};
use notafter::domain::alert::outbox::State as Sent;
use notafter::domain::alert::renewals::Letter;
use notafter::domain::finding::Stage;
use notafter::domain::renewal::attempt::{Attempt, AttemptKey, By, Class, ResourceKey, State};
use notafter::domain::renewal::ledger::{Change, Entry};
use notafter::domain::renewal::window::Span;
use notafter::store::{Committed, Store, handle};
use std::sync::Arc;

use crate::alerts::{after, message, silence, take};
use crate::database::{Database, over_both};
use crate::support::moment;

over_both!(
    what_was_written_is_read_back_the_latest_first,
    an_attempt_that_somebody_changed_is_not_written_over,
    nothing_is_begun_twice,
    an_attempt_goes_on_in_small_steps,
    a_change_that_is_not_later_is_refused,
    what_cannot_be_read_stops_everything,
    old_ones_are_read_as_long_as_they_matter,
    letters_go_with_the_change_and_wait_for_their_time,
    a_letter_waits_also_while_its_channel_pauses,
    a_letter_of_a_wrong_clock_is_not_lost,
    the_ledger_is_read_from_the_latest_on_behind_a_cursor,
    an_entry_that_cannot_be_read_says_so,
    nothing_of_it_is_thrown_away,
    a_commit_that_fails_leaves_nothing_behind,
    renewals_that_cannot_be_read_do_not_close_the_store,
    a_store_of_an_earlier_version_is_taken_over,
);

pub(crate) fn resource(id: &str) -> ResourceKey {
    ResourceKey {
        provider: "alibaba".into(),
        account: "prod".into(),
        project: "".into(),
        region: "cn-hangzhou".into(),
        service: "redis".into(),
        resource_id: id.into(),
    }
}

/// The first attempt for an end ten days after the moment, announced `at` hours after the moment.
pub(crate) fn announced(id: &str, at: i64) -> Attempt {
    attempt(id, after(240), 1, at)
}

fn attempt(id: &str, not_after: DateTime<Utc>, number: u32, at: i64) -> Attempt {
    let key = AttemptKey { resource: resource(id), not_after };
    let window = Span { begin: after(at + 24), end: after(at + 27) };
    Attempt::new(key, number, By::Rule, "cloud_service=\"redis\"", Some(window), after(at))
}

/// As it becomes `at` hours after the moment.
pub(crate) fn becomes(before: &Attempt, state: State, at: i64) -> Attempt {
    Attempt { state, changed_at: after(at), ..before.clone() }
}

pub(crate) fn begins(before: &Attempt, at: i64) -> Attempt {
    before.stored("cloud_service=\"redis\"", after(at + 1), after(at))
}

pub(crate) fn change(before: Option<&Attempt>, attempt: &Attempt) -> Change {
    Change::new(before, attempt.clone(), "rule", "")
}

pub(crate) async fn commit(store: &Store, before: Option<&Attempt>, attempt: &Attempt) -> Committed {
    store.commit_renewals(&[change(before, attempt)], &[], attempt.changed_at, None).await.unwrap()
}

/// An attempt that is written down as it is.
async fn known(store: &Store, attempt: Attempt) -> Attempt {
    assert_eq!(commit(store, None, &attempt).await, Committed::Done, "{}", attempt.id);
    attempt
}

fn letter(id: &str, not_before: Option<DateTime<Utc>>) -> Letter {
    Letter { message: message(id, "ops", Stage::Warning, 0), not_before }
}

pub(crate) async fn all(store: &Store) -> Vec<Attempt> {
    store.attempts(moment()).await.unwrap()
}

pub(crate) async fn ledger(store: &Store) -> Vec<Entry> {
    store.entries(None, usize::MAX, None).await.unwrap()
}

async fn what_was_written_is_read_back_the_latest_first(database: Database) {
    let store = database.open().await;
    assert!(all(&store).await.is_empty() && ledger(&store).await.is_empty());
    let first = known(&store, announced("r-1 \0 / % 华东", 0)).await;
    let second = known(&store, announced("r-2", 1)).await;
    let begun = begins(&first, 2);
    assert_eq!(commit(&store, Some(&first), &begun).await, Committed::Done);
    store.close().await;
    let store = database.open().await;
    assert_eq!(all(&store).await, [begun, second]);
    let states: Vec<_> = ledger(&store).await.into_iter().map(|entry| entry.state).collect();
    assert_eq!(states, ["stored", "announced", "announced"].map(Box::from));
    store.close().await;
}

async fn an_attempt_that_somebody_changed_is_not_written_over(database: Database) {
    let store = database.open().await;
    let [first, second] =
        [known(&store, announced("r-1", 0)).await, known(&store, announced("r-2", 0)).await];
    let begun = begins(&first, 1);
    assert_eq!(commit(&store, Some(&first), &begun).await, Committed::Done);
    let (attempts, entries) = (all(&store).await, ledger(&store).await);
    let stale = Attempt { changed_at: first.changed_at - TimeDelta::nanoseconds(1), ..first.clone() };
    let nobody = announced("r-3", 0);
    for (name, before, attempt) in [
        ("it was begun meanwhile", Some(&first), begins(&first, 2)),
        ("read a nanosecond too early", Some(&stale), begins(&first, 2)),
        ("it is there already", None, first.clone()),
        ("it is not there", Some(&nobody), begins(&nobody, 2)),
        ("it is for another end", Some(&begun), Attempt { key: nobody.key.clone(), ..begins(&begun, 2) }),
    ] {
        let good = change(Some(&second), &becomes(&second, State::Approved, 3));
        let new = change(None, &announced("r-9", 3));
        let changes = [good, change(before, &attempt), new];
        let committed =
            store.commit_renewals(&changes, &[letter("evt_1", None)], after(3), None).await.unwrap();
        assert_eq!(committed, Committed::Overtaken, "{name}");
        assert_eq!((all(&store).await, ledger(&store).await), (attempts.clone(), entries.clone()), "{name}");
        assert_eq!(store.messages(&Sent::ALL, 9, None).await.unwrap(), [], "{name}");
    }
    store.close().await;
}

async fn nothing_is_begun_twice(database: Database) {
    let store = database.open().await;
    let end = after(240);
    let open = known(&store, attempt("r-1", end, 1, 0)).await;
    let begun = begins(&open, 1);
    assert_eq!(commit(&store, Some(&open), &begun).await, Committed::Done);
    for (name, second) in [
        ("another end while one is under way", begins(&attempt("r-1", after(2400), 1, 0), 1)),
        ("a second number while one is under way", begins(&attempt("r-1", end, 2, 0), 1)),
        ("the same end by another source", attempt("r-1", end + TimeDelta::hours(23), 1, 0)),
        ("less than a second apart", attempt("r-1", end + TimeDelta::microseconds(1), 1, 0)),
        ("the same key, another id", Attempt { id: "ren_other".into(), ..attempt("r-1", end, 1, 0) }),
    ] {
        assert_eq!(commit(&store, None, &second).await, Committed::Overtaken, "{name}");
    }
    for (name, other) in [
        ("an announcement of another end", attempt("r-1", after(2400), 1, 2)),
        ("a second number that waits", attempt("r-1", end, 2, 2)),
        ("another resource", begins(&attempt("r-2", end, 1, 0), 2)),
    ] {
        assert_eq!(commit(&store, None, &other).await, Committed::Done, "{name}");
    }
    let over = becomes(&begun, State::Unknown, 3);
    let next = attempt("r-1", end, 2, 2);
    assert_eq!(commit(&store, Some(&next), &begins(&next, 4)).await, Committed::Overtaken);
    assert_eq!(commit(&store, Some(&begun), &over).await, Committed::Done);
    assert_eq!(commit(&store, Some(&next), &begins(&next, 4)).await, Committed::Done, "it is over");
    store.close().await;
}

async fn an_attempt_goes_on_in_small_steps(database: Database) {
    let store = database.open().await;
    let mut now = known(&store, announced("r-1", 0)).await;
    let accepted = State::Accepted { request_id: "R-1".into() };
    let confirmed = State::Confirmed { new_not_after: after(9000) };
    // All at one moment, as a clock that stands says.
    for state in [State::Approved, State::Stored, accepted, confirmed] {
        let change = change(Some(&now), &becomes(&now, state, 0));
        assert_eq!(
            store.commit_renewals(std::slice::from_ref(&change), &[], after(0), None).await.unwrap(),
            Committed::Done
        );
        assert_eq!(
            store.commit_renewals(std::slice::from_ref(&change), &[], after(0), None).await.unwrap(),
            Committed::Overtaken,
            "a repeat"
        );
        now = change.attempt;
        assert_eq!(all(&store).await, [now.clone()]);
    }
    let states: Vec<_> = ledger(&store).await.into_iter().map(|entry| entry.state).collect();
    assert_eq!(states, ["confirmed", "accepted", "stored", "approved", "announced"].map(Box::from));
    store.close().await;
}

async fn a_change_that_is_not_later_is_refused(database: Database) {
    let store = database.open().await;
    let first = known(&store, announced("r-1", 0)).await;
    for (name, changed_at) in [
        ("at the same moment", first.changed_at),
        ("before", after(-1)),
        ("out of range", DateTime::<Utc>::MAX_UTC),
    ] {
        let attempt = Attempt { state: State::Stored, changed_at, ..first.clone() };
        let change = Change { attempt, instead_of: Some(first.changed_at), entry: None };
        let error = store.commit_renewals(&[change], &[], after(1), None).await.expect_err(name);
        assert_eq!(error.trouble.reason(), "refused", "{name}: {error}");
        assert_eq!(all(&store).await, std::slice::from_ref(&first), "{name}");
    }
    store.close().await;
}

async fn what_cannot_be_read_stops_everything(database: Database) {
    let store = database.open().await;
    known(&store, announced("r-2", 0)).await;
    let good = known(&store, begins(&announced("r-1", 0), 0)).await;
    for (name, spoil, first) in [
        ("torn", "UPDATE renewal SET attempt = '{\"id\":' WHERE state = 'stored'", "EOF"),
        (
            "a state of a newer version",
            "UPDATE renewal SET state = 'frozen' WHERE state = 'stored'",
            "columns",
        ),
        (
            "and what it says with it",
            "UPDATE renewal SET state = 'frozen', attempt = REPLACE(attempt, '\"stored\"', '\"frozen\"') WHERE state = 'stored'",
            "unknown variant `frozen`",
        ),
        (
            "a field of a newer version",
            "UPDATE renewal SET attempt = REPLACE(attempt, '\"number\":1', '\"number\":1,\"veto\":true') WHERE state = 'stored'",
            "not known (`veto`)",
        ),
        ("of another resource", "UPDATE renewal SET resource = 'x' WHERE state = 'stored'", "columns"),
        ("of another end", "UPDATE renewal SET not_after = 5 WHERE state = 'stored'", "columns"),
        (
            "of another moment",
            "UPDATE renewal SET changed_at = changed_at + 1 WHERE state = 'stored'",
            "columns",
        ),
        (
            "closed behind our back",
            "UPDATE renewal SET state = 'announced' WHERE state = 'stored'",
            "columns",
        ),
    ] {
        database.meddle("DROP TABLE IF EXISTS before").await;
        database.meddle("CREATE TABLE before AS SELECT * FROM renewal").await;
        database.meddle(spoil).await;
        let error = store.attempts(moment()).await.expect_err(name);
        assert_eq!(error.trouble.reason(), "unreadable", "{name}: {error}");
        let text = error.to_string();
        assert!(
            text.contains("renewals in it cannot be read (1; ren_") && text.contains(first),
            "{name}: {text}"
        );
        assert!(text.ends_with("nothing is renewed until then"), "{name}: {text}");
        assert!(store.attempts(moment()).await.is_err(), "{name}: it is not erased");
        database.meddle("DELETE FROM renewal").await;
        database.meddle("INSERT INTO renewal SELECT * FROM before").await;
    }
    assert_eq!(all(&store).await.len(), 2);
    assert!(all(&store).await.contains(&good), "the store works as before");
    store.close().await;
}

async fn old_ones_are_read_as_long_as_they_matter(database: Database) {
    let store = database.open().await;
    let (day, year) = (24, 24 * 365);
    let new_end = |hours| State::Confirmed { new_not_after: after(hours) };
    let refused =
        || State::Refused { class: Class::Permanent, code: "Order.Unpaid".into(), request_id: "R".into() };
    let sent = |id: &str, end: i64, number: u32, state: State, at: i64| {
        let begun = begins(&attempt(id, after(end), number, at), at);
        becomes(&begun, state, at)
    };
    let fleet = [
        ("long over, and a success later", sent("r-1", -5 * year, 1, refused(), -5 * year)),
        ("that success, long over too", sent("r-1", -5 * year, 2, new_end(-4 * year), -5 * year + 1)),
        ("and the one after it", sent("r-1", -4 * year, 1, new_end(-3 * year), -4 * year)),
        ("it stayed expired, nobody had success", sent("r-2", -5 * year, 1, refused(), -5 * year)),
        ("under way for ages, a success later", sent("r-3", -5 * year, 1, State::Stored, -5 * year)),
        ("that success, whose end is to come", sent("r-3", -5 * year, 2, new_end(year), -5 * year + 1)),
        ("announced for ever, a success later", sent("r-4", -5 * year, 1, State::Announced, -5 * year)),
        ("that success", sent("r-4", -5 * year, 2, new_end(-4 * year), -5 * year + 1)),
        ("failed since the last success of all", sent("r-5", -3 * year, 1, State::Unknown, -3 * year)),
        ("402 days ago, a success later", sent("r-6", -402 * day, 1, refused(), -402 * day)),
        ("399 days ago, a success later", sent("r-6", -399 * day, 1, refused(), -399 * day)),
        ("the success, the last of all", sent("r-6", -398 * day, 1, new_end(-300 * day), -398 * day)),
    ];
    for (name, attempt) in &fleet {
        assert_eq!(commit(&store, None, attempt).await, Committed::Done, "{name}");
    }
    let name = |attempt: &Attempt| fleet.iter().find(|(_, known)| known == attempt).map(|(name, _)| *name);
    let read = async |at| {
        let mut names: Vec<_> =
            store.attempts(at).await.unwrap().iter().map(|found| name(found).unwrap()).collect();
        names.sort_unstable();
        names
    };
    let mut want = vec![
        "and the one after it",
        "it stayed expired, nobody had success",
        "under way for ages, a success later",
        "that success, whose end is to come",
        "that success",
        "failed since the last success of all",
        "399 days ago, a success later",
        "the success, the last of all",
    ];
    want.sort_unstable();
    assert_eq!(read(moment()).await, want);
    want.retain(|name| *name != "399 days ago, a success later");
    assert_eq!(
        read(after(50 * year)).await,
        want,
        "a clock that is decades ahead forgets nothing that was sent"
    );
    assert_eq!(store.attempts(DateTime::<Utc>::MIN_UTC).await.unwrap().len(), fleet.len());
    store.close().await;
}

async fn letters_go_with_the_change_and_wait_for_their_time(database: Database) {
    let store = database.open().await;
    let letters = [letter("evt_2", Some(after(5))), letter("evt_1", None), letter("evt_3", Some(after(-5)))];
    let first = change(None, &announced("r-1", 0));
    assert_eq!(store.commit_renewals(&[first], &letters, after(0), None).await.unwrap(), Committed::Done);
    assert_eq!(store.next_due("ops").await.unwrap(), Some(after(0)));
    for (at, want) in [(0, Some("evt_1")), (0, Some("evt_3")), (4, None), (5, Some("evt_2")), (5, None)] {
        let taken = store.claim("ops", after(at)).await.unwrap();
        assert_eq!(taken.as_ref().map(|row| &*row.message.id), want, "after {at} hours");
        if let Some(row) = taken {
            let sent = letters.iter().find(|letter| letter.message.id == row.message.id).unwrap();
            assert_eq!((row.message, row.attempts), (sent.message.clone(), 1));
        }
    }
    let again = [letter("evt_1", None), letter("evt_4", None)];
    assert_eq!(store.commit_renewals(&[], &again, after(6), None).await.unwrap(), Committed::Done);
    assert_eq!(&*take(&store, "ops").await.unwrap().message.id, "evt_4");
    assert_eq!(take(&store, "ops").await, None, "the first was sent already");
    store.close().await;
}

async fn a_letter_waits_also_while_its_channel_pauses(database: Database) {
    let store = database.open().await;
    let letters = [letter("evt_1", None), letter("evt_2", Some(after(30)))];
    assert_eq!(store.commit_renewals(&[], &letters, after(0), None).await.unwrap(), Committed::Done);
    store.postpone("ops", after(1), Some("401")).await.unwrap();
    assert_eq!(store.next_due("ops").await.unwrap(), Some(after(1)));
    assert_eq!(&*store.claim("ops", after(2)).await.unwrap().unwrap().message.id, "evt_1");
    assert_eq!(store.claim("ops", after(2)).await.unwrap(), None);
    assert_eq!(store.next_due("ops").await.unwrap(), Some(after(30)));
    store.postpone("ops", after(31), None).await.unwrap();
    assert_eq!(store.claim("ops", after(30) - TimeDelta::minutes(1)).await.unwrap(), None);
    assert_eq!(&*store.claim("ops", after(31)).await.unwrap().unwrap().message.id, "evt_2");
    store.close().await;
}

async fn a_letter_of_a_wrong_clock_is_not_lost(database: Database) {
    let store = database.open().await;
    let years = after(24 * 3650);
    assert_eq!(
        store.commit_renewals(&[], &[letter("evt_1", Some(years))], after(0), None).await.unwrap(),
        Committed::Done
    );
    assert_eq!(store.next_due("ops").await.unwrap(), Some(after(24 * 8)), "no longer than eight days");
    assert_eq!(
        store
            .commit_renewals(&[], &[letter("evt_2", Some(years + TimeDelta::days(1)))], years, None)
            .await
            .unwrap(),
        Committed::Done
    );
    assert_eq!(
        &*store.claim("ops", after(0)).await.unwrap().unwrap().message.id,
        "evt_2",
        "written in a wrong year"
    );
    assert_eq!(store.claim("ops", after(0)).await.unwrap(), None);
    store.close().await;
}

async fn the_ledger_is_read_from_the_latest_on_behind_a_cursor(database: Database) {
    let store = database.open().await;
    for n in 0..12 {
        // two at each moment
        known(&store, announced(&format!("r-{n:02}"), n / 2)).await;
    }
    let one = announced("r-03", 1);
    let begun = begins(&one, 3);
    assert_eq!(commit(&store, Some(&one), &begun).await, Committed::Done);
    let whole = ledger(&store).await;
    assert_eq!(whole.len(), 13);
    assert!(whole.windows(2).all(|pair| pair[0].at >= pair[1].at), "the latest first");
    for size in [1, 2, 5, 13] {
        let (mut seen, mut before): (Vec<Entry>, Option<Entry>) = (Vec::new(), None);
        loop {
            let cursor = before.as_ref().map(|entry| (entry.at, &*entry.attempt));
            let page = store.entries(None, size, cursor).await.unwrap();
            let Some(last) = page.last() else { break };
            assert!(page.len() <= size);
            before = Some(last.clone());
            seen.extend(page);
        }
        assert_eq!(seen, whole, "in pages of {size}");
    }
    let of_one = store.entries(Some(&one.id), 9, None).await.unwrap();
    let want = [change(Some(&one), &begun), change(None, &one)].map(|change| change.entry.unwrap());
    assert_eq!(of_one, want);
    let second = store.entries(Some(&one.id), 9, Some((want[0].at, &one.id))).await.unwrap();
    assert_eq!(second, want[1..]);
    assert_eq!(store.entries(Some("ren_none \0"), 9, None).await.unwrap(), []);
    assert_eq!(store.entries(None, 9, Some((DateTime::<Utc>::MIN_UTC, ""))).await.unwrap(), []);
    assert_eq!(store.entries(None, 99, Some((DateTime::<Utc>::MAX_UTC, ""))).await.unwrap().len(), 13);
    store.close().await;
}

async fn an_entry_that_cannot_be_read_says_so(database: Database) {
    let store = database.open().await;
    let good = known(&store, announced("r-1", 0)).await;
    let odd = known(&store, announced("r-2", 1)).await;
    database.meddle("UPDATE renewal_ledger SET entry = '{}' WHERE happened_at = (SELECT MAX(happened_at) FROM renewal_ledger)").await;
    let entries = ledger(&store).await;
    assert_eq!((entries.len(), &entries[1].attempt), (2, &good.id));
    assert_eq!((entries[0].at, &entries[0].attempt, &*entries[0].state), (after(1), &odd.id, ""));
    assert!(
        entries[0].text.starts_with("not an entry of this program: missing field"),
        "{}",
        entries[0].text
    );
    store.close().await;
}

async fn nothing_of_it_is_thrown_away(database: Database) {
    let store = database.open().await;
    known(&store, announced("r-1", 0)).await;
    store.add_silence(&silence("sil_1", after(1))).await.unwrap();
    store.prune(after(24 * 365 * 10)).await.unwrap();
    assert!(store.silences().await.unwrap().is_empty(), "it did clean up");
    assert_eq!((all(&store).await.len(), ledger(&store).await.len()), (1, 1));
    store.close().await;
}

async fn a_commit_that_fails_leaves_nothing_behind(database: Database) {
    let store = database.open().await;
    let first = known(&store, announced("r-1", 0)).await;
    let changes = [change(Some(&first), &begins(&first, 1))];
    for (away, back) in [
        ("ALTER TABLE outbox RENAME TO away", "ALTER TABLE away RENAME TO outbox"),
        ("ALTER TABLE renewal_ledger RENAME TO away", "ALTER TABLE away RENAME TO renewal_ledger"),
        ("DELETE FROM renewal_turn", "INSERT INTO renewal_turn (one, turn) VALUES (1, 0)"),
    ] {
        database.meddle(away).await;
        let done = store.commit_renewals(&changes, &[letter("evt_1", None)], after(1), None).await;
        assert!(done.is_err(), "{away}: {done:?}");
        database.meddle(back).await;
        assert_eq!((all(&store).await, ledger(&store).await.len()), (vec![first.clone()], 1), "{away}");
        assert_eq!(take(&store, "ops").await, None, "{away}");
    }
    let done = store.commit_renewals(&changes, &[letter("evt_1", None)], after(1), None).await.unwrap();
    assert_eq!(done, Committed::Done);
    assert!(take(&store, "ops").await.is_some());
    store.close().await;
}

async fn renewals_that_cannot_be_read_do_not_close_the_store(database: Database) {
    let store = Arc::new(database.open().await);
    known(&store, announced("r-1", 0)).await;
    database.meddle("UPDATE renewal SET attempt = '{}'").await;
    let (mut holder, seen) = handle();
    holder.show(Some(Arc::clone(&store)));
    let error = store.attempts(moment()).await.expect_err("it is odd");
    seen.report(&store, error);
    let short = std::time::Duration::from_millis(100);
    assert!(tokio::time::timeout(short, holder.broken()).await.is_err(), "alerts go on");
    store.close().await;
}

async fn a_store_of_an_earlier_version_is_taken_over(database: Database) {
    let store = database.open().await;
    let waiting: Vec<_> = (0..30).map(|n| message(&format!("evt_{n:02}"), "ops", Stage::Info, n)).collect();
    store.commit_alerts(&[], &waiting, moment()).await.unwrap();
    take(&store, "ops").await.unwrap();
    let mut before = store.messages(&Sent::ALL, 99, None).await.unwrap();
    for row in before.iter_mut().filter(|row| row.attempts > 0) {
        row.unanswered = true; // it was not written down, so nobody knows
    }
    store.close().await;
    for statement in [
        "DROP TABLE renewal",
        "DROP TABLE renewal_ledger",
        "DROP TABLE renewal_turn",
        "ALTER TABLE outbox DROP COLUMN not_before",
        "ALTER TABLE outbox DROP COLUMN unanswered",
        "DROP TABLE resource_chunk",
        "DELETE FROM _sqlx_migrations WHERE version >= 3",
    ] {
        database.meddle(statement).await;
    }
    let store = database.open().await;
    assert_eq!(store.messages(&Sent::ALL, 99, None).await.unwrap(), before, "what waited waits");
    assert_eq!(&*take(&store, "ops").await.unwrap().message.id, "evt_01");
    let first = known(&store, announced("r-1", 0)).await;
    assert_eq!(all(&store).await, [first]);
    store.close().await;
}
