//! A fleet to look at: several accounts, every engine, names and tags as people choose them, and trouble of each
//! kind. The same seed and moment give the same fleet, with a hundred instances or a hundred thousand.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

pub(super) use self::dice::Dice;
pub(super) use self::tables::LEGACY;
use self::tables::{ENGINES, OWNERS, Owner, REGIONS, SUBJECTS, TEAMS};
use super::alibaba::{
    Account, Engine, Fleet, Instance, Key, Product, Refusal, Region, Renewal, Rights, SslModel, Text,
};

mod dice;
mod stories;
mod tables;

/// How many instances a demonstration has unless told otherwise.
pub const USUAL_SIZE: usize = 120;

/// A fleet of so many instances, as it stands at that moment.
pub fn believable(resources: usize, seed: u64, now: DateTime<Utc>) -> Fleet {
    let mut fleet = Fleet::new(regions());
    fleet.renewal = Renewal { takes: TimeDelta::seconds(20), life: TimeDelta::days(365) };
    fleet.accounts = OWNERS.iter().map(account).collect();
    let mut maker = Maker { dice: Dice(seed), now: now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now) };
    for instance in maker.stories().into_iter().take(resources) {
        fleet.insert(instance);
    }
    while fleet.len() < resources {
        let instance = maker.ordinary();
        fleet.insert(instance);
    }
    fleet
}

/// One more instance of one of the accounts that can be read.
pub(super) fn newcomer(seed: u64, now: DateTime<Utc>) -> Instance {
    let mut maker = Maker { dice: Dice(seed), now };
    let owner = &OWNERS[maker.dice.below(4)];
    let engine = maker.dice.weighted(&ENGINES);
    let end = maker.end(engine);
    maker.instance(owner, engine, end)
}

/// An account whose key lacks a permission, for `doctor` to name.
const NARROW: &str = "data-platform";

fn regions() -> Vec<Region> {
    let mut regions: Vec<_> = REGIONS.iter().map(|(id, zh, en, _)| Region::new(id, zh, en)).collect();
    if let Some(closed) = regions.last_mut() {
        closed.refuses = Some(Refusal::new(403, "RegionDissolvedEOM"));
    }
    regions
}

fn account(owner: &Owner) -> Account {
    let mut key = Key { disabled: owner.name == LEGACY, ..Key::new(owner.key_id, owner.key_secret) };
    if owner.name == NARROW {
        key.rights = Rights::Except(vec!["rds:ListTagResources".into()]);
    }
    Account { uid: owner.uid.into(), name: owner.name.into(), keys: vec![key] }
}

/// Makes instances one after the other.
struct Maker {
    dice: Dice,
    now: DateTime<Utc>,
}

impl Maker {
    /// Healthy most of the time.
    fn ordinary(&mut self) -> Instance {
        let shares = OWNERS.each_ref().map(|owner| (owner, owner.share));
        let owner = self.dice.weighted(&shares);
        let engine = self.dice.weighted(&ENGINES);
        let end = self.end(engine);
        let mut instance = self.instance(owner, engine, end);
        match self.dice.percent() {
            0..4 => instance.ssl = SslModel::Off { stale: None },
            4..8 => instance.ssl = SslModel::Off { stale: Some(end - TimeDelta::days(500)) },
            8..12 if engine.product() != Product::Rds => instance.ssl = SslModel::unsupported(engine),
            12..20 => instance.numbers_for_text = true,
            _ => {}
        }
        instance
    }

    /// Most ends are far away.
    fn end(&mut self, engine: Engine) -> DateTime<Utc> {
        let (from, to) = match self.dice.percent() {
            0 => (-20 * 24, -24),
            1 => (2, 24),
            2..4 => (24, 7 * 24),
            4..7 => (7 * 24, 14 * 24),
            7..11 => (14 * 24, 30 * 24),
            11..20 => (30 * 24, 90 * 24),
            20..30 if engine.product() == Product::Redis => (365 * 24, 3 * 365 * 24),
            _ => (90 * 24, 365 * 24),
        };
        let seconds = self.dice.between(from * 3600, to * 3600);
        self.now + TimeDelta::seconds(seconds)
    }

    fn instance(&mut self, owner: &Owner, engine: Engine, end: DateTime<Utc>) -> Instance {
        let (region, _, _, code) = REGIONS[owner.regions[self.dice.below(owner.regions.len())]];
        let id = format!("{}-{code}{}", id_prefix(engine), self.dice.letters(14));
        let (team, person) = TEAMS[self.dice.below(TEAMS.len())];
        let tags = [("env", owner.env), ("owner", person), ("team", team)];
        let tags: Vec<(Text, Text)> =
            tags.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Instance {
            name: self.name(engine).into(),
            tags,
            ..Instance::new(engine, &id, owner.uid, region, end)
        }
    }

    fn name(&mut self, engine: Engine) -> String {
        let (english, chinese) = SUBJECTS[self.dice.below(SUBJECTS.len())];
        let (suffix, kind) = match engine.product() {
            Product::Redis => ("redis", "缓存"),
            Product::MongoDb => ("mongo", "文档库"),
            Product::Rds => (rds_suffix(engine), "库"),
        };
        let number = self.dice.below(20) + 1;
        if self.dice.percent() < 40 {
            format!("{chinese}{kind}-{number}")
        } else {
            format!("{english}-{suffix}-{number}")
        }
    }
}

fn rds_suffix(engine: Engine) -> &'static str {
    match engine {
        Engine::PostgreSql => "pg",
        Engine::SqlServer => "mssql",
        Engine::MariaDb => "mariadb",
        _ => "mysql",
    }
}

fn id_prefix(engine: Engine) -> &'static str {
    match engine {
        Engine::Redis | Engine::RedisCluster | Engine::Tair => "r",
        Engine::PostgreSql => "pgm",
        Engine::MySql | Engine::SqlServer | Engine::MariaDb => "rm",
        Engine::MongoReplica | Engine::MongoSharded => "dds",
    }
}
