//! `run`: the daemon.

use std::collections::BTreeMap;

use super::look::labels;
use super::signals::stop_at_signals;
use super::{Exit, environment, failed};
use crate::cli::explain::{self, Alerts, Known};
use crate::config::Config;
use crate::daemon::Daemon;
use crate::shutdown::{Shutdown, Stop};
use crate::web::control;
use crate::web::inside::Explainer;

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

/// Makes explanations out of what the daemon knows and what is configured.
pub(super) fn explainer(config: &Config) -> Explainer {
    let (policy, alert, allow) = (config.poll.clone(), config.alert.clone(), config.renewal.allow.clone());
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
            renewals: asked.renewals,
            allow: &allow,
            now: asked.now,
        };
        explain::explain(asked.id, &known)
    })
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
