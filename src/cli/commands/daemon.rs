//! `run` and `demo`: the daemon, over real clouds or simulated ones.

use std::fs::{OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use chrono::Utc;

use super::signals::stop_at_signals;
use super::{Exit, environment, failed};
use crate::cli::args::Demo;
use crate::config::{self, Config};
use crate::daemon::Daemon;
use crate::shutdown::{Shutdown, Stop};
use crate::sim::demo::{self as simulated, Clouds};

/// The simulated clouds change this often.
const DEMO_TICK: Duration = Duration::from_secs(5);
/// The demo's fleet is the same one each time.
const DEMO_SEED: u64 = 20_261_122;

/// Runs until asked to stop.
pub(super) async fn run(config: Config) -> Exit {
    let accounts = config.accounts.len();
    let daemon = match Daemon::prepare(config, &environment).await {
        Ok(daemon) => daemon,
        Err(error) => return failed(&error),
    };
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
    let config = match config::parse(&text, "demo") {
        // What is simulated is not worth keeping, and nothing is written to the current folder.
        Ok(config) => Config { store: None, ..config },
        Err(problems) => return failed(&problems),
    };
    let daemon = match Daemon::prepare(config, &environment).await {
        Ok(daemon) => daemon,
        Err(error) => return failed(&error),
    };
    for address in daemon.addresses() {
        println!(
            "Simulated clouds with {} resources. Open http://{address}/ ; metrics are at http://{address}/metrics\n\
             Account `legacy` has a refused key and region me-east-1 refuses, on purpose. Ctrl-C ends it.",
            demo.resources
        );
    }
    until_stopped(daemon, |stop| drop(tokio::spawn(keep_changing(clouds, stop)))).await
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
