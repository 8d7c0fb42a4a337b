//! What is said of certificates, and what a Modify call does to them.

use chrono::{DateTime, TimeDelta, Utc};
use notafter::sim::alibaba::{
    Engine, Expiry, Instance, OnModify, PRIVATE_KEY_MARKER, Product, Refusal, ServerCert, SslModel,
    certificate,
};
use serde_json::{Value, json};

use crate::support::{Caller, days, fleet, instance, noon};

async fn with(instances: Vec<Instance>) -> Caller {
    let mut fleet = fleet();
    for instance in instances {
        fleet.insert(instance);
    }
    Caller::to(fleet).await
}

async fn describe(caller: &Caller, product: Product, id: &str) -> (u16, Value) {
    match product {
        Product::Redis => caller.call(product, "DescribeInstanceSSL", &[("InstanceId", id)]).await,
        _ => caller.call(product, "DescribeDBInstanceSSL", &[("DBInstanceId", id)]).await,
    }
}

#[tokio::test]
async fn each_engine_spells_on_off_and_the_end_in_its_own_way() {
    for (engine, field, on, off, expiry) in [
        (Engine::Redis, "SSLEnabled", "Enable", "Disable", "SSLExpiredTime"),
        (Engine::MySql, "SSLEnabled", "Yes", "No", "SSLExpireTime"),
        (Engine::SqlServer, "SSLEnabled", "Yes", "No", "SSLExpireTime"),
        (Engine::PostgreSql, "SSLEnabled", "on", "off", "SSLExpireTime"),
        (Engine::MongoReplica, "SSLStatus", "Open", "Closed", "SSLExpiredTime"),
        (Engine::MongoSharded, "SSLStatus", "Open", "Closed", "SSLExpiredTime"),
    ] {
        let stale = SslModel::Off { stale: Some(days(-9)) };
        let off_instance = Instance { ssl: stale, ..instance(engine, "i-off") };
        let caller = with(vec![instance(engine, "i-on"), off_instance]).await;
        let (_, json) = describe(&caller, engine.product(), "i-on").await;
        assert_eq!((&json[field], &json[expiry]), (&on.into(), &"2027-03-02T12:00:00Z".into()), "{engine:?}");
        let (_, json) = describe(&caller, engine.product(), "i-off").await;
        assert_eq!(
            (&json[field], &json[expiry]),
            (&off.into(), &"2026-11-13T12:00:00Z".into()),
            "{engine:?} off"
        );
    }
}

#[tokio::test]
async fn an_end_is_written_as_ordered() {
    for (name, expires, want) in [
        ("a dash", Expiry::unreadable("-"), json!("-")),
        (
            "without seconds",
            Expiry::Text { text: "2027-01-01T16:00Z".into(), means: Some(days(40)) },
            json!("2027-01-01T16:00Z"),
        ),
        ("a number", Expiry::Number(1_767_225_600), json!(1_767_225_600)),
        ("null", Expiry::Null, Value::Null),
    ] {
        let caller =
            with(vec![Instance { ssl: SslModel::On { expires }, ..instance(Engine::Redis, "r-1") }]).await;
        let (_, json) = describe(&caller, Product::Redis, "r-1").await;
        assert_eq!(json.get("SSLExpiredTime"), Some(&want), "{name}");
    }
    let absent = SslModel::On { expires: Expiry::Absent };
    let caller = with(vec![Instance { ssl: absent, ..instance(Engine::Redis, "r-1") }]).await;
    assert_eq!(describe(&caller, Product::Redis, "r-1").await.1.get("SSLExpiredTime"), None);
}

#[tokio::test]
async fn unsupported_busy_and_gone_are_errors_of_their_own() {
    for (name, engine, ssl, want) in [
        (
            "mariadb",
            Engine::MariaDb,
            SslModel::unsupported(Engine::MariaDb),
            (400, "InvaildEngineInRegion.ValueNotSupported"),
        ),
        ("busy", Engine::MySql, SslModel::busy(), (403, "IncorrectDBInstanceState")),
        ("gone", Engine::Redis, SslModel::gone(Product::Redis), (404, "InvalidInstanceId.NotFound")),
        (
            "any other",
            Engine::MySql,
            SslModel::Unsupported(Refusal::new(400, "Api.NotSupport")),
            (400, "Api.NotSupport"),
        ),
    ] {
        let caller = with(vec![Instance { ssl, ..instance(engine, "i-1") }]).await;
        let (status, json) = describe(&caller, engine.product(), "i-1").await;
        assert_eq!((status, &json["Code"]), (want.0, &want.1.into()), "{name}");
    }
}

#[tokio::test]
async fn numbers_come_where_the_model_says_text() {
    let mysql = Instance { numbers_for_text: true, ..instance(Engine::MySql, "rm-1") };
    let postgres =
        Instance { numbers_for_text: true, require_update: true, ..instance(Engine::PostgreSql, "pgm-1") };
    let caller = with(vec![mysql, postgres]).await;
    let (_, json) = describe(&caller, Product::Rds, "rm-1").await;
    assert_eq!((&json["ForceEncryption"], &json["TlsVersion"]), (&json!(1), &json!(1.1)));
    assert_eq!(describe(&caller, Product::Rds, "pgm-1").await.1["RequireUpdate"], 1);
}

#[tokio::test]
async fn postgresql_hands_out_a_certificate_of_the_same_dates_and_a_private_key() {
    let caller = with(vec![instance(Engine::PostgreSql, "pgm-1")]).await;
    let (_, json) = describe(&caller, Product::Rds, "pgm-1").await;
    let pem = x509_parser::pem::Pem::iter_from_buffer(json["ServerCert"].as_str().unwrap().as_bytes()).next();
    let pem = pem.unwrap().unwrap();
    assert_eq!(pem.parse_x509().unwrap().validity().not_after.timestamp(), days(100).timestamp());
    assert!(json["ServerKey"].as_str().unwrap().contains(PRIVATE_KEY_MARKER));
}

fn modify(product: Product) -> &'static str {
    if product == Product::Redis { "ModifyInstanceSSL" } else { "ModifyDBInstanceSSL" }
}

fn renewal(engine: Engine) -> Vec<(&'static str, &'static str)> {
    match engine {
        Engine::Redis => vec![("InstanceId", "i-1"), ("SSLEnabled", "Update")],
        Engine::MySql => rds("i-1.mysql.rds.aliyuncs.com", &[("SSLEnabled", "1"), ("CAType", "aliyun")]),
        Engine::PostgreSql => rds("i-1.pg.rds.aliyuncs.com", &[("SSLEnabled", "1"), ("CAType", "aliyun")]),
        Engine::SqlServer => rds("i-1.sqlserver.rds.aliyuncs.com", &[("SSLEnabled", "2")]),
        _ => vec![("DBInstanceId", "i-1"), ("SSLAction", "Update")],
    }
}

fn rds(host: &'static str, more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    [&[("DBInstanceId", "i-1"), ("ConnectionString", host)], more].concat()
}

fn end(caller: &Caller) -> Option<DateTime<Utc>> {
    caller.cloud.expected()[0].truth.expires
}

#[tokio::test]
async fn a_renewal_is_busy_for_a_while_and_gives_a_later_end() {
    for engine in [Engine::Redis, Engine::MySql, Engine::PostgreSql, Engine::SqlServer, Engine::MongoReplica]
    {
        let product = engine.product();
        let caller = with(vec![instance(engine, "i-1")]).await;
        caller.ok(product, modify(product), &renewal(engine)).await;
        let status = caller.cloud.modify(|fleet| fleet.get("i-1").unwrap().status.clone());
        assert_eq!(&*status, product.modifying(), "{engine:?}");
        let again = caller.err(product, modify(product), &renewal(engine)).await;
        assert_eq!(again, (403, "IncorrectDBInstanceState".into()), "{engine:?}");
        assert_eq!(end(&caller), Some(days(100)), "{engine:?} under way");
        caller.pass(TimeDelta::minutes(1));
        let (_, json) = describe(&caller, product, "i-1").await;
        let field = if product == Product::Rds { "SSLExpireTime" } else { "SSLExpiredTime" };
        assert_eq!(json[field], "2027-11-22T12:01:00Z", "{engine:?}");
        assert_eq!(end(&caller), Some(noon() + TimeDelta::minutes(1) + TimeDelta::days(365)), "{engine:?}");
    }
}

#[tokio::test]
async fn mongodb_is_not_described_while_modifying() {
    let caller = with(vec![instance(Engine::MongoSharded, "i-1")]).await;
    caller.ok(Product::MongoDb, modify(Product::MongoDb), &renewal(Engine::MongoSharded)).await;
    let (status, json) = describe(&caller, Product::MongoDb, "i-1").await;
    assert_eq!((status, &json["Code"]), (403, &"IncorrectDBInstanceState".into()));
}

#[tokio::test]
async fn mongodb_waits_for_its_window_if_asked() {
    let caller = with(vec![instance(Engine::MongoReplica, "i-1")]).await;
    let params = [renewal(Engine::MongoReplica), vec![("SwitchMode", "1")]].concat();
    caller.ok(Product::MongoDb, modify(Product::MongoDb), &params).await;
    caller.pass(TimeDelta::hours(5));
    assert_eq!((describe(&caller, Product::MongoDb, "i-1").await.0, end(&caller)), (200, Some(days(100))));
    caller.pass(TimeDelta::hours(1) + TimeDelta::minutes(1));
    assert_eq!(end(&caller), Some(days(365) + TimeDelta::hours(6) + TimeDelta::minutes(1)));
}

#[tokio::test]
async fn a_renewal_can_be_taken_and_come_to_nothing() {
    let fails = OnModify::FailsLater("no space left".into());
    let failing = Instance { on_modify: fails, ..instance(Engine::PostgreSql, "i-1") };
    let caller = with(vec![failing]).await;
    caller.ok(Product::Rds, modify(Product::Rds), &renewal(Engine::PostgreSql)).await;
    assert_eq!(describe(&caller, Product::Rds, "i-1").await.1["LastModifyStatus"], "setting");
    caller.pass(TimeDelta::minutes(1));
    let (_, json) = describe(&caller, Product::Rds, "i-1").await;
    assert_eq!(
        (&json["LastModifyStatus"], &json["ModifyStatusReason"]),
        (&"failed".into(), &"no space left".into())
    );
    assert_eq!(end(&caller), Some(days(100)));

    let caller = with(vec![instance(Engine::SqlServer, "i-1")]).await;
    let params = rds("i-1.sqlserver.rds.aliyuncs.com", &[("SSLEnabled", "1"), ("CAType", "aliyun")]);
    caller.ok(Product::Rds, modify(Product::Rds), &params).await;
    caller.pass(TimeDelta::minutes(1));
    assert_eq!(end(&caller), Some(days(100)), "SQL Server takes 1 and does nothing");
}

#[tokio::test]
async fn a_modify_call_is_refused_for_good_reasons() {
    let off = |engine| Instance { ssl: SslModel::Off { stale: None }, ..instance(engine, "i-1") };
    let locked = Instance { lock: "LockByExpiration".into(), ..instance(Engine::MySql, "i-1") };
    let unpaid = OnModify::Refuses(Refusal::new(403, "OrderStatus.UnPaid"));
    let unpaid = Instance { on_modify: unpaid, ..instance(Engine::MySql, "i-1") };
    let other_host = rds("elsewhere", &[("SSLEnabled", "1"), ("CAType", "aliyun")]);
    let no_kind = rds("i-1.mysql.rds.aliyuncs.com", &[("SSLEnabled", "1")]);
    let no_pair = rds("i-1.mysql.rds.aliyuncs.com", &[("SSLEnabled", "1"), ("CAType", "custom")]);
    for (name, instance, params, want) in [
        ("redis off", off(Engine::Redis), renewal(Engine::Redis), (400, "SSLDisableStateExistsFault")),
        ("mongodb off", off(Engine::MongoReplica), renewal(Engine::MongoReplica), (403, "SSLNotEnabled")),
        ("locked", locked, renewal(Engine::MySql), (403, "IncorrectDBInstanceLockMode")),
        ("unpaid", unpaid, renewal(Engine::MySql), (403, "OrderStatus.UnPaid")),
        (
            "mariadb",
            instance(Engine::MariaDb, "i-1"),
            renewal(Engine::MySql),
            (400, "InvaildEngineInRegion.ValueNotSupported"),
        ),
        ("another host", instance(Engine::MySql, "i-1"), other_host, (404, "Endpoint.NotFound")),
        ("no kind of certificate", instance(Engine::MySql, "i-1"), no_kind, (404, "InvalidCAType.NotFound")),
        (
            "custom without the pair",
            instance(Engine::MySql, "i-1"),
            no_pair,
            (400, "InvalidServerCertOrPrivateKey"),
        ),
    ] {
        let product = instance.product();
        let caller = with(vec![instance]).await;
        let refused = caller.err(product, modify(product), &params).await;
        assert_eq!(refused, (want.0, want.1.to_owned()), "{name}");
        assert!(caller.cloud.expected().len() == 1, "{name}");
    }
}

#[tokio::test]
async fn a_customers_certificate_is_replaced_by_the_clouds_unless_the_pair_is_sent() {
    let own = || Instance {
        custom_ca: true,
        server_cert: ServerCert::Absent,
        ..instance(Engine::PostgreSql, "i-1")
    };
    let caller = with(vec![own()]).await;
    assert_eq!(describe(&caller, Product::Rds, "i-1").await.1["CAType"], "custom");
    caller.ok(Product::Rds, modify(Product::Rds), &renewal(Engine::PostgreSql)).await;
    caller.pass(TimeDelta::minutes(1));
    assert_eq!(
        describe(&caller, Product::Rds, "i-1").await.1["CAType"],
        "aliyun",
        "the owner's certificate is lost"
    );

    let caller = with(vec![own()]).await;
    let cert = certificate("db.example.com", noon(), days(90));
    let key = "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n";
    let host = ("ConnectionString", "i-1.pg.rds.aliyuncs.com");
    let params = [
        ("DBInstanceId", "i-1"),
        host,
        ("SSLEnabled", "1"),
        ("CAType", "custom"),
        ("ServerCert", &cert),
        ("ServerKey", key),
    ];
    caller.ok(Product::Rds, modify(Product::Rds), &params).await;
    caller.pass(TimeDelta::minutes(1));
    let (_, json) = describe(&caller, Product::Rds, "i-1").await;
    assert_eq!((&json["CAType"], &json["ServerCert"]), (&"custom".into(), &cert.as_str().into()));
    assert_eq!(end(&caller), Some(days(90)));
}
