//! `run` and `demo`: the daemon, over real clouds or simulated ones.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;

use super::look::labels;
use super::signals::stop_at_signals;
use super::{Exit, environment, failed};
use crate::cli::args::Demo;
use crate::cli::explain::{self, Alerts, Known};
use crate::config::{self, Config};
use crate::daemon::Daemon;
use crate::shutdown::{Shutdown, Stop};
use crate::sim::demo::{self as simulated, Clouds};
use crate::web::control;
use crate::web::inside::Explainer;

/// The simulated clouds change this often.
const DEMO_TICK: Duration = Duration::from_secs(5);
/// The demo's fleet is the same one each time.
const DEMO_SEED: u64 = 20_261_122;

/// Runs until asked to stop.
pub(super) async fn run(mut config: Config) -> Exit {
    let accounts = config.accounts.len();
    let socket = control::place(config.web.control_socket.as_deref(), &environment);
    config.web.control_socket = Some(socket);
    let explainer = explainer(&config);
    let daemon = match Daemon::prepare(config, &environment).await {
        Ok(daemon) => daemon,
        Err(error) => return failed(&error),
    };
    daemon.explains_with(explainer);
    for address in daemon.addresses() {
        tracing::info!(%address, accounts, version = env!("CARGO_PKG_VERSION"), "serving");
    }
    until_stopped(daemon, |_| {}).await
}

/// Runs simulated clouds on loopback and the daemon on top.
pub(super) async fn demo(demo: &Demo) -> Exit {
    let clouds = match simulated::start(demo.resources as usize, DEMO_SEED, Utc::now()).await {
        Ok(clouds) => clouds,
        Err(error) => return failed(&format!("the simulated clouds cannot start: {error}")),
    };
    let text = simulated::config_toml(&clouds, &demo.listen.to_string());
    if let Some(path) = &demo.write_config
        && let Err(error) = write_for_owner(path, &text)
    {
        return failed(&format!("{}: {error}", path.display()));
    }
    let mut config = match config::parse(&text, "demo") {
        // What is simulated is not worth keeping, and nothing is written to the current folder.
        Ok(config) => Config { store: None, ..config },
        Err(problems) => return failed(&problems),
    };
    let folder = match Folder::make() {
        Ok(folder) => folder,
        Err(error) => return failed(&format!("no folder for the control socket: {error}")),
    };
    config.web.control_socket = Some(folder.0.join("control.sock"));
    let explainer = explainer(&config);
    let daemon = match Daemon::prepare(config, &environment).await {
        Ok(daemon) => daemon,
        Err(error) => return failed(&error),
    };
    daemon.explains_with(explainer);
    for address in daemon.addresses() {
        println!(
            "Simulated clouds with {} resources. Open http://{address}/ ; metrics are at http://{address}/metrics\n\
             Account `legacy` has a refused key and region me-east-1 refuses, on purpose. Ctrl-C ends it.",
            demo.resources
        );
    }
    if let Some(socket) = daemon.control_socket() {
        println!("Try: notafter --socket {} status", socket.display());
    }
    until_stopped(daemon, |stop| drop(tokio::spawn(keep_changing(clouds, stop)))).await
}

/// A folder of the demonstration's own; it goes with this value.
struct Folder(PathBuf);

impl Folder {
    fn make() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("notafter-demo-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::debug!(%error, "the folder of the demonstration was left behind");
        }
    }
}

/// Makes explanations out of what the daemon knows and what is configured.
fn explainer(config: &Config) -> Explainer {
    let (policy, alert) = (config.poll.clone(), config.alert.clone());
    let labels: BTreeMap<(String, String), String> =
        labels(config).into_iter().map(|(key, value)| (key, value.to_owned())).collect();
    Box::new(move |asked| {
        let known = Known {
            snapshot: asked.snapshot,
            policy: &policy,
            thresholds: alert.thresholds,
            overrides: &alert.overrides,
            account_label: &|account, key| {
                labels.get(&(account.to_owned(), key.to_owned())).map(String::as_str)
            },
            pace: asked.pace,
            uptime: Some(asked.uptime),
            alerts: asked.alerts.map(|(world, memory)| Alerts { world, memory, remembered: true }),
            now: asked.now,
        };
        explain::explain(asked.id, &known)
    })
}

/// The file holds keys, be they simulated ones: nobody else may read it.
fn write_for_owner(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())
}

async fn until_stopped(daemon: Daemon, beside: impl FnOnce(Shutdown)) -> Exit {
    let stop = Stop::new();
    let (asked, asked_too) = (stop.listener(), stop.listener());
    if let Err(error) = stop_at_signals(stop) {
        return failed(&error);
    }
    beside(asked_too);
    match daemon.run(asked).await {
        Ok(()) => {
            tracing::info!("stopped");
            Exit::Ok
        }
        Err(error) => failed(&error),
    }
}

async fn keep_changing(clouds: Clouds, stop: Shutdown) {
    for tick in 0.. {
        tokio::select! {
            () = stop.requested() => return,
            () = tokio::time::sleep(DEMO_TICK) => {
                for cloud in &clouds {
                    cloud.live(Utc::now(), tick);
                }
            }
        }
    }
}
