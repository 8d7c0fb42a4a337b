//! Nothing that a key is made of, and no private key that a cloud hands out, is ever to be seen.

use std::sync::Arc;

use chrono::Utc;
use notafter::daemon::poll::Mode;
use notafter::metrics::MetricsPage;
use notafter::sim::alibaba::{Engine, Fault, PRIVATE_KEY_MARKER, Where, WrongType};

use crate::common::Captured;
use crate::support::{Build, SECRET, TOKEN, Watch, fleet, instance, quick};

#[tokio::test]
async fn planted_secrets_are_in_no_log_no_metric_and_no_debug_text() {
    let (log, _guard) = Captured::start();

    let mut fleet = fleet();
    for n in 0..5 {
        fleet.insert(instance(Engine::PostgreSql, &format!("pgm-{n}")));
    }
    let token = notafter::sim::alibaba::Token { text: TOKEN.into(), expires: crate::support::days(1) };
    let key = notafter::sim::alibaba::Key {
        token: Some(token),
        ..notafter::sim::alibaba::Key::new("STS.x", SECRET)
    };
    fleet.accounts[0].keys.push(key);
    let account = Build { key_id: "STS.x", token: Some(TOKEN), ..Build::account("prod") };
    // The secret is wrong: the cloud echoes what it signed, the token included.
    let wrong_secret = "PLANTED-WRONG-SECRET-4711";
    let wrong =
        Build { key_id: "STS.x", secret: wrong_secret, token: Some(TOKEN), ..Build::account("other") };
    let watch = Watch::with(fleet, quick(), Mode::Continuous, vec![account, wrong]).await;
    watch.until("PostgreSQL read", |s| s.resources().filter(|(_, r)| r.reading.is_some()).count() == 5).await;
    for wrong_type in [WrongType::NumberForString, WrongType::ListForObject, WrongType::NullEverywhere] {
        watch.cloud.inject(Fault::WrongTypes(wrong_type), Where::action("DescribeDBInstanceSSL"), Some(5));
    }
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let snapshot = watch.snapshot();
    let page = MetricsPage::new(watch.telemetry.clone(), quick(), Utc::now());
    let page = page.plain(Arc::clone(&snapshot), Utc::now()).await.expect("rendered");
    let page: Vec<u8> = page.flat_map(|block| block.to_vec()).collect();
    watch.end().await;

    let seen = [
        ("the log at trace level", log.text()),
        ("the metrics page", String::from_utf8_lossy(&page).into_owned()),
        ("the snapshot's Debug form", format!("{snapshot:?}")),
    ];
    assert!(seen[2].1.contains("denied") || seen[2].1.contains("Denied"), "the wrong secret was refused");
    for (place, text) in &seen {
        for secret in [SECRET, TOKEN, wrong_secret, PRIVATE_KEY_MARKER, "PRIVATE KEY", "StringToSign"] {
            assert!(!text.contains(secret), "{secret} is in {place}");
        }
    }
}
