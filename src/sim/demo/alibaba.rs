//! Alibaba Cloud in the demonstration: its accounts, and life in its fleet.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Simulated, quoted, rate};
use crate::domain::hash::stable_hash;
use crate::sim::alibaba::{AlibabaCloud, Fault, Fleet, Instance, SslModel, Text, Where};
use crate::sim::fleet::{LEGACY, newcomer};

/// So many newcomers stay.
const NEWCOMERS: usize = 3;

/// Tag of the instances that came while the demonstration ran.
const NEWCOMER_TAG: &str = "created-by";

impl Simulated for AlibabaCloud {
    fn resources(&self) -> usize {
        self.modify(|fleet| fleet.len())
    }

    fn accounts(&self, resources: usize) -> String {
        let mut toml = String::new();
        let url = quoted(&self.base_url());
        for account in self.modify(|fleet| fleet.accounts.clone()) {
            let Some(key) = account.keys.first() else { continue };
            let written = write!(
                toml,
                "\n[[account]]\nname = {}\nprovider = \"alibaba\"\nowner_tag = \"owner\"\nrate_limit = {}\n\
                 credentials = {{ access_key_id = {}, access_key_secret = {} }}\n\
                 endpoints = {{ redis = {url}, rds = {url}, mongodb = {url} }}\n",
                quoted(&account.name),
                rate(resources),
                quoted(&key.id),
                quoted(&key.secret),
            );
            written.expect("writing to a string cannot fail");
        }
        toml
    }

    fn live(&self, now: DateTime<Utc>, tick: u64) {
        settle_reboot(self, tick.wrapping_sub(1));
        match tick % 12 {
            1 => renew_one(self, now, tick),
            3 => reboot_one(self, tick),
            5 => welcome_one(self, now, tick),
            8 => throttle(self, tick),
            10 => dismiss_one(self, tick),
            11 => self.clear_faults(),
            _ => {}
        }
    }
}

/// Somebody renews one of the certificates that end soon; a few are always left to look at.
fn renew_one(cloud: &AlibabaCloud, now: DateTime<Utc>, tick: u64) {
    const LEFT_TO_LOOK_AT: usize = 4;
    let soon = now + TimeDelta::days(30);
    let ends_soon = |instance: &Instance| {
        matches!(&instance.ssl, SslModel::On { expires } if expires.means().is_some_and(|end| end < soon))
            && !instance.custom_ca
    };
    let chosen = cloud.modify(|fleet| {
        let enough = readable(fleet).filter(|instance| ends_soon(instance)).nth(LEFT_TO_LOOK_AT).is_some();
        if enough { choose(fleet, tick, ends_soon) } else { None }
    });
    if let Some(id) = chosen {
        cloud.start_renewal(&id);
    }
}

fn reboot_one(cloud: &AlibabaCloud, tick: u64) {
    let chosen =
        cloud.modify(|fleet| choose(fleet, tick, |instance| *instance.status == *instance.product().ready()));
    if let Some(id) = chosen {
        cloud.set_status(&id, "Rebooting");
    }
}

/// Ends the reboot that began at that tick.
fn settle_reboot(cloud: &AlibabaCloud, tick: u64) {
    if tick % 12 != 3 {
        return;
    }
    let rebooting = cloud.modify(|fleet| choose(fleet, tick, |instance| &*instance.status == "Rebooting"));
    if let Some(id) = rebooting {
        cloud.change(&id, |instance| instance.status = instance.product().ready().into());
    }
}

fn welcome_one(cloud: &AlibabaCloud, now: DateTime<Utc>, tick: u64) {
    let mut instance = newcomer(stable_hash(["newcomer", &tick.to_string()]), now);
    instance.tags.push((NEWCOMER_TAG.into(), "terraform".into()));
    cloud.create(instance);
}

fn dismiss_one(cloud: &AlibabaCloud, tick: u64) {
    let chosen = cloud.modify(|fleet| {
        let many = fleet.instances().filter(|instance| is_newcomer(instance)).count() > NEWCOMERS;
        if many { choose(fleet, tick, is_newcomer) } else { None }
    });
    if let Some(id) = chosen {
        cloud.delete(&id);
    }
}

fn is_newcomer(instance: &Instance) -> bool {
    instance.tags.iter().any(|(key, _)| &**key == NEWCOMER_TAG)
}

/// Somebody's script uses up the quota of one call in one region.
fn throttle(cloud: &AlibabaCloud, tick: u64) {
    let chosen = cloud.modify(|fleet| {
        let id = choose(fleet, tick, |_| true)?;
        fleet.get(&id).map(|instance| (instance.region.to_string(), instance.product()))
    });
    let Some((region, product)) = chosen else { return };
    let action = if product.service() == "redis" { "DescribeInstanceSSL" } else { "DescribeDBInstanceSSL" };
    let place = Where { region: Some(region), ..Where::action(action) };
    cloud.inject(Fault::Throttle { retry_after_ms: Some(2000) }, place, Some(5));
}

/// One of those that fit, by lot; the lot does not depend on the order in which the fleet is walked through.
fn choose(fleet: &Fleet, tick: u64, fits: impl Fn(&Instance) -> bool) -> Option<Text> {
    let lot = tick.to_string();
    let fitting = readable(fleet).filter(|instance| fits(instance));
    let chosen = fitting.min_by_key(|instance| stable_hash([&*lot, &*instance.id]))?;
    Some(chosen.id.clone())
}

/// The instances of accounts whose keys work.
fn readable(fleet: &Fleet) -> impl Iterator<Item = &Instance> {
    let legacy =
        fleet.accounts.iter().find(|account| &*account.name == LEGACY).map(|account| account.uid.clone());
    fleet.instances().filter(move |instance| legacy.as_ref() != Some(&instance.account))
}
