//! Huawei Cloud: the chain, the machine, and an agency handed out by a simulated IAM.

use std::any::Any;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use notafter::call::CallErrorKind;
use notafter::http::Outgoing;
use notafter::provider::huawei::credentials::{Places, SignPost, source};
use notafter::provider::huawei::settings::Settings;
use notafter::provider::keys::{KeySource, Keys};
use notafter::provider::{BuildError, Order};
use notafter::sim::metadata::{Cloud, Machine, Metadata};
use reqwest::Method;
use reqwest::header::HeaderValue;
use toml::de::DeTable;

use crate::support::{World, hours, id};

/// Writes the keys into headers as they are; a real signature is proven elsewhere.
fn unsigned() -> SignPost {
    Arc::new(|keys: &Keys, url: &str, body: &Bytes| {
        let mut headers = HeaderMap::new();
        headers.insert("x-key", HeaderValue::from_str(keys.id.expose()).unwrap());
        Outgoing { method: Method::POST, url: url.to_owned(), headers, body: body.clone() }
    })
}

/// Reads the table of an account as the configuration does, and makes its keys.
fn keys(world: &World, metadata: &str, account: &str) -> Result<Arc<dyn KeySource>, BuildError> {
    let (table, errors) = DeTable::parse_recoverable(account);
    assert!(errors.is_empty(), "{account}");
    let mut sink = notafter::fields::Sink::new("c.toml", account);
    let mut fields = notafter::fields::Fields::root(table.get_ref(), &mut sink);
    let settings = (notafter::provider::find("huawei").unwrap().settings)(&mut fields).unwrap();
    let any = world.config(crate::support::KEY, "");
    let places = Places { metadata: metadata.to_owned() };
    world.order(&any, |order: &Order<'_>| {
        let settings = (settings.as_ref() as &dyn Any).downcast_ref::<Settings>().unwrap();
        source(order, settings, unsigned(), &places)
    })
}

const DEFAULT: &str = "credentials = { source = \"default\" }";
const ROLE: &str = "credentials = { source = \"instance-role\" }";

async fn service() -> Metadata {
    let machine = Machine::new("agency", ["MACHINE", "MACHINE-SECRET", "MACHINE-TOKEN"], hours(24));
    Metadata::start(Cloud::Huawei, machine).await.unwrap()
}

#[tokio::test]
async fn the_machine_is_asked_with_a_token_first() {
    for (name, change, want) in [
        ("with a token", (|_| ()) as fn(&mut Machine), Ok("MACHINE")),
        ("an old platform", |machine| machine.v2 = false, Ok("MACHINE")),
        ("a new platform", |machine| machine.v1 = false, Ok("MACHINE")),
        ("no agency", |machine| machine.role = None, Err("this machine has no agency")),
        ("keys that are over", |machine| machine.expires = hours(-1), Err("ended at")),
    ] {
        let (world, service) = (World::new().await, service().await);
        service.modify(change);
        match (id(&keys(&world, &service.base_url(), ROLE).unwrap()).await, want) {
            (Ok(found), Ok(want)) => assert_eq!(found, want, "{name}"),
            (Err(error), Err(want)) => assert!(error.to_string().contains(want), "{name}: {error}"),
            (found, _) => panic!("{name}: {found:?}"),
        }
    }
}

#[tokio::test]
async fn the_file_in_the_home_comes_before_the_machine() {
    let (world, service) = (World::new().await, service().await);
    world.write(".huaweicloud/credentials", "[basic]\nak = FILE\nsk = SECRET\n");
    assert_eq!(id(&keys(&world, &service.base_url(), DEFAULT).unwrap()).await.unwrap(), "FILE");
    assert!(service.asked().is_empty());
}

/// Answers as IAM; keeps the bodies and callers.
async fn iam(status: u16, answer: String) -> (String, Arc<Mutex<Vec<(String, String)>>>) {
    let asked: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let kept = Arc::clone(&asked);
    let handler = move |headers: HeaderMap, body: String| async move {
        let caller = headers["x-key"].to_str().unwrap().to_owned();
        kept.lock().unwrap().push((caller, body));
        (StatusCode::from_u16(status).unwrap(), answer)
    };
    let app = Router::new().route("/v3.0/OS-CREDENTIAL/securitytokens", post(handler));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, asked)
}

fn account(iam: &str) -> String {
    format!(
        "credentials = {{ access_key = \"base\", secret_key = \"BASE-SECRET\" }}\n\
         assume_role = {{ agency = \"watch\", domain = \"other\" }}\nendpoints = {{ iam = \"{iam}\" }}"
    )
}

#[tokio::test]
async fn an_agency_is_acted_for_with_the_keys_of_the_account() {
    let answer = r#"{"credential":{"access":"AGENCY","secret":"S","securitytoken":"T","expires_at":"2026-11-22T13:00:00.000000Z"}}"#;
    let (url, asked) = iam(201, answer.to_owned()).await;
    let world = World::new().await;
    let keys = keys(&world, crate::support::NOBODY, &account(&url)).unwrap();
    for _ in 0..3 {
        assert_eq!(id(&keys).await.unwrap(), "AGENCY");
    }
    let body = r#"{"auth":{"identity":{"assume_role":{"agency_name":"watch","domain_name":"other","duration_seconds":3600},"methods":["assume_role"]}}}"#;
    assert_eq!(*asked.lock().unwrap(), [("base".to_owned(), body.to_owned())]);
    world.pass(50);
    assert_eq!(id(&keys).await.unwrap(), "AGENCY", "the answer is the old one, and still good");
    world.pass(20);
    let error = id(&keys).await.unwrap_err();
    assert!(error.message.contains("ended at 2026-11-22 13:00:00 UTC already"), "{error}");
}

#[tokio::test]
async fn a_refused_agency_is_told_with_account_agency_and_code() {
    let (url, _) = iam(403, r#"{"error_code":"IAM.0002","error_msg":"no agent operator"}"#.to_owned()).await;
    let world = World::new().await;
    let error = id(&keys(&world, crate::support::NOBODY, &account(&url)).unwrap()).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::KeyDenied);
    let want = "iam:SecurityTokens: denied (IAM.0002): account `prod`, agency watch of other: \
                not allowed to act for it: no agent operator";
    assert_eq!(error.to_string(), want);
}
