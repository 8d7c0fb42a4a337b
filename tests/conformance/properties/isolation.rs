//! What goes wrong at one place goes wrong there.

use std::time::Duration;

use notafter::daemon::poll::Mode;
use notafter::domain::snapshot::Snapshot;
use notafter::sim::alibaba::{Fault, Hang, Where};

use super::{end, ids, reason_of};
use crate::common::quick;
use crate::service::{Condition, Service, Spot, on};

/// Long enough for a few looks; far shorter than all the waits of the account that hangs.
const SOON: Duration = Duration::from_secs(20);

/// An account that never gets an answer does not keep another from being read, nor from staying fresh.
pub(super) async fn no_other_account_stalled(service: &'static Service) {
    let hang = |key: &str| (Fault::Hang(Hang::NoAnswer), Where::key(key));
    let cloud = service.cloud(ids(60)).await;
    for n in 0..30 {
        cloud.put(Spot::Other, &format!("res-other-{n}"), on(100));
    }
    let (fault, place) = hang(service.place(Spot::Home).key);
    cloud.inject(fault, place, None);
    let watch = service.watch(cloud, quick(), Mode::Continuous);
    let others = |s: &Snapshot| (0..30).all(|n| end(s, &format!("res-other-{n}")).is_some());
    watch.within(SOON, "the other account, while the first one hangs", others).await;
    watch.cloud.clear_faults();
    let all = |s: &Snapshot| ids(60).all(|id| end(s, &id).is_some());
    watch.within(SOON * 3, "the first account, after it hung", all).await;

    // In full swing, with everything of the first account waiting for an answer that never comes.
    let (fault, place) = hang(service.place(Spot::Home).key);
    watch.cloud.inject(fault, place, None);
    tokio::time::sleep(Duration::from_millis(700)).await;
    watch.cloud.put(Spot::Other, "res-other-7", on(465));
    let Condition::On(renewed) = on(465) else { unreachable!("made above") };
    let seen = watch.within(SOON, "a renewal", |s| end(s, "res-other-7") == Some(renewed)).await;
    assert!(service.scope(&seen, Spot::Other).is_up());
    watch.end().await;
}

/// A region that never answers leaves the other regions of the same account as they are.
pub(super) async fn no_other_region_stalled(service: &'static Service) {
    let cloud = service.cloud(ids(50)).await;
    let elsewhere = service.place(Spot::Elsewhere).region;
    cloud.inject(Fault::Hang(Hang::NoAnswer), Where::region(elsewhere), None);
    let watch = service.watch(cloud, quick(), Mode::Continuous);
    let read = |s: &Snapshot| ids(50).all(|id| end(s, &id).is_some());
    watch.within(SOON, "fifty resources while another region hangs", read).await;
    let silent = |s: &Snapshot| service.scope(s, Spot::Elsewhere).failure().is_some();
    let seen = watch.until("the silent region", silent).await;
    assert!(service.scope(&seen, Spot::Home).is_up() && reason_of(&seen, "res-0001").is_none());
    watch.cloud.clear_faults();
    watch.until("recovery", |s| end(s, "res-elsewhere").is_some()).await;
    watch.end().await;
}
