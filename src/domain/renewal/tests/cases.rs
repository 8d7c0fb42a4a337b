//! Every reason for which nothing is begun, one case at least for each, and what is begun where none holds.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::*;
use crate::domain::alert::silence::About;
use crate::domain::finding::Stage;
use crate::domain::reason::{Failure, Reason};
use crate::domain::renewal::method::Begins;
use crate::domain::renewal::refusal::Refusal;
use crate::domain::renewal::window::Span;
use crate::domain::resource::ManagedBy;

/// What is changed of a fleet that is ready, and what is then said of `r-1`.
type Case = (&'static str, Refusal, Change);

fn person() -> By {
    By::Person { name: "alice".into() }
}

/// `r-1` of the first service becomes one of another, announced as well.
fn becomes(fleet: &mut Fleet, service: &'static str) {
    *fleet = Fleet { policy: fleet.policy.clone(), ..Fleet::empty() };
    fleet.add(service, "r-1", 10);
    fleet.announce(service, "r-1");
}

fn with_host(fleet: &mut Fleet, managed_by: Option<ManagedBy>) {
    becomes(fleet, "rds");
    fleet.change_reading("rds", "r-1", |reading| reading.managed_by = managed_by);
    fleet.detail("rds", "r-1", |detail| detail.host = Some("pgm-1.example".into()));
}

fn cloud_window(fleet: &mut Fleet, service: &'static str, window: &str) {
    becomes(fleet, service);
    fleet.policy.allow[0].window = Window::Cloud;
    fleet.detail(service, "r-1", |detail| detail.window = Some(window.into()));
}

fn silence(about: About, fleet: &Fleet) -> Silence {
    Silence {
        id: "sil_1".into(),
        about,
        starts_at: fleet.now - TimeDelta::hours(1),
        ends_at: fleet.now + TimeDelta::hours(1),
        author: "bob".into(),
        comment: "migration".into(),
        include_expired: false,
    }
}

fn fail(fleet: &mut Fleet, ids: &[&str], state: &State) {
    for id in ids {
        fleet.add("redis", id, 100);
        let failed = fleet.attempt("redis", id, 1, By::Rule, state.clone());
        fleet.attempts.push(failed);
    }
}

fn replica_of_busy_primary(fleet: &mut Fleet) {
    fleet.add("redis", "r-0", 100);
    fleet.change("redis", "r-1", |r| r.facts.group = Some("r-0".into()));
    fleet.policy.max_in_progress = 9;
}

fn cases() -> Vec<Case> {
    let mut cases = things();
    cases.extend(people());
    cases.extend(times());
    cases.extend(instances());
    cases
}

fn things() -> Vec<Case> {
    vec![
        ("no TLS there", Refusal::Unsupported, |f| f.off("redis", "r-1", TlsState::Unsupported)),
        ("TLS off", Refusal::TlsOff, |f| f.off("redis", "r-1", TlsState::Disabled)),
        ("never read", Refusal::NotRead, |f| {
            *f = Fleet::empty();
            f.put("redis", "r-1");
        }),
        ("on, and no certificate read", Refusal::NotRead, |f| f.off("redis", "r-1", TlsState::Enabled)),
        ("a cloud without a call", Refusal::NoApi, |f| becomes(f, "dcs")),
        ("an engine of the future", Refusal::UnknownEngine, |f| {
            f.change("redis", "r-1", |r| r.facts.engine = "Odd 1.0".into());
        }),
        ("two dates", Refusal::DatesDisagree, |f| {
            f.change_certificate("redis", "r-1", |c| {
                c.other_not_after = Some(c.not_after + TimeDelta::days(9));
            });
        }),
        ("mode off", Refusal::ModeOff, |f| f.policy.mode = RenewalMode::Off),
        ("mode plan", Refusal::ModePlan, |f| f.policy.mode = RenewalMode::Plan),
        ("no rule", Refusal::NotAllowed, |f| f.policy.allow.clear()),
        ("no rule for it", Refusal::NotAllowed, |f| {
            f.policy.allow = vec![rule(r#"resource_id="r-2""#, local(7, 10))];
        }),
        ("only its CA is allowed", Refusal::NotAllowed, |f| {
            f.policy.allow = vec![rule(r#"cert_role="ca""#, local(7, 10))];
        }),
        ("the cloud does it", Refusal::CloudRotation, |f| {
            f.detail("redis", "r-1", |detail| detail.rotation = Some(true));
        }),
        ("whose it is, is not said", Refusal::OwnerUncertain, |f| with_host(f, None)),
        ("one's own, no new one", Refusal::OwnCertificateMissing, |f| {
            with_host(f, Some(ManagedBy::Customer));
        }),
        ("one's own, the new one does not end later", Refusal::OwnCertificateUnfit, |f| {
            with_host(f, Some(ManagedBy::Customer));
            f.policy.allow[0].certificate = Some(own_certificate());
            let not_after = f.end("rds", "r-1");
            f.detail("rds", "r-1", |detail| detail.material = Material::Fit { not_after });
        }),
        ("one's own, the new one is broken", Refusal::OwnCertificateUnfit, |f| {
            with_host(f, Some(ManagedBy::Customer));
            f.policy.allow[0].certificate = Some(own_certificate());
            f.detail("rds", "r-1", |detail| detail.material = Material::Unfit { why: "no key".into() });
        }),
        ("one's own, nobody looked", Refusal::StaleReading, |f| {
            with_host(f, Some(ManagedBy::Customer));
            f.policy.allow[0].certificate = Some(own_certificate());
        }),
        ("the cloud's, and the rule has one's own", Refusal::OwnCertificateUnwanted, |f| {
            with_host(f, Some(ManagedBy::Cloud));
            f.policy.allow[0].certificate = Some(own_certificate());
        }),
        ("the cloud's, where nobody can bring one", Refusal::OwnCertificateUnwanted, |f| {
            f.policy.allow[0].certificate = Some(own_certificate());
        }),
    ]
}

fn people() -> Vec<Case> {
    vec![
        ("rejected", Refusal::Rejected, |f| f.attempts[0].state = State::Rejected { person: "bob".into() }),
        ("refused before", Refusal::AlreadyTried, |f| f.attempts[0].state = State::Unknown),
        ("confirmed, and the old end is read", Refusal::AlreadyTried, |f| {
            f.attempts[0].state = State::Confirmed { new_not_after: f.now + TimeDelta::days(400) };
        }),
        ("sent for what is the same end by another source", Refusal::AlreadyTried, |f| {
            f.attempts[0].state = State::WithoutEffect;
            f.attempts[0].key.not_after += TimeDelta::hours(9);
        }),
        ("sent for a later end, and an earlier one is read", Refusal::AlreadyTried, |f| {
            f.attempts[0].state = State::WithoutEffect;
            f.attempts[0].key.not_after += TimeDelta::days(90);
        }),
        ("a second time that no person wanted", Refusal::AlreadyTried, |f| {
            f.attempts[0].state = State::Unknown;
            let again = f.attempt("redis", "r-1", 2, By::Rule, State::Approved);
            f.attempts.push(Attempt { approval: Some(f.approval(minutes(5), false)), ..again });
        }),
        ("a second time, approved before the first failed", Refusal::AlreadyTried, |f| {
            f.attempts[0].state = State::Unknown;
            let again = f.attempt("redis", "r-1", 2, person(), State::Approved);
            f.attempts.push(Attempt { approval: Some(f.approval(TimeDelta::hours(50), false)), ..again });
        }),
        ("two failures in a row", Refusal::StoppedAfterFailures, |f| {
            fail(f, &["r-8", "r-9"], &State::WithoutEffect);
        }),
        ("silenced by what it is", Refusal::Silenced, |f| {
            let matcher = Matcher::parse(r#"resource_id="r-1", severity="critical""#, LabelSet::ALERT);
            f.silences.push(silence(About::Matching(matcher.expect("an expression")), f));
        }),
        ("somebody knows", Refusal::Silenced, |f| {
            let fingerprint = Fleet::key("redis", "r-1").fingerprint();
            f.silences.push(silence(About::Acknowledged { fingerprint, stage: Stage::Warning }, f));
        }),
        ("nobody approved", Refusal::NotApproved, |f| f.policy.mode = RenewalMode::Approve),
        ("the approval has ended", Refusal::NotApproved, |f| {
            f.policy.mode = RenewalMode::Approve;
            f.attempts[0].approval = Some(f.approval(TimeDelta::days(4), false));
        }),
        ("not told", Refusal::NotAnnounced, |f| f.attempts.clear()),
        ("told an hour ago", Refusal::NotAnnounced, |f| {
            f.attempts[0].announced_at = Some(f.now - TimeDelta::hours(1));
        }),
    ]
}

fn times() -> Vec<Case> {
    vec![
        ("a month is left", Refusal::TooEarly, |f| f.read("redis", "r-1", f.now + TimeDelta::days(30))),
        ("a little more than `before` is left", Refusal::TooEarly, |f| {
            f.read("redis", "r-1", f.now + TimeDelta::days(14) + minutes(5));
        }),
        ("before the window", Refusal::OutsideWindow, |f| f.now -= TimeDelta::hours(2)),
        ("at its end", Refusal::OutsideWindow, |f| f.now += TimeDelta::hours(2)),
        ("announced for tomorrow", Refusal::OutsideWindow, |f| {
            let begin = f.now + TimeDelta::hours(23);
            f.attempts[0].planned = Some(Span { begin, end: begin + TimeDelta::hours(3) });
        }),
        ("39 minutes of the window are left", Refusal::WindowTooShort, |f| f.now += minutes(81)),
        ("a window of half an hour", Refusal::NoWindow, |f| {
            let hours = Hours { from: time(7, 45), to: time(8, 15), days: EVERY_DAY.to_vec() };
            f.policy.allow[0].window = Window::Local { timezone: Tz::UTC, hours };
        }),
        ("every day is a blackout", Refusal::NoWindow, |f| {
            let days = date(1, 1).iter_days().take(900);
            f.policy.blackout = days.collect();
        }),
        ("a blackout", Refusal::Blackout, |f| f.policy.blackout = vec![date(11, 22)]),
        ("a blackout for one who wants it at once", Refusal::Blackout, |f| {
            f.policy.blackout = vec![date(11, 22)];
            f.attempts[0].approval = Some(f.approval(minutes(5), true));
        }),
        ("ends before its next window", Refusal::EndsBeforeWindow, |f| {
            f.policy.allow[0].window = local(20, 23);
            f.read("redis", "r-1", f.now + TimeDelta::hours(5));
        }),
        ("the cloud's window in no form we know", Refusal::CloudWindowUncertain, |f| {
            cloud_window(f, "redis", "18:00-22:00");
        }),
        ("the cloud's window is empty", Refusal::CloudWindowUncertain, |f| cloud_window(f, "redis", "")),
        ("the cloud's window was not read", Refusal::StaleReading, |f| {
            f.policy.allow[0].window = Window::Cloud;
            f.details.clear();
        }),
        ("outside the cloud's window", Refusal::OutsideWindow, |f| cloud_window(f, "redis", "09:00Z-12:00Z")),
        ("too long before a window that the cloud would keep", Refusal::OutsideWindow, |f| {
            cloud_window(f, "mongodb", "18:00Z-22:00Z");
        }),
        (
            "a window that the cloud would keep, and it is another than was announced",
            Refusal::OutsideWindow,
            |f| {
                cloud_window(f, "mongodb", "09:00Z-13:00Z");
                let begin = f.now - minutes(30);
                f.attempts[0].planned = Some(Span { begin, end: begin + TimeDelta::hours(4) });
            },
        ),
        ("a window that the cloud would keep, with a blackout in it", Refusal::OutsideWindow, |f| {
            cloud_window(f, "mongodb", "09:00Z-08:00Z");
            f.policy.blackout = vec![date(11, 23)];
        }),
    ]
}

fn instances() -> Vec<Case> {
    let mut cases = readings();
    cases.extend(conditions());
    cases
}

/// What was read for the renewal, or not.
fn readings() -> Vec<Case> {
    vec![
        ("not read for it just now", Refusal::StaleReading, |f| f.now += minutes(3)),
        ("read at a time that is still to come", Refusal::StaleReading, |f| {
            let at = f.now + minutes(1);
            f.details.values_mut().for_each(|detail| detail.at = at);
        }),
        ("somebody else renewed it meanwhile", Refusal::StaleReading, |f| {
            let end = f.now + TimeDelta::days(375);
            f.detail("redis", "r-1", |detail| detail.not_after = Some(end));
        }),
        ("the reading for it says no end", Refusal::StaleReading, |f| {
            f.detail("redis", "r-1", |detail| detail.not_after = None);
        }),
        ("it became somebody's own meanwhile", Refusal::StaleReading, |f| {
            with_host(f, Some(ManagedBy::Cloud));
            f.detail("rds", "r-1", |detail| detail.managed_by = Some(ManagedBy::Customer));
        }),
        ("locked meanwhile", Refusal::Locked, |f| {
            f.detail("redis", "r-1", |detail| detail.locked = Some(true));
        }),
        ("the reading for it says no status", Refusal::StaleReading, |f| {
            f.detail("redis", "r-1", |detail| detail.status = None);
        }),
        ("whose it is was not said again, where it may be the customer's", Refusal::StaleReading, |f| {
            with_host(f, Some(ManagedBy::Cloud));
            f.detail("rds", "r-1", |detail| detail.managed_by = None);
        }),
        (
            "it was busy when it was read, in a listing that was made meanwhile it was not",
            Refusal::UnderWayElsewhere,
            |f| {
                f.detail("redis", "r-1", |detail| detail.status = Some("SSLModifying".into()));
            },
        ),
        ("the reading of its primary says no status", Refusal::StaleReading, |f| {
            replica_of_busy_primary(f);
            f.detail("redis", "r-0", |detail| detail.status = None);
        }),
        ("its primary restarted when it was read", Refusal::GroupBusy, |f| {
            replica_of_busy_primary(f);
            f.detail("redis", "r-0", |detail| detail.status = Some("Rebooting".into()));
        }),
        ("what its primary does was not read just now", Refusal::StaleReading, |f| {
            replica_of_busy_primary(f);
            f.details.remove(&Fleet::key("redis", "r-0"));
        }),
        ("its rule asks for tags that were not told", Refusal::TagsUnknown, |f| {
            f.policy.allow = vec![rule(r#"tag:env!="prod""#, local(7, 10))];
            f.snapshot.scope_mut(&Fleet::scope("redis")).tags_told_at = None;
        }),
        ("announced for another window", Refusal::OutsideWindow, |f| {
            let begin = f.now + TimeDelta::hours(23);
            f.attempts[0].planned = Some(Span { begin, end: begin + TimeDelta::hours(3) });
        }),
        ("the window that was announced is over", Refusal::NotAnnounced, |f| {
            let end = f.now - TimeDelta::hours(21);
            f.attempts[0].planned = Some(Span { begin: end - TimeDelta::hours(3), end });
        }),
        ("announced under another name of the account", Refusal::NotAnnounced, |f| {
            f.attempts[0].key.resource.account = "prod-before".into();
        }),
        ("rejected under another name of the account", Refusal::Rejected, |f| {
            f.attempts[0].state = State::Rejected { person: "bob".into() };
            f.attempts[0].key.resource.account = "prod-before".into();
        }),
        ("one of the account is under way under its name of before", Refusal::AccountLimit, |f| {
            f.add("redis", "r-2", 100);
            let mut open = f.attempt("redis", "r-2", 1, By::Rule, State::Accepted { request_id: "R".into() });
            open.key.resource.account = "prod-before".into();
            f.attempts.push(open);
        }),
        ("tried under another name of the account", Refusal::AlreadyTried, |f| {
            f.attempts[0].state = State::Unknown;
            f.attempts[0].key.resource.account = "prod-before".into();
        }),
    ]
}

fn conditions() -> Vec<Case> {
    vec![
        ("locked", Refusal::Locked, |f| f.change("redis", "r-1", |r| r.facts.locked = true)),
        ("stopped", Refusal::NotRunning, |f| {
            f.change("redis", "r-1", |r| r.facts.status = "Inactive".into());
        }),
        ("a word of the future", Refusal::NotRunning, |f| {
            f.change("redis", "r-1", |r| r.facts.status = "".into());
        }),
        ("its TLS is changing", Refusal::UnderWayElsewhere, |f| {
            f.change("redis", "r-1", |r| r.facts.status = "SSLModifying".into());
        }),
        ("it restarts", Refusal::Changing, |f| {
            f.change("redis", "r-1", |r| r.facts.status = "Restarting".into());
        }),
        ("its primary restarts", Refusal::GroupBusy, |f| {
            replica_of_busy_primary(f);
            f.change("redis", "r-0", |r| r.facts.status = "Restarting".into());
        }),
        ("its primary does not run", Refusal::GroupBusy, |f| {
            replica_of_busy_primary(f);
            f.change("redis", "r-0", |r| r.facts.status = "Inactive".into());
        }),
        ("its primary is being renewed", Refusal::GroupBusy, |f| {
            replica_of_busy_primary(f);
            let open = f.attempt("redis", "r-0", 1, By::Rule, State::Accepted { request_id: "R".into() });
            f.attempts.push(open);
        }),
        ("its primary begins now", Refusal::GroupBusy, |f| {
            replica_of_busy_primary(f);
            f.read("redis", "r-0", f.now + TimeDelta::days(9));
            f.announce("redis", "r-0");
        }),
        ("read long ago", Refusal::StaleReading, |f| {
            let at = f.now - minutes(61);
            f.change_reading("redis", "r-1", |reading| reading.at = at);
        }),
        ("listed with the filters of before", Refusal::StaleReading, |f| {
            f.accounts
                .insert("prod".into(), AccountWords { filtered_by: Some(7), ..AccountWords::default() });
        }),
        ("listed long ago", Refusal::StaleReading, |f| {
            f.now += minutes(61);
            f.read("redis", "r-1", f.now + TimeDelta::days(10));
            f.attempts[0].key.not_after = f.now + TimeDelta::days(10);
        }),
        ("its host was not read", Refusal::StaleReading, |f| {
            with_host(f, Some(ManagedBy::Cloud));
            f.details.clear();
        }),
        ("its host is not known", Refusal::HostUncertain, |f| {
            with_host(f, Some(ManagedBy::Cloud));
            f.detail("rds", "r-1", |detail| detail.host = None);
        }),
        ("two hosts", Refusal::HostUncertain, |f| {
            with_host(f, Some(ManagedBy::Cloud));
            f.change_certificate("rds", "r-1", |c| c.subject.common_name = "other.example".into());
        }),
        ("another one of the account is under way", Refusal::AccountLimit, |f| {
            fail(f, &["r-9"], &State::Stored);
        }),
        ("enough for a day", Refusal::DayLimit, |f| {
            f.policy.max_per_day = 1;
            f.add("redis", "r-9", 100);
            let new_not_after = f.now + TimeDelta::days(300);
            let mut done = f.attempt("redis", "r-9", 1, By::Rule, State::Confirmed { new_not_after });
            done.stored_at = Some(f.now - TimeDelta::hours(23));
            f.attempts.push(done);
        }),
        ("the call did not leave", Refusal::NotSentYet, |f| {
            f.attempts[0].state = State::NotSent { text: "no connection".into() };
            f.attempts[0].changed_at = f.now - minutes(9);
        }),
    ]
}

#[test]
fn every_reason_holds_where_it_should() {
    let mut missing: BTreeSet<Refusal> = Refusal::ALL.iter().copied().collect();
    for (name, want, change) in cases() {
        let mut fleet = Fleet::ready();
        change(&mut fleet);
        let service = fleet.snapshot.resources().next().expect("one").0.service.clone();
        let step = fleet.step(&service, "r-1");
        assert_eq!(step.decision.why(), Some(want), "{name}: {:?}", step.decision);
        let waits = matches!(step.decision, Decision::Wait { .. });
        assert_eq!(waits, want.passes(), "{name}");
        missing.remove(&want);
    }
    assert!(missing.is_empty(), "no case for {missing:?}");
}

#[test]
fn what_nothing_speaks_against_is_begun() {
    let cases: Vec<(&str, Change)> = vec![
        ("as announced", |_| {}),
        ("40 minutes of the window are left", |f| {
            f.now += minutes(80);
            f.read("redis", "r-1", f.end("redis", "r-1"));
            f.change("redis", "r-1", |_| {});
        }),
        ("expired already, in the window", |f| {
            f.read("redis", "r-1", f.now - TimeDelta::days(1));
            f.attempts[0].key.not_after = f.now - TimeDelta::days(1);
        }),
        ("approved", |f| {
            f.policy.mode = RenewalMode::Approve;
            f.attempts[0].approval = Some(f.approval(minutes(5), false));
        }),
        ("a person wants it at once", |f| {
            f.policy.allow[0].window = local(20, 23);
            f.attempts[0] = f.attempt("redis", "r-1", 1, person(), State::Approved);
            f.attempts[0].approval = Some(f.approval(minutes(5), true));
        }),
        ("a person wants it again", |f| {
            f.attempts[0].state = State::Unknown;
            let again = f.attempt("redis", "r-1", 2, person(), State::Approved);
            f.attempts.push(Attempt { approval: Some(f.approval(minutes(5), false)), ..again });
        }),
        ("a person starts it again after failures", |f| {
            fail(f, &["r-8", "r-9"], &State::WithoutEffect);
            f.attempts[0] = f.attempt("redis", "r-1", 1, person(), State::Approved);
            f.attempts[0].approval = Some(f.approval(minutes(5), false));
        }),
        ("a success between failures", |f| {
            fail(f, &["r-7", "r-9"], &State::WithoutEffect);
            fail(f, &["r-8"], &State::Confirmed { new_not_after: f.now + TimeDelta::days(400) });
            f.attempts[2].changed_at += minutes(2);
            f.attempts[3].changed_at += minutes(1);
        }),
        ("the call did not leave, a while ago", |f| {
            f.attempts[0].state = State::NotSent { text: "no connection".into() };
        }),
        ("another account is at work", |f| {
            f.add("redis", "r-9", 100);
            let mut other = f.attempt("redis", "r-9", 1, By::Rule, State::Stored);
            other.key.resource.account = "test".into();
            f.accounts.insert("test".into(), AccountWords::default());
            f.attempts.push(other);
        }),
        ("the status was read again since it was listed", |f| {
            f.change("redis", "r-1", |r| r.facts.status = "SSLModifying".into());
            f.now += minutes(1);
            f.detail("redis", "r-1", |detail| detail.status = Some("Normal".into()));
        }),
        ("in the cloud's window", |f| cloud_window(f, "redis", "07:00Z-09:00Z")),
        ("with the host", |f| with_host(f, Some(ManagedBy::Cloud))),
        ("with one's own certificate", |f| {
            with_host(f, Some(ManagedBy::Customer));
            f.policy.allow[0].certificate = Some(own_certificate());
            let not_after = f.end("rds", "r-1") + TimeDelta::days(90);
            f.detail("rds", "r-1", |detail| detail.material = Material::Fit { not_after });
        }),
    ];
    for (name, change) in cases {
        let mut fleet = Fleet::ready();
        change(&mut fleet);
        let plan = fleet.plan();
        let begun = begun(&plan);
        assert_eq!(begun.len(), 1, "{name}: {:?}", plan.steps[0].decision);
        let attempt = begun[0].1;
        assert_eq!((&attempt.state, attempt.stored_at), (&State::Stored, Some(fleet.now)), "{name}");
    }
}

fn parameters(step: &Step) -> Vec<String> {
    let Decision::Renew { call, .. } = &step.decision else { panic!("{:?}", step.decision) };
    call.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

#[test]
fn a_call_has_the_parameters_of_its_method_and_no_others() {
    let mut fleet = Fleet::ready();
    assert_eq!(parameters(&fleet.step("redis", "r-1")), ["InstanceId=r-1", "SSLEnabled=Update"]);
    with_host(&mut fleet, Some(ManagedBy::Cloud));
    let want = ["DBInstanceId=r-1", "ConnectionString=pgm-1.example", "SSLEnabled=1", "CAType=cloud"];
    assert_eq!(parameters(&fleet.step("rds", "r-1")), want);
    with_host(&mut fleet, Some(ManagedBy::Customer));
    fleet.policy.allow[0].certificate = Some(own_certificate());
    let not_after = fleet.end("rds", "r-1") + TimeDelta::days(90);
    fleet.detail("rds", "r-1", |detail| detail.material = Material::Fit { not_after });
    let step = fleet.step("rds", "r-1");
    let want = ["DBInstanceId=r-1", "ConnectionString=pgm-1.example", "SSLEnabled=1", "CAType=custom"];
    assert_eq!(parameters(&step), want);
    let Decision::Renew { call, .. } = step.decision else { panic!() };
    assert_eq!(call.material, Some(("ServerCert", "ServerKey", own_certificate())));
}

#[test]
fn a_cloud_that_waits_itself_is_told_so_shortly_before_its_window() {
    for (name, window, want, expected_by) in [
        ("before it", "09:30Z-12:00Z", Some(("SwitchMode=1", Begins::InCloudWindow)), 4 * 60 + 40),
        ("over midnight", "09:30Z-08:00Z", Some(("SwitchMode=1", Begins::InCloudWindow)), 24 * 60 + 40),
        ("in it", "07:00Z-12:00Z", Some(("SwitchMode=0", Begins::AtOnce)), 40),
        ("long before it", "10:30Z-12:00Z", None, 0),
    ] {
        let mut fleet = Fleet::ready();
        cloud_window(&mut fleet, "mongodb", window);
        let step = fleet.step("mongodb", "r-1");
        let Decision::Renew { call, attempt } = &step.decision else {
            assert_eq!((want, step.decision.why()), (None, Some(Refusal::OutsideWindow)), "{name}");
            continue;
        };
        let (switch, begins) = want.expect(name);
        assert_eq!((parameters(&step)[2].as_str(), call.begins), (switch, begins), "{name}");
        assert_eq!(attempt.expected_by, Some(fleet.now + minutes(expected_by)), "{name}");
    }
}

#[test]
fn what_ends_first_begins_first_and_the_others_of_the_account_wait() {
    let mut fleet = Fleet::empty();
    for (id, days) in [("r-1", 9), ("r-2", 5), ("r-3", 7)] {
        fleet.add("redis", id, days);
        fleet.announce("redis", id);
    }
    let plan = fleet.plan();
    let of = |step: &Step| (step.resource.resource_id.to_string(), step.decision.why());
    let limit = Some(Refusal::AccountLimit);
    let want = [("r-2".into(), None), ("r-3".into(), limit), ("r-1".into(), limit)];
    assert_eq!(plan.steps.iter().map(of).collect::<Vec<_>>(), want);
}

#[test]
fn what_is_under_way_is_only_read() {
    let mut fleet = Fleet::ready();
    for (state, read, since, overdue) in [
        (State::Stored, "Settle", 1, false),
        (State::Accepted { request_id: "R".into() }, "Progress", 39, false),
        (State::Accepted { request_id: "R".into() }, "Progress", 40, true),
    ] {
        let stored = fleet.attempt("redis", "r-1", 1, By::Rule, State::Announced).stored(
            "x",
            fleet.now + minutes(40 - since),
            fleet.now - minutes(since),
        );
        fleet.attempts = vec![Attempt { state, ..stored }];
        let plan = fleet.plan();
        let Decision::Resume { read: found, overdue: late, .. } = &plan.steps[0].decision else { panic!() };
        assert_eq!((format!("{found:?}").as_str(), *late, plan.steps.len()), (read, overdue, 1));
    }
    fleet.snapshot = Snapshot::default();
    assert_eq!(fleet.plan().steps.len(), 1, "also when the instance is not known any more");
}

#[test]
fn a_plan_is_announced_once_with_its_window_and_again_when_that_passed() {
    let mut fleet = Fleet::empty();
    fleet.policy.mode = RenewalMode::Approve;
    fleet
        .accounts
        .insert("prod".into(), AccountWords { owner_tag: Some("dba".into()), ..AccountWords::default() });
    fleet.add("redis", "r-1", 10);
    fleet.change("redis", "r-1", |r| r.facts.tags = [("dba".into(), "carol".into())].into());
    let plan = fleet.plan();
    let [told] = &plan.announce[..] else { panic!("{:?}", plan.announce) };
    let planned = told.attempt.planned.expect("a window");
    assert!(planned.contains(fleet.now + TimeDelta::days(1)), "the first after `announce`");
    assert_eq!((told.asks, told.owner.as_deref(), plan.ask.len()), (true, Some("carol"), 1));
    fleet.attempts = vec![told.attempt.clone()];
    let quiet = fleet.plan();
    assert_eq!((quiet.announce.len(), quiet.ask.len()), (0, 1), "told, not approved");
    fleet.now = planned.end;
    fleet.read("redis", "r-1", fleet.end("redis", "r-1"));
    let again = fleet.plan().announce.remove(0).attempt;
    assert_eq!((again.id.clone(), again.missed_at), (fleet.attempts[0].id.clone(), Some(planned.end)));
    assert!(again.planned.is_some_and(|next| next.begin > planned.end));
}

#[test]
fn announcements_are_spread_over_windows_with_room() {
    let mut fleet = Fleet::empty();
    for number in 0..7 {
        fleet.add("redis", &format!("r-{number}"), 10);
    }
    let begins: Vec<_> = fleet.plan().announce.iter().filter_map(|told| told.attempt.planned).collect();
    let days: BTreeMap<_, usize> = begins.iter().fold(BTreeMap::new(), |mut days, span| {
        *days.entry(span.begin.date_naive()).or_default() += 1;
        days
    });
    let want = [(date(11, 23), 4), (date(11, 24), 3)];
    assert_eq!(days.into_iter().collect::<Vec<_>>(), want, "three hours hold four in turn, and a day five");
}

#[test]
fn what_cannot_be_renewed_now_takes_no_window_from_what_can_be() {
    type Changed<'c> = (&'static str, NaiveDate, &'c dyn Fn(&mut Fleet));
    let blind = |fleet: &mut Fleet| {
        let failure = Failure { reason: Reason::Timeout, text: "no answer".into(), at: fleet.now };
        fleet.snapshot.scope_mut(&Fleet::scope("mongodb")).listing_failed(failure);
    };
    let ends = |fleet: &mut Fleet, hours| fleet.read("mongodb", "dds-1", fleet.now + TimeDelta::hours(hours));
    let announced = |fleet: &mut Fleet| {
        fleet.announce("mongodb", "dds-1");
        let begin = fleet.now.date_naive().succ_opt().expect("a day").and_time(time(7, 0)).and_utc();
        fleet.attempts[0].planned = Some(Span { begin, end: begin + TimeDelta::hours(3) });
    };
    let (first, second) = (date(11, 23), date(11, 24));
    let cases: [Changed<'_>; 6] = [
        ("it can be renewed", second, &|_| {}),
        ("it can be, and was announced", second, &announced),
        ("its scope cannot be read", first, &blind),
        ("it was announced, and its scope cannot be read", first, &|fleet| {
            announced(fleet);
            blind(fleet);
        }),
        ("it has expired", first, &|fleet| ends(fleet, -1)),
        ("it ends before that window", first, &|fleet| ends(fleet, 12)),
    ];
    for (name, want, change) in cases {
        let mut fleet = Fleet::empty();
        fleet.policy.max_per_day = 1;
        fleet.add("mongodb", "dds-1", 5);
        fleet.add("redis", "r-1", 10);
        change(&mut fleet);
        let window = fleet.step("redis", "r-1").planned.expect("a window");
        assert_eq!(window.begin.date_naive(), want, "{name}");
    }
}
