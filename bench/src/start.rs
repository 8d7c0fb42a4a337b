//! P16: size of the program, and how long it takes to its first answer without state.
//!
//! `start PROGRAM ROUNDS`

use std::time::{Duration, Instant};

use crate::child::{Child, get};
use crate::daemon::{Daemon, account};
use crate::table::{median, ms, verdict};

pub fn main(arguments: &[&str]) {
    let [program, rounds] = *arguments else { panic!("see bench/run") };
    let size = std::fs::metadata(program).expect("built").len() as f64 / 1e6;
    verdict("P16", "size of the stripped program (profile `dist`)", size, 16.0, "MB");
    let api = Child::role(&["api", "0"]);
    let accounts = account(
        "bench",
        "LTAIbench",
        &format!("http://{}", api.address),
        &["cn-hangzhou"],
        "services = [\"redis\"]",
    );
    let mut times = Vec::new();
    for _ in 0..crate::number(rounds) {
        let started = Instant::now();
        let daemon = Daemon::start(program, &accounts, None);
        daemon.wait();
        get(&daemon.child.address, "/metrics", true);
        times.push(ms(started.elapsed()));
        drop(daemon);
        std::thread::sleep(Duration::from_millis(20));
    }
    verdict("P16", "from exec to the first whole answer of /metrics", median(times), 50.0, "ms");
}
