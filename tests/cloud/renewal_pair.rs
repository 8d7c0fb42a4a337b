//! A certificate of the operator's own: arrives whole, in the body, and its key is seen nowhere.

use std::fs;

use notafter::domain::policy::OwnCertificate;
use notafter::domain::renewal::attempt::Class;
use notafter::domain::renewal::method::{Begins, Material};
use notafter::provider::alibaba::sign::payload_hash;
use notafter::provider::{Pair, Sent};
use notafter::sim::alibaba::{Engine, Fault, Instance, OnModify, Where};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, date_time_ymd};

use crate::common::Captured;
use crate::renewal_desk::Desk;
use crate::support::{SECRET, days, instance};

/// Two files with a pair for this host, and the lines of its key.
fn pair_of(folder: &std::path::Path, host: &str) -> (OwnCertificate, Vec<String>) {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("key");
    let mut params = CertificateParams::new(vec![host.to_owned()]).expect("params");
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2090, 1, 1));
    let files =
        OwnCertificate { cert_file: folder.join("fullchain.pem"), key_file: folder.join("privkey.pem") };
    fs::write(&files.cert_file, params.self_signed(&key).expect("signed").pem()).expect("written");
    fs::write(&files.key_file, key.serialize_pem()).expect("written");
    let lines =
        key.serialize_pem().lines().filter(|line| !line.starts_with('-')).map(str::to_owned).collect();
    (files, lines)
}

#[tokio::test]
async fn the_pair_arrives_and_its_key_is_in_no_log() {
    let (log, _guard) = Captured::start();
    let own = Instance { custom_ca: true, ..instance(Engine::PostgreSql, "pgm") };
    let desk = Desk::with(vec![own]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let host = desk.examine("rds", "pgm").await.detail.host.expect("known");
    let (files, lines) = pair_of(folder.path(), &host);
    let pair = Pair::read(&files).expect("readable");
    let material = pair.material(Some(&host), days(100), chrono::Utc::now());
    assert!(matches!(material, Material::Fit { .. }), "{material:?}");
    let call = desk.call("rds", "pgm", Some(&files), Begins::AtOnce).await;
    let sent = desk.send("rds", &call, Some(&pair)).await;
    assert!(matches!(sent, Sent::Accepted { .. }), "{sent:?}");

    let hash = payload_hash(pair.key.expose().as_bytes());
    assert_eq!(
        desk.the_one(),
        format!(
            "ModifyDBInstanceSSL CAType=custom ConnectionString={host} DBInstanceId=pgm SSLEnabled=1 ServerCert={} \
             ServerKey={hash}",
            pair.certificates
        )
    );
    for parameter in &desk.arrived()[0].parameters {
        let is_pair = parameter.name.starts_with("Server");
        assert_eq!(parameter.in_body, is_pair, "{}: only the pair travels in the body", parameter.name);
    }
    let seen = [log.text(), format!("{pair:?} {call:?} {sent:?} {material:?} {:?}", desk.arrived())].concat();
    let inner = &lines[lines.len() / 2];
    assert!(lines.len() > 20 && seen.len() > 1000);
    for secret in [inner.as_str(), &inner.replace('+', "%2B").replace('/', "%2F"), "ServerKey=-", SECRET] {
        assert!(!seen.contains(secret), "{secret} was seen");
    }
}

#[tokio::test]
async fn a_key_that_the_cloud_repeats_is_in_no_text() {
    let own = || Instance { custom_ca: true, ..instance(Engine::MySql, "rm") };
    let folder = tempfile::tempdir().expect("a folder");
    let desk = Desk::with(vec![own()]).await;
    let host = desk.examine("rds", "rm").await.detail.host.expect("known");
    let (files, lines) = pair_of(folder.path(), &host);
    let pair = Pair::read(&files).expect("readable");
    let call = desk.call("rds", "rm", Some(&files), Begins::AtOnce).await;
    let inner = &lines[10];
    for (name, status, code, message) in [
        ("refused", 400, "InvalidServerCertOrPrivateKey", format!("bad value {inner}")),
        (
            "lost",
            500,
            "InternalError",
            format!("bad value {}", inner.replace('+', "%2B").replace('/', "%2F")),
        ),
        ("in the code", 400, inner.as_str(), "m".to_owned()),
    ] {
        let body = serde_json::json!({"Code": code, "Message": message, "RequestId": "R"}).to_string();
        let fault = Fault::Custom { status, headers: vec![], body: body.into() };
        desk.cloud.inject(fault, Where::action("ModifyDBInstanceSSL"), Some(1));
        let text = format!("{:?}", desk.send("rds", &call, Some(&pair)).await);
        assert!(!text.contains(&inner[8..24]), "{name}: {text}");
        assert!(text.contains("not shown"), "{name}: {text}");
    }
}

#[tokio::test]
async fn a_pair_that_the_cloud_does_not_like_needs_a_person() {
    let desk = Desk::with(vec![Instance { custom_ca: true, ..instance(Engine::MySql, "rm") }]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (files, _) = pair_of(folder.path(), "x.example");
    let pair = Pair { certificates: "none".to_owned(), ..Pair::read(&files).expect("readable") };
    let call = desk.call("rds", "rm", Some(&files), Begins::AtOnce).await;
    let sent = desk.send("rds", &call, Some(&pair)).await;
    let Sent::Refused { class: Class::Person, code, text, .. } = &sent else { panic!("{sent:?}") };
    assert_eq!((&**code, text.is_empty()), ("InvalidServerCertOrPrivateKey", false));
    desk.cloud.change("rm", |it| it.on_modify = OnModify::Works);
    let good = Pair::read(&files).expect("readable");
    assert!(
        matches!(desk.send("rds", &call, Some(&good)).await, Sent::Accepted { .. }),
        "the next pair is taken"
    );
}
