//! RDS: API of 2014-08-15. MySQL, PostgreSQL, SQL Server and MariaDB under one roof, each with its own spellings.

use super::account::Region;
use super::answer::{Answer, Asked, clock_time};
use super::error::ApiError;
use super::fleet::{Fleet, Listing};
use super::json::Json;
use super::model::Instance;
use super::paging::{self, Filter, Page};
use super::request::Action;
use super::{rds_ssl, rds_tags};
use crate::provider::alibaba::sign::timestamp;

/// Answers a call to this product.
pub(super) fn answer(asked: &Asked<'_>, fleet: &mut Fleet) -> Answer {
    match asked.action {
        Action::Regions => regions(asked, fleet),
        Action::List => list(asked, fleet),
        Action::Attribute => Ok(attribute(asked, asked.instance(fleet)?)),
        Action::Ssl => rds_ssl::describe(asked, asked.instance(fleet)?),
        Action::ModifySsl => rds_ssl::modify(asked, fleet),
        Action::Tags => rds_tags::list(asked, fleet),
    }
}

/// One row for each zone: the same region comes several times.
fn regions(asked: &Asked<'_>, fleet: &Fleet) -> Answer {
    let chinese = match asked.received.get("AcceptLanguage") {
        None | Some("en-US") => false,
        Some("zh-CN") => true,
        Some(_) => return Err(ApiError::new(404, "InvalidAcceptLanguage.NotFound", "No such language.")),
    };
    let rows = fleet.regions.iter().flat_map(|region| region.zones.iter().map(move |zone| (region, zone)));
    Ok(asked.ok(|json| {
        json.object("Regions", |json| {
            json.objects("RDSRegion", rows, |json, (region, zone)| region_row(json, region, zone, chinese));
        });
    }))
}

fn region_row(json: &mut Json, region: &Region, zone: &str, chinese: bool) {
    let name = if chinese { &region.name_zh } else { &region.name_en };
    json.text("RegionId", &region.id);
    json.text("RegionEndpoint", &format!("rds.{}.aliyuncs.com", region.id));
    json.text("LocalName", name);
    json.text("ZoneId", zone);
    json.text("ZoneName", &format!("{name} {}", zone.rsplit('-').next().unwrap_or_default().to_uppercase()));
}

fn list(asked: &Asked<'_>, fleet: &mut Fleet) -> Answer {
    let page = page(asked, fleet)?;
    Ok(asked.ok(|json| {
        json.plain("PageNumber", page.number);
        json.plain("PageRecordCount", page.ids.len());
        json.plain("TotalRecordCount", page.total);
        json.text("NextToken", page.next.as_deref().unwrap_or_default());
        asked.write_rows(json, fleet, &page, ["Items", "DBInstance"], row);
    }))
}

/// `MaxResults` or `NextToken` decides the way of paging; the other pair is ignored then.
fn page(asked: &Asked<'_>, fleet: &mut Fleet) -> Result<Page, ApiError> {
    let region = asked.region(fleet)?;
    let any_size = |size| (1..=100).contains(&size);
    let tags = wanted_tags(asked)?;
    let places = paging::select(asked, fleet, &region, Listing::Rds, &filter(asked, &tags));
    if asked.received.get("MaxResults").is_none() && asked.received.get("NextToken").is_none() {
        let size = paging::page_size(asked, "PageSize", any_size)?;
        return Ok(Page::numbered(&places, paging::page_number(asked)?, size, asked.drift));
    }
    let token = asked.received.get("NextToken").filter(|token| !token.is_empty());
    let after = token.map(paging::place_of).transpose()?;
    Ok(Page::after(&places, after, paging::page_size(asked, "MaxResults", any_size)?, asked.drift))
}

fn filter<'a>(asked: &'a Asked<'_>, tags: &'a [(String, String)]) -> Filter<'a> {
    Filter {
        ids: asked.received.get("DBInstanceId").into_iter().filter(|id| !id.is_empty()).collect(),
        status: asked.received.get("DBInstanceStatus"),
        engine: asked.received.get("Engine"),
        tags: tags.iter().map(|(key, value)| (key.as_str(), Some(value.as_str()))).collect(),
        any_tag: true,
    }
}

/// `Tags` is an object in JSON text.
fn wanted_tags(asked: &Asked<'_>) -> Result<Vec<(String, String)>, ApiError> {
    let Some(text) = asked.received.get("Tags") else { return Ok(Vec::new()) };
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text)
        .map_err(|_| ApiError::new(400, "InvalidTags.Format", "Tags is not JSON."))?;
    Ok(object.into_iter().map(|(key, value)| (key, value.as_str().unwrap_or_default().to_owned())).collect())
}

fn row(json: &mut Json, instance: &Instance) {
    common(json, instance);
    json.text("CreateTime", &timestamp(instance.created));
    json.text("VpcId", "vpc-bp1opxu1zkhn00gzv0001");
}

fn common(json: &mut Json, instance: &Instance) {
    json.text("DBInstanceId", &instance.id);
    json.text("DBInstanceDescription", &instance.name);
    json.text("RegionId", &instance.region);
    json.text("ZoneId", &instance.zone);
    json.text("DBInstanceStatus", &instance.status);
    json.text("Engine", instance.engine.as_str());
    json.text("EngineVersion", &instance.version);
    json.text("DBInstanceType", if instance.group.is_some() { "Readonly" } else { "Primary" });
    json.text("DBInstanceNetType", "Intranet");
    json.text("InstanceNetworkType", "VPC");
    json.text("LockMode", &instance.lock);
    json.text("PayType", if instance.subscription_ends.is_some() { "Prepaid" } else { "Postpaid" });
    json.text("ExpireTime", &instance.subscription_ends.map(timestamp).unwrap_or_default());
    json.text("ResourceGroupId", "rg-acfmyiu4ekp0001");
    json.maybe("MasterInstanceId", instance.group.as_deref());
    json.object("ReadOnlyDBInstanceIds", |json| {
        json.objects("ReadOnlyDBInstanceId", &instance.replicas, |json, id| json.text("DBInstanceId", id));
    });
}

fn attribute(asked: &Asked<'_>, instance: &Instance) -> Vec<u8> {
    let (from, to) = (clock_time(instance.window.from), clock_time(instance.window.to));
    asked.ok(|json| {
        json.object("Items", |json| {
            json.objects("DBInstanceAttribute", [instance], |json, instance| {
                common(json, instance);
                json.text("CreationTime", &timestamp(instance.created));
                json.text("ConnectionString", &instance.host);
                json.text("Port", "3306");
                json.text("Category", "HighAvailability");
                json.text("MaintainTime", &format!("{from}-{to}"));
            });
        });
    })
}
