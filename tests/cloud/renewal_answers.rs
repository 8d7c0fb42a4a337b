//! Every answer that a call can get, and none: what is said of it is true, and nothing arrives twice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use notafter::call::{CallError, CallErrorKind};
use notafter::clock::Clock;
use notafter::domain::renewal::attempt::Class;
use notafter::domain::renewal::method::Begins;
use notafter::http::{Http, Route};
use notafter::provider::alibaba::{Alibaba, Api, Templates};
use notafter::provider::keys::{KeySource, Keys};
use notafter::provider::{BoxFuture, Renewer, Sent};
use notafter::sim::alibaba::{
    Charset, Engine, Fault, Hang, Instance, OnModify, Refusal, Reset, SslModel, Where, WrongType,
};
use notafter::telemetry::Telemetry;

use crate::renewal_desk::{Desk, TIMEOUT, account, scope};
use crate::support::instance;

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Accepted,
    Refused(Class),
    NotSent,
    Lost,
}

fn kind(sent: &Sent) -> Kind {
    match sent {
        Sent::Accepted { .. } => Kind::Accepted,
        Sent::Refused { class, .. } => Kind::Refused(*class),
        Sent::NotSent { .. } => Kind::NotSent,
        Sent::Lost { .. } => Kind::Lost,
    }
}

fn refusing(status: u16, code: &'static str) -> Instance {
    Instance { on_modify: OnModify::Refuses(Refusal::new(status, code)), ..instance(Engine::MySql, "ID") }
}

#[tokio::test]
async fn each_refusal_is_of_its_class_and_is_not_repeated() {
    let locked = || Instance { lock: "LockByExpiration".into(), ..instance(Engine::MySql, "ID") };
    let off = || Instance { ssl: SslModel::Off { stale: None }, ..instance(Engine::Redis, "ID") };
    let busy = || Instance { status: "Rebooting".into(), ..instance(Engine::MySql, "ID") };
    for (name, service, it, class, code) in [
        ("busy", "rds", busy(), Class::Retry, "IncorrectDBInstanceState"),
        (
            "too many at once",
            "rds",
            refusing(400, "ConcurrentTaskExceeded"),
            Class::Retry,
            "ConcurrentTaskExceeded",
        ),
        ("locked", "rds", locked(), Class::Person, "IncorrectDBInstanceLockMode"),
        ("unpaid", "rds", refusing(403, "OrderStatus.UnPaid"), Class::Person, "OrderStatus.UnPaid"),
        ("a code that nobody knows", "rds", refusing(400, "Some.News"), Class::Person, "Some.News"),
        ("off", "redis", off(), Class::Permanent, "SSLDisableStateExistsFault"),
        (
            "not here",
            "rds",
            refusing(403, "IncorrectEngineVersion"),
            Class::Permanent,
            "IncorrectEngineVersion",
        ),
    ] {
        let desk = Desk::with(vec![it]).await;
        let sent = desk.renew(service, "ID").await;
        let Sent::Refused { class: told, code: its, text, request_id } = &sent else {
            panic!("{name}: {sent:?}")
        };
        assert_eq!((*told, &**its), (class, code), "{name}");
        assert!(!text.is_empty() && !request_id.is_empty(), "{name}: {sent:?}");
        assert_eq!(desk.arrived().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn what_is_no_clear_answer_is_lost_and_arrives_once() {
    let custom =
        |status: u16, body: &str| Fault::Custom { status, headers: vec![], body: body.to_owned().into() };
    for (name, fault, want) in [
        ("no answer", Fault::Hang(Hang::NoAnswer), Kind::Lost),
        ("no body", Fault::Hang(Hang::HeadOnly), Kind::Lost),
        ("a body that drips", Fault::Hang(Hang::Drip), Kind::Lost),
        ("reset", Fault::Reset(Reset::BeforeAnswer), Kind::Lost),
        ("reset after the answer", Fault::Reset(Reset::KeptConnection), Kind::Accepted),
        ("half a body", Fault::CutBody, Kind::Lost),
        ("500 and nothing", Fault::Status { status: 500, json: false }, Kind::Lost),
        ("500 of the cloud", Fault::Status { status: 500, json: true }, Kind::Lost),
        ("503 of the cloud", Fault::Status { status: 503, json: true }, Kind::Lost),
        ("503 of a gateway", Fault::Html { status: 503 }, Kind::Lost),
        ("503 of a gateway, in words", custom(503, "upstream connect error or disconnect/reset"), Kind::Lost),
        ("404 of a gateway", Fault::Html { status: 404 }, Kind::Lost),
        ("429 of a gateway", custom(429, "slow down"), Kind::Lost),
        ("200 of a gateway", Fault::Html { status: 200 }, Kind::Lost),
        ("a redirect", Fault::Redirect { to: "http://127.0.0.1:1/".into() }, Kind::Lost),
        ("an empty body", Fault::EmptyBody, Kind::Lost),
        ("garbage", Fault::Garbage, Kind::Lost),
        ("an endless body", Fault::EndlessBody { gzip: false }, Kind::Lost),
        ("an endless body, packed", Fault::EndlessBody { gzip: true }, Kind::Lost),
        ("another encoding", Fault::WrongCharset(Charset::Utf16), Kind::Lost),
        ("a list", Fault::WrongTypes(WrongType::ListForAnswer), Kind::Lost),
        ("nothing in it", Fault::WrongTypes(WrongType::NullEverywhere), Kind::Lost),
        ("an object of somebody else's", custom(200, r#"{"status":"ok"}"#), Kind::Lost),
        ("a code that nobody knows, well", custom(200, r#"{"Code":"News","RequestId":"R"}"#), Kind::Lost),
        (
            "a number used once already",
            custom(400, r#"{"Code":"SignatureNonceUsed","RequestId":"R"}"#),
            Kind::Lost,
        ),
        ("numbers for texts", Fault::WrongTypes(WrongType::NumberForString), Kind::Accepted),
        ("lower case", Fault::LowercaseKeys, Kind::Accepted),
        ("throttled", Fault::Throttle { retry_after_ms: Some(5000) }, Kind::Refused(Class::Retry)),
        ("a region that closed", Fault::RegionRefused, Kind::Refused(Class::Person)),
    ] {
        let desk = Desk::with(vec![instance(Engine::MySql, "ID")]).await;
        desk.spoil(&fault);
        let sent = desk.renew("rds", "ID").await;
        assert_eq!(kind(&sent), want, "{name}: {sent:?}");
        // a layer that sends again does so at once, or after a pause
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert_eq!(desk.arrived().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_kept_connection_that_died_is_not_what_a_call_goes_out_on() {
    let desk = Desk::with(vec![instance(Engine::MySql, "ID")]).await;
    let call = desk.call("rds", "ID", None, Begins::AtOnce).await;
    for round in 0..5 {
        desk.cloud.clear_faults();
        desk.cloud.forget_calls();
        desk.cloud.change("ID", |it| *it = instance(Engine::MySql, "ID"));
        desk.cloud.inject(Fault::Reset(Reset::KeptConnection), Where::action("DescribeDBInstanceSSL"), None);
        desk.examine("rds", "ID").await;
        tokio::time::sleep(Duration::from_millis(10 * round)).await;
        let sent = desk.send("rds", &call, None).await;
        assert_eq!((kind(&sent), desk.arrived().len()), (Kind::Accepted, 1), "{round}: {sent:?}");
    }
}

#[tokio::test]
async fn nothing_leaves_where_nobody_listens_and_that_is_said() {
    let desk = Desk::with(vec![instance(Engine::MySql, "ID")]).await;
    let call = desk.call("rds", "ID", None, Begins::AtOnce).await;
    let base = desk.cloud.base_url();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent = format!("https://{}", silent.local_addr().expect("an address"));
    for (name, base, want) in [
        ("no TLS on the other side", base.replace("http:", "https:"), "tls"),
        ("no such name", "http://notafter.invalid:81".to_owned(), ""),
        ("TLS that never answers", silent, "within"),
        ("no address at all", "http://".to_owned(), ""),
    ] {
        let account = account(&base);
        let renewer = account.provider.renewer().expect("this cloud renews");
        let sent = renewer.renew(&scope("rds"), &call, None, &|| None).await;
        let Sent::NotSent { text } = &sent else { panic!("{name}: {sent:?}") };
        assert!(text.to_lowercase().contains(want) || want == "tls", "{name}: {text}");
    }
    desk.cloud.stop();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let sent = desk.send("rds", &call, None).await;
    let Sent::NotSent { text } = &sent else { panic!("refused: {sent:?}") };
    assert!(text.contains("refused"), "{text}");
    assert!(desk.arrived().is_empty());
}

#[tokio::test]
async fn our_own_pace_and_a_refused_key_hold_a_call_back() {
    let desk = Desk::with(vec![instance(Engine::MySql, "ID")]).await;
    let call = desk.call("rds", "ID", None, Begins::AtOnce).await;
    desk.spoil(&Fault::Throttle { retry_after_ms: Some(60_000) });
    assert_eq!(kind(&desk.send("rds", &call, None).await), Kind::Refused(Class::Retry));
    let began = Instant::now();
    assert_eq!(kind(&desk.send("rds", &call, None).await), Kind::NotSent, "a minute was asked for");
    assert!(began.elapsed() < TIMEOUT * 2, "nobody waits for a minute");
    assert_eq!(desk.arrived().len(), 1);

    let desk = Desk::with(vec![instance(Engine::MySql, "ID")]).await;
    let call = desk.call("rds", "ID", None, Begins::AtOnce).await;
    desk.cloud.modify(|fleet| fleet.accounts[0].keys[0].disabled = true);
    assert_eq!(kind(&desk.send("rds", &call, None).await), Kind::Refused(Class::Person));
    assert_eq!(kind(&desk.send("rds", &call, None).await), Kind::NotSent, "the key was refused");
    assert_eq!(desk.arrived().len(), 1);
}

/// Keys that cannot be had.
#[derive(Debug)]
struct NoKeys;

impl KeySource for NoKeys {
    fn keys(&self) -> BoxFuture<'_, Result<Arc<Keys>, CallError>> {
        let error = CallError::new(CallErrorKind::Timeout, "sts:AssumeRole", "no answer");
        Box::pin(std::future::ready(Err(error)))
    }

    fn refused(&self, _: &Keys) {}
}

#[tokio::test]
async fn without_keys_nothing_is_sent() {
    let desk = Desk::with(vec![instance(Engine::MySql, "ID")]).await;
    let call = desk.call("rds", "ID", None, Begins::AtOnce).await;
    let http = Http::new(TIMEOUT, 8, Clock::system(), Arc::new(Telemetry::new()));
    let route = Route { proxy: None, plain_http: true, only_loopback: true };
    let http = http.account(&"alibaba".into(), &"prod".into(), route, None).expect("a client");
    let templates = Templates { rds: Some(desk.cloud.base_url()), ..Templates::default() };
    let account = Alibaba::new(Api::new(http, Arc::new(NoKeys), templates), "prod".into(), None, false);
    let sent = Renewer::renew(&account, &scope("rds"), &call, None, &|| None).await;
    let Sent::NotSent { text } = &sent else { panic!("{sent:?}") };
    assert!(text.contains("sts:AssumeRole"), "{text}");
    assert!(desk.arrived().is_empty());
}
