//! The daemon stops and starts anew over the same store: everything is shown at once, nothing is asked early.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use notafter::domain::difference::Difference;
use notafter::domain::policy::PollPolicy;
use notafter::domain::reason::Reason;
use notafter::domain::snapshot::Snapshot;
use notafter::domain::{restart, schedule};
use notafter::sim::alibaba::{AlibabaCloud, Fault, Where};
use notafter::sim::ucloud;

use crate::database::{Database, over_both};
use crate::support::{ALL, PATIENT, QUICK, Running, SECRET, cloud, config_text, crypto, kept, moment};

over_both!(
    everything_is_shown_at_once_with_its_age_and_nothing_is_asked,
    nothing_is_asked_before_it_is_due,
    what_is_not_configured_any_more_goes,
    another_filter_lists_at_once,
    a_blind_scope_stays_blind_and_keeps_what_it_had,
    regions_are_asked_for_again_after_a_day_and_their_scopes_stay_meanwhile,
    what_vanished_while_nobody_looked_goes_with_the_next_listing,
    a_second_save_holds_only_what_changed,
    listings_that_carry_go_on_and_a_region_that_closes_keeps_what_it_had,
);

/// Every resource of the fleet.
const FLEET: usize = 30;

/// Runs once until everything is read, and stops.
async fn first_run(cloud: &AlibabaCloud, database: &Database, poll: &str) -> Snapshot {
    let daemon = Running::start(&config_text(cloud, &database.url, poll, ALL)).await;
    assert!(daemon.first.resources().next().is_none() && !daemon.first.is_ready());
    daemon.until_read(FLEET).await;
    daemon.until_store_is(1).await;
    let (snapshots, before) = (daemon.snapshots.clone(), daemon.snapshot());
    daemon.stop().await;
    let last = (**snapshots.borrow()).clone();
    assert!(last.revision >= before.revision);
    cloud.forget_calls();
    last
}

fn resources(snapshot: &Snapshot) -> Vec<(String, notafter::domain::resource::Resource)> {
    snapshot.resources().map(|(scope, resource)| (scope.to_string(), kept(resource))).collect()
}

async fn everything_is_shown_at_once_with_its_age_and_nothing_is_asked(database: Database) {
    let cloud = cloud().await;
    let before = first_run(&cloud, &database, PATIENT).await;
    let daemon = Running::start(&config_text(&cloud, &database.url, PATIENT, ALL)).await;
    assert_eq!(resources(&daemon.first), resources(&before), "with the age that it had");
    assert!(daemon.first.is_ready() && daemon.first.scopes.values().all(|view| view.is_up()));
    assert_eq!(daemon.get("/-/ready").await.0, 200);
    let page = daemon.get("/metrics").await.1;
    let shown =
        page.lines().filter(|line| line.starts_with("notafter_certificate_not_after_timestamp_seconds{"));
    assert_eq!(shown.count(), FLEET);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(cloud.calls(), [], "nothing was due");
    daemon.stop().await;
}

async fn nothing_is_asked_before_it_is_due(database: Database) {
    let cloud = cloud().await;
    first_run(&cloud, &database, QUICK).await;
    let stored = database.content().await;
    let policy = PollPolicy {
        max_age: Duration::from_secs(4),
        min_interval: Duration::from_secs(2),
        discover_every: Duration::from_secs(3),
        ..PollPolicy::default()
    };
    let planned: HashMap<String, DateTime<Utc>> = stored
        .resources()
        .map(|(_, resource)| (resource.id.to_string(), moment() + resource.due.expect("planned")))
        .collect();
    let now = Utc::now();
    let listings: HashMap<(String, String), DateTime<Utc>> = stored
        .scopes
        .iter()
        .map(|(scope, view)| {
            let at = now + restart::first_listing(view, schedule::next_listing(scope, &policy, 0), now);
            ((scope.region.to_string(), scope.service.to_string()), at)
        })
        .collect();
    let daemon = Running::start(&config_text(&cloud, &database.url, QUICK, ALL)).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    daemon.stop().await;
    let (mut looked, mut listed) = (0, 0);
    for call in cloud.calls() {
        let service = call.product.expect("a product").service().to_owned();
        let due = match &call.resource {
            Some(id) => planned[&**id],
            None => listings[&(call.region.to_string(), service)],
        };
        assert!(call.at >= due - TimeDelta::milliseconds(2), "{call:?} was due at {due}");
        *(if call.resource.is_some() { &mut looked } else { &mut listed }) += 1;
    }
    assert!(looked >= FLEET && listed >= 6, "and then it was: {looked} looks, {listed} listings");
}

async fn what_is_not_configured_any_more_goes(database: Database) {
    let cloud = cloud().await;
    first_run(&cloud, &database, PATIENT).await;
    let narrow = "services = [\"redis\", \"rds\"]\nregions = [\"cn-hangzhou\"]\n";
    let daemon = Running::start(&config_text(&cloud, &database.url, PATIENT, narrow)).await;
    let scopes: Vec<_> = daemon.first.scopes.keys().map(ToString::to_string).collect();
    assert_eq!(scopes, ["prod/alibaba/rds/cn-hangzhou", "prod/alibaba/redis/cn-hangzhou"]);
    assert_eq!(daemon.first.resources().count(), 10);
    daemon.stop().await;
    let stored = database.content().await;
    assert_eq!((stored.scopes.len(), stored.resources().count(), stored.regions_listed.len()), (2, 10, 0));
    assert_eq!(cloud.calls(), [], "nothing was due");
}

async fn another_filter_lists_at_once(database: Database) {
    let cloud = cloud().await;
    first_run(&cloud, &database, PATIENT).await;
    let filtered = format!("{ALL}exclude = ['resource_id=~\".*-4\"']\n");
    let daemon = Running::start(&config_text(&cloud, &database.url, PATIENT, &filtered)).await;
    let gone = |snapshot: &Snapshot| snapshot.resources().count() == 24;
    daemon.until("the excluded ones went", gone).await;
    daemon.stop().await;
    assert!(cloud.calls().iter().all(|call| call.resource.is_none()), "nobody was looked at again");
}

async fn a_blind_scope_stays_blind_and_keeps_what_it_had(database: Database) {
    let cloud = cloud().await;
    first_run(&cloud, &database, PATIENT).await;
    cloud.inject(Fault::Throttle { retry_after_ms: None }, Where::action("DescribeInstances"), None);
    database.meddle("UPDATE scope SET attempted_at = attempted_at - 7200000").await;
    let blind = |snapshot: &Snapshot| {
        let mut redis = snapshot.scopes.iter().filter(|(scope, _)| &*scope.service == "redis");
        redis.all(|(_, view)| view.failure().is_some_and(|failure| failure.reason == Reason::Throttled))
    };
    let config = config_text(&cloud, &database.url, PATIENT, ALL);
    let daemon = Running::start(&config).await;
    daemon.until("redis cannot be listed", blind).await;
    daemon.stop().await;
    let daemon = Running::start(&config).await;
    assert!(blind(&daemon.first), "why it cannot be read outlives a restart too");
    assert_eq!(daemon.first.resources().filter(|(_, resource)| resource.reading.is_some()).count(), FLEET);
    daemon.stop().await;
}

async fn regions_are_asked_for_again_after_a_day_and_their_scopes_stay_meanwhile(database: Database) {
    let cloud = cloud().await;
    first_run(&cloud, &database, PATIENT).await;
    cloud.inject(Fault::Throttle { retry_after_ms: None }, Where::action("DescribeRegions"), None);
    database.meddle("UPDATE regions SET listed_at = listed_at - 90000000").await;
    let daemon = Running::start(&config_text(&cloud, &database.url, PATIENT, ALL)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!cloud.calls().is_empty() && cloud.calls().iter().all(|call| call.action == "DescribeRegions"));
    let snapshot = daemon.snapshot();
    assert_eq!((snapshot.scopes.len(), snapshot.resources().count()), (6, FLEET));
    daemon.stop().await;
}

async fn what_vanished_while_nobody_looked_goes_with_the_next_listing(database: Database) {
    let cloud = cloud().await;
    first_run(&cloud, &database, PATIENT).await;
    assert!(cloud.delete("redis-cn-hangzhou-0"));
    database.meddle("UPDATE scope SET attempted_at = attempted_at - 7200000").await;
    let daemon = Running::start(&config_text(&cloud, &database.url, PATIENT, ALL)).await;
    assert_eq!(daemon.first.resources().count(), FLEET);
    daemon.until("it is gone", |snapshot| snapshot.resources().count() == FLEET - 1).await;
    daemon.stop().await;
    assert_eq!(database.content().await.resources().count(), FLEET - 1);
    assert!(cloud.calls().iter().all(|call| call.resource.is_none()), "nobody was looked at again");
}

async fn a_second_save_holds_only_what_changed(database: Database) {
    const ID: &str = "redis-cn-hangzhou-0";
    let cloud = cloud().await;
    first_run(&cloud, &database, PATIENT).await;
    let known = database.content().await;
    let mut due = known.clone();
    let (scope, before) = known.resources().find(|(_, resource)| &*resource.id == ID).expect("it was read");
    due.scope_mut(scope).plan(ID, Duration::ZERO);
    let store = database.open().await;
    store.save(&Difference::between(&known, &due), moment()).await.unwrap();
    store.close().await;
    // A row that is not written again keeps this mark.
    database.meddle("UPDATE resource_chunk SET resources = 1000").await;
    let daemon = Running::start(&config_text(&cloud, &database.url, PATIENT, ALL)).await;
    let looked = |snapshot: &Snapshot| {
        let found = snapshot.resources().find(|(_, resource)| &*resource.id == ID);
        found.is_some_and(|(_, resource)| resource.looked_at > before.looked_at)
    };
    daemon.until("the one that was due was looked at", looked).await;
    daemon.stop().await;
    let store = database.open().await;
    let rows = store.facts().await.unwrap().rows;
    store.close().await;
    let marked = (known.scopes.len() - 1) * 1000 + known.scopes[scope].resources.len();
    assert!(rows.contains(&("resource", i64::try_from(marked).unwrap())), "{marked}: {rows:?}");
    assert_eq!(cloud.calls().len(), 1);
}

/// Certificates that come with the listing have no looks of their own; and what the account learnt (here: that the
/// region answered before) outlives the restart.
async fn listings_that_carry_go_on_and_a_region_that_closes_keeps_what_it_had(database: Database) {
    crypto();
    let mut fleet = ucloud::Fleet::new(vec![ucloud::Region::new("cn-bj2", "北京")]);
    let (projects, keys) =
        (vec![ucloud::Project::new("org-main", "main")], vec![ucloud::Key::new("key", SECRET)]);
    fleet.accounts.push(ucloud::Account { name: "lb".into(), projects, keys });
    for n in 0..5 {
        let ends = Utc::now() + TimeDelta::days(90 + n);
        fleet.insert(ucloud::Entry::new(&format!("ssl-{n}"), "lb", "org-main", "cn-bj2", ends));
    }
    let cloud = ucloud::UCloud::start(fleet, Utc::now).await.expect("a free port");
    let config = format!(
        "[[account]]\nname = \"lb\"\nprovider = \"ucloud\"\nendpoints = {{ ulb = \"{}\" }}\n\
         credentials = {{ public_key = \"key\", private_key = \"{SECRET}\" }}\n[store]\nurl = \"{}\"\n",
        cloud.base_url(),
        database.url
    );
    let daemon = Running::start(&config).await;
    daemon.until_read(5).await;
    let before = daemon.snapshots.clone();
    daemon.stop().await;
    cloud.forget_calls();
    let daemon = Running::start(&config).await;
    assert_eq!(resources(&daemon.first), resources(&before.borrow()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(cloud.calls(), [], "nothing was due");
    daemon.stop().await;

    cloud.modify(|fleet| fleet.regions[0].open = false);
    database.meddle("UPDATE scope SET attempted_at = attempted_at - 7200000").await;
    let daemon = Running::start(&config).await;
    daemon.until("the region fails", |s| s.scopes.values().any(|view| view.failure().is_some())).await;
    assert_eq!(daemon.snapshot().resources().count(), 5);
    daemon.stop().await;
}
