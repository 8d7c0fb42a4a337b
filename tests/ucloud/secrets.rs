//! The cloud answers with private keys. They are planted in every place an answer has, and looked for everywhere.

use std::time::Duration;

use notafter::daemon::poll::Mode;
use notafter::domain::snapshot::Snapshot;
use notafter::sim::alibaba::{Fault, PRIVATE_KEY_MARKER, Where, WrongType};
use notafter::sim::ucloud::{Block, Content, Date, Entry, Fleet, Key, Relation, Relations, Token};
use serde_json::{Value, json};

use crate::common::{Captured, everything};
use crate::support::{Build, SECRET, TOKEN, Watch, days, entry, fleet, quick};

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
    let (log, _guard) = Captured::start();

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
        seen.extend(everything(&watch, &format!("fault {number}")).await);
        watch.cloud.clear_faults();
    }
    watch.end().await;
    seen.push(("the log at trace level".to_owned(), log.text()));
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
