//! What each command does: reads the configuration, looks or runs, prints, and says how the process ends.

mod acknowledge;
mod alone;
mod bundle;
mod daemon;
mod demo;
mod look;
mod order;
mod signals;
mod talk;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tokio::runtime::Runtime;

use super::args::{Arguments, Command, Doctor, Global, Notify};
use super::progress::Progress;
use super::{Exit, logging, manual, parse, print};
use crate::config::{self, Config, LoadError};
use crate::secret;
use crate::web::control;

/// The whole program: arguments in, exit code out.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    match parse(arguments) {
        Err(refusal) => match refusal.print() {
            Ok(()) => refusal.exit,
            Err(_) => Exit::Failed,
        },
        Ok(arguments) => {
            let command = &arguments.command;
            command.exit(execute(&arguments))
        }
    }
}

fn execute(arguments: &Arguments) -> Exit {
    let Arguments { global, command } = arguments;
    let progress = matches!(command, Command::Check(_)).then(Progress::on_stderr);
    let levels = global.log_level.clone().unwrap_or_else(|| command.default_levels());
    let logging = match logging::start(levels, global.log_format, progress.clone()) {
        Ok(logging) => logging,
        Err(error) => return failed(&error),
    };
    forbid_core_dumps();
    match command {
        Command::Completions { shell } => written(|out| manual::completions(*shell, out)),
        Command::Man => written(manual::man),
        Command::Config => with_config(global, |config| printed(&config.effective(), Exit::Ok)),
        Command::Run => daemon::run_with(global, logging),
        Command::Check(check) => {
            with_config(global, |config| run_async(look::check(config, check, progress)))
        }
        Command::Doctor(Doctor { replay: Some(file), .. }) => bundle::replay(file),
        Command::Doctor(Doctor { bundle: Some(file), .. }) => bundle::write(global, file, &logging),
        Command::Doctor(doctor) => {
            with_config(global, |config| run_async(look::doctor(config, doctor.format)))
        }
        Command::Explain { resource_id } => {
            match run_asked(global, |socket| talk::explain(socket, resource_id)) {
                Some(exit) => exit,
                None => with_config(global, |config| run_async(look::explain(config, resource_id))),
            }
        }
        Command::Status(status) => {
            with_socket(global, |socket| run_async(talk::status(socket, status.format)))
        }
        Command::LogLevel(level) => {
            with_any_socket(global, |socket| run_async(talk::log_level(socket, level)))
        }
        Command::Reload => with_any_socket(global, |socket| run_async(talk::reload(socket))),
        Command::Silence(silence) => with_socket(global, |socket| run_async(talk::silence(socket, silence))),
        Command::Notify(Notify::Test { channel }) => {
            match run_asked(global, |socket| talk::test(socket, channel.as_deref())) {
                Some(exit) => exit,
                None => with_config(global, |config| run_async(talk::test_alone(config, channel.as_deref()))),
            }
        }
        Command::Plan(plan) => match run_asked(global, |socket| order::plan(socket, plan.format)) {
            Some(exit) => exit,
            None => with_config(global, |config| run_async(look::plan(config, plan.format))),
        },
        Command::Renew(renew) => match run_asked(global, |socket| order::renew(socket, renew)) {
            Some(exit) => exit,
            None => with_config(global, |config| run_async(alone::renew(config, renew))),
        },
        Command::Renewals(renewals) => {
            with_socket(global, |socket| run_async(order::renewals(socket, renewals)))
        }
        Command::Demo(demo) => run_async(demo::demo(demo, logging)),
    }
}

/// Keys are in memory while they are used. Where the system does not let us forbid it, the service manager may still do.
fn forbid_core_dumps() {
    if let Err(error) = secret::forbid_core_dumps() {
        tracing::debug!(%error, "core dumps of this process cannot be forbidden");
    }
}

/// Finds out where the daemon listens. A configuration that was named has to be good; of others, what cannot be read is
/// left aside: keys are not for everybody who may use the socket.
fn with_socket(global: &Global, work: impl FnOnce(PathBuf) -> Exit) -> Exit {
    if let Some(socket) = &global.socket {
        return work(socket.clone());
    }
    let read = || {
        let path = config::find_path(global.config.as_deref(), &environment)?;
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|source| LoadError::Unreadable { path: path.clone(), source })?;
        Ok::<_, LoadError>(config::parse(&text, &path.display().to_string())?.web.control_socket)
    };
    match (read(), &global.config) {
        (Err(error), Some(_)) => refused(&error),
        (read, _) => work(control::place(read.ok().flatten().as_deref(), &environment)),
    }
}

/// The same for a configuration that may be wrong, as long as it says where the socket is.
fn with_any_socket(global: &Global, work: impl FnOnce(PathBuf) -> Exit) -> Exit {
    let path = config::find_path(global.config.as_deref(), &environment);
    let text = path.ok().and_then(|path| std::fs::read_to_string(path).ok());
    match text.as_deref().map(config::control_socket) {
        Some(Some(socket)) if global.socket.is_none() => {
            work(control::place(socket.as_deref(), &environment))
        }
        _ => with_socket(global, work),
    }
}

/// Asks the running daemon first; `None`: none answers.
fn run_asked<F>(global: &Global, ask: impl FnOnce(PathBuf) -> F) -> Option<Exit>
where
    F: Future<Output = Option<Exit>>,
{
    let mut answered = None;
    let exit = with_socket(global, |socket| {
        run_async(async {
            answered = ask(socket).await;
            answered.unwrap_or(Exit::Ok)
        })
    });
    if exit == Exit::Ok { answered } else { Some(exit) }
}

/// Reads the configuration, or prints all that is wrong with it.
fn with_config(global: &Global, work: impl FnOnce(Config) -> Exit) -> Exit {
    let path = match config::find_path(global.config.as_deref(), &environment) {
        Ok(path) => path,
        Err(error) => return refused(&error),
    };
    match config::load(Path::new(&path), &environment) {
        Ok(loaded) => {
            if !loaded.warnings.is_empty() {
                eprint!("{}", with_newline(&loaded.warnings.to_string()));
            }
            work(loaded.config)
        }
        Err(error) => refused(&error),
    }
}

fn refused(error: &LoadError) -> Exit {
    eprint!("{}", with_newline(&error.to_string()));
    Exit::Config
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn run_async(work: impl Future<Output = Exit>) -> Exit {
    // Only fails if it was installed before, and then it is there.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    match Runtime::new() {
        Ok(runtime) => {
            let exit = runtime.block_on(work);
            runtime.shutdown_background();
            exit
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::fmt::Display) -> Exit {
    eprintln!("notafter: {error}");
    Exit::Failed
}

fn printed(text: &str, exit: Exit) -> Exit {
    match print(&with_newline(text)) {
        Ok(()) => exit,
        Err(error) => failed(&error),
    }
}

fn written(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> Exit {
    let mut out = Vec::new();
    match write(&mut out) {
        Ok(()) => printed(&String::from_utf8_lossy(&out), Exit::Ok),
        Err(error) => failed(&error),
    }
}

fn with_newline(text: &str) -> String {
    if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}
