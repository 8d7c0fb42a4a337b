//! A simulated cloud with an account for each daemon, whose certificates are all near enough to their ends.

use chrono::{DateTime, TimeDelta, Utc};
use notafter::sim::alibaba::{
    Account, AlibabaCloud, Call, Engine, Fault, Fleet, Hang, Instance, Key, Region, Renewal, Reset, Where,
};

use crate::dice::Dice;

pub(super) const SECRET: &str = "PLANTED-SECRET-4711";
const REGION: &str = "cn-hangzhou";
/// So many wait for their renewal at any time.
const WAITING: usize = 5;
/// Further away than any end that is renewed.
const FAR: TimeDelta = TimeDelta::days(200);

/// The cloud.
pub(super) struct World {
    pub(super) cloud: AlibabaCloud,
}

impl World {
    pub(super) async fn start(accounts: usize) -> Self {
        let mut fleet = Fleet::new(vec![Region::new(REGION, "华东", REGION)]);
        fleet.renewal = Renewal { takes: TimeDelta::milliseconds(1500), life: TimeDelta::days(365) };
        let account = |number| Account {
            uid: uid(number).into(),
            name: name(number).into(),
            keys: vec![Key::new(&name(number), SECRET)],
        };
        fleet.accounts = (0..accounts).map(account).collect();
        Self { cloud: AlibabaCloud::start(fleet, Utc::now).await.expect("a free port") }
    }

    /// As many instances as there should be that have not been renewed.
    pub(super) fn fill_up(&self, account: usize, dice: &mut Dice) {
        let rows = self.instances(account);
        let called = self.calls(account);
        let is_called = |id: &str| called.iter().any(|call| call.resource.as_deref() == Some(id));
        let waiting = rows.iter().filter(|(id, end)| !is_new(*end) && !is_called(id)).count();
        for number in rows.len()..rows.len() + WAITING.saturating_sub(waiting) {
            let engines = [Engine::Redis, Engine::MySql, Engine::PostgreSql, Engine::MongoReplica];
            let engine = engines[usize::try_from(dice.below(4)).unwrap()];
            let end = Utc::now() + TimeDelta::hours(i64::try_from(48 + dice.below(480)).unwrap());
            let id = format!("{}-{number:04}", name(account));
            self.cloud.create(Instance::new(engine, &id, &uid(account), REGION, end));
        }
    }

    /// Id and present end of each instance of an account.
    pub(super) fn instances(&self, account: usize) -> Vec<(String, DateTime<Utc>)> {
        let name = name(account);
        let ours = self.cloud.expected().into_iter().filter(|row| *row.account == *name);
        ours.filter_map(|row| Some((row.id.to_string(), row.truth.expires?))).collect()
    }

    /// Every Modify of an account that the cloud saw, whatever it made of it.
    pub(super) fn calls(&self, account: usize) -> Vec<Call> {
        let name = name(account);
        self.cloud.changes().into_iter().filter(|call| *call.key_id == *name).collect()
    }

    /// An instance is renewed without us, unless it has been renewed.
    pub(super) fn renew_by_hand(&self, id: &str) {
        let old =
            self.cloud.expected().into_iter().find(|row| *row.id == *id).and_then(|row| row.truth.expires);
        if old.is_some_and(|end| !is_new(end)) {
            self.cloud.renew(id, Utc::now() + TimeDelta::days(365));
        }
    }

    /// The answer to the next Modify is late or lost; the first three are carried out all the same.
    pub(super) fn disturb(&self, account: usize, dice: &mut Dice) {
        let faults = [
            Fault::Hang(Hang::HeadOnly),
            Fault::CutBody,
            Fault::Reset(Reset::KeptConnection),
            Fault::Hang(Hang::NoAnswer),
            Fault::Reset(Reset::BeforeAnswer),
            Fault::EmptyBody,
        ];
        let fault = faults[usize::try_from(dice.below(6)).unwrap()].clone();
        for action in ["ModifyInstanceSSL", "ModifyDBInstanceSSL"] {
            let place = Where { action: Some(action.into()), key: Some(name(account)), ..Where::default() };
            self.cloud.inject(fault.clone(), place, Some(1));
        }
    }
}

/// It has the end that a renewal gives.
pub(super) fn is_new(end: DateTime<Utc>) -> bool {
    end - Utc::now() > FAR
}

pub(super) fn name(account: usize) -> String {
    format!("team-{account}")
}

fn uid(account: usize) -> String {
    format!("10000000000000{account:02}")
}
