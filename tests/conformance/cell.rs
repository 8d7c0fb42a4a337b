//! Runs the cells of the matrix: all that are wanted beside each other, each on a thread of its own (what is logged
//! belongs to a thread), while each test waits for its own.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, LazyLock, Mutex};

use crate::SERVICES;
use crate::properties::{PROPERTIES, Property};
use crate::service::Service;

/// Cells under way together. They mostly wait; more would make them wait for each other.
const TOGETHER: usize = 8;

/// Service and property.
type Name = (&'static str, &'static str);
/// What came of a cell, once.
type Outcome = Mutex<Option<Receiver<Result<(), String>>>>;

/// Every cell of the matrix, under way from the first question on.
pub(crate) static CELLS: LazyLock<BTreeMap<Name, Outcome>> = LazyLock::new(start);

/// How it stands, over all cells.
#[derive(Default)]
struct Score {
    held: AtomicUsize,
    failed: AtomicUsize,
    left_out: AtomicUsize,
}

struct Job {
    service: &'static Service,
    property: &'static (&'static str, Property),
    tell: std::sync::mpsc::Sender<Result<(), String>>,
}

/// Waits for a cell; fails in its name.
pub(crate) fn holds(service: &'static Service, property: &'static str) {
    let outcome = CELLS.get(&(service.name, property)).expect("every pair is a cell");
    let receiver = outcome.lock().expect("not poisoned").take().expect("asked for once");
    if let Err(text) = receiver.recv().expect("every cell tells") {
        panic!("{}: {property}: {text}", service.name);
    }
}

fn start() -> BTreeMap<Name, Outcome> {
    crate::common::crypto();
    let (mut cells, mut jobs) = (BTreeMap::new(), Vec::new());
    for property in PROPERTIES {
        for service in SERVICES.iter().copied() {
            let (tell, told) = channel();
            cells.insert((service.name, property.0), Mutex::new(Some(told)));
            jobs.push(Job { service, property, tell });
        }
    }
    let all = jobs.len();
    jobs.retain(|job| is_wanted(job.service, job.property.0));
    let wanted = jobs.len();
    // Those that take longest stand first in the list of properties.
    jobs.reverse();
    let (jobs, score) = (Arc::new(Mutex::new(jobs)), Arc::new(Score::default()));
    for _ in 0..TOGETHER {
        let (jobs, score) = (Arc::clone(&jobs), Arc::clone(&score));
        std::thread::spawn(move || {
            while let Some(job) = next(&jobs) {
                work(&job, &score, (wanted, all));
            }
        });
    }
    cells
}

fn next(jobs: &Mutex<Vec<Job>>) -> Option<Job> {
    jobs.lock().expect("not poisoned").pop()
}

/// Tests can be named on the command line; the others need not run.
fn is_wanted(service: &Service, property: &str) -> bool {
    let mut names = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    let own = format!("{}::{property}", service.name.replace(' ', "_"));
    names.peek().is_none() || names.any(|name| own.contains(&name))
}

fn work(job: &Job, score: &Score, (wanted, all): (usize, usize)) {
    let (name, run) = job.property;
    let left_out = job.service.not_here.iter().find(|(left_out, _)| left_out == name);
    let outcome = if let Some((_, why)) = left_out {
        say(&format!("conformance: {}: {name}: not here: {why}", job.service.name));
        score.left_out.fetch_add(1, Ordering::SeqCst);
        Ok(())
    } else {
        let outcome = outcome_of(job.service, *run);
        let count = if outcome.is_ok() { &score.held } else { &score.failed };
        count.fetch_add(1, Ordering::SeqCst);
        outcome
    };
    let counts = [&score.held, &score.left_out, &score.failed].map(|count| count.load(Ordering::SeqCst));
    if counts.iter().sum::<usize>() == wanted {
        let [held, left_out, failed] = counts;
        let (services, properties) = (SERVICES.len(), PROPERTIES.len());
        say(&format!(
            "conformance: {services} services x {properties} properties = {all} cells, {wanted} of them run: \
             {held} hold, {left_out} cannot be, {failed} fail"
        ));
    }
    // A test that was not asked for listens no more.
    job.tell.send(outcome).ok();
}

fn outcome_of(service: &'static Service, run: Property) -> Result<(), String> {
    let cell = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(run(service));
    };
    catch_unwind(AssertUnwindSafe(cell)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

/// Past the capture of the test harness, which shows only what belongs to tests that failed.
pub(crate) fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("standard error can be written to");
}
