//! UCloud in the demonstration: certificates as a company has them, trouble of each kind, and life in them.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use super::{Account, Block, Content, Date, Entry, Fleet, Key, Project, Region, Relations, Text, UCloud};
use crate::domain::hash::stable_hash;
use crate::sim::demo::{Simulated, quoted, rate};
use crate::sim::fleet::Dice;

const ACCOUNT: &str = "edge";
const PROJECTS: [(&str, &str); 2] = [("org-shop01", "商城"), ("org-media1", "media")];
/// The last one is not open to the account, which is no error.
const REGIONS: [(&str, &str); 4] = [
    ("cn-bj2", "华北（北京2）"),
    ("cn-sh2", "华东（上海2）"),
    ("hk", "中国香港"),
    ("ge-fra", "德国（法兰克福）"),
];
const SITES: [&str; 8] = ["www", "api", "img", "pay", "login", "cdn", "m", "open"];
/// So many certificates that nobody uses are left to look at.
const LEFTOVERS: usize = 4;

/// A fleet of so many certificates, as it stands at that moment. The same seed and moment give the same fleet.
pub fn believable(certificates: usize, seed: u64, now: DateTime<Utc>) -> Fleet {
    let mut fleet = Fleet::new(REGIONS.map(|(id, zh)| Region::new(id, zh)).into());
    if let Some(closed) = fleet.regions.last_mut() {
        closed.open = false;
    }
    let projects = PROJECTS.map(|(id, name)| Project::new(id, name)).into();
    let keys = vec![Key::new("4eZBqv7kDemoEdge", "demo-private-key-of-edge")];
    fleet.accounts = vec![Account { name: ACCOUNT.into(), projects, keys }];
    let now = now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
    let mut maker = Maker { dice: Dice(seed ^ 0x0075_6c62), now };
    for entry in maker.stories().into_iter().take(certificates) {
        fleet.insert(entry);
    }
    while fleet.len() < certificates {
        let entry = maker.ordinary();
        fleet.insert(entry);
    }
    fleet
}

struct Maker {
    dice: Dice,
    now: DateTime<Utc>,
}

impl Maker {
    /// One of each kind of trouble, in the order in which it is told.
    fn stories(&mut self) -> Vec<Entry> {
        let days = TimeDelta::days;
        let apart = self.now + days(300);
        let nobody_knows = Date::Odd(0.into());
        let soon = vec![self.leaf(days(200)), Block::Issuer { ends: self.now + days(12) }];
        vec![
            self.entry("shop-www-2025", days(-20)),
            self.entry("商城支付", days(5)).used_by("shop-alb", "https-443"),
            self.entry("old-wildcard", days(3)),
            Entry { not_after: Date::At(apart), ..self.entry("img-2026", days(25)) }
                .used_by("img-ulb", "https"),
            Entry { content: Content::Bundle(soon), ..self.entry("login-chain", days(200)) }
                .used_by("login-alb", "https-443"),
            Entry { content: Content::Text("******".into()), ..self.entry("masked", days(120)) },
            Entry {
                content: Content::Text("".into()),
                not_after: nobody_knows,
                ..self.entry("no-date", days(120))
            }
            .used_by("api-alb", "https-8443"),
        ]
    }

    fn ordinary(&mut self) -> Entry {
        let left = TimeDelta::hours(self.dice.between(30 * 24, 365 * 24));
        let site = SITES[self.dice.below(SITES.len())];
        let name = format!("{site}-{}", self.dice.letters(4));
        let entry = self.entry(&name, left);
        if self.dice.percent() < 70 { entry.used_by(&format!("{site}-alb"), "https-443") } else { entry }
    }

    fn entry(&mut self, name: &str, left: TimeDelta) -> Entry {
        let (project, _) = PROJECTS[self.dice.below(PROJECTS.len())];
        let (region, _) = REGIONS[self.dice.below(REGIONS.len() - 1)];
        let id = format!("ssl-{}", self.dice.letters(12));
        let host = if name.is_ascii() { format!("{name}.example.com") } else { "pay.example.cn".to_owned() };
        Entry { name: name.into(), ..Entry::new(&id, ACCOUNT, project, region, self.now + left) }
            .for_host(&host)
    }

    fn leaf(&self, left: TimeDelta) -> Block {
        let ends = self.now + left;
        Block::Leaf { host: "login.example.com".into(), begins: ends - TimeDelta::days(365), ends }
    }
}

impl Simulated for UCloud {
    fn resources(&self) -> usize {
        self.modify(|fleet| fleet.len())
    }

    fn accounts(&self, resources: usize) -> String {
        let tables = self.modify(|fleet| fleet.accounts.clone()).into_iter().filter_map(|account| {
            let key = account.keys.first()?;
            Some(format!(
                "\n[[account]]\nname = {}\nprovider = \"ucloud\"\nrate_limit = {}\n\
                 credentials = {{ public_key = {}, private_key = {} }}\nendpoints = {{ ulb = {} }}\n",
                quoted(&account.name),
                rate(resources),
                quoted(&key.public),
                quoted(&key.private),
                quoted(&self.base_url()),
            ))
        });
        tables.collect()
    }

    fn live(&self, now: DateTime<Utc>, tick: u64) {
        match tick % 12 {
            2 => self.modify(|fleet| replace_one(fleet, now, tick)),
            9 => self.modify(clear_up),
            _ => {}
        }
    }
}

/// A certificate cannot be changed in place: somebody uploads the next one and lets the listeners use it.
fn replace_one(fleet: &mut Fleet, now: DateTime<Utc>, tick: u64) {
    let ends = |entry: &Entry| entry.expected().ends.iter().map(|(_, end)| *end).min();
    let in_use = fleet.entries().filter(|entry| entry.expected().in_use);
    let Some(old) = in_use.min_by_key(|entry| ends(entry)).cloned() else { return };
    let id = format!("ssl-{:012x}", stable_hash(["replacement", &tick.to_string()]) >> 16);
    let next = Entry::new(&id, &old.account, &old.project, &old.region, now + TimeDelta::days(365));
    let next = next.for_host(&old.domains);
    let (name, relations): (Text, Relations) = (old.name.clone(), old.relations.clone());
    fleet.insert(Entry { name, relations, ..next });
    if let Some(old) = fleet.get_mut(&old.id) {
        old.relations = Relations::None;
    }
}

/// Somebody deletes the one that nobody used for longest.
fn clear_up(fleet: &mut Fleet) {
    let mut unused = fleet.entries().filter(|entry| !entry.expected().in_use).map(|entry| entry.id.clone());
    let (first, count) = (unused.next(), unused.count() + 1);
    if let Some(id) = first.filter(|_| count > LEFTOVERS) {
        fleet.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        "2026-11-22T12:00:00Z".parse().expect("a date")
    }

    #[test]
    fn the_same_seed_makes_the_same_fleet_of_any_size() {
        let ids =
            |seed| believable(20, seed, noon()).entries().map(|entry| entry.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(1), ids(1));
        assert_ne!(ids(1), ids(2));
        for size in [0, 1, 20, 3000] {
            assert_eq!(believable(size, 1, noon()).len(), size);
        }
    }

    #[test]
    fn life_replaces_what_is_used_and_never_gets_out_of_hand() {
        let mut fleet = believable(20, 1, noon());
        let used = |fleet: &Fleet| fleet.entries().filter(|entry| entry.expected().in_use).count();
        let before = used(&fleet);
        for tick in 0..50 {
            replace_one(&mut fleet, noon(), tick);
            clear_up(&mut fleet);
        }
        assert_eq!(used(&fleet), before, "every listener has its certificate");
        assert!((20..30).contains(&fleet.len()), "{}", fleet.len());
    }
}
