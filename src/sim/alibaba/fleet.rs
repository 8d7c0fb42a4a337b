//! Everything the simulated cloud holds, found by id in one step and listed page by page without a copy.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::account::{Account, Key, Quota, Region, Renewal};
use super::change;
use super::model::{Instance, Text, Truth};
use super::product::{Engine, Product};
use super::sts::Sts;

/// The accounts, regions and instances of a simulated cloud, and how it behaves.
pub struct Fleet {
    /// The accounts.
    pub accounts: Vec<Account>,
    /// The regions, in the order in which they are listed.
    pub regions: Vec<Region>,
    /// The first that names an API, or names none, holds for it; without any there is no limit.
    pub quotas: Vec<Quota>,
    /// How a renewal goes.
    pub renewal: Renewal,
    /// Who may take on which role.
    pub sts: Sts,
    /// How many rows a page of ListTagResources has.
    pub tag_rows_per_page: usize,
    instances: HashMap<Text, Slot>,
    lists: HashMap<ListKey, Vec<Place>>,
    next_place: u64,
}

/// Position in a list: grows with each instance added, so that a page can be continued after rows came and went.
pub(super) type Place = (u64, Text);

/// What one list call walks through.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ListKey {
    account: Text,
    region: Text,
    listing: Listing,
}

/// The lists of the products; MongoDB has two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Listing {
    /// Redis and Tair.
    Redis,
    /// RDS.
    Rds,
    /// MongoDB without a `DBInstanceType`, or with `replicate`.
    Replicate,
    /// MongoDB with `sharding`.
    Sharding,
}

impl Listing {
    fn of(engine: Engine) -> Self {
        match (engine, engine.product()) {
            (_, Product::Redis) => Self::Redis,
            (_, Product::Rds) => Self::Rds,
            (Engine::MongoSharded, _) => Self::Sharding,
            (_, Product::MongoDb) => Self::Replicate,
        }
    }
}

struct Slot {
    instance: Instance,
    place: u64,
}

/// One instance and what is true of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Name of the account.
    pub account: Text,
    /// Region id.
    pub region: Text,
    /// Label `cloud_service`.
    pub service: &'static str,
    /// Id of the instance.
    pub id: Text,
    /// What is true of it.
    pub truth: Truth,
}

impl Expected {
    /// Where it stands among the others.
    pub fn place(&self) -> (&str, &str, &str, &str) {
        (&self.account, &self.region, self.service, &self.id)
    }
}

impl Fleet {
    /// A cloud without accounts and instances, in these regions; a renewal takes a minute and lasts a year.
    pub fn new(regions: Vec<Region>) -> Self {
        Self {
            accounts: Vec::new(),
            regions,
            quotas: Vec::new(),
            renewal: Renewal { takes: TimeDelta::minutes(1), life: TimeDelta::days(365) },
            sts: Sts::default(),
            tag_rows_per_page: 100,
            instances: HashMap::new(),
            lists: HashMap::new(),
            next_place: 0,
        }
    }

    /// How many instances there are.
    pub fn len(&self) -> usize {
        self.instances.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    /// Adds an instance at the end of its list; one with the same id goes first.
    pub fn insert(&mut self, instance: Instance) {
        self.remove(&instance.id);
        self.next_place += 1;
        if let Some(primary) = instance.group.as_deref().and_then(|id| self.get_mut(id)) {
            primary.replicas.push(instance.id.clone());
        }
        let place = (self.next_place, instance.id.clone());
        self.lists.entry(key_of(&instance)).or_default().push(place);
        self.instances.insert(instance.id.clone(), Slot { instance, place: self.next_place });
    }

    /// Takes an instance away.
    pub fn remove(&mut self, id: &str) -> Option<Instance> {
        let Slot { instance, place } = self.instances.remove(id)?;
        if let Some(list) = self.lists.get_mut(&key_of(&instance))
            && let Ok(at) = list.binary_search_by_key(&place, |entry| entry.0)
        {
            list.remove(at);
        }
        if let Some(primary) = instance.group.as_deref().and_then(|id| self.get_mut(id)) {
            primary.replicas.retain(|replica| **replica != *id);
        }
        Some(instance)
    }

    /// The instance as it was last left; `settled` is what the API sees.
    pub fn get(&self, id: &str) -> Option<&Instance> {
        self.instances.get(id).map(|slot| &slot.instance)
    }

    /// The instance, to be changed. Account, region and engine must stay: to move it, remove and insert it.
    pub fn get_mut(&mut self, id: &str) -> Option<&mut Instance> {
        self.instances.get_mut(id).map(|slot| &mut slot.instance)
    }

    /// The instance as it stands at that moment: changes that are over by then have happened.
    pub fn settled(&mut self, id: &str, now: DateTime<Utc>) -> Option<&mut Instance> {
        let instance = self.get_mut(id)?;
        change::settle(instance, now);
        Some(instance)
    }

    /// Every instance as it was last left, in no particular order.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values().map(|slot| &slot.instance)
    }

    /// What is true of every instance at that moment, in no particular order.
    pub(super) fn expected(&mut self, now: DateTime<Utc>) -> Vec<Expected> {
        let names: HashMap<Text, Text> =
            self.accounts.iter().map(|account| (account.uid.clone(), account.name.clone())).collect();
        let slots = self.instances.values_mut();
        slots.map(|slot| settled_truth(&mut slot.instance, &names, now)).collect()
    }

    /// The account and the key with this id.
    pub fn key(&self, id: &str) -> Option<(&Account, &Key)> {
        let keys =
            self.accounts.iter().flat_map(|account| account.keys.iter().map(move |key| (account, key)));
        keys.into_iter().find(|(_, key)| *key.id == *id)
    }

    /// The region with this id.
    pub fn region(&self, id: &str) -> Option<&Region> {
        self.regions.iter().find(|region| *region.id == *id)
    }

    /// The quota that holds for an API.
    pub(super) fn quota(&self, action: &str) -> Option<&Quota> {
        self.quotas.iter().find(|quota| quota.action.as_deref().is_none_or(|name| name == action))
    }

    /// One list of one account in one region.
    pub(super) fn listed(&self, account: &Text, region: &Text, listing: Listing) -> &[Place] {
        let key = ListKey { account: account.clone(), region: region.clone(), listing };
        self.lists.get(&key).map_or(&[], Vec::as_slice)
    }

    /// The place of one instance in that list.
    pub(super) fn place_in(
        &self,
        account: &Text,
        region: &Text,
        listing: Listing,
        id: &str,
    ) -> Option<Place> {
        let Slot { instance, place } = self.instances.get(id)?;
        let wanted = ListKey { account: account.clone(), region: region.clone(), listing };
        (key_of(instance) == wanted).then(|| (*place, instance.id.clone()))
    }
}

fn key_of(instance: &Instance) -> ListKey {
    ListKey {
        account: instance.account.clone(),
        region: instance.region.clone(),
        listing: Listing::of(instance.engine),
    }
}

fn settled_truth(instance: &mut Instance, names: &HashMap<Text, Text>, now: DateTime<Utc>) -> Expected {
    change::settle(instance, now);
    Expected {
        account: names.get(&instance.account).unwrap_or(&instance.account).clone(),
        region: instance.region.clone(),
        service: instance.product().service(),
        id: instance.id.clone(),
        truth: instance.ssl.truth(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet_of(ids: &[&str]) -> Fleet {
        let mut fleet = Fleet::new(vec![Region::new("cn-hangzhou", "杭州", "Hangzhou")]);
        for id in ids {
            fleet.insert(Instance::new(Engine::MySql, id, "1", "cn-hangzhou", DateTime::UNIX_EPOCH));
        }
        fleet
    }

    fn names(fleet: &Fleet) -> Vec<&str> {
        fleet.listed(&"1".into(), &"cn-hangzhou".into(), Listing::Rds).iter().map(|(_, id)| &**id).collect()
    }

    #[test]
    fn a_list_keeps_its_order_when_rows_go() {
        let mut fleet = fleet_of(&["a", "b", "c"]);
        fleet.remove("b");
        assert_eq!(names(&fleet), ["a", "c"]);
        assert_eq!(fleet.len(), 2);
    }

    #[test]
    fn an_id_inserted_again_replaces_the_old_one() {
        let mut fleet = fleet_of(&["a", "b"]);
        fleet.insert(Instance::new(Engine::MySql, "a", "1", "cn-hangzhou", DateTime::UNIX_EPOCH));
        assert_eq!(names(&fleet), ["b", "a"]);
    }

    #[test]
    fn a_primary_knows_its_replicas() {
        let mut fleet = fleet_of(&["rm-1"]);
        let replica = Instance::new(Engine::MySql, "rr-1", "1", "cn-hangzhou", DateTime::UNIX_EPOCH);
        fleet.insert(Instance { group: Some("rm-1".into()), ..replica });
        assert_eq!(fleet.get("rm-1").unwrap().replicas, [Text::from("rr-1")]);
        fleet.remove("rr-1");
        assert!(fleet.get("rm-1").unwrap().replicas.is_empty());
    }
}
