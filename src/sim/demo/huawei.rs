//! Huawei Cloud in the demonstration: its accounts in a configuration, and life in its caches.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use super::{Simulated, quoted, rate};
use crate::domain::hash::stable_hash;
use crate::sim::huawei::{Download, Expiry, Fleet, HuaweiCloud, Instance, Ssl};

impl Simulated for HuaweiCloud {
    fn resources(&self) -> usize {
        self.modify(|fleet| fleet.len())
    }

    fn accounts(&self, resources: usize) -> String {
        let tables = self.modify(|fleet| fleet.accounts.clone()).into_iter().filter_map(|account| {
            let key = account.keys.first()?;
            Some(format!(
                "\n[[account]]\nname = {}\nprovider = \"huawei\"\nowner_tag = \"owner\"\nrate_limit = {}\n\
                 credentials = {{ access_key = {}, secret_key = {} }}\nendpoints = {{ dcs = {}, iam = {} }}\n",
                quoted(&account.name),
                rate(resources),
                quoted(&key.id),
                quoted(&key.secret),
                quoted(&self.dcs()),
                quoted(&self.iam()),
            ))
        });
        tables.collect()
    }

    fn live(&self, now: DateTime<Utc>, tick: u64) {
        match tick % 12 {
            4 => self.modify(|fleet| exchange_one(fleet, now, tick)),
            6 => self.modify(|fleet| restart_one(fleet, tick)),
            7 => self.modify(settle),
            _ => {}
        }
    }
}

/// The cloud gives an instance a new certificate, and with it a new CA. One that ends soon, by lot.
fn exchange_one(fleet: &mut Fleet, now: DateTime<Utc>, tick: u64) {
    let soon = now + TimeDelta::days(30);
    let ends_soon = |instance: &Instance| instance.truth().server.is_some_and(|end| end < soon);
    // A few are always left to look at.
    if fleet.instances().filter(|instance| ends_soon(instance)).count() < 4 {
        return;
    }
    if let Some(instance) = choose(fleet, tick, ends_soon) {
        let ends = now + TimeDelta::days(365) + TimeDelta::milliseconds(669);
        (instance.ssl, instance.validated) = (Ssl::On(Expiry::At(ends)), Some(true));
        instance.download =
            Download::Ca(now.duration_trunc(TimeDelta::seconds(1)).unwrap_or(now) + TimeDelta::days(3650));
    }
}

fn restart_one(fleet: &mut Fleet, tick: u64) {
    if let Some(instance) = choose(fleet, tick, |instance| &*instance.status == "RUNNING") {
        instance.status = "RESTARTING".into();
    }
}

/// Restarts are over.
fn settle(fleet: &mut Fleet) {
    while let Some(instance) = choose(fleet, 0, |instance| &*instance.status == "RESTARTING") {
        instance.status = "RUNNING".into();
    }
}

/// One of those that fit, by lot.
fn choose(fleet: &mut Fleet, tick: u64, fits: impl Fn(&Instance) -> bool) -> Option<&mut Instance> {
    let lot = tick.to_string();
    let fitting = fleet.instances().filter(|instance| fits(instance));
    let chosen = fitting.min_by_key(|instance| stable_hash([&*lot, &*instance.id]))?.id.clone();
    fleet.get_mut(&chosen)
}
