//! From configured accounts to accounts that can be polled: reads their secrets and makes their providers.

use std::path::PathBuf;
use std::sync::Arc;

use super::poll::{Account, Filter};
use crate::config::{self, Config};
use crate::domain::hash::stable_hash;
use crate::domain::matcher::{Label, Matcher};
use crate::fields::{ProxyUrl, SecretSetting};
use crate::http::Http;
use crate::provider::{BuildError, Order, Provider};

/// An account that cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("account `{account}`: {source}")]
pub struct AccountError {
    /// Its name.
    pub account: String,
    /// Why.
    pub source: BuildError,
}

/// How an account was made that is in use.
#[derive(Debug, Clone)]
pub(super) struct Made {
    name: Arc<str>,
    /// What was written about it then, as one number.
    mark: u64,
    /// By its own filters or by a rule about renewals.
    tags_needed: bool,
    provider: Arc<dyn Provider>,
}

impl Made {
    /// How these accounts were made from this configuration.
    pub(super) fn of_all(config: &Config, accounts: &[Account]) -> Vec<Self> {
        let made = |(account, configured): (&Account, &config::Account)| Self {
            name: Arc::clone(&account.name),
            mark: configured.mark,
            tags_needed: tags_needed(configured, config),
            provider: Arc::clone(&account.provider),
        };
        accounts.iter().zip(&config.accounts).map(made).collect()
    }

    fn is_still(&self, account: &config::Account, tags_needed: bool) -> bool {
        *self.name == *account.name && self.mark == account.mark && self.tags_needed == tags_needed
    }
}

/// Makes every account. `env` answers for environment variables, systemd's `$CREDENTIALS_DIRECTORY` among them.
///
/// # Errors
/// Each account that cannot be made.
pub fn build_accounts(
    config: &Config,
    http: &Http,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Account>, Vec<AccountError>> {
    rebuild_accounts(config, http, env, &[])
}

/// The same; an account about which the same is written as when it was made stays what it is, with all that it learnt.
pub(super) fn rebuild_accounts(
    config: &Config,
    http: &Http,
    env: &dyn Fn(&str) -> Option<String>,
    made: &[Made],
) -> Result<Vec<Account>, Vec<AccountError>> {
    let credentials = env("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let secret = |setting: &SecretSetting| setting.load(env, credentials.as_deref());
    let (mut built, mut errors) = (Vec::new(), Vec::new());
    for account in &config.accounts {
        let name: Arc<str> = account.name.as_str().into();
        let tags_needed = tags_needed(account, config);
        let order = Order {
            account: &name,
            settings: account.settings.as_ref(),
            regions: account.regions.as_deref(),
            projects: account.projects.as_deref(),
            tags_needed,
            rate_limit: account.rate_limit,
            proxy: account.proxy.as_ref().map(ProxyUrl::expose),
            http,
            secret: &secret,
            env,
        };
        let known = made.iter().find(|made| made.is_still(account, tags_needed));
        let provider = match known {
            Some(made) => Ok(Arc::clone(&made.provider)),
            None => account.provider.build.map_or(Err(BuildError::NotBuilt), |build| build(&order)),
        };
        match provider {
            Ok(provider) => built.push(Account {
                name,
                provider_name: account.provider.name.into(),
                services: account.services.clone(),
                provider,
                filter: filter(account),
            }),
            Err(source) => errors.push(AccountError { account: account.name.clone(), source }),
        }
    }
    if errors.is_empty() { Ok(built) } else { Err(errors) }
}

/// Without tags its filters cannot be decided, or nobody knows what may be renewed.
fn tags_needed(account: &config::Account, config: &Config) -> bool {
    let filters = account.include.iter().chain(&account.exclude);
    let rules = config.renewal.allow.iter().map(|rule| &rule.matcher);
    let mut labels = filters.chain(rules).flat_map(Matcher::labels);
    labels.any(|label| matches!(label, Label::Tag(_)))
}

/// Which of its resources are watched.
pub(super) fn filter(account: &config::Account) -> Filter {
    let (include, exclude) = (account.include.clone(), account.exclude.clone());
    Filter { include, exclude, labels: account.labels.clone(), places: places(account) }
}

/// Which regions and projects are configured, as one number.
fn places(account: &config::Account) -> u64 {
    let parts = [("regions", &account.regions), ("projects", &account.projects)];
    let parts = parts
        .iter()
        .flat_map(|(kind, ids)| std::iter::once(*kind).chain(ids.iter().flatten().map(String::as_str)));
    stable_hash(parts)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;
    use crate::telemetry::Telemetry;

    const ACCOUNT: &str = r#"
        [[account]]
        name = "prod"
        provider = "alibaba"
        credentials = { access_key_id = "id", access_key_secret = { env = "S" } }
    "#;

    fn read(more: &str) -> Config {
        let text = format!("{ACCOUNT}{more}");
        config::parse(&text, "test").unwrap_or_else(|problems| panic!("{more}: {problems}"))
    }

    #[test]
    fn an_account_is_made_anew_when_something_that_it_was_made_of_is_different() {
        let rule = |matcher: &str| format!("[[renewal.allow]]\nmatch = '{matcher}'\nwindow = \"cloud\"\n");
        let (tagged, plain) = (rule("tag:env=\"x\""), rule("cloud_service=\"redis\""));
        let filtered = "include = ['tag:env=\"x\"']\n".to_owned();
        for (name, before, now, same) in [
            ("nothing", "", "", true),
            ("a rule without tags", "", &*plain, true),
            ("a rule that asks for a tag", &plain, &tagged, false),
            ("no rule asks for a tag any more", &tagged, "", false),
            ("another rule that asks for a tag", &tagged, &(tagged.clone() + &tagged), true),
            ("a filter that asks for a tag", "", &filtered, false),
            ("what it watches", "", "services = [\"redis\"]\n", true),
            ("what it may spend", "", "rate_limit = 1\n", false),
        ] {
            let http = Http::new(Duration::from_secs(1), 1, Clock::system(), Arc::new(Telemetry::new()));
            let env = |_: &str| Some("secret".to_owned());
            let before = read(before);
            let old = build_accounts(&before, &http, &env).expect("made");
            let made = Made::of_all(&before, &old);
            let new = rebuild_accounts(&read(now), &http, &env, &made).expect("made");
            assert_eq!(Arc::ptr_eq(&old[0].provider, &new[0].provider), same, "{name}");
        }
    }
}
