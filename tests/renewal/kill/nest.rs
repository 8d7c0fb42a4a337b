//! One daemon with its receiver: the storm of kills, and the calm after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use notafter::sim::receivers::webhook::Webhook;
use notafter::sim::receivers::{Delivery, Fault, Reception};
use notafter::store::Store;

use super::daemon::Home;
use super::verdict::{Figures, check_store, judge, told};
use super::world::{SECRET, World, is_new, name};
use crate::dice::Dice;

const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// A life without the moment that was waited for is no longer, on a machine however slow.
const LONGEST: Duration = Duration::from_secs(10);
/// After the storm everything has to be renewed and told within this.
const PATIENCE: Duration = Duration::from_mins(2);
/// What was written down so long ago and had no effect never will have one: the kill came before the call, or the call
/// was lost. It is read all the time.
const STUCK: TimeDelta = TimeDelta::seconds(8);
/// After the storm: nothing new for so long.
const QUIET: Duration = Duration::from_secs(9);

/// How many kills there are, and how many there shall be.
pub(super) struct Budget {
    pub(super) kills: AtomicUsize,
    pub(super) enough: usize,
    pub(super) until: Option<Instant>,
}

impl Budget {
    fn is_spent(&self) -> bool {
        self.kills.load(Ordering::Relaxed) >= self.enough
            || self.until.is_some_and(|until| Instant::now() > until)
    }
}

/// For what a kill waits.
enum Moment {
    /// So many calls, and then so long.
    Call(usize, Duration),
    /// A message, and then so long.
    Message(Duration),
    /// That this has passed.
    Time(Duration),
}

/// A daemon, its store, its receiver.
pub(super) struct Nest {
    number: usize,
    home: Home,
    reception: Reception,
    got: Vec<Delivery>,
    dice: Dice,
    /// So many calls had been seen when a fault was put in the way of the next one.
    disturbed: Option<usize>,
    figures: Figures,
}

impl Nest {
    pub(super) async fn start(number: usize, world: &World, dice: Dice) -> Self {
        let reception = Reception::start(Arc::new(Webhook::notafter(&[SIGNING])), Utc::now).await.unwrap();
        // on addresses of its own, since the other test that kills may run at the same time
        let home = Home::new(100 + number);
        home.configure("config.toml", &config(&name(number), &world.cloud.base_url(), &home, &reception));
        let figures = Figures { name: name(number), ..Figures::default() };
        Self { number, home, reception, got: Vec::new(), dice, disturbed: None, figures }
    }

    /// Lives and kills until there were enough.
    pub(super) async fn storm(mut self, world: &World, budget: &Budget) -> Self {
        while !budget.is_spent() {
            world.fill_up(self.number, &mut self.dice);
            self.disturb(world);
            let running = self.home.run("config.toml");
            self.live(world).await;
            assert!(running.kill(), "it ended by itself:\n{}", tail(&self.home.log()));
            let killed = Utc::now();
            self.figures.kills += 1;
            budget.kills.fetch_add(1, Ordering::Relaxed);
            let last = world.calls(self.number).last().map(|call| call.at);
            let just = last.is_some_and(|at| killed - at < TimeDelta::milliseconds(100));
            self.figures.just_after += usize::from(just);
            self.collect();
            // the other half is for the daemon to recover
            if self.dice.one_in(2) {
                self.look_into_the_store(world).await;
            }
        }
        self
    }

    async fn look_into_the_store(&mut self, world: &World) {
        let store = Store::open(&self.home.store()).await.unwrap_or_else(|error| panic!("{error}"));
        let attempts = store.attempts(Utc::now()).await.unwrap_or_else(|error| panic!("{error}"));
        self.figures.problems.extend(check_store(&world.calls(self.number), &attempts));
        let open = attempts.iter().filter(|attempt| attempt.state.is_open());
        for attempt in open.filter(|attempt| attempt.stored_at.is_some_and(|at| Utc::now() - at > STUCK)) {
            // a person renews it in the console, lest all of them are read again and again; that is confirmed, too
            world.renew_by_hand(&attempt.key.resource.resource_id);
        }
        store.close().await;
    }

    /// Waits for the moment of the kill: mostly right after the cloud saw a call, else after a message (that it is
    /// planned, begun, done), else at any time.
    async fn live(&mut self, world: &World) {
        let (began, calls) = (Instant::now(), world.calls(self.number).len());
        let micros = |dice: &mut Dice, end| Duration::from_micros(dice.below(end));
        let moment = match self.dice.below(10) {
            0..=4 => Moment::Call(1, micros(&mut self.dice, 30_000)),
            5 => Moment::Call(2, micros(&mut self.dice, 3_000_000)),
            6..=7 => Moment::Message(micros(&mut self.dice, 30_000)),
            _ => Moment::Time(micros(&mut self.dice, 5_000_000)),
        };
        while began.elapsed() < LONGEST {
            let after = match moment {
                Moment::Call(count, after) if world.calls(self.number).len() >= calls + count => after,
                Moment::Message(after) if !self.reception.deliveries().is_empty() => after,
                Moment::Time(time) if began.elapsed() >= time => Duration::ZERO,
                _ => {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    continue;
                }
            };
            return tokio::time::sleep(after).await;
        }
    }

    /// Neither the cloud nor the receiver is to be relied upon. One fault of a kind at a time, lest they pile up.
    fn disturb(&mut self, world: &World) {
        let calls = world.calls(self.number).len();
        if self.disturbed.is_none_or(|before| calls > before) && self.dice.one_in(3) {
            world.disturb(self.number, &mut self.dice);
            self.disturbed = Some(calls);
        }
        let faults = [Fault::status(500), Fault::ResetAfter, Fault::ResetBefore];
        if self.dice.one_in(4) {
            self.reception.forgive();
            self.reception.script([faults[usize::try_from(self.dice.below(3)).unwrap()].clone()]);
        }
    }

    fn collect(&mut self) {
        self.got.extend(self.reception.deliveries());
        self.reception.clear();
    }

    /// Lets it run undisturbed until everything is renewed and told, and judges.
    pub(super) async fn calm_down(mut self, world: &World) -> Figures {
        self.reception.forgive();
        world.cloud.clear_faults();
        // what was delayed by failures is due at once: nobody has to wait for that here
        let store = Store::open(&self.home.store()).await.unwrap_or_else(|error| panic!("{error}"));
        store.postpone("hook", Utc::now(), None).await.unwrap();
        store.close().await;
        let running = self.home.run("config.toml");
        let done = self.until_done(world).await;
        running.stop();
        self.collect();
        let store = Store::open(&self.home.store()).await.unwrap_or_else(|error| panic!("{error}"));
        let attempts = store.attempts(Utc::now()).await.unwrap();
        store.close().await;
        let calls = world.calls(self.number);
        judge(&calls, &attempts, &self.got, &world.instances(self.number), &mut self.figures);
        if !done {
            let log = tail(&self.home.log());
            self.figures.problems.push(format!("not everything was told within {PATIENCE:?}:\n{log}"));
        }
        self.figures
    }

    /// Each instance that was renewed is told so, and nothing more is sent.
    async fn until_done(&mut self, world: &World) -> bool {
        let (began, mut last, mut since) = (Instant::now(), 0, Instant::now());
        while began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(500)).await;
            self.collect();
            let told = told(&self.got);
            let instances = world.instances(self.number);
            let renewed: Vec<_> = instances.iter().filter(|(_, end)| is_new(*end)).collect();
            let news = world.calls(self.number).len() + renewed.len() + told.len();
            if news != last {
                (last, since) = (news, Instant::now());
            }
            if since.elapsed() > QUIET && renewed.iter().all(|(id, _)| told.contains_key(id)) {
                return true;
            }
        }
        false
    }
}

/// A window around now, over midnight where that is near; everything is allowed, and hardly anything is waited for.
fn config(account: &str, base: &str, home: &Home, reception: &Reception) -> String {
    let hour = |hours: i64| (Utc::now() + TimeDelta::hours(hours)).format("%H:%M").to_string();
    let (from, to, listen, store) = (hour(-6), hour(6), &home.address, home.store());
    let hook = reception.base_url();
    let rule = |service: &str| {
        format!(
            "[[renewal.allow]]\nmatch = 'cloud_service=\"{service}\"'\n\
             window = {{ timezone = \"UTC\", from = \"{from}\", to = \"{to}\" }}\n"
        )
    };
    let rules: String = ["redis", "rds", "mongodb"].map(rule).concat();
    format!(
        "[poll]\nmax_age = \"8s\"\nmin_interval = \"3s\"\ndiscover_every = \"1s\"\ntimeout = \"3s\"\n\
         [alert]\nthresholds = {{ info = \"3h\", warning = \"2h\", critical = \"1h\" }}\n\
         [[account]]\nname = \"{account}\"\nprovider = \"alibaba\"\nrate_limit = 200\n\
         services = [\"redis\", \"rds\", \"mongodb\"]\n\
         credentials = {{ access_key_id = \"{account}\", access_key_secret = \"{SECRET}\" }}\n\
         endpoints = {{ redis = \"{base}\", rds = \"{base}\", mongodb = \"{base}\" }}\n\
         [[channel]]\nname = \"hook\"\ntype = \"webhook\"\nrate = 6000\nurl = \"{hook}/hook\"\nsecret = \"{SIGNING}\"\n\
         [[route]]\nchannels = [\"hook\"]\ngroup_wait = \"1s\"\n\
         [renewal]\nmode = \"auto\"\nbefore = \"60d\"\nannounce = \"1s\"\nmax_in_progress = 1000\nmax_per_day = 100000\n\
         stop_after_failures = 1000\n{rules}\
         [store]\nurl = \"{store}\"\n[web]\nlisten = [\"{listen}\"]\n"
    )
}

fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
