//! What a configuration asks for, made but not begun: everything that may fail, fails here, and whatever runs goes on as it
//! is. Used at the start and at each reload (`running`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use tokio::net::TcpListener;

use super::DaemonError;
use super::accounts::{Made, rebuild_accounts};
use super::alerts::{self, Channel, Heartbeat, Words, watch::Rules};
use super::poll::Account;
use crate::clock::Clock;
use crate::config::{Config, Web};
use crate::domain::described::Described;
use crate::domain::identity::Scope;
use crate::domain::policy::{AlertPolicy, PollPolicy, RenewalPolicy, Thresholds};
use crate::domain::resource::Resource;
use crate::http::Http;
use crate::secret::Secret;
use crate::stamp::Files;
use crate::tls::{Tls, TlsError};
use crate::web::context::AccountInfo;
use crate::web::guard::Guard;
use crate::web::inside::Explainer;
use crate::web::server::{self, BindError};
use crate::web::users::Users;
use crate::web::view::ViewSettings;

/// See the module.
pub(super) struct Draft {
    pub(super) accounts: Vec<Account>,
    pub(super) poll: PollPolicy,
    pub(super) told: Told,
    pub(super) renewed: Renewed,
    pub(super) shown: Shown,
    /// Those that were not listened on before.
    pub(super) listeners: Vec<(SocketAddr, TcpListener)>,
    pub(super) known: Known,
}

/// What delivery is made of.
pub(super) struct Told {
    pub(super) channels: Vec<Channel>,
    pub(super) heartbeat: Option<Heartbeat>,
    pub(super) words: Words,
    pub(super) rules: Rules,
    /// What channels and heartbeat were read from, as it was then.
    pub(super) files: Files,
}

/// What renewals are made of.
pub(super) struct Renewed {
    pub(super) policy: RenewalPolicy,
    pub(super) page: Option<String>,
}

/// What people see beside what is known.
pub(super) struct Shown {
    pub(super) settings: ViewSettings,
    pub(super) explainer: Option<Explainer>,
    /// The configuration, with its secrets hidden.
    pub(super) effective: Arc<str>,
}

/// What the next draft is compared with.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) config: Arc<Config>,
    pub(super) http: Http,
    pub(super) made: Vec<Made>,
    limits: (std::time::Duration, usize),
    pub(super) guard: Guard,
    /// As configured; `None`: the service manager opened the sockets.
    pub(super) listen: Option<Vec<SocketAddr>>,
    /// What the service manager opened instead.
    handed_over: Vec<SocketAddr>,
}

/// What a draft is made of besides the configuration.
pub(super) struct Means<'a> {
    pub(super) clock: &'a Clock,
    /// What is used until then. Accounts about which the same is written stay what they are, and so do addresses that are
    /// listened on; where it is the very same configuration, everything does but what it is told with.
    pub(super) before: Option<&'a Known>,
    /// The service manager opened the sockets.
    pub(super) passed: bool,
    /// What is listened on now.
    pub(super) held: &'a [(SocketAddr, Weak<TcpListener>)],
    pub(super) explainer: Option<fn(&Config) -> Explainer>,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
}

impl Draft {
    /// Makes what the configuration asks for. `http` is asked for the way out with these limits. Reads files, so it may
    /// wait for a disk.
    pub(super) fn make(
        config: Arc<Config>,
        http: impl FnOnce(&PollPolicy) -> Http,
        means: &Means<'_>,
    ) -> Result<Self, DaemonError> {
        let &Means { clock, before, passed, held, explainer, env } = means;
        let limits = (config.poll.timeout, config.poll.concurrency);
        let same = before.filter(|before| before.limits == limits);
        let http = same.map_or_else(|| http(&config.poll), |before| before.http.clone());
        let made = same.map_or(&[][..], |before| &before.made);
        let accounts = rebuild_accounts(&config, &http, env, made).map_err(DaemonError::Accounts)?;
        let told = Told::of(&config, env)?;
        let handed_over = before.map(|before| before.handed_over.clone()).unwrap_or_default();
        let guard = match before.filter(|before| Arc::ptr_eq(&before.config, &config)) {
            Some(before) => before.guard.clone(),
            None => guard(&config.web, clock, before)?,
        };
        warn_of_readable_passwords(if passed { &handed_over } else { &config.web.listen }, &guard);
        let listen = (!passed).then(|| config.web.listen.clone());
        let listeners = listeners(listen.as_deref().unwrap_or_default(), held)?;
        let made = Made::of_all(&config, &accounts);
        let page = config.web.external_url.clone();
        Ok(Self {
            accounts,
            poll: config.poll.clone(),
            told,
            renewed: Renewed { policy: config.renewal.clone(), page },
            shown: Shown::of(&config, explainer),
            listeners,
            known: Known { config, http, made, limits, guard, listen, handed_over },
        })
    }

    /// The service manager opened these for the first draft and for all that follow.
    pub(super) fn is_handed(&mut self, sockets: &[TcpListener]) {
        let places = sockets.iter().filter_map(|socket| socket.local_addr().ok());
        self.known.handed_over = places.collect();
        warn_of_readable_passwords(&self.known.handed_over, &self.known.guard);
    }
}

impl Told {
    /// The channels and the sign of life, and a word about channels that nothing is sent to.
    fn of(config: &Config, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, DaemonError> {
        // before they are read: what changes in between is seen later
        let files = Files::new(alerts::files(config, env));
        let channels = alerts::build_channels(config, env);
        let heartbeat = Heartbeat::of(config, env);
        let (channels, heartbeat) = match (channels, heartbeat) {
            (Ok(channels), Ok(heartbeat)) => (channels, heartbeat),
            (channels, heartbeat) => {
                let errors = channels.err().into_iter().flatten().chain(heartbeat.err());
                return Err(DaemonError::Channels(errors.collect()));
            }
        };
        for channel in alerts::unused(config) {
            tracing::warn!(channel, "no route names this channel: nothing is sent there");
        }
        if alerts::leaks(config) {
            tracing::warn!(
                "what none of the routes means is told to nobody; a last route without `match` takes it"
            );
        }
        Ok(Self { channels, heartbeat, words: Words::of(config), rules: alerts::rules(config), files })
    }

    /// Nothing is ever sent by what is configured.
    pub(super) fn is_nothing(&self) -> bool {
        self.channels.is_empty() && self.heartbeat.is_none()
    }
}

impl Shown {
    fn of(config: &Config, explainer: Option<fn(&Config) -> Explainer>) -> Self {
        let explainer = explainer.map(|explainer| explainer(config));
        Self { settings: view_settings(config), explainer, effective: config.effective().into() }
    }
}

/// Those of the wanted addresses that are not listened on yet.
fn listeners(
    wanted: &[SocketAddr],
    held: &[(SocketAddr, Weak<TcpListener>)],
) -> Result<Vec<(SocketAddr, TcpListener)>, BindError> {
    let is_held = |address: &SocketAddr| held.iter().any(|(held, _)| held == address);
    let new: Vec<SocketAddr> = wanted.iter().copied().filter(|address| !is_held(address)).collect();
    let leaving = held.iter().filter(|(address, _)| !wanted.contains(address));
    let leaving: Vec<_> =
        leaving.filter_map(|(address, listener)| Some((*address, listener.upgrade()?))).collect();
    Ok(new.iter().copied().zip(server::listen_in_place_of(&new, &leaving)?).collect())
}

/// What stands before the web port, and a word about what it does not keep.
fn guard(web: &Web, clock: &Clock, before: Option<&Known>) -> Result<Guard, TlsError> {
    let tls = web.tls.clone().map(Tls::open).transpose()?.map(Arc::new);
    if let Some(ends) = tls.as_ref().and_then(|tls| tls.ends()).filter(|ends| *ends <= clock.now()) {
        tracing::warn!(%ends, "the certificate of the web port has expired: nobody who verifies it gets an answer");
    }
    // who is known already is not asked to prove it again
    let same = before.filter(|before| is_same(&before.config.web.users, &web.users));
    let new = || Users::new(web.users.iter().map(|(name, hash)| (name.as_str(), hash)));
    let users = same.map_or_else(|| Arc::new(new()), |before| Arc::clone(&before.guard.users));
    let only_tls = Guard::may_insist(tls.is_some(), web.external_url.as_deref());
    Ok(Guard { tls, users, only_tls })
}

/// `places`: where the port really is, whoever opened it.
fn warn_of_readable_passwords(places: &[SocketAddr], guard: &Guard) {
    if let Some(address) = readable(places, guard) {
        tracing::warn!(
            %address,
            "passwords of users cross the network readable: set [web] tls, or listen on 127.0.0.1 behind a proxy with TLS"
        );
    }
}

/// Where others reach the port and send passwords in plain text.
fn readable<'p>(places: &'p [SocketAddr], guard: &Guard) -> Option<&'p SocketAddr> {
    let mut open = places.iter().filter(|address| !address.ip().to_canonical().is_loopback());
    open.next().filter(|_| guard.tls.is_none() && !guard.users.is_empty())
}

fn is_same(one: &BTreeMap<String, Secret>, other: &BTreeMap<String, Secret>) -> bool {
    let pairs = |users: &BTreeMap<String, Secret>| -> Vec<(String, Secret)> {
        users.iter().map(|(name, hash)| (name.clone(), hash.clone())).collect()
    };
    let (one, other) = (pairs(one), pairs(other));
    one.len() == other.len()
        && one.iter().zip(&other).all(|(one, other)| one.0 == other.0 && one.1.expose() == other.1.expose())
}

/// Thresholds of a resource: those of the first override that means it, else those for all.
fn thresholds_of(alert: &AlertPolicy, described: &Described<'_>) -> Thresholds {
    let matching = alert.overrides.iter().find(|(matcher, _)| described.is(matcher));
    matching.map_or(alert.thresholds, |(_, thresholds)| *thresholds)
}

pub(super) fn view_settings(config: &Config) -> ViewSettings {
    let accounts: BTreeMap<Box<str>, AccountInfo> = config
        .accounts
        .iter()
        .map(|account| {
            let labels =
                account.labels.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into()));
            let owner_tag = account.owner_tag.as_deref().map(Into::into);
            (
                account.name.as_str().into(),
                AccountInfo { owner_tag, labels: labels.collect(), filtered_by: None },
            )
        })
        .collect();
    let (alert, labels) = (config.alert.clone(), accounts.clone());
    let thresholds = move |scope: &Scope, resource: &Resource| {
        let account = labels.get(&*scope.account);
        let label = |key: &str| account?.labels.get(key).map(|value| &**value);
        thresholds_of(&alert, &Described::new(scope, resource, &label))
    };
    let timezone = config.alert.timezone;
    ViewSettings { timezone, thresholds: Box::new(thresholds), accounts, poll: config.poll.clone() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::telemetry::Telemetry;

    #[test]
    fn passwords_are_readable_where_the_port_really_is() {
        let hash = Secret::new("$2b$04$nyRhhoSMDpRYK9H4OlQqfu5HBjPWFBMdNLtLsd1FUaBJLnWGWzD9e");
        let users = || Arc::new(Users::new([("alice", &hash)]));
        for (name, places, users, want) in [
            ("nobody is asked", &["192.0.2.1:9809"][..], Arc::default(), None),
            (
                "this machine alone",
                &["127.0.0.1:9809", "[::1]:9809", "[::ffff:127.0.0.1]:9809"],
                users(),
                None,
            ),
            ("all addresses", &["127.0.0.1:9809", "0.0.0.0:9809"], users(), Some("0.0.0.0:9809")),
            ("no place yet", &[], users(), None),
        ] {
            let places: Vec<SocketAddr> = places.iter().map(|place| place.parse().expect("one")).collect();
            let guard = Guard { users, ..Guard::default() };
            assert_eq!(readable(&places, &guard).map(ToString::to_string).as_deref(), want, "{name}");
        }
    }

    #[tokio::test]
    async fn what_was_handed_over_is_known_to_every_draft_that_follows() {
        let config = || {
            let account = "[[account]]\nname = 'a'\nprovider = 'alibaba'\n\
                           credentials = { access_key_id = 'i', access_key_secret = { env = 'S' } }\n";
            Arc::new(crate::config::parse(account, "test").expect("good"))
        };
        let clock = Clock::system();
        let http = |poll: &PollPolicy| {
            Http::new(poll.timeout, poll.concurrency, Clock::system(), Arc::new(Telemetry::new()))
        };
        let env = |_: &str| Some("secret".to_owned());
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let place = socket.local_addr().expect("bound");
        let means =
            |before| Means { clock: &clock, before, passed: true, held: &[], explainer: None, env: &env };
        let mut first = Draft::make(config(), http, &means(None)).expect("made");
        first.is_handed(&[socket]);
        let next = Draft::make(config(), http, &means(Some(&first.known))).expect("made");
        assert_eq!((next.known.handed_over, next.known.listen), (vec![place], None));
    }
}
