//! `doctor` against the simulated cloud: names what is missing, uses a refused key once, changes nothing.

use std::sync::Arc;

use notafter::clock::Clock;
use notafter::daemon::doctor::{Verdict, examine};
use notafter::domain::reason::Reason;
use notafter::http::Http;
use notafter::sim::alibaba::{AlibabaCloud, Engine, Rights};
use notafter::telemetry::Telemetry;

use crate::support::{Build, REGION, crypto, fleet, instance, quick};

#[tokio::test]
async fn it_names_the_missing_permission_and_leaves_a_refused_key_alone() {
    crypto();
    let mut fleet = fleet();
    fleet.insert(instance(Engine::MySql, "rm-1"));
    fleet.accounts[0].keys[0].rights =
        Rights::Except(vec!["rds:ListTagResources".into(), "dds:DescribeDBInstanceSSL".into()]);
    fleet.accounts[1].keys[0].disabled = true;
    let cloud = AlibabaCloud::start(fleet, chrono::Utc::now).await.expect("a free port");
    let http = Http::new(quick().timeout, 8, Clock::system(), Arc::new(Telemetry::new()));
    let accounts = ["prod", "other"].map(|name| Build::account(name).build(&cloud.base_url(), &http));
    let found = examine(accounts.into()).await;

    let failing: Vec<_> = found[0]
        .findings
        .iter()
        .filter_map(|finding| match &finding.verdict {
            Verdict::Fails { reason, key, .. } => {
                Some((finding.action, &*finding.scope.region, *reason, *key))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        failing,
        [
            ("dds:DescribeDBInstanceSSL", REGION, Reason::Denied, false),
            ("dds:DescribeDBInstanceSSL", "eu-central-1", Reason::Denied, false),
            ("rds:ListTagResources", REGION, Reason::Denied, false),
        ]
    );
    assert!(found[0].clock_ahead.is_some_and(|ahead| ahead.num_seconds().abs() <= 2));
    assert!(!found[1].is_well());
    assert_eq!(
        cloud.calls().iter().filter(|call| &*call.key_id == "other").count(),
        1,
        "a refused key is used once"
    );
    assert!(cloud.calls().iter().all(|call| !call.action.starts_with("Modify")));
}

#[tokio::test]
async fn everything_in_order_is_said_to_be() {
    crypto();
    let mut fleet = fleet();
    fleet.insert(instance(Engine::Redis, "r-1"));
    let cloud = AlibabaCloud::start(fleet, chrono::Utc::now).await.expect("a free port");
    let http = Http::new(quick().timeout, 8, Clock::system(), Arc::new(Telemetry::new()));
    let found = examine(vec![Build::account("prod").build(&cloud.base_url(), &http)]).await;
    assert!(found[0].is_well(), "{:?}", found[0].findings);
    let works = found[0].findings.iter().filter(|finding| finding.verdict == Verdict::Works).count();
    assert_eq!(works, 3 + 2 * 2 * 3, "regions, and lists and details of three services in two regions");
    let mut tags = found[0].findings.iter().filter(|finding| finding.action == "rds:ListTagResources");
    assert!(tags.all(|tags| matches!(tags.verdict, Verdict::NotAsked(_))), "no RDS instance, no tags");
}
