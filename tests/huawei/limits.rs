//! Keys that are refused, permissions that are missing, quotas that are small: used gently, and nobody else suffers.

use std::time::Duration;

use chrono::TimeDelta;
use notafter::daemon::poll::Mode;
use notafter::domain::reason::Reason;
use notafter::domain::resource::TlsState;
use notafter::domain::snapshot::Snapshot;
use notafter::sim::huawei::{Fault, Key, Outcome, Quota, Rights, Token, Where};

use crate::support::{
    Build, PROJECT, SECRET, TOKEN, Watch, beside_each_other, days, find, fleet, instance, scope,
};

#[tokio::test]
async fn a_missing_permission_is_named_and_not_asked_for_again_and_again() {
    let cases = [("dcs:instance:list", "ListInstances"), ("dcs:ssl:get", "ShowInstanceSslDetail")];
    beside_each_other(cases.map(|(permission, action)| missing(permission, action))).await;
}

async fn missing(permission: &'static str, action: &'static str) {
    let mut fleet = fleet();
    for n in 0..100 {
        fleet.insert(instance(&format!("d-{n}")));
    }
    fleet.accounts[0].keys[0].rights = Rights::Except(vec![permission.into()]);
    let account = Build { rate_limit: Some(20.0), ..Build::account("prod") };
    let watch = Watch::with(fleet, Mode::Continuous, vec![account, Build::account("other")]).await;
    let seen = watch.until(permission, |s| find_scope(s).is_some_and(|f| f.reason == Reason::Denied)).await;
    let failure = find_scope(&seen).expect("just seen");
    assert!(failure.text.contains(&format!("the key needs `{permission}`")), "{failure:?}");
    assert!(failure.text.contains("DCS.2003, request "), "code and request id are there: {failure:?}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let asked = watch.cloud.count(action);
    assert!(asked <= 30, "{asked} calls of {action} without a permission");
    watch.end().await;
}

fn find_scope(snapshot: &Snapshot) -> Option<notafter::domain::reason::Failure> {
    let mut scopes = snapshot.scopes.iter();
    let (_, view) = scopes.find(|(scope, _)| &*scope.project == PROJECT)?;
    view.failure().or(view.look_failure.as_ref()).cloned()
}

#[tokio::test]
async fn a_small_quota_is_found_and_everything_is_read() {
    let mut fleet = fleet();
    for n in 0..40 {
        fleet.insert(instance(&format!("d-{n:03}")));
    }
    let action = Some("ShowInstanceSslDetail".into());
    fleet.quotas.push(Quota { action, calls: 15, per: TimeDelta::seconds(1) });
    let account = Build { rate_limit: Some(100.0), ..Build::account("prod") };
    let (cloud, snapshot) = Watch::once(fleet, account).await;
    let view = scope(&snapshot, "prod", PROJECT);
    assert_eq!(view.counts.of(TlsState::Enabled), 40, "{:?}", view.look_failure);
    let throttled = |outcome: &Outcome| matches!(outcome, Outcome::Refused(code) if code == "APIGW.0308");
    assert!(cloud.calls().iter().any(|call| throttled(&call.outcome)), "the test must throttle");
}

#[tokio::test]
async fn the_window_that_the_gateway_names_is_waited_for() {
    let mut fleet = fleet();
    fleet.insert(instance("d-1"));
    let watch = Watch::with(fleet, Mode::Continuous, vec![Build::account("prod")]).await;
    watch.until_read().await;
    let throttle = Fault::Throttle { retry_after_ms: Some(3000) };
    watch.cloud.inject(throttle, Where::action("ShowInstanceSslDetail"), Some(1));
    let throttled = |s: &Snapshot| s.resources().any(|(_, r)| r.failure.is_some());
    let seen = watch.until("throttled", throttled).await;
    let failure = find(&seen, "d-1").and_then(|r| r.failure.clone()).expect("just seen");
    assert!(failure.text.contains("limit:20,time:3 seconds"), "{failure:?}");
    let before = watch.cloud.count("ShowInstanceSslDetail");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(watch.cloud.count("ShowInstanceSslDetail"), before, "three seconds of silence were asked for");
    watch.until("recovery", |s| s.resources().all(|(_, r)| r.failure.is_none())).await;
    watch.end().await;
}

#[tokio::test]
async fn temporary_keys_are_signed_with_their_token_and_their_end_is_told() {
    let mut fleet = fleet();
    fleet.insert(instance("d-1"));
    let token = Token { text: TOKEN.into(), expires: days(1) };
    fleet.accounts[0].keys.push(Key { token: Some(token), ..Key::new("TEMPORARYAK", SECRET) });
    let account = Build { key_id: "TEMPORARYAK", token: Some(TOKEN), ..Build::account("prod") };
    let watch = Watch::with(fleet, Mode::Continuous, vec![account]).await;
    let read = |s: &Snapshot| find(s, "d-1").is_some_and(|r| r.state() == TlsState::Enabled);
    watch.until("the instance", read).await;
    watch.cloud.modify(|fleet| {
        if let Some(token) = &mut fleet.accounts[0].keys[1].token {
            token.expires = days(-1);
        }
    });
    let ended = |s: &Snapshot| {
        scope(s, "prod", PROJECT).failure().is_some_and(|f| f.text.contains("the temporary key has expired"))
    };
    watch.until("the end of the token", ended).await;
    watch.end().await;
}
