//! MongoDB: `Dds`, API of 2015-12-01.

use super::answer::{Answer, Asked, clock_time, is_on, write_expiry, write_tags};
use super::change::{self, Order, Wish};
use super::error::ApiError;
use super::fleet::{Fleet, Listing};
use super::json::Json;
use super::model::{Instance, Refusal};
use super::paging::{self, Filter, Page};
use super::product::{Engine, Product};
use super::request::Action;
use crate::provider::alibaba::sign::timestamp;

/// Answers a call to this product.
pub(super) fn answer(asked: &Asked<'_>, fleet: &mut Fleet) -> Answer {
    match asked.action {
        Action::Regions => Ok(regions(asked, fleet)),
        Action::List => list(asked, fleet),
        Action::Attribute => Ok(attribute(asked, asked.instance(fleet)?)),
        Action::Ssl => ssl(asked, asked.instance(fleet)?),
        Action::ModifySsl => modify(asked, fleet),
        Action::Tags => Err(ApiError::new(404, "InvalidAction.NotFound", "Specified api is not found.")),
    }
}

fn regions(asked: &Asked<'_>, fleet: &Fleet) -> Vec<u8> {
    let english = asked.received.get("AcceptLanguage") == Some("en");
    let wanted = asked.received.get("RegionId").filter(|id| !id.is_empty());
    let regions = fleet.regions.iter().filter(|region| wanted.is_none_or(|id| *region.id == *id));
    asked.ok(|json| {
        json.object("Regions", |json| {
            json.objects("DdsRegion", regions, |json, region| {
                json.text("RegionId", &region.id);
                json.text("EndPoint", &format!("mongodb.{}.aliyuncs.com", region.id));
                json.text("RegionName", if english { &region.name_en } else { &region.name_zh });
                json.object("Zones", |json| {
                    json.objects("Zone", &region.zones, |json, zone| json.text("ZoneId", zone));
                });
            });
        });
    })
}

fn list(asked: &Asked<'_>, fleet: &mut Fleet) -> Answer {
    let region = asked.region(fleet)?;
    let listing = match asked.received.get("DBInstanceType").unwrap_or_default() {
        "" | "replicate" => Some(Listing::Replicate),
        "sharding" => Some(Listing::Sharding),
        "serverless" => None,
        _ => {
            return Err(ApiError::new(
                400,
                "InvalidDBInstanceType.ValueNotSupport",
                "No such instance type.",
            ));
        }
    };
    let number = paging::page_number(asked)?;
    let size = paging::page_size(asked, "PageSize", |size| matches!(size, 30 | 50 | 100))?;
    let filter = filter(asked)?;
    let page = Page::numbered(
        &listing.map(|listing| paging::select(asked, fleet, &region, listing, &filter)).unwrap_or_default(),
        number,
        size,
        asked.drift,
    );
    Ok(asked.page(fleet, &page, ["DBInstances", "DBInstance"], row))
}

fn filter<'a>(asked: &'a Asked<'_>) -> Result<Filter<'a>, ApiError> {
    let tags = asked.received.tags();
    if tags.len() > 20 {
        return Err(ApiError::new(400, "InvalidParameter", "At most 20 tags can be given."));
    }
    let ids = asked.received.get("DBInstanceId").into_iter().filter(|id| !id.is_empty()).collect();
    Ok(Filter { ids, tags, status: asked.received.get("DBInstanceStatus"), ..Filter::default() })
}

fn row(json: &mut Json, instance: &Instance) {
    common(json, instance);
    json.text("NetworkType", "VPC");
    json.text("KindCode", "18");
    json.text("StorageType", "cloud_essd1");
    // This one field is written without seconds.
    let minutes = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%dT%H:%MZ").to_string();
    json.text("ExpireTime", &instance.subscription_ends.map(minutes).unwrap_or_default());
    if instance.engine == Engine::MongoSharded {
        json.object("MongosList", |json| {
            json.objects("MongosAttribute", ["s-1", "s-2"], |json, node| json.text("NodeId", node));
        });
        json.object("ShardList", |json| {
            json.objects("ShardAttribute", ["d-1", "d-2"], |json, node| json.text("NodeId", node));
        });
    } else {
        json.text("ReplicationFactor", "3");
    }
    write_tags(json, instance);
}

fn common(json: &mut Json, instance: &Instance) {
    json.text("DBInstanceId", &instance.id);
    json.text("DBInstanceDescription", &instance.name);
    json.text("RegionId", &instance.region);
    json.text("ZoneId", &instance.zone);
    json.text("DBInstanceStatus", &instance.status);
    let sharded = instance.engine == Engine::MongoSharded;
    json.text("DBInstanceType", if sharded { "sharding" } else { "replicate" });
    json.text("Engine", instance.engine.as_str());
    json.text("EngineVersion", &instance.version);
    json.text("LockMode", &instance.lock);
    json.text("ChargeType", if instance.subscription_ends.is_some() { "PrePaid" } else { "PostPaid" });
    json.text("CreationTime", &timestamp(instance.created));
    json.text("ResourceGroupId", "rg-acfmyiu4ekp0001");
}

fn attribute(asked: &Asked<'_>, instance: &Instance) -> Vec<u8> {
    asked.ok(|json| {
        json.object("DBInstances", |json| {
            json.objects("DBInstance", [instance], |json, instance| {
                common(json, instance);
                json.text("MaintainStartTime", &clock_time(instance.window.from));
                json.text("MaintainEndTime", &clock_time(instance.window.to));
            });
        });
    })
}

fn ssl(asked: &Asked<'_>, instance: &Instance) -> Answer {
    let on = is_on(instance)?;
    if &*instance.status != Product::MongoDb.ready() {
        return Err(Refusal::new(403, "IncorrectDBInstanceState").into());
    }
    Ok(asked.ok(|json| {
        json.text("SSLStatus", if on { "Open" } else { "Closed" });
        write_expiry(json, "SSLExpiredTime", &instance.ssl);
        json.text("CertCommonName", &instance.host);
        json.text("ForceEncryption", "0");
    }))
}

fn modify(asked: &Asked<'_>, fleet: &mut Fleet) -> Answer {
    let wanted = asked.received.required("SSLAction")?;
    let renewal = fleet.renewal;
    let instance = asked.instance(fleet)?;
    change::check_ready(instance)?;
    let wish = match (wanted, is_on(instance)?) {
        ("Update", true) => Wish::Renew,
        ("Open", false) => Wish::TurnOn,
        ("Close", true) => Wish::TurnOff,
        ("Update", false) => return Err(Refusal::new(403, "SSLNotEnabled").into()),
        ("Open", true) => return Err(Refusal::new(400, "SSLAlreadyEnabled").into()),
        ("Close", false) => return Err(Refusal::new(400, "SSLAlreadyDisabled").into()),
        _ => return Err(Refusal::new(400, "InvalidParameters.Format").into()),
    };
    let in_window = match asked.received.get("SwitchMode").unwrap_or("0") {
        "0" => false,
        "1" => true,
        _ => return Err(Refusal::new(400, "InvalidParameters.Format").into()),
    };
    change::accept(instance, Order { wish, material: None, in_window }, renewal, asked.now)?;
    Ok(asked.ok(|_| {}))
}
