//! Keys that are refused, rights that are missing, quotas that are small: used gently, and nobody else suffers.

use std::time::Duration;

use chrono::TimeDelta;
use notafter::daemon::poll::Mode;
use notafter::domain::policy::PollPolicy;
use notafter::domain::reason::Reason;
use notafter::domain::snapshot::Snapshot;
use notafter::sim::ucloud::{Key, Outcome, Quota, Token};

use crate::support::{
    Build, PROJECT, REGION, SECRET, SIDE_PROJECT, TOKEN, Watch, days, entry, fleet, quick, scope,
};

#[tokio::test]
async fn it_is_told_which_half_of_a_key_is_wrong() {
    for (name, public_key, private_key, code) in
        [("private", "other+key/=@", "not the key", "171"), ("public", "nobody", SECRET, "172")]
    {
        let mut fleet = fleet();
        fleet.insert(entry("ssl-1"));
        let wrong = Build { public_key: public_key.into(), private_key, ..Build::account("other") };
        let watch = Watch::with(fleet, quick(), Mode::Continuous, vec![Build::account("prod"), wrong]).await;
        let refused = |s: &Snapshot| {
            let mut other = s.scopes.iter().filter(|(scope, _)| &*scope.account == "other");
            other.any(|(_, view)| view.failure().is_some())
        };
        watch.until("the refusal", refused).await;
        let snapshot = watch.snapshot();
        for (scope, view) in snapshot.scopes.iter().filter(|(scope, _)| &*scope.account == "other") {
            let failure = view.failure().unwrap_or_else(|| panic!("{name}: {scope} does not fail"));
            assert_eq!(failure.reason, Reason::Denied, "{name}: {scope}");
            assert!(failure.text.contains(code) && failure.text.contains("gateway"), "{name}: {failure:?}");
        }
        watch.end().await;
    }
}

#[tokio::test]
async fn a_project_without_rights_leaves_the_others() {
    let mut fleet = fleet();
    fleet.insert(entry("ssl-1"));
    fleet.accounts[0].keys[0].denied_projects.push(SIDE_PROJECT.into());
    let watch = Watch::over(fleet).await;
    let denied = |s: &Snapshot| scope(s, SIDE_PROJECT, REGION).failure().is_some();
    let seen = watch.until("a denied project", denied).await;
    let failure = scope(&seen, SIDE_PROJECT, REGION).failure().cloned().expect("just seen");
    assert_eq!(failure.reason, Reason::Denied);
    assert!(failure.text.starts_with("ulb:DescribeSSLV2: denied (299, request "), "{failure:?}");
    watch.until("the other project", |s| scope(s, PROJECT, REGION).is_up()).await;
    watch.end().await;
}

#[tokio::test]
async fn a_small_quota_is_found_and_everything_is_read() {
    let mut fleet = fleet();
    for n in 0..450 {
        fleet.insert(entry(&format!("ssl-{n:03}")));
    }
    fleet.quota = Some(Quota { calls: 6, per: TimeDelta::seconds(1) });
    let account = Build { rate_limit: Some(40.0), ..Build::account("prod") };
    let policy =
        PollPolicy { max_age: Duration::from_secs(5), discover_every: Duration::from_secs(3), ..quick() };
    let watch = Watch::with(fleet, policy, Mode::Continuous, vec![account]).await;
    let read = |s: &Snapshot| {
        scope(s, PROJECT, REGION).resources.len() == 450 && s.scopes.values().all(|v| v.is_up())
    };
    watch.until("every scope with little to spend", read).await;
    let calls = watch.cloud.calls();
    let throttled = calls.iter().filter(|call| call.outcome == Outcome::Refused(153));
    assert!(throttled.count() > 0, "the test must throttle");
    watch.end().await;
}

#[tokio::test]
async fn temporary_keys_are_sent_and_their_end_is_told() {
    let mut fleet = fleet();
    fleet.insert(entry("ssl-1"));
    let token = Token { text: TOKEN.into(), expires: days(1) };
    fleet.accounts[0].keys.push(Key { token: Some(token), ..Key::new("STS.x", SECRET) });
    let account = Build { public_key: "STS.x".into(), token: Some(TOKEN), ..Build::account("prod") };
    let watch = Watch::with(fleet, quick(), Mode::Continuous, vec![account]).await;
    watch.until("read with a token", |s| s.resources().count() == 1).await;
    watch.cloud.modify(|fleet| {
        if let Some(token) = &mut fleet.accounts[0].keys[1].token {
            token.expires = days(-1);
        }
    });
    let ended = |s: &Snapshot| {
        let failure = scope(s, PROJECT, REGION).failure().cloned();
        failure.is_some_and(|failure| failure.reason == Reason::Denied && failure.text.contains("(174, "))
    };
    watch.until("the end of the token", ended).await;
    watch.end().await;
}

#[tokio::test]
async fn certificates_are_never_older_than_promised() {
    let mut fleet = fleet();
    fleet.insert(entry("ssl-1"));
    // Listed once an hour, were it not for the promise.
    let policy = PollPolicy { discover_every: Duration::from_hours(1), ..quick() };
    let watch = Watch::with(fleet, policy, Mode::Continuous, vec![Build::account("prod")]).await;
    watch.until_read().await;
    let read_at =
        |s: &Snapshot| s.resources().filter_map(|(_, r)| r.reading.as_ref().map(|read| read.at)).max();
    let first = read_at(&watch.snapshot());
    watch.until("read again", |s| read_at(s) > first.map(|at| at + TimeDelta::seconds(1))).await;
    watch.end().await;
}
