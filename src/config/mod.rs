//! The configuration: one TOML file, read completely before anything starts.
//!
//! [`parse`] is text in, [`Config`] or all problems out, without any I/O; [`load`] is the edge that reads the file
//! and tries the secrets. Each table has a module here; clouds and channels read their own keys, so no name of
//! either stands in this folder. Flags of the command line win over what is read here, which is up to the caller.

mod account;
mod alert;
mod channel;
mod effective;
mod file;
mod names;
mod poll;
mod renewal;
mod route;
mod store;
mod syntax;
mod times;
mod web;

pub use account::Account;
pub use channel::{Channel, Locale};
pub use file::{LoadError, Loaded, decode, find_path, load};
pub use store::{Store, StoreUrl};
pub use web::{Web, WebPositions};

use std::path::PathBuf;

use toml::de::DeTable;

use crate::domain::policy::{AlertPolicy, PollPolicy, RenewalPolicy, Route};
use crate::fields::{Fields, SecretSetting, Sink};
use crate::problem::Problems;

/// Everything that an operator can set, with defaults where nothing was said.
#[derive(Debug)]
pub struct Config {
    /// How often the clouds are asked.
    pub poll: PollPolicy,
    /// At least one; names are unique.
    pub accounts: Vec<Account>,
    /// When something is worth telling.
    pub alert: AlertPolicy,
    /// An address that is called again and again while the daemon is alive, so that its silence is noticed.
    pub heartbeat: Option<SecretSetting>,
    /// Where messages can go; names are unique.
    pub channels: Vec<Channel>,
    /// Which messages go where, in order. Each names only channels that exist.
    pub routes: Vec<Route>,
    /// What may be renewed.
    pub renewal: RenewalPolicy,
    /// Our own address.
    pub web: Web,
    /// What outlives the process; `None`: nothing, which no file can say.
    pub store: Option<Store>,
}

impl Config {
    /// Every secret of accounts, channels, heartbeat and store, with the position where it is written.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretSetting> {
        let accounts = self.accounts.iter().flat_map(|account| account.settings.secrets());
        let channels = self.channels.iter().flat_map(|channel| channel.settings.secrets());
        accounts.chain(channels).chain(&self.heartbeat).chain(self.store.as_ref().and_then(Store::secret))
    }
}

/// Reads the text of a configuration. `file_name` is what problems are reported under.
pub fn parse(text: &str, file_name: &str) -> Result<Config, Problems> {
    let Reading { config, problems, .. } = read(text, file_name);
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

/// Where a configuration says that the control socket is, also if something else in it is wrong; `None`: nobody can
/// tell.
pub fn control_socket(text: &str) -> Option<Option<PathBuf>> {
    read(text, "").config.map(|config| config.web.control_socket)
}

/// All that was found in a text, also where something is wrong.
struct Reading {
    config: Option<Config>,
    problems: Problems,
    secrets: Vec<SecretSetting>,
}

fn read(text: &str, file_name: &str) -> Reading {
    // the mark that some editors put before the first character
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut sink = Sink::new(file_name, text);
    for error in &errors {
        syntax::report(error, text, &mut sink);
    }
    // what follows a syntax error is guesswork: no table is judged by it
    let config = errors.is_empty().then(|| tables(Fields::root(table.get_ref(), &mut sink)));
    let (problems, secrets) = sink.into_parts();
    Reading { config, problems, secrets }
}

/// How to begin, for those who start from an empty file.
const BEGIN: &str = r#"begin with:
[[account]]
name = "prod"
provider = "alibaba"
credentials = { access_key_id = { env = "ALIBABA_CLOUD_ACCESS_KEY_ID" }, access_key_secret = { env = "ALIBABA_CLOUD_ACCESS_KEY_SECRET" } }"#;

fn tables(mut fields: Fields<'_>) -> Config {
    let poll = fields.table("poll", poll::read).unwrap_or_default();
    if !fields.has("account") {
        fields.problem_here("no account is configured", BEGIN);
    }
    let accounts = account::read_all(&mut fields);
    let (channels, names) = channel::read_all(&mut fields);
    let alert = fields.table("alert", |fields| Some(alert::read(fields, &names)));
    let (alert, heartbeat) = alert.unwrap_or_default();
    let routes = route::read_all(&mut fields, &names, alert.thresholds);
    let mut stored = false;
    let store = fields.table("store", |fields| {
        stored = fields.has("url");
        Some(store::read(fields))
    });
    let store = Some(store.unwrap_or_default());
    let renewal = fields.table("renewal", |fields| Some(renewal::read(fields, stored))).unwrap_or_default();
    let web = fields.table("web", |fields| Some(web::read(fields))).unwrap_or_default();
    fields.finish();
    Config { poll, accounts, alert, heartbeat, channels, routes, renewal, web, store }
}
