//! A Huawei account to look at: two regions, a sub-project, and one of each kind of trouble.

use bytes::Bytes;
use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use super::model::{Account, Download, Fleet, Instance, Link, Project, Ssl};
use crate::domain::hash::stable_hash;
use crate::sim::alibaba::{Expiry, Key, Rights};

/// AK and SK of the account, whose name is `huawei-prod`.
const KEY: (&str, &str) = ("HPUADEMOHUAWEIPROD01", "demo-secret-of-huawei-prod");
/// AK and SK of the account that may not download: `huawei-audit`.
const READ_ONLY: (&str, &str) = ("HPUADEMOHUAWEIREAD01", "demo-secret-of-huawei-audit");

const NORTH: &str = "0b1c2d3e4f50617283940a1b2c3d4e01";
const TEAM: &str = "0b1c2d3e4f50617283940a1b2c3d4e02";
const SINGAPORE: &str = "0b1c2d3e4f50617283940a1b2c3d4e03";
const AUDIT: &str = "0b1c2d3e4f50617283940a1b2c3d4e04";

const NAMES: [&str; 8] = [
    "会话缓存",
    "订单缓存",
    "search-cache",
    "coupons-cache",
    "风控缓存",
    "feed-cache",
    "cart-cache",
    "登录缓存",
];

/// So many instances, as they stand at that moment; the same number and moment give the same fleet.
pub fn believable(resources: usize, now: DateTime<Utc>) -> Fleet {
    let now = now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
    let mut fleet = Fleet::default();
    (fleet.accounts, fleet.projects) = (accounts(), projects());
    for number in 0..resources {
        fleet.insert(instance(number, now));
    }
    fleet
}

fn accounts() -> Vec<Account> {
    let account =
        |id: &str, name: &str, key: Key| Account { id: id.into(), name: name.into(), keys: vec![key] };
    let read_only = Rights::Except(vec!["dcs:ssl:modify".into()]);
    vec![
        account("demo-account-1", "huawei-prod", Key::new(KEY.0, KEY.1)),
        account(
            "demo-account-2",
            "huawei-audit",
            Key { rights: read_only, ..Key::new(READ_ONLY.0, READ_ONLY.1) },
        ),
    ]
}

fn projects() -> Vec<Project> {
    let north = Project::new(NORTH, "cn-north-4", "demo-account-1");
    let team = north.part(TEAM, "risk");
    let singapore = Project::new(SINGAPORE, "ap-southeast-3", "demo-account-1");
    vec![north, team, singapore, Project::new(AUDIT, "cn-north-4", "demo-account-2")]
}

/// The first of them are the stories, the others healthy most of the time.
fn instance(number: usize, now: DateTime<Utc>) -> Instance {
    let lot = stable_hash(["huawei", &number.to_string()]);
    let project = [NORTH, SINGAPORE, TEAM, AUDIT][number % 4];
    let days = |days: u64| now + TimeDelta::days(days.cast_signed());
    let ca = days(1500 + lot % 2000) + TimeDelta::hours(3);
    let ends = days(40 + lot % 325) + TimeDelta::milliseconds(669);
    let id = format!("{:08x}-d5a3-4bc0-b6d6-{:012x}", lot >> 32, lot & 0xffff_ffff_ffff);
    let mut instance = Instance::new(&id, project, ends, ca);
    let name = NAMES[number % NAMES.len()];
    instance.name = format!("{name}-{}", number / NAMES.len() + 1).into();
    instance.tags = vec![("env".into(), "prod".into()), ("owner".into(), "sre".into())];
    instance.loose_types = lot.is_multiple_of(5);
    trouble(&mut instance, number, now);
    instance
}

fn trouble(instance: &mut Instance, number: usize, now: DateTime<Utc>) {
    let ending = |days: i64| Ssl::On(Expiry::At(now + TimeDelta::days(days) + TimeDelta::milliseconds(669)));
    match number {
        0 => instance.ssl = ending(-1),
        1 => (instance.ssl, instance.validated) = (ending(4), Some(false)),
        2 => instance.download = Download::Ca(now + TimeDelta::days(12)),
        3 => instance.ssl = ending(9),
        4 => instance.ssl = Ssl::Off,
        5 => (instance.supports_ssl, instance.version) = (Some(false), "5.0".into()),
        6 => instance.download = Download::Bytes(Bytes::from_static(b"PK\x03\x04 and nothing else")),
        7 => instance.ssl = ending(25),
        9 => instance.link = Link::Text("https://169.254.169.254/latest/meta-data".to_owned()),
        10 => instance.ssl = Ssl::On(Expiry::Absent),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_moment_makes_the_same_fleet_of_any_size() {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        for size in [0, 1, 15, 1000] {
            let (one, other) = (believable(size, now), believable(size, now));
            assert!(one.instances().eq(other.instances()), "{size}");
            assert_eq!(one.len(), size, "no two have the same id");
        }
        let ends =
            believable(15, now).instances().filter(|instance| instance.truth().server.is_some()).count();
        assert!(ends > 8, "most of them have an end to look at: {ends}");
    }
}
