//! The cloud answers with private keys. They are planted in every place an answer has, and looked for everywhere.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use chrono::{DateTime, Utc};
use http_body_util::BodyExt;
use notafter::daemon::poll::Mode;
use notafter::domain::snapshot::Snapshot;
use notafter::metrics::MetricsPage;
use notafter::sim::alibaba::{Fault, PRIVATE_KEY_MARKER, Where, WrongType};
use notafter::sim::ucloud::{Block, Content, Date, Entry, Fleet, Key, Relation, Relations, Token};
use notafter::web::view::View;
use notafter::web::{self, AppState};
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Build, SECRET, TOKEN, Watch, days, entry, fleet, quick};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn key(kind: &str) -> String {
    format!("-----BEGIN {kind}PRIVATE KEY-----\n{PRIVATE_KEY_MARKER}\n-----END {kind}PRIVATE KEY-----\n")
}

/// A key in every kind of block and at every place of a bundle, and in every other field of an entry.
fn planted() -> Fleet {
    let mut fleet = fleet();
    let leaf = |host: &str| Block::Leaf { host: host.into(), begins: days(-100), ends: days(100) };
    let bundle = |blocks: Vec<Block>| Content::Bundle(blocks);
    for (id, content) in [
        ("first", bundle(vec![Block::Key("RSA "), leaf("a.example")])),
        ("between", bundle(vec![leaf("a.example"), Block::Key("EC "), Block::Issuer { ends: days(900) }])),
        ("last", bundle(vec![leaf("a.example"), Block::Key("")])),
        ("with-broken", bundle(vec![Block::Key("RSA "), Block::Broken, Block::Key("RSA ")])),
        ("alone", bundle(vec![Block::Key("ENCRYPTED ")])),
        ("untidy", Content::Untidy(vec![Block::Key("RSA "), leaf("a.example")])),
        ("unclosed", Content::Text(format!("-----BEGIN CERTIFICATE-----\n{}", key("RSA ")).into())),
        ("escaped", Content::Text(key("RSA ").replace('\n', "\\n").into())),
        ("in-a-list", Content::Odd(json!([key("")]))),
        ("in-an-object", Content::Odd(json!({ "PrivateKey": key("") }))),
    ] {
        fleet.insert(Entry { content, not_after: Date::Absent, ..entry(&format!("ssl-{id}")) });
    }
    let text = key("RSA ");
    let relation = Relation { balancer: text.as_str().into(), listener: text.as_str().into() };
    let more = ["PrivateKey", "UserCert", "HashValue", "SSLType", "DNSNames", "NotBefore", "USSLId"];
    fleet.insert(Entry {
        name: text.as_str().into(),
        domains: text.as_str().into(),
        content: Content::Text("".into()),
        not_after: Date::Odd(text.clone().into()),
        relations: Relations::List(vec![relation]),
        more: more.map(|name| (name.to_owned(), Value::from(text.clone()))).into(),
        ..entry("ssl-everywhere")
    });
    let id_is_a_key = vec![("SSLId".to_owned(), Value::from(text.clone()))];
    fleet.insert(Entry { more: id_is_a_key, ..Entry::new("ssl-id", "other", "org-other", "hk", days(9)) });
    fleet
}

/// Answers that are errors, with a key where they have text.
fn faults() -> Vec<Fault> {
    let text = key("RSA ");
    let custom = |status, body: String| Fault::Custom {
        status,
        headers: vec![("x-ucloud-request-uuid".into(), text.replace('\n', " "))],
        body: body.into(),
    };
    vec![
        custom(200, json!({ "RetCode": 4111, "Message": text }).to_string()),
        custom(200, json!({ "RetCode": text, "Message": text }).to_string()),
        custom(200, json!({ "RetCode": 0, "DataSet": text }).to_string()),
        custom(200, json!({ "RetCode": 0, "DataSet": [text, [text], { "SSLId": [text] }] }).to_string()),
        custom(200, text.clone()),
        custom(403, text.clone()),
        custom(500, format!("<html>{text}")),
        custom(200, format!("{{\"RetCode\":0,\"DataSet\":[{{\"SSLContent\":\"{}", text.replace('\n', "\\n"))),
        Fault::CutBody,
        Fault::WrongTypes(WrongType::ListForObject),
        Fault::WrongTypes(WrongType::NumberForString),
        Fault::WrongTypes(WrongType::NullEverywhere),
        Fault::TextCodes,
    ]
}

#[tokio::test]
async fn planted_keys_are_in_no_log_no_metric_no_page_and_no_debug_text() {
    let log = Captured::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let mut fleet = planted();
    let token = Token { text: TOKEN.into(), expires: days(1) };
    fleet.accounts[0].keys.push(Key { token: Some(token), ..Key::new("STS.x", SECRET) });
    let temporary = Build { public_key: "STS.x".into(), token: Some(TOKEN), ..Build::account("prod") };
    let wrong_secret = "PLANTED-WRONG-SECRET-4711";
    let wrong = Build { private_key: wrong_secret, token: Some(TOKEN), ..Build::account("wrong") };
    let accounts = vec![temporary, Build::account("other"), Build { public_key: "STS.x".into(), ..wrong }];
    let watch = Watch::with(fleet, quick(), Mode::Continuous, accounts).await;
    watch.until("every entry looked at", |s| looked_at(s) == 11).await;
    let mut seen = Vec::new();
    for (number, fault) in faults().into_iter().enumerate() {
        watch.cloud.inject(fault, Where::default(), None);
        tokio::time::sleep(Duration::from_millis(700)).await;
        seen.extend(everything(&watch, number).await);
        watch.cloud.clear_faults();
    }
    watch.end().await;
    let log = log.0.lock().expect("not poisoned").clone();
    assert!(!log.is_empty(), "the log was captured");
    seen.push(("the log at trace level".to_owned(), String::from_utf8_lossy(&log).into_owned()));
    for text in ["(4111)", "a.example", "signature was not accepted", "found a content without a certificate"]
    {
        assert!(seen.iter().any(|(_, seen)| seen.contains(text)), "the places are not read: no {text}");
    }
    for (place, text) in &seen {
        for secret in [SECRET, TOKEN, wrong_secret, PRIVATE_KEY_MARKER, "PRIVATE KEY"] {
            let at = text.find(secret).map(|at| text[..at].chars().rev().take(80).collect::<String>());
            assert!(at.is_none(), "{secret} is in {place}, behind (backwards) {at:?}");
        }
    }
}

fn looked_at(snapshot: &Snapshot) -> usize {
    snapshot.resources().filter(|(_, resource)| resource.looked_at.is_some()).count()
}

/// What anybody can get to see now.
async fn everything(watch: &Watch, number: usize) -> Vec<(String, String)> {
    let snapshot = watch.snapshot();
    let page = MetricsPage::new(watch.telemetry.clone(), quick(), Utc::now());
    let view = View {
        snapshot: watch.receiver(),
        settings: watch::channel(Arc::default()).1,
        now: Box::new(Utc::now),
        version: "test",
        started_at: DateTime::UNIX_EPOCH,
        timeline_start: DateTime::UNIX_EPOCH,
    };
    let metrics = Arc::new(page);
    let state = AppState { snapshot: watch.receiver(), metrics, now: Arc::new(Utc::now) };
    let router = web::router(state, Arc::new(view));
    let mut seen = vec![(format!("the snapshot's Debug form, {number}"), format!("{snapshot:?}"))];
    for path in ["/", "/?stage=all", "/metrics", "/api/v1/certificates?state=all&limit=500", "/api/v1/scopes"]
    {
        let request = axum::http::Request::get(path).body(Body::empty()).expect("a request");
        let answer = router.clone().oneshot(request).await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        seen.push((format!("{path}, {number}"), String::from_utf8_lossy(&body).into_owned()));
    }
    seen
}
