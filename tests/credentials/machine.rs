//! The role of an instance of Alibaba Cloud, and the address that hands out keys.

use notafter::call::CallErrorKind;
use notafter::sim::metadata::{Cloud, Machine, Metadata};

use crate::support::{READER, World, assume, hours, id, noon};

const ROLE: &str = r#"{ source = "instance-role" }"#;
const KEYS: &str = "GET /latest/meta-data/ram/security-credentials/watcher";
const NAME: &str = "GET /latest/meta-data/ram/security-credentials/";
const TOKEN: &str = "PUT /latest/api/token";

async fn service(world: &mut World) -> Metadata {
    let machine = Machine::new("watcher", ["STS.machine", "MACHINE-SECRET", "MACHINE-TOKEN"], hours(6));
    let service = Metadata::start(Cloud::Alibaba, machine).await.unwrap();
    world.metadata = service.base_url();
    service
}

#[tokio::test]
async fn version_two_goes_first_and_one_is_fallen_back_to_unless_that_is_forbidden() {
    for (name, v1, v2, forbidden, want) in [
        ("both", true, true, false, Ok([1, 1, 1])),
        ("only two", false, true, false, Ok([1, 1, 1])),
        ("only one", true, false, false, Ok([1, 1, 1])),
        ("only one, which is forbidden", true, false, true, Err("ecs-metadata:Token: denied")),
        ("neither", false, false, false, Err("ecs-metadata:Role: denied")),
    ] {
        let mut world = World::new().await;
        let service = service(&mut world).await;
        service.modify(|machine| (machine.v1, machine.v2) = (v1, v2));
        world.set(&[("ALIBABA_CLOUD_IMDSV1_DISABLED", if forbidden { "true" } else { "false" })]);
        let keys = world.source(ROLE, "").unwrap();
        match (id(&keys).await, want) {
            (Ok(found), Ok(want)) => {
                assert_eq!(found, "STS.machine", "{name}");
                let asked = service.asked();
                assert_eq!([TOKEN, NAME, KEYS].map(|path| asked[path]), want, "{name}");
            }
            (Err(error), Err(want)) => assert!(error.to_string().starts_with(want), "{name}: {error}"),
            (found, _) => panic!("{name}: {found:?}"),
        }
    }
}

#[tokio::test]
async fn a_role_that_is_named_is_not_asked_for() {
    let mut world = World::new().await;
    let service = service(&mut world).await;
    world.set(&[("ALIBABA_CLOUD_ECS_METADATA", "watcher")]);
    id(&world.source(r#"{ source = "default" }"#, "").unwrap()).await.unwrap();
    assert_eq!(service.asked().keys().collect::<Vec<_>>(), [KEYS, TOKEN]);
}

#[tokio::test]
async fn keys_of_the_machine_are_renewed_and_kept_while_the_service_is_out_of_order() {
    let mut world = World::new().await;
    let service = service(&mut world).await;
    let keys = world.source(ROLE, "").unwrap();
    id(&keys).await.unwrap();
    world.pass(300);
    id(&keys).await.unwrap();
    assert_eq!(service.asked()[KEYS], 1);
    service.modify(|machine| machine.broken = Some(500));
    world.pass(50);
    assert_eq!(id(&keys).await.unwrap(), "STS.machine");
    world.pass(11);
    assert_eq!(id(&keys).await.unwrap_err().kind, CallErrorKind::Unreachable);
    service.modify(|machine| (machine.broken, machine.expires) = (None, hours(12)));
    world.pass(11);
    id(&keys).await.unwrap();
}

#[tokio::test]
async fn what_is_wrong_with_a_machine_is_said() {
    for (name, change, want) in [
        (
            "no role",
            (|machine| machine.role = None) as fn(&mut Machine),
            "ecs-metadata:Role: denied: this machine has no role",
        ),
        ("a path for a role", |machine| machine.role = Some("../x".into()), "named no role"),
        (
            "keys that are over",
            |machine| machine.expires = noon(),
            "ended at 2026-11-22 12:00:00 UTC already",
        ),
        ("an empty secret", |machine| machine.keys[1].clear(), "the answer has no secret"),
        ("nothing but errors", |machine| machine.broken = Some(502), "out of order"),
    ] {
        let mut world = World::new().await;
        service(&mut world).await.modify(change);
        let machine = service(&mut world).await;
        machine.modify(change);
        let error = id(&world.source(ROLE, "").unwrap()).await.unwrap_err().to_string();
        assert!(error.contains(want), "{name}: {error}");
        assert!(!error.contains("MACHINE"), "{name}: {error}");
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_found_out_quickly() {
    let world = World::new().await;
    let begun = std::time::Instant::now();
    let error = id(&world.source(ROLE, "").unwrap()).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Unreachable, "{error}");
    assert!(begun.elapsed().as_secs() < 5);
}

#[tokio::test]
async fn a_role_is_taken_on_with_the_keys_of_the_machine() {
    let mut world = World::new().await;
    let _service = service(&mut world).await;
    let token = notafter::sim::alibaba::Token { text: "MACHINE-TOKEN".into(), expires: hours(6) };
    let key = notafter::sim::alibaba::Key {
        token: Some(token),
        ..notafter::sim::alibaba::Key::new("STS.machine", "MACHINE-SECRET")
    };
    world.cloud.modify(|fleet| fleet.accounts[0].keys.push(key));
    assert_eq!(id(&world.source(ROLE, &assume(READER)).unwrap()).await.unwrap(), "STS.session1");
    assert_eq!(world.callers("AssumeRole"), ["STS.machine"]);
}

#[tokio::test]
async fn an_address_that_hands_out_keys_comes_after_the_machine() {
    let mut world = World::new().await;
    let elsewhere = Machine::new("r", ["STS.uri", "URI-SECRET", "URI-TOKEN"], hours(1));
    let elsewhere = Metadata::start(Cloud::Alibaba, elsewhere).await.unwrap();
    let url = format!("{}/latest/meta-data/ram/security-credentials/r?proof=HUNTER2", elsewhere.base_url());
    world.set(&[("ALIBABA_CLOUD_CREDENTIALS_URI", &url)]);
    let keys = world.source(r#"{ source = "default" }"#, "").unwrap();
    assert_eq!(id(&keys).await.unwrap(), "STS.uri", "nobody answers for the machine");
    elsewhere.modify(|machine| machine.broken = Some(403));
    world.pass(61);
    let text = format!("{:?}", id(&keys).await.unwrap_err());
    assert!(text.contains("ecs-metadata:Token: unreachable") && text.contains("answered 403"), "{text}");
    assert!(!format!("{text} {keys:?}").contains("HUNTER2"), "{text}");
    let _machine = service(&mut world).await;
    let keys = world.source(r#"{ source = "default" }"#, "").unwrap();
    assert_eq!(id(&keys).await.unwrap(), "STS.machine");
}

#[tokio::test]
async fn an_address_must_be_https_or_on_this_machine() {
    for (url, fine) in [
        ("https://keys.example/x", true),
        ("http://127.0.0.1:9/x", true),
        ("http://keys.example/HUNTER2", false),
        ("ftp://keys.example/HUNTER2", false),
        ("HUNTER2", false),
    ] {
        let mut world = World::new().await;
        world.set(&[("ALIBABA_CLOUD_CREDENTIALS_URI", url)]);
        let made = world.source(r#"{ source = "default" }"#, "");
        assert_eq!(made.is_ok(), fine, "{url}");
        if let Err(error) = made {
            let text = error.to_string();
            assert!(text.starts_with("ALIBABA_CLOUD_CREDENTIALS_URI: the address"), "{text}");
            assert!(!text.contains("HUNTER2"), "{text}");
        }
    }
}
