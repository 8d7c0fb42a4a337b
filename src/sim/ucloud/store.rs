//! All there is: accounts, regions, and entries in the order in which they were uploaded.

use std::collections::HashMap;

use super::account::{Account, Key, Quota, Region, Text};
use super::model::{Entry, Expected};

/// The contents of a simulated UCloud.
#[derive(Clone, Default)]
pub struct Fleet {
    /// Who may call.
    pub accounts: Vec<Account>,
    /// Where.
    pub regions: Vec<Region>,
    /// How often; `None` for as often as one likes.
    pub quota: Option<Quota>,
    /// The most rows of a page, whatever `Limit` says.
    pub most_rows: usize,
    entries: Vec<Entry>,
    places: HashMap<Text, usize>,
}

impl Fleet {
    /// Nothing but regions.
    pub fn new(regions: Vec<Region>) -> Self {
        Self { regions, most_rows: 100, ..Self::default() }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds an entry, or replaces the one with this id.
    pub fn insert(&mut self, entry: Entry) {
        if let Some(&place) = self.places.get(&entry.id) {
            self.entries[place] = entry;
        } else {
            self.places.insert(entry.id.clone(), self.entries.len());
            self.entries.push(entry);
        }
    }

    /// Takes an entry away.
    pub fn remove(&mut self, id: &str) -> Option<Entry> {
        let place = self.places.remove(id)?;
        let entry = self.entries.remove(place);
        for (place, entry) in self.entries.iter().enumerate().skip(place) {
            self.places.insert(entry.id.clone(), place);
        }
        Some(entry)
    }

    /// An entry.
    pub fn get(&self, id: &str) -> Option<&Entry> {
        self.places.get(id).map(|&place| &self.entries[place])
    }

    /// An entry, to be changed.
    pub fn get_mut(&mut self, id: &str) -> Option<&mut Entry> {
        self.places.get(id).map(|&place| &mut self.entries[place])
    }

    /// Every entry.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The entries of one account in one project and region.
    pub(super) fn listed(&self, account: &str, project: &str, region: &str) -> Vec<&Entry> {
        let here = |entry: &&Entry| {
            *entry.account == *account && *entry.project == *project && *entry.region == *region
        };
        self.entries.iter().filter(here).collect()
    }

    /// What is true of every entry.
    pub(super) fn expected(&self) -> Vec<Expected> {
        self.entries.iter().map(Entry::expected).collect()
    }

    /// The account and the key of this name.
    pub fn key(&self, public: &str) -> Option<(&Account, &Key)> {
        let mut keys =
            self.accounts.iter().flat_map(|account| account.keys.iter().map(move |key| (account, key)));
        keys.find(|(_, key)| *key.public == *public)
    }
}
