//! A defect of ours: told in the log, in the form of the log, without what was worked on.

use std::process::Command;

use notafter::cli::logging::{self, Levels, LogFormat};
use serde_json::Value;

const RUN: &str = "NOTAFTER_PANICS_HERE";

fn broken() -> Result<(), String> {
    Err("PLANTED-SECRET-4711".to_owned())
}

/// What the test below runs in a process of its own: the log of the real program, and a task that panics.
#[test]
fn a_process_with_a_task_that_panics() {
    if std::env::var_os(RUN).is_none() {
        return;
    }
    let _switch = logging::start(Levels::info(), LogFormat::Json, None).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ended =
        runtime.block_on(async { tokio::spawn(async { broken().expect("the invariant holds") }).await });
    std::process::exit(if ended.is_err() { 7 } else { 0 });
}

#[test]
fn a_panic_is_one_line_of_the_log_and_shows_no_value() {
    let this = std::env::current_exe().unwrap();
    let name = "defect::a_process_with_a_task_that_panics";
    let output = Command::new(this).args(["--exact", name, "--nocapture"]).env(RUN, "1").output().unwrap();
    let (out, log) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(7), "{out}\n{log}");
    assert_eq!(log.lines().count(), 1, "{log}");
    let event: Value = serde_json::from_str(&log).unwrap_or_else(|error| panic!("{error}: {log}"));
    let said = event["message"].as_str().unwrap();
    assert!(said.contains("a defect of notafter"), "{log}");
    assert!(log.contains("the invariant holds") && log.contains("defect.rs:"), "{log}");
    assert_eq!(event["level"], "ERROR");
    assert!(!(log + &out).contains("PLANTED"), "the error that was not expected");
}
