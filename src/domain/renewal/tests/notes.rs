//! What alerts are told of renewals.

use super::*;
use crate::domain::alert::message::RenewalNote;
use crate::domain::renewal::note::Notes;
use crate::domain::renewal::window::Span;

fn note(fleet: &Fleet, service: &str) -> RenewalNote {
    let notes = Notes::new(&fleet.plan(), &fleet.attempts, fleet.policy.mode, fleet.now);
    notes.of(Fleet::key(service, "r-1").fingerprint()).expect("known").note.clone()
}

#[test]
fn only_what_will_happen_in_time_is_called_planned() {
    let tonight = |fleet: &Fleet| Span {
        begin: fleet.now + TimeDelta::hours(12),
        end: fleet.now + TimeDelta::hours(15),
    };
    let waiting = || {
        let mut fleet = Fleet::ready();
        fleet.policy.allow[0].window = local(20, 23);
        fleet.attempts[0].planned = Some(tonight(&fleet));
        fleet
    };
    let planned = RenewalNote::Planned { at: tonight(&waiting()).begin };
    let cases: Vec<(&str, RenewalNote, fn(&mut Fleet))> = vec![
        ("announced for tonight", planned.clone(), |_| {}),
        ("mode plan", RenewalNote::Manual, |f| f.policy.mode = RenewalMode::Plan),
        ("not approved", RenewalNote::Manual, |f| f.policy.mode = RenewalMode::Approve),
        ("approved", planned, |f| {
            f.policy.mode = RenewalMode::Approve;
            f.attempts[0].approval = Some(f.approval(minutes(5), false));
        }),
        ("missed a window", RenewalNote::Manual, |f| {
            f.attempts[0].missed_at = Some(f.now - TimeDelta::days(1));
        }),
        ("not allowed", RenewalNote::Manual, |f| f.policy.allow.clear()),
        ("tried without effect", RenewalNote::Manual, |f| f.attempts[0].state = State::WithoutEffect),
        ("ends before tonight", RenewalNote::Manual, |f| {
            f.read("redis", "r-1", f.now + TimeDelta::hours(6));
            f.attempts[0].key.not_after = f.now + TimeDelta::hours(6);
        }),
        ("under way", RenewalNote::Planned { at: moment() + minutes(40) }, |f| {
            f.attempts[0] = f.attempts[0].stored("x", f.now + minutes(40), f.now);
        }),
        ("under way for too long", RenewalNote::Manual, |f| {
            f.attempts[0] = f.attempts[0].stored("x", f.now, f.now - minutes(40));
        }),
    ];
    for (name, want, change) in cases {
        let mut fleet = waiting();
        change(&mut fleet);
        assert_eq!(note(&fleet, "redis"), want, "{name}");
    }
    let mut fleet = Fleet::empty();
    fleet.add("dcs", "r-1", 10);
    assert_eq!(note(&fleet, "dcs"), RenewalNote::NoApi);
}

#[test]
fn the_end_that_we_brought_about_is_ours() {
    let mut fleet = Fleet::ready();
    let new_not_after = fleet.now + TimeDelta::days(375);
    fleet.attempts[0].state = State::Confirmed { new_not_after };
    fleet.read("redis", "r-1", new_not_after);
    let notes = Notes::new(&fleet.plan(), &fleet.attempts, fleet.policy.mode, fleet.now);
    let note = notes.of(Fleet::key("redis", "r-1").fingerprint()).expect("known");
    assert_eq!((note.ours, &note.note), (Some(new_not_after), &RenewalNote::Manual));
}
