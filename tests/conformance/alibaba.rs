//! Redis, RDS and MongoDB of Alibaba Cloud.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use notafter::daemon::poll::Account;
use notafter::domain::identity::CertRole;
use notafter::domain::reason::Reason;
use notafter::http::Http;
use notafter::sim::alibaba::{
    AlibabaCloud, Engine, Expiry, Fault, Instance, Key, Rights, ServerCert, SslModel, Token, Where,
};
use serde_json::json;

use crate::service::{Asker, BoxFuture, Call, Cloud, Condition, Handle, Place, Service, Spot, Truth};
use crate::support::alibaba::{
    Build, OTHER_REGION, OTHER_UID, REGION, SECRET, TOKEN, UID, days, fleet, instance,
};

/// A temporary key of account `prod`.
const TEMPORARY: &str = "STS.PLANTEDID4711";

const HOME: Place = Place { account: "prod", key: "prod", project: "", region: REGION };
const PLACES: [Place; 3] =
    [HOME, Place { region: OTHER_REGION, ..HOME }, Place { account: "other", key: "other", ..HOME }];

pub(crate) const REDIS: Service = Service {
    name: "alibaba redis",
    provider: "alibaba",
    label: "redis",
    start: || start("redis", &[Engine::Redis, Engine::RedisCluster, Engine::Tair]),
    listing: Call { name: "DescribeInstances", right: "kvstore:DescribeInstances" },
    detail: Some(Call { name: "DescribeInstanceSSL", right: "kvstore:DescribeInstanceSSL" }),
    places: PLACES,
    three_pages: 101,
    own_500: Reason::Refused,
    secrets: &[SECRET, TOKEN],
    echo,
    empty_page: r#"{"RequestId":"R","TotalCount":3,"Instances":{"KVStoreInstance":[]}}"#,
    not_here: &[],
};

pub(crate) const RDS: Service = Service {
    name: "alibaba rds",
    label: "rds",
    start: || {
        let engines = [Engine::MySql, Engine::PostgreSql, Engine::SqlServer, Engine::MariaDb];
        start("rds", &engines)
    },
    listing: Call { name: "DescribeDBInstances", right: "rds:DescribeDBInstances" },
    detail: Some(Call { name: "DescribeDBInstanceSSL", right: "rds:DescribeDBInstanceSSL" }),
    three_pages: 201,
    empty_page: r#"{"RequestId":"R","TotalRecordCount":3,"Items":{"DBInstance":[]}}"#,
    ..REDIS
};

pub(crate) const MONGODB: Service = Service {
    name: "alibaba mongodb",
    label: "mongodb",
    start: || start("mongodb", &[Engine::MongoReplica, Engine::MongoSharded]),
    listing: Call { name: "DescribeDBInstances", right: "dds:DescribeDBInstances" },
    detail: Some(Call { name: "DescribeDBInstanceSSL", right: "dds:DescribeDBInstanceSSL" }),
    three_pages: 201,
    empty_page: r#"{"RequestId":"R","TotalCount":3,"DBInstances":{"DBInstance":[]}}"#,
    ..REDIS
};

struct Alibaba {
    cloud: AlibabaCloud,
    service: &'static str,
    engines: Vec<Engine>,
}

fn start(service: &'static str, engines: &[Engine]) -> BoxFuture<Handle> {
    let engines = engines.to_vec();
    Box::pin(async move {
        let mut fleet = fleet();
        let token = Token { text: TOKEN.into(), expires: days(1) };
        fleet.accounts[0].keys.push(Key { token: Some(token), ..Key::new(TEMPORARY, SECRET) });
        let cloud = AlibabaCloud::start(fleet, Utc::now).await.expect("a free port");
        Arc::new(Alibaba { cloud, service, engines }) as Handle
    })
}

fn echo(text: &str) -> Fault {
    let body = json!({"Code": format!("Odd.{text}"), "Message": text, "RequestId": text, "HostId": text});
    Fault::Custom { status: 400, headers: vec![], body: body.to_string().into() }
}

fn place_of(spot: Spot) -> (&'static str, &'static str) {
    match spot {
        Spot::Home => (UID, REGION),
        Spot::Elsewhere => (UID, OTHER_REGION),
        Spot::Other => (OTHER_UID, REGION),
    }
}

impl Alibaba {
    fn ssl(&self, condition: Condition) -> SslModel {
        match condition {
            Condition::On(ends) => SslModel::on(ends),
            Condition::Off => SslModel::Off { stale: Some(days(-5)) },
            Condition::Unsupported => SslModel::unsupported(self.engines[0]),
            Condition::Busy => SslModel::busy(),
            Condition::Gone => SslModel::gone(self.engines[0].product()),
        }
    }
}

impl Cloud for Alibaba {
    fn put(&self, spot: Spot, id: &str, condition: Condition) {
        let ssl = self.ssl(condition);
        if self.cloud.change(id, |instance| instance.ssl = ssl.clone()) {
            return;
        }
        let (account, region) = place_of(spot);
        let (account, region) = (account.into(), region.into());
        self.cloud.create(Instance { ssl, account, region, ..instance(self.engines[0], id) });
    }

    fn remove(&self, id: &str) {
        assert!(self.cloud.delete(id), "{id} is there");
    }

    fn vary(&self, count: usize) {
        for n in 0..count {
            let engine = self.engines[n % self.engines.len()];
            let (account, region) = place_of(Spot::ALL[n / self.engines.len() % 3]);
            let ends = days(i64::try_from(n % 800).expect("small") - 100);
            let mut instance = Instance::new(engine, &format!("i-{n:05}"), account, region, ends);
            instance.numbers_for_text = n.is_multiple_of(3);
            instance.custom_ca = n.is_multiple_of(41);
            // PostgreSQL shows the certificate itself; where the field is odd, that is where the date comes from.
            instance.server_cert = ServerCert::Absent;
            if engine != Engine::MariaDb {
                instance.ssl = varied(n, ends, &instance);
            }
            self.cloud.create(instance);
        }
    }

    /// The caller decides how long pages are.
    fn short_pages(&self) {}

    fn inject(&self, fault: Fault, place: Where, times: Option<u32>) {
        self.cloud.inject(fault, place, times);
    }

    fn clear_faults(&self) {
        self.cloud.clear_faults();
    }

    fn withhold(&self, right: Option<&str>) {
        let rights = right.map_or(Rights::Everything, |right| Rights::Except(vec![right.to_owned()]));
        self.cloud.modify(|fleet| fleet.accounts[0].keys[0].rights = rights);
    }

    fn used(&self, key: &str) -> usize {
        self.cloud.calls().iter().filter(|call| &*call.key_id == key).count()
    }

    fn truth(&self) -> Vec<Truth> {
        let all = self.cloud.expected().into_iter();
        all.map(|row| {
            let place = [&*row.account, "", &*row.region, &*row.id].map(str::to_owned);
            let ends = row.truth.expires.map(|end| (CertRole::Server, end));
            Truth { place, state: row.truth.state, ends: ends.into_iter().collect() }
        })
        .collect()
    }

    fn account(&self, place: &Place, asker: Asker, http: &Http) -> Account {
        let build = Build { services: vec![self.service], ..Build::account(place.account) };
        let key_id = if asker.temporary { TEMPORARY } else { place.key };
        let token = asker.temporary.then_some(TOKEN);
        let secret = asker.wrong_secret.unwrap_or(SECRET);
        Build { key_id, secret, token, ..build }.build(&self.cloud.base_url(), http)
    }
}

/// Every state, every way to write a date.
fn varied(n: usize, ends: DateTime<Utc>, instance: &Instance) -> SslModel {
    let written = |text: &str, means: Option<&str>| SslModel::On {
        expires: Expiry::Text { text: text.into(), means: means.and_then(|means| means.parse().ok()) },
    };
    match n % 29 {
        0 => SslModel::Off { stale: Some(ends) },
        1 => SslModel::Off { stale: None },
        2 => SslModel::unsupported(instance.engine),
        3 => SslModel::busy(),
        4 => SslModel::gone(instance.product()),
        5 => written("2027-03-04T05:06Z", Some("2027-03-04T05:06:00Z")),
        6 => written("2027-03-04T05:06:07.890+08:00", Some("2027-03-03T21:06:07.890Z")),
        7 => written("9999-12-31T23:59:59Z", Some("9999-12-31T23:59:59Z")),
        8 => written("0001-01-01T00:00:00Z", None),
        9 => written("-", None),
        10 => written("next year", None),
        11 => SslModel::On { expires: Expiry::Absent },
        12 => SslModel::On { expires: Expiry::Null },
        13 => SslModel::On { expires: Expiry::Number(1_795_910_400) },
        _ => SslModel::on(ends),
    }
}
