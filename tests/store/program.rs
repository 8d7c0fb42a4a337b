//! The real program as a process of its own, over a simulated cloud in the tests' process.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use notafter::sim::alibaba::AlibabaCloud;
use tempfile::TempDir;

use crate::support::{ALL, config_text};

/// A running program; killed when it goes out of scope.
pub(crate) struct Program {
    child: Child,
    address: String,
    folder: TempDir,
}

impl Program {
    /// Starts `notafter run`. `shell` is run first, in the same process and with `$STORE` set to the folder that a file
    /// store is in; it must not come back.
    pub(crate) fn start(cloud: &AlibabaCloud, store: &str, poll: &str, shell: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let text = config_text(cloud, store, poll, ALL) + &format!("[web]\nlisten = [\"{address}\"]\n");
        let config = folder.path().join("config.toml");
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&config).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{shell}\nexec \"$0\" \"$@\"")]).arg(env!("CARGO_BIN_EXE_notafter"));
        command.args(["run", "--config"]).arg(&config).current_dir(folder.path()).stdin(Stdio::null());
        command.env("STORE", file_of(store).and_then(Path::parent).unwrap_or(Path::new("/nonexistent")));
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Self { child, address, folder }
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Where the process sees its files: another place than ours where it has file systems of its own.
    pub(crate) fn inside(&self, path: &Path) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.child.id())).join(path.strip_prefix("/").unwrap())
    }

    /// The metrics page, once it serves one.
    pub(crate) async fn page(&self) -> Option<String> {
        reqwest::get(format!("http://{}/metrics", self.address)).await.ok()?.text().await.ok()
    }

    /// Waits until the metrics page is as wanted.
    pub(crate) async fn until(&mut self, what: &str, wanted: impl Fn(&str) -> bool) {
        for _ in 0..300 {
            if self.page().await.is_some_and(|page| wanted(&page)) {
                return;
            }
            assert!(self.child.try_wait().unwrap().is_none(), "it ended before {what}:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("not seen within 30 s: {what}\n{}", self.log());
    }

    /// As `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn file_of(store: &str) -> Option<&Path> {
    store.strip_prefix("sqlite:").map(Path::new)
}

/// How many certificates a metrics page has.
pub(crate) fn certificates(page: &str) -> usize {
    page.lines().filter(|line| line.starts_with("notafter_certificate_not_after_timestamp_seconds{")).count()
}

/// Whether a metrics page says that the store can be used.
pub(crate) fn store_is(page: &str, up: bool) -> bool {
    page.contains(&format!("\nnotafter_store_up {}\n", u8::from(up)))
}
