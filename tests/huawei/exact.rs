//! What is shown equals what the cloud has: both dates, every state, over thousands of instances.

use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use notafter::domain::identity::CertRole;
use notafter::domain::resource::{Certificate, DateSource, ManagedBy, TlsState};
use notafter::domain::snapshot::Snapshot;
use notafter::provider::huawei::Wanted;
use notafter::sim::huawei::{Download, Expiry, Instance, Ssl};

use crate::support::{
    Build, ELSEWHERE, OTHER_REGION, PROJECT, REGION, TEAM, Watch, certificate, days, end, find, fleet,
    instance, scope, whole_days,
};

#[tokio::test]
async fn states_dates_and_sources_of_single_instances_are_right() {
    let mut fleet = fleet();
    let mut add = |id: &str, change: &dyn Fn(&mut Instance)| {
        let mut instance = instance(id);
        change(&mut instance);
        fleet.insert(instance);
    };
    add("on", &|_| {});
    add("off", &|i| i.ssl = Ssl::Off);
    add("old", &|i| i.supports_ssl = Some(false));
    add("memcached", &|i| i.engine = "Memcached".into());
    add("told", &|i| i.ssl = Ssl::Unsupported);
    add("busy", &|i| i.ssl = Ssl::Busy);
    add("no-date", &|i| i.ssl = Ssl::On(Expiry::Null));
    add("creating", &|i| i.status = "CREATING".into());
    add("invalid", &|i| i.validated = Some(false));
    add("loose", &|i| i.loose_types = true);
    let (cloud, snapshot) = Watch::once(fleet, Build::account("prod")).await;
    for (id, state, certificates, failed) in [
        ("on", TlsState::Enabled, 2, false),
        ("off", TlsState::Disabled, 0, false),
        ("old", TlsState::Unsupported, 0, false),
        ("memcached", TlsState::Unsupported, 0, false),
        ("told", TlsState::Unsupported, 0, false),
        ("busy", TlsState::Unknown, 0, false),
        ("no-date", TlsState::Enabled, 1, true),
        ("creating", TlsState::Unknown, 0, false),
        ("loose", TlsState::Enabled, 2, false),
    ] {
        let resource = find(&snapshot, id).unwrap_or_else(|| panic!("{id} is not there"));
        let found = (resource.state(), resource.certificates().len(), resource.failure.is_some());
        assert_eq!(found, (state, certificates, failed), "{id}: {:?}", resource.failure);
    }
    let role = |role| certificate(&snapshot, "on", role).expect("both are there");
    let (server, ca) = (role(CertRole::Server), role(CertRole::Ca));
    let truth = cloud.modify(|fleet| fleet.get("on").map(Instance::truth)).expect("there");
    assert_eq!(
        (server.source, Some(server.not_after)),
        (DateSource::Api, truth.server),
        "to the millisecond"
    );
    assert_eq!((ca.source, Some(ca.not_after)), (DateSource::X509, truth.ca));
    assert_eq!(&*ca.subject.common_name, "DCS simulated CA");
    assert_eq!(
        [server, ca].map(Certificate::dates_disagree),
        [None, None],
        "two certificates, not two sources"
    );
    let reading = |id: &str| find(&snapshot, id).and_then(|r| r.reading.clone()).expect("read");
    let required = ["on", "invalid", "loose"].map(|id| reading(id).renewal_required);
    assert_eq!(required, [Some(false), Some(true), Some(false)]);
    assert_eq!(reading("on").managed_by, Some(ManagedBy::Cloud));
    for id in ["old", "memcached", "creating"] {
        assert!(cloud.calls().iter().all(|call| &*call.resource != id), "nobody asks about {id}");
    }
}

#[tokio::test]
async fn what_changes_at_the_cloud_is_seen() {
    let mut fleet = fleet();
    for id in ["d-1", "d-2"] {
        fleet.insert(instance(id));
    }
    let watch = Watch::over(fleet).await;
    watch.until_read().await;
    let (server, ca) = (days(465), whole_days(4000));
    watch.cloud.change("d-1", |instance| {
        (instance.ssl, instance.download) = (Ssl::On(Expiry::At(server)), Download::Ca(ca));
    });
    watch.cloud.modify(|fleet| {
        fleet.insert(Instance { project: TEAM.into(), ..instance("d-new") });
        fleet.remove("d-2");
    });
    let seen = watch
        .until("the renewal, the new one and the deletion", |s| {
            let renewed =
                end(s, "d-1", CertRole::Server) == Some(server) && end(s, "d-1", CertRole::Ca) == Some(ca);
            renewed && end(s, "d-new", CertRole::Ca).is_some() && find(s, "d-2").is_none()
        })
        .await;
    assert!(scope(&seen, "prod", PROJECT).is_up() && scope(&seen, "prod", TEAM).is_up());
    watch.cloud.change("d-1", |instance| instance.ssl = Ssl::Off);
    let off = |s: &Snapshot| find(s, "d-1").is_some_and(|r| r.state() == TlsState::Disabled);
    let seen = watch.until("TLS switched off", off).await;
    assert!(find(&seen, "d-1").expect("there").certificates().is_empty());
    watch.end().await;
}

#[tokio::test]
async fn listings_larger_than_any_page_are_complete() {
    for (name, cap, counts_pages) in [
        ("as documented", None, false),
        ("a number for each page", None, true),
        ("pages shorter than asked for", Some(100), true),
        ("pages of ten", Some(10), true),
    ] {
        let mut fleet = fleet();
        (fleet.page_cap, fleet.counts_pages) = (cap, counts_pages);
        for n in 0..601 {
            fleet.insert(Instance { ssl: Ssl::Off, ..instance(&format!("d-{n:03}")) });
        }
        let (_cloud, snapshot) = Watch::once(fleet, Build::account("prod")).await;
        let view = scope(&snapshot, "prod", PROJECT);
        assert_eq!((view.resources.len(), view.is_up()), (601, true), "{name}: {:?}", view.failure());
    }
}

fn wanted(regions: Option<&[&str]>, projects: Option<&[&str]>) -> Wanted {
    let own = |list: Option<&[&str]>| list.map(|list| list.iter().map(|word| (*word).to_owned()).collect());
    Wanted { regions: own(regions), projects: own(projects) }
}

fn scopes(snapshot: &Arc<Snapshot>) -> Vec<String> {
    snapshot.scopes.keys().map(|scope| format!("{}/{}", scope.region, scope.project)).collect()
}

#[tokio::test]
async fn projects_and_sub_projects_of_wanted_regions_are_watched() {
    let at = |region: &str, project: &str| format!("{region}/{project}");
    let (north, team, south) = (at(REGION, PROJECT), at(REGION, TEAM), at(OTHER_REGION, ELSEWHERE));
    for (name, wanted, want, asked) in [
        ("everything", wanted(None, None), vec![&north, &team, &south], 1),
        ("one region", wanted(Some(&[OTHER_REGION]), None), vec![&south], 1),
        ("one project", wanted(None, Some(&[TEAM])), vec![&team], 1),
        ("a project by name", wanted(None, Some(&["cn-north-4_team"])), vec![&team], 1),
        (
            "two regions and a project",
            wanted(Some(&[REGION, OTHER_REGION]), Some(&[PROJECT])),
            vec![&north],
            1,
        ),
        (
            "a region and its projects",
            wanted(Some(&[REGION]), Some(&[TEAM, PROJECT])),
            vec![&north, &team],
            0,
        ),
    ] {
        let mut fleet = fleet();
        for (id, project) in [("d-1", PROJECT), ("d-2", TEAM), ("d-3", ELSEWHERE)] {
            fleet.insert(Instance { project: project.into(), ..instance(id) });
        }
        let (cloud, snapshot) = Watch::once(fleet, Build { wanted, ..Build::account("prod") }).await;
        let mut found = scopes(&snapshot);
        found.sort();
        let mut want: Vec<String> = want.into_iter().cloned().collect();
        want.sort();
        assert_eq!(found, want, "{name}");
        assert_eq!(snapshot.resources().count(), want.len(), "{name}: an instance in each");
        assert_eq!(cloud.count("KeystoneListAuthProjects"), asked, "{name}: nobody is asked without need");
    }
}

#[tokio::test]
async fn a_key_without_any_project_is_blind_and_says_so() {
    let wanted = wanted(Some(&["cn-south-1"]), None);
    let (_cloud, snapshot) = Watch::once(fleet(), Build { wanted, ..Build::account("prod") }).await;
    let failures: Vec<_> = snapshot.scopes.values().filter_map(|view| view.failure()).collect();
    assert!(failures.len() == 1 && failures[0].text.contains("no project"), "{failures:?}");
}

#[tokio::test]
async fn an_expired_certificate_is_shown_like_any_other() {
    let mut fleet = fleet();
    fleet.insert(Instance::new("d-1", PROJECT, days(-3), whole_days(-1)));
    let (_cloud, snapshot) = Watch::once(fleet, Build::account("prod")).await;
    for role in [CertRole::Server, CertRole::Ca] {
        assert!(
            end(&snapshot, "d-1", role).is_some_and(|at| at < Utc::now() - TimeDelta::hours(20)),
            "{role:?}"
        );
    }
}
