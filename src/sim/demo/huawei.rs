//! Huawei Cloud in the demonstration: its accounts in a configuration, and an instance whose certificate somebody
//! renews by switching TLS off and on again.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Simulated, quoted, rate};
use crate::sim::alibaba::Expiry;
use crate::sim::huawei::{HuaweiCloud, Ssl};

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
        if tick % 12 != 6 {
            return;
        }
        let soonest = self.modify(|fleet| {
            let ending = fleet.instances().filter_map(|instance| match instance.ssl {
                Ssl::On(Expiry::At(ends)) if ends > now => Some((ends, instance.id.clone())),
                _ => None,
            });
            ending.min().map(|(_, id)| id)
        });
        if let Some(id) = soonest {
            self.change(&id, |instance| instance.ssl = Ssl::On(Expiry::At(now + TimeDelta::days(365))));
        }
    }
}
