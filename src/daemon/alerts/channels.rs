//! From configured channels to channels that can be spoken to: reads their secrets and templates.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{self, Config};
use crate::domain::alert::delivery::health::Teller;
use crate::domain::alert::routing::ChannelRules;
use crate::domain::finding::Stage;
use crate::domain::policy::Locale;
use crate::fields::{ProxyUrl, SecretSetting};
use crate::notifier::text::Template;
use crate::notifier::{BuildError, NotifierKind, Order, Sender};
use crate::secret::{Secret, SecretError};
use crate::stamp::can_be_read_again;

/// No honest template is longer.
const LONGEST_TEMPLATE: u64 = 256 * 1024;

/// A channel that can be spoken to.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Its name.
    pub name: Box<str>,
    /// Its type.
    pub kind: &'static NotifierKind,
    /// How it is spoken to.
    pub sender: Sender,
    /// The language of its messages.
    pub locale: Locale,
    /// The operator's own words.
    pub template: Option<Arc<Template>>,
    /// Messages per minute at most.
    pub per_minute: f64,
    /// So many may go at once after a rest.
    pub burst: u32,
}

/// A channel that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// A secret, or the client; the text names the key.
    #[error("{}", said_of(channel, source))]
    Build {
        /// Its name.
        channel: String,
        /// Why.
        source: BuildError,
    },
    /// This version cannot speak to it.
    #[error("channel `{channel}`: `type = \"{kind}\"` is not built yet in this version")]
    NotBuilt {
        /// Its name.
        channel: String,
        /// Its type.
        kind: &'static str,
    },
    /// Its template cannot be used.
    #[error("channel `{channel}`: `template`: {problem}")]
    Template {
        /// Its name.
        channel: String,
        /// Which file, where in it, and what is wrong.
        problem: String,
    },
    /// The address of the heartbeat cannot be had or used.
    #[error("{0}")]
    Heartbeat(BuildError),
}

/// What is said of a key names the channel already.
fn said_of(channel: &str, source: &BuildError) -> String {
    let text = source.to_string();
    let subject = format!("channel `{channel}`");
    if text.starts_with(&subject) { text } else { format!("{subject}: {text}") }
}

/// Reads secrets the way the whole daemon does. `env` answers for environment variables.
pub(super) fn secrets(
    env: &dyn Fn(&str) -> Option<String>,
) -> impl Fn(&SecretSetting) -> Result<Secret, SecretError> {
    let credentials = env("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    move |setting| setting.load(env, credentials.as_deref())
}

/// Makes every channel. `env` answers for environment variables, systemd's `$CREDENTIALS_DIRECTORY` among them.
///
/// # Errors
/// Each channel that cannot be made.
pub fn build_channels(
    config: &Config,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Channel>, Vec<ChannelError>> {
    let secret = secrets(env);
    let (mut built, mut errors) = (Vec::new(), Vec::new());
    for channel in &config.channels {
        match build(channel, &secret) {
            Ok(channel) => built.push(channel),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(built) } else { Err(errors) }
}

/// Files that channels and the sign of life are made of: secrets and templates. Pipes are read once and are not among them.
pub fn files(config: &Config, env: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let credentials = env("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let secrets = config.channels.iter().flat_map(|channel| channel.settings.secrets());
    let secrets = secrets.chain(&config.heartbeat);
    let secrets = secrets.filter_map(|setting| setting.source.path(credentials.as_deref()));
    let templates = config.channels.iter().filter_map(|channel| channel.template.clone());
    secrets.chain(templates).filter(|path| can_be_read_again(path)).collect()
}

fn build(
    channel: &config::Channel,
    secret: &dyn Fn(&SecretSetting) -> Result<Secret, SecretError>,
) -> Result<Channel, ChannelError> {
    let (name, kind) = (channel.name.clone(), channel.kind);
    let Some(build) = kind.build else {
        return Err(ChannelError::NotBuilt { channel: name, kind: kind.name });
    };
    let order = Order {
        channel: &channel.name,
        settings: channel.settings.as_ref(),
        proxy: channel.proxy.as_ref().map(ProxyUrl::expose),
        secret,
    };
    let sender = build(&order).map_err(|source| ChannelError::Build { channel: name.clone(), source })?;
    let template = channel.template.as_deref().map(template).transpose();
    let template = template.map_err(|problem| ChannelError::Template { channel: name, problem })?;
    Ok(Channel {
        name: channel.name.as_str().into(),
        kind,
        sender,
        locale: channel.locale,
        template: template.map(Arc::new),
        per_minute: channel.rate.unwrap_or(kind.per_minute),
        // a rate of the operator's own is meant as an even one
        burst: if channel.rate.is_some() { 1 } else { kind.burst },
    })
}

fn template(path: &Path) -> Result<Template, String> {
    let shown = path.display().to_string();
    let told = |what: String| format!("{shown}: {what}");
    let size = fs::metadata(path).map_err(|error| told(error.to_string()))?.len();
    if size > LONGEST_TEMPLATE {
        return Err(told("is longer than any template".to_owned()));
    }
    let bytes = fs::read(path).map_err(|error| told(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| told("is not UTF-8".to_owned()))?;
    Template::read(&text, &shown).map_err(|error| error.to_string())
}

impl Channel {
    /// What the decision has to know of it.
    pub fn rules(&self) -> ChannelRules {
        ChannelRules {
            name: self.name.clone(),
            least: self.kind.least,
            pager: self.is_pager(),
            replica: matches!(self.sender, Sender::State(_)),
        }
    }

    /// Where it goes, for people.
    pub fn place(&self) -> &str {
        match &self.sender {
            Sender::Messages(messenger) => messenger.place(),
            Sender::State(replica) => replica.place(),
        }
    }

    /// As one that may tell of another.
    pub(super) fn teller(&self, well: bool) -> Teller<'_> {
        let suits = matches!(self.sender, Sender::Messages(_)) && !self.is_pager();
        Teller { name: &self.name, suits, well }
    }

    /// It is for what somebody has to be woken for.
    fn is_pager(&self) -> bool {
        self.kind.least >= Stage::Critical
    }
}

/// Channels that no route names, although there are routes: nothing is ever sent there, but news of other channels.
pub fn unused(config: &Config) -> Vec<&str> {
    let named: BTreeSet<&str> =
        config.routes.iter().flat_map(|route| route.channels.iter().map(String::as_str)).collect();
    let fallback = config.alert.fallback_channel.as_deref();
    let all = config.channels.iter().map(|channel| channel.name.as_str());
    all.filter(|name| !named.is_empty() && !named.contains(name) && Some(*name) != fallback).collect()
}

/// There are routes, and none takes what no other means: that is told to nobody.
pub fn leaks(config: &Config) -> bool {
    !config.routes.is_empty() && config.routes.iter().all(|route| route.matcher.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let account = "[[account]]\nname = \"prod\"\nprovider = \"alibaba\"\n\
                       credentials = { access_key_id = { env = \"ID\" }, access_key_secret = { env = \"ID\" } }\n";
        config::parse(&format!("{account}{text}"), "c.toml").unwrap_or_else(|problems| panic!("{problems}"))
    }

    #[test]
    fn a_template_that_cannot_be_used_says_why() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("words.txt");
        let missing = template(&path).expect_err("missing");
        assert!(missing.ends_with("words.txt: No such file or directory (os error 2)"), "{missing}");
        fs::write(&path, [0xff, 0xfe]).expect("written");
        assert!(template(&path).expect_err("no text").ends_with("words.txt: is not UTF-8"));
        fs::write(&path, "{{ title ").expect("written");
        let broken = template(&path).expect_err("broken");
        assert!(broken.contains("words.txt") && broken.contains('1'), "{broken}");
    }

    #[test]
    fn what_is_wrong_names_the_channel_once() {
        let subject = || "channel `a`: `url`".to_owned();
        let build = |source| ChannelError::Build { channel: "a".to_owned(), source }.to_string();
        let odd = BuildError::OddSecret { subject: subject(), problem: "is no address".to_owned() };
        assert_eq!(build(odd), "channel `a`: `url`: is no address");
        assert_eq!(build(BuildError::Client("no TLS".to_owned())), "channel `a`: no TLS");
    }

    #[test]
    fn all_files_of_channels_and_heartbeat_are_known_and_no_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let names = ["url", "new", "old", "words", "beat", "token", "prod"];
        for name in names {
            fs::write(path(name), "x").expect("written");
        }
        let file = |name: &str| format!("{{ file = '{}' }}", path(name).display());
        let text = format!(
            "[[channel]]\nname = 'a'\ntype = 'webhook'\nurl = {}\nsecret = [{}, {}]\ntemplate = '{}'\n\
             [[channel]]\nname = 'b'\ntype = 'telegram'\ntoken = {{ credential = 'token' }}\nchat_id = 1\n\
             [[channel]]\nname = 'c'\ntype = 'teams'\nurl = {{ env = 'U' }}\n\
             [[channel]]\nname = 'd'\ntype = 'teams'\nurl = {{ file = '/dev/null' }}\n\
             [alert]\nheartbeat = {}\n[store]\nurl = {}\n",
            file("url"),
            file("new"),
            file("old"),
            path("words").display(),
            file("beat"),
            file("prod"),
        );
        let credentials =
            |name: &str| (name == "CREDENTIALS_DIRECTORY").then(|| folder.path().display().to_string());
        let mut found = files(&config(&text), &credentials);
        found.sort();
        let mut wanted = ["url", "new", "old", "words", "beat", "token"].map(path);
        wanted.sort();
        assert_eq!(found, wanted, "no pipes, and the store's is used once");
    }

    #[test]
    fn a_channel_without_a_route_is_noticed_where_there_are_routes() {
        let channels = ["a", "b", "c"].map(|name| {
            format!("[[channel]]\nname = \"{name}\"\ntype = \"teams\"\nurl = {{ env = \"U\" }}\n")
        });
        let channels = channels.concat();
        assert_eq!(unused(&config(&channels)), [] as [&str; 0]);
        let routed = format!("[alert]\nfallback_channel = \"b\"\n{channels}[[route]]\nchannels = [\"a\"]\n");
        assert_eq!(unused(&config(&routed)), ["c"]);
    }

    #[test]
    fn routes_that_let_something_through_are_noticed() {
        let channel = "[[channel]]\nname = \"a\"\ntype = \"teams\"\nurl = { env = \"U\" }\n";
        let narrow = "[[route]]\nmatch = 'tag:team=\"dba\"'\nchannels = [\"a\"]\n";
        let rest = "[[route]]\nchannels = [\"a\"]\n";
        for (routes, want) in
            [("", false), (narrow, true), (rest, false), (&format!("{narrow}{rest}"), false)]
        {
            assert_eq!(leaks(&config(&format!("{channel}{routes}"))), want, "{routes}");
        }
    }
}
