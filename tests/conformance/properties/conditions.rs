//! What the cloud says about its resources is what is shown.

use std::collections::BTreeMap;
use std::time::Duration;

use notafter::daemon::poll::Mode;
use notafter::domain::resource::TlsState;
use notafter::domain::snapshot::Snapshot;

use super::{end, reason_of};
use crate::common::{find, metrics_page, samples};
use crate::service::{Condition, Service, Spot, Truth, Watch, listing_often, on, patient};

/// Resources of every kind and in every condition.
const VARIED: usize = 450;

/// Each date on `/metrics` is the cloud's, and no other is there; where a date cannot be read, that is told.
pub(super) async fn exact_dates(service: &'static Service) {
    let cloud = (service.start)().await;
    cloud.vary(VARIED);
    let watch = service.watch(cloud, listing_often(), Mode::Continuous);
    let truths = watch.cloud.truth();
    let known = |s: &Snapshot, truth: &Truth| {
        let certificates = find(s, &truth.place[3]).map_or(0, |resource| resource.certificates().len());
        certificates == truth.ends.len()
    };
    watch.until_read().await;
    let snapshot = watch.until("as many ends as there are", |s| truths.iter().all(|t| known(s, t))).await;
    let page = metrics_page(watch.telemetry.clone(), snapshot.clone()).await;
    watch.end().await;
    let place = ["cloud_account", "cloud_project", "cloud_region", "resource_id"];
    let [account, project, region, id] = place;
    let labels = [account, project, region, id, "cert_role"];
    let shown = samples(&page, "notafter_certificate_not_after_timestamp_seconds", labels);
    let on = samples(&page, "notafter_resource_tls_enabled", place);
    let mut wanted = BTreeMap::new();
    for truth in truths {
        let enabled = match truth.state {
            TlsState::Enabled => Some("1"),
            TlsState::Disabled => Some("0"),
            TlsState::Unsupported | TlsState::Unknown => None,
        };
        assert_eq!(on.get(&truth.place).map(String::as_str), enabled, "{:?}", truth.place);
        let [account, project, region, id] = truth.place;
        if truth.state == TlsState::Enabled && truth.ends.is_empty() {
            assert!(reason_of(&snapshot, &id).is_some(), "{id} has no date, and nobody is told");
        }
        for (role, end) in truth.ends {
            let key = [&*account, &*project, &*region, &*id, role.as_str()].map(str::to_owned);
            wanted.insert(key, end.timestamp());
        }
    }
    assert!(wanted.len() > VARIED / 3, "a fleet that proves something: {}", wanted.len());
    let shown: BTreeMap<_, i64> = shown.into_iter().map(|(key, end)| (key, whole_seconds(&end))).collect();
    let is_other = |one: &BTreeMap<_, i64>, key, end: &i64| one.get(key) != Some(end);
    let missing = wanted.iter().find(|(key, end)| is_other(&shown, *key, end));
    let surplus = shown.iter().find(|(key, end)| is_other(&wanted, *key, end));
    assert_eq!((missing, surplus), (None, None), "the cloud's, and what is shown");
}

/// A timestamp without its fraction: certificates are dated to the second.
fn whole_seconds(value: &str) -> i64 {
    value.split('.').next().and_then(|seconds| seconds.parse().ok()).expect("a number")
}

/// A renewal, a new resource and a deletion.
pub(super) async fn changes_are_seen(service: &'static Service) {
    let watch = service.watched(patient(), &["res-1", "res-2"]).await;
    watch.cloud.put(Spot::Home, "res-1", on(465));
    watch.cloud.put(Spot::Home, "res-new", on(50));
    watch.cloud.remove("res-2");
    let Condition::On(renewed) = on(465) else { unreachable!("made above") };
    let seen = |s: &Snapshot| {
        end(s, "res-1") == Some(renewed) && end(s, "res-new").is_some() && find(s, "res-2").is_none()
    };
    let snapshot = watch.until("the renewal, the new one and the deletion", seen).await;
    assert!(service.scope(&snapshot, Spot::Home).is_up());
    watch.end().await;
}

/// Off is no failure, and on again is seen.
pub(super) async fn off(service: &'static Service) {
    let watch = becomes(service, Condition::Off, TlsState::Disabled).await;
    watch.cloud.put(Spot::Home, "res-1", on(100));
    watch.until("on again", |s| end(s, "res-1").is_some()).await;
    watch.end().await;
}

/// Not to be had is no failure either, once it was said twice. It is asked about once a day from then on.
pub(super) async fn unsupported(service: &'static Service) {
    becomes(service, Condition::Unsupported, TlsState::Unsupported).await.end().await;
}

/// From on to this state, in which there is no certificate and nothing wrong.
async fn becomes(service: &'static Service, condition: Condition, state: TlsState) -> Watch {
    let watch = service.watched(patient(), &["res-1", "res-well"]).await;
    watch.cloud.put(Spot::Home, "res-1", condition);
    let is = |s: &Snapshot| find(s, "res-1").is_some_and(|resource| resource.state() == state);
    let seen = watch.until(state.as_str(), is).await;
    let resource = find(&seen, "res-1").expect("there");
    assert_eq!((resource.certificates(), &resource.failure), (&[][..], &None), "{state:?} is no failure");
    assert!(end(&seen, "res-well").is_some() && service.scope(&seen, Spot::Home).is_up());
    watch
}

/// What is deleted goes. What is listed and not there when it is asked for keeps its last known end, and that is told.
pub(super) async fn gone(service: &'static Service) {
    let watch = service.watched(patient(), &["res-1", "res-2", "res-well"]).await;
    watch.cloud.remove("res-2");
    watch.until("what is deleted goes", |s| find(s, "res-2").is_none()).await;
    if service.detail.is_some() {
        let before = end(&watch.snapshot(), "res-1");
        watch.cloud.put(Spot::Home, "res-1", Condition::Gone);
        let told = |s: &Snapshot| find(s, "res-1").is_some_and(|resource| resource.failure.is_some());
        let seen = watch.until("listed and not there", told).await;
        assert_eq!(end(&seen, "res-1"), before, "the last known end stays while it is listed");
        watch.cloud.put(Spot::Home, "res-1", on(100));
        watch.until("there again", |s| reason_of(s, "res-1").is_none()).await;
    }
    assert_well(service, &watch).await;
    watch.end().await;
}

/// In the middle of a change the last known end stays, and nothing is wrong.
pub(super) async fn busy(service: &'static Service) {
    let watch = service.watched(patient(), &["res-1", "res-well"]).await;
    let before = watch.snapshot();
    watch.cloud.put(Spot::Home, "res-1", Condition::Busy);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let seen = watch.snapshot();
    assert_eq!(end(&seen, "res-1"), end(&before, "res-1"), "the last known end stays");
    assert_eq!(reason_of(&seen, "res-1"), None, "being changed is no failure");
    watch.cloud.put(Spot::Home, "res-1", on(465));
    watch.until("the end after the change", |s| end(s, "res-1") > end(&before, "res-1")).await;
    assert_well(service, &watch).await;
    watch.end().await;
}

async fn assert_well(service: &'static Service, watch: &Watch) {
    let well = |s: &Snapshot| {
        end(s, "res-well").is_some()
            && reason_of(s, "res-well").is_none()
            && service.scope(s, Spot::Home).is_up()
    };
    watch.until("the neighbour is well", well).await;
}
