//! The keys of a channel table that only Alertmanager has.

use toml::Value;

use crate::fields::show::{self, Entries};
use crate::fields::{Fields, SecretSetting, no_check};
use crate::notifier::{ChannelSettings, own_url};

/// Which instances are told.
#[derive(Debug)]
pub struct Settings {
    /// Every instance of the cluster, not a balancer before them.
    pub urls: Vec<SecretSetting>,
    /// How they know us.
    pub login: Option<Login>,
}

/// How an instance knows us.
#[derive(Debug)]
pub enum Login {
    /// Basic authentication.
    Password {
        /// Who.
        username: String,
        /// And what only that one knows.
        password: SecretSetting,
    },
    /// A token.
    Bearer(SecretSetting),
}

const WAYS: &str = "either `username` and `password`, or `bearer_token`";

/// Reads them from a channel table.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<Box<dyn ChannelSettings>> {
    fields.require("urls", "urls = [\"http://alertmanager-0.example:9093\"]");
    let urls = fields.item("urls").and_then(|item| item.list(|item| item.secret(own_url)));
    if fields.has("username") || fields.has("password") {
        fields.require("username", WAYS).require("password", WAYS);
        if fields.has("bearer_token") {
            fields.problem("bearer_token", "cannot stand beside `username` and `password`", WAYS);
        }
    }
    let username = fields.string("username");
    let password = fields.secret("password", no_check);
    let token = fields.secret("bearer_token", no_check);
    let pair = username.zip(password).map(|(username, password)| Login::Password { username, password });
    Some(Box::new(Settings { urls: urls?, login: pair.or(token.map(Login::Bearer)) }))
}

impl ChannelSettings for Settings {
    fn secrets(&self) -> Vec<&SecretSetting> {
        let login = self.login.iter().map(|login| match login {
            Login::Password { password: secret, .. } | Login::Bearer(secret) => secret,
        });
        self.urls.iter().chain(login).collect()
    }

    fn effective(&self) -> Entries {
        let urls = self.urls.iter().map(show::secret).collect();
        let mut entries = vec![("urls", Value::Array(urls))];
        match &self.login {
            Some(Login::Password { username, password }) => {
                entries.push(("username", Value::from(username.as_str())));
                entries.push(("password", show::secret(password)));
            }
            Some(Login::Bearer(token)) => entries.push(("bearer_token", show::secret(token))),
            None => {}
        }
        entries
    }
}
