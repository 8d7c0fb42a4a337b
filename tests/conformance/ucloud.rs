//! Certificates of the load balancers of UCloud.

use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use notafter::daemon::poll::Account;
use notafter::domain::reason::Reason;
use notafter::domain::resource::TlsState;
use notafter::http::Http;
use notafter::sim::alibaba::{Fault, Where};
use notafter::sim::ucloud::{Block, Content, Date, Entry, Key, Relations, Token, UCloud};
use serde_json::{Value, json};

use crate::service::{Asker, BoxFuture, Call, Cloud, Condition, Handle, Place, Service, Spot, Truth};
use crate::support::ucloud::{Build, OTHER_REGION, PROJECT, REGION, SECRET, TOKEN, days, fleet};

/// A temporary key of account `prod`.
const TEMPORARY: &str = "STS.PLANTEDID4711";

const HOME: Place = Place { account: "prod", key: "prod+key/=@", project: PROJECT, region: REGION };

pub(crate) const ULB: Service = Service {
    name: "ucloud ulb",
    provider: "ucloud",
    label: "ulb",
    start,
    listing: Call { name: "DescribeSSLV2", right: "ulb:DescribeSSLV2" },
    detail: None,
    places: [
        HOME,
        Place { region: OTHER_REGION, ..HOME },
        Place { account: "other", key: "other+key/=@", project: "org-other", region: REGION },
    ],
    three_pages: 201,
    own_500: Reason::Unreachable,
    secrets: &[SECRET, TOKEN],
    echo,
    empty_page: r#"{"RetCode":0,"TotalCount":3,"DataSet":[]}"#,
    not_here: &[
        ("off", "an entry is a certificate by itself: there is no TLS that could be switched off"),
        (
            "unsupported",
            "an entry is a certificate by itself: a region without the product is an empty place",
        ),
        ("busy", "the cloud has no answer that says that a certificate is being changed"),
    ],
};

struct Ulb(UCloud);

fn start() -> BoxFuture<Handle> {
    Box::pin(async {
        let mut fleet = fleet();
        let token = Token { text: TOKEN.into(), expires: days(1) };
        fleet.accounts[0].keys.push(Key { token: Some(token), ..Key::new(TEMPORARY, SECRET) });
        let cloud = UCloud::start(fleet, Utc::now).await.expect("a free port");
        Arc::new(Ulb(cloud)) as Handle
    })
}

fn echo(text: &str) -> Fault {
    let body = json!({ "RetCode": 4111, "Message": text, "Action": text });
    let headers = vec![("x-ucloud-request-uuid".into(), text.replace('\n', " "))];
    Fault::Custom { status: 200, headers, body: body.to_string().into() }
}

fn place_of(spot: Spot) -> &'static Place {
    &ULB.places[spot as usize]
}

impl Cloud for Ulb {
    fn put(&self, spot: Spot, id: &str, condition: Condition) {
        let Place { account, project, region, .. } = *place_of(spot);
        match condition {
            Condition::On(ends) => {
                self.0.modify(|fleet| fleet.insert(Entry::new(id, account, project, region, ends)));
            }
            // What is not there when it is asked for is not listed either: it is one and the same call.
            Condition::Gone => self.remove(id),
            other => panic!("an entry cannot be {other:?}"),
        }
    }

    fn remove(&self, id: &str) {
        assert!(self.0.modify(|fleet| fleet.remove(id)).is_some(), "{id} is there");
    }

    fn vary(&self, count: usize) {
        for n in 0..count {
            let Place { account, project, region, .. } = *place_of(Spot::ALL[n % 3]);
            let ends = days(i64::try_from(n % 800).expect("small") - 100);
            let plain = Entry::new(&format!("ssl-{n:05}"), account, project, region, ends);
            self.0.modify(|fleet| fleet.insert(varied(n, plain)));
        }
    }

    fn short_pages(&self) {
        self.0.modify(|fleet| fleet.most_rows = 40);
    }

    fn inject(&self, fault: Fault, place: Where, times: Option<u32>) {
        self.0.inject(fault, place, times);
    }

    fn clear_faults(&self) {
        self.0.clear_faults();
    }

    fn withhold(&self, right: Option<&str>) {
        let denied = right.map(str::to_owned).into_iter().collect();
        self.0.modify(|fleet| fleet.accounts[0].keys[0].denied = denied);
    }

    fn used(&self, key: &str) -> usize {
        self.0.calls().iter().filter(|call| call.key_id == key).count()
    }

    fn truth(&self) -> Vec<Truth> {
        let all = self.0.expected().into_iter();
        all.map(|row| {
            let place = [&row.account, &row.project, &row.region, &row.id].map(ToString::to_string);
            Truth { place, state: TlsState::Enabled, ends: row.ends }
        })
        .collect()
    }

    fn account(&self, place: &Place, asker: Asker, http: &Http) -> Account {
        let public_key = if asker.temporary { TEMPORARY } else { place.key };
        let token = asker.temporary.then_some(TOKEN);
        let private_key = asker.wrong_secret.unwrap_or(SECRET);
        let build = Build::account(place.account);
        Build { public_key: public_key.into(), private_key, token, ..build }.build(&self.0.base_url(), http)
    }
}

/// Every shape of a bundle, every way to write a date.
fn varied(n: usize, plain: Entry) -> Entry {
    let ends = days(i64::try_from(n % 800).expect("small") - 100);
    let leaf = || Block::Leaf { host: "a.example".into(), begins: ends - TimeDelta::days(90), ends };
    let issuer = |years: i64| Block::Issuer { ends: ends + TimeDelta::days(365 * years) };
    let bundle = |blocks| Content::Bundle(blocks);
    let content = match n % 17 {
        0 => bundle(vec![leaf(), Block::Key("EC "), issuer(5), issuer(2), issuer(9)]),
        1 => bundle(vec![issuer(9), issuer(2), leaf(), Block::Key("")]),
        2 => bundle(vec![leaf()]),
        3 => bundle(vec![issuer(3)]),
        4 => bundle(vec![Block::Key("RSA "), leaf(), Block::Broken]),
        5 => bundle(vec![Block::Key("RSA "), Block::Broken, issuer(3)]),
        6 => Content::Untidy(vec![Block::Key("RSA "), leaf(), issuer(3)]),
        7 => Content::Text("".into()),
        8 => Content::Text("******".into()),
        9 => Content::Absent,
        10 => Content::Odd(Value::Null),
        11 => Content::Odd(json!(["-----BEGIN CERTIFICATE-----"])),
        12 => bundle(vec![Block::Key("RSA ")]),
        _ => plain.content.clone(),
    };
    let not_after = match n % 13 {
        0 => Date::Milliseconds(ends),
        1 => Date::AsText(ends),
        2 => Date::Odd(0.into()),
        3 => Date::Odd(Value::Null),
        4 => Date::Odd("next year".into()),
        5 => Date::Odd(json!(-1)),
        6 => Date::Absent,
        _ => Date::At(ends),
    };
    let relations = match n % 4 {
        0 => Relations::Null,
        1 => Relations::Absent,
        _ => return Entry { content, not_after, ..plain }.used_by("alb", "https"),
    };
    Entry { content, not_after, relations, ..plain }
}
