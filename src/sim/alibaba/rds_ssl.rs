//! RDS certificates: each engine spells "on" in its own way, and PostgreSQL hands out a private key.

use chrono::TimeDelta;

use super::answer::{Answer, Asked, is_on, write_expiry};
use super::change::{self, Order, Wish};
use super::error::ApiError;
use super::fleet::Fleet;
use super::json::Json;
use super::model::{Instance, Refusal, ServerCert, SslModel};
use super::product::Engine;
use crate::provider::alibaba::sign::timestamp;
use crate::sim::pem;

/// DescribeDBInstanceSSL.
pub(super) fn describe(asked: &Asked<'_>, instance: &Instance) -> Answer {
    let on = is_on(instance)?;
    Ok(asked.ok(|json| {
        json.text("ConnectionString", if on { &instance.host } else { "" });
        write_expiry(json, "SSLExpireTime", &instance.ssl);
        if instance.engine == Engine::PostgreSql {
            postgres(json, instance, on);
        } else {
            others(json, instance, on);
        }
    }))
}

fn others(json: &mut Json, instance: &Instance, on: bool) {
    let yes = |is: bool| if is { "Yes" } else { "No" };
    json.text("SSLEnabled", yes(on));
    json.text("RequireUpdate", yes(instance.require_update));
    for name in ["RequireUpdateItem", "RequireUpdateReason", "SSLCreateTime", "ClientCACertExpireTime"] {
        json.text(name, "-");
    }
    json.text("LastModifyStatus", "");
    if instance.engine == Engine::MySql {
        json.text("CAType", ca_type(instance));
    }
    if instance.numbers_for_text {
        json.plain("ForceEncryption", 1);
        json.plain("TlsVersion", 1.1);
    } else {
        json.text("ForceEncryption", "0");
        json.text("TlsVersion", "1.2");
    }
}

fn postgres(json: &mut Json, instance: &Instance, on: bool) {
    json.text("SSLEnabled", if on { "on" } else { "off" });
    let required = u8::from(instance.require_update);
    if instance.numbers_for_text {
        json.plain("RequireUpdate", required);
    } else {
        json.text("RequireUpdate", &required.to_string());
    }
    json.text("LastModifyStatus", last_modify_status(instance));
    json.text("ModifyStatusReason", instance.progress.failed_because.as_deref().unwrap_or_default());
    json.text("RequireUpdateItem", "");
    json.text("RequireUpdateReason", "");
    json.text("CAType", ca_type(instance));
    if on {
        certificate(json, instance);
        json.text("ServerKey", &pem::private_key());
    }
    json.text("ServerCAUrl", "https://apsaradb-public.oss-ap-southeast-1.aliyuncs.com/ApsaraDB-CA-Chain.zip");
    json.text("ACL", "perfer");
    json.text("ReplicationACL", "perfer");
    json.text("ClientCACert", "");
    json.text("ClientCertRevocationList", "");
}

fn last_modify_status(instance: &Instance) -> &'static str {
    if instance.progress.change.is_some() {
        "setting"
    } else if instance.progress.failed_because.is_some() {
        "failed"
    } else {
        "success"
    }
}

fn certificate(json: &mut Json, instance: &Instance) {
    let end = match &instance.server_cert {
        ServerCert::Text(text) => return json.text("ServerCert", text),
        ServerCert::Absent => return,
        ServerCert::Ending(end) => Some(*end),
        ServerCert::Matching => match &instance.ssl {
            SslModel::On { expires } => expires.means(),
            _ => None,
        },
    };
    let Some(end) = end else { return };
    let begin = end.checked_sub_signed(TimeDelta::days(365)).unwrap_or(end);
    json.text("ServerCert", &pem::certificate(&instance.host, begin, end));
    if !instance.custom_ca {
        json.text("SSLCreateTime", &timestamp(begin));
    }
}

fn ca_type(instance: &Instance) -> &'static str {
    if instance.custom_ca { "custom" } else { "aliyun" }
}

/// ModifyDBInstanceSSL.
pub(super) fn modify(asked: &Asked<'_>, fleet: &mut Fleet) -> Answer {
    let host = asked.received.required("ConnectionString")?;
    let wanted = asked.received.get("SSLEnabled").unwrap_or("1");
    let renewal = fleet.renewal;
    let instance = asked.instance(fleet)?;
    change::check_ready(instance)?;
    if *instance.host != *host {
        return Err(Refusal::new(404, "Endpoint.NotFound").into());
    }
    let wish = wish(instance.engine, wanted, is_on(instance)?)?;
    let material =
        if wish == Wish::Renew || wish == Wish::TurnOn { material(asked, instance.engine)? } else { None };
    change::accept(instance, Order { wish, material, in_window: false }, renewal, asked.now)?;
    Ok(asked.ok(|_| {}))
}

/// `1` switches on and, on MySQL and PostgreSQL, renews; `2` renews on SQL Server, where `1` changes nothing.
fn wish(engine: Engine, wanted: &str, on: bool) -> Result<Wish, Refusal> {
    match (wanted, engine, on) {
        ("0", _, true) => Ok(Wish::TurnOff),
        ("1", _, false) => Ok(Wish::TurnOn),
        ("1", Engine::SqlServer, true) => Ok(Wish::Nothing),
        ("1", _, true) | ("2", Engine::SqlServer, true) => Ok(Wish::Renew),
        _ => Err(Refusal::new(400, "InvalidSSLStatus")),
    }
}

/// The customer's own certificate. Without one the cloud's takes its place, whatever was there before.
fn material(asked: &Asked<'_>, engine: Engine) -> Result<Option<change::Material>, ApiError> {
    match asked.received.get("CAType") {
        Some("aliyun") => Ok(None),
        None if engine == Engine::SqlServer => Ok(None),
        Some("custom") => {
            let refused = || ApiError::from(Refusal::new(400, "InvalidServerCertOrPrivateKey"));
            let cert = asked.received.get("ServerCert").ok_or_else(refused)?;
            let key = asked.received.get("ServerKey").unwrap_or_default();
            let end = pem::ends(cert).filter(|_| key.contains("PRIVATE KEY")).ok_or_else(refused)?;
            Ok(Some((cert.into(), end)))
        }
        _ => Err(Refusal::new(404, "InvalidCAType.NotFound").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_renews_depends_on_the_engine() {
        let invalid = || Err(Refusal::new(400, "InvalidSSLStatus"));
        for (name, engine, wanted, on, want) in [
            ("MySQL renews with 1", Engine::MySql, "1", true, Ok(Wish::Renew)),
            ("PostgreSQL renews with 1", Engine::PostgreSql, "1", true, Ok(Wish::Renew)),
            ("SQL Server renews with 2", Engine::SqlServer, "2", true, Ok(Wish::Renew)),
            ("SQL Server takes 1 and does nothing", Engine::SqlServer, "1", true, Ok(Wish::Nothing)),
            ("MySQL knows no 2", Engine::MySql, "2", true, invalid()),
            ("1 switches on", Engine::MySql, "1", false, Ok(Wish::TurnOn)),
            ("nothing to renew", Engine::SqlServer, "2", false, invalid()),
            ("0 switches off", Engine::MySql, "0", true, Ok(Wish::TurnOff)),
        ] {
            assert_eq!(wish(engine, wanted, on), want, "{name}");
        }
    }
}
