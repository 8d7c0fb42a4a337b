//! What becomes of an attempt, by what is read after it.

use super::*;
use crate::domain::renewal::attempt::{Class, Seen};
use crate::domain::renewal::method::Condition;

fn under_way(state: State) -> Attempt {
    let fleet = Fleet::ready();
    let stored = fleet.attempts[0].stored("rule", fleet.now + minutes(40), fleet.now);
    Attempt { state, ..stored }
}

fn accepted() -> State {
    State::Accepted { request_id: "R".into() }
}

#[test]
fn only_a_later_end_confirms() {
    let (old, now) = (under_way(State::Stored).key.not_after, moment());
    let later = old + TimeDelta::days(365);
    let confirmed = Some(State::Confirmed { new_not_after: later });
    let failed = Some(State::FailedLater { text: "failed".into() });
    let (ready, busy) = (Condition::Ready, Condition::ChangingTls);
    for (name, state, after, condition, end, word, want) in [
        ("done", accepted(), 5, ready, Some(later), None, confirmed.clone()),
        ("done, the answer was lost", State::Stored, 5, ready, Some(later), None, confirmed.clone()),
        ("a later end, still changing", accepted(), 5, busy, Some(later), None, None),
        ("a later end, changing for too long", accepted(), 40, busy, Some(later), None, confirmed),
        ("read before the call", accepted(), 0, ready, Some(later), None, None),
        ("the other source's date", accepted(), 5, ready, Some(old + TimeDelta::hours(3)), None, None),
        ("unchanged for a while", accepted(), 39, ready, Some(old), None, None),
        ("unchanged for long", accepted(), 40, ready, Some(old), None, Some(State::WithoutEffect)),
        ("no answer, unchanged for long", State::Stored, 40, ready, Some(old), None, Some(State::Unknown)),
        ("changing for too long", accepted(), 399, busy, Some(old), None, None),
        ("changing for hours", accepted(), 400, busy, Some(old), None, Some(State::Unknown)),
        ("the end cannot be read", accepted(), 399, ready, None, None, None),
        ("the end cannot be read for hours", accepted(), 400, ready, None, None, Some(State::Unknown)),
        ("failed", accepted(), 10, ready, Some(old), Some("failed"), failed),
        ("failed, perhaps the change before", accepted(), 9, ready, Some(old), Some("failed"), None),
        ("failed, perhaps not ours", State::Stored, 10, ready, Some(old), Some("failed"), None),
        ("over already", State::Unknown, 50, ready, Some(later), None, None),
    ] {
        let at = now + minutes(after);
        let seen = Seen::Read { at, condition, not_after: end, failed: word.map(Into::into) };
        assert_eq!(under_way(state).settled(&seen, at), want, "{name}");
    }
    let failed_before = Attempt { failed_before: Some("failed".into()), ..under_way(accepted()) };
    let at = now + minutes(15);
    let seen = Seen::Read { at, condition: ready, not_after: Some(old), failed: Some("failed".into()) };
    assert_eq!(failed_before.settled(&seen, at), None, "the cloud said so before it already");
    let gone = |minutes_later| under_way(accepted()).settled(&Seen::Gone, now + minutes(minutes_later));
    assert_eq!((gone(39), gone(40)), (None, Some(State::Unknown)), "gone");
}

#[test]
fn every_state_is_stored_and_read_back() {
    let fleet = Fleet::ready();
    for state in [
        State::Announced,
        State::Approved,
        State::Rejected { person: "bob".into() },
        State::Stored,
        State::NotSent { text: "no connection".into() },
        accepted(),
        State::Confirmed { new_not_after: fleet.now },
        State::WithoutEffect,
        State::FailedLater { text: "failed".into() },
        State::Refused { class: Class::Person, code: "Order.Unpaid".into(), request_id: "R".into() },
        State::Unknown,
    ] {
        let mut attempt =
            fleet.attempt("redis", "r-1", 2, By::Person { name: "alice".into() }, state.clone());
        attempt.approval = Some(fleet.approval(minutes(1), true));
        let json = serde_json::to_string(&attempt).expect("JSON");
        let state_word = format!(r#""state":"{}""#, state.as_str());
        assert!(json.contains(&state_word), "{json}");
        assert_eq!(serde_json::from_str::<Attempt>(&json).expect(&json), attempt);
    }
}

#[test]
fn the_id_is_that_of_what_it_is_for() {
    let fleet = Fleet::ready();
    let id = |number| fleet.attempt("redis", "r-1", number, By::Rule, State::Announced).id;
    assert_eq!(id(1), fleet.attempts[0].id);
    assert!(id(1) != id(2) && id(1).starts_with("ren_"));
}
