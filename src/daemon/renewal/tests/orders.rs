//! What people said stays said, and is about what they saw.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::keeping::Away;
use super::{House, REGION, policy};
use crate::domain::alert::message::RenewalNews;
use crate::domain::policy::RenewalMode;
use crate::domain::renewal::attempt::By;
use crate::sim::alibaba::{Engine, Instance};
use crate::web::inside::{OrderError, RenewalDesk as _, Word};

fn word(seen: Option<DateTime<Utc>>) -> Word<'static> {
    Word { by: "alice", at_once: false, seen }
}

/// Something ends in ten days, and was announced.
async fn house(mode: RenewalMode) -> House {
    let at = "2026-10-05T20:00:00Z".parse().expect("a date");
    let end = "2026-10-15T00:00:00Z".parse().expect("a date");
    let redis = Instance::new(Engine::Redis, "r-1", "prod", REGION, end);
    let policy = crate::domain::policy::RenewalPolicy { mode, ..policy() };
    let mut house = House::at(at, &["prod"], vec![redis], policy, Duration::from_secs(2)).await;
    house.turn().await;
    house.turn().await;
    assert_eq!(house.state().await, "announced");
    house
}

fn nothing_is_begun(house: &House) {
    house.keeping.set(|attempt| match attempt.state.as_str() {
        "stored" => Err(Away("not now".to_owned())),
        _ => Ok(()),
    });
}

#[tokio::test]
async fn a_hooks_no_does_not_take_back_what_a_person_said() {
    let mut house = house(RenewalMode::Auto).await;
    let id = house.attempt().await.id;
    house.renewals.desk().reject(&id, word(None)).await.expect("rejected");
    house.renewals.course.vetoed.push((id, "not now".to_owned()));
    for _ in 0..40 {
        house.pass(TimeDelta::minutes(15));
        house.turn().await;
    }
    assert_eq!(house.state().await, "rejected");
    assert_eq!(house.sent(), 0);
}

#[tokio::test]
async fn that_a_hook_says_no_is_told_once() {
    let mut house = house(RenewalMode::Auto).await;
    let id = house.attempt().await.id;
    for number in 0..3 {
        house.renewals.course.vetoed.push((id.clone(), format!("not now, said {number} times")));
        house.turn().await;
        assert_eq!(house.state().await, "not_sent");
        house.pass(TimeDelta::minutes(11));
    }
    assert_eq!(house.told(|news| matches!(news, RenewalNews::Held { .. })).await, 1);
    house.until_sent().await;
    assert_eq!(
        house.told(|news| matches!(news, RenewalNews::Started { .. })).await,
        0,
        "it was told as held"
    );
}

#[tokio::test]
async fn nobody_decides_about_what_they_have_not_seen() {
    let mut house = house(RenewalMode::Approve).await;
    let (shown, desk) = (house.attempt().await, house.renewals.desk());
    let earlier = shown.changed_at - TimeDelta::hours(1);
    let resource = &shown.key.resource;
    assert_eq!(desk.approve(&shown.id, word(Some(earlier))).await, Err(OrderError::Changed));
    assert_eq!(desk.reject(&shown.id, word(Some(earlier))).await, Err(OrderError::Changed));
    assert_eq!(desk.order(resource, word(Some(earlier))).await, Err(OrderError::Changed));
    assert_eq!(house.attempt().await, shown);
    desk.approve(&shown.id, word(Some(shown.changed_at))).await.expect("as shown");
    house.until_sent().await;
}

#[tokio::test]
async fn a_yes_ends_with_the_window_that_was_shown() {
    let mut house = house(RenewalMode::Approve).await;
    let shown = house.attempt().await;
    house.renewals.desk().approve(&shown.id, word(None)).await.expect("approved");
    nothing_is_begun(&house);
    let (window, now) = (shown.planned.expect("a window"), house.ours.now());
    house.pass(window.end - now + TimeDelta::seconds(1));
    let late = house.renewals.desk().approve(&shown.id, word(None)).await;
    assert!(matches!(late, Err(OrderError::Refused { .. })), "its window is over: {late:?}");
    house.keeping.calm_down();
    for _ in 0..150 {
        house.pass(TimeDelta::minutes(15));
        house.turn().await;
    }
    let now = house.attempt().await;
    assert_eq!((now.state.as_str(), now.approval), ("announced", None));
    assert_ne!(now.planned, shown.planned);
    assert_eq!(house.sent(), 0, "nobody approved that window");
}

#[tokio::test]
async fn at_once_is_for_an_hour_and_then_the_rule_goes_on() {
    let mut house = house(RenewalMode::Auto).await;
    let resource = house.attempt().await.key.resource;
    let order = Word { at_once: true, ..word(None) };
    house.renewals.desk().order(&resource, order).await.expect("ordered");
    nothing_is_begun(&house);
    for _ in 0..7 {
        house.turn().await;
        house.pass(TimeDelta::minutes(10));
    }
    house.keeping.calm_down();
    house.turn().await;
    assert_eq!(house.sent(), 0, "the hour is over, and it is not the window yet");
    house.until_sent().await;
    let sent = house.attempt().await;
    assert_eq!(sent.by, By::Rule);
    assert!(sent.planned.is_some_and(|planned| planned.contains(house.ours.now())), "{sent:?}");
}
