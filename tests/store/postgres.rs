//! A PostgreSQL server for these tests alone: a socket in a folder of its own, gone when the tests end.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// `$1` is the folder of the programs, `$2` one to work in. The server lives as long as the standard input is open,
/// so it ends with the tests, however they end.
const RUN: &str = r#"
"$1/initdb" -D "$2/data" -U notafter -A trust -E UTF8 --no-sync > "$2/log" 2>&1 || exit
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c max_connections=200 >> "$2/log" 2>&1 &
server=$!
cat > /dev/null
kill -QUIT $server
wait $server
rm -rf "$2"
"#;

/// A running server.
pub(crate) struct Server {
    folder: PathBuf,
    _alive: ChildStdin,
}

impl Server {
    /// The one of these tests.
    pub(crate) fn shared() -> &'static Self {
        static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
        SERVER.get_or_init(start).as_ref().unwrap_or_else(|why| panic!("{why}"))
    }

    /// The address of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://notafter@localhost/{database}?host={}", self.folder.display())
    }

    /// Runs a statement outside of any test's database.
    pub(crate) fn administer(&self, statement: &str) {
        self.run(statement).unwrap_or_else(|said| panic!("{statement}: {said}"));
    }

    fn run(&self, statement: &str) -> Result<(), String> {
        let mut psql = Command::new(programs().expect("they were found").join("psql"));
        psql.args(["-q", "-v", "ON_ERROR_STOP=1", "-U", "notafter", "-d", "postgres", "-c", statement]);
        let output = psql.arg("-h").arg(&self.folder).output().map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    folders.filter(|folder| folder.join("initdb").exists()).max()
}

fn start() -> Result<Server, String> {
    let programs = programs().ok_or(
        "/usr/lib/postgresql/*/bin/initdb is missing: install the Debian package `postgresql` (`make tools` does it)",
    )?;
    let folder =
        tempfile::Builder::new().prefix("notafter-pg-").tempdir().map_err(|error| error.to_string())?;
    let folder = folder.keep();
    let mut shell = Command::new("sh");
    shell.args(["-c", RUN, "sh"]).arg(&programs).arg(&folder).current_dir("/").stdin(Stdio::piped());
    if let Some((user, group)) = unprivileged() {
        // PostgreSQL refuses to run as root.
        chown(&folder, Some(user), Some(group)).map_err(|error| error.to_string())?;
        shell.uid(user).gid(group);
    }
    let mut shell = shell.spawn().map_err(|error| error.to_string())?;
    let server = Server { folder, _alive: shell.stdin.take().ok_or("no standard input")? };
    wait_for(&server)?;
    Ok(server)
}

fn wait_for(server: &Server) -> Result<(), String> {
    let began = Instant::now();
    while let Err(said) = server.run("SELECT 1") {
        if began.elapsed() > Duration::from_mins(1) {
            return Err(format!("PostgreSQL does not start: {said}{}", log(&server.folder)));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// For root: somebody else to be.
fn unprivileged() -> Option<(u32, u32)> {
    if number("-u", None)? != 0 {
        return None;
    }
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|user| Some((number("-u", Some(user))?, number("-g", Some(user))?)))
}

fn number(what: &str, user: Option<&str>) -> Option<u32> {
    let output = Command::new("id").arg(what).args(user).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
