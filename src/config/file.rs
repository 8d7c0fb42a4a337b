//! The edge: finds the file, reads it, tries its secrets and our own certificate.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::problem::{Position, Positions, Problem, Problems};
use crate::secret::is_exposed;
use crate::tls::Tls;

use super::{Config, Reading, read};

/// The environment variable that names the file.
const VARIABLE: &str = "NOTAFTER_CONFIG";

/// Where the file is looked for when nobody names one.
const USUAL: [&str; 2] = ["/etc/notafter/config.toml", "./config.toml"];

/// No honest configuration is longer.
const LONGEST: u64 = 16 * 1024 * 1024;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Nobody named a file, and none is in the usual places.
    #[error("no configuration found: --config is not given, ${VARIABLE} is not set, {} do not exist", USUAL.join(" and "))]
    NotFound,
    /// The file is not there, or not for us.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is there, and something is wrong with it.
    #[error(transparent)]
    Problems(#[from] Problems),
}

/// A configuration, and what its operator should know although it works.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Not wrong, but not good either: secret files and hashes that others can read.
    pub warnings: Problems,
}

/// The file to read: `flag`, else `$NOTAFTER_CONFIG`, else the first of the usual places that exists.
pub fn find_path(flag: Option<&Path>, env: &dyn Fn(&str) -> Option<String>) -> Result<PathBuf, LoadError> {
    let named = flag.map(Path::to_owned);
    let named = named.or_else(|| env(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from));
    // a place that cannot be looked into counts as found: reading it will say why
    let usual = || USUAL.iter().map(PathBuf::from).find(|path| path.try_exists().unwrap_or(true));
    named.or_else(usual).ok_or(LoadError::NotFound)
}

/// Reads and checks the file, tries every secret and the files of our own TLS, and forgets all of them again.
///
/// `env` answers for environment variables; systemd's `$CREDENTIALS_DIRECTORY` is one of them.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: path.to_owned(), source };
    let file_name = path.display().to_string();
    let (bytes, mode) = bytes_of(path).map_err(unreadable)?;
    let text = decode(bytes, &file_name)?;
    let mut reading = read(&text, &file_name);
    if is_exposed(mode) {
        refuse_literals(&mut reading, path);
    }
    let mut warnings = Problems::new(&file_name);
    try_secrets(&mut reading, &mut warnings, env);
    try_tls(&mut reading, &mut warnings);
    if is_exposed(mode) {
        warn_of_hashes(&reading, path, &mut warnings);
    }
    match reading.config {
        Some(config) if reading.problems.is_empty() => Ok(Loaded { config, warnings }),
        _ => Err(reading.problems.into()),
    }
}

/// The content, and the permission bits of the very file that was read.
fn bytes_of(path: &Path) -> io::Result<(Vec<u8>, u32)> {
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than any configuration"));
    }
    Ok((bytes, mode))
}

/// The text of a file; only UTF-8 is one.
pub fn decode(bytes: Vec<u8>, file_name: &str) -> Result<String, Problems> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let before = String::from_utf8_lossy(&bytes[..valid]);
        let wide = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
        let lead = if wide { "it looks like UTF-16; " } else { "" };
        let hint = format!("{lead}save the file as UTF-8");
        let mut problems = Problems::new(file_name);
        problems
            .push(Problem::new(Positions::new(&before).of(valid), "", "the file is not UTF-8").hint(hint));
        problems
    })
}

fn refuse_literals(reading: &mut Reading, path: &Path) {
    for setting in reading.secrets.iter().filter(|setting| setting.source.is_literal()) {
        let message =
            format!("{} is a secret, and everybody on this machine can read the file", setting.subject);
        let hint =
            format!("chmod o-rwx {}; or {{ env = … }}, {{ file = … }}, {{ credential = … }}", path.display());
        reading.problems.push(Problem::new(setting.position, &setting.key, message).hint(hint));
    }
}

fn try_secrets(reading: &mut Reading, warnings: &mut Problems, env: &dyn Fn(&str) -> Option<String>) {
    let credentials = env("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    for setting in reading.secrets.iter().filter(|setting| !setting.source.is_literal()) {
        let problem = |text: String| {
            let position: Position = setting.position;
            Problem::new(position, &setting.key, format!("{}: {text}", setting.subject))
        };
        if let Err(error) = setting.load(env, credentials.as_deref()) {
            reading.problems.push(problem(error.to_string()));
        }
        if let Some(text) = setting.source.warning() {
            warnings.push(problem(text));
        }
    }
}

fn try_tls(reading: &mut Reading, warnings: &mut Problems) {
    let Some(web) = reading.config.as_ref().map(|config| &config.web) else { return };
    let Some(files) = web.tls.clone() else { return };
    let problem = |text: String| Problem::new(web.positions.tls, "web.tls", format!("`web.tls`: {text}"));
    match Tls::open(files) {
        Ok(tls) => tls.warning().into_iter().for_each(|text| warnings.push(problem(text))),
        Err(error) => reading.problems.push(problem(error.to_string())),
    }
}

/// A hash is no password, but whoever can read it can try passwords as fast as his machine allows.
fn warn_of_hashes(reading: &Reading, path: &Path, warnings: &mut Problems) {
    let Some(web) = reading.config.as_ref().map(|config| &config.web) else { return };
    if !web.users.is_empty() {
        let path = path.display();
        let text = "`web.users`: everybody on this machine can read the hashes, and guess passwords by them";
        let problem = Problem::new(web.positions.users, "web.users", text);
        warnings.push(problem.hint(format!("chmod o-rwx {path}")));
    }
}
