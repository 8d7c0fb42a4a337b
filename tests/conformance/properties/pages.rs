//! Listings over pages: complete where the cloud is, and never believed where it is not.

use chrono::TimeDelta;
use notafter::daemon::poll::Mode;
use notafter::domain::snapshot::Snapshot;
use notafter::sim::alibaba::{Fault, Total, Where};

use super::{end, ids};
use crate::service::{Service, Spot, listing_often, on, patient};

/// Over three pages and exactly at the end of one, every resource is there once.
pub(super) async fn more_than_one_page(service: &'static Service) {
    for count in [service.three_pages, service.three_pages - 1] {
        let cloud = service.cloud(ids(count)).await;
        cloud.short_pages();
        let handle = cloud.clone();
        let snapshot = service.watch(cloud, patient(), Mode::Once { only: None }).finished().await;
        drop(handle);
        let home = service.scope(&snapshot, Spot::Home);
        assert_eq!((home.resources.len(), home.is_up()), (count, true), "{:?}", home.failure());
        assert!(ids(count).all(|id| end(&snapshot, &id).is_some()), "each of {count} has its certificate");
    }
}

/// Rows that vanish between two pages and totals that are too small remove nothing; what is really deleted goes.
pub(super) async fn a_total_that_shrinks(service: &'static Service) {
    let count = service.three_pages;
    let cloud = service.cloud(ids(count)).await;
    cloud.short_pages();
    let watch = service.watch(cloud, listing_often(), Mode::Continuous);
    watch.until("all of them", |s| ids(count).all(|id| end(s, &id).is_some())).await;
    for (name, fault) in
        [("vanishing rows", Fault::VanishingRows), ("half of the total", Fault::LyingTotals(Total::TooSmall))]
    {
        watch.cloud.inject(fault, service.listing_at(Spot::Home), None);
        let attempted = |s: &Snapshot| service.scope(s, Spot::Home).attempted_at;
        let later = attempted(&watch.snapshot()).map(|at| at + TimeDelta::milliseconds(900));
        let seen = watch.until(name, |s| attempted(s) > later).await;
        assert!(ids(count).all(|id| end(&seen, &id).is_some()), "{name}: nothing is removed");
        watch.cloud.clear_faults();
    }
    for id in ids(count).skip(10).step_by(2) {
        watch.cloud.remove(&id);
    }
    let left = count - (count - 10).div_ceil(2);
    let shrunk = |s: &Snapshot| {
        let home = service.scope(s, Spot::Home);
        home.resources.len() == left && home.is_up()
    };
    let seen = watch.until("every second one is really gone", shrunk).await;
    assert!(ids(10).all(|id| end(&seen, &id).is_some()), "the others stay");
    watch.end().await;
}

/// A place without anything is known to be empty; a page without rows where there were some is not believed.
pub(super) async fn an_empty_page(service: &'static Service) {
    let cloud = (service.start)().await;
    let watch = service.watch(cloud, patient(), Mode::Continuous);
    watch.until_read().await;
    let home = service.scope(&watch.snapshot(), Spot::Home);
    assert_eq!((home.resources.len(), home.is_up()), (0, true), "nothing is there: {:?}", home.failure());
    for id in ["res-0", "res-1", "res-2"] {
        watch.cloud.put(Spot::Home, id, on(100));
    }
    let three = |s: &Snapshot| ["res-0", "res-1", "res-2"].iter().all(|id| end(s, id).is_some());
    watch.until("three of them", three).await;
    let empty = Fault::Custom { status: 200, headers: vec![], body: service.empty_page.into() };
    // Only pages: what is asked for by its id is found.
    let pages = Where { resource: Some(String::new()), ..service.listing_at(Spot::Home) };
    watch.cloud.inject(empty, pages, None);
    let attempted = |s: &Snapshot| service.scope(s, Spot::Home).attempted_at;
    let later = attempted(&watch.snapshot()).map(|at| at + TimeDelta::milliseconds(900));
    let seen = watch.until("more listings", |s| attempted(s) > later).await;
    assert!(three(&seen), "an empty page where three were announced removes nothing");
    watch.cloud.clear_faults();
    watch.until("recovery", |s| service.scope(s, Spot::Home).is_up() && three(s)).await;
    watch.end().await;
}
