//! A loop that carries out its own orders begins and announces nothing else.

use std::time::Duration;

use chrono::TimeDelta;

use super::super::keeping::Keeping as _;
use super::{House, REGION, policy};
use crate::sim::alibaba::{Engine, Instance};
use crate::web::inside::{RenewalDesk as _, Word};

const ORDERED: &str = "r-ordered";

/// Two of one account end soon, the other one first.
async fn house() -> House {
    let at = "2026-10-05T20:00:00Z".parse().expect("a date");
    let instance =
        |id, end: &str| Instance::new(Engine::Redis, id, "prod", REGION, end.parse().expect("a date"));
    let both = vec![instance("r-other", "2026-10-14T00:00:00Z"), instance(ORDERED, "2026-10-15T00:00:00Z")];
    House::at(at, &["prod"], both, policy(), Duration::from_secs(2)).await
}

/// From now on as a command does it.
fn alone(mut house: House) -> House {
    house.renewals = house.renewals.only_own_orders(ORDERED);
    house
}

async fn days(house: &mut House) {
    for _ in 0..150 {
        house.pass(TimeDelta::minutes(15));
        house.turn().await;
    }
}

/// A moment within a window.
async fn turns(house: &mut House) {
    for _ in 0..8 {
        house.pass(TimeDelta::minutes(2));
        house.turn().await;
    }
}

#[tokio::test]
async fn nothing_is_announced_by_it() {
    let mut house = alone(house().await);
    days(&mut house).await;
    assert!(house.keeping.read(house.ours.now()).await.expect("readable").attempts.is_empty());
}

#[tokio::test]
async fn what_was_announced_by_others_is_not_begun_and_stands_in_no_orders_way() {
    let mut house = house().await;
    house.turn().await;
    house.turn().await;
    let known = house.keeping.read(house.ours.now()).await.expect("readable").attempts;
    assert_eq!(known.len(), 2, "both are announced");
    let mine = known.iter().find(|attempt| &*attempt.key.resource.resource_id == ORDERED);
    let mine = mine.expect("one of them").clone();
    assert!(known.iter().all(|attempt| attempt.planned == mine.planned), "both in the same window");
    let mut house = alone(house);
    let now = house.ours.now();
    house.pass(mine.planned.expect("a window").begin + TimeDelta::minutes(10) - now);
    turns(&mut house).await;
    assert_eq!(house.sent(), 0, "their window came, and nobody ordered them here");
    let word = Word { by: "alice", at_once: false, seen: None };
    house.renewals.desk().order(&mine.key.resource, word).await.expect("ordered");
    turns(&mut house).await;
    let sent: Vec<_> = house.cloud.changes().into_iter().filter_map(|call| call.resource).collect();
    assert_eq!(sent.iter().map(|id| &**id).collect::<Vec<_>>(), [ORDERED]);
}
