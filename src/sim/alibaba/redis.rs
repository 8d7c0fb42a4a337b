//! Redis and Tair: `R-kvstore`, API of 2015-01-01.

use super::account::Region;
use super::answer::{Answer, Asked, clock_time, is_on, write_expiry, write_tags};
use super::change::{self, Order, Wish};
use super::error::ApiError;
use super::fleet::{Fleet, Listing};
use super::json::Json;
use super::model::Instance;
use super::paging::{self, Filter, Page};
use super::product::Engine;
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
    let english = asked.received.get("AcceptLanguage") == Some("en-US");
    asked.ok(|json| {
        json.object("RegionIds", |json| {
            json.objects("KVStoreRegion", &fleet.regions, |json, region| region_row(json, region, english));
        });
    })
}

fn region_row(json: &mut Json, region: &Region, english: bool) {
    json.text("RegionId", &region.id);
    json.text("RegionEndpoint", &format!("r-kvstore.{}.aliyuncs.com", region.id));
    json.text("LocalName", if english { &region.name_en } else { &region.name_zh });
    json.text("ZoneIds", &region.zones.join(","));
    json.object("ZoneIdList", |json| json.texts("ZoneId", &region.zones));
}

fn list(asked: &Asked<'_>, fleet: &mut Fleet) -> Answer {
    let region = asked.region(fleet)?;
    let number = paging::page_number(asked)?;
    let size = paging::page_size(asked, "PageSize", |size| (1..=50).contains(&size))?;
    let filter = filter(asked)?;
    let page = Page::numbered(
        &paging::select(asked, fleet, &region, Listing::Redis, &filter),
        number,
        size,
        asked.drift,
    );
    Ok(asked.page(fleet, &page, ["Instances", "KVStoreInstance"], row))
}

fn filter<'a>(asked: &'a Asked<'_>) -> Result<Filter<'a>, ApiError> {
    let ids: Vec<&str> =
        asked.received.get("InstanceIds").map(|ids| ids.split(',').collect()).unwrap_or_default();
    let tags = asked.received.tags();
    if ids.len() > 30 {
        return Err(ApiError::new(
            400,
            "InvalidInstanceIds.Malformed",
            "The specified InstanceIds is not valid.",
        ));
    }
    if tags.len() > 5 {
        return Err(ApiError::new(400, "InvalidParameter", "At most 5 tags can be given."));
    }
    Ok(Filter { ids, tags, status: asked.received.get("InstanceStatus"), ..Filter::default() })
}

fn row(json: &mut Json, instance: &Instance) {
    common(json, instance);
    json.text("InstanceName", &instance.name);
    json.text("ZoneId", &instance.zone);
    json.text("EditionType", if instance.engine == Engine::Tair { "Enterprise" } else { "Community" });
    json.text("ConnectionDomain", &instance.host);
    json.plain("Port", 6379);
    json.text("Config", r#"{"maxmemory-policy":"volatile-lru","EvictionPolicy":"volatile-lru"}"#);
    json.maybe("GlobalInstanceId", instance.group.as_deref());
    write_tags(json, instance);
}

fn common(json: &mut Json, instance: &Instance) {
    json.text("InstanceId", &instance.id);
    json.text("RegionId", &instance.region);
    json.text("InstanceStatus", &instance.status);
    json.text("EngineVersion", &instance.version);
    json.text("InstanceType", instance.engine.as_str());
    let cluster = instance.engine == Engine::RedisCluster;
    json.text("ArchitectureType", if cluster { "cluster" } else { "standard" });
    json.text("NetworkType", "VPC");
    json.text("ResourceGroupId", "rg-acfmyiu4ekp0001");
    json.text("ChargeType", if instance.subscription_ends.is_some() { "PrePaid" } else { "PostPaid" });
    json.text("CreateTime", &timestamp(instance.created));
    json.text("EndTime", &instance.subscription_ends.map(timestamp).unwrap_or_default());
}

fn attribute(asked: &Asked<'_>, instance: &Instance) -> Vec<u8> {
    asked.ok(|json| {
        json.object("Instances", |json| {
            json.objects("DBInstanceAttribute", [instance], |json, instance| {
                common(json, instance);
                json.text("InstanceName", &instance.name);
                json.text("ConnectionDomain", &instance.host);
                json.text("MaintainStartTime", &clock_time(instance.window.from));
                json.text("MaintainEndTime", &clock_time(instance.window.to));
            });
        });
    })
}

fn ssl(asked: &Asked<'_>, instance: &Instance) -> Answer {
    let on = is_on(instance)?;
    Ok(asked.ok(|json| {
        json.text("InstanceId", &instance.id);
        json.text("SSLEnabled", if on { "Enable" } else { "Disable" });
        write_expiry(json, "SSLExpiredTime", &instance.ssl);
        json.text("CertCommonName", &instance.host);
        json.text(
            "CertDownloadURL",
            "https://apsaradb-public.oss-ap-southeast-1.aliyuncs.com/ApsaraDB-CA-Chain.zip",
        );
    }))
}

fn modify(asked: &Asked<'_>, fleet: &mut Fleet) -> Answer {
    let wanted = asked.received.required("SSLEnabled")?;
    let renewal = fleet.renewal;
    let instance = asked.instance(fleet)?;
    change::check_ready(instance)?;
    let wish = match (wanted, is_on(instance)?) {
        ("Update", true) => Wish::Renew,
        ("Enable", false) => Wish::TurnOn,
        ("Disable", true) => Wish::TurnOff,
        ("Update" | "Disable", false) => return Err(state_fault("SSLDisableStateExistsFault")),
        ("Enable", true) => return Err(state_fault("SSLEnabledStateExistsFault")),
        _ => {
            return Err(ApiError::new(400, "InvalidParameters.Format", "Specified parameters is not valid."));
        }
    };
    change::accept(instance, Order { wish, material: None, in_window: false }, renewal, asked.now)?;
    Ok(asked.ok(|json| {
        json.text("InstanceId", &instance.id);
        json.text("TaskId", "526590000");
    }))
}

fn state_fault(code: &'static str) -> ApiError {
    ApiError::new(400, code, "The SSL state of the instance does not allow this.")
}
