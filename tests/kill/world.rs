//! A simulated cloud with an account for each daemon, and what happens in it: certificates enter stages by time alone,
//! appear, are renewed, and go.

use std::collections::BTreeMap;
use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};
use notafter::domain::finding::Stage;
use notafter::sim::alibaba::{Account, AlibabaCloud, Engine, Fleet, Instance, Key, Region};

use crate::dice::Dice;

pub(crate) const SECRET: &str = "PLANTED-SECRET-4711";
const REGION: &str = "cn-hangzhou";
/// Certificates of an account at the start.
const BEGIN: u64 = 30;
/// More than this are not kept.
const MOST: usize = 45;

/// The thresholds that the daemons are configured with, in hours, and what lies below each.
pub(crate) const THRESHOLDS: [(Stage, i64); 4] =
    [(Stage::Info, 3), (Stage::Warning, 2), (Stage::Critical, 1), (Stage::Expired, 0)];

/// The cloud.
pub(crate) struct World {
    pub(crate) cloud: AlibabaCloud,
    /// Every end that a certificate ever had.
    ends: Mutex<BTreeMap<String, Vec<DateTime<Utc>>>>,
}

impl World {
    pub(crate) async fn start(accounts: usize, seed: u64) -> Self {
        let mut fleet = Fleet::new(vec![Region::new(REGION, "华东", REGION)]);
        fleet.accounts = (0..accounts)
            .map(|number| Account {
                uid: uid(number).into(),
                name: name(number).into(),
                keys: vec![Key::new(&name(number), SECRET)],
            })
            .collect();
        let cloud = AlibabaCloud::start(fleet, Utc::now).await.expect("a free port");
        let world = Self { cloud, ends: Mutex::default() };
        let mut dice = Dice(seed);
        for number in 0..accounts {
            for n in 0..BEGIN {
                // half of them are in a stage, some enter one during the run
                let hours = TimeDelta::hours(i64::try_from(n % 8).unwrap_or_default());
                let seconds = TimeDelta::seconds(i64::try_from(dice.below(60)).unwrap_or_default());
                world.create(
                    number,
                    &format!("begin-{n:03}"),
                    Utc::now() - TimeDelta::hours(1) + hours + seconds,
                );
            }
        }
        world
    }

    fn create(&self, account: usize, id: &str, end: DateTime<Utc>) {
        let engine = if id.ends_with(['0', '3', '6']) { Engine::MySql } else { Engine::Redis };
        let id = format!("{}-{id}", name(account));
        self.note(&id, end);
        self.cloud.create(Instance::new(engine, &id, &uid(account), REGION, end));
    }

    fn note(&self, id: &str, end: DateTime<Utc>) {
        let mut ends = self.ends.lock().expect("nobody panics with it");
        ends.entry(id.to_owned()).or_default().push(whole(end));
    }

    /// Whether that was the end of this certificate once, and is not any more.
    pub(crate) fn is_over(&self, id: &str, end: DateTime<Utc>) -> bool {
        self.present(id) != Some(end)
    }

    /// The present end of a certificate; `None`: it is not there.
    pub(crate) fn present(&self, id: &str) -> Option<DateTime<Utc>> {
        let there = self.cloud.modify(|fleet| fleet.get(id).is_some());
        let ends = self.ends.lock().expect("nobody panics with it");
        if there { ends.get(id)?.last().copied() } else { None }
    }

    /// The certificates of an account.
    pub(crate) fn ids(&self, account: usize) -> Vec<String> {
        let uid = uid(account);
        let mut ids: Vec<_> = self.cloud.modify(|fleet| {
            fleet.instances().filter(|one| *one.account == *uid).map(|one| one.id.to_string()).collect()
        });
        ids.sort();
        ids
    }

    /// When the certificates of an account end, in seconds since 1970.
    pub(crate) fn ends_of(&self, account: usize) -> BTreeMap<String, i64> {
        let end = |id: String| Some((self.present(&id)?.timestamp(), id));
        self.ids(account).into_iter().filter_map(end).map(|(end, id)| (id, end)).collect()
    }

    /// Something happens in an account.
    pub(crate) fn live(&self, account: usize, tick: u64, dice: &mut Dice) {
        let now = Utc::now();
        let ids = self.ids(account);
        if ids.len() > MOST {
            let far: Vec<_> =
                ids.iter().filter(|id| self.stage(id, now) == Some(Stage::Ok)).cloned().collect();
            if let Some(id) = dice.choose(if far.is_empty() { &ids } else { &far }) {
                self.cloud.delete(&id);
            }
        }
        match dice.below(10) {
            0..=5 => {
                // it enters a stage in a moment
                let (_, hours) = THRESHOLDS[usize::try_from(dice.below(4)).unwrap_or_default()];
                let wait = i64::try_from(dice.below(5000)).unwrap_or_default();
                let end = now + TimeDelta::hours(hours) + TimeDelta::milliseconds(wait);
                self.create(account, &format!("new-{tick:06}"), end);
            }
            6..=7 => {
                let in_a_stage: Vec<_> =
                    ids.iter().filter(|id| self.stage(id, now) > Some(Stage::Ok)).cloned().collect();
                if let Some(id) = dice.choose(&in_a_stage) {
                    let end = now + TimeDelta::days(300);
                    self.note(&id, end);
                    self.cloud.renew(&id, end);
                }
            }
            8 if dice.below(4) == 0 => {
                if let Some(id) = dice.choose(&ids) {
                    self.cloud.delete(&id);
                }
            }
            _ => {}
        }
    }

    /// The stage of a certificate at a moment, counted by our own means.
    pub(crate) fn stage(&self, id: &str, now: DateTime<Utc>) -> Option<Stage> {
        let end = self.present(id)?;
        let entered = THRESHOLDS.iter().rev().find(|(_, hours)| end - now <= TimeDelta::hours(*hours));
        Some(entered.map_or(Stage::Ok, |(stage, _)| *stage))
    }
}

/// As the API tells it.
fn whole(end: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(end.timestamp(), 0).expect("in range")
}

pub(crate) fn name(account: usize) -> String {
    format!("team-{account}")
}

fn uid(account: usize) -> String {
    format!("10000000000000{account:02}")
}
