//! `doctor` against the simulated cloud: a key that may only read is enough, and what is lost is told.

use std::sync::Arc;

use notafter::cli::doctor;
use notafter::clock::Clock;
use notafter::daemon::doctor::{Diagnosis, Finding, Verdict, examine};
use notafter::domain::reason::Reason;
use notafter::http::Http;
use notafter::sim::alibaba::Rights;
use notafter::sim::huawei::{Fault, Fleet, HuaweiCloud, Ssl, Where};
use notafter::telemetry::Telemetry;

use crate::common::{crypto, quick};
use crate::support::{Build, fleet, instance};

const DOWNLOAD: &str = "dcs:DownloadSslCert";
const FETCH: &str = "obs:GetObject";

async fn examined(fleet: Fleet, upset: Option<(Fault, Where)>) -> Diagnosis {
    crypto();
    let cloud = HuaweiCloud::start(fleet, chrono::Utc::now).await.expect("a free port");
    if let Some((fault, place)) = upset {
        cloud.inject(fault, place, None);
    }
    let http = Http::new(quick().timeout, 8, Clock::system(), Arc::new(Telemetry::new()));
    examine(vec![Build::account("prod").build(&cloud, &http)]).await.remove(0)
}

/// The fleet with one instance, behind some on which TLS is off; and whether the key may download.
fn fleet_of(off: usize, may: bool) -> Fleet {
    let mut fleet = fleet();
    for n in 0..off {
        let mut instance = instance(&format!("a-{n}"));
        instance.ssl = Ssl::Off;
        fleet.insert(instance);
    }
    fleet.insert(instance("b"));
    if !may {
        fleet.accounts[0].keys[0].rights = Rights::Except(vec!["dcs:ssl:modify".into()]);
    }
    fleet
}

/// What a call said where it was made.
fn made<'d>(diagnosis: &'d Diagnosis, action: &str) -> Vec<&'d Verdict> {
    let of = |finding: &&Finding| finding.action == action;
    let verdicts = diagnosis.findings.iter().filter(of).map(|finding| &finding.verdict);
    verdicts.filter(|verdict| !matches!(verdict, Verdict::NotAsked(_))).collect()
}

#[tokio::test]
async fn a_refused_download_is_told_and_the_account_works_all_the_same() {
    let found = examined(fleet_of(0, false), None).await;
    assert!(found.is_well() && !found.sees_everything(), "{:?}", found.findings);
    let [Verdict::Without { reason, .. }] = made(&found, DOWNLOAD)[..] else {
        panic!("{:?}", found.findings)
    };
    assert_eq!((*reason, made(&found, FETCH)), (Reason::Denied, vec![]));
    assert!(made(&found, "dcs:ssl:get").iter().all(|verdict| **verdict == Verdict::Works));

    let text = doctor::text(std::slice::from_ref(&found));
    for want in [
        "prod (huawei): works, and does not see everything\n",
        "  without      dcs:DownloadSslCert                cn-north-4\n",
        "dcs:DownloadSslCert: denied (DCS.2003, request ",
        "lost: only the certificate of role `ca`; the end of the server's certificate is watched all the same\n",
        "→ to see it, allow `dcs:ssl:modify` for this key: policies/huawei-ca.json (installed: /usr/share/notafter/policies/huawei-ca.json); mind: ",
        "  works        dcs:ssl:get ",
        "all 1 accounts work; 1 of them do not see everything\n",
    ] {
        assert!(text.contains(want), "{want}\n{text}");
    }
    let json: serde_json::Value = serde_json::from_str(&doctor::json(&[found])).expect("JSON");
    let account = &json["accounts"][0];
    assert_eq!((&json["ok"], &account["ok"]), (&true.into(), &true.into()));
    let calls = account["calls"].as_array().expect("calls");
    let call = calls.iter().find(|call| call["result"] == "without").expect("it is told");
    assert_eq!((&call["action"], &call["reason"]), (&DOWNLOAD.into(), &"denied".into()));
    assert!(call["lost"].as_str().is_some_and(|lost| lost.contains("`ca`")), "{call}");
    assert!(call["remedy"].as_str().is_some_and(|text| text.contains("policies/huawei-ca.json")), "{call}");
}

#[tokio::test]
async fn a_key_that_may_download_sees_everything() {
    for (name, off) in [("the first instance has TLS", 0), ("the fourth does", 3)] {
        let found = examined(fleet_of(off, true), None).await;
        assert!(found.sees_everything(), "{name}: {:?}", found.findings);
        for action in [DOWNLOAD, FETCH] {
            assert_eq!(made(&found, action), [&Verdict::Works], "{name}: {action}");
        }
    }
}

#[tokio::test]
async fn where_no_instance_has_tls_nothing_is_said_about_the_download() {
    let mut fleet = fleet_of(2, false);
    fleet.remove("b");
    let found = examined(fleet, None).await;
    assert!(found.sees_everything(), "{:?}", found.findings);
    assert_eq!(made(&found, DOWNLOAD), [] as [&Verdict; 0]);
    let text = doctor::text(&[found]);
    assert!(
        text.contains("not asked    dcs:DownloadSslCert, obs:GetObject: nothing was found to make it for"),
        "{text}"
    );
}

#[tokio::test]
async fn an_object_store_that_is_out_of_order_costs_the_ca_alone() {
    let upset = (Fault::Status { status: 500, json: false }, Where::action("GetObject"));
    let found = examined(fleet_of(0, true), Some(upset)).await;
    assert!(found.is_well(), "{:?}", found.findings);
    assert_eq!(made(&found, DOWNLOAD), [&Verdict::Works], "{:?}", found.findings);
    let [Verdict::Without { reason, .. }] = made(&found, FETCH)[..] else { panic!("{:?}", found.findings) };
    assert_eq!(*reason, Reason::Unreachable);
}

#[tokio::test]
async fn a_missing_permission_for_the_detail_is_still_a_failure() {
    let mut fleet = fleet_of(0, true);
    fleet.accounts[0].keys[0].rights = Rights::Except(vec!["dcs:ssl:get".into()]);
    let found = examined(fleet, None).await;
    assert!(!found.is_well());
    assert_eq!(made(&found, DOWNLOAD), [] as [&Verdict; 0], "nothing came of the look before it");
}
