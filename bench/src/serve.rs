//! The real web server over a snapshot of so many resources. Obeys lines: `change N` has N resources read anew and
//! publishes, `renderings` and `allocations` answer with numbers. With a certificate and its key it speaks TLS and asks for
//! a user: alice, wonderland.

use std::io::{BufRead, stdin};
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use notafter::domain::listing::Inspection;
use notafter::domain::policy::PollPolicy;
use notafter::domain::snapshot::Snapshot;
use notafter::metrics::MetricsPage;
use notafter::secret::Secret;
use notafter::shutdown::Stop;
use notafter::telemetry::Telemetry;
use notafter::tls::{Tls, TlsFiles};
use notafter::web::guard::Guard;
use notafter::web::inside::Inside;
use notafter::web::server::{self, Limits};
use notafter::web::users::Users;
use notafter::web::view::{View, ViewSettings};
use notafter::web::{self, AppState};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::allocations;
use crate::fleet::{self, Member};

/// Cost 10; made with libxcrypt.
const ALICE: &str = "$2y$10$7a3HDiVqxrYZYJTBRAXZ3uXGTMxb6.cpIzd8OJ1z4lVVw9tAoLyhO";

pub fn main(resources: usize, pair: Option<(&str, &str)>) {
    let guard = guard(pair);
    let snapshot = fleet::snapshot(resources, Utc::now());
    let (publish, receiver) = watch::channel(Arc::new(snapshot.clone()));
    let telemetry = Arc::new(Telemetry::new());
    let metrics = Arc::new(MetricsPage::new(telemetry, PollPolicy::default(), Utc::now()));
    let runtime = Runtime::new().expect("a runtime");
    let stop = Stop::new();
    let (shown, asked) = (Arc::clone(&metrics), stop.listener());
    let address = runtime.block_on(async move {
        let listeners = server::bind(&["127.0.0.1:0".parse().expect("an address")]).await.expect("a port");
        let address = listeners[0].local_addr().expect("bound");
        let view = view(receiver.clone());
        let state = AppState { snapshot: receiver, metrics: shown, now: Arc::new(Utc::now) };
        let app = web::router(state, Arc::new(view));
        tokio::spawn(server::serve_guarded(listeners, app, guard, Limits::default(), asked));
        address
    });
    println!("{address}");
    obey(snapshot, &publish, &metrics, resources);
    drop(stop);
}

fn guard(pair: Option<(&str, &str)>) -> Guard {
    let Some((cert, key)) = pair else { return Guard::default() };
    let files = TlsFiles { cert_file: cert.into(), key_file: key.into(), client_ca_file: None };
    let tls = Some(Arc::new(Tls::open(files).expect("a pair")));
    let users = Arc::new(Users::new([("alice", &Secret::new(ALICE))]));
    Guard { tls, users, only_tls: false }
}

fn view(snapshot: watch::Receiver<Arc<Snapshot>>) -> View {
    let (_, settings) = watch::channel(Arc::new(ViewSettings::default()));
    View {
        snapshot,
        settings,
        now: Box::new(Utc::now),
        version: "bench",
        started_at: Utc::now(),
        timeline_start: Utc::now(),
        inside: Inside::default(),
    }
}

fn obey(
    mut snapshot: Snapshot,
    publish: &watch::Sender<Arc<Snapshot>>,
    metrics: &MetricsPage,
    resources: usize,
) {
    let mut changed = 0;
    for line in stdin().lock().lines() {
        let line = line.expect("text");
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["change", count] => {
                for _ in 0..crate::number(count) {
                    // Far apart, so that each is in another chunk, as when a daemon has polled for a while.
                    changed += 7919;
                    change(&mut snapshot, changed % resources);
                }
                publish.send_replace(Arc::new(snapshot.clone()));
                println!("0");
            }
            ["renderings"] => println!("{}", metrics.renderings()),
            ["allocations"] => println!("{}", allocations::count()),
            _ => panic!("not understood: {line}"),
        }
    }
}

/// A look found a new end.
fn change(snapshot: &mut Snapshot, number: usize) {
    let now = Utc::now();
    let mut member = Member::new(number, now - TimeDelta::days(1));
    member.ends += TimeDelta::from_std(Duration::from_secs(number as u64 % 86_400)).expect("in range");
    let scope = Arc::new(member.scope());
    let inspection = Inspection::Read(member.reading(now));
    snapshot.scope_mut(&scope).absorb_inspection(&member.id, inspection, now);
}
