//! RDS ListTagResources: the only way to tags there, since its lists carry none.

use super::answer::{Answer, Asked};
use super::error::ApiError;
use super::fleet::{Fleet, Listing};
use super::model::Text;
use super::paging::{self, Filter};
use crate::sim::wire::fault::Drift;

/// Most resources that one call may name.
const MOST_RESOURCES: usize = 50;

/// Tags of the resources that were named, or of those that have certain tags.
pub(super) fn list(asked: &Asked<'_>, fleet: &mut Fleet) -> Answer {
    let region = asked.region(fleet)?;
    if asked.received.required("ResourceType")? != "INSTANCE" {
        return Err(ApiError::new(400, "InvalidParameter.ResourceType", "ResourceType must be INSTANCE."));
    }
    let (ids, tags) = (asked.received.numbered("ResourceId", ""), asked.received.tags());
    if ids.is_empty() && tags.is_empty() {
        return Err(ApiError::missing("ResourceId"));
    }
    if ids.len() > MOST_RESOURCES {
        return Err(ApiError::new(400, "NumberExceed.ResourceIds", "At most 50 resources can be given."));
    }
    let token = asked.received.get("NextToken").filter(|token| !token.is_empty());
    let begin = token.map_or(Ok(0), paging::place_of)?;
    let filter = Filter { ids, tags, ..Filter::default() };
    let places = paging::select(asked, fleet, &region, Listing::Rds, &filter).into_owned();
    Ok(rows(asked, fleet, places.iter().map(|(_, id)| id), begin))
}

/// One row for each tag of each resource; the token counts rows.
fn rows<'i>(asked: &Asked<'_>, fleet: &Fleet, ids: impl Iterator<Item = &'i Text>, begin: u64) -> Vec<u8> {
    let size = fleet.tag_rows_per_page.max(1);
    let instances = ids.filter_map(|id| fleet.get(id));
    let all: Vec<_> = instances.flat_map(|of| of.tags.iter().map(|tag| (&of.id, tag))).collect();
    let begin = usize::try_from(begin).unwrap_or(usize::MAX).min(all.len());
    let end = begin.saturating_add(size).min(all.len());
    let next = match asked.drift {
        Some(Drift::TokenLoop) => Some(size.min(all.len())),
        _ => Some(end).filter(|end| *end < all.len()),
    };
    asked.ok(|json| {
        json.text("NextToken", &next.map(|row| paging::token_of(row as u64)).unwrap_or_default());
        json.object("TagResources", |json| {
            json.objects("TagResource", &all[begin..end], |json, (id, (key, value))| {
                json.text("ResourceId", id);
                json.text("ResourceType", "ALIYUN::RDS::INSTANCE");
                json.text("TagKey", key);
                json.text("TagValue", value);
            });
        });
    })
}
