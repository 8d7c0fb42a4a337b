//! `run`: the daemon.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::look::labels;
use super::signals::Signals;
use super::{Exit, environment, failed, refused, run_async, with_newline};
use crate::cli::args::Global;
use crate::cli::explain::{self, Alerts, Known};
use crate::cli::logging::{LogFormat, Switch};
use crate::config::{self, Config, LoadError, Loaded};
use crate::daemon::{Daemon, Host, Source};
use crate::shutdown::{Shutdown, Stop};
use crate::systemd;
use crate::web::control;
use crate::web::inside::Explainer;

/// Reads the configuration and runs until asked to stop.
pub(super) fn run_with(global: &Global, logging: Switch) -> Exit {
    let tell = Tell(global.log_format);
    // before the runtime begins its threads: it changes the environment
    match systemd::web_sockets(&environment) {
        Ok(sockets) => run_async(start(global, logging, sockets, tell)),
        Err(error) => tell.failed(&error),
    }
}

async fn start(global: &Global, logging: Switch, sockets: Vec<TcpListener>, tell: Tell) -> Exit {
    let signals = match Signals::take() {
        Ok(signals) => signals,
        Err(error) => return tell.failed(&error),
    };
    let found = config::find_path(global.config.as_deref(), &environment);
    let (path, loaded) = match found.and_then(|path| Ok((read(&path)?, path))) {
        Ok((loaded, path)) => (path, loaded),
        Err(error) => return tell.refused(&error),
    };
    if !loaded.warnings.is_empty() {
        tell.warned(&loaded.warnings.to_string());
    }
    let host = Host {
        source: Some(source(path)),
        explainer: Some(explainer),
        logging: Some(Arc::new(logging)),
        notify: systemd::Notify::from_env(&environment),
        watchdog: systemd::watchdog(&environment),
        sockets,
    };
    Box::pin(run(host, loaded.config, signals, tell)).await
}

/// Tells why the daemon cannot run: in lines for people, or as one event where a machine reads every line.
#[derive(Clone, Copy)]
pub(super) struct Tell(pub(super) LogFormat);

impl Tell {
    fn refused(self, error: &LoadError) -> Exit {
        if self.0 == LogFormat::Text {
            return refused(error);
        }
        tracing::error!(problems = %error, "the configuration cannot be used");
        Exit::Config
    }

    fn failed(self, error: &dyn std::fmt::Display) -> Exit {
        if self.0 == LogFormat::Text {
            return failed(error);
        }
        tracing::error!(problem = %error, "the daemon ends");
        Exit::Failed
    }

    fn warned(self, warnings: &str) {
        match self.0 {
            LogFormat::Text => eprint!("{}", with_newline(warnings)),
            LogFormat::Json => {
                tracing::warn!(warnings, "the configuration can be used, and is not as good as it could be");
            }
        }
    }
}

/// The configuration, with the control socket where it is.
fn read(path: &Path) -> Result<Loaded, LoadError> {
    let mut loaded = config::load(path, &environment)?;
    let socket = control::place(loaded.config.web.control_socket.as_deref(), &environment);
    loaded.config.web.control_socket = Some(socket);
    Ok(loaded)
}

/// The same file again, wherever the process is by then.
fn source(path: PathBuf) -> Source {
    let path = std::path::absolute(&path).unwrap_or(path);
    Source { read: Arc::new(move || read(&path)), env: environment }
}

async fn run(host: Host, config: Config, mut signals: Signals, tell: Tell) -> Exit {
    let accounts = config.accounts.len();
    // a database that does not answer is waited for
    let prepared = tokio::select! {
        prepared = Daemon::prepare_in(host, config, &environment) => prepared,
        () = signals.stop() => {
            tracing::info!("stopped before it had begun");
            return Exit::Ok;
        }
    };
    let daemon = match prepared {
        Ok(daemon) => daemon,
        Err(error) => return tell.failed(&error),
    };
    for address in daemon.addresses() {
        tracing::info!(%address, accounts, version = env!("CARGO_PKG_VERSION"), "serving");
    }
    Box::pin(until_stopped(daemon, signals, tell, |_| {})).await
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
pub(super) async fn until_stopped(
    daemon: Daemon,
    signals: Signals,
    tell: Tell,
    beside: impl FnOnce(Shutdown),
) -> Exit {
    let stop = Stop::new();
    let (asked, asked_too) = (stop.listener(), stop.listener());
    signals.hear(stop, daemon.reloads());
    beside(asked_too);
    match daemon.run(asked).await {
        Ok(()) => {
            tracing::info!("stopped");
            Exit::Ok
        }
        Err(error) => tell.failed(&error),
    }
}
