//! Two accounts at the simulated cloud, and what the poll loop would know of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use notafter::clock::Clock;
use notafter::daemon::poll::Account;
use notafter::domain::reason::Failure;
use notafter::domain::snapshot::Snapshot;
use notafter::http::Http;
use notafter::provider::Provider;
use notafter::sim::alibaba::{
    AlibabaCloud, Engine, Fleet, Instance, OnModify, Refusal, Region, Renewal, SslModel, Window,
};
use notafter::telemetry::Telemetry;

use crate::dice::Dice;
use crate::own::Own;
use crate::support::{self, Build, OTHER_UID, REGION, UID};

/// Names of the accounts, and of their keys.
pub(crate) const ACCOUNTS: [(&str, &str); 2] = [("prod", UID), ("other", OTHER_UID)];

/// A time that the test moves.
#[derive(Clone)]
pub(crate) struct Time(Arc<AtomicI64>);

impl Time {
    pub(crate) fn new(at: DateTime<Utc>) -> Self {
        Self(Arc::new(AtomicI64::new(at.timestamp_millis())))
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0.load(Ordering::SeqCst)).unwrap()
    }

    pub(crate) fn pass(&self, by: TimeDelta) {
        self.0.fetch_add(by.num_milliseconds(), Ordering::SeqCst);
    }

    pub(crate) fn clock(&self) -> Clock {
        let time = self.clone();
        Clock::with_wall(move || time.now())
    }
}

/// How a month begins.
pub(crate) struct Begin {
    /// First hour of the window, and how many it has.
    pub(crate) window: (u32, u32),
    /// Nothing goes wrong.
    pub(crate) calm: bool,
}

pub(crate) struct Estate {
    pub(crate) cloud: AlibabaCloud,
    pub(crate) accounts: Vec<Account>,
    pub(crate) snapshot: Snapshot,
    /// Instances that a rule means, with the name of their account.
    pub(crate) allowed: BTreeMap<String, String>,
    /// The other members of the group of each instance.
    pub(crate) groups: BTreeMap<String, Vec<String>>,
    /// The one with a certificate of the customer's.
    pub(crate) own: Own,
    time: Time,
    looked: Option<DateTime<Utc>>,
}

impl Estate {
    pub(crate) async fn new(dice: &mut Dice, time: &Time, begin: &Begin) -> Self {
        let mut fleet = Fleet::new(vec![Region::new(REGION, "华东1（杭州）", "China (Hangzhou)")]);
        fleet.accounts = support::fleet().accounts;
        let takes = TimeDelta::minutes(i64::try_from(8 + dice.below(25)).unwrap());
        fleet.renewal = Renewal { takes, life: TimeDelta::days(365) };
        let mut maker = Maker { dice, time, begin, allowed: BTreeMap::new(), groups: BTreeMap::new() };
        for (account, uid) in ACCOUNTS {
            for instance in maker.instances(account, uid) {
                fleet.insert(instance);
            }
        }
        let own = Own::new(time.now(), maker.dice);
        let Maker { mut allowed, groups, .. } = maker;
        let custom = own.instance(UID, time.now());
        allowed.insert(custom.id.to_string(), "prod".into());
        fleet.insert(Instance { window: hours(begin.window), ..custom });
        let cloud_time = time.clone();
        let cloud = AlibabaCloud::start(fleet, move || cloud_time.now()).await.unwrap();
        let http = Http::new(Duration::from_millis(800), 64, time.clock(), Arc::new(Telemetry::new()));
        let accounts = ACCOUNTS.map(|(name, _)| Build::account(name).build(&cloud.base_url(), &http));
        let snapshot = Snapshot::default();
        let (accounts, time) = (accounts.into(), time.clone());
        Self { cloud, accounts, snapshot, allowed, groups, own, time, looked: None }
    }

    pub(crate) fn providers(&self) -> BTreeMap<Arc<str>, Arc<dyn Provider>> {
        let pair = |account: &Account| (Arc::clone(&account.name), Arc::clone(&account.provider));
        self.accounts.iter().map(pair).collect()
    }

    /// The ends, as the cloud has them.
    pub(crate) fn ends(&self) -> BTreeMap<String, DateTime<Utc>> {
        let expected = self.cloud.expected();
        expected.into_iter().filter_map(|row| Some((row.id.to_string(), row.truth.expires?))).collect()
    }

    /// The cloud's word for the condition of an instance, now.
    pub(crate) fn status(&self, id: &str) -> String {
        let mut status = String::new();
        assert!(self.cloud.change(id, |instance| status = instance.status.to_string()), "{id} is there");
        status
    }

    pub(crate) fn is_ready(&self, id: &str) -> bool {
        ["Normal", "Running"].contains(&&*self.status(id))
    }

    /// What a poll loop would have seen by now; not more often than it would look.
    pub(crate) async fn look(&mut self, at_once: bool) {
        let now = self.time.now();
        let age = self.looked.map_or(TimeDelta::MAX, |at| now - at);
        if !at_once && age < TimeDelta::minutes(45) {
            return;
        }
        self.looked = Some(now);
        for number in 0..self.accounts.len() {
            self.look_at(number, now).await;
        }
        self.snapshot.revision += 1;
    }

    async fn look_at(&mut self, account: usize, now: DateTime<Utc>) {
        let account = &self.accounts[account];
        let provider = Arc::clone(&account.provider);
        for service in account.services.clone() {
            let Ok(list) = provider.scopes(service).await else { continue };
            for scope in list.scopes {
                let scope = Arc::new(scope);
                let view = self.snapshot.scope_mut(&scope);
                match provider.discover(&scope).await {
                    Ok(listing) => drop(view.absorb_listing(listing, Duration::ZERO, now)),
                    Err(error) => {
                        let (reason, text) = (error.kind.reason(), error.to_string().into());
                        view.listing_failed(Failure { reason, text, at: now });
                        continue;
                    }
                }
                let ids: Vec<_> = view.resources.iter().map(|resource| Arc::clone(&resource.id)).collect();
                for id in ids {
                    let seen = provider.inspect(&scope, &id).await;
                    let view = self.snapshot.scope_mut(&scope);
                    match seen {
                        Ok(seen) => drop(view.absorb_inspection(&id, seen, now).cloned()),
                        Err(error) => {
                            let (reason, text) = (error.kind.reason(), error.to_string().into());
                            view.inspection_failed(&id, Failure { reason, text, at: now });
                        }
                    }
                }
            }
        }
    }
}

fn hours((from, length): (u32, u32)) -> Window {
    let minutes = |hour: u32| u16::try_from(hour % 24 * 60).unwrap();
    Window { from: minutes(from), to: minutes(from + length) }
}

/// Makes the instances of an account.
struct Maker<'a> {
    dice: &'a mut Dice,
    time: &'a Time,
    begin: &'a Begin,
    allowed: BTreeMap<String, String>,
    groups: BTreeMap<String, Vec<String>>,
}

impl Maker<'_> {
    fn instances(&mut self, account: &str, uid: &str) -> Vec<Instance> {
        let mut instances: Vec<_> = (0..2 + self.dice.below(3))
            .map(|number| self.alone(&format!("{account}-{number}"), uid))
            .collect();
        instances.extend(if self.dice.one_in(2) {
            let ids = [format!("{account}-gr-a"), format!("{account}-gr-b")];
            self.group(&ids, Engine::Redis, Some(format!("gr-{account}")), uid)
        } else {
            let ids = [format!("rm-{account}"), format!("rr-{account}")];
            self.group(&ids, Engine::MySql, None, uid)
        });
        for instance in &instances {
            if !instance.tags.is_empty() {
                self.allowed.insert(instance.id.to_string(), account.to_owned());
            }
        }
        instances
    }

    fn alone(&mut self, id: &str, uid: &str) -> Instance {
        let engines = [Engine::Redis, Engine::MySql, Engine::PostgreSql, Engine::MongoReplica, Engine::Redis];
        let engine = engines[usize::try_from(self.dice.below(5)).unwrap()];
        let latest = if self.begin.calm { 18 } else { 25 };
        let hours = i64::try_from(24 * 5 + self.dice.below(24 * latest)).unwrap();
        let mut instance = Instance::new(engine, id, uid, REGION, self.time.now() + TimeDelta::hours(hours));
        if self.begin.calm || !self.dice.one_in(4) {
            instance.tags = vec![("renew".into(), "yes".into())];
        }
        instance.on_modify = match self.dice.below(10) {
            _ if self.begin.calm => OnModify::Works,
            0 => OnModify::NoEffect,
            1 => OnModify::FailsLater("a made-up reason".into()),
            2 => OnModify::Refuses(Refusal::new(403, "ConcurrentTaskExceeded")),
            3 => OnModify::Refuses(Refusal::new(403, "OrderStatus.UnPaid")),
            _ => OnModify::Works,
        };
        instance.window = hours_of(self.begin);
        instance
    }

    /// Two that end at nearly the same time, so that both are due in the same window.
    fn group(
        &mut self,
        ids: &[String; 2],
        engine: Engine,
        global: Option<String>,
        uid: &str,
    ) -> Vec<Instance> {
        for (one, other) in [(0, 1), (1, 0)] {
            self.groups.insert(ids[one].clone(), vec![ids[other].clone()]);
        }
        let first = self.alone(&ids[0], uid);
        let SslModel::On { expires } = &first.ssl else { unreachable!("it is on") };
        let end = expires.means().expect("a date");
        let member = |id: &str, end, group: Option<String>| Instance {
            tags: vec![("renew".into(), "yes".into())],
            group: group.map(Into::into),
            window: hours_of(self.begin),
            ..Instance::new(engine, id, uid, REGION, end)
        };
        let primary = global.is_none().then(|| ids[0].clone());
        vec![
            member(&ids[0], end, global.clone()),
            member(&ids[1], end + TimeDelta::minutes(20), global.or(primary)),
        ]
    }
}

fn hours_of(begin: &Begin) -> Window {
    hours(begin.window)
}
