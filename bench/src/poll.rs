//! P6, P7 and P8: what polling costs in processor time and memory.
//!
//! `poll cost PROGRAM CALLS ROUNDS [SDK-PYTHON SDK-SCRIPT]` and `poll memory PROGRAM RESOURCES...`

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::child::{Child, get};
use crate::daemon::{Daemon, account};
use crate::table::{median, row, short, verdict};

/// The official SDK is slow: so many calls tell enough.
const SDK_CALLS: usize = 2000;

pub fn main(arguments: &[&str]) {
    match *arguments {
        ["cost", program, calls, rounds] => cost(program, crate::number(calls), crate::number(rounds), None),
        ["cost", program, calls, rounds, python, script] => {
            cost(program, crate::number(calls), crate::number(rounds), Some((python, script)));
        }
        ["memory", program, ref sizes @ ..] => {
            idle(program);
            for size in sizes {
                memory(program, crate::number(size));
            }
        }
        _ => panic!("see bench/run"),
    }
}

/// Microseconds of processor time a call, and microseconds of wall time a call on one core.
#[derive(Default)]
struct Costs {
    cpu: Vec<f64>,
    wall: Vec<f64>,
}

fn cost(program: &str, calls: usize, rounds: usize, sdk: Option<(&str, &str)>) {
    let mut api = Child::role_on("1", &["api", &calls.to_string()]);
    let (mut ours, mut bare) = (Costs::default(), Costs::default());
    for _ in 0..rounds {
        daemon_once(program, &mut api, calls, &mut ours);
        bare_once(&mut api, calls, &mut bare);
    }
    let (cpu, wall) = (median(ours.cpu), median(ours.wall));
    let (bare_cpu, bare_wall) = (median(bare.cpu), median(bare.wall));
    let each =
        |cpu, wall| format!("{} µs CPU a call, {} µs wall a call on one core", short(cpu), short(wall));
    row("", &format!("the daemon, listing and {calls} detail calls"), &each(cpu, wall));
    row("", &format!("– bare reqwest loop, {calls} calls"), &each(bare_cpu, bare_wall));
    verdict("P7", "poll, all included: CPU against a bare reqwest loop", cpu / bare_cpu, 2.0, "x");
    if let Some((python, script)) = sdk {
        let sdk = sdk_once(&api, python, script);
        row(
            "",
            &format!("– official Python SDK, {SDK_CALLS} calls"),
            &format!("{} µs CPU a call", short(sdk)),
        );
        verdict("P7", "poll, all included: CPU against the official Python SDK", cpu / sdk, 0.1, "x");
    }
    let whole = wall * 1e5 / 1e6;
    verdict("P8", "100,000 calls against an immediate API, daemon on one core", whole, 10.0, "s");
}

fn daemon_once(program: &str, api: &mut Child, calls: usize, costs: &mut Costs) {
    api.ask("reset");
    let url = format!("http://{}", api.address);
    let accounts = account("bench", "LTAIbench", &url, &["cn-hangzhou"], "services = [\"redis\"]");
    let daemon = Daemon::start(program, &accounts, Some("0"));
    let started = Instant::now();
    wait_for(api, calls);
    // The last results are folded in and published.
    sleep(Duration::from_millis(300));
    costs.cpu.push(daemon.child.cpu().as_secs_f64() * 1e6 / calls as f64);
    costs.wall.push((started.elapsed().as_secs_f64() - 0.3) * 1e6 / calls as f64);
}

fn wait_for(api: &mut Child, calls: usize) {
    let (mut before, mut since) = (0, Instant::now());
    loop {
        let done = api.number("details");
        if done >= calls as u64 {
            return;
        }
        if done > before {
            (before, since) = (done, Instant::now());
        }
        assert!(since.elapsed() < Duration::from_mins(2), "nothing happens after {done} calls");
        sleep(Duration::from_millis(10));
    }
}

fn bare_once(api: &mut Child, calls: usize, costs: &mut Costs) {
    let url = format!("http://{}/?InstanceId=r-bp1zxszhcgatnx&RegionId=cn-hangzhou", api.address);
    let mut bare = Child::role_on("0", &["bare", &url, &calls.to_string()]);
    let (cpu, started) = (bare.cpu(), Instant::now());
    bare.ask("go");
    costs.wall.push(started.elapsed().as_secs_f64() * 1e6 / calls as f64);
    costs.cpu.push((bare.cpu() - cpu).as_secs_f64() * 1e6 / calls as f64);
}

/// Prints microseconds of processor time a call.
fn sdk_once(api: &Child, python: &str, script: &str) -> f64 {
    let mut command = Command::new("taskset");
    command.args(["-c", "0", python, script, &api.address, &SDK_CALLS.to_string()]);
    Child::silent(&mut command).rest().trim().parse().expect("a number")
}

fn idle(program: &str) {
    let api = Child::role(&["api", "0"]);
    let url = format!("http://{}", api.address);
    let accounts = account("bench", "LTAIbench", &url, &["cn-hangzhou"], "services = [\"redis\"]");
    let daemon = Daemon::start(program, &accounts, None);
    daemon.wait();
    sleep(Duration::from_secs(2));
    get(&daemon.child.address, "/metrics", true);
    verdict("P6", "peak memory, nothing to watch", daemon.child.peak(), 10.0, "MiB");
}

fn memory(program: &str, resources: usize) {
    let mut cloud = Child::role(&["cloud", &resources.to_string()]);
    let accounts = cloud.ask("config").replace("\\n", "\n");
    let daemon = Daemon::start(program, &accounts, None);
    wait_for(&mut cloud, resources);
    sleep(Duration::from_secs(1));
    let looked_at = daemon.child.peak();
    get(&daemon.child.address, "/metrics", true);
    sleep(Duration::from_millis(1100));
    get(&daemon.child.address, "/metrics", true);
    let peak = daemon.child.peak();
    let limit = if resources > 100_000 { 600.0 } else { 80.0 };
    row(
        "",
        &format!("{resources} resources: peak before the first scrape, now in RAM"),
        &format!("{} MiB, {} MiB", short(looked_at), short(daemon.child.resident())),
    );
    verdict(
        "P6",
        &format!("peak memory, {resources} resources looked at and a gzip scrape"),
        peak,
        limit,
        "MiB",
    );
}
