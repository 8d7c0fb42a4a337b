//! Answers a call whose caller is known.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::account::{Account, Key, Region};
use super::error::ApiError;
use super::request::Received;
use super::store::Fleet;
use crate::sim::wire::fault::Drift;

/// The names of the calls and of the products that policies name.
const ACTIONS: [(&str, &str); 3] =
    [("GetRegion", "uaccount"), ("GetProjectList", "uaccount"), ("DescribeSSLV2", "ulb")];

/// A call whose caller is known.
pub(super) struct Asked<'a> {
    pub(super) action: &'a str,
    pub(super) account: &'a Account,
    pub(super) key: &'a Key,
    pub(super) received: &'a Received,
    /// What goes wrong between pages.
    pub(super) drift: Option<Drift>,
}

/// Answers a call, after its name and the rights of the key were checked.
pub(super) fn answer(asked: &Asked<'_>, fleet: &Fleet) -> Result<Value, ApiError> {
    let action = asked.action;
    let known = ACTIONS.iter().find(|(name, _)| *name == action);
    let unknown = || ApiError::new(161, format!("Action [{action}] not found"));
    let (_, product) = known.ok_or_else(unknown)?;
    if asked.key.denied.iter().any(|denied| *denied == format!("{product}:{action}")) {
        return Err(ApiError::new(299, "IAM permission denied"));
    }
    let mut answer = match action {
        "GetRegion" => regions(fleet),
        "GetProjectList" => projects(asked.account),
        _ => certificates(asked, fleet)?,
    };
    answer["RetCode"] = 0.into();
    answer["Action"] = format!("{action}Response").into();
    Ok(answer)
}

/// A row for each zone.
fn regions(fleet: &Fleet) -> Value {
    let rows = fleet.regions.iter().enumerate().flat_map(|(place, region)| zones(place, region));
    json!({ "Regions": rows.collect::<Vec<_>>() })
}

fn zones(place: usize, region: &Region) -> Vec<Value> {
    let zone = |number: u32| {
        json!({
            "RegionId": place * 1000 + number as usize, "RegionName": &*region.name_zh, "IsDefault": place == 0,
            "BitMaps": "0", "Region": &*region.id, "Zone": format!("{}-{number:02}", region.id),
        })
    };
    (1..=region.zones).map(zone).collect()
}

fn projects(account: &Account) -> Value {
    let row = |(place, project): (usize, &super::account::Project)| {
        json!({
            "ProjectId": &*project.id, "ProjectName": &*project.name, "IsDefault": place == 0,
            "CreateTime": 1_600_000_000, "MemberCount": 1, "ParentId": "", "ParentName": "",
        })
    };
    let rows: Vec<_> = account.projects.iter().enumerate().map(row).collect();
    json!({ "ProjectCount": rows.len(), "ProjectSet": rows })
}

fn certificates(asked: &Asked<'_>, fleet: &Fleet) -> Result<Value, ApiError> {
    let (received, account) = (asked.received, asked.account);
    let region = received.required("Region")?;
    let open: BTreeSet<&str> =
        fleet.regions.iter().filter(|region| region.open).map(|region| &*region.id).collect();
    if !open.contains(&*region) {
        return Err(ApiError::not_available("Region"));
    }
    let project = project(asked)?;
    let (limit, offset) = (received.number("Limit", 20)?, received.number("Offset", 0)?);
    let mut entries = fleet.listed(&account.name, &project, &region);
    if let Some(id) = received.get("SSLId").filter(|id| !id.is_empty()) {
        entries.retain(|entry| *entry.id == *id);
    }
    let (offset, total) = match asked.drift {
        Some(Drift::Duplicate) if offset > 0 => (offset - 1, entries.len()),
        Some(Drift::Vanish) if offset > 0 => (offset + 1, entries.len().saturating_sub(1)),
        _ => (offset, entries.len()),
    };
    let page = entries.iter().skip(offset).take(limit.min(fleet.most_rows));
    Ok(json!({ "TotalCount": total, "DataSet": page.map(|entry| entry.json()).collect::<Vec<_>>() }))
}

/// Without one only the default project answers.
fn project(asked: &Asked<'_>) -> Result<String, ApiError> {
    let Some(id) = asked.received.get("ProjectId").filter(|id| !id.is_empty()) else {
        return asked.account.projects.first().map_or_else(|| Err(no_project("")), |p| Ok(p.id.to_string()));
    };
    if !asked.account.projects.iter().any(|project| *project.id == *id) {
        return Err(no_project(&id));
    }
    if asked.key.denied_projects.contains(&id) {
        return Err(ApiError::new(299, "IAM permission denied"));
    }
    Ok(id)
}

fn no_project(id: &str) -> ApiError {
    ApiError::new(292, format!("Project [{id}] not exist"))
}
