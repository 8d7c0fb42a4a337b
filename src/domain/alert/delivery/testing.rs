//! Messages for tests, with everything unimportant filled in.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::alert::message::{
    CertificateFacts, CertificateItem, Fingerprint, Item, Kind, Message, News, RenewalItem, RenewalNews,
    RenewalNote,
};
use crate::domain::finding::Stage;
use crate::domain::renewal::method::Restarts;
use crate::domain::testing::moment;

pub(crate) fn facts(id: &str, not_after: DateTime<Utc>) -> CertificateFacts {
    CertificateFacts {
        fingerprint: Fingerprint(id.bytes().map(u64::from).sum()),
        provider: "alibaba".into(),
        account: "prod".into(),
        project: "".into(),
        region: "cn-hangzhou".into(),
        service: "redis".into(),
        resource_id: id.into(),
        role: "server".into(),
        resource_name: "old name".into(),
        labels: [].into(),
        owner: None,
        not_before: None,
        not_after,
        serial: "".into(),
        sha256: "".into(),
        last_seen: moment() - TimeDelta::days(3),
        stale: true,
        in_use: None,
        managed_by: None,
        console_url: None,
        renewal: RenewalNote::Manual,
    }
}

pub(crate) fn entered(stage: Stage, previous: Option<Stage>) -> News {
    News::Entered { stage, previous, since: moment() }
}

pub(crate) fn item(id: &str, days: i64, news: News) -> Item {
    Item::Certificate(CertificateItem { news, facts: facts(id, moment() + TimeDelta::days(days)) })
}

pub(crate) fn renewal(id: &str, days: i64, news: RenewalNews) -> Item {
    Item::Renewal(RenewalItem {
        news,
        facts: facts(id, moment() + TimeDelta::days(days)),
        attempt: format!("ren_{id}").into(),
        who: "rule".into(),
        rule: "".into(),
        call: "ModifyInstanceSSL".into(),
        restarts: Restarts::Yes,
        link: None,
    })
}

pub(crate) fn message(items: Vec<Item>) -> Message {
    Message {
        id: "evt_1".into(),
        channel: "a".into(),
        kind: Kind::News,
        route: "route 1".into(),
        at: moment(),
        items,
        left_out: 0,
        overview: None,
    }
}
