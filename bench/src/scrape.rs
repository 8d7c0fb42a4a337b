//! P1 to P5: what a scrape costs.
//!
//! `scrape RESOURCES... [--go PROGRAM] [--python PROGRAM SCRIPT] [--rounds N]`: for each size the real server, a server
//! of the same bytes ready-made and, up to 100,000 resources, exporters with the same series, in turns.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{scope, sleep};
use std::time::Duration;

use crate::child::{Child, Kept, body, get};
use crate::table::{median, ms, row, short, verdict};

/// A page younger than this is handed out again; longer, so that every scrape has its full cost.
const APART: Duration = Duration::from_millis(1100);
/// After this time even an unchanged page is put together anew.
const LONG_APART: Duration = Duration::from_secs(31);
/// Beyond it the baselines would not fit into the machine.
const LARGEST_BASELINE: usize = 100_000;

pub fn main(arguments: &[&str]) {
    let mut sizes = Vec::new();
    let (mut go, mut python, mut rounds) = (None, None, 15);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut next = || rest.next().copied().expect("an argument");
        match *argument {
            "--go" => go = Some(next()),
            "--python" => python = Some((next(), next())),
            "--rounds" => rounds = crate::number(next()),
            size => sizes.push(crate::number(size)),
        }
    }
    for size in sizes {
        let files = Files::new(size);
        let mut ours = Child::role(&["serve", &size.to_string()]);
        let series = files.fill(&ours);
        row("", &format!("**{size} resources**"), &format!("{series} series, {}", files.sizes()));
        let ready = Child::role(&["ready", files.path("plain"), files.path("gzip")]);
        let small = size <= LARGEST_BASELINE;
        let go =
            go.filter(|_| small).map(|program| Child::start(Command::new(program).arg(files.path("plain"))));
        let python = python
            .filter(|_| small)
            .map(|(program, script)| Child::start(Command::new(program).args([script, files.path("plain")])));
        unchanged(size, rounds, &ours, &ready, go.as_ref(), python.as_ref());
        if size <= LARGEST_BASELINE {
            old(size, &ours);
        }
        changed(size, rounds, &mut ours);
        together(size, &mut ours);
        allocations(size, &mut ours);
        memory(&ours, go.as_ref(), python.as_ref());
    }
}

/// The two forms of the page, as files.
struct Files {
    folder: PathBuf,
    names: [String; 2],
}

impl Files {
    fn new(size: usize) -> Self {
        let folder = std::env::temp_dir().join(format!("notafter-bench-{}-{size}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let names = ["plain", "gzip"].map(|name| folder.join(name).to_string_lossy().into_owned());
        Self { folder, names }
    }

    /// Returns how many series there are.
    fn fill(&self, server: &Child) -> usize {
        let plain = body(&server.address, "/metrics", false);
        let series = plain.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && line[0] != b'#');
        let series = series.count();
        std::fs::write(self.path("plain"), plain).expect("room");
        std::fs::write(self.path("gzip"), body(&server.address, "/metrics", true)).expect("room");
        series
    }

    fn path(&self, name: &str) -> &str {
        &self.names[usize::from(name == "gzip")]
    }

    fn sizes(&self) -> String {
        let mib = |name| short(Path::new(self.path(name)).metadata().expect("there").len() as f64 / 1e6);
        format!("{} MB plain, {} MB gzip", mib("plain"), mib("gzip"))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // Left files cost room only.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Medians of one server.
#[derive(Default)]
struct Costs {
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

impl Costs {
    fn measure(&mut self, server: &Child, gzip: bool) {
        let before = server.cpu();
        self.wall.push(ms(get(&server.address, "/metrics", gzip)));
        // What the server does after the last byte belongs to the scrape, too.
        sleep(Duration::from_millis(5));
        self.cpu.push(ms(server.cpu() - before));
    }

    fn of(self) -> (f64, f64) {
        (median(self.wall), median(self.cpu))
    }
}

fn unchanged(
    size: usize,
    rounds: usize,
    ours: &Child,
    ready: &Child,
    go: Option<&Child>,
    python: Option<&Child>,
) {
    for (gzip, form) in [(true, "gzip"), (false, "plain")] {
        let [mut a, mut b, mut c, mut d] = [const { None::<Costs> }; 4].map(Option::unwrap_or_default);
        get(&ours.address, "/metrics", gzip);
        for round in 0..rounds {
            sleep(APART);
            a.measure(ours, gzip);
            b.measure(ready, gzip);
            // They take seconds: a few rounds tell enough.
            if round % 5 == 0 {
                go.inspect(|go| c.measure(go, gzip));
                python.inspect(|python| d.measure(python, gzip));
            }
        }
        let ((wall, cpu), (ready_wall, ready_cpu)) = (a.of(), b.of());
        let what = format!("{form}, unchanged, {size} resources");
        let costs = |wall, cpu| format!("{} ms wall, {} ms CPU", short(wall), short(cpu));
        row("", &what, &costs(wall, cpu));
        row("", &format!("– ready-made bytes of it ({form})"), &costs(ready_wall, ready_cpu));
        // The goals are set for 100,000.
        let judged = size == LARGEST_BASELINE;
        let (goal, limit) = if gzip { ("P1", 3.0) } else { ("P2", 2.0) };
        if judged {
            verdict(goal, &format!("{what}: wall against ready-made"), wall / ready_wall, limit, "x");
        }
        for (name, costs_of) in [("client_golang", c), ("Python prometheus_client", d)] {
            if costs_of.wall.is_empty() {
                continue;
            }
            let (its_wall, its_cpu) = costs_of.of();
            // Threads that served and ended take their processor time with them; Python's server has one a scrape.
            let figure = match name {
                "client_golang" => costs(its_wall, its_cpu),
                _ => format!("{} ms wall", short(its_wall)),
            };
            row("", &format!("– {name} with the same series ({form})"), &figure);
            if judged && name == "client_golang" {
                let (wall_limit, cpu_limit) = if gzip { (0.01, 0.01) } else { (0.05, 0.02) };
                verdict(goal, &format!("{what}: wall against {name}"), wall / its_wall, wall_limit, "x");
                verdict(goal, &format!("{what}: CPU against {name}"), cpu / its_cpu, cpu_limit, "x");
            }
        }
        if size > LARGEST_BASELINE {
            let limit = if gzip { 100.0 } else { 1000.0 };
            verdict("P3", &format!("{what}: wall"), wall, limit, "ms");
        }
    }
}

/// What is stale depends on the time alone, so now and then an unchanged page is put together again.
fn old(size: usize, ours: &Child) {
    let mut costs = Costs::default();
    for _ in 0..2 {
        sleep(LONG_APART);
        costs.measure(ours, true);
    }
    let (wall, cpu) = costs.of();
    let figure = format!("{} ms wall, {} ms CPU", short(wall), short(cpu));
    row("", &format!("gzip, unchanged for over 30 s, {size} resources"), &figure);
}

fn changed(size: usize, rounds: usize, ours: &mut Child) {
    // 72 is what the schedule has looked at in 15 s when there are 100,000.
    for (count, what) in [("1", "one resource changed"), ("72", "72 resources changed")] {
        let mut costs = Costs::default();
        for _ in 0..rounds {
            ours.ask(&format!("change {count}"));
            sleep(APART);
            costs.measure(ours, true);
        }
        let (wall, cpu) = costs.of();
        row(
            "",
            &format!("gzip, {what}, {size} resources"),
            &format!("{} ms wall, {} ms CPU", short(wall), short(cpu)),
        );
        if count == "1" && size <= LARGEST_BASELINE {
            verdict("P4", &format!("gzip, {what}, {size} resources: CPU"), cpu, 100.0, "ms");
        }
    }
}

fn together(size: usize, ours: &mut Child) {
    const SCRAPERS: usize = 50;
    ours.ask("change 1");
    sleep(APART);
    let before = ours.number("renderings");
    let address = ours.address.clone();
    scope(|threads| {
        for _ in 0..SCRAPERS {
            threads.spawn(|| get(&address, "/metrics", true));
        }
    });
    let renderings = (ours.number("renderings") - before) as f64;
    verdict(
        "P4",
        &format!("{SCRAPERS} scrapers at once after a change, {size} resources"),
        renderings,
        2.0,
        "renderings",
    );
}

fn allocations(size: usize, ours: &mut Child) {
    const SCRAPES: u64 = 10;
    for (gzip, form) in [(true, "gzip"), (false, "plain")] {
        for (name, apart) in [("within a second", Duration::ZERO), ("over a second apart", APART)] {
            if !gzip && !apart.is_zero() {
                continue;
            }
            let mut kept = Kept::new(&ours.address);
            kept.get("/metrics", gzip);
            let before = ours.number("allocations");
            for _ in 0..SCRAPES {
                sleep(apart);
                kept.get("/metrics", gzip);
            }
            sleep(Duration::from_millis(5));
            // Answering this question takes one or two itself.
            let each = (ours.number("allocations") - before) / SCRAPES;
            let what = format!("allocations, {form}, kept connection, unchanged, {name}, {size} resources");
            verdict("P5", &what, each as f64, 50.0, "");
        }
    }
}

fn memory(ours: &Child, go: Option<&Child>, python: Option<&Child>) {
    let servers = [
        ("serve (no poll loop; see P6)", Some(ours)),
        ("client_golang", go),
        ("Python prometheus_client", python),
    ];
    for (name, server) in servers {
        if let Some(server) = server {
            row("", &format!("– peak memory of {name}"), &format!("{} MiB", short(server.peak())));
        }
    }
}
