//! The cloud locks a key after more than five wrong signatures in a row, for everybody who uses it.

use std::time::Duration;

use notafter::daemon::poll::Mode;
use notafter::domain::reason::Reason;
use notafter::domain::snapshot::Snapshot;
use notafter::sim::huawei::Outcome;

use crate::support::{AK, Build, PROJECT, Watch, fleet, instance, scope};

fn refusals(watch: &Watch, key: &str) -> usize {
    let refused = |outcome: &Outcome| matches!(outcome, Outcome::Refused(code) if code == "APIGW.0301");
    watch.cloud.calls().iter().filter(|call| &*call.key_id == key && refused(&call.outcome)).count()
}

#[tokio::test]
async fn a_wrong_secret_stays_unused_beyond_the_first_probes_of_the_gate() {
    let mut fleet = fleet();
    fleet.insert(instance("d-1"));
    let wrong = Build { secret: "not-the-secret", ..Build::account("prod") };
    let watch = Watch::with(fleet, Mode::Continuous, vec![wrong]).await;
    let refused = |s: &Snapshot| s.scopes.values().find_map(|view| view.failure().cloned());
    let seen = watch.until("the refusal", |s| refused(s).is_some()).await;
    let failure = refused(&seen).expect("just seen");
    assert!(failure.text.contains("is the secret key right?"), "{failure:?}");
    tokio::time::sleep(Duration::from_secs(18)).await;
    assert_eq!(
        refusals(&watch, AK),
        1,
        "a quarter of a minute is too soon for a key that is locked for everybody"
    );
    watch.end().await;
}

#[tokio::test]
async fn a_key_that_is_revoked_in_full_swing_is_not_locked() {
    let mut fleet = fleet();
    for n in 0..200 {
        fleet.insert(instance(&format!("d-{n:03}")));
    }
    let account = Build { rate_limit: Some(20.0), ..Build::account("prod") };
    let watch = Watch::with(fleet, Mode::Continuous, vec![account]).await;
    watch.until_called("ShowInstanceSslDetail", 20).await;
    watch.cloud.modify(|fleet| fleet.accounts[0].keys[0].secret = "another".into());
    let denied =
        |s: &Snapshot| scope(s, "prod", PROJECT).failure().is_some_and(|f| f.reason == Reason::Denied);
    watch.until("the refusal", denied).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let refused = refusals(&watch, AK);
    assert!((1..=5).contains(&refused), "{refused} wrong signatures; the sixth locks the key for everybody");
    watch.end().await;
}
