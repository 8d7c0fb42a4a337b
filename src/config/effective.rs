//! The settings that are in effect, for `notafter config`: TOML that reads the same again, literal secrets hidden.
//!
//! Keys that have no effect in what is configured (reminders without a channel, limits of a renewal that is off)
//! are left out.

use std::fmt::Write as _;

use chrono::{NaiveTime, Weekday};
use toml::Value;

use crate::domain::matcher::Matcher;
use crate::domain::policy::{
    Digest, Hook, Hours, Quiet, RenewalMode, RenewalRule, Route, Thresholds, Window,
};
use crate::fields::show::{self, Entries};
use crate::secret::Secret;
use crate::tls::TlsFiles;

use super::times::day_name;
use super::{Account, Channel, Config, StoreUrl};

impl Config {
    /// The settings that are in effect.
    pub fn effective(&self) -> String {
        let mut out = String::new();
        section(&mut out, "[poll]", self.poll());
        for account in &self.accounts {
            section(&mut out, "[[account]]", account.effective());
        }
        section(&mut out, "[alert]", self.alert());
        for (matcher, limits) in &self.alert.overrides {
            let entries = vec![("match", text(matcher)), ("thresholds", thresholds(*limits))];
            section(&mut out, "[[alert.override]]", entries);
        }
        for channel in &self.channels {
            section(&mut out, "[[channel]]", channel.effective());
        }
        for route in &self.routes {
            section(&mut out, "[[route]]", effective_route(route));
        }
        section(&mut out, "[renewal]", self.renewal());
        for rule in &self.renewal.allow {
            section(&mut out, "[[renewal.allow]]", effective_rule(rule));
        }
        section(&mut out, "[web]", self.web());
        section(&mut out, "[store]", self.store());
        out
    }

    fn poll(&self) -> Entries {
        vec![
            ("max_age", show::duration(self.poll.max_age)),
            ("min_interval", show::duration(self.poll.min_interval)),
            ("discover_every", show::duration(self.poll.discover_every)),
            ("timeout", show::duration(self.poll.timeout)),
            ("concurrency", number(self.poll.concurrency)),
        ]
    }

    fn alert(&self) -> Entries {
        let told = !self.channels.is_empty();
        let remind = &self.alert.remind;
        let remind = || {
            let every =
                [("warning", remind.warning), ("critical", remind.critical), ("expired", remind.expired)];
            show::table(every.map(|(key, every)| (key, show::duration(every))))
        };
        show::present([
            ("thresholds", Some(thresholds(self.alert.thresholds))),
            ("remind", told.then(remind)),
            ("blind_after", told.then(|| show::duration(self.alert.blind_after))),
            ("timezone", Some(Value::from(self.alert.timezone.name()))),
            ("fallback_channel", self.alert.fallback_channel.as_deref().map(Value::from)),
            ("heartbeat", self.heartbeat.as_ref().map(show::secret)),
            ("test", self.alert.test.as_ref().map(|test| show::table(at_days(test.at, &test.days)))),
        ])
    }

    fn renewal(&self) -> Entries {
        let policy = &self.renewal;
        let mode = ("mode", Value::from(policy.mode.as_str()));
        if policy.mode == RenewalMode::Off {
            return vec![mode];
        }
        let count = |count: u32| Some(Value::from(i64::from(count)));
        let blackout = (!policy.blackout.is_empty()).then(|| show::list(&policy.blackout));
        show::present([
            ("mode", Some(mode.1)),
            ("before", Some(show::duration(policy.before))),
            ("announce", Some(show::duration(policy.announce))),
            ("max_in_progress", count(policy.max_in_progress)),
            ("max_per_day", count(policy.max_per_day)),
            ("stop_after_failures", count(policy.stop_after_failures)),
            ("blackout", blackout),
        ])
    }

    fn web(&self) -> Entries {
        let web = &self.web;
        let users = || show::table(web.users.iter().map(|(name, hash)| (name.as_str(), hidden_hash(hash))));
        let socket = web.control_socket.as_ref().map(|path| text(path.display()));
        show::present([
            ("listen", Some(show::list(&web.listen))),
            ("tls", web.tls.as_ref().map(tls)),
            ("users", (!web.users.is_empty()).then(users)),
            ("external_url", web.external_url.as_deref().map(Value::from)),
            ("control_socket", socket),
        ])
    }

    fn store(&self) -> Entries {
        let url = self.store.as_ref().and_then(|store| store.url.as_ref()).map(|url| match url {
            StoreUrl::Plain(url) => Value::from(url.as_str()),
            StoreUrl::Secret(setting) => show::secret(setting),
        });
        show::present([("url", url)])
    }
}

impl Account {
    fn effective(&self) -> Entries {
        let all_or = |ids: &Option<Vec<String>>| match ids {
            Some(ids) => show::list(ids),
            None => Value::from("all"),
        };
        let labels =
            || show::table(self.labels.iter().map(|(key, value)| (key, Value::from(value.as_str()))));
        let mut entries = show::present([
            ("name", Some(Value::from(self.name.as_str()))),
            ("provider", Some(Value::from(self.provider.name))),
            ("services", Some(show::list(&self.services))),
            ("regions", Some(all_or(&self.regions))),
            ("projects", self.provider.has_projects.then(|| all_or(&self.projects))),
            ("include", matchers(&self.include)),
            ("exclude", matchers(&self.exclude)),
            ("labels", (!self.labels.is_empty()).then(labels)),
            ("owner_tag", self.owner_tag.as_deref().map(Value::from)),
            ("rate_limit", self.rate_limit.map(Value::from)),
        ]);
        entries.extend(self.settings.effective());
        entries.extend(self.proxy.as_ref().map(|proxy| ("proxy", text(proxy))));
        entries
    }
}

impl Channel {
    fn effective(&self) -> Entries {
        let mut entries = vec![
            ("name", Value::from(self.name.as_str())),
            ("type", Value::from(self.kind.name)),
            ("locale", Value::from(self.locale.as_str())),
        ];
        entries.extend(self.settings.effective());
        entries.extend(show::present([
            ("proxy", self.proxy.as_ref().map(text)),
            ("template", self.template.as_ref().map(|path| text(path.display()))),
            ("rate", self.rate.map(Value::from)),
        ]));
        entries
    }
}

fn effective_route(route: &Route) -> Entries {
    show::present([
        ("match", route.matcher.as_ref().map(text)),
        ("channels", Some(show::list(&route.channels))),
        ("group_wait", Some(show::duration(route.group_wait))),
        ("digest", route.digest.as_ref().map(digest)),
        ("quiet", route.quiet.as_ref().map(quiet)),
        ("thresholds", route.thresholds.map(thresholds)),
        ("send_renewed", Some(Value::from(route.send_renewed))),
        ("continue", Some(Value::from(route.proceed))),
    ])
}

fn effective_rule(rule: &RenewalRule) -> Entries {
    let window = match &rule.window {
        Window::Cloud => Value::from("cloud"),
        Window::Local { timezone, hours: open } => {
            show::table(hours(open).into_iter().chain([("timezone", Value::from(timezone.name()))]))
        }
    };
    let certificate = rule.certificate.as_ref().map(|own| {
        let files = [("cert_file", &own.cert_file), ("key_file", &own.key_file)];
        show::table(files.map(|(key, path)| (key, text(path.display()))))
    });
    show::present([
        ("match", Some(text(&rule.matcher))),
        ("window", Some(window)),
        ("certificate", certificate),
        ("hook", rule.hook.as_ref().map(hook)),
    ])
}

fn hook(hook: &Hook) -> Value {
    let programs = [("before", &hook.before), ("after", &hook.after)];
    let programs = programs.into_iter().filter_map(|(key, words)| Some((key, show::list(words.as_ref()?))));
    show::table(programs.chain([("timeout", show::duration(hook.timeout))]))
}

fn digest(digest: &Digest) -> Value {
    let send_empty = ("send_empty", Value::from(digest.send_empty));
    show::table(at_days(digest.at, &digest.days).into_iter().chain([send_empty]))
}

fn at_days(at: NaiveTime, days: &[Weekday]) -> Entries {
    let days = days.iter().map(|day| day_name(*day));
    vec![("at", text(at.format("%H:%M"))), ("days", show::list(days))]
}

fn quiet(quiet: &Quiet) -> Value {
    let dates = (!quiet.dates.is_empty()).then(|| ("dates", show::list(&quiet.dates)));
    show::table(quiet.hours.as_ref().map(hours).into_iter().flatten().chain(dates))
}

fn hours(Hours { from, to, days }: &Hours) -> Entries {
    let days = days.iter().map(|day| day_name(*day));
    vec![("from", text(from.format("%H:%M"))), ("to", text(to.format("%H:%M"))), ("days", show::list(days))]
}

fn thresholds(Thresholds { info, warning, critical }: Thresholds) -> Value {
    let limits = [("info", info), ("warning", warning), ("critical", critical)];
    show::table(limits.map(|(key, limit)| (key, show::duration(limit))))
}

/// Kind and cost of a hash, with dots in place of the rest: that is a hash, too, and nobody's.
fn hidden_hash(hash: &Secret) -> Value {
    const COST_ENDS: usize = 7;
    let head = hash.expose().get(..COST_ENDS).unwrap_or_default();
    Value::from(format!("{head}{}", ".".repeat(53)))
}

fn tls(tls: &TlsFiles) -> Value {
    let client = tls.client_ca_file.as_ref().map(|path| ("client_ca_file", path));
    let files = [("cert_file", &tls.cert_file), ("key_file", &tls.key_file)].into_iter().chain(client);
    show::table(files.map(|(key, path)| (key, text(path.display()))))
}

fn matchers(matchers: &[Matcher]) -> Option<Value> {
    (!matchers.is_empty()).then(|| show::list(matchers))
}

#[allow(clippy::needless_pass_by_value)] // callers hand over what they have just made
fn text(value: impl ToString) -> Value {
    Value::from(value.to_string())
}

fn number(value: usize) -> Value {
    Value::from(i64::try_from(value).unwrap_or(i64::MAX))
}

/// One table with its keys; nothing at all if it has none.
fn section(out: &mut String, header: &str, entries: Entries) {
    if entries.is_empty() {
        return;
    }
    let gap = if out.is_empty() { "" } else { "\n" };
    let width = entries.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    // writing to a String cannot fail
    let _ = writeln!(out, "{gap}{header}");
    for (key, value) in entries {
        let _ = writeln!(out, "{key:width$} = {value}");
    }
}
