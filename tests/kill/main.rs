//! Nothing that was decided is ever lost: the real program, over a real store, is killed with SIGKILL again and again,
//! at its start, while it decides, commits, sends and settles. Afterwards everything that its receivers ever got is held
//! against the store and the clouds.
//!
//! Several daemons run side by side, each with an account, a store and receivers of its own: a decision takes a second of
//! life (`group_wait`), so one daemon alone cannot be killed more often than that.
//!
//! Usually a thousand kills, or as many as fit into two minutes. `NOTAFTER_KILLS=10000` takes as long as it
//! takes, `NOTAFTER_KILL_SEED` begins elsewhere; `tests/kill/run.sh` does both.

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

mod daemon;
mod dice;
mod nest;
mod verdict;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dice::Dice;
use nest::{Budget, Nest};
use world::World;

/// Side by side; most of the time each of them sleeps.
const DAEMONS: usize = 8;
/// So many are enough, unless the environment says otherwise.
const ENOUGH: usize = 1000;
/// How long they have for that.
const USUAL_TIME: Duration = Duration::from_mins(2);
/// A machine that does not get this far says nothing about crashes; two idle cores kill a thousand times within two
/// minutes, with a load of 15 they did so 157 times in 70 seconds.
const LEAST: usize = 200;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}: a number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_is_killed_at_any_moment_loses_nothing_and_tells_nothing_twice_under_two_names() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let seed = number("NOTAFTER_KILL_SEED").unwrap_or(1);
    let wanted = number("NOTAFTER_KILLS").map(|kills| usize::try_from(kills).expect("a number of kills"));
    let began = Instant::now();
    let budget = Arc::new(Budget {
        kills: AtomicUsize::new(0),
        enough: wanted.unwrap_or(ENOUGH),
        until: wanted.is_none().then(|| began + USUAL_TIME),
    });
    let world = Arc::new(World::start(DAEMONS, seed).await);
    let storms = (0..DAEMONS).map(|number| {
        let (world, budget) = (Arc::clone(&world), Arc::clone(&budget));
        tokio::spawn(async move {
            let nest = Nest::start(number, &world, Dice(seed ^ ((number as u64) << 32))).await;
            nest.storm(&world, &budget).await
        })
    });
    let mut nests = Vec::new();
    for storm in storms.collect::<Vec<_>>() {
        nests.push(storm.await.expect("no storm panics"));
    }
    let kills = budget.kills.load(Ordering::Relaxed);
    println!("{kills} kills in {:?}, seed {seed}", began.elapsed());
    let calm = nests.into_iter().map(|nest| {
        let world = Arc::clone(&world);
        tokio::spawn(async move { nest.calm_down(&world).await })
    });
    let mut problems = Vec::new();
    for calm in calm.collect::<Vec<_>>() {
        let account = calm.await.expect("no judge panics");
        println!("{}", account.summary);
        problems.extend(account.problems);
    }
    println!("all of it took {:?}", began.elapsed());
    let shown = problems.iter().take(20).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(problems.is_empty(), "{} problems, seed {seed}:\n{shown}", problems.len());
    assert!(kills >= wanted.unwrap_or(LEAST), "only {kills} kills");
}
