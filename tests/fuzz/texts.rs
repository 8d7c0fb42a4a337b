//! What people and machines write down: certificates, keys, expressions, configurations.

use chrono::{TimeDelta, Utc};
use notafter::config;
use notafter::domain::duration::parse_duration;
use notafter::domain::matcher::{LabelSet, Matcher};
use notafter::provider::keys::{Ini, lent_keys};
use notafter::provider::loose::{Loose, Row};
use notafter::provider::x509;
use notafter::sim::alibaba::{PRIVATE_KEY_MARKER, certificate};

use crate::run::{Run, assert_hidden, is_known};

/// Stands wherever a secret stands.
const PLANTED: &str = "PLANTED-SECRET-4711";

fn bytes(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Certificates as clouds write them, each with a private key beside it.
fn certificates() -> Vec<Vec<u8>> {
    let pem = certificate("a.example", Utc::now(), Utc::now() + TimeDelta::days(90));
    let key =
        format!("-----BEGIN RSA PRIVATE KEY-----\n{PRIVATE_KEY_MARKER}\n-----END RSA PRIVATE KEY-----\n");
    bytes(&[
        &pem,
        &format!("{key}{pem}{pem}"),
        &format!("Bag Attributes\n{}", pem.replace('\n', "\r\n")),
        &pem.replace('\n', "\\n"),
    ])
}

#[test]
fn certificates_are_read_or_refused() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let honest = certificates();
    let pem = String::from_utf8(honest[0].clone()).expect("PEM");
    let packed: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = vec![STANDARD.decode(packed).expect("base64")];
    let mut run = Run::of("certificates", 150);
    while let Some(mut mutator) = run.next() {
        let outcome = if mutator.number(2) == 0 {
            x509::from_pem(&mutator.spoil_text(&honest))
        } else {
            x509::from_der(&mutator.spoil(&der)).map(|parsed| vec![parsed])
        };
        assert_hidden(&format!("{outcome:?}"), &[PRIVATE_KEY_MARKER]);
        run.came(if outcome.is_ok() { "read" } else { "refused" });
    }
    run.end(&["read", "refused"]);
}

#[test]
fn answers_with_keys_are_read_or_refused_without_repeating_them() {
    let honest = bytes(&[
        r#"{"RequestId":"R","Credentials":{"AccessKeyId":"STS.PLANTED-SECRET-4711","AccessKeySecret":"PLANTED-SECRET-4711","SecurityToken":"PLANTED-SECRET-4711","Expiration":"2026-11-22T12:00:00Z"}}"#,
        r#"{"AccessKeyId":"PLANTED-SECRET-4711","AccessKeySecret":"PLANTED-SECRET-4711","SecurityToken":"PLANTED-SECRET-4711","Expiration":"2026-11-22T12:00:00Z","Code":"Success"}"#,
        r#"{"credential":{"access":"PLANTED-SECRET-4711","secret":"PLANTED-SECRET-4711","securitytoken":"PLANTED-SECRET-4711","expires_at":"2026-11-22T12:00:00.000000Z"}}"#,
        r#"{"credentials":{"access_key_id":"PLANTED-SECRET-4711","secret_access_key":"PLANTED-SECRET-4711","security_token":"PLANTED-SECRET-4711","expiration":"2026-11-22T12:00:00.000Z"}}"#,
        r#"{"RetCode":0,"Data":{"PublicKey":"PLANTED-SECRET-4711","PrivateKey":"PLANTED-SECRET-4711","SecurityToken":"PLANTED-SECRET-4711","Expiration":1795348800}}"#,
    ]);
    let mut run = Run::of("answers with keys", 150);
    while let Some(mut mutator) = run.next() {
        let outcome = lent_keys(&mutator.spoil(&honest), "sts:AssumeRole");
        assert_hidden(&format!("{outcome:?}"), &[PLANTED]);
        run.came(match outcome {
            Ok(keys) if keys.secret.expose().is_empty() => panic!("a key that is empty"),
            Ok(_) => "read",
            Err(error) => {
                assert_hidden(&error.to_string(), &[PLANTED]);
                "refused"
            }
        });
    }
    run.end(&["read", "refused"]);
}

#[test]
fn files_with_keys_are_read_or_refused_without_repeating_them() {
    let honest = bytes(&[
        "[default]\ntype = access_key\naccess_key_id = PLANTED-SECRET-4711\naccess_key_secret = PLANTED-SECRET-4711\n",
        "\u{feff}# x\n[basic]\r\nak=PLANTED-SECRET-4711#c\r\nsk=PLANTED-SECRET-4711\r\n[other]\niam_ak=x\n",
    ]);
    let mut run = Run::of("files with keys", 50);
    while let Some(mut mutator) = run.next() {
        let (text, comments) = (mutator.spoil_text(&honest), mutator.number(2) == 0);
        let outcome = Ini::parse(&text, comments);
        // Names of keys are shown and values are not: only a name can be told from a value that lost its sign.
        let error = outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
        assert_hidden(&error, &[PLANTED]);
        run.came(if outcome.is_ok() { "read" } else { "refused" });
    }
    run.end(&["read", "refused"]);
}

#[test]
fn expressions_are_read_or_refused() {
    let honest = bytes(&[
        r#"cloud_account="prod", severity=~"warning|critical""#,
        r#"tag:env!="prod", resource_name=~"tmp-.*", in_use="false""#,
        r#"cloud_service!~"(redis|rds)", resource_id=~"[a-z]{2,8}-\\d+", label:team="订单""#,
        r#"resource_name=~"((a+)+)+$", resource_id=~"(x{1,50}){1,50}""#,
    ]);
    let subject = "a".repeat(200) + "!";
    let mut run = Run::of("expressions", 150);
    while let Some(mut mutator) = run.next() {
        let text = mutator.spoil_text(&honest);
        run.came(match Matcher::parse(&text, LabelSet::RESOURCE) {
            Ok(matcher) => {
                matcher.matches(&|_| Some(subject.as_str()));
                "read"
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                "refused"
            }
        });
    }
    run.end(&["read", "refused"]);
}

#[test]
fn configurations_are_read_or_refused_without_repeating_secrets() {
    let example = include_str!("../../config.example.toml");
    let mine = r#"
[[account]]
name = "prod"
provider = "alibaba"
labels = { team = "dba" }
credentials = { access_key_id = "LTAI", access_key_secret = "PLANTED-SECRET-4711" }
[[account]]
name = "h"
provider = "huawei"
credentials = { access_key = "AK", secret_key = "PLANTED-SECRET-4711" }
[[channel]]
name = "slack"
type = "slack"
url = "https://hooks.example.com/PLANTED-SECRET-4711"
[[route]]
match = 'severity=~"warning|critical"'
channels = ["slack"]
[poll]
max_age = "6h"
"#;
    let honest = bytes(&[example, mine, mine]);
    let mut run = Run::of("configurations", 60);
    while let Some(mut mutator) = run.next() {
        let text = mutator.spoil_text(&honest);
        let behind = ["access_key_secret = \"", "secret_key = \"", "url = \"https://hooks.example.com/"];
        let hidden: &[&str] = if is_known(text.as_bytes(), PLANTED, &behind) { &[PLANTED] } else { &[] };
        let outcome = config::parse(&text, "config.toml");
        run.came(match outcome {
            Ok(config) => {
                assert_hidden(&format!("{config:?}"), hidden);
                "read"
            }
            Err(problems) => {
                assert_hidden(&format!("{problems} {problems:?}"), hidden);
                "refused"
            }
        });
    }
    run.end(&["read", "refused"]);
}

#[test]
fn loose_values_and_durations_are_read_or_refused() {
    let honest = bytes(&[
        "1795910400",
        r#""1795910400""#,
        "1795910400.0",
        r#""2027-01-02T03:04:05Z""#,
        r#"{"a":[1,2,{"b":null}]}"#,
        r#""-----BEGIN PRIVATE KEY-----\nNotafterSimulatedPrivateKeyThatMustNeverLeak""#,
        "6h",
        "90s",
        "1d12h",
    ]);
    let mut run = Run::of("loose values and durations", 140);
    while let Some(mut mutator) = run.next() {
        let body = mutator.spoil(&honest);
        let loose = serde_json::from_slice::<Loose>(&body);
        let row = serde_json::from_slice::<Row<Loose>>(&body);
        let number = loose.as_ref().ok().and_then(Loose::number);
        let duration = parse_duration(&String::from_utf8_lossy(&body));
        run.came(match (loose.is_ok(), row.is_ok(), number, duration) {
            (_, _, Some(_), _) => "numbers",
            (.., Ok(_)) => "durations",
            (true, ..) | (_, true, ..) => "values",
            _ => "refused",
        });
    }
    run.end(&["numbers", "durations", "values", "refused"]);
}
