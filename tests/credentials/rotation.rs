//! A key in a file is replaced while the daemon polls.

use std::sync::Arc;
use std::time::Duration;

use notafter::daemon::build_accounts;
use notafter::daemon::poll::{Mode, Poller};
use notafter::domain::snapshot::Snapshot;
use notafter::shutdown::Stop;
use notafter::sim::alibaba::Key;
use tokio::sync::watch;

use crate::support::World;

async fn until(snapshots: &mut watch::Receiver<Arc<Snapshot>>, what: &str, is: impl Fn(&Snapshot) -> bool) {
    let waited = tokio::time::timeout(Duration::from_mins(1), snapshots.wait_for(|snapshot| is(snapshot)));
    waited.await.unwrap_or_else(|_| panic!("not within a minute: {what}")).unwrap();
}

fn is_up(snapshot: &Snapshot) -> bool {
    !snapshot.scopes.is_empty() && snapshot.scopes.values().all(|view| view.is_up())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_is_used_without_a_restart() {
    let world = World::new().await;
    let (id, secret) = (world.write("id", "base\n"), world.write("secret", "BASE-SECRET\n"));
    let credentials = format!(
        "{{ access_key_id = {{ file = \"{}\" }}, access_key_secret = {{ file = \"{}\" }} }}",
        id.display(),
        secret.display()
    );
    let config = world.config(&credentials, "");
    let accounts = build_accounts(&config, &world.http(), &|_| None).unwrap();
    let (policy, telemetry) = (config.poll.clone(), Arc::clone(&world.telemetry));
    let poller = Poller::new(accounts, policy, Mode::Continuous, world.clock.clone(), telemetry);
    let (stop, mut snapshots) = (Stop::new(), poller.snapshots());
    let running = tokio::spawn(poller.run(stop.listener()));
    until(&mut snapshots, "up with the first key", is_up).await;

    // both keys are good for a while, as in a careful rotation; then the old one goes
    world.cloud.modify(|fleet| fleet.accounts[0].keys.push(Key::new("next", "NEXT-SECRET")));
    world.write("id", "next\n");
    world.write("secret", "NEXT-SECRET\n");
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.cloud.forget_calls();
    world.cloud.modify(|fleet| fleet.accounts[0].keys[0].disabled = true);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(is_up(&snapshots.borrow()), "nobody noticed");
    let callers = world.callers("DescribeInstanceSSL");
    assert!(!callers.is_empty() && callers.iter().all(|key| key == "next"), "{callers:?}");

    // the key goes before the new one is there
    world.cloud.modify(|fleet| fleet.accounts[0].keys = vec![Key::new("last", "LAST-SECRET")]);
    until(&mut snapshots, "down without a key", |snapshot| !is_up(snapshot)).await;
    world.write("id", "last\n");
    world.write("secret", "LAST-SECRET\n");
    until(&mut snapshots, "up with the last key", is_up).await;
    stop.request();
    running.await.unwrap();
}
