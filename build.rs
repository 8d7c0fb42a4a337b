//! Tells the crate which commit and which compiler it is built from, for `notafter_build_info` and `--version`.
//!
//! Outside of a git checkout (a source package) the packager may set `NOTAFTER_REVISION`.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=NOTAFTER_REVISION");
    // Grows with every commit and checkout. Named only where it exists: cargo takes a missing file for a changed one.
    if let Some(log) =
        run("git", &["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists())
    {
        println!("cargo::rerun-if-changed={log}");
    }
    let revision =
        env::var("NOTAFTER_REVISION").ok().or_else(|| run("git", &["rev-parse", "--short=12", "HEAD"]));
    println!("cargo::rustc-env=NOTAFTER_REVISION={}", revision.as_deref().unwrap_or("unknown"));
    println!("cargo::rustc-env=NOTAFTER_TARGET={}", env::var("TARGET").as_deref().unwrap_or("unknown"));
    println!("cargo::rustc-env=NOTAFTER_RUSTVERSION={}", rust_version().as_deref().unwrap_or("unknown"));
}

/// `1.95.0` out of `rustc 1.95.0 (59807616e 2026-04-14)`.
fn rust_version() -> Option<String> {
    let rustc = env::var("RUSTC").ok()?;
    run(&rustc, &["--version"])?.split(' ').nth(1).map(str::to_owned)
}

/// What a command prints, if it can be run, succeeds and prints something.
fn run(command: &str, arguments: &[&str]) -> Option<String> {
    let output =
        Command::new(command).args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}
