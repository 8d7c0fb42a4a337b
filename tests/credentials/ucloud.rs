//! UCloud: the chain and both readings of its metadata service.

use std::any::Any;
use std::sync::Arc;

use notafter::provider::keys::KeySource;
use notafter::provider::ucloud::credentials::{Places, source};
use notafter::provider::ucloud::settings::Settings;
use notafter::provider::{BuildError, Order};
use notafter::sim::metadata::{Cloud, Machine, Metadata};
use toml::de::DeTable;

use crate::support::{World, hours, id};

fn keys(world: &World, metadata: &str, account: &str) -> Result<Arc<dyn KeySource>, BuildError> {
    let (table, errors) = DeTable::parse_recoverable(account);
    assert!(errors.is_empty(), "{account}");
    let mut sink = notafter::fields::Sink::new("c.toml", account);
    let mut fields = notafter::fields::Fields::root(table.get_ref(), &mut sink);
    let settings = (notafter::provider::find("ucloud").unwrap().settings)(&mut fields).unwrap();
    let any = world.config(crate::support::KEY, "");
    let places = Places { metadata: metadata.to_owned() };
    world.order(&any, |order: &Order<'_>| {
        let settings = (settings.as_ref() as &dyn Any).downcast_ref::<Settings>().unwrap();
        source(order, settings, &places)
    })
}

const DEFAULT: &str = "credentials = { source = \"default\" }";
const ROLE: &str = "credentials = { source = \"instance-role\" }";

async fn service() -> Metadata {
    let machine = Machine::new("watcher", ["MACHINE", "MACHINE-SECRET", "MACHINE-TOKEN"], hours(1));
    Metadata::start(Cloud::UCloud, machine).await.unwrap()
}

#[tokio::test]
async fn either_reading_of_the_metadata_service_gives_keys() {
    for (name, change, want) in [
        (
            "keys at once",
            (|_| ()) as fn(&mut Machine),
            Ok(vec!["GET /meta-data/v1/uam/security-credentials"]),
        ),
        (
            "the role first, then version two",
            |machine| machine.names_role_first = true,
            Ok(vec![
                "GET /meta-data/v1/uam/security-credentials",
                "GET /meta-data/v2/iam/security-credentials/watcher",
            ]),
        ),
        (
            "the role first, and no version two",
            |machine| (machine.names_role_first, machine.v2) = (true, false),
            Ok(vec![
                "GET /meta-data/v1/uam/security-credentials",
                "GET /meta-data/v1/uam/security-credentials/watcher",
                "GET /meta-data/v2/iam/security-credentials/watcher",
            ]),
        ),
        ("no role", |machine| machine.role = None, Err("this machine has no role")),
        ("refused", |machine| machine.v1 = false, Err("(230)")),
        ("over", |machine| machine.expires = hours(-1), Err("ended at 2026-11-22 11:00:00 UTC already")),
    ] {
        let (world, service) = (World::new().await, service().await);
        service.modify(change);
        match (keys(&world, &service.base_url(), ROLE).unwrap().keys().await, want) {
            (Ok(found), Ok(want)) => {
                assert_eq!(found.token.as_ref().unwrap().expose(), "MACHINE-TOKEN", "{name}");
                assert_eq!(found.expires, Some(hours(1)), "{name}");
                assert_eq!(service.asked().into_keys().collect::<Vec<_>>(), want, "{name}");
            }
            (Err(error), Err(want)) => assert!(error.to_string().contains(want), "{name}: {error}"),
            (found, _) => panic!("{name}: {found:?}"),
        }
    }
}

#[tokio::test]
async fn the_files_in_the_home_come_before_environment_and_machine() {
    let (mut world, service) = (World::new().await, service().await);
    assert_eq!(id(&keys(&world, &service.base_url(), DEFAULT).unwrap()).await.unwrap(), "MACHINE");
    world.set(&[("UCLOUD_PUBLIC_KEY", "env@example"), ("UCLOUD_PRIVATE_KEY", "S")]);
    assert_eq!(id(&keys(&world, &service.base_url(), DEFAULT).unwrap()).await.unwrap(), "env@example");
    world.write(".ucloud/config.json", r#"[{"profile":"work","active":true}]"#);
    world.write(".ucloud/credential.json", r#"[{"profile":"work","public_key":"FILE","private_key":"S"}]"#);
    assert_eq!(id(&keys(&world, &service.base_url(), DEFAULT).unwrap()).await.unwrap(), "FILE");
}

#[tokio::test]
async fn a_temporary_key_that_is_written_has_its_token() {
    let world = World::new().await;
    let account = "credentials = { public_key = \"p\", private_key = \"s\", security_token = \"t\" }";
    let found = keys(&world, crate::support::NOBODY, account).unwrap().keys().await.unwrap();
    assert_eq!(found.token.as_ref().unwrap().expose(), "t");
}
