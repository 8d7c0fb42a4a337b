//! The real program over a simulated cloud, with a service manager, in a folder of its own.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use chrono::Utc;
use notafter::sim::demo::{self, Clouds};
use tempfile::TempDir;

/// Longer than anything takes on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) struct House {
    pub(crate) folder: TempDir,
    /// The accounts of the simulated clouds, with their paces.
    pub(crate) accounts: String,
    pub(crate) address: SocketAddr,
    manager: UnixDatagram,
    _clouds: Clouds,
}

/// A running program; killed when it goes out of scope.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

pub(crate) fn free_address() -> SocketAddr {
    // an address that no connection of others begins at
    TcpListener::bind("127.0.78.1:0").unwrap().local_addr().unwrap()
}

impl House {
    pub(crate) async fn new(resources: usize) -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let clouds = demo::start(resources, 7, Utc::now()).await.unwrap();
        let text = demo::config_toml(&clouds, "127.0.0.1:0", None);
        let (accounts, _) = text.split_once("[web]").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let manager = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        manager.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        Self { accounts: accounts.to_owned(), address: free_address(), manager, folder, _clouds: clouds }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("control.sock")
    }

    /// `[web]` and `[store]` as all configurations here have them.
    pub(crate) fn rest(&self) -> String {
        format!(
            "[store]\nurl = 'sqlite:{}'\n[web]\ncontrol_socket = '{}'\nlisten = ['{}']\n",
            self.path("notafter.db").display(),
            self.socket().display(),
            self.address
        )
    }

    pub(crate) fn configure(&self, text: &str) {
        let new = self.path("config.toml.new");
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        fs::rename(new, self.path("config.toml")).unwrap();
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_notafter"));
        command.args(words).arg("--config").arg(self.path("config.toml")).current_dir(self.folder.path());
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn start(&self, watchdog: Duration) -> Running {
        let log = File::create(self.path("log")).unwrap();
        let mut command = self.command(&["run"]);
        command.env("NOTIFY_SOCKET", self.path("notify")).env_remove("WATCHDOG_PID");
        command.env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        let running = Running(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        self.hear_until("READY=1");
        running
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Everything that the manager was told up to this word, the word included.
    pub(crate) fn hear_until(&self, word: &str) -> Vec<String> {
        let (began, mut heard) = (Instant::now(), Vec::new());
        while began.elapsed() < LONG {
            let mut buffer = [0; 1024];
            if let Ok(length) = self.manager.recv(&mut buffer) {
                heard.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
                if heard.last().is_some_and(|last| last.contains(word)) {
                    return heard;
                }
            }
        }
        panic!("never heard {word}, only {heard:?}; log:\n{}", self.log());
    }

    /// Hears what there is, as a manager always does: one that does not read makes the daemon wait.
    pub(crate) fn hear_once(&self) {
        drop(self.manager.recv(&mut [0; 1024]));
    }

    /// What a command says, and its exit code.
    pub(crate) fn says(&self, words: &[&str]) -> (String, Option<i32>) {
        let output = self.command(words).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (String::from_utf8(text).unwrap(), output.status.code())
    }

    pub(crate) async fn page(&self, path: &str) -> reqwest::Result<String> {
        let url = format!("http://{}{path}", self.address);
        reqwest::get(url).await?.error_for_status()?.text().await
    }

    /// Waits until the metrics page satisfies.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        let mut last = String::new();
        while began.elapsed() < LONG {
            last = self.page("/metrics").await.unwrap_or_default();
            if wanted(&last) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never {what}; log:\n{}\n{last}", self.log());
    }
}

impl Running {
    pub(crate) fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").arg(format!("-{name}")).arg(self.0.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    /// How long it took to end, and how it did.
    pub(crate) fn stop(mut self) -> (Duration, ExitStatus) {
        let began = Instant::now();
        self.signal("TERM");
        while began.elapsed() < LONG {
            if let Some(status) = self.0.try_wait().unwrap() {
                return (began.elapsed(), status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it did not end");
    }

    /// Resident memory in KiB, and open files.
    pub(crate) fn size(&self) -> (u64, usize) {
        let mut text = String::new();
        File::open(format!("/proc/{}/status", self.0.id())).unwrap().read_to_string(&mut text).unwrap();
        let resident = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let resident = resident.trim().trim_end_matches(" kB").parse().unwrap();
        (resident, fs::read_dir(format!("/proc/{}/fd", self.0.id())).unwrap().count())
    }
}

/// The series of a page by name and labels, of what is known of certificates.
pub(crate) fn certificates(page: &str) -> BTreeSet<String> {
    let series = page.lines().filter(|line| line.starts_with("notafter_certificate_not_after"));
    series.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect()
}

pub(crate) fn value(page: &str, series: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}
