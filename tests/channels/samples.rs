//! Messages to say.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use notafter::domain::alert::message::{
    By, CertificateFacts, CertificateItem, Fingerprint, Gone, Item, Kind, Message, News, Overview,
    RenewalNote, Severity, SourceItem, SourceNews,
};
use notafter::domain::finding::Stage;

use crate::support::now;
use crate::table::HOSTILE;

/// Every sort of message that a channel must be able to say, by name.
pub(crate) fn all() -> Vec<(&'static str, Message)> {
    vec![
        ("critical", critical()),
        ("mixed", mixed()),
        ("renewed", renewed()),
        ("blind", message(Kind::News, vec![blind("Forbidden.RAM: not authorized")])),
        ("digest", digest()),
        ("test", message(Kind::Test, Vec::new())),
    ]
}

/// One certificate, seven days before its end.
pub(crate) fn critical() -> Message {
    message(Kind::News, vec![entered(facts(1, "orders-redis", days(7)), Stage::Critical)])
}

/// So many certificates of one name, all critical.
pub(crate) fn many(count: u64, name: &str) -> Message {
    let items = (0..count).map(|number| entered(facts(number, name, days(6)), Stage::Critical));
    message(Kind::News, items.collect())
}

/// The hostile name where a name may stand, by sort.
pub(crate) fn hostile() -> Vec<(&'static str, Message)> {
    let name = format!("{HOSTILE} \n");
    let critical = |number| entered(facts(number, &name, days(6)), Stage::Critical);
    vec![
        ("alone", message(Kind::News, vec![critical(1)])),
        ("in a list", message(Kind::News, (0..10).map(critical).collect())),
        ("in an error", message(Kind::News, vec![blind(&name)])),
    ]
}

fn renewed() -> Message {
    let news = News::Renewed {
        old_not_after: days(5),
        old_serial: "0a1b2c".into(),
        by: By::External,
        stage: Stage::Ok,
        told: Stage::Critical,
    };
    message(Kind::News, vec![certificate(news, facts(1, "orders-redis", days(370)))])
}

/// Five hundred of every sort, the most urgent first.
fn mixed() -> Message {
    let name = |number: u64| format!("订单数据库-{}-{number}", "杭州可用区".repeat(1 + number as usize % 5));
    let mut items: Vec<_> = (0..500)
        .map(|number| match number % 5 {
            0 => entered(facts(number, &name(number), days(-1)), Stage::Expired),
            1 => entered(facts(number, &name(number), days(6)), Stage::Critical),
            2 => entered(facts(number, &name(number), days(13)), Stage::Warning),
            3 => {
                let news = News::Reminder { stage: Stage::Warning, since: now() - TimeDelta::days(3) };
                certificate(news, facts(number, &name(number), days(11)))
            }
            _ => {
                let news = News::Gone { how: Gone::NotListed, told: Stage::Critical };
                certificate(news, facts(number, &name(number), days(3)))
            }
        })
        .collect();
    items.sort_by_key(|item| std::cmp::Reverse(item.tone()));
    message(Kind::News, items)
}

fn digest() -> Message {
    let overview = Overview {
        stages: [(Stage::Ok, 41), (Stage::Warning, 2), (Stage::Critical, 1)].into(),
        services: [("redis".into(), 2), ("rds".into(), 1)].into(),
        blind: 1,
        planned: 0,
    };
    let reminder = News::Reminder { stage: Stage::Critical, since: now() - TimeDelta::days(1) };
    let items = vec![
        certificate(reminder, facts(1, "orders-redis", days(6))),
        entered(facts(2, "用户库", days(13)), Stage::Warning),
    ];
    Message { overview: Some(overview), ..message(Kind::Digest, items) }
}

fn blind(error: &str) -> Item {
    Item::Source(SourceItem {
        news: SourceNews::Blind {
            since: now() - TimeDelta::hours(2),
            severity: Severity::Warning,
            again: false,
        },
        provider: "alibaba".into(),
        account: "prod".into(),
        reason: "denied".into(),
        services: vec!["redis".into(), "rds".into()],
        regions: vec!["cn-hangzhou".into()],
        error: error.into(),
        last_success: Some(now() - TimeDelta::hours(3)),
        certificates: 37,
        worst: Stage::Warning,
    })
}

fn message(kind: Kind, items: Vec<Item>) -> Message {
    Message {
        id: "evt_01KAKX4D00C0FFEE0000000001".into(),
        channel: "under-test".into(),
        kind,
        route: "route 2".into(),
        at: now(),
        items,
        left_out: 0,
        overview: None,
    }
}

fn entered(facts: CertificateFacts, stage: Stage) -> Item {
    let since = now() - TimeDelta::minutes(2);
    certificate(News::Entered { stage, previous: Some(Stage::Info), since }, facts)
}

fn certificate(news: News, facts: CertificateFacts) -> Item {
    Item::Certificate(CertificateItem { news, facts })
}

fn days(days: i64) -> DateTime<Utc> {
    now() + TimeDelta::days(days)
}

fn facts(number: u64, name: &str, not_after: DateTime<Utc>) -> CertificateFacts {
    CertificateFacts {
        fingerprint: Fingerprint(0x9f86_d081_884c_0000 + number),
        provider: "alibaba".into(),
        account: "prod".into(),
        project: "".into(),
        region: "cn-hangzhou".into(),
        service: "redis".into(),
        resource_id: format!("r-bp{number:06}").into(),
        role: "server".into(),
        resource_name: name.into(),
        labels: BTreeMap::from([("team".into(), "dba".into())]),
        owner: Some("alice".into()),
        not_before: Some(not_after - TimeDelta::days(365)),
        not_after,
        serial: "0a1b2c3d".into(),
        sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        last_seen: now() - TimeDelta::minutes(5),
        stale: false,
        in_use: None,
        managed_by: Some("cloud".into()),
        console_url: Some("https://console.example.com/redis".into()),
        renewal: RenewalNote::Manual,
    }
}
