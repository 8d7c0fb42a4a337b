//! `notafter run` as a process of its own.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A folder with a configuration and a store.
pub(crate) struct Home {
    folder: tempfile::TempDir,
    /// Where the daemon listens.
    pub(crate) address: String,
}

/// A running program; killed when it goes out of scope.
pub(crate) struct Running(Child);

impl Home {
    pub(crate) fn new(number: usize) -> Self {
        // an address that no connection of others begins at, so that the port is free again after each kill
        let host = format!("127.0.77.{}", number + 1);
        let port = std::net::TcpListener::bind((host.as_str(), 0)).unwrap().local_addr().unwrap().port();
        // what a process wrote outlives it in memory too, and a disk that others use would set the pace
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self { folder: folder.unwrap(), address: format!("{host}:{port}") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Address of the store.
    pub(crate) fn store(&self) -> String {
        format!("sqlite:{}", self.path("notafter.db").display())
    }

    /// Writes a configuration of that name.
    pub(crate) fn configure(&self, name: &str, text: &str) {
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(self.path(name)).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    }

    /// Starts with the configuration of that name.
    pub(crate) fn run(&self, config: &str) -> Running {
        let log = OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let mut command = Command::new(program());
        command.args(["run", "--config"]).arg(self.path(config)).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr::<File>(log);
        Running(command.spawn().unwrap())
    }

    /// Everything that was logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// The metrics page, once there is one.
    pub(crate) async fn page(&self) -> Option<String> {
        reqwest::get(format!("http://{}/metrics", self.address)).await.ok()?.text().await.ok()
    }
}

/// The one that was built with this test, unless another one is to be tried (a release build, for many more kills).
fn program() -> PathBuf {
    std::env::var_os("NOTAFTER_KILL_PROGRAM")
        .map_or_else(|| Path::new(env!("CARGO_BIN_EXE_notafter")).to_owned(), PathBuf::from)
}

impl Running {
    /// As `kill -9` does. `false`: it had ended by itself.
    pub(crate) fn kill(mut self) -> bool {
        let lived = self.0.try_wait().unwrap().is_none();
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        lived
    }

    /// As an operator stops it.
    pub(crate) fn stop(mut self) {
        let told = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        assert!(told.is_ok_and(|status| status.success()), "it can be told to stop");
        let status = self.0.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
