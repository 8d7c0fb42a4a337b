//! `doctor --bundle` and `--replay`: what is known, in one file for somebody who was not there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::Method;

use super::look::{accounts, http};
use super::{Exit, failed, printed, run_asked, run_async, with_config};
use crate::cli::args::Global;
use crate::cli::bundle;
use crate::cli::client::{Client, ClientError};
use crate::cli::commands::talk::looks_itself;
use crate::cli::doctor;
use crate::cli::logging::Switch;
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::doctor as diagnose;
use crate::telemetry::Telemetry;
use crate::web::bundle::{Bundle, File, about, answers};
use crate::web::inside::Logging as _;

/// Writes a bundle of what the running daemon knows, or of one round of our own.
pub(super) fn write(global: &Global, path: &Path, logging: &Switch) -> Exit {
    if let Err(error) = bundle::is_free(path) {
        return failed(&format!("{}: {error}", path.display()));
    }
    match run_asked(global, |socket| asked(socket, path)) {
        Some(exit) => exit,
        None => with_config(global, |config| run_async(alone(config, path, logging))),
    }
}

/// `None`: no daemon answers.
async fn asked(socket: PathBuf, path: &Path) -> Option<Exit> {
    let answer: Result<Bundle, _> = Client::at(&socket).json(Method::POST, "/api/v1/bundle", None).await;
    match answer {
        Ok(bundle) => Some(written(path, &bundle.files, "the running daemon")),
        Err(error @ ClientError::Refused { .. }) => Some(failed(&error)),
        Err(error) => {
            looks_itself(&error);
            None
        }
    }
}

async fn alone(config: Config, path: &Path, logging: &Switch) -> Exit {
    let clock = Clock::system();
    let http = http(&config, &clock, Arc::new(Telemetry::new()));
    let accounts = match accounts(&config, &http) {
        Ok(accounts) => accounts,
        Err(exit) => return exit,
    };
    let diagnoses = diagnose::examine(accounts).await;
    let files = [
        about(clock.now(), None, "a round of its own"),
        File::new("config.toml", config.effective()),
        File::new("doctor.txt", doctor::text(&diagnoses)),
        File::new("doctor.json", doctor::json(&diagnoses)),
        File::new("log.txt", logging.recent().join("\n") + "\n"),
        answers(http.kept()),
    ];
    written(path, &files, "a round of its own, as no daemon answers")
}

fn written(path: &Path, files: &[File], by: &str) -> Exit {
    match bundle::write(path, files, chrono::Utc::now()) {
        Ok(()) => printed(
            &format!(
                "{}: made by {by}. Look into it before you hand it on: it has names of accounts and resources\n",
                path.display()
            ),
            Exit::Ok,
        ),
        Err(error) => failed(&format!("{}: {error}", path.display())),
    }
}

/// Prints what this version makes of the answers in a bundle.
pub(super) fn replay(path: &Path) -> Exit {
    match bundle::answers(path) {
        Ok(answers) => printed(&bundle::replayed(&answers), Exit::Ok),
        Err(error) => failed(&format!("{}: {error}", path.display())),
    }
}
