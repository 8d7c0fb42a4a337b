//! One daemon with its receivers: the storm of kills, and the calm after it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use notafter::sim::receivers::pagerduty::PagerDuty;
use notafter::sim::receivers::slack::Slack;
use notafter::sim::receivers::webhook::Webhook;
use notafter::sim::receivers::{Delivery, Fault, Receiver, Reception};
use notafter::store::Store;

use crate::daemon::Home;
use crate::dice::Dice;
use crate::verdict::{Account, Evidence};
use crate::world::{SECRET, World, name};

const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PAGER_KEY: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const CHANNELS: [&str; 3] = ["hook", "chat", "pager"];
/// A life without a message is no longer, on a machine however slow.
const LONGEST: Duration = Duration::from_secs(12);
/// After the storm everything has to be told within this, on a machine however slow; it takes twenty seconds.
const PATIENCE: Duration = Duration::from_mins(4);

/// How many kills there are, and how many there shall be.
pub(crate) struct Budget {
    pub(crate) kills: AtomicUsize,
    pub(crate) enough: usize,
    pub(crate) until: Option<Instant>,
}

impl Budget {
    fn is_spent(&self) -> bool {
        self.kills.load(Ordering::Relaxed) >= self.enough
            || self.until.is_some_and(|until| Instant::now() > until)
    }
}

/// A daemon, its store, its receivers.
pub(crate) struct Nest {
    number: usize,
    home: Home,
    receptions: [Reception; 3],
    /// Everything that came, by channel, in the order of [`CHANNELS`].
    got: [Vec<Delivery>; 3],
    dice: Dice,
    kills: usize,
    /// Faults that no request has met yet.
    faults: usize,
    /// From the start of a process until it sends something, the last time.
    until_sent: Duration,
}

impl Nest {
    pub(crate) async fn start(number: usize, world: &World, dice: Dice) -> Self {
        let receivers: [Arc<dyn Receiver>; 3] = [
            Arc::new(Webhook::notafter(&[SIGNING])),
            Arc::new(Slack::webhook("/services/T0/B0/x")),
            Arc::new(PagerDuty::new(PAGER_KEY)),
        ];
        let [hook, chat, pager] = receivers.map(|receiver| Reception::start(receiver, Utc::now));
        let receptions = [hook.await.unwrap(), chat.await.unwrap(), pager.await.unwrap()];
        // an answer that takes a moment is more likely to be missed
        for reception in &receptions[1..] {
            reception.always(Some(Fault::Slow(Duration::from_millis(15))));
        }
        let home = Home::new(number);
        let nest = Self {
            number,
            home,
            receptions,
            got: Default::default(),
            dice,
            kills: 0,
            faults: 0,
            until_sent: Duration::from_millis(1300),
        };
        let often = "remind = { warning = \"20s\", critical = \"12s\", expired = \"30s\" }";
        let never = "remind = { warning = \"30d\", critical = \"30d\", expired = \"30d\" }";
        nest.home.configure("storm.toml", &nest.config(world, "8s", often));
        nest.home.configure("calm.toml", &nest.config(world, "4s", never));
        nest
    }

    fn config(&self, world: &World, max_age: &str, remind: &str) -> String {
        let [hook, chat, pager] = self.receptions.each_ref().map(Reception::base_url);
        let (account, base, listen, store) =
            (name(self.number), world.cloud.base_url(), &self.home.address, self.home.store());
        format!(
            "[poll]\nmax_age = \"{max_age}\"\nmin_interval = \"1s\"\ndiscover_every = \"1s\"\ntimeout = \"5s\"\n\
             [alert]\nthresholds = {{ info = \"3h\", warning = \"2h\", critical = \"1h\" }}\n{remind}\n\
             [[account]]\nname = \"{account}\"\nprovider = \"alibaba\"\nrate_limit = 200\nservices = [\"redis\", \"rds\"]\n\
             credentials = {{ access_key_id = \"{account}\", access_key_secret = \"{SECRET}\" }}\n\
             endpoints = {{ redis = \"{base}\", rds = \"{base}\" }}\n\
             [[channel]]\nname = \"hook\"\ntype = \"webhook\"\nrate = 6000\nurl = \"{hook}/hook\"\nsecret = \"{SIGNING}\"\n\
             [[channel]]\nname = \"chat\"\ntype = \"slack\"\nrate = 6000\nurl = \"{chat}/services/T0/B0/x\"\n\
             [[channel]]\nname = \"pager\"\ntype = \"pagerduty\"\nrate = 6000\nrouting_key = \"{PAGER_KEY}\"\nbase_url = \"{pager}\"\n\
             [[route]]\nchannels = [\"hook\", \"chat\", \"pager\"]\ngroup_wait = \"1s\"\n\
             [store]\nurl = \"{store}\"\n[web]\nlisten = [\"{listen}\"]\n"
        )
    }

    /// Lives and kills until there were enough.
    pub(crate) async fn storm(mut self, world: &World, budget: &Budget) -> Self {
        let mut tick = 0;
        while !budget.is_spent() {
            let running = self.home.run("storm.toml");
            self.live(world, &mut tick).await;
            assert!(running.kill(), "it ended by itself:\n{}", tail(&self.home.log()));
            self.kills += 1;
            budget.kills.fetch_add(1, Ordering::Relaxed);
            self.collect();
        }
        self
    }

    /// Waits for the moment of the kill: any time up to the first message, a moment after a message arrived, or any time
    /// around and after that.
    async fn live(&mut self, world: &World, tick: &mut u64) {
        let began = Instant::now();
        let first = millis(self.until_sent);
        let (deadline, after_sent) = match self.dice.below(8) {
            0..=1 => (self.dice.below(first), None),
            2..=5 => (millis(LONGEST), Some(Duration::from_micros(self.dice.below(25_000)))),
            6 => (first.saturating_sub(100) + self.dice.below(200), None),
            _ => (first + self.dice.below(2000), None),
        };
        let deadline = Duration::from_millis(deadline);
        let mut sent = None;
        let mut next_event = Duration::from_millis(self.dice.below(500));
        while began.elapsed() < deadline {
            if began.elapsed() >= next_event {
                *tick += 1;
                world.live(self.number, *tick, &mut self.dice);
                self.disturb();
                next_event += Duration::from_millis(400);
            }
            if sent.is_none() && self.has_got_something() {
                sent = Some(began.elapsed());
                self.until_sent = (self.until_sent * 3 + began.elapsed()) / 4;
            }
            if let (Some(_), Some(wait)) = (sent, after_sent) {
                tokio::time::sleep(wait).await;
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn has_got_something(&self) -> bool {
        self.receptions.iter().any(|reception| !reception.deliveries().is_empty())
    }

    /// The webhook is not to be relied upon.
    fn disturb(&mut self) {
        let [hook, chat, _] = &self.receptions;
        let (reception, fault) = match self.dice.below(8) {
            0 => (hook, Fault::status(500)),
            1 => (hook, Fault::ResetAfter),
            2 => (hook, Fault::ResetBefore),
            3 => (chat, Fault::ResetAfter),
            _ => return,
        };
        // one at a time, lest they pile up while nothing is sent
        if self.faults == 0 {
            reception.script([fault]);
            self.faults += 1;
        }
    }

    fn collect(&mut self) {
        for (got, reception) in self.got.iter_mut().zip(&self.receptions) {
            let deliveries = reception.deliveries();
            if deliveries.iter().any(|delivery| delivery.fault.is_some_and(|fault| fault != "slow")) {
                self.faults = 0;
            }
            got.extend(deliveries);
            reception.clear();
        }
    }

    /// Lets it run undisturbed until everything is told, and judges.
    pub(crate) async fn calm_down(mut self, world: &World) -> Account {
        for reception in &self.receptions {
            reception.forgive();
        }
        // what was delayed by failures is due at once: nobody has to wait for that here
        let store = Store::open(&self.home.store()).await.unwrap_or_else(|error| panic!("{error}"));
        for channel in CHANNELS {
            store.postpone(channel, Utc::now(), None).await.unwrap();
        }
        store.close().await;
        let running = self.home.run("calm.toml");
        let told = self.until_told(world).await;
        let moment = Utc::now();
        running.stop();
        self.collect();
        let store = Store::open(&self.home.store()).await.unwrap_or_else(|error| panic!("{error}"));
        let evidence = Evidence::gather(self.number, &store, &self.got, world, moment).await;
        store.close().await;
        let mut account = evidence.judge();
        let log = self.home.log();
        let again = log.matches("were under way at the last stop").count();
        account.summary = format!(
            "daemon {}: {} kills, {again} of them while sending, {}",
            self.number, self.kills, account.summary
        );
        if !told {
            account.problems.push(format!("not everything was told within {PATIENCE:?}:\n{}", tail(&log)));
        }
        account
    }

    /// What is true was read often enough since the storm, and then nothing waited for some seconds.
    async fn until_told(&self, world: &World) -> bool {
        let began = Instant::now();
        let (mut looks, mut quiet) = (Looks::default(), 0);
        while began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let Some(page) = self.home.page().await else { continue };
            looks.absorb(&page, &world.ends_of(self.number));
            let nothing_waits = CHANNELS.iter().all(|channel| {
                let line = format!("notafter_outbox_messages{{channel=\"{channel}\",state=\"queued\"}} 0\n");
                page.contains(&line)
            });
            quiet = if looks.are_enough() && nothing_waits { quiet + 1 } else { 0 };
            if quiet > 12 {
                return true;
            }
        }
        false
    }
}

/// How often each certificate was read since the page showed what is true: a renewal counts when it was read twice.
#[derive(Default)]
struct Looks(BTreeMap<String, BTreeSet<String>>);

impl Looks {
    fn absorb(&mut self, page: &str, ends: &BTreeMap<String, i64>) {
        let shown = values(page, "notafter_certificate_not_after_timestamp_seconds{");
        let is_true = |(id, end): (&String, &i64)| shown.get(id) == Some(&end.to_string());
        if shown.len() != ends.len() || !ends.iter().all(is_true) {
            self.0.clear();
            return;
        }
        for (id, moment) in values(page, "notafter_certificate_last_seen_timestamp_seconds{") {
            self.0.entry(id).or_default().insert(moment);
        }
    }

    fn are_enough(&self) -> bool {
        !self.0.is_empty() && self.0.values().all(|moments| moments.len() > 2)
    }
}

/// The values of a series, by resource.
fn values(page: &str, series: &str) -> BTreeMap<String, String> {
    let value = |line: &str| {
        let (_, rest) = line.strip_prefix(series)?.split_once("resource_id=\"")?;
        let (id, rest) = rest.split_once('"')?;
        Some((id.to_owned(), rest.rsplit_once(' ')?.1.to_owned()))
    };
    page.lines().filter_map(value).collect()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("seconds")
}

fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
