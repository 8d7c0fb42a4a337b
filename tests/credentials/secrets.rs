//! No key shows anywhere: not in the log at its most talkative, not in `Debug`, not in an error.

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};

use notafter::provider::keys::KeySource;
use notafter::sim::alibaba::{Fault, IdentityProvider, Where};
use notafter::sim::metadata::{Cloud, Machine, Metadata};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::support::{OTHER, READER, World, assume, hours, look};

/// Every secret that is planted holds this word.
const PLANTED: &str = "HUNTER2";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Uses the keys well, badly and after they were lost, and gives back all that could be read meanwhile.
async fn use_them(world: &World, keys: &Arc<dyn KeySource>) -> String {
    let mut seen = format!("{keys:?}\n");
    for minutes in [0, 50, 30, 70] {
        world.pass(minutes);
        match keys.keys().await {
            Ok(lent) => {
                writeln!(seen, "{lent:?}").unwrap();
                keys.refused(&lent);
            }
            Err(error) => writeln!(seen, "{error} {error:?}").unwrap(),
        }
        world.cloud.inject(Fault::Garbage, Where::action("AssumeRole"), Some(1));
    }
    format!("{seen}{keys:?}\n")
}

#[test]
fn planted_secrets_are_found_nowhere() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // for the whole process and with the bridge for libraries that log the older way, as in the daemon
    subscriber.finish().try_init().unwrap();
    let seen = runtime.block_on(everything());
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    let shows = |line: &&str| line.contains(PLANTED);
    assert_eq!(log.lines().chain(seen.lines()).find(shows), None, "a secret shows");
    for word in ["session-secret", "CAIS+session", "METADATA-TOKEN"] {
        assert!(!log.contains(word) && !seen.contains(word), "{word} shows");
    }
    assert!(
        log.contains("keys were lent") && log.contains("keys could not be renewed"),
        "the log was looked at:\n{log}"
    );
    assert!(log.contains("the keys cannot be read anew"), "a file was lost:\n{log}");
}

async fn everything() -> String {
    let mut seen = String::new();
    for credentials in [
        r#"{ access_key_id = "base", access_key_secret = "HUNTER2-s", security_token = "HUNTER2-t" }"#,
        r#"{ access_key_id = { env = "PLANTED_ID" }, access_key_secret = { env = "PLANTED" } }"#,
        r#"{ source = "default" }"#,
        r#"{ source = "instance-role" }"#,
    ] {
        seen.push_str(&planted(credentials).await);
    }
    for set in [
        &[("ALIBABA_CLOUD_ACCESS_KEY_ID", "base"), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "HUNTER2")][..],
        &[
            ("ALIBABA_CLOUD_CREDENTIALS_URI", "http://127.0.0.1:9/HUNTER2"),
            ("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true"),
            ("ALIBABA_CLOUD_CREDENTIALS_FILE", "/nowhere"),
        ],
        &[
            ("ALIBABA_CLOUD_ROLE_ARN", READER),
            ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "p"),
            ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "TOKEN"),
        ],
        &[("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true")],
    ] {
        let mut world = world().await;
        let token = world.write("token", "HUNTER2-oidc");
        world.set(set);
        if world.env.contains_key("ALIBABA_CLOUD_OIDC_TOKEN_FILE") {
            world.set(&[("ALIBABA_CLOUD_OIDC_TOKEN_FILE", token.to_str().unwrap())]);
        }
        let keys = world.source(r#"{ source = "default" }"#, &assume(READER)).unwrap();
        seen.push_str(&use_them(&world, &keys).await);
    }
    seen.push_str(&lost_file().await);
    seen.push_str(&used().await);
    seen
}

async fn world() -> World {
    let mut world = World::new().await;
    let profile = r#"{"current":"p","profiles":[{"name":"p","mode":"StsToken","access_key_id":"base",
        "access_key_secret":"HUNTER2","sts_token":"HUNTER2","private_key":"HUNTER2"}]}"#;
    world.write(".aliyun/config.json", profile);
    let ini =
        "[default]\ntype=access_key\naccess_key_id=base\naccess_key_secret=HUNTER2\nsecurity_token=HUNTER2\n";
    world.write(".alibabacloud/credentials.ini", ini);
    world.set(&[("PLANTED_ID", "base"), ("PLANTED", "HUNTER2")]);
    let provider = IdentityProvider { arn: "p".into(), token: "HUNTER2-oidc".into() };
    world.cloud.modify(|fleet| fleet.sts.roles[0].provider = Some(provider));
    world
}

async fn planted(credentials: &str) -> String {
    let mut world = world().await;
    let machine = Machine::new("role", ["STS.machine", "HUNTER2", "HUNTER2"], hours(2));
    let metadata = Metadata::start(Cloud::Alibaba, machine).await.unwrap();
    world.metadata = metadata.base_url();
    let config = world.config(credentials, "");
    let mut seen = format!("{config:?}\n{}\n", config.effective());
    for more in [String::new(), assume(READER)] {
        let keys = world.source(credentials, &more).unwrap();
        seen.push_str(&use_them(&world, &keys).await);
    }
    seen
}

async fn lost_file() -> String {
    let world = world().await;
    let file = world.write("secret", "HUNTER2-file");
    let credentials =
        format!("{{ access_key_id = \"base\", access_key_secret = {{ file = \"{}\" }} }}", file.display());
    let keys = world.source(&credentials, "").unwrap();
    let used = keys.keys().await.unwrap();
    std::fs::write(&file, "HUNTER2\nHUNTER2").unwrap();
    keys.refused(&used);
    format!("{:?} {keys:?}", keys.keys().await)
}

/// Signed calls whose errors repeat what was signed.
async fn used() -> String {
    let world = world().await;
    let provider =
        world.provider(r#"{ access_key_id = "base", access_key_secret = "BASE-SECRET" }"#, &assume(READER));
    let mut seen = format!("{provider:?} {:?}", look(&provider, OTHER).await);
    world.cloud.modify(|fleet| fleet.accounts[1].keys[0].secret = "another".into());
    write!(seen, "{:?}", look(&provider, OTHER).await.unwrap_err()).unwrap();
    seen
}
