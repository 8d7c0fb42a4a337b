//! The default chain: environment, files in a home, and what happens when they change.

use std::sync::Arc;
use std::time::Duration;

use notafter::provider::keys::KeySource;
use notafter::sim::alibaba::Key;

use crate::support::{BASE, World, id, look};

const DEFAULT: &str = r#"{ source = "default" }"#;

fn profile(id: &str) -> String {
    format!(
        r#"{{"current":"p","profiles":[{{"name":"p","mode":"AK","access_key_id":"{id}","access_key_secret":"S"}}]}}"#
    )
}

/// Time enough for a change to be seen and to settle.
async fn settle(keys: &Arc<dyn KeySource>) {
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(1050)).await;
        let _ = id(keys).await;
    }
}

#[tokio::test]
async fn a_key_from_each_place_opens_the_cloud() {
    let ini = "[default]\ntype = access_key\naccess_key_id = base\naccess_key_secret = BASE-SECRET # mine\n";
    let cli = profile("base").replace("\"S\"", "\"BASE-SECRET\"");
    let env = [("ALIBABA_CLOUD_ACCESS_KEY_ID", "base"), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "BASE-SECRET")];
    for (name, file, text, env) in [
        ("environment", "unused", "", &env[..]),
        ("command line", ".aliyun/config.json", &*cli, &[]),
        ("credentials file", ".alibabacloud/credentials.ini", ini, &[]),
    ] {
        let mut world = World::new().await;
        world.write(file, text);
        world.set(env);
        look(&world.provider(DEFAULT, ""), BASE).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[tokio::test]
async fn a_profile_that_changes_is_read_again_and_a_broken_one_is_not() {
    let world = World::new().await;
    world.write(".aliyun/config.json", &profile("one"));
    let keys = world.source(DEFAULT, "").unwrap();
    assert_eq!(id(&keys).await.unwrap(), "one");
    world.write(".aliyun/config.json", &profile("two"));
    settle(&keys).await;
    assert_eq!(id(&keys).await.unwrap(), "two");
    world.write(".aliyun/config.json", "{");
    settle(&keys).await;
    assert_eq!(id(&keys).await.unwrap(), "two");
    world.write(".aliyun/config.json", &profile("three"));
    settle(&keys).await;
    assert_eq!(id(&keys).await.unwrap(), "three");
}

#[tokio::test]
async fn a_file_that_only_looks_changed_costs_no_session() {
    let world = World::new().await;
    let role = r#"{"current":"r","profiles":[{"name":"r","mode":"RamRoleArn","access_key_id":"base",
        "access_key_secret":"BASE-SECRET","ram_role_arn":"acs:ram::1000000000000002:role/reader"}]}"#;
    world.write(".aliyun/config.json", role);
    let keys = world.source(DEFAULT, "").unwrap();
    assert_eq!(id(&keys).await.unwrap(), "STS.session1");
    world.write(".aliyun/config.json", role);
    settle(&keys).await;
    assert_eq!(id(&keys).await.unwrap(), "STS.session1");
}

#[tokio::test]
async fn a_file_that_appears_later_is_found() {
    let mut world = World::new().await;
    world.set(&[("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")]);
    let text = world.source(DEFAULT, "").unwrap_err().to_string();
    for part in ["no credentials found", ".aliyun/config.json", "ALIBABA_CLOUD_CREDENTIALS_URI is not set"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    world.set(&[("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "false")]);
    let keys = world.source(DEFAULT, "").unwrap();
    id(&keys).await.unwrap_err();
    world.write(".aliyun/config.json", &profile("late"));
    settle(&keys).await;
    assert_eq!(id(&keys).await.unwrap(), "late");
}

#[tokio::test]
async fn a_mode_that_cannot_be_used_is_named_at_the_start() {
    let world = World::new().await;
    let profile =
        r#"{"current":"sso","profiles":[{"name":"sso","mode":"CloudSSO","access_token":"HUNTER2"}]}"#;
    world.write(".aliyun/config.json", profile);
    let text = world.source(DEFAULT, "").unwrap_err().to_string();
    assert!(text.contains("profile `sso` is of the kind `CloudSSO`, which is not supported"), "{text}");
    assert!(text.contains("possible: AK, StsToken, RamRoleArn") && !text.contains("HUNTER2"), "{text}");
}

#[tokio::test]
async fn a_temporary_key_of_the_environment_sends_its_token() {
    let mut world = World::new().await;
    let token = notafter::sim::alibaba::Token { text: "T+1==".into(), expires: crate::support::hours(9) };
    let key = Key { token: Some(token), ..Key::new("STS.env", "ENV-SECRET") };
    world.cloud.modify(|fleet| fleet.accounts[0].keys.push(key));
    world.set(&[
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "STS.env"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ENV-SECRET"),
        ("ALIBABA_CLOUD_SECURITY_TOKEN", "T+1=="),
    ]);
    look(&world.provider(DEFAULT, ""), BASE).await.unwrap();
}
