//! Sub-projects that are deleted: they go, the key is not blamed, and those that somebody named stay.

use std::time::Duration;

use notafter::clock::Clock;
use notafter::daemon::poll::{Mode, Poller};
use notafter::domain::policy::PollPolicy;
use notafter::domain::snapshot::Snapshot;
use notafter::http::Http;
use notafter::provider::huawei::Wanted;
use notafter::shutdown::Stop;
use notafter::sim::huawei::{HuaweiCloud, Instance};
use notafter::telemetry::Telemetry;

use crate::common::crypto;
use crate::support::{
    Build, ELSEWHERE, OTHER_REGION, PROJECT, REGION, TEAM, days, fleet, instance, whole_days,
};

/// So quick that projects are asked for every second or two.
fn hasty() -> PollPolicy {
    PollPolicy {
        max_age: Duration::from_millis(600),
        min_interval: Duration::from_millis(50),
        discover_every: Duration::from_millis(80),
        timeout: Duration::from_millis(1500),
        concurrency: 64,
    }
}

fn projects(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.scopes.keys().map(|scope| &*scope.project).collect()
}

/// Deletes the sub-project once everything was read, and waits until the snapshot is as wanted, for long enough.
async fn after_the_team_is_gone(wanted: Wanted, all: usize, then: impl Fn(&Snapshot) -> bool, what: &str) {
    crypto();
    let mut fleet = fleet();
    fleet.insert(instance("main"));
    fleet.insert(Instance::new("team", TEAM, days(50), whole_days(1000)));
    let cloud = HuaweiCloud::start(fleet, chrono::Utc::now).await.expect("a free port");
    let (clock, telemetry) = (Clock::system(), std::sync::Arc::new(Telemetry::new()));
    let http = Http::new(hasty().timeout, 64, clock.clone(), telemetry.clone());
    let account = Build { wanted, ..Build::account("prod") }.build(&cloud, &http);
    let poller = Poller::new(vec![account], hasty(), Mode::Continuous, clock, telemetry);
    let (stop, mut snapshots) = (Stop::new(), poller.snapshots());
    let task = tokio::spawn(poller.run(stop.listener()));
    let read = |s: &Snapshot| {
        s.resources().filter(|(_, r)| r.reading.is_some()).count() == 2 && s.scopes.len() == all
    };
    let limit = Duration::from_secs(15);
    let seen = tokio::time::timeout(limit, snapshots.wait_for(|s| read(s))).await.is_ok();
    assert!(seen, "{what}: {:?}", snapshots.borrow());
    cloud.modify(|fleet| fleet.projects.retain(|project| *project.id != *TEAM));
    let seen = tokio::time::timeout(limit, snapshots.wait_for(|s| then(s))).await.is_ok();
    assert!(seen, "{what}: {:#?}", snapshots.borrow());
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(then(&snapshots.borrow()), "{what}, three seconds later: {:#?}", snapshots.borrow());
    stop.request();
    task.await.expect("it ends well");
}

#[tokio::test]
async fn a_deleted_sub_project_goes_and_the_others_are_read_all_the_time() {
    let rest_is_well = |snapshot: &Snapshot| {
        projects(snapshot) == [PROJECT, ELSEWHERE] && snapshot.scopes.values().all(|view| view.is_up())
    };
    after_the_team_is_gone(Wanted::default(), 3, rest_is_well, "it is gone").await;
}

#[tokio::test]
async fn a_region_that_is_named_keeps_its_other_projects_only() {
    let wanted = Wanted { regions: Some(vec![REGION.into(), OTHER_REGION.into()]), projects: None };
    let gone = |snapshot: &Snapshot| projects(snapshot) == [PROJECT, ELSEWHERE];
    after_the_team_is_gone(wanted, 3, gone, "the region is listed with another project").await;
}

#[tokio::test]
async fn a_sub_project_that_is_named_stays_and_says_why() {
    for (name, project) in [("by its name", "cn-north-4_team"), ("by its id", TEAM)] {
        let wanted = Wanted { regions: None, projects: Some(vec![project.into(), PROJECT.into()]) };
        let told = |snapshot: &Snapshot| {
            let team = snapshot.scopes.iter().find(|(scope, _)| &*scope.project == TEAM);
            let failure = team.and_then(|(_, view)| view.failure());
            snapshot.resources().count() == 2
                && failure.is_some_and(|f| f.text.ends_with("; the scope stays because `projects` names it"))
        };
        after_the_team_is_gone(wanted, 2, told, name).await;
    }
}
