//! One message of each sort, always the same: a template is tried with them when it is read, `notafter notify test`
//! shows them, and each channel's golden bodies are made of them.
//!
//! The facts are invented; the moment of all of them is [`now`].

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::Setting;
use crate::domain::alert::message::{
    By, CertificateFacts, CertificateItem, ChannelItem, ChannelNews, Fingerprint, Gone, Item, Kind, Message,
    News, Overview, RenewalFailure, RenewalItem, RenewalNews, RenewalNote, Severity, SourceItem, SourceNews,
};
use crate::domain::finding::Stage;
use crate::domain::policy::Locale;
use crate::domain::renewal::method::Restarts;

/// A name that tries everything: to mention, to forge links, to close markup, to break the line.
pub const HOSTILE_NAME: &str =
    "<!channel> & </b> [x](http://e) *a* | <at id=all></at> \"q\" \\n\n`b` _c_ @all <@all> ~d~ \u{202e}e";

/// The event id of every sample.
pub const ID: &str = "evt_01JD9Z3K4M5N6P7Q8R9S0T1V2X";

/// 2026-11-22 00:00 UTC.
pub fn now() -> DateTime<Utc> {
    const SECONDS: i64 = 1_795_305_600;
    DateTime::from_timestamp(SECONDS, 0).expect("a date within range")
}

/// As a channel in China is set that has a status page.
pub fn setting(locale: Locale) -> Setting<'static> {
    Setting {
        now: now(),
        timezone: Tz::Asia__Shanghai,
        locale,
        external_url: Some("https://notafter.example.com/"),
        template: None,
        notes: &|_| None,
    }
}

/// One of each, by name.
pub fn all() -> Vec<(&'static str, Message)> {
    vec![
        ("one_critical", one_critical()),
        ("first_notice", first_notice()),
        ("hours", hours()),
        ("expired", expired()),
        ("reminder", reminder()),
        ("stale", stale()),
        ("planned", planned()),
        ("three", three()),
        ("five_mixed", five_mixed()),
        ("five_hundred", five_hundred()),
        ("renewed", renewed()),
        ("renewed_short", renewed_short()),
        ("changed", changed()),
        ("gone_not_listed", gone(Gone::NotListed)),
        ("gone_tls_off", gone(Gone::TlsOff)),
        ("gone_not_shown", gone(Gone::NotShown)),
        ("gone_not_watched", gone(Gone::NotWatched)),
        ("blind", blind()),
        ("blind_again", blind_again()),
        ("recovered", recovered()),
        ("recovered_unwatched", recovered_unwatched()),
        ("channel_failing", channel_failing()),
        ("channel_recovered", channel_recovered()),
        ("renewal_planned", renewal_planned()),
        ("renewal_asks", renewal_asks()),
        ("renewal_started", renewal_started()),
        ("renewal_held", renewal_held()),
        ("renewal_succeeded", renewal_succeeded()),
        ("renewal_refused", renewal_refused()),
        ("renewal_unknown", renewal_unknown()),
        ("renewals", renewals()),
        ("first", first()),
        ("digest", digest()),
        ("digest_fine", digest_fine()),
        ("test", test()),
        ("hostile", hostile_name()),
        ("hostile_renewal", hostile_renewal()),
    ]
}

/// A message of these items, on route 2.
pub fn message(items: Vec<Item>) -> Message {
    Message {
        id: ID.into(),
        channel: "dba".into(),
        kind: Kind::News,
        route: "route 2".into(),
        at: now(),
        items,
        left_out: 0,
        overview: None,
    }
}

/// A Redis instance whose server certificate ends in that time.
pub fn facts(name: &str, id: &str, left: TimeDelta) -> CertificateFacts {
    let not_after = now() + left;
    CertificateFacts {
        fingerprint: Fingerprint(0x9f86_d081_884c_7d65),
        provider: "alibaba".into(),
        account: "prod".into(),
        project: "".into(),
        region: "cn-hangzhou".into(),
        service: "redis".into(),
        resource_id: id.into(),
        role: "server".into(),
        resource_name: name.into(),
        labels: BTreeMap::from([("team".into(), "dba".into())]),
        owner: Some("alice".into()),
        not_before: Some(not_after - TimeDelta::days(365)),
        not_after,
        serial: "0a1b2c3d4e5f60718293a4b5".into(),
        sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        last_seen: now() - TimeDelta::minutes(5),
        stale: false,
        in_use: None,
        managed_by: Some("cloud".into()),
        console_url: Some(
            format!("https://kvstore.console.aliyun.com/Redis/instance/cn-hangzhou/{id}/setting/ssl").into(),
        ),
        renewal: RenewalNote::Manual,
    }
}

/// A load balancer's certificate at UCloud, in use, with no owner.
pub fn ulb(name: &str, id: &str, left: TimeDelta) -> CertificateFacts {
    CertificateFacts {
        provider: "ucloud".into(),
        account: "web".into(),
        project: "org-abc".into(),
        region: "cn-bj2".into(),
        service: "ulb".into(),
        labels: BTreeMap::new(),
        owner: None,
        in_use: Some(true),
        managed_by: Some("customer".into()),
        console_url: None,
        renewal: RenewalNote::NoApi,
        ..facts(name, id, left)
    }
}

/// The CA file of a DCS instance at Huawei Cloud.
pub fn dcs(name: &str, id: &str, left: TimeDelta) -> CertificateFacts {
    CertificateFacts {
        provider: "huawei".into(),
        account: "game".into(),
        project: "0a1b2c3d".into(),
        region: "cn-north-4".into(),
        service: "dcs".into(),
        role: "ca".into(),
        labels: BTreeMap::new(),
        owner: None,
        managed_by: None,
        console_url: None,
        renewal: RenewalNote::NoApi,
        ..facts(name, id, left)
    }
}

/// It entered a stage.
pub fn entered(stage: Stage, previous: Option<Stage>, facts: CertificateFacts) -> Item {
    let since = now() - TimeDelta::minutes(1);
    Item::Certificate(CertificateItem { news: News::Entered { stage, previous, since }, facts })
}

/// Seven days are left.
pub fn one_critical() -> Message {
    let facts = facts("订单库", "r-bp1zxszhcgatnx7b2c", TimeDelta::days(7));
    message(vec![entered(Stage::Critical, Some(Stage::Warning), facts)])
}

/// The first that is heard of it, and it has no name.
pub fn first_notice() -> Message {
    let facts = ulb("", "ssl-3xk2mdq1", TimeDelta::days(13));
    message(vec![entered(Stage::Warning, None, facts)])
}

/// Less than two days are left.
pub fn hours() -> Message {
    let facts = facts("orders-redis", "r-bp1zxszhcgatnx7b2c", TimeDelta::hours(30));
    message(vec![entered(Stage::Critical, Some(Stage::Warning), facts)])
}

/// It ended an hour and a half ago.
pub fn expired() -> Message {
    let facts = dcs("session-cache", "7f2c0c4e-1f4b-4d9e-9d8b", TimeDelta::minutes(-90));
    message(vec![entered(Stage::Expired, Some(Stage::Critical), facts)])
}

/// Told before, and nothing happened.
pub fn reminder() -> Message {
    let facts = facts("orders-redis", "r-bp1zxszhcgatnx7b2c", TimeDelta::days(5));
    let news = News::Reminder { stage: Stage::Critical, since: now() - TimeDelta::days(2) };
    message(vec![Item::Certificate(CertificateItem { news, facts })])
}

/// Nobody has read it for twelve hours.
pub fn stale() -> Message {
    let facts = CertificateFacts {
        last_seen: now() - TimeDelta::hours(12),
        stale: true,
        ..facts("orders-redis", "r-bp1zxszhcgatnx7b2c", TimeDelta::days(6))
    };
    message(vec![entered(Stage::Critical, Some(Stage::Warning), facts)])
}

/// It will be renewed by itself.
pub fn planned() -> Message {
    let facts = CertificateFacts {
        renewal: RenewalNote::Planned { at: now() + TimeDelta::hours(66) },
        ..facts("orders-redis", "r-bp1zxszhcgatnx7b2c", TimeDelta::days(13))
    };
    message(vec![entered(Stage::Warning, Some(Stage::Info), facts)])
}

/// Three of the same stage.
pub fn three() -> Message {
    message(vec![
        entered(
            Stage::Critical,
            Some(Stage::Warning),
            facts("订单库", "r-bp1zxszhcgatnx7b2c", TimeDelta::days(5)),
        ),
        entered(
            Stage::Critical,
            Some(Stage::Warning),
            dcs("session-cache", "7f2c0c4e-1f4b-4d9e-9d8b", TimeDelta::days(6)),
        ),
        entered(
            Stage::Critical,
            None,
            CertificateFacts {
                in_use: Some(false),
                ..ulb("old.example.com", "ssl-3xk2mdq1", TimeDelta::days(7))
            },
        ),
    ])
}

/// Of everything something.
pub fn five_mixed() -> Message {
    let mut items = vec![
        entered(
            Stage::Expired,
            Some(Stage::Critical),
            dcs("session-cache", "7f2c0c4e-1f4b-4d9e-9d8b", TimeDelta::days(-3)),
        ),
        entered(
            Stage::Critical,
            Some(Stage::Warning),
            facts("订单库", "r-bp1zxszhcgatnx7b2c", TimeDelta::days(7)),
        ),
    ];
    items.extend(planned().items);
    items.extend(blind().items);
    items.extend(renewed().items);
    message(items)
}

/// So many that no chat shows them all; twelve more were left out.
pub fn five_hundred() -> Message {
    let stages = |at: i64| match at {
        0..20 => (Stage::Expired, TimeDelta::hours(-at - 1)),
        20..120 => (Stage::Critical, TimeDelta::minutes(at * 80)),
        120..300 => (Stage::Warning, TimeDelta::minutes(at * 67)),
        _ => (Stage::Info, TimeDelta::minutes(at * 86)),
    };
    let item = |at: i64| {
        let (stage, left) = stages(at);
        let facts = match at % 5 {
            0 => ulb(&format!("www-{at}.example.com"), &format!("ssl-{at:08x}"), left),
            1 => dcs(&format!("缓存-{at}"), &format!("7f2c0c4e-{at:04x}-4d9e"), left),
            _ => facts(&format!("订单库-{at}"), &format!("r-bp1{at:012x}"), left),
        };
        let fingerprint = Fingerprint(at.unsigned_abs());
        entered(stage, None, CertificateFacts { fingerprint, ..facts })
    };
    Message { left_out: 12, ..message((0..500).map(item).collect()) }
}

/// A year longer, done by this daemon.
pub fn renewed() -> Message {
    renewed_until(TimeDelta::days(372), Stage::Ok, By::Notafter)
}

/// Renewed by somebody, for five days only.
pub fn renewed_short() -> Message {
    renewed_until(TimeDelta::days(5), Stage::Critical, By::External)
}

fn renewed_until(left: TimeDelta, stage: Stage, by: By) -> Message {
    let news = News::Renewed {
        old_not_after: now() + TimeDelta::days(3),
        old_serial: "00ff2c3d4e5f60718293a4b5".into(),
        by,
        stage,
        told: Stage::Critical,
    };
    let facts = facts("orders-redis", "r-bp1zxszhcgatnx7b2c", left);
    message(vec![Item::Certificate(CertificateItem { news, facts })])
}

/// An older certificate was put back.
pub fn changed() -> Message {
    let news = News::Changed {
        old_not_after: now() + TimeDelta::days(200),
        old_serial: "00ff2c3d4e5f60718293a4b5".into(),
        stage: Stage::Info,
    };
    let facts = ulb("www.example.com", "ssl-3xk2mdq1", TimeDelta::days(20));
    message(vec![Item::Certificate(CertificateItem { news, facts })])
}

/// No longer there.
pub fn gone(how: Gone) -> Message {
    let facts = facts("orders-redis", "r-bp1zxszhcgatnx7b2c", TimeDelta::days(4));
    let news = News::Gone { how, told: Stage::Critical };
    message(vec![Item::Certificate(CertificateItem { news, facts })])
}

/// A key lost a permission.
pub fn blind() -> Message {
    let since = now() - TimeDelta::hours(3);
    blind_as(SourceNews::Blind { since, severity: Severity::Warning, again: false })
}

/// It still has not got it back.
pub fn blind_again() -> Message {
    let since = now() - TimeDelta::days(3);
    blind_as(SourceNews::Blind { since, severity: Severity::Critical, again: true })
}

fn blind_as(news: SourceNews) -> Message {
    message(vec![Item::Source(SourceItem {
        news,
        provider: "alibaba".into(),
        account: "prod".into(),
        reason: "denied".into(),
        services: vec!["redis".into(), "rds".into()],
        regions: vec!["cn-hangzhou".into(), "cn-shanghai".into()],
        error: "rds:DescribeDBInstanceSSL: denied (Forbidden.RAM, request 7F2A4C1B): User not authorized to \
                operate on the specified resource."
            .into(),
        last_success: Some(now() - TimeDelta::hours(4)),
        certificates: 12,
        worst: Stage::Critical,
    })])
}

/// It has.
pub fn recovered() -> Message {
    let (since, until) = (now() - TimeDelta::hours(5), now() - TimeDelta::minutes(2));
    blind_as(SourceNews::Recovered { since, until, unwatched: false })
}

/// It was taken out of the configuration instead.
pub fn recovered_unwatched() -> Message {
    let (since, until) = (now() - TimeDelta::days(3), now() - TimeDelta::minutes(2));
    blind_as(SourceNews::Recovered { since, until, unwatched: true })
}

/// Another channel does not deliver.
pub fn channel_failing() -> Message {
    let news = ChannelNews::Failing {
        since: now() - TimeDelta::minutes(20),
        failures: 5,
        error: "HTTP 404: no_service".into(),
        queued: 3,
    };
    message(vec![Item::Channel(ChannelItem { channel: "ops-slack".into(), news })])
}

/// It delivers again.
pub fn channel_recovered() -> Message {
    let news = ChannelNews::Recovered { since: now() - TimeDelta::hours(2), delayed: 3 };
    message(vec![Item::Channel(ChannelItem { channel: "ops-slack".into(), news })])
}

/// A renewal of this certificate, as its rule allows it.
pub fn renewal(news: RenewalNews, facts: CertificateFacts) -> RenewalItem {
    RenewalItem {
        news,
        facts,
        attempt: "ren_3f9a1c0b7d2e4856".into(),
        who: "rule".into(),
        rule: "cloud_service=\"redis\"".into(),
        call: "ModifyInstanceSSL".into(),
        restarts: Restarts::Yes,
        link: Some("https://notafter.example.com/renewals/ren_3f9a1c0b7d2e4856".into()),
    }
}

fn about_renewal(item: RenewalItem) -> Message {
    message(vec![Item::Renewal(item)])
}

fn renewed_soon() -> CertificateFacts {
    facts("订单库", "r-bp1zxszhcgatnx7b2c", TimeDelta::days(13))
}

fn announced(hours: i64, asks: bool, missed: Option<DateTime<Utc>>) -> RenewalNews {
    let from = now() + TimeDelta::hours(hours);
    RenewalNews::Planned { from, until: from + TimeDelta::hours(4), asks, missed }
}

/// It will be made by itself.
pub fn renewal_planned() -> Message {
    about_renewal(renewal(announced(66, false, None), renewed_soon()))
}

/// Somebody has to say yes, and missed the first time. Nobody knows for sure whether the call restarts the instance.
pub fn renewal_asks() -> Message {
    let missed = Some(now() - TimeDelta::hours(26));
    let facts = CertificateFacts { service: "rds".into(), ..renewed_soon() };
    about_renewal(RenewalItem {
        rule: "cloud_service=\"rds\"".into(),
        call: "ModifyDBInstanceSSL".into(),
        restarts: Restarts::Unknown,
        ..renewal(announced(66, true, missed), facts)
    })
}

/// The call is being made, as a person ordered.
pub fn renewal_started() -> Message {
    let news = RenewalNews::Started { expected_by: now() + TimeDelta::minutes(40) };
    about_renewal(RenewalItem { who: "alice".into(), ..renewal(news, renewed_soon()) })
}

/// A hook said no.
pub fn renewal_held() -> Message {
    let text = "the program before it ended with 1: replication is 340 s behind".into();
    about_renewal(renewal(RenewalNews::Held { text }, renewed_soon()))
}

/// A later end was read.
pub fn renewal_succeeded() -> Message {
    let new_not_after = now() + TimeDelta::days(365);
    about_renewal(renewal(RenewalNews::Succeeded { new_not_after }, renewed_soon()))
}

/// An order of the customer's stands in its way.
pub fn renewal_refused() -> Message {
    about_renewal(renewal(
        RenewalNews::Failed {
            how: RenewalFailure::RefusedForAPerson,
            code: "OrderStatus.UnPaid".into(),
            request_id: "7F2A4C1B-1F4B-4D9E-9D8B".into(),
            text: "The instance has an unpaid order.".into(),
            stops: false,
        },
        renewed_soon(),
    ))
}

/// No answer came, for the third time in a row.
pub fn renewal_unknown() -> Message {
    about_renewal(renewal(
        RenewalNews::Failed {
            how: RenewalFailure::Unknown,
            code: "".into(),
            request_id: "".into(),
            text: "".into(),
            stops: true,
        },
        renewed_soon(),
    ))
}

/// One in each state, beside a certificate.
pub fn renewals() -> Message {
    let all = [renewal_unknown(), one_critical(), renewal_held(), renewal_asks(), renewal_planned()];
    let rest = [renewal_started(), renewal_succeeded()];
    message(all.into_iter().chain(rest).flat_map(|message| message.items).collect())
}

/// The first message that a channel gets.
pub fn first() -> Message {
    Message { kind: Kind::First, overview: Some(overview()), ..five_mixed() }
}

/// The one that comes at a fixed time.
pub fn digest() -> Message {
    let mut items = reminder().items;
    items.extend(planned().items);
    items.extend(blind_again().items);
    Message { kind: Kind::Digest, overview: Some(overview()), ..message(items) }
}

/// The same on a good day.
pub fn digest_fine() -> Message {
    let overview = Overview { stages: BTreeMap::from([(Stage::Ok, 1234)]), ..Overview::default() };
    Message { kind: Kind::Digest, overview: Some(overview), ..message(Vec::new()) }
}

/// A person wants to see whether it arrives.
pub fn test() -> Message {
    Message { kind: Kind::Test, route: "".into(), ..message(Vec::new()) }
}

/// A resource, and its owner, with names that try everything.
pub fn hostile_name() -> Message {
    let facts = CertificateFacts {
        owner: Some(HOSTILE_NAME.into()),
        ..facts(HOSTILE_NAME, "r-bp1zxszhcgatnx7b2c", TimeDelta::days(7))
    };
    message(vec![entered(Stage::Critical, Some(Stage::Warning), facts)])
}

/// The same where other texts of a renewal may stand.
pub fn hostile_renewal() -> Message {
    let facts = facts(HOSTILE_NAME, "r-bp1zxszhcgatnx7b2c", TimeDelta::days(7));
    let news = RenewalNews::Failed {
        how: RenewalFailure::RefusedForAPerson,
        code: HOSTILE_NAME.into(),
        request_id: HOSTILE_NAME.into(),
        text: HOSTILE_NAME.into(),
        stops: false,
    };
    let [who, rule, call] = [HOSTILE_NAME; 3].map(Into::into);
    about_renewal(RenewalItem { who, rule, call, ..renewal(news, facts) })
}

fn overview() -> Overview {
    let stages = [
        (Stage::Ok, 1177),
        (Stage::Info, 40),
        (Stage::Warning, 12),
        (Stage::Critical, 3),
        (Stage::Expired, 2),
    ];
    Overview {
        stages: BTreeMap::from(stages),
        services: BTreeMap::from([("redis".into(), 30), ("rds".into(), 20), ("ulb".into(), 7)]),
        blind: 4,
        planned: 2,
    }
}
