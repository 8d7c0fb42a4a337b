//! An account at the simulated cloud, and what the poll loop would know of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use notafter::clock::Clock;
use notafter::daemon::poll::Account;
use notafter::domain::reason::Failure;
use notafter::domain::snapshot::Snapshot;
use notafter::http::Http;
use notafter::sim::alibaba::{
    AlibabaCloud, Engine, Fleet, Instance, OnModify, Refusal, Region, Renewal, Window,
};
use notafter::telemetry::Telemetry;

use crate::dice::Dice;
use crate::support::{self, Build, REGION, UID};

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

pub(crate) struct Estate {
    pub(crate) cloud: AlibabaCloud,
    pub(crate) account: Account,
    pub(crate) snapshot: Snapshot,
    /// Instances that a rule means.
    pub(crate) allowed: BTreeSet<String>,
    time: Time,
    looked: Option<DateTime<Utc>>,
}

impl Estate {
    pub(crate) async fn new(dice: &mut Dice, time: &Time, window: (u32, u32)) -> Self {
        let mut fleet = Fleet::new(vec![Region::new(REGION, "华东1（杭州）", "China (Hangzhou)")]);
        fleet.accounts = support::fleet().accounts.into_iter().take(1).collect();
        let takes = TimeDelta::minutes(i64::try_from(8 + dice.below(25)).unwrap());
        fleet.renewal = Renewal { takes, life: TimeDelta::days(365) };
        let mut allowed = BTreeSet::new();
        for number in 0..3 + dice.below(5) {
            let engines =
                [Engine::Redis, Engine::MySql, Engine::PostgreSql, Engine::MongoReplica, Engine::Redis];
            let engine = engines[usize::try_from(dice.below(5)).unwrap()];
            let hours = i64::try_from(24 + dice.below(24 * 25)).unwrap();
            let id = format!("r-{number}");
            let mut instance = Instance::new(engine, &id, UID, REGION, time.now() + TimeDelta::hours(hours));
            if !dice.one_in(4) {
                instance.tags = vec![("renew".into(), "yes".into())];
                allowed.insert(id);
            }
            instance.on_modify = match dice.below(10) {
                0 => OnModify::NoEffect,
                1 => OnModify::FailsLater("a made-up reason".into()),
                2 => OnModify::Refuses(Refusal::new(403, "IncorrectDBInstanceState")),
                3 => OnModify::Refuses(Refusal::new(403, "OrderStatus.UnPaid")),
                _ => OnModify::Works,
            };
            let minutes = |hour: u32| u16::try_from(hour % 24 * 60).unwrap();
            instance.window = Window { from: minutes(window.0), to: minutes(window.0 + window.1) };
            fleet.insert(instance);
        }
        let cloud_time = time.clone();
        let cloud = AlibabaCloud::start(fleet, move || cloud_time.now()).await.unwrap();
        let http = Http::new(Duration::from_millis(800), 64, time.clock(), Arc::new(Telemetry::new()));
        let account = Build::account("prod").build(&cloud.base_url(), &http);
        Self { cloud, account, snapshot: Snapshot::default(), allowed, time: time.clone(), looked: None }
    }

    /// The ends, as the cloud has them.
    pub(crate) fn ends(&self) -> BTreeMap<String, DateTime<Utc>> {
        let expected = self.cloud.expected();
        expected.into_iter().filter_map(|row| Some((row.id.to_string(), row.truth.expires?))).collect()
    }

    /// What a poll loop would have seen by now; not more often than it would look.
    pub(crate) async fn look(&mut self, at_once: bool) {
        let now = self.time.now();
        let age = self.looked.map_or(TimeDelta::MAX, |at| now - at);
        if !at_once && age < TimeDelta::minutes(45) {
            return;
        }
        self.looked = Some(now);
        let provider = Arc::clone(&self.account.provider);
        for service in self.account.services.clone() {
            let Ok(list) = provider.scopes(service).await else { continue };
            for scope in list.scopes {
                let scope = Arc::new(scope);
                let view = self.snapshot.scope_mut(&scope);
                match provider.discover(&scope).await {
                    Ok(listing) => drop(view.absorb_listing(listing, Duration::ZERO, now)),
                    Err(error) => {
                        let (reason, text) = (error.kind.reason(), error.to_string().into());
                        view.listing_failed(Failure { reason, text, at: now });
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
        self.snapshot.revision += 1;
    }
}
