//! Couriers with paused time: hours pass in no time, and every wait is exact.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;

use super::testing::{
    CHAT, HOOK, Memory, PAGER, Posted, Puppet, Rig, channel, delivered, message, pass, refused, replica,
    retry,
};
use super::watch::States;
use crate::domain::alert::delivery::testing::{entered, facts, item};
use crate::domain::alert::message::Message;
use crate::domain::alert::outbox::State;
use crate::domain::alert::standing;
use crate::domain::finding::Stage;
use crate::domain::reason::Reason;
use crate::domain::snapshot::{ScopeView, Snapshot};
use crate::domain::testing::{certificate, moment, reading, resource, scope};
use crate::notifier::desk::Desk as _;
use crate::notifier::{Outcome, Receipt, Refusal, Trouble};

const HOUR: u64 = 3600;

fn news(channel: &str, minute: i64) -> Message {
    message(channel, minute, vec![item("r-1", 7, entered(Stage::Warning, None))])
}

fn of_parts(channel: &str, parts: usize) -> Message {
    let items = (0..parts).map(|n| item(&format!("r-{n}"), 7, entered(Stage::Warning, None)));
    message(channel, 0, items.collect())
}

/// Nobody knows whether it arrived.
fn silent() -> Outcome {
    Outcome::Retry { after: None, trouble: Trouble::new(Reason::Timeout, "no answer within 20 s") }
}

fn within(posts: &[Posted], from: Instant, seconds: u64) -> usize {
    posts.iter().filter(|posted| posted.at < from + Duration::from_secs(seconds)).count()
}

/// A channel that does this until it is told to be well.
fn ill_until_cured(robot: u64, ill: impl Fn() -> Outcome + Send + 'static) -> (Arc<Puppet>, Arc<AtomicBool>) {
    let cured = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&cured);
    let puppet = Puppet::new(robot, move |_| if seen.load(Ordering::Relaxed) { delivered() } else { ill() });
    (puppet, cured)
}

#[tokio::test(start_paused = true)]
async fn a_hundred_messages_go_at_the_pace_of_the_robot() {
    let puppet = Puppet::willing(1);
    let slow = crate::daemon::alerts::Channel { per_minute: 15.0, burst: 3, ..channel("a", &HOOK, &puppet) };
    let shared = crate::daemon::alerts::Channel { name: "b".into(), ..slow.clone() };
    let rig = Rig::new([slow, shared]);
    rig.commit((0..50).flat_map(|n| [news("a", n), news("b", n)]));
    let began = Instant::now();
    let _running = rig.start();
    pass(HOUR).await;
    let posts = puppet.posts();
    assert_eq!(posts.len(), 100);
    for minutes in 1..=6 {
        let sent = within(&posts, began, minutes * 60);
        assert!(sent <= 15 * usize::try_from(minutes).expect("few") + 3, "{sent} in {minutes} min");
    }
    assert_eq!(rig.outbox.count("a", State::Delivered) + rig.outbox.count("b", State::Delivered), 100);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_hangs_delays_no_other() {
    let hanging = Puppet::slow(1, |_| (Duration::from_secs(90), retry(None)));
    let willing = Puppet::willing(2);
    let rig = Rig::new([channel("a", &HOOK, &hanging), channel("b", &HOOK, &willing)]);
    rig.commit((0..20).flat_map(|n| [news("a", n), news("b", n)]));
    let began = Instant::now();
    let _running = rig.start();
    pass(30).await;
    assert_eq!(within(&willing.posts(), began, 1), 20);
    assert_eq!(hanging.posts().len(), 1, "one at a time");
}

#[tokio::test(start_paused = true)]
async fn a_message_is_tried_until_it_arrives_and_keeps_its_id() {
    let mut failures = 4;
    let puppet = Puppet::new(1, move |_| {
        failures -= 1;
        if failures >= 0 { retry(None) } else { delivered() }
    });
    let rig = Rig::new([channel("a", &HOOK, &puppet)]);
    rig.commit([news("a", 0)]);
    let _running = rig.start();
    pass(HOUR).await;
    let posts = puppet.posts();
    assert_eq!(posts.len(), 5);
    assert!(posts.iter().all(|posted| posted.id == "evt_a_0"));
    let waits: Vec<_> = posts.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    for (wait, most) in waits.iter().zip([5, 15, 45, 135]) {
        // the message and the channel each throw their own dice; the longer wait holds
        let limits = Duration::from_secs(1)..=Duration::from_millis(most * 1000 + 200);
        assert!(limits.contains(wait), "{waits:?}");
    }
    let row = rig.outbox.kept().rows[0].clone();
    assert_eq!((row.state, row.attempts), (State::Delivered, 5));
}

#[tokio::test(start_paused = true)]
async fn what_fails_for_three_days_is_given_up() {
    let puppet = Puppet::new(1, |_| retry(None));
    let rig = Rig::new([channel("a", &HOOK, &puppet)]);
    rig.commit([news("a", 0)]);
    let _running = rig.start();
    pass(71 * HOUR).await;
    assert_eq!(rig.outbox.count("a", State::Queued), 1);
    pass(2 * HOUR).await;
    assert_eq!(rig.outbox.count("a", State::Dead), 1);
    assert_eq!(rig.outbox.kept().rows[0].last_error.as_deref(), Some("HTTP 503"));
    let posts = puppet.posts().len();
    assert!((300..2000).contains(&posts), "{posts} attempts in 72 h");
    pass(10 * HOUR).await;
    assert_eq!(puppet.posts().len(), posts);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_was_off_for_a_week_still_tries() {
    let mut failures = 2;
    let puppet = Puppet::new(1, move |_| {
        failures -= 1;
        if failures >= 0 { retry(None) } else { delivered() }
    });
    let rig = Rig::new([channel("a", &HOOK, &puppet)]);
    rig.commit([news("a", -7 * 24 * 60)]);
    let _running = rig.start();
    pass(HOUR).await;
    assert_eq!(rig.outbox.count("a", State::Delivered), 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_robot_asks_for_holds_for_all_who_use_it() {
    let mut first = true;
    let puppet =
        Puppet::new(7, move |_| if std::mem::take(&mut first) { retry(Some(600)) } else { delivered() });
    let other = Puppet::willing(8);
    let rig =
        Rig::new([channel("a", &HOOK, &puppet), channel("b", &HOOK, &puppet), channel("c", &HOOK, &other)]);
    rig.commit([news("a", 0)]);
    let began = Instant::now();
    let running = rig.start();
    pass(1).await;
    rig.commit([news("b", 1), news("c", 1)]);
    running.office.wake(|_| true);
    pass(598).await;
    assert_eq!((puppet.posts().len(), other.posts().len()), (1, 1));
    pass(120).await;
    let posts = puppet.posts();
    assert_eq!(posts.len(), 3);
    assert!(posts[1].at - began >= Duration::from_mins(10));
}

#[tokio::test(start_paused = true)]
async fn a_refused_channel_is_paused_probed_told_of_and_told_well_again() {
    let (refusing, cured) = ill_until_cured(1, || refused(Refusal::Credentials));
    let (willing, pager) = (Puppet::willing(2), Puppet::willing(3));
    let rig = Rig::new([
        channel("a", &HOOK, &refusing),
        channel("b", &HOOK, &willing),
        channel("pager", &PAGER, &pager),
    ]);
    rig.commit((0..4).map(|n| news("a", n)));
    let running = rig.start();
    pass(10).await;
    assert_eq!(refusing.posts().len(), 1, "the others wait");
    let told = willing.bodies();
    assert!(
        matches!(&told[..], [one] if one.starts_with("a Failing") && one.contains("queued: 4")),
        "{told:?}"
    );
    assert_eq!(pager.posts().len(), 0, "nobody is woken for it");

    pass(2 * HOUR).await;
    assert_eq!(refusing.posts().len(), 5, "a probe every half hour");
    running.kill().await;
    let again = rig.start();
    pass(60).await;
    assert_eq!(refusing.posts().len(), 6, "the settings may be others after a restart");
    assert_eq!(willing.posts().len(), 1, "it was told before");

    cured.store(true, Ordering::Relaxed);
    again.office.probe(Some("a")).expect("a channel");
    pass(5).await;
    assert_eq!(rig.outbox.count("a", State::Delivered), 4);
    let told = willing.bodies();
    assert!(
        matches!(&told[1..], [one] if one.contains("Recovered") && one.contains("delayed: 4")),
        "{told:?}"
    );
    pass(HOUR).await;
    assert_eq!(willing.posts().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_for_good_is_asked_only_after_a_reload_a_restart_or_by_a_person() {
    let (gone, cured) = ill_until_cured(1, || refused(Refusal::Gone));
    let willing = Puppet::willing(2);
    let rig = Rig::new([channel("a", &HOOK, &gone), channel("b", &HOOK, &willing)]);
    rig.commit([news("a", 0)]);
    let running = rig.start();
    pass(100 * HOUR).await;
    assert_eq!(gone.posts().len(), 1, "not a single probe");
    assert_eq!(rig.outbox.count("a", State::Queued), 1, "and nothing is given up");
    let told = willing.bodies();
    assert!(matches!(&told[..], [one] if one.starts_with("a Failing")), "{told:?}");

    running.kill().await;
    let again = rig.start();
    pass(60).await;
    assert_eq!(gone.posts().len(), 2, "once after a start");
    again.office.probe(Some("a")).expect("a channel");
    pass(60).await;
    assert_eq!(gone.posts().len(), 3, "once for a person");
    let again = rig.reload(again).await;
    pass(60).await;
    assert_eq!(gone.posts().len(), 4, "once after a reload, whatever it changes");
    assert_eq!(willing.posts().len(), 1, "it was told before");

    cured.store(true, Ordering::Relaxed);
    pass(HOUR).await;
    assert_eq!(gone.posts().len(), 4);
    again.office.probe(Some("a")).expect("a channel");
    pass(60).await;
    assert_eq!(rig.outbox.count("a", State::Delivered), 1);
    assert_eq!(willing.posts().len(), 2, "and that it delivers again");
}

#[tokio::test(start_paused = true)]
async fn three_failures_over_a_quarter_of_an_hour_are_told_once_and_the_end_of_it_too() {
    let (failing, cured) = ill_until_cured(1, || retry(None));
    let willing = Puppet::willing(2);
    let rig = Rig::new([channel("a", &HOOK, &failing), channel("b", &HOOK, &willing)]);
    rig.commit([news("a", 0), news("a", 1)]);
    let _running = rig.start();
    pass(14 * 60).await;
    assert_eq!(willing.posts().len(), 0);
    pass(HOUR).await;
    assert_eq!(willing.posts().len(), 1);
    cured.store(true, Ordering::Relaxed);
    pass(HOUR).await;
    assert_eq!(rig.outbox.count("a", State::Delivered), 2);
    let told = willing.bodies();
    assert!(matches!(&told[1..], [one] if one.contains("delayed: 2")), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_put_off_with_a_clock_that_was_wrong_is_sent_now() {
    let puppet = Puppet::willing(1);
    let rig = Rig::new([channel("a", &HOOK, &puppet)]);
    rig.commit([news("a", 0), news("a", 1)]);
    rig.outbox.kept().rows[0].next_at = moment() + TimeDelta::days(400);
    rig.outbox.kept().rows[1].next_at = moment() + TimeDelta::minutes(59);
    let _running = rig.start();
    pass(60).await;
    assert_eq!(rig.outbox.count("a", State::Delivered), 1);
    pass(HOUR).await;
    assert_eq!(rig.outbox.count("a", State::Delivered), 2, "a wait that may be meant is kept");
}

#[tokio::test(start_paused = true)]
async fn a_form_that_is_refused_becomes_plain_text_and_then_a_dead_letter() {
    for (name, plain_accepted, want) in
        [("plain text passes", true, State::Delivered), ("nothing passes", false, State::Dead)]
    {
        let accepts =
            move |body: &str| body.starts_with("r-2") || (plain_accepted && body.starts_with("plain"));
        let puppet =
            Puppet::new(
                1,
                move |posted| {
                    if accepts(&posted.body) { delivered() } else { refused(Refusal::Content) }
                },
            );
        let rig = Rig::new([channel("a", &HOOK, &puppet)]);
        let fine = message("a", 1, vec![item("r-2", 7, entered(Stage::Info, None))]);
        rig.commit([news("a", 0), fine]);
        let _running = rig.start();
        pass(10).await;
        assert_eq!(puppet.bodies(), ["r-1 old name", "plain 1", "r-2 old name"], "{name}");
        let rows = rig.outbox.kept().rows.clone();
        assert_eq!((rows[0].state, rows[1].state), (want, State::Delivered), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_refuses_every_letter_keeps_its_backlog_and_is_told_of() {
    let (refusing, cured) = ill_until_cured(1, || refused(Refusal::Content));
    let willing = Puppet::willing(2);
    let rig = Rig::new([channel("a", &HOOK, &refusing), channel("b", &HOOK, &willing)]);
    rig.commit((0..20).map(|n| news("a", n)));
    let _running = rig.start();
    pass(HOUR).await;
    assert_eq!((rig.outbox.count("a", State::Dead), rig.outbox.count("a", State::Queued)), (3, 17));
    let told = willing.bodies();
    assert!(matches!(&told[..], [one] if one.starts_with("a Failing")), "{told:?}");
    pass(2 * HOUR).await;
    assert_eq!(rig.outbox.count("a", State::Dead), 4, "one bad letter does not block the rest for ever");
    cured.store(true, Ordering::Relaxed);
    pass(HOUR).await;
    assert_eq!(rig.outbox.count("a", State::Delivered), 16);
    assert_eq!(willing.posts().len(), 2, "and that it delivers again");
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_in_the_middle_only_the_rest_is_sent() {
    let mut posts = 0;
    let puppet = Puppet::new(1, move |_| {
        posts += 1;
        let notes = vec![(format!("note {posts}"), "x".to_owned())];
        if posts == 3 { retry(None) } else { Outcome::Delivered(Receipt { notes, said: String::new() }) }
    });
    let rig = Rig::new([channel("a", &HOOK, &puppet)]);
    rig.commit([of_parts("a", 4)]);
    let _running = rig.start();
    pass(60).await;
    let names: Vec<String> = puppet.bodies().iter().map(|body| body[..3].to_owned()).collect();
    assert_eq!(names, ["r-0", "r-1", "r-2", "r-2", "r-3"]);
    assert_eq!(rig.outbox.count("a", State::Delivered), 1);
    let notes: Vec<String> = rig.outbox.kept().notes.keys().cloned().collect();
    assert_eq!(
        notes,
        ["note 1", "note 2", "note 4", "note 5"],
        "what the first parts left behind is kept too"
    );
}

fn judged(is_bad: bool) -> Outcome {
    if is_bad { refused(Refusal::Content) } else { delivered() }
}

#[tokio::test(start_paused = true)]
async fn a_part_that_is_refused_takes_no_other_along_where_each_stands_for_itself() {
    const ALL: &[&str] = &["r-0", "r-1", "r-2", "r-3"];
    const REST: &[&str] = &["r-0", "r-1", "r-2", "r-3", "plain 4"];
    type Make = fn(fn(&str) -> bool) -> Arc<Puppet>;
    let apart: Make = |is_bad| Puppet::apart(move |posted| judged(is_bad(&posted.body)));
    let simple: Make = |is_bad| Puppet::simple(move |posted| judged(is_bad(&posted.body)));
    let one = |body: &str| body.starts_with("r-1");
    for (name, make, is_bad, posts, want, notes) in [
        ("one of four", apart, one as fn(&str) -> bool, ALL, State::Dead, 1),
        ("the last", apart, |body| body.starts_with("r-3"), ALL, State::Dead, 1),
        ("every one, and plain text passes", apart, |body| body.starts_with("r-"), REST, State::Delivered, 0),
        ("every one", apart, |_| true, REST, State::Dead, 0),
        (
            "one of four, and its simplest form passes",
            simple,
            one,
            &["r-0", "r-1", "simply r-1", "r-2", "r-3"],
            State::Delivered,
            0,
        ),
        (
            "one of four, in any form",
            simple,
            |body| body.contains("r-1"),
            &["r-0", "r-1", "simply r-1", "r-2", "r-3"],
            State::Dead,
            1,
        ),
    ] {
        let puppet = make(is_bad);
        let rig = Rig::new([channel("a", &PAGER, &puppet)]);
        rig.commit([of_parts("a", 4)]);
        let _running = rig.start();
        pass(60).await;
        let bodies = puppet.bodies();
        assert_eq!(bodies.len(), posts.len(), "{name}: {bodies:?}");
        assert!(bodies.iter().zip(posts).all(|(body, post)| body.starts_with(post)), "{name}: {bodies:?}");
        assert_eq!(rig.outbox.count("a", want), 1, "{name}");
        let kept = rig.outbox.kept();
        assert_eq!(kept.notes.len(), notes, "{name}: what it leaves behind all the same");
        let error = kept.rows[0].last_error.as_deref().unwrap_or_default();
        assert_eq!(error.contains("refused"), want == State::Dead, "{name}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_part_begins_is_remembered_before_it_is_sent() {
    let outbox = Arc::new(Mutex::new(None::<Arc<Memory>>));
    let seen = Arc::clone(&outbox);
    let puppet = Puppet::new(1, move |posted| {
        let outbox = seen.lock().expect("no test panics with it").clone().expect("set");
        let known = outbox.kept().notes.contains_key("begun");
        assert_eq!(known, posted.body.contains("begins"), "{posted:?}");
        retry(None)
    });
    let rig = Rig::new([channel("a", &PAGER, &puppet)]);
    *outbox.lock().expect("no test panics with it") = Some(Arc::clone(&rig.outbox));
    rig.commit([message("a", 0, vec![item("r-1 begins", 7, entered(Stage::Warning, None))])]);
    let _running = rig.start();
    pass(1).await;
    assert_eq!(puppet.bodies().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_crash_repeats_one_part_at_most_with_the_same_id() {
    let puppet = Puppet::slow(1, |_| (Duration::from_secs(1), delivered()));
    let rig = Rig::new([channel("a", &HOOK, &puppet)]);
    rig.commit([of_parts("a", 3)]);
    let running = rig.start();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    running.kill().await;
    assert_eq!(rig.outbox.count("a", State::Sending), 1);
    let _again = rig.start();
    pass(10).await;
    let names: Vec<String> = puppet.bodies().iter().map(|body| body[..3].to_owned()).collect();
    assert_eq!(names, ["r-0", "r-1", "r-1", "r-2"]);
    assert!(puppet.posts().iter().all(|posted| posted.id == "evt_a_0"));
    assert_eq!(rig.outbox.count("a", State::Delivered), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_goes_away_loses_nothing_repeats_nothing_and_is_not_hammered() {
    let puppet = Puppet::slow(1, |_| (Duration::from_secs(1), delivered()));
    let rig = Rig::new([channel("a", &HOOK, &puppet)]);
    rig.commit((0..3).map(|n| news("a", n)));
    let running = rig.start();
    tokio::time::sleep(Duration::from_millis(500)).await;
    rig.outbox.set_away(true);
    pass(10).await;
    assert_eq!(puppet.posts().len(), 1, "it arrived, and nobody could write that down");
    let before = rig.outbox.kept().calls;
    for _ in 0..3600 {
        running.office.wake(|_| true);
        pass(1).await;
    }
    let calls = rig.outbox.kept().calls - before;
    assert!(calls < 800, "{calls} in an hour, the counting of messages among it");
    rig.outbox.set_away(false);
    pass(60).await;
    assert_eq!(rig.outbox.count("a", State::Delivered), 3);
    assert_eq!(puppet.posts().len(), 3, "none was sent twice");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_at_the_start_is_waited_for() {
    let puppet = Puppet::willing(1);
    let rig = Rig::new([channel("a", &HOOK, &puppet)]);
    rig.commit([news("a", 0)]);
    rig.outbox.kept().rows[0].state = State::Sending;
    rig.outbox.set_away(true);
    let _running = rig.start();
    pass(HOUR).await;
    assert_eq!(puppet.posts().len(), 0);
    rig.outbox.set_away(false);
    pass(5).await;
    assert_eq!(rig.outbox.count("a", State::Delivered), 1);
}

#[tokio::test(start_paused = true)]
async fn a_backlog_becomes_one_message_in_a_chat_and_stays_as_it_is_elsewhere() {
    for (name, kind, want) in [("chat", &CHAT, 1), ("webhook", &HOOK, 25)] {
        let puppet = Puppet::willing(1);
        let rig = Rig::new([channel("a", kind, &puppet)]);
        rig.commit((0..25).map(|n| news("a", n)));
        let _running = rig.start();
        pass(60).await;
        assert_eq!(puppet.posts().len(), want, "{name}");
        assert_eq!(rig.outbox.count("a", State::Delivered), want, "{name}");
        assert_eq!(rig.outbox.count("a", State::Superseded), if want == 1 { 25 } else { 0 }, "{name}");
    }
}

fn renewed() -> Arc<Snapshot> {
    let mut known = resource("r-1");
    known.facts.name = "new name".into();
    known.reading = Some(reading(vec![certificate(moment() + TimeDelta::days(300))]));
    let mut snapshot = Snapshot::default();
    let view = ScopeView::default().with_resources([known]);
    snapshot.scopes.insert(Arc::new(scope("redis")), Arc::new(view));
    Arc::new(snapshot)
}

#[tokio::test(start_paused = true)]
async fn what_was_renewed_before_it_could_be_said_is_not_said() {
    let (failing, cured) = ill_until_cured(1, || retry(None));
    let rig = Rig::new([channel("a", &HOOK, &failing)]);
    let both =
        vec![item("r-1", 7, entered(Stage::Warning, None)), item("r-2", 7, entered(Stage::Warning, None))];
    rig.commit([news("a", 0), message("a", 1, both)]);
    let _running = rig.start();
    pass(1).await;
    rig.snapshot.send_replace(renewed());
    rig.outbox.kept().believed =
        [(facts("r-1", moment()).fingerprint, moment() + TimeDelta::days(300))].into();
    cured.store(true, Ordering::Relaxed);
    pass(HOUR).await;
    let rows = rig.outbox.kept().rows.clone();
    assert_eq!((rows[0].state, rows[1].state), (State::Superseded, State::Delivered));
    assert_eq!(failing.bodies().last().map(String::as_str), Some("r-2 old name"));
}

#[tokio::test(start_paused = true)]
async fn one_odd_answer_takes_no_warning_back() {
    let (failing, cured) = ill_until_cured(1, || retry(None));
    let rig = Rig::new([channel("a", &HOOK, &failing)]);
    rig.commit([news("a", 0)]);
    let _running = rig.start();
    pass(1).await;
    rig.snapshot.send_replace(renewed());
    cured.store(true, Ordering::Relaxed);
    pass(HOUR).await;
    assert_eq!(rig.outbox.count("a", State::Delivered), 1, "what was read once is not believed");
}

#[tokio::test(start_paused = true)]
async fn what_went_unanswered_stays_by_itself_and_what_surely_failed_is_drawn_together() {
    for (name, outcome, keeps) in
        [("no answer", silent as fn() -> Outcome, true), ("an answer", || retry(None), false)]
    {
        let (failing, cured) = ill_until_cured(1, outcome);
        let rig = Rig::new([channel("a", &CHAT, &failing)]);
        rig.commit((0..15).map(|n| news("a", n)));
        let _running = rig.start();
        pass(4 * HOUR).await;
        let tried: BTreeSet<String> = failing.posts().into_iter().map(|posted| posted.id).collect();
        assert!(tried.len() > 1, "{name}: {tried:?}");
        rig.commit((15..45).map(|n| news("a", n)));
        cured.store(true, Ordering::Relaxed);
        let before = failing.posts().len();
        pass(HOUR).await;
        let posts: Vec<String> = failing.posts().into_iter().skip(before).map(|posted| posted.id).collect();
        assert_eq!(posts.len(), 1 + if keeps { tried.len() } else { 0 }, "{name}: {posts:?}");
        assert!(!keeps || tried.iter().all(|id| posts.contains(id)), "{name}: {posts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_added_later_hears_of_a_channel_that_fails() {
    let (refusing, cured) = ill_until_cured(1, || refused(Refusal::Credentials));
    let mut rig = Rig::new([channel("a", &HOOK, &refusing)]);
    rig.commit([news("a", 0)]);
    let running = rig.start();
    pass(HOUR).await;
    running.kill().await;
    let willing = Puppet::willing(2);
    rig.channels.push(channel("b", &HOOK, &willing));
    let _again = rig.start();
    pass(60).await;
    let told = willing.bodies();
    assert!(matches!(&told[..], [one] if one.starts_with("a Failing")), "{told:?}");
    cured.store(true, Ordering::Relaxed);
    pass(HOUR).await;
    let told = willing.bodies();
    assert!(matches!(&told[1..], [one] if one.contains("Recovered")), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_defect_in_a_channel_concerns_only_that_channel() {
    let panics = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&panics);
    let defective = Puppet::new(1, move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        delivered()
    });
    let willing = Puppet::willing(2);
    let rig = Rig::new([channel("a", &HOOK, &defective), channel("b", &HOOK, &willing)]);
    // whoever holds the lock of the puppet's posts makes it panic
    let poison = Arc::clone(&defective);
    let _ = std::thread::spawn(move || poison.poison()).join();
    rig.commit([news("a", 0), news("b", 0)]);
    let running = rig.start();
    pass(60).await;
    assert_eq!(rig.outbox.count("b", State::Delivered), 1);
    assert_eq!(rig.outbox.count("a", State::Delivered), 0);
    let error = rig.outbox.kept().rows[0].last_error.clone();
    assert!(error.is_some_and(|error| error.contains("a defect of notafter")));
    assert!(!running.task.is_finished());
    assert_eq!(panics.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_begins_nothing_new_and_what_is_under_way_is_written_down() {
    let puppet = Puppet::slow(1, |_| (Duration::from_secs(2), delivered()));
    let rig = Rig::new([channel("a", &HOOK, &puppet)]);
    rig.commit([news("a", 0), news("a", 1)]);
    let running = rig.start();
    pass(1).await;
    running.stop.request();
    tokio::time::timeout(Duration::from_secs(4), running.task)
        .await
        .expect("ends in time")
        .expect("ends well");
    assert_eq!(puppet.posts().len(), 1);
    assert_eq!((rig.outbox.count("a", State::Delivered), rig.outbox.count("a", State::Queued)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_stop_between_two_parts_leaves_the_rest_for_the_next_start() {
    let puppet = Puppet::slow(1, |_| (Duration::from_secs(2), delivered()));
    let rig = Rig::new([channel("a", &HOOK, &puppet)]);
    rig.commit([of_parts("a", 2)]);
    let running = rig.start();
    pass(1).await;
    running.stop.request();
    tokio::time::timeout(Duration::from_secs(4), running.task)
        .await
        .expect("ends in time")
        .expect("ends well");
    assert_eq!(rig.outbox.count("a", State::Sending), 1);
    let _again = rig.start();
    pass(5).await;
    assert_eq!((puppet.posts().len(), rig.outbox.count("a", State::Delivered)), (2, 1));
}

fn open(n: usize) -> standing::State {
    let open = (0..n).map(|n| standing::Open {
        item: item(&format!("r-{n}"), 7, entered(Stage::Warning, None)),
        since: moment(),
    });
    standing::State { open: open.collect(), now: moment(), ..standing::State::default() }
}

#[tokio::test(start_paused = true)]
async fn the_present_state_is_told_every_minute_and_when_it_changes_whatever_the_store_does() {
    let puppet = Puppet::willing(1);
    let rig = Rig::new([replica("am", &puppet)]);
    rig.outbox.set_away(true);
    let running = rig.start();
    pass(120).await;
    assert_eq!(puppet.posts().len(), 0, "nothing is known yet");
    let publish = |n| running.states.send_replace(Arc::new([("am".into(), open(n))].into()));
    publish(1);
    pass(600).await;
    let regular = puppet.posts().len();
    assert!((9..=12).contains(&regular), "{regular} in ten minutes");
    publish(2);
    pass(1).await;
    assert_eq!(puppet.bodies().last().map(String::as_str), Some("2 open"));
    publish(2);
    pass(1).await;
    assert_eq!(puppet.posts().len(), regular + 1, "the same state is no news");
}

#[tokio::test(start_paused = true)]
async fn a_state_that_cannot_be_told_is_told_of_through_others() {
    let (failing, cured) = ill_until_cured(1, || refused(Refusal::Credentials));
    let willing = Puppet::willing(2);
    let rig = Rig::new([replica("am", &failing), channel("b", &HOOK, &willing)]);
    let running = rig.start();
    running.states.send_replace(Arc::new([("am".into(), open(1))].into()));
    pass(5 * 60).await;
    assert!(failing.posts().len() >= 4, "it is told again every minute all the same");
    assert_eq!(willing.posts().len(), 1);
    cured.store(true, Ordering::Relaxed);
    pass(2 * 60).await;
    assert_eq!(willing.posts().len(), 2);
    let text = rig.telemetry.text();
    let failed = text.of("notafter_notifications_failed_total").expect("counted").to_owned();
    assert!(failed.contains(r#"{channel="am",reason="refused"}"#), "{failed}");
}

#[tokio::test(start_paused = true)]
async fn a_test_goes_past_the_outbox_and_says_what_the_other_side_said() {
    let said = Mutex::new(vec![refused(Refusal::Target)]);
    let refusing = Puppet::new(1, move |_| said.lock().expect("held by one").pop().unwrap_or_else(delivered));
    let willing = Puppet::new(2, |_| {
        Outcome::Delivered(Receipt { notes: Vec::new(), said: "HTTP 200: ok".to_owned() })
    });
    let rig = Rig::new([channel("a", &HOOK, &refusing), channel("b", &HOOK, &willing)]);
    rig.outbox.set_away(true);
    let running = rig.start();
    let tested = running.office.test(None).await.expect("all channels");
    let shown: Vec<_> = tested.iter().map(|tested| (&*tested.channel, tested.outcome.clone())).collect();
    assert_eq!(shown[1], ("b", Ok("HTTP 200: ok".to_owned())));
    assert!(matches!(&shown[0], ("a", Err(trouble)) if trouble.text == "refused: target"), "{shown:?}");
    assert!(running.office.test(Some("c")).await.is_err());
    assert!(running.office.channels().await.is_err(), "the store is away");
}

#[tokio::test(start_paused = true)]
async fn a_test_does_not_wait_for_an_hour_for_its_turn() {
    for (name, per_minute, patience) in [("far away", 1.0, 0), ("always just taken by others", 2.4, 30)] {
        let puppet = Puppet::willing(1);
        let slow = crate::daemon::alerts::Channel { per_minute, burst: 1, ..channel("a", &HOOK, &puppet) };
        let rig = Rig::new([slow]);
        rig.commit((0..50).map(|n| news("a", n)));
        let running = rig.start();
        pass(1).await;
        let began = Instant::now();
        let tested = running.office.test(None).await.expect("a channel");
        assert!(began.elapsed() <= Duration::from_secs(patience), "{name}: {:?}", began.elapsed());
        if let Err(trouble) = &tested[0].outcome {
            let hint = "the channel's pace is used up, try again in ";
            assert!(trouble.text.starts_with(hint), "{name}: {}", trouble.text);
        } else {
            assert_ne!(patience, 0, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_divided_otherwise_begins_again() {
    let (ill, cured) = ill_until_cured(1, || retry(None));
    let rig = Rig::new([channel("a", &HOOK, &ill)]);
    rig.commit([of_parts("a", 3)]);
    rig.outbox.kept().rows[0].parts_done = 2;
    let of_then = "evt_a_0 0123456789abcdef\n";
    rig.outbox.kept().values.insert("layout/a".to_owned(), of_then.into());
    let _running = rig.start();
    pass(5).await;
    assert_eq!(rig.outbox.kept().rows[0].parts_done, 0, "the count was of other parts");
    cured.store(true, Ordering::Relaxed);
    pass(60).await;
    let bodies = ill.bodies();
    let told: Vec<_> = bodies.iter().skip(bodies.len() - 3).map(|body| &body[..3]).collect();
    assert_eq!(told, ["r-0", "r-1", "r-2"]);
    assert_eq!(rig.outbox.count("a", State::Delivered), 1);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumped_says_nothing_until_it_stands() {
    let (chat, state) = (Puppet::willing(1), Puppet::willing(2));
    let rig = Rig::new([channel("chat", &HOOK, &chat), replica("state", &state)]);
    let running = rig.start();
    running.states.send_replace(Arc::new(States::from([("state".into(), open(1))])));
    pass(5).await;
    let told = state.posts().len();
    for minutes in [-24 * 60, 366 * 24 * 60] {
        rig.skew.store(minutes, Ordering::Relaxed);
        rig.commit([news("chat", 0)]);
        rig.outbox.kept().rows.iter_mut().for_each(|row| row.next_at = moment() - TimeDelta::days(2));
        running.office.wake(|_| true);
        running.states.send_replace(Arc::new(States::from([("state".into(), open(2))])));
        pass(15).await;
        assert_eq!((chat.posts().len(), state.posts().len()), (0, told), "by a clock that is wrong");
    }
    rig.skew.store(0, Ordering::Relaxed);
    pass(15).await;
    assert_eq!(chat.posts().len(), 0, "it jumped back just now");
    pass(60).await;
    assert!(chat.posts().len() == 2 && state.posts().len() > told, "what is due is said");
    running.kill().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_down_is_known_until_it_takes_the_state_again_or_nobody_does() {
    fn missed() -> Vec<(String, String)> {
        vec![("http://am-2".to_owned(), "connection refused".to_owned())]
    }
    let one_down = || Outcome::Delivered(Receipt { notes: missed(), said: String::new() });
    let mut answers = vec![retry(None), one_down(), delivered(), one_down()];
    let puppet = Puppet::new(1, move |_| answers.pop().unwrap_or_else(one_down));
    let rig = Rig::new([replica("am", &puppet)]);
    let running = rig.start();
    let line = Arc::clone(&running.office.context.lines[0]);
    let steps = [("down", true), ("back", false), ("down again", true), ("nobody takes it", false)];
    for (n, (name, want)) in steps.into_iter().enumerate() {
        running.states.send_replace(Arc::new([("am".into(), open(n))].into()));
        pass(1).await;
        assert_eq!(line.down(), if want { missed() } else { Vec::new() }, "{name}");
        let numbers = super::monitor::numbers(&running.office.context, &crate::store::Counts::new());
        assert_eq!(numbers[0].down, Some(usize::from(want)), "{name}");
        assert_eq!(numbers[0].up, Some(true), "{name}: it delivers, or failed only once");
    }
}
