//! What a configuration asks for, made but not begun: everything that may fail, fails here, and whatever runs goes on as it
//! is. Used at the start and at each reload (`running`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

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
use crate::tls::{Tls, TlsError};
use crate::web::context::AccountInfo;
use crate::web::guard::Guard;
use crate::web::inside::Explainer;
use crate::web::server;
use crate::web::users::Users;
use crate::web::view::ViewSettings;

/// See the module.
pub(super) struct Draft {
    pub(super) accounts: Vec<Account>,
    pub(super) channels: Vec<Channel>,
    pub(super) heartbeat: Option<Heartbeat>,
    pub(super) words: Words,
    pub(super) rules: Rules,
    pub(super) poll: PollPolicy,
    pub(super) renewal: RenewalPolicy,
    pub(super) external_url: Option<String>,
    pub(super) settings: ViewSettings,
    pub(super) explainer: Option<Explainer>,
    /// Those that were not listened on before.
    pub(super) listeners: Vec<(SocketAddr, TcpListener)>,
    /// The configuration, with its secrets hidden.
    pub(super) effective: Arc<str>,
    pub(super) known: Known,
}

/// What the next draft is compared with.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) http: Http,
    pub(super) made: Vec<Made>,
    limits: (std::time::Duration, usize),
    pub(super) guard: Guard,
    users: BTreeMap<String, Secret>,
    /// As configured; `None`: the service manager opened the sockets.
    pub(super) listen: Option<Vec<SocketAddr>>,
    /// What the service manager opened instead.
    handed_over: Vec<SocketAddr>,
}

impl Draft {
    /// Makes what the configuration asks for. Accounts about which the same is written as in `before` stay what they are,
    /// and so do addresses that are listened on. `http` is asked for the way out with these limits.
    #[allow(clippy::too_many_arguments)] // each comes from somewhere else, and this is called once
    pub(super) fn make(
        config: Config,
        http: impl FnOnce(&PollPolicy) -> Http,
        clock: &Clock,
        before: Option<&Known>,
        passed: bool,
        explainer: Option<fn(&Config) -> Explainer>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, DaemonError> {
        let effective = config.effective().into();
        let limits = (config.poll.timeout, config.poll.concurrency);
        let same = before.filter(|before| before.limits == limits);
        let http = same.map_or_else(|| http(&config.poll), |before| before.http.clone());
        let made = same.map_or(&[][..], |before| &before.made);
        let accounts = rebuild_accounts(&config, &http, env, made).map_err(DaemonError::Accounts)?;
        let (channels, heartbeat) = channels(&config, env)?;
        let guard = guard(&config.web, clock, before)?;
        let handed_over = before.map(|before| before.handed_over.clone()).unwrap_or_default();
        warn_of_readable_passwords(if passed { &handed_over } else { &config.web.listen }, &guard);
        let listen = (!passed).then(|| config.web.listen.clone());
        let held = before.and_then(|before| before.listen.as_deref()).unwrap_or_default();
        let new: Vec<SocketAddr> =
            listen.iter().flatten().copied().filter(|address| !held.contains(address)).collect();
        let listeners = new.iter().copied().zip(server::listen_on(&new)?).collect();
        let made = Made::of_all(&config, &accounts);
        let known = Known { http, made, limits, guard, users: config.web.users.clone(), listen, handed_over };
        Ok(Self {
            words: Words::of(&config),
            rules: alerts::rules(&config),
            settings: view_settings(&config),
            explainer: explainer.map(|explainer| explainer(&config)),
            accounts,
            channels,
            heartbeat,
            poll: config.poll,
            renewal: config.renewal,
            external_url: config.web.external_url,
            listeners,
            effective,
            known,
        })
    }

    /// The service manager opened these for the first draft and for all that follow.
    pub(super) fn is_handed(&mut self, sockets: &[TcpListener]) {
        let places = sockets.iter().filter_map(|socket| socket.local_addr().ok());
        self.known.handed_over = places.collect();
        warn_of_readable_passwords(&self.known.handed_over, &self.known.guard);
    }
}

/// What stands before the web port, and a word about what it does not keep.
fn guard(web: &Web, clock: &Clock, before: Option<&Known>) -> Result<Guard, TlsError> {
    let tls = web.tls.clone().map(Tls::open).transpose()?.map(Arc::new);
    if let Some(ends) = tls.as_ref().and_then(|tls| tls.ends()).filter(|ends| *ends <= clock.now()) {
        tracing::warn!(%ends, "the certificate of the web port has expired: nobody who verifies it gets an answer");
    }
    // who is known already is not asked to prove it again
    let same = before.filter(|before| is_same(&before.users, &web.users));
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

/// The channels and the sign of life, and a word about channels that nothing is sent to.
fn channels(
    config: &Config,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(Vec<Channel>, Option<Heartbeat>), DaemonError> {
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
    Ok((channels, heartbeat))
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
            crate::config::parse(account, "test").expect("good")
        };
        let clock = Clock::system();
        let http = |poll: &PollPolicy| {
            Http::new(poll.timeout, poll.concurrency, Clock::system(), Arc::new(Telemetry::new()))
        };
        let env = |_: &str| Some("secret".to_owned());
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let place = socket.local_addr().expect("bound");
        let mut first = Draft::make(config(), http, &clock, None, true, None, &env).expect("made");
        first.is_handed(&[socket]);
        let next = Draft::make(config(), http, &clock, Some(&first.known), true, None, &env).expect("made");
        assert_eq!((next.known.handed_over, next.known.listen), (vec![place], None));
    }
}
