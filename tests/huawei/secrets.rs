//! Nothing that a key is made of, no link and no private key is ever to be seen.

use std::sync::Arc;

use bytes::Bytes;
use chrono::Utc;
use notafter::daemon::poll::Mode;
use notafter::metrics::MetricsPage;
use notafter::sim::huawei::{
    Download, Fault, Instance, Key, LINK_MARKER, Link, Token, Where, WrongType, archive,
};

use crate::common::Captured;
use crate::support::{Build, SECRET, TOKEN, Watch, days, fleet, instance, often, quick};

const PLANTED_AK: &str = "PLANTEDTEMPORARYAK4711";
const WRONG_AK: &str = "PLANTEDWRONGAK4711";
const WRONG_SECRET: &str = "PLANTED-WRONG-SECRET-4711";
const PLANTED_LINK: &str = "PLANTED-LINK-SIGNATURE-4711";
const PLANTED_KEY: &str = "PLANTED-PRIVATE-KEY-4711";

fn planted() -> notafter::sim::huawei::Fleet {
    let mut fleet = fleet();
    let token = Token { text: TOKEN.into(), expires: days(1) };
    fleet.accounts[0].keys.push(Key { token: Some(token), ..Key::new(PLANTED_AK, SECRET) });
    for n in 0..3 {
        fleet.insert(instance(&format!("d-good-{n}")));
    }
    fleet.insert(Instance { link: Link::Expired, ..instance("d-expired") });
    for (n, place) in
        ["https://10.0.0.1", "file://", "http://nowhere.example", "http://127.0.0.1:1"].iter().enumerate()
    {
        let link = Link::Text(format!("{place}/ca.zip?Signature={PLANTED_LINK}"));
        fleet.insert(Instance { link, ..instance(&format!("d-link-{n}")) });
    }
    let key = format!("-----BEGIN PRIVATE KEY-----\n{PLANTED_KEY}\n-----END PRIVATE KEY-----\n");
    let download = Download::Bytes(archive("key.pem", key.as_bytes()));
    fleet.insert(Instance { download, ..instance("d-key") });
    fleet.insert(Instance { download: Download::Bytes(Bytes::from(key)), ..instance("d-plain-key") });
    fleet
}

#[tokio::test]
async fn planted_secrets_are_in_no_log_no_metric_and_no_debug_text() {
    let (log, _guard) = Captured::start();

    let account =
        |name| Build { key_id: PLANTED_AK, token: Some(TOKEN), rhythm: often(), ..Build::account(name) };
    // The secret is wrong: the gateway echoes what it signed, the token included. The other AK is not known at all.
    let wrong = Build { secret: WRONG_SECRET, ..account("other") };
    let unknown = Build { key_id: WRONG_AK, ..account("unknown") };
    let watch = Watch::with(planted(), Mode::Continuous, vec![account("prod"), wrong, unknown]).await;
    watch
        .until("everything read", |s| s.resources().filter(|(_, r)| r.reading.is_some()).count() == 10)
        .await;
    let refused = |s: &notafter::domain::snapshot::Snapshot| {
        let views = s.scopes.iter().filter(|(scope, _)| &*scope.account != "prod");
        views.filter(|(_, view)| view.failure().is_some()).count() == 2
    };
    watch.until("both wrong keys refused", refused).await;
    for action in ["DownloadSslCert", "GetObject", "ShowInstanceSslDetail"] {
        for fault in [Fault::Html { status: 200 }, Fault::Garbage, Fault::Status { status: 500, json: true }]
        {
            watch.cloud.inject(fault, Where::action(action), Some(4));
        }
    }
    watch.cloud.inject(
        Fault::WrongTypes(WrongType::NumberForString),
        Where::action("DownloadSslCert"),
        Some(4),
    );
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let snapshot = watch.snapshot();
    let page = MetricsPage::new(watch.telemetry.clone(), quick(), Utc::now())
        .plain(Arc::clone(&snapshot), Utc::now())
        .await
        .expect("rendered");
    let page: Vec<u8> = page.flat_map(|block| block.to_vec()).collect();
    watch.end().await;

    let log = log.text();
    assert!(log.contains("could not be downloaded"), "the log was captured");
    let seen = [
        ("the log at trace level", log),
        ("the metrics page", String::from_utf8_lossy(&page).into_owned()),
        ("the snapshot's Debug form", format!("{snapshot:?}")),
    ];
    let secrets = [
        PLANTED_AK,
        WRONG_AK,
        SECRET,
        WRONG_SECRET,
        TOKEN,
        PLANTED_LINK,
        PLANTED_KEY,
        LINK_MARKER,
        "PRIVATE KEY",
        "AWSAccessKeyId",
        "canonicalRequest",
        "StringToSign",
    ];
    for (place, text) in &seen {
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} is in {place}: {}", around(text, secret));
        }
    }
}

fn around<'t>(text: &'t str, secret: &str) -> &'t str {
    text.lines().find(|line| line.contains(secret)).unwrap_or_default()
}
