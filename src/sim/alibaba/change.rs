//! How a Modify call plays out: accepted, modifying for a while, ready again with a later certificate or without.
//!
//! Nothing runs in the background. A change is a note on the instance, and whoever looks settles it first.

use chrono::{DateTime, TimeDelta, Timelike, Utc};

use super::account::Renewal;
use super::model::{Change, Instance, OnModify, Refusal, ServerCert, SslModel, Text, Window};

/// What a Modify call asks for, after the product has understood its parameters.
pub(super) struct Order {
    /// What is wanted.
    pub(super) wish: Wish,
    /// The customer's own certificate, where one was sent.
    pub(super) material: Option<Material>,
    /// Wait for the maintenance window.
    pub(super) in_window: bool,
}

/// A certificate in PEM form, and its end.
pub(super) type Material = (Text, DateTime<Utc>);

/// What a Modify call can want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// A new certificate.
    Renew,
    /// TLS on, with a new certificate.
    TurnOn,
    /// TLS off.
    TurnOff,
    /// What this product takes for granted already: accepted, and nothing comes of it.
    Nothing,
}

/// Lets the changes happen that are due by now.
pub(super) fn settle(instance: &mut Instance, now: DateTime<Utc>) {
    let Some(change) = instance.progress.change.take_if(|change| change.starts <= now) else { return };
    if now < change.ends {
        set_status(instance, instance.product().modifying());
        instance.progress.change = Some(change);
        return;
    }
    set_status(instance, instance.product().ready());
    instance.progress.failed_because = change.fails_because;
    if let Some(ssl) = change.becomes {
        instance.ssl = ssl;
        instance.require_update = false;
        instance.custom_ca = change.custom_cert.is_some();
        instance.server_cert = change.custom_cert.map_or(ServerCert::Matching, ServerCert::Text);
    }
}

/// Notes an order, or says why it is not taken.
pub(super) fn accept(
    instance: &mut Instance,
    order: Order,
    renewal: Renewal,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    let starts = if order.in_window { opens(instance.window, now) } else { now };
    let ends = starts + renewal.takes;
    let fails_because = match &instance.on_modify {
        OnModify::Refuses(refusal) => return Err(refusal.clone()),
        OnModify::FailsLater(reason) => Some(reason.clone()),
        OnModify::Works | OnModify::NoEffect => None,
    };
    let works = instance.on_modify == OnModify::Works;
    let new_end = order.material.as_ref().map_or(ends + renewal.life, |(_, end)| *end);
    let becomes = match order.wish {
        Wish::Renew | Wish::TurnOn => Some(SslModel::on(new_end)),
        Wish::TurnOff => Some(SslModel::Off { stale: None }),
        Wish::Nothing => None,
    };
    let custom_cert = order.material.map(|(pem, _)| pem);
    instance.progress.change =
        Some(Change { starts, ends, becomes: becomes.filter(|_| works), custom_cert, fails_because });
    settle(instance, now);
    Ok(())
}

/// Whether an instance can be worked on at all, as every product checks it.
pub(super) fn check_ready(instance: &Instance) -> Result<(), Refusal> {
    match &instance.ssl {
        SslModel::Unsupported(refusal) | SslModel::Busy(refusal) | SslModel::Gone(refusal) => {
            return Err(refusal.clone());
        }
        SslModel::On { .. } | SslModel::Off { .. } => {}
    }
    if &*instance.lock != "Unlock" {
        return Err(Refusal::new(403, "IncorrectDBInstanceLockMode"));
    }
    if &*instance.status != instance.product().ready() || instance.progress.change.is_some() {
        return Err(Refusal::new(403, "IncorrectDBInstanceState"));
    }
    Ok(())
}

fn set_status(instance: &mut Instance, status: &str) {
    if &*instance.status != status {
        instance.status = status.into();
    }
}

/// When the window is open: now, or the next time it opens.
fn opens(window: Window, now: DateTime<Utc>) -> DateTime<Utc> {
    const DAY: u32 = 24 * 60;
    let minute = now.hour() * 60 + now.minute();
    let since_open = (minute + DAY - u32::from(window.from)) % DAY;
    let length = (u32::from(window.to) + DAY - u32::from(window.from)) % DAY;
    if since_open < length {
        return now;
    }
    let midnight = now - TimeDelta::seconds(i64::from(now.num_seconds_from_midnight()));
    let today = midnight + TimeDelta::minutes(i64::from(window.from));
    if today > now { today } else { today + TimeDelta::days(1) }
}

#[cfg(test)]
mod tests {
    use super::super::product::Engine;
    use super::*;

    const RENEWAL: Renewal = Renewal { takes: TimeDelta::minutes(10), life: TimeDelta::days(365) };

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn order(in_window: bool) -> Order {
        Order { wish: Wish::Renew, material: None, in_window }
    }

    #[test]
    fn a_renewal_is_modifying_then_ready_and_later() {
        let start = at("2026-11-22T12:00:00Z");
        let mut redis = Instance::new(Engine::Redis, "r-1", "1", "cn-hangzhou", at("2026-12-01T00:00:00Z"));
        accept(&mut redis, order(false), RENEWAL, start).unwrap();
        assert_eq!(&*redis.status, "SSLModifying");
        assert_eq!(check_ready(&redis).unwrap_err().code, "IncorrectDBInstanceState");
        settle(&mut redis, start + TimeDelta::minutes(10));
        assert_eq!(&*redis.status, "Normal");
        assert_eq!(redis.ssl.truth().expires, Some(at("2027-11-22T12:10:00Z")));
    }

    #[test]
    fn a_renewal_without_effect_leaves_the_old_end() {
        let start = at("2026-11-22T12:00:00Z");
        let end = at("2026-12-01T00:00:00Z");
        for on_modify in [OnModify::NoEffect, OnModify::FailsLater("disk full".into())] {
            let mut rds = Instance::new(Engine::PostgreSql, "pgm-1", "1", "cn-hangzhou", end);
            rds.on_modify = on_modify.clone();
            accept(&mut rds, order(false), RENEWAL, start).unwrap();
            settle(&mut rds, start + TimeDelta::minutes(10));
            assert_eq!((&*rds.status, rds.ssl.truth().expires), ("Running", Some(end)), "{on_modify:?}");
        }
    }

    #[test]
    fn an_order_for_the_window_waits_and_stays_ready_until_then() {
        let start = at("2026-11-22T12:00:00Z");
        let mut dds = Instance::new(Engine::MongoReplica, "dds-1", "1", "cn-hangzhou", start);
        accept(&mut dds, order(true), RENEWAL, start).unwrap();
        for (name, time, status) in [
            ("before the window", "2026-11-22T17:59:59Z", "Running"),
            ("in the window", "2026-11-22T18:00:00Z", "SSLModifying"),
            ("afterwards", "2026-11-22T18:10:00Z", "Running"),
        ] {
            settle(&mut dds, at(time));
            assert_eq!(&*dds.status, status, "{name}");
        }
    }

    #[test]
    fn a_window_opens_now_today_or_tomorrow() {
        let night = Window { from: 22 * 60, to: 2 * 60 };
        for (name, now, want) in [
            ("inside, before midnight", "2026-11-22T23:00:00Z", "2026-11-22T23:00:00Z"),
            ("inside, after midnight", "2026-11-22T01:59:00Z", "2026-11-22T01:59:00Z"),
            ("at its end", "2026-11-22T02:00:00Z", "2026-11-22T22:00:00Z"),
            ("later today", "2026-11-22T12:00:00Z", "2026-11-22T22:00:00Z"),
        ] {
            assert_eq!(opens(night, at(now)), at(want), "{name}");
        }
        let early = Window { from: 0, to: 120 };
        assert_eq!(opens(early, at("2026-11-22T12:00:00Z")), at("2026-11-23T00:00:00Z"), "tomorrow");
    }
}
