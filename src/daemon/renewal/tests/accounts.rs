//! One account does not hold up another.

use std::time::Duration;

use chrono::{TimeDelta, Timelike as _, Utc};
use tokio::time::Instant;

use super::{House, REGION, policy};
use crate::domain::policy::{Hours, Window};
use crate::shutdown::Stop;
use crate::sim::alibaba::{Engine, Fault, Hang, Instance, Where};

#[tokio::test]
async fn an_account_that_hangs_in_every_call_delays_no_other() {
    let now = Utc::now().with_nanosecond(0).expect("a time");
    let mut policy = policy();
    policy.announce = Duration::from_secs(1);
    if let Window::Local { hours: Hours { from, to, .. }, .. } = &mut policy.allow[0].window {
        (*from, *to) = ((now - TimeDelta::hours(6)).time(), (now + TimeDelta::hours(6)).time());
    }
    // those that hang end first, and are as many as are read side by side, twice
    let hanging = (0..8).map(|number| {
        let end = now + TimeDelta::days(2) + TimeDelta::minutes(number);
        Instance::new(Engine::Redis, &format!("r-hangs-{number}"), "other", REGION, end)
    });
    let well = Instance::new(Engine::MySql, "rm-1", "prod", REGION, now + TimeDelta::days(3));
    let all: Vec<_> = hanging.chain([well]).collect();
    let mut house = House::at(now, &["prod", "other"], all, policy, Duration::from_mins(2)).await;
    house.look().await;
    let place = Where { key: Some("other".to_owned()), ..Where::default() };
    house.cloud.inject(Fault::Hang(Hang::NoAnswer), place, None);
    // the poll loop found that out
    house.blind("other");
    // what is not named here stays until the end of the test
    let House { ref ours, ref theirs, ref cloud, .. } = house;
    let (stop, began) = (Stop::new(), Instant::now());
    let running = tokio::spawn(house.renewals.run(stop.listener()));
    while cloud.changes().is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        ours.pass(TimeDelta::milliseconds(100));
        theirs.pass(TimeDelta::milliseconds(100));
        assert!(began.elapsed() < Duration::from_mins(1), "it waits for the other account");
    }
    stop.request();
    running.await.expect("no panic");
    let calls = cloud.changes();
    assert_eq!(calls.iter().filter_map(|call| call.resource.as_deref()).collect::<Vec<_>>(), ["rm-1"]);
    let hung = cloud.calls().iter().filter(|call| *call.key_id == *"other").count();
    assert!(hung > 2, "the other account was asked, too, and hangs");
}
