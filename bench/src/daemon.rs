//! The real daemon in a process of its own, from a configuration file.

use std::fs::{OpenOptions, remove_file};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::child::Child;

/// A running daemon.
pub struct Daemon {
    pub child: Child,
    config: PathBuf,
}

/// One account of a configuration. `more` are further keys.
pub fn account(name: &str, key: &str, url: &str, regions: &[&str], more: &str) -> String {
    format!(
        "[[account]]\nname = {name:?}\nprovider = \"alibaba\"\nregions = {regions:?}\nrate_limit = 1000000\n\
         credentials = {{ access_key_id = {key:?}, access_key_secret = {name:?} }}\n\
         endpoints = {{ redis = {url:?}, rds = {url:?}, mongodb = {url:?} }}\n{more}\n"
    )
}

impl Daemon {
    /// Starts `program` with these accounts; on one core where one is named. Everything is looked at once.
    pub fn start(program: &str, accounts: &str, core: Option<&str>) -> Self {
        Self::start_every(program, accounts, "30d", core)
    }

    /// The same, and everything is looked at again and again.
    pub fn start_looking(program: &str, accounts: &str, every: &str) -> Self {
        Self::start_every(program, accounts, every, None)
    }

    fn start_every(program: &str, accounts: &str, every: &str, core: Option<&str>) -> Self {
        let address = free_address();
        let text = format!(
            "[poll]\nmax_age = {every:?}\nmin_interval = {every:?}\ndiscover_every = \"30d\"\n[web]\nlisten = [{address:?}]\n{accounts}"
        );
        let config = std::env::temp_dir().join(format!("notafter-bench-{address}.toml"));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&config)
            .expect("a file");
        file.write_all(text.as_bytes()).expect("room");
        let mut command = match core {
            None => Command::new(program),
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["-c", core, program]);
                command
            }
        };
        let mut child = Child::silent(command.args(["--log-level", "error", "run", "--config"]).arg(&config));
        child.address = address;
        Self { child, config }
    }

    /// Waits until it takes connections.
    pub fn wait(&self) {
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(&self.child.address).is_err() {
            assert!(Instant::now() < until, "the daemon does not serve");
            sleep(Duration::from_micros(200));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It holds invented keys only.
        let _ = remove_file(&self.config);
    }
}

/// An address that was free a moment ago.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").to_string()
}
