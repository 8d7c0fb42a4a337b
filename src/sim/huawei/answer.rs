//! The honest answers of IAM and DCS, once it is known who asks.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::model::{Fleet, Instance, Link, Project, Ssl};
use super::request::Received;
use super::store::Store;
use crate::sim::alibaba::{Expiry, Text};
use crate::sim::wire::fault::Drift;

/// `GET /v3/auth/projects`, with those that belong to no region.
pub(super) fn projects(fleet: &Fleet, account: &str) -> Value {
    let own = fleet.projects.iter().filter(|project| &*project.account == account);
    let row = |id: &str, name: &str, parent: &str| {
        json!({"id": id, "name": name, "parent_id": parent, "domain_id": account, "enabled": true,
               "is_domain": false, "description": "", "links": {"self": ""}})
    };
    let mut rows: Vec<Value> = own.map(|project| row(&project.id, &project.name, &project.parent)).collect();
    rows.push(row("0000000000000000000000000000005e", "MOS", account));
    json!({"projects": rows, "links": {"next": null, "previous": null, "self": ""}})
}

/// One page.
pub(super) fn list(
    fleet: &Fleet,
    project: &Project,
    received: &Received<'_>,
    drift: Option<Drift>,
) -> Result<Value, ApiError> {
    let number = |name: &str, usual: usize| received.get(name).map_or(Some(usual), |text| text.parse().ok());
    let invalid = || ApiError::new(400, "DCS.4800", "Invalid offset in the request.");
    let (offset, limit) = number("offset", 0).zip(number("limit", 10)).ok_or_else(invalid)?;
    let all: Vec<&Instance> = fleet.instances().filter(|instance| instance.project == project.id).collect();
    if !(1..=1000).contains(&limit) || offset > 0 && offset > all.len() {
        return Err(invalid());
    }
    let (begin, total) = match drift {
        Some(Drift::Duplicate) if offset > 0 => (offset - 1, all.len() + 1),
        Some(Drift::Vanish) if offset > 0 => (offset + 1, all.len() - 1),
        _ => (offset, all.len()),
    };
    let size = fleet.page_cap.map_or(limit, |cap| cap.min(limit));
    let page: Vec<Value> = all.into_iter().skip(begin).take(size).map(row).collect();
    let count = if fleet.counts_pages { page.len() } else { total };
    Ok(json!({"instance_num": count, "instances": page}))
}

fn row(instance: &Instance) -> Value {
    let tags = instance.tags.iter().map(|(key, value)| json!({"key": &**key, "value": &**value}));
    let mut row = json!({
        "instance_id": &*instance.id, "name": &*instance.name, "status": &*instance.status,
        "engine": &*instance.engine, "engine_version": &*instance.version, "enable_ssl": false, "port": 6379,
        "ip": "192.168.0.9", "spec_code": "redis.ha.xu1.large.r2.2", "tags": tags.collect::<Vec<_>>(),
        "maintain_begin": "22:00:00", "maintain_end": "02:00:00", "enterprise_project_id": "0",
        "publicip_id": null, "az_codes": ["cn-north-4a"], "charging_mode": 0,
    });
    let Value::Object(fields) = &mut row else { return row };
    if let Some(supported) = instance.supports_ssl {
        fields.insert("features".into(), json!({"support_ssl": supported, "support_acl": true}));
    }
    if instance.loose_types {
        fields.extend(loose(instance));
    }
    row
}

/// As in the vendor's own examples.
fn loose(instance: &Instance) -> Map<String, Value> {
    let version = instance.version.parse::<f64>().map_or(Value::Null, Value::from);
    let odd = json!({"publicip_id": {}, "no_password_access": true, "enterprise_project_id": 0,
        "az_codes": [{}], "engine_version": version, "tags": [{"key": 1, "value": null}]});
    odd.as_object().cloned().unwrap_or_default()
}

/// The SSL detail; `None` is 204.
pub(super) fn ssl(instance: &Instance) -> Result<Option<Value>, ApiError> {
    let expiry = match &instance.ssl {
        Ssl::On(expiry) => expiry,
        Ssl::Off => return Ok(None),
        Ssl::OffInJson => return Ok(Some(json!({"enabled": false}))),
        Ssl::Unsupported => return Err(unsupported()),
        Ssl::Busy => return Err(ApiError::new(400, "DCS.4049", "The instance is not running.")),
        Ssl::Gone => return Err(gone()),
    };
    let mut detail = json!({"enabled": true, "ip": "192.168.0.9", "port": "6379",
        "domain_name": format!("redis-{}.dcs.huaweicloud.com:6379", instance.id)});
    let Value::Object(fields) = &mut detail else { return Ok(None) };
    if let Some(expires) = written(expiry) {
        fields.insert("ssl_expired_at".into(), expires);
    }
    if let Some(validated) = instance.validated {
        let validated = if instance.loose_types { validated.to_string().into() } else { validated.into() };
        fields.insert("ssl_validated".into(), validated);
    }
    Ok(Some(detail))
}

/// A link to a new archive.
pub(super) fn download(
    instance: &Instance,
    store: &mut Store,
    base: &str,
    now: DateTime<Utc>,
) -> Result<Value, ApiError> {
    if !matches!(instance.ssl, Ssl::On(_)) {
        return Err(unsupported());
    }
    let id: &Text = &instance.id;
    let made = store.make(id, base, instance.link == Link::Expired, now);
    let link = match &instance.link {
        Link::Honest | Link::Expired => made.link.into(),
        Link::Text(text) => text.clone().into(),
        Link::Absent => Value::Null,
    };
    Ok(json!({"file_name": made.file_name, "link": link, "bucket_name": made.bucket}))
}

/// An instance that is not there, or not there any more.
pub(super) fn gone() -> ApiError {
    ApiError::new(404, "DCS.3022", "This DCS instance does not exist.")
}

fn unsupported() -> ApiError {
    ApiError::new(400, "DCS.4201", "Do not support SSL.")
}

fn written(expiry: &Expiry) -> Option<Value> {
    match expiry {
        Expiry::At(at) => Some(at.to_rfc3339_opts(SecondsFormat::Millis, true).into()),
        Expiry::Text { text, .. } => Some((&**text).into()),
        Expiry::Number(number) => Some((*number).into()),
        Expiry::Null => Some(Value::Null),
        Expiry::Absent => None,
    }
}
