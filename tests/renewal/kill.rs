//! No renewal is ever sent twice, and none unless it was written down: the real program, over a real store, is killed with
//! SIGKILL again and again, most often within a moment after the cloud saw a Modify. Afterwards everything that the cloud
//! saw is held against the store and against what people were told.
//!
//! Several daemons run side by side, each with an account, a store and a receiver of its own: between two calls of one
//! daemon lie two seconds.
//!
//! Usually as many kills as fit into half a minute. `NOTAFTER_RENEWAL_KILLS=1000` takes as long as it takes,
//! `NOTAFTER_RENEWAL_KILL_SEED` begins elsewhere; `tests/renewal/kills.sh` does both.

#[path = "../kill/daemon.rs"]
#[allow(dead_code)] // the other test looks at metrics, too
mod daemon;
#[path = "kill/nest.rs"]
mod nest;
#[path = "kill/verdict.rs"]
mod verdict;
#[path = "kill/world.rs"]
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nest::{Budget, Nest};
use verdict::Figures;
use world::World;

use crate::dice::Dice;

/// Side by side; most of the time each of them sleeps.
const DAEMONS: usize = 6;
/// How long the storm lasts.
const USUAL_TIME: Duration = Duration::from_secs(28);
/// A machine that does not get this far says nothing about crashes.
const LEAST_KILLS: usize = 20;
/// The same of calls, and of kills in the moment after one.
const LEAST_CALLS: usize = 15;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}: a number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_is_killed_at_any_moment_sends_nothing_twice_and_nothing_unwritten() {
    crate::common::crypto();
    let seed = number("NOTAFTER_RENEWAL_KILL_SEED").unwrap_or(1);
    let wanted = number("NOTAFTER_RENEWAL_KILLS").map(|kills| usize::try_from(kills).unwrap());
    let began = Instant::now();
    let budget = Arc::new(Budget {
        kills: AtomicUsize::new(0),
        enough: wanted.unwrap_or(usize::MAX),
        until: wanted.is_none().then(|| began + USUAL_TIME),
    });
    let world = Arc::new(World::start(DAEMONS).await);
    let lives = (0..DAEMONS).map(|number| {
        let (world, budget) = (Arc::clone(&world), Arc::clone(&budget));
        let dice = Dice::new((seed << 8 | number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        tokio::spawn(async move {
            let nest = Nest::start(number, &world, dice).await;
            nest.storm(&world, &budget).await.calm_down(&world).await
        })
    });
    let mut figures = Figures::default();
    for life in lives.collect::<Vec<_>>() {
        let found = life.await.expect("no judge panics");
        println!("{found}");
        figures.add(found);
    }
    println!("together: {figures}, seed {seed}, {:?}", began.elapsed());
    let shown = figures.problems.iter().take(20).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(figures.problems.is_empty(), "{} problems, seed {seed}:\n{shown}", figures.problems.len());
    let kills = budget.kills.load(Ordering::Relaxed);
    assert!(kills >= wanted.unwrap_or(LEAST_KILLS), "only {kills} kills");
    assert!(figures.calls >= LEAST_CALLS, "only {} calls", figures.calls);
    assert!(figures.just_after * 3 >= kills.min(LEAST_KILLS), "hardly any kill came just after a call");
    assert!(figures.confirmed * 2 > figures.calls, "hardly anything was confirmed");
}
