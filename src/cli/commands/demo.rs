//! `demo`: the daemon over simulated clouds, with simulated receivers of its messages.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;

use super::daemon::{Tell, explainer, until_stopped};
use super::signals::Signals;
use super::{Exit, environment, failed};
use crate::cli::args::Demo;
use crate::cli::logging::{LogFormat, Switch};
use crate::config;
use crate::daemon::{Daemon, Host};
use crate::shutdown::Shutdown;
use crate::sim::demo::{self as simulated, Clouds, Inboxes, status_page};

/// The simulated clouds change this often.
const TICK: Duration = Duration::from_secs(5);
/// The fleet is the same one each time.
const SEED: u64 = 20_261_122;

/// Runs simulated clouds and receivers on loopback and the daemon in between.
pub(super) async fn demo(demo: &Demo, logging: Switch) -> Exit {
    let mut signals = match Signals::take() {
        Ok(signals) => signals,
        Err(error) => return failed(&error),
    };
    let prepared = tokio::select! {
        prepared = Box::pin(prepare(demo, logging)) => prepared,
        () = signals.stop() => return Exit::Ok,
    };
    match prepared {
        Ok(show) => Box::pin(show.run(demo, signals)).await,
        Err(exit) => exit,
    }
}

/// Everything that the demonstration consists of.
struct Show {
    clouds: Clouds,
    inboxes: Inboxes,
    daemon: Daemon,
    login: Option<Login>,
    _folder: Folder,
}

/// A user of the demonstration, with a password of this run.
struct Login {
    password: String,
    hash: String,
}

impl Login {
    fn new() -> Result<Self, String> {
        let mut random = [0_u8; 9];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| "the system has no randomness for a password")?;
        let password = hex::encode(random);
        let hash = bcrypt::hash(&password, 10).map_err(|error| error.to_string())?;
        Ok(Self { password, hash })
    }

    fn users(&self) -> String {
        format!("{{ demo = \"{}\" }}", self.hash)
    }
}

async fn prepare(demo: &Demo, logging: Switch) -> Result<Show, Exit> {
    let listen = demo.listen.to_string();
    let started = simulated::start(demo.resources as usize, SEED, Utc::now()).await;
    let clouds = started.map_err(|error| failed(&format!("the simulated clouds cannot start: {error}")))?;
    let started = Inboxes::start(status_page(&listen).as_deref()).await;
    let inboxes =
        started.map_err(|error| failed(&format!("the simulated receivers cannot start: {error}")))?;
    let folder = Folder::make()
        .map_err(|error| failed(&format!("no folder for what is kept while the demo runs: {error}")))?;
    let login = if demo.login { Some(Login::new().map_err(|error| failed(&error))?) } else { None };
    let users = login.as_ref().map(Login::users);
    let text = simulated::config_toml(&clouds, &listen, users.as_deref())
        + &inboxes.config_toml(&folder.0.join("notafter.db"))
        + simulated::renewal_toml();
    if let Some(path) = &demo.write_config {
        write_for_owner(path, &text).map_err(|error| failed(&format!("{}: {error}", path.display())))?;
    }
    let mut config = config::parse(&text, "demo").map_err(|problems| failed(&problems))?;
    config.web.control_socket = Some(folder.0.join("control.sock"));
    let host = Host { explainer: Some(explainer), logging: Some(Arc::new(logging)), ..Host::default() };
    let daemon = Daemon::prepare_in(host, config, &environment).await.map_err(|error| failed(&error))?;
    Ok(Show { clouds, inboxes, daemon, login, _folder: folder })
}

impl Show {
    async fn run(self, demo: &Demo, signals: Signals) -> Exit {
        let Self { clouds, inboxes, daemon, login, _folder } = self;
        for address in daemon.addresses() {
            println!(
                "Simulated clouds with {} resources. Open http://{address}/ ; metrics are at http://{address}/metrics\n\
                 What people are told of them, in Slack, DingTalk and a webhook: {}\n\
                 Account `legacy` has a refused key and region me-east-1 refuses, on purpose. Ctrl-C ends it.",
                demo.resources,
                inboxes.page_url()
            );
        }
        if let Some(login) = &login {
            println!("Log in as `demo` with the password {}", login.password);
        }
        if let Some(socket) = daemon.control_socket() {
            let socket = socket.display();
            println!(
                "Try: notafter --socket {socket} status\n\
                 Or renew one: notafter --socket {socket} renewals list, then notafter --socket {socket} renew RESOURCE_ID --now"
            );
        }
        let tell = Tell(LogFormat::Text);
        let beside = |stop| drop(tokio::spawn(keep_changing(clouds, stop)));
        Box::pin(until_stopped(daemon, signals, tell, beside)).await
    }
}

/// The file holds keys, be they simulated ones: nobody else may read it.
fn write_for_owner(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())
}

async fn keep_changing(clouds: Clouds, stop: Shutdown) {
    for tick in 0.. {
        tokio::select! {
            () = stop.requested() => return,
            () = tokio::time::sleep(TICK) => {
                for cloud in &clouds {
                    cloud.live(Utc::now(), tick);
                }
            }
        }
    }
}

/// A folder of its own, for its owner only, which goes when the demonstration ends: nothing simulated is worth keeping.
struct Folder(PathBuf);

impl Folder {
    fn make() -> io::Result<Self> {
        let name = format!("notafter-demo-{}-{}", std::process::id(), Utc::now().timestamp_micros());
        let path = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "the demo's folder is left behind");
        }
    }
}
