//! Distributed caches of Huawei Cloud.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use notafter::daemon::poll::Account;
use notafter::domain::identity::CertRole;
use notafter::domain::reason::Reason;
use notafter::http::Http;
use notafter::provider::huawei::Rhythm;
use notafter::sim::huawei::{
    Download, Expiry, Fault, HuaweiCloud, Instance, Key, Link, Rights, Ssl, Token, Where,
};
use serde_json::json;

use crate::service::{Asker, BoxFuture, Call, Cloud, Condition, Handle, Place, Service, Spot, Truth};
use crate::support::huawei::{
    AK, Build, ELSEWHERE, OTHER_PROJECT, OTHER_REGION, PROJECT, REGION, SECRET, TOKEN, days, fleet, instance,
    whole_days,
};

/// A temporary key of account `prod`.
const TEMPORARY: &str = "PLANTEDTEMPORARYAK4711";

const HOME: Place = Place { account: "prod", key: AK, project: PROJECT, region: REGION };

pub(crate) const DCS: Service = Service {
    name: "huawei dcs",
    provider: "huawei",
    label: "dcs",
    start,
    listing: Call { name: "ListInstances", right: "dcs:instance:list" },
    detail: Some(Call { name: "ShowInstanceSslDetail", right: "dcs:ssl:get" }),
    places: [
        HOME,
        Place { project: ELSEWHERE, region: OTHER_REGION, ..HOME },
        Place { account: "other", key: "OTHERAK", project: OTHER_PROJECT, region: REGION },
    ],
    three_pages: 121,
    own_500: Reason::Refused,
    secrets: &[SECRET, TOKEN],
    echo,
    empty_page: r#"{"instance_num":3,"instances":[]}"#,
    not_here: &[],
};

struct Dcs(HuaweiCloud);

fn start() -> BoxFuture<Handle> {
    Box::pin(async {
        let mut fleet = fleet();
        let token = Token { text: TOKEN.into(), expires: days(1) };
        fleet.accounts[0].keys.push(Key { token: Some(token), ..Key::new(TEMPORARY, SECRET) });
        let cloud = HuaweiCloud::start(fleet, Utc::now).await.expect("a free port");
        Arc::new(Dcs(cloud)) as Handle
    })
}

fn echo(text: &str) -> Fault {
    let body = json!({"error_code": format!("DCS.{text}"), "error_msg": text, "request_id": text});
    let headers = vec![("x-request-id".into(), text.replace('\n', " "))];
    Fault::Custom { status: 400, headers, body: body.to_string().into() }
}

impl Cloud for Dcs {
    fn put(&self, spot: Spot, id: &str, condition: Condition) {
        let ssl = match condition {
            Condition::On(ends) => Ssl::On(Expiry::At(ends)),
            Condition::Off => Ssl::Off,
            Condition::Unsupported => Ssl::Unsupported,
            Condition::Busy => Ssl::Busy,
            Condition::Gone => Ssl::Gone,
        };
        if self.0.change(id, |instance| instance.ssl = ssl.clone()) {
            return;
        }
        let project = DCS.places[spot as usize].project.into();
        self.0.modify(|fleet| fleet.insert(Instance { ssl, project, ..instance(id) }));
    }

    fn remove(&self, id: &str) {
        assert!(self.0.modify(|fleet| fleet.remove(id)).is_some(), "{id} is there");
    }

    fn vary(&self, count: usize) {
        for n in 0..count {
            let project = DCS.places[Spot::ALL[n % 3] as usize].project;
            let left = i64::try_from(n % 800).expect("small") - 100;
            let ends = days(left) - TimeDelta::milliseconds(i64::from(n.is_multiple_of(2)));
            let mut instance = Instance::new(&format!("i-{n:05}"), project, ends, whole_days(left + 900));
            instance.loose_types = n.is_multiple_of(3);
            varied(&mut instance, n);
            self.0.modify(|fleet| fleet.insert(instance));
        }
    }

    fn short_pages(&self) {
        self.0.modify(|fleet| fleet.page_cap = Some(50));
    }

    fn inject(&self, fault: Fault, place: Where, times: Option<u32>) {
        self.0.inject(fault, place, times);
    }

    fn clear_faults(&self) {
        self.0.clear_faults();
    }

    fn withhold(&self, right: Option<&str>) {
        let rights = right.map_or(Rights::Everything, |right| Rights::Except(vec![right.to_owned()]));
        self.0.modify(|fleet| fleet.accounts[0].keys[0].rights = rights);
    }

    fn used(&self, key: &str) -> usize {
        self.0.calls().iter().filter(|call| &*call.key_id == key).count()
    }

    fn truth(&self) -> Vec<Truth> {
        let all: Vec<Instance> = self.0.modify(|fleet| fleet.instances().cloned().collect());
        let seen = all.iter().filter(|instance| instance.ssl != Ssl::Gone);
        seen.map(|instance| {
            let truth = instance.truth();
            let place = DCS.places.iter().find(|place| *place.project == *instance.project).expect("a place");
            let place = [place.account, place.project, place.region, &instance.id].map(str::to_owned);
            let ends = [(CertRole::Server, truth.server), (CertRole::Ca, truth.ca)];
            let ends = ends.into_iter().filter_map(|(role, end)| Some((role, end?)));
            Truth { place, state: truth.state, ends: ends.collect() }
        })
        .collect()
    }

    fn account(&self, place: &Place, asker: Asker, http: &Http) -> Account {
        let key_id = if asker.temporary { TEMPORARY } else { place.key };
        let token = asker.temporary.then_some(TOKEN);
        let secret = asker.wrong_secret.unwrap_or(SECRET);
        // A busy machine may be too slow for a download, and the next try must not wait for an hour.
        let rhythm = Rhythm { failed: Duration::from_millis(300), ..Rhythm::default() };
        Build { key_id, secret, token, rhythm, ..Build::account(place.account) }.build(&self.0, http)
    }
}

/// Every state, every way to write a date.
fn varied(instance: &mut Instance, n: usize) {
    let text = |text: &str, means: Option<&str>| {
        let means = means.map(|means| means.parse().expect("a date"));
        Ssl::On(Expiry::Text { text: text.into(), means })
    };
    match n % 29 {
        0 => instance.ssl = Ssl::Off,
        1 => instance.ssl = Ssl::OffInJson,
        2 => instance.ssl = Ssl::Unsupported,
        3 => instance.ssl = Ssl::Busy,
        4 => instance.ssl = Ssl::Gone,
        5 => instance.ssl = text("2027-03-04T13:06:07.890+0800", Some("2027-03-04T05:06:07.890Z")),
        6 => instance.ssl = text("2027-03-04T05:06:07", None),
        7 => instance.ssl = text("9999-12-31T23:59:59.999Z", Some("9999-12-31T23:59:59.999Z")),
        8 => instance.ssl = text("next year", None),
        9 => instance.ssl = Ssl::On(Expiry::Absent),
        10 => instance.ssl = Ssl::On(Expiry::Null),
        11 => instance.supports_ssl = Some(false),
        12 => instance.supports_ssl = None,
        13 => instance.download = Download::Bytes(Bytes::from_static(b"nothing in it")),
        14 => instance.link = Link::Absent,
        _ => {}
    }
}
