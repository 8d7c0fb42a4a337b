//! Rights that are missing and keys that are refused: told with the name of the right, used gently, healed by itself.

use std::time::Duration;

use notafter::daemon::poll::Mode;
use notafter::domain::reason::{Failure, Reason};
use notafter::domain::snapshot::Snapshot;

use super::end;
use crate::service::{Asker, Service, Spot, Watch, patient};

/// The wait before a right is tried anew is a quarter of a minute.
const PATIENCE: Duration = Duration::from_mins(2);

/// The right to list, and the right to look, each taken away and given back.
pub(super) async fn denied(service: &'static Service) {
    let calls = [Some(service.listing), service.detail].into_iter().flatten();
    let cases: Vec<_> = calls.map(|call| without(service, call.right)).collect();
    crate::common::beside_each_other(cases).await;
}

async fn without(service: &'static Service, right: &'static str) {
    let watch = service.watched(patient(), &["res-1", "res-2"]).await;
    let before = watch.snapshot();
    watch.cloud.withhold(Some(right));
    let failure = |s: &Snapshot| -> Option<Failure> {
        let home = service.scope(s, Spot::Home);
        home.failure().or(home.look_failure.as_ref()).cloned()
    };
    let seen = watch.until(right, |s| failure(s).is_some_and(|f| f.reason == Reason::Denied)).await;
    let told = failure(&seen).expect("just seen");
    assert!(told.text.contains(right), "the missing right `{right}` is named: {told:?}");
    assert!(told.text.contains("request "), "the cloud's id of the request is told: {told:?}");
    for id in ["res-1", "res-2"] {
        assert_eq!(end(&seen, id), end(&before, id), "{right}: the last known end stays");
    }
    let other = service.scope(&seen, Spot::Other);
    assert!(other.is_up() && other.look_failure.is_none(), "{right}: another account");
    watch.cloud.withhold(None);
    let well =
        |s: &Snapshot| failure(s).is_none() && s.resources().all(|(_, resource)| resource.failure.is_none());
    watch.within(PATIENCE, &format!("{right}: recovery"), well).await;
    watch.end().await;
}

/// Some clouds lock a key after a few wrong signatures, for everybody who uses it.
pub(super) async fn a_refused_key_is_used_once(service: &'static Service) {
    let cloud = service.cloud(["res-1".to_owned()]).await;
    let wrong = Asker { wrong_secret: Some("not-the-secret"), ..Asker::default() };
    let watch = Watch::start(cloud, patient(), Mode::Continuous, |cloud, http| {
        let home = cloud.account(service.place(Spot::Home), Asker::default(), http);
        vec![home, cloud.account(service.place(Spot::Other), wrong, http)]
    });
    watch.until("the good account", |s| end(s, "res-1").is_some()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let used = watch.cloud.used(service.place(Spot::Other).key);
    assert_eq!(used, 1, "one refusal is enough for a quarter of a minute");
    assert_refused(&watch.snapshot());
    watch.end().await;
}

fn assert_refused(snapshot: &Snapshot) {
    let refused = snapshot.scopes.iter().filter(|(scope, _)| &*scope.account == "other");
    let reasons: Vec<_> = refused.map(|(_, view)| view.failure().map(|failure| failure.reason)).collect();
    assert!(!reasons.is_empty(), "the account is shown");
    assert!(reasons.iter().all(|reason| *reason == Some(Reason::Denied)), "{reasons:?}");
    assert!(snapshot.is_ready());
}
