//! `check` and `explain`: one round over everything, without a daemon.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::signals::stop_at_signals;
use super::{Exit, environment, failed, printed};
use crate::cli::args::{Check, DoctorFormat, TextFormat};
use crate::cli::doctor;
use crate::cli::explain::{self, Alerts, Known};
use crate::cli::progress::{Done, Progress};
use crate::cli::report::{self, Question, Report, Viewer};
use crate::cli::wants_colour;
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::alerts::watch::Rules;
use crate::daemon::doctor::{self as diagnose, Diagnosis};
use crate::daemon::poll::{Account, Mode, Poller};
use crate::daemon::{alerts, build_accounts};
use crate::domain::alert::decide::World;
use crate::domain::alert::memory::Memory;
use crate::domain::identity::Scope;
use crate::domain::renewal;
use crate::domain::renewal::board::Board;
use crate::domain::renewal::method::Capability;
use crate::domain::renewal::show::show;
use crate::domain::snapshot::Snapshot;
use crate::http::Http;
use crate::provider::{self, Provider};
use crate::shutdown::Stop;
use crate::telemetry::Telemetry;
use crate::visible::visible;
use crate::web::api::renewals::of_board;
use crate::web::json::to_text;

/// Looks at everything once and prints what ends first.
pub(super) async fn check(config: Config, check: &Check, progress: Option<Progress>) -> Exit {
    let clock = Clock::system();
    let round = match Round::prepare(&config, Mode::Once { only: None }, &clock) {
        Ok(round) => round,
        Err(exit) => return exit,
    };
    let Some(snapshot) = round.run(progress).await else { return Exit::Failed };
    let labels = labels(&config);
    let question = Question {
        matchers: &check.matchers,
        account_label: &|account, key| labels.get(&(account.to_owned(), key.to_owned())).copied(),
        warning: check.warning,
        critical: check.critical,
        now: clock.now(),
    };
    let report = Report::from_snapshot(&snapshot, &question);
    let terminal = std::io::stdout().is_terminal();
    let width = terminal_size::terminal_size().map(|(width, _)| width.0).filter(|_| terminal);
    let viewer = Viewer { width, colour: wants_colour(terminal) };
    printed(&report::render(&report, check.format, viewer), report.verdict.exit())
}

/// Tells all that is known of one resource, after looking for it everywhere and at it once.
pub(super) async fn explain(config: Config, id: &str) -> Exit {
    let clock = Clock::system();
    let round = match Round::prepare(&config, Mode::Once { only: Some(id.into()) }, &clock) {
        Ok(round) => round,
        Err(exit) => return exit,
    };
    let providers = round.providers.clone();
    let Some(snapshot) = round.run(None).await else { return Exit::Failed };
    let labels = labels(&config);
    let (rules, memory) = (rules(&config), Memory::default());
    let console = |scope: &Scope, id: &str| Some((provider::find(&scope.provider)?.console)(scope, id));
    let world = rules.as_ref().map(|rules| World {
        snapshot: &snapshot,
        accounts: &rules.accounts,
        alert: &rules.alert,
        poll: &rules.poll,
        routing: &rules.routing,
        silences: &[],
        undelivered: const { &BTreeSet::new() },
        renewal: &alerts::watch::by_hand,
        console: &console,
        now: clock.now(),
    });
    let board = board(&config, &snapshot, clock.now());
    let known = Known {
        snapshot: &snapshot,
        policy: &config.poll,
        thresholds: config.alert.thresholds,
        overrides: &config.alert.overrides,
        account_label: &|account, key| labels.get(&(account.to_owned(), key.to_owned())).copied(),
        pace: &|scope: &Scope| providers.get(&scope.account).map(|provider| provider.inspect_rate(scope)),
        uptime: None,
        alerts: world.as_ref().map(|world| Alerts { world, memory: &memory, remembered: false }),
        renewals: Some(&board),
        allow: &config.renewal.allow,
        now: clock.now(),
    };
    match explain::explain(id, &known) {
        Ok(text) => printed(&text, Exit::Ok),
        Err(text) => {
            eprintln!("{}", text.trim_end());
            Exit::Failed
        }
    }
}

/// Shows what renewal would do, after one round over everything.
pub(super) async fn plan(config: Config, format: TextFormat) -> Exit {
    let clock = Clock::system();
    let round = match Round::prepare(&config, Mode::Once { only: None }, &clock) {
        Ok(round) => round,
        Err(exit) => return exit,
    };
    let Some(snapshot) = round.run(None).await else { return Exit::Failed };
    let board = board(&config, &snapshot, clock.now());
    eprintln!(
        "notafter: no daemon plans: what was announced, approved or tried before is not known, nor any silence"
    );
    match format {
        TextFormat::Text => {
            printed(&show(&board.plan, board.mode, &|text| visible(text).into_owned()), Exit::Ok)
        }
        TextFormat::Json => printed(&to_text(&of_board(&board, clock.now())), Exit::Ok),
    }
}

/// What would be planned by somebody who remembers nothing.
fn board(config: &Config, snapshot: &Snapshot, now: DateTime<Utc>) -> Board {
    let world = renewal::plan::World {
        snapshot,
        policy: &config.renewal,
        accounts: &alerts::rules(config).accounts,
        capability: &|scope, resource| {
            provider::find(&scope.provider).map_or(Capability::NoApi, |kind| (kind.renewal)(scope, resource))
        },
        details: &BTreeMap::new(),
        troubles: &BTreeMap::new(),
        heard: &BTreeMap::new(),
        attempts: &[],
        silences: &[],
        zone: config.alert.timezone,
        now,
    };
    let plan = Arc::new(renewal::plan::plan(&world));
    Board { mode: config.renewal.mode, plan, at: Some(now), ..Board::default() }
}

/// What is to be told to whom. Channels that cannot be made are told, and none is spoken of.
fn rules(config: &Config) -> Option<Rules> {
    let channels = match alerts::build_channels(config, &environment) {
        Ok(channels) => channels,
        Err(errors) => {
            for error in errors {
                eprintln!("notafter: {error}");
            }
            return None;
        }
    };
    let mut rules = alerts::rules(config);
    rules.routing.channels = channels.iter().map(alerts::Channel::rules).collect();
    (!channels.is_empty()).then_some(rules)
}

/// Tries everything once and says what works.
pub(super) async fn doctor(config: Config, format: DoctorFormat) -> Exit {
    let clock = Clock::system();
    let accounts = match accounts(&config, &clock, Arc::new(Telemetry::new())) {
        Ok(accounts) => accounts,
        Err(exit) => return exit,
    };
    let diagnoses = diagnose::examine(accounts).await;
    let exit = if diagnoses.iter().all(Diagnosis::is_well) { Exit::Ok } else { Exit::Failed };
    match format {
        DoctorFormat::Text => printed(&doctor::text(&diagnoses), exit),
        DoctorFormat::Json => printed(&doctor::json(&diagnoses), exit),
    }
}

/// Accounts to be asked, or every reason why there are none, printed.
fn accounts(config: &Config, clock: &Clock, telemetry: Arc<Telemetry>) -> Result<Vec<Account>, Exit> {
    let http = Http::new(config.poll.timeout, config.poll.concurrency, clock.clone(), telemetry);
    build_accounts(config, &http, &environment).map_err(|errors| {
        for error in errors {
            failed(&error);
        }
        Exit::Failed
    })
}

/// One round over all accounts.
struct Round {
    poller: Poller,
    providers: BTreeMap<Arc<str>, Arc<dyn Provider>>,
}

impl Round {
    fn prepare(config: &Config, mode: Mode, clock: &Clock) -> Result<Self, Exit> {
        let telemetry = Arc::new(Telemetry::new());
        let accounts = accounts(config, clock, Arc::clone(&telemetry))?;
        let providers =
            accounts.iter().map(|account| (Arc::clone(&account.name), Arc::clone(&account.provider)));
        let providers = providers.collect();
        let poller = Poller::new(accounts, config.poll.clone(), mode, clock.clone(), telemetry);
        Ok(Self { poller, providers })
    }

    /// `None`: somebody asked to stop before the end.
    async fn run(self, progress: Option<Progress>) -> Option<Arc<Snapshot>> {
        let snapshots = self.poller.snapshots();
        let stop = Stop::new();
        let (asked, interrupted) = (stop.listener(), stop.listener());
        if let Err(error) = stop_at_signals(stop) {
            failed(&error);
            return None;
        }
        let shown = progress.clone().map(|progress| tokio::spawn(follow(snapshots.clone(), progress)));
        self.poller.run(asked).await;
        if let (Some(task), Some(progress)) = (shown, progress) {
            task.abort();
            progress.finish();
        }
        if interrupted.is_requested() {
            eprintln!("notafter: stopped before everything was looked at");
            return None;
        }
        let last = Arc::clone(&snapshots.borrow());
        Some(last)
    }
}

async fn follow(mut snapshots: watch::Receiver<Arc<Snapshot>>, progress: Progress) {
    loop {
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        let scopes = snapshot.scopes.values();
        let (listed, failed_scopes) = scopes.fold((0, 0), |(listed, failed), view| {
            (
                listed + usize::from(view.attempted_at.is_some()),
                failed + usize::from(view.failure().is_some()),
            )
        });
        let resources = snapshot.resources().map(|(_, resource)| resource);
        let (looked, failed) = resources.fold((0, 0), |(looked, failed), resource| {
            (
                looked + usize::from(resource.looked_at.is_some()),
                failed + usize::from(resource.failure.is_some()),
            )
        });
        let known = snapshot.scopes.len() + snapshot.resources().count();
        progress.show(Done { done: listed + looked, known, failed: failed + failed_scopes });
        if snapshots.changed().await.is_err() {
            return;
        }
    }
}

/// Labels of accounts, by account and key.
pub(super) fn labels(config: &Config) -> BTreeMap<(String, String), &str> {
    let pairs = config.accounts.iter().flat_map(|account| {
        let name = &account.name;
        account.labels.iter().map(move |(key, value)| ((name.clone(), key.clone()), value.as_str()))
    });
    pairs.collect()
}
