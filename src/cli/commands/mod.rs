//! What each command does: reads the configuration, looks or runs, prints, and says how the process ends.

mod daemon;
mod demo;
mod look;
mod signals;

use std::ffi::OsString;
use std::path::Path;

use tokio::runtime::Runtime;

use super::args::{Arguments, Command, Global};
use super::progress::Progress;
use super::{Exit, logging, manual, parse, print};
use crate::config::{self, Config, LoadError};

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
    if let Err(error) = logging::start(levels, global.log_format, progress.clone()) {
        return failed(&error);
    }
    match command {
        Command::NotBuilt(command) => {
            eprintln!("{command}");
            Exit::Usage
        }
        Command::Completions { shell } => written(|out| manual::completions(*shell, out)),
        Command::Man => written(manual::man),
        Command::Config => with_config(global, |config| printed(&config.effective(), Exit::Ok)),
        Command::Run => with_config(global, |config| run_async(daemon::run(config))),
        Command::Check(check) => {
            with_config(global, |config| run_async(look::check(config, check, progress)))
        }
        Command::Doctor(doctor) => {
            with_config(global, |config| run_async(look::doctor(config, doctor.format)))
        }
        Command::Explain { resource_id } => {
            with_config(global, |config| run_async(look::explain(config, resource_id)))
        }
        Command::Demo(demo) => run_async(demo::demo(demo)),
    }
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
