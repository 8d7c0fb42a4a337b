//! `run`: the daemon.

use super::signals::stop_at_signals;
use super::{Exit, environment, failed};
use crate::config::Config;
use crate::daemon::Daemon;
use crate::shutdown::{Shutdown, Stop};

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

/// Runs until a signal asks it to stop; `beside` is begun along with it.
pub(super) async fn until_stopped(daemon: Daemon, beside: impl FnOnce(Shutdown)) -> Exit {
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
