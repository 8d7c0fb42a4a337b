//! The loop under a paused clock, over a provider that behaves as a test says. No socket is involved.

use std::collections::HashMap;
use std::sync::Mutex;

use chrono::TimeDelta;
use tokio::time::Instant;

use super::*;
use crate::call::{CallError, CallErrorKind};
use crate::domain::absence::Named;
use crate::domain::listing::{Inspection, Listing, ScopeList};
use crate::domain::reason::Reason;
use crate::domain::testing::{certificate, listing, moment, reading};
use crate::http::Rate;
use crate::provider::{BoxFuture, Calls, Provider};
use crate::shutdown::Stop;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// A fake account that treats one of its regions in its own way.
impl Fake {
    fn with_region(self: &Arc<Self>, region: &'static str, behaviour: Behaviour) -> Arc<Self> {
        *self.special.lock().expect("not poisoned") = Some((region, behaviour));
        Arc::clone(self)
    }
}

/// What a fake account does when asked.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Behaviour {
    Well,
    Hangs,
    Fails(CallErrorKind),
    /// Lists well, and refuses details.
    DetailsFail(CallErrorKind),
}

#[derive(Debug)]
struct Fake {
    account: &'static str,
    resources: usize,
    behaviour: Mutex<Behaviour>,
    special: Mutex<Option<(&'static str, Behaviour)>>,
    /// When which call was made, on the paused clock.
    calls: Mutex<Vec<(Duration, String)>>,
    clock: Clock,
}

impl Fake {
    fn new(account: &'static str, resources: usize, behaviour: Behaviour, clock: &Clock) -> Arc<Self> {
        let (behaviour, calls) = (Mutex::new(behaviour), Mutex::default());
        Arc::new(Self {
            account,
            resources,
            behaviour,
            special: Mutex::default(),
            calls,
            clock: clock.clone(),
        })
    }

    fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().expect("not poisoned") = behaviour;
    }

    fn calls(&self) -> Vec<(Duration, String)> {
        self.calls.lock().expect("not poisoned").clone()
    }

    async fn ask(&self, what: String) -> Result<(), CallError> {
        let (detail, region_of) = (what.starts_with("r-"), what.clone());
        self.calls.lock().expect("not poisoned").push((self.clock.elapsed(), what));
        tokio::time::sleep(Duration::from_millis(50)).await;
        let special =
            self.special.lock().expect("not poisoned").filter(|(region, _)| region_of.contains(region));
        let behaviour =
            special.map_or(*self.behaviour.lock().expect("not poisoned"), |(_, behaviour)| behaviour);
        match behaviour {
            Behaviour::Hangs => {
                tokio::time::sleep(Duration::from_secs(15)).await;
                Err(CallError::new(CallErrorKind::Timeout, "fake:Call", "silence"))
            }
            Behaviour::Fails(kind) => Err(CallError::new(kind, "fake:Call", "as told")),
            Behaviour::DetailsFail(kind) if detail => Err(CallError::new(kind, "fake:Call", "as told")),
            Behaviour::DetailsFail(_) | Behaviour::Well => Ok(()),
        }
    }
}

impl Provider for Fake {
    fn configured_scopes(&self, service: &str) -> Option<Vec<Scope>> {
        let scope = |region: &str| Scope {
            provider: "fake".into(),
            account: self.account.into(),
            project: "".into(),
            region: region.into(),
            service: service.into(),
        };
        Some(vec![scope("one"), scope("two")])
    }

    fn scopes<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<ScopeList, CallError>> {
        unreachable!("the scopes are configured")
    }

    fn named(&self) -> Named {
        Named { regions: true, projects: true }
    }

    fn discover<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Listing, CallError>> {
        Box::pin(async move {
            self.ask(format!("list {}", scope.region)).await?;
            let ids: Vec<String> =
                (0..self.resources).map(|n| format!("r-{}-{n:04}", scope.region)).collect();
            Ok(listing(&ids.iter().map(String::as_str).collect::<Vec<_>>()))
        })
    }

    fn inspect<'a>(&'a self, _: &'a Scope, id: &'a str) -> BoxFuture<'a, Result<Inspection, CallError>> {
        Box::pin(async move {
            self.ask(id.to_owned()).await?;
            let mut read = reading(vec![certificate(moment() + TimeDelta::days(365))]);
            read.at = self.clock.now();
            Ok(Inspection::Read(read))
        })
    }

    fn calls(&self, _: &str) -> Calls {
        Calls { listing: &["fake:Call"], ..Calls::default() }
    }

    fn clock_ahead(&self) -> Option<TimeDelta> {
        None
    }

    fn rates(&self) -> Vec<Rate> {
        vec![]
    }

    fn inspect_rate(&self, _: &Scope) -> f64 {
        10.0
    }
}

fn paused_clock() -> Clock {
    let start = Instant::now();
    Clock::with_wall(move || moment() + TimeDelta::from_std(start.elapsed()).expect("in range"))
}

fn account(fake: &Arc<Fake>) -> Account {
    Account {
        name: fake.account.into(),
        provider_name: "fake".into(),
        services: vec!["redis"],
        provider: Arc::clone(fake) as Arc<dyn Provider>,
        filter: Filter::default(),
    }
}

/// Runs the loop over these accounts for a while; returns the last snapshot.
async fn run_for(time: Duration, fakes: &[&Arc<Fake>], clock: &Clock) -> Arc<Snapshot> {
    let accounts = fakes.iter().map(|fake| account(fake)).collect();
    let telemetry = Arc::new(Telemetry::new());
    let poller = Poller::new(accounts, PollPolicy::default(), Mode::Continuous, clock.clone(), telemetry);
    let (stop, snapshots) = (Stop::new(), poller.snapshots());
    let running = tokio::spawn(poller.run(stop.listener()));
    tokio::time::sleep(time).await;
    stop.request();
    running.await.expect("ends well");
    Arc::clone(&snapshots.borrow())
}

#[tokio::test(start_paused = true)]
async fn an_account_that_leaves_takes_its_counters_along_and_one_that_is_made_anew_keeps_them() {
    let clock = paused_clock();
    let fakes = ["stays", "anew", "leaves"].map(|name| Fake::new(name, 1, Behaviour::Well, &clock));
    let anew = Fake::new("anew", 1, Behaviour::Well, &clock);
    let telemetry = Arc::new(Telemetry::new());
    let accounts = fakes.iter().map(account).collect();
    let (clock, counts) = (clock.clone(), Arc::clone(&telemetry));
    let poller = Poller::new(accounts, PollPolicy::default(), Mode::Continuous, clock, counts);
    let (stop, changes) = (Stop::new(), poller.changes());
    let running = tokio::spawn(poller.run(stop.listener()));
    tokio::time::sleep(MINUTE).await;
    for fake in &fakes {
        telemetry.call("fake", fake.account, "fake:Call", Duration::ZERO);
    }
    changes.apply(vec![account(&fakes[0]), account(&anew)], PollPolicy::default()).await;
    let text = telemetry.text();
    let calls = text.of("notafter_api_requests_total").unwrap_or_default();
    for (name, want) in [("stays", true), ("anew", true), ("leaves", false)] {
        let one = format!("cloud_account=\"{name}\",cloud_provider=\"fake\"}} 1\n");
        assert_eq!(calls.contains(&one), want, "{name}:\n{calls}");
    }
    stop.request();
    running.await.expect("ends well");
}

#[tokio::test(start_paused = true)]
async fn every_certificate_is_seen_within_max_age_for_two_days() {
    let clock = paused_clock();
    let fake = Fake::new("well", 300, Behaviour::Well, &clock);
    let snapshot = run_for(48 * HOUR, &[&fake], &clock).await;
    assert_eq!(snapshot.resources().count(), 600);
    let mut looks: HashMap<String, Vec<Duration>> = HashMap::new();
    for (at, what) in fake.calls().into_iter().filter(|(_, what)| what.starts_with("r-")) {
        looks.entry(what).or_default().push(at);
    }
    for (id, times) in &looks {
        let longest = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().expect("many looks");
        assert!(longest <= 6 * HOUR + MINUTE, "{id} was not looked at for {longest:?}");
        assert!((8..=11).contains(&times.len()), "{id}: {} looks in 48 h", times.len());
    }
}

#[tokio::test(start_paused = true)]
async fn the_load_is_even_after_the_first_round() {
    let clock = paused_clock();
    let fake = Fake::new("well", 3000, Behaviour::Well, &clock);
    run_for(24 * HOUR, &[&fake], &clock).await;
    let mut minutes = vec![0_u32; 24 * 60];
    for (at, _) in fake.calls().iter().filter(|(_, what)| what.starts_with("r-")) {
        minutes[usize::try_from(at.as_secs() / 60).expect("small").min(24 * 60 - 1)] += 1;
    }
    let later = &minutes[60..];
    let mean = f64::from(later.iter().sum::<u32>()) / f64::from(u32::try_from(later.len()).expect("small"));
    let busiest = f64::from(later.iter().copied().max().unwrap_or(0));
    assert!(busiest <= mean * 2.5, "busiest minute {busiest}, mean {mean}: random spread allows about 2.2");
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_is_used_once_then_at_most_five_times_a_minute_and_others_go_on() {
    let clock = paused_clock();
    let refused = Fake::new("refused", 10, Behaviour::Fails(CallErrorKind::KeyDenied), &clock);
    let well = Fake::new("well", 10, Behaviour::Well, &clock);
    let snapshot = run_for(HOUR, &[&refused, &well], &clock).await;
    let calls = refused.calls();
    assert_eq!(
        calls.iter().filter(|(at, _)| *at < Duration::from_secs(14)).count(),
        1,
        "one call, then silence"
    );
    for (start, _) in &calls {
        let in_a_minute = calls.iter().filter(|(at, _)| (*start..*start + MINUTE).contains(at)).count();
        assert!(in_a_minute <= 5, "{in_a_minute} calls in a minute");
    }
    assert!(calls.len() > 10, "it is probed again: {}", calls.len());
    let down = snapshot.scopes.iter().filter(|(scope, _)| &*scope.account == "refused");
    for (scope, view) in down {
        assert_eq!(view.failure().map(|failure| failure.reason), Some(Reason::Denied), "{scope}");
    }
    assert!(snapshot.is_ready());
    assert!(well.calls().len() > 20);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_accepted_again_has_its_scopes_listed_at_once() {
    let clock = paused_clock();
    let fake = Fake::new("again", 5, Behaviour::Fails(CallErrorKind::KeyDenied), &clock);
    let healer = Arc::clone(&fake);
    tokio::spawn(async move {
        tokio::time::sleep(10 * MINUTE).await;
        healer.behave(Behaviour::Well);
    });
    let snapshot = run_for(16 * MINUTE, &[&fake], &clock).await;
    assert!(snapshot.scopes.values().all(|view| view.is_up()), "{:?}", snapshot.scopes.values().next());
    assert_eq!(snapshot.resources().filter(|(_, resource)| resource.reading.is_some()).count(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_account_does_not_delay_another() {
    let clock = paused_clock();
    let hanging = Fake::new("hanging", 500, Behaviour::Hangs, &clock);
    let well = Fake::new("well", 100, Behaviour::Well, &clock);
    let snapshot = run_for(MINUTE, &[&hanging, &well], &clock).await;
    let read =
        snapshot.resources().filter(|(scope, r)| &*scope.account == "well" && r.reading.is_some()).count();
    assert_eq!(read, 200);
}

#[tokio::test(start_paused = true)]
async fn details_that_lack_a_permission_stop_after_the_first_and_listing_goes_on() {
    let clock = paused_clock();
    let kind = CallErrorKind::PermissionDenied;
    let fake = Fake::new("narrow", 100, Behaviour::DetailsFail(kind), &clock);
    let snapshot = run_for(5 * MINUTE, &[&fake], &clock).await;
    let details = fake.calls().iter().filter(|(_, what)| what.starts_with("r-")).count();
    assert!(details <= 2 * 11 + 2 * 6, "{details}: those under way together, then probes");
    assert_eq!(snapshot.resources().count(), 200, "the listing is kept");
    assert!(snapshot.scopes.values().all(|view| !view.is_up()));
}

#[tokio::test(start_paused = true)]
async fn throttled_looks_come_back_without_being_lost() {
    let clock = paused_clock();
    let fake = Fake::new("slow", 20, Behaviour::DetailsFail(CallErrorKind::Throttled(None)), &clock);
    let healer = Arc::clone(&fake);
    tokio::spawn(async move {
        tokio::time::sleep(MINUTE).await;
        healer.behave(Behaviour::Well);
    });
    let snapshot = run_for(3 * MINUTE, &[&fake], &clock).await;
    assert!(
        snapshot.resources().all(|(_, resource)| resource.reading.is_some() && resource.failure.is_none())
    );
}

#[tokio::test(start_paused = true)]
async fn one_round_ends_by_itself_and_looks_at_everything_once() {
    let clock = paused_clock();
    let (well, refused) = (
        Fake::new("well", 50, Behaviour::Well, &clock),
        Fake::new("refused", 50, Behaviour::Fails(CallErrorKind::KeyDenied), &clock),
    );
    let accounts = vec![account(&well), account(&refused)];
    let (policy, mode) = (PollPolicy::default(), Mode::Once { only: None });
    let poller = Poller::new(accounts, policy, mode, clock, Arc::new(Telemetry::new()));
    let snapshots = poller.snapshots();
    let stop = Stop::new();
    tokio::time::timeout(HOUR, poller.run(stop.listener())).await.expect("it ends");
    assert_eq!(well.calls().len(), 102);
    assert_eq!(refused.calls().len(), 1);
    assert_eq!(
        snapshots.borrow().resources().filter(|(_, resource)| resource.reading.is_some()).count(),
        100
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_overdue_after_a_restart_is_asked_one_by_one_and_the_rest_when_planned() {
    let clock = paused_clock();
    let fake = Fake::new("again", 100, Behaviour::Well, &clock);
    let mut restored = run_for(MINUTE, &[&fake], &clock).await.as_ref().clone();
    fake.calls.lock().expect("not poisoned").clear();
    let now = clock.elapsed();
    let ids: Vec<_> = restored.resources().map(|(scope, r)| (Arc::clone(scope), Arc::clone(&r.id))).collect();
    for (n, (scope, id)) in ids.iter().enumerate() {
        let due = if n % 2 == 0 { Duration::ZERO } else { now + 2 * MINUTE };
        restored.scope_mut(scope).plan(id, due);
    }
    let poller = Poller::resumed(
        vec![account(&fake)],
        PollPolicy::default(),
        Mode::Continuous,
        clock.clone(),
        Arc::new(Telemetry::new()),
        restored,
    );
    assert!(poller.snapshots().borrow().is_ready());
    let stop = Stop::new();
    let running = tokio::spawn(poller.run(stop.listener()));
    tokio::time::sleep(MINUTE).await;
    stop.request();
    running.await.expect("it ends well");
    let calls: Vec<_> = fake.calls().into_iter().map(|(at, _)| at.saturating_sub(now)).collect();
    assert_eq!(calls.len(), 100, "no listing, no look that is planned for later");
    let in_first = |seconds| calls.iter().filter(|at| **at < Duration::from_secs(seconds)).count();
    // two scopes, ten calls a second each
    assert!((18..=22).contains(&in_first(1)) && (96..=100).contains(&in_first(5)), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn one_region_that_refuses_the_key_neither_blinds_nor_hammers_the_account() {
    for region in ["one", "two"] {
        let clock = paused_clock();
        let fake = Fake::new("mixed", 20, Behaviour::Well, &clock);
        let fake = fake.with_region(region, Behaviour::Fails(CallErrorKind::KeyDenied));
        let snapshot = run_for(12 * HOUR, &[&fake], &clock).await;
        for (scope, view) in &snapshot.scopes {
            assert_eq!(view.is_up(), &*scope.region != region, "{scope}: {:?}", view.failure());
        }
        let refused = fake.calls().iter().filter(|(_, what)| what.contains(region)).count();
        assert!(refused <= 12 * 2 + 10, "{refused} calls to the region that refuses");
    }
}

#[tokio::test(start_paused = true)]
async fn data_is_fresh_again_soon_after_a_long_outage() {
    let clock = paused_clock();
    let fake = Fake::new("outage", 50, Behaviour::Well, &clock);
    let story = Arc::clone(&fake);
    tokio::spawn(async move {
        tokio::time::sleep(8 * HOUR).await;
        story.behave(Behaviour::Fails(CallErrorKind::Unreachable));
        tokio::time::sleep(5 * HOUR).await;
        story.behave(Behaviour::Well);
    });
    let snapshot = run_for(14 * HOUR + 30 * MINUTE, &[&fake], &clock).await;
    let oldest =
        snapshot.resources().filter_map(|(_, resource)| resource.reading.as_ref()).map(|r| r.at).min();
    let age = clock.now() - oldest.expect("read");
    assert!(age <= TimeDelta::hours(6), "an hour and a half after the outage the oldest data is {age} old");
}

#[tokio::test(start_paused = true)]
async fn a_proxy_in_between_does_not_open_the_gate() {
    let clock = paused_clock();
    let fake = Fake::new("proxied", 30, Behaviour::Fails(CallErrorKind::Unreadable), &clock);
    let story = Arc::clone(&fake);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(60)).await;
        story.behave(Behaviour::Fails(CallErrorKind::KeyDenied));
    });
    run_for(MINUTE, &[&fake], &clock).await;
    let calls = fake.calls().len();
    assert!(calls <= 5, "{calls} calls in the first minute, though nobody accepted the key");
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_for_a_scope_that_is_gone_does_not_bring_it_back() {
    let clock = paused_clock();
    let fake = Fake::new("gone", 3, Behaviour::Well, &clock);
    let telemetry = Arc::new(Telemetry::new());
    let (policy, mode) = (PollPolicy::default(), Mode::Continuous);
    let mut poller = Poller::new(vec![account(&fake)], policy, mode, clock, Arc::clone(&telemetry));
    let scope = Arc::clone(&poller.scopes[0].scope);
    let denied = || CallError::new(CallErrorKind::KeyDenied, "fake:Call", "as told");
    poller.let_go(0, "as told");
    let looks = [
        (Look::Listing { scope: 0 }, Done::Listing(Ok(listing(&["r-1"])))),
        (Look::Listing { scope: 0 }, Done::Listing(Err(denied()))),
        (Look::Detail { scope: 0, id: "r-1".into() }, Done::Detail(Ok(Inspection::Gone))),
        (Look::Detail { scope: 0, id: "r-1".into() }, Done::Detail(Err(denied()))),
        (Look::Listing { scope: 0 }, Done::Panicked),
    ];
    for (look, done) in looks {
        let name = format!("{look:?} {done:?}");
        let lane = poller.lanes.iter().find(|owner| owner.account == 0).expect("lanes").lane;
        let task = tokio::spawn(async {}).abort_handle();
        poller.fold(Started { lane, look, at: Duration::ZERO, task }, done);
        assert!(!poller.snapshot.scopes.contains_key(&scope), "{name}");
        let text = telemetry.text();
        let rounds = text.of("notafter_scope_rounds_total").unwrap_or_default();
        assert!(!rounds.contains("cloud_region=\"one\""), "{name}: {rounds}");
    }
    assert!(!poller.is_current(&Look::Listing { scope: 0 }, Duration::ZERO), "nor is it looked at again");
    poller.bring_back(0);
    assert!(poller.snapshot.scopes.contains_key(&scope) && !poller.scopes[0].gone);
}
