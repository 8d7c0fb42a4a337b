//! A small cloud, one clock that can be set for both sides, and accounts made of configuration text.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use notafter::call::CallError;
use notafter::clock::Clock;
use notafter::config::{self, Config};
use notafter::domain::identity::Scope;
use notafter::domain::listing::Inspection;
use notafter::fields::SecretSetting;
use notafter::http::Http;
use notafter::provider::alibaba::credentials::{Places, source};
use notafter::provider::alibaba::settings::Settings;
use notafter::provider::keys::KeySource;
use notafter::provider::{BuildError, Order, Provider, find};
use notafter::sim::alibaba::{Account, AlibabaCloud, Engine, Fleet, Instance, Key, Region, Role};
use notafter::telemetry::Telemetry;

pub(crate) const BASE: &str = "1000000000000001";
pub(crate) const OTHER: &str = "1000000000000002";
pub(crate) const THIRD: &str = "1000000000000003";
pub(crate) const REGION: &str = "cn-hangzhou";
pub(crate) const READER: &str = "acs:ram::1000000000000002:role/reader";
pub(crate) const SECOND: &str = "acs:ram::1000000000000003:role/second";
/// An address on this machine at which nobody listens.
pub(crate) const NOBODY: &str = "http://127.0.0.1:9";

pub(crate) fn noon() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

pub(crate) fn hours(hours: i64) -> DateTime<Utc> {
    noon() + TimeDelta::hours(hours)
}

/// Everything outside: a cloud, the time, the environment, a home.
pub(crate) struct World {
    pub(crate) cloud: AlibabaCloud,
    pub(crate) clock: Clock,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) home: tempfile::TempDir,
    pub(crate) metadata: String,
    seconds: Arc<AtomicI64>,
}

/// Three accounts; the first has a key, the others have roles that it may take on, one after the other.
fn fleet() -> Fleet {
    let mut fleet = Fleet::new(vec![Region::new(REGION, "华东1（杭州）", "China (Hangzhou)")]);
    for (uid, keys) in [(BASE, vec![Key::new("base", "BASE-SECRET")]), (OTHER, vec![]), (THIRD, vec![])] {
        fleet.accounts.push(Account { uid: uid.into(), name: uid.into(), keys });
        let id = format!("r-of-{uid}");
        fleet.insert(Instance::new(Engine::Redis, &id, uid, REGION, noon() + TimeDelta::days(100)));
    }
    fleet.sts.roles = vec![Role::new(READER, BASE), Role::new(SECOND, OTHER)];
    fleet
}

impl World {
    pub(crate) async fn new() -> Self {
        rustls_provider();
        let seconds = Arc::new(AtomicI64::new(noon().timestamp()));
        let (theirs, ours) = (Arc::clone(&seconds), Arc::clone(&seconds));
        let read =
            |seconds: &AtomicI64| DateTime::from_timestamp(seconds.load(Ordering::Relaxed), 0).unwrap();
        let cloud = AlibabaCloud::start(fleet(), move || read(&theirs)).await.unwrap();
        let home = tempfile::tempdir().unwrap();
        let env = BTreeMap::from([("HOME".to_owned(), home.path().display().to_string())]);
        let (clock, telemetry) = (Clock::with_wall(move || read(&ours)), Arc::new(Telemetry::new()));
        Self { cloud, clock, telemetry, env, home, metadata: NOBODY.to_owned(), seconds }
    }

    pub(crate) fn set(&mut self, variables: &[(&str, &str)]) {
        self.env.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    }

    /// Writes a file below the home.
    pub(crate) fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Lets time pass for both sides; the timeline learns of it as after a suspend.
    pub(crate) fn pass(&self, minutes: i64) {
        self.seconds.fetch_add(minutes * 60, Ordering::Relaxed);
        self.clock.notice_jump();
    }

    pub(crate) fn http(&self) -> Http {
        Http::new(Duration::from_secs(5), 64, self.clock.clone(), Arc::clone(&self.telemetry))
    }

    /// A configuration with one account of Alibaba Cloud, all of whose addresses are the simulated cloud's.
    pub(crate) fn config(&self, credentials: &str, more: &str) -> Config {
        let url = self.cloud.base_url();
        let endpoints =
            format!("{{ redis = \"{url}\", rds = \"{url}\", mongodb = \"{url}\", sts = \"{url}\" }}");
        let text = format!(
            "[poll]\nmax_age = \"1s\"\ndiscover_every = \"1s\"\n[[account]]\nname = \"prod\"\nprovider = \"alibaba\"\n\
             services = [\"redis\"]\nregions = [\"{REGION}\"]\nrate_limit = 1000\nendpoints = {endpoints}\n\
             credentials = {credentials}\n{more}\n"
        );
        config::parse(&text, "config.toml").unwrap_or_else(|problems| panic!("{text}\n{problems}"))
    }

    /// Its keys.
    pub(crate) fn source(&self, credentials: &str, more: &str) -> Result<Arc<dyn KeySource>, BuildError> {
        let config = self.config(credentials, more);
        let places = Places { metadata: self.metadata.clone() };
        self.order(&config, |order| {
            let settings = (order.settings as &dyn Any).downcast_ref::<Settings>().unwrap();
            source(order, settings, &places)
        })
    }

    /// The account as the daemon makes it.
    pub(crate) fn provider(&self, credentials: &str, more: &str) -> Arc<dyn Provider> {
        let config = self.config(credentials, more);
        self.order(&config, find("alibaba").unwrap().build.unwrap()).unwrap()
    }

    /// What the first account of a configuration is made of.
    pub(crate) fn order<T>(&self, config: &Config, build: impl FnOnce(&Order<'_>) -> T) -> T {
        let env = |name: &str| self.env.get(name).cloned();
        let secret = |setting: &SecretSetting| setting.load(&env, None);
        let account = &config.accounts[0];
        build(&Order {
            account: &account.name.as_str().into(),
            settings: account.settings.as_ref(),
            regions: account.regions.as_deref(),
            projects: None,
            tags_needed: false,
            rate_limit: account.rate_limit,
            proxy: None,
            http: &self.http(),
            secret: &secret,
            env: &env,
        })
    }

    /// How often a call was made.
    pub(crate) fn calls(&self, action: &str) -> usize {
        self.cloud.calls().iter().filter(|call| call.action == action).count()
    }

    /// The keys with which a call was made, in order.
    pub(crate) fn callers(&self, action: &str) -> Vec<String> {
        let calls = self.cloud.calls();
        calls.iter().filter(|call| call.action == action).map(|call| call.key_id.to_string()).collect()
    }
}

/// The id of the key to use now.
pub(crate) async fn id(keys: &Arc<dyn KeySource>) -> Result<String, CallError> {
    keys.keys().await.map(|keys| keys.id.expose().to_owned())
}

pub(crate) fn scope() -> Scope {
    Scope {
        provider: "alibaba".into(),
        account: "prod".into(),
        project: "".into(),
        region: REGION.into(),
        service: "redis".into(),
    }
}

/// Looks at the instance of an account.
pub(crate) async fn look(provider: &Arc<dyn Provider>, uid: &str) -> Result<Inspection, CallError> {
    provider.inspect(&scope(), &format!("r-of-{uid}")).await
}

/// As `main` does it.
fn rustls_provider() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

pub(crate) const KEY: &str = r#"{ access_key_id = "base", access_key_secret = "BASE-SECRET" }"#;

/// `assume_role` with this role.
pub(crate) fn assume(role: &str) -> String {
    format!("assume_role = {{ role_arn = \"{role}\" }}")
}
