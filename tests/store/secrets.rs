//! Nothing that a key is made of, and no private key that a cloud hands out, is ever in the store.

use std::fs;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use notafter::sim::alibaba::{Engine, Instance, Key, PRIVATE_KEY_MARKER, Token};

use crate::database::Database;
use crate::support::{REGIONS, Running, SECRET, UID, cloud, config_text};

const TOKEN: &str = "PLANTED-TOKEN-4711";
const WRONG: &str = "PLANTED-WRONG-SECRET-4711";
const SECRETS: [&str; 6] = [SECRET, TOKEN, WRONG, PRIVATE_KEY_MARKER, "PRIVATE KEY", "StringToSign"];

#[tokio::test(flavor = "multi_thread")]
async fn planted_secrets_are_in_no_byte_of_the_files() {
    let (cloud, database) = (cloud().await, Database::sqlite());
    cloud.modify(|fleet| {
        let token = Token { text: TOKEN.into(), expires: Utc::now() + TimeDelta::days(1) };
        fleet.accounts[0].keys.push(Key { token: Some(token), ..Key::new("STS.x", SECRET) });
        let ends = Utc::now() + TimeDelta::days(9);
        fleet.insert(Instance::new(Engine::PostgreSql, "pgm-1", UID, REGIONS[0], ends));
    });
    let account = |name: &str, secret: &str| {
        config_text(&cloud, &database.url, "", "").replace("name = \"prod\"", &format!("name = \"{name}\"")).replace(
            &format!("access_key_id = \"prod\", access_key_secret = \"{SECRET}\""),
            &format!("access_key_id = \"STS.x\", access_key_secret = \"{secret}\", security_token = \"{TOKEN}\""),
        )
    };
    // The secret of the second is wrong: the cloud echoes what it signed, the token included.
    let second = account("wrong", WRONG);
    let second = second.split("[store]").next().unwrap();
    let daemon = Running::start(&format!("{second}{}", account("right", SECRET))).await;
    daemon
        .until("both were asked", |snapshot| {
            let refused = snapshot.scopes.values().any(|view| view.failure().is_some());
            refused && snapshot.resources().filter(|(_, resource)| resource.reading.is_some()).count() == 31
        })
        .await;
    daemon.until_store_is(1).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_clean(&database, "while it runs");
    daemon.stop().await;
    assert_clean(&database, "after the end");
    // a text may stand on two pages of the file
    let known = format!("{:?}", database.content().await);
    for secret in SECRETS {
        assert!(!known.contains(secret), "{secret} is in what is known");
    }
    assert!(known.contains("pgm-1"), "{known}");
}

fn assert_clean(database: &Database, when: &str) {
    let mut seen = Vec::new();
    for entry in fs::read_dir(database.path().parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        for secret in SECRETS {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {} {when}", path.display());
        }
        seen.push(bytes);
    }
    let holds = |text: &str| {
        seen.iter().any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
    };
    assert!(holds("pgm-1") && holds("denied"), "{when}: both accounts are in the store");
}
