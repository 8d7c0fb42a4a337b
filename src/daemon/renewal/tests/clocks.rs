//! Clocks that jump or are wrong end nothing, and begin nothing out of its window.

use chrono::TimeDelta;

use super::{House, REGION, TAKES};
use crate::domain::alert::message::RenewalNews;
use crate::sim::alibaba::{Engine, Fault, Instance, Reset, Where};

const HOUR: TimeDelta = TimeDelta::hours(1);

/// No answer, and no reason to slow down.
fn silence() -> Fault {
    Fault::Reset(Reset::BeforeAnswer)
}

async fn house() -> House {
    let end = "2026-10-15T00:00:00Z".parse().expect("a date");
    House::new(vec![Instance::new(Engine::Redis, "r-1", "prod", REGION, end)]).await
}

#[tokio::test]
async fn a_machine_that_slept_gives_nothing_up_before_it_has_read() {
    let mut house = house().await;
    house.until_sent().await;
    house.round().await;
    assert_eq!(house.state().await, "accepted");
    house.pass(HOUR * 10);
    house.renewals.round().await;
    assert_eq!(house.state().await, "accepted", "by the clock alone it would be given up");
    house.renewals.settle().await;
    house.turn().await;
    assert_eq!(house.state().await, "confirmed");
    assert_eq!(house.sent(), 1);
}

#[tokio::test]
async fn a_clock_that_is_wrong_ends_nothing() {
    for (name, fault) in [("that answers", None), ("in trouble", Some(silence()))] {
        let mut house = house().await;
        house.until_sent().await;
        house.round().await;
        house.ours.pass(HOUR * 10);
        if let Some(fault) = &fault {
            house.cloud.inject(fault.clone(), Where::default(), None);
        }
        for _ in 0..8 {
            house.pass(TimeDelta::minutes(1));
            house.turn().await;
            assert_eq!(house.state().await, "accepted", "a cloud {name}, which has another time");
        }
        if fault.is_none() {
            // it refused every signature, and a key that was refused rests for seconds that no test moves
            continue;
        }
        house.cloud.clear_faults();
        house.ours.pass(HOUR * -10);
        house.pass(TAKES);
        for _ in 0..4 {
            house.pass(TimeDelta::minutes(1));
            house.turn().await;
        }
        assert_eq!(house.state().await, "confirmed", "{name}");
        assert_eq!(house.told(|news| matches!(news, RenewalNews::Failed { .. })).await, 0, "{name}");
    }
}

#[tokio::test]
async fn a_jump_into_a_window_begins_nothing_before_everything_was_read_anew() {
    let mut house = house().await;
    house.turn().await;
    assert_eq!(house.state().await, "announced");
    house.pass(HOUR * 5);
    house.renewals.round().await;
    assert_eq!(house.sent(), 0, "in the first moment after the jump");
    for _ in 0..3 {
        house.round().await;
    }
    assert_eq!(house.sent(), 0, "by what the snapshot said hours ago");
    house.turn().await;
    house.turn().await;
    assert_eq!(house.sent(), 1);
}

#[tokio::test]
async fn a_clock_that_went_into_a_window_alone_begins_nothing() {
    // by ten minutes, so that the cloud goes on answering; by hours, so that it refuses every signature
    for minutes in [10, 300] {
        let mut house = house().await;
        house.turn().await;
        house.pass(TimeDelta::minutes(239) - TimeDelta::minutes(minutes / 2));
        house.ours.pass(TimeDelta::minutes(minutes));
        for _ in 0..3 {
            house.turn().await;
            house.turn().await;
            assert_eq!(house.sent(), 0, "{minutes}: it is not midnight at the cloud");
        }
        if minutes > 10 {
            continue;
        }
        assert!(house.trouble().contains("clock"), "{:?}", house.trouble());
        house.ours.pass(TimeDelta::minutes(-minutes));
        house.turn().await;
        house.turn().await;
        assert_eq!((house.sent(), house.trouble()), (0, String::new()), "{minutes}");
        house.until_sent().await;
        assert_eq!(house.theirs.now().date_naive().to_string(), "2026-10-06", "{minutes}");
    }
}

#[tokio::test]
async fn a_sleep_between_plan_and_call_sends_nothing() {
    let mut house = house().await;
    let (ours, theirs) = (house.ours.clone(), house.theirs.clone());
    let mut slept = false;
    house.keeping.set(move |attempt| {
        if attempt.state.as_str() == "stored" && !std::mem::replace(&mut slept, true) {
            // the lid is closed, and opened in the morning
            ours.pass(HOUR * 6);
            theirs.pass(HOUR * 6);
        }
        Ok(())
    });
    for _ in 0..40 {
        house.pass(TimeDelta::minutes(10));
        house.turn().await;
        house.turn().await;
        house.turn().await;
    }
    assert_eq!(house.sent(), 0, "at {}", house.theirs.now());
    assert_eq!(house.told(|news| matches!(news, RenewalNews::Held { .. })).await, 1);
    house.until_sent().await;
    assert_eq!(house.theirs.now().date_naive().to_string(), "2026-10-07", "in the next night, once");
    assert_eq!(house.sent(), 1);
}

#[tokio::test]
async fn what_cannot_be_read_for_six_hours_is_given_up_and_not_before() {
    let mut house = house().await;
    house.until_sent().await;
    house.round().await;
    let expected = house.attempt().await.expected_by.expect("written down");
    house.cloud.inject(silence(), Where::default(), None);
    while house.ours.now() < expected + HOUR * 6 {
        assert_eq!(house.state().await, "accepted", "at {}", house.ours.now());
        // a longer step would be a jump of the clock
        house.pass(TimeDelta::minutes(4));
        house.round().await;
        house.round().await;
    }
    house.round().await;
    house.round().await;
    assert_eq!(house.state().await, "unknown");
    assert_eq!(house.told(|news| matches!(news, RenewalNews::Failed { .. })).await, 1);
    // what is read afterwards is told by alerts, and sends nothing again
    house.cloud.clear_faults();
    for _ in 0..5 {
        house.pass(HOUR * 6);
        house.turn().await;
        house.turn().await;
    }
    assert_eq!((house.sent(), house.state().await.as_str()), (1, "unknown"));
}

#[tokio::test]
async fn an_outage_of_hours_is_waited_for() {
    let mut house = house().await;
    house.until_sent().await;
    house.cloud.inject(silence(), Where::default(), None);
    for _ in 0..30 {
        house.pass(TimeDelta::minutes(10));
        house.round().await;
    }
    assert!(house.attempt().await.state.is_open());
    house.cloud.clear_faults();
    house.pass(TimeDelta::minutes(2));
    house.turn().await;
    house.turn().await;
    assert_eq!(house.state().await, "confirmed");
}

#[tokio::test]
async fn what_somebody_renewed_since_the_last_look_is_not_renewed_again() {
    let mut house = house().await;
    house.turn().await;
    house.pass(TimeDelta::minutes(245));
    house.look().await;
    // in the console, a moment later; the loop does not look before it has read
    let end = "2027-10-05T00:00:00Z".parse().expect("a date");
    assert!(house.cloud.renew("r-1", end));
    for _ in 0..5 {
        house.round().await;
        assert_eq!(house.sent(), 0, "by what the last look said");
    }
    house.turn().await;
    house.turn().await;
    assert_eq!(house.sent(), 0);
}
