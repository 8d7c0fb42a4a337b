//! Answers a call whose caller is known: the parts that the three products share.

use chrono::{DateTime, Utc};

use super::error::ApiError;
use super::fleet::Fleet;
use super::json::Json;
use super::model::{Expiry, Instance, SslModel, Text, not_found};
use super::paging::Page;
use super::product::Product;
use super::request::{Action, Received};
use super::{mongodb, rds, redis};
use crate::provider::alibaba::sign::timestamp;
use crate::sim::wire::fault::Drift;

/// A call whose caller is known.
pub(super) struct Asked<'a> {
    /// The product asked.
    pub(super) product: Product,
    /// What is asked.
    pub(super) action: Action,
    /// Uid of the account that asks.
    pub(super) account: &'a Text,
    /// The request.
    pub(super) received: &'a Received<'a>,
    /// Now.
    pub(super) now: DateTime<Utc>,
    /// Id of the request.
    pub(super) request_id: &'a str,
    /// What goes wrong between pages.
    pub(super) drift: Option<Drift>,
}

/// A body, or why there is none.
pub(super) type Answer = Result<Vec<u8>, ApiError>;

/// Writes an instance as a row of a list.
pub(super) type WriteRow = fn(&mut Json, &Instance);

/// Answers a call.
pub(super) fn answer(asked: &Asked<'_>, fleet: &mut Fleet) -> Answer {
    match asked.product {
        Product::Redis => redis::answer(asked, fleet),
        Product::Rds => rds::answer(asked, fleet),
        Product::MongoDb => mongodb::answer(asked, fleet),
    }
}

impl Asked<'_> {
    /// A successful answer.
    pub(super) fn ok(&self, fill: impl FnOnce(&mut Json)) -> Vec<u8> {
        Json::answer(self.request_id, fill)
    }

    /// A page of a list, with its numbers as Redis and MongoDB write them.
    pub(super) fn page(&self, fleet: &mut Fleet, page: &Page, names: [&str; 2], row: WriteRow) -> Vec<u8> {
        self.ok(|json| {
            json.plain("PageNumber", page.number);
            json.plain("PageSize", page.size);
            json.plain("TotalCount", page.total);
            self.write_rows(json, fleet, page, names, row);
        })
    }

    /// The instances of a page, as `list.item[]`.
    pub(super) fn write_rows(
        &self,
        json: &mut Json,
        fleet: &mut Fleet,
        page: &Page,
        [list, item]: [&str; 2],
        row: WriteRow,
    ) {
        json.object(list, |json| {
            json.objects(item, &page.ids, |json, id| {
                fleet.settled(id, self.now).into_iter().for_each(|instance| row(json, instance));
            });
        });
    }

    /// The region asked for. Every list needs it here, though some real hosts do without.
    pub(super) fn region(&self, fleet: &Fleet) -> Result<Text, ApiError> {
        let id = self.received.required("RegionId")?;
        in_service(fleet, id).cloned()
    }

    /// The instance asked for: of this account and product, in a region that is in service.
    pub(super) fn instance<'f>(&self, fleet: &'f mut Fleet) -> Result<&'f mut Instance, ApiError> {
        let id = self.received.required(id_parameter(self.product))?;
        let unknown = || ApiError::from(not_found(self.product));
        let region = fleet.get(id).map(|instance| instance.region.clone()).ok_or_else(unknown)?;
        in_service(fleet, &region)?;
        let instance = fleet.settled(id, self.now).ok_or_else(unknown)?;
        let own = instance.account == *self.account && instance.product() == self.product;
        if own { Ok(instance) } else { Err(unknown()) }
    }
}

/// The parameter that names an instance.
pub(super) fn id_parameter(product: Product) -> &'static str {
    if product == Product::Redis { "InstanceId" } else { "DBInstanceId" }
}

fn in_service<'f>(fleet: &'f Fleet, id: &str) -> Result<&'f Text, ApiError> {
    let unknown = || ApiError::new(404, "InvalidRegionId.NotFound", "The specified region is not found.");
    let region = fleet.region(id).ok_or_else(unknown)?;
    match &region.refuses {
        Some(refusal) => Err(refusal.clone().into()),
        None => Ok(&region.id),
    }
}

/// Whether TLS is on, or the error by which the cloud says that there is nothing to say.
pub(super) fn is_on(instance: &Instance) -> Result<bool, ApiError> {
    match &instance.ssl {
        SslModel::On { .. } => Ok(true),
        SslModel::Off { .. } => Ok(false),
        SslModel::Unsupported(refusal) | SslModel::Busy(refusal) | SslModel::Gone(refusal) => {
            Err(refusal.clone().into())
        }
    }
}

/// The end of the certificate, as the model wants it written; an empty text while TLS is off.
pub(super) fn write_expiry(json: &mut Json, name: &str, ssl: &SslModel) {
    match ssl {
        SslModel::On { expires } => match expires {
            Expiry::At(at) => json.text(name, &timestamp(*at)),
            Expiry::Text { text, .. } => json.text(name, text),
            Expiry::Number(number) => json.plain(name, number),
            Expiry::Null => json.plain(name, "null"),
            Expiry::Absent => {}
        },
        SslModel::Off { stale: Some(at) } => json.text(name, &timestamp(*at)),
        SslModel::Off { stale: None } => json.text(name, ""),
        SslModel::Unsupported(_) | SslModel::Busy(_) | SslModel::Gone(_) => {}
    }
}

/// `Tags.Tag[]`, as Redis and MongoDB have it in their lists.
pub(super) fn write_tags(json: &mut Json, instance: &Instance) {
    json.object("Tags", |json| {
        json.objects("Tag", &instance.tags, |json, (key, value)| {
            json.text("Key", key);
            json.text("Value", value);
        });
    });
}

/// `HH:mmZ`.
pub(super) fn clock_time(minute: u16) -> String {
    format!("{:02}:{:02}Z", minute / 60 % 24, minute % 60)
}
