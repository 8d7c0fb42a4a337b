//! Answers as Alibaba Cloud writes them, with its own field names.
//!
//! Only fields that are used are named here. That is not thrift: RDS PostgreSQL answers with `ServerKey`, the private
//! key, and what has no field here is skipped by the parser, so no reading has it. (For a support bundle an answer is
//! parsed whole and cleaned before it is kept: `http::kept`.) Numbers come where texts are documented and the reverse,
//! so every scalar is [`Loose`].

use serde::Deserialize;
use serde::de::Deserializer;

use crate::http::Shown;
pub(super) use crate::provider::loose::{Loose, Row};

/// What a support bundle may show of an answer: what a reading is made of. Names, tags and messages are not.
pub(super) const SHOWN: Shown = Shown {
    words: &[
        "RegionId",
        "ZoneId",
        "InstanceId",
        "DBInstanceId",
        "InstanceStatus",
        "DBInstanceStatus",
        "Engine",
        "EngineVersion",
        "InstanceType",
        "ArchitectureType",
        "DBInstanceType",
        "LockMode",
        "MasterInstanceId",
        "GlobalInstanceId",
        "TotalCount",
        "TotalRecordCount",
        "PageNumber",
        "PageSize",
        "PageRecordCount",
        "MaintainTime",
        "MaintainStartTime",
        "MaintainEndTime",
        "SSLEnabled",
        "SSLStatus",
        "SSLExpiredTime",
        "SSLExpireTime",
        "CertCommonName",
        "ConnectionString",
        "RequireUpdate",
        "CAType",
        "SSLCreateTime",
        "LastModifyStatus",
        "ResourceId",
        "ResourceType",
        "Code",
        "code",
        "RequestId",
        "requestId",
    ],
    certificates: &["ServerCert"],
};

/// The rows inside their container: an object with one list in it, whose name differs by product.
///
/// Only an object is a container. (A derived reader would take a list for an empty one, and an empty listing makes
/// every certificate of a scope vanish.)
#[derive(Debug)]
pub struct Rows<T>(Option<Vec<Row<T>>>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Row::<Container<T>>::deserialize(deserializer)? {
            Row::Read(container) => Ok(Self(container.rows)),
            Row::Odd => Err(serde::de::Error::custom("not a container of rows")),
        }
    }
}

#[derive(Deserialize)]
struct Container<T> {
    #[serde(
        default = "Option::default",
        alias = "KVStoreRegion",
        alias = "RDSRegion",
        alias = "DdsRegion",
        alias = "KVStoreInstance",
        alias = "DBInstance",
        alias = "DBInstanceAttribute",
        alias = "Tag",
        alias = "TagResource"
    )]
    rows: Option<Vec<Row<T>>>,
}

impl<T> Rows<T> {
    /// The list was there, be it empty.
    pub fn is_present(&self) -> bool {
        self.0.is_some()
    }

    /// The rows, and how many of them were odd.
    pub fn into_rows(self) -> (Vec<T>, usize) {
        let all = self.0.unwrap_or_default();
        let count = all.len();
        let read: Vec<T> = all
            .into_iter()
            .filter_map(|row| match row {
                Row::Read(row) => Some(row),
                Row::Odd => None,
            })
            .collect();
        let odd = count - read.len();
        (read, odd)
    }
}

/// DescribeRegions of all three products.
#[derive(Debug, Deserialize)]
pub struct Regions {
    /// The container (`RegionIds` for Redis).
    #[serde(alias = "RegionIds", alias = "Regions")]
    pub regions: Rows<Region>,
}

/// A region; RDS has one row per zone.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, non_snake_case)]
pub struct Region {
    #[serde(default)]
    pub RegionId: Loose,
}

/// DescribeInstances and DescribeDBInstances. Each spelling has a field of its own: an answer that one day carries two
/// of them must not become unreadable.
#[derive(Debug, Deserialize)]
#[allow(non_snake_case)]
pub struct Page {
    Instances: Option<Rows<Instance>>,
    Items: Option<Rows<Instance>>,
    DBInstances: Option<Rows<Instance>>,
    #[serde(default)]
    TotalCount: Loose,
    #[serde(default)]
    TotalRecordCount: Loose,
}

impl Page {
    /// How many there are in all, if that can be believed.
    pub(super) fn total(&self) -> Option<usize> {
        self.TotalCount.number().or(self.TotalRecordCount.number())
    }

    /// The container of the rows, where there is one with a list in it.
    pub(super) fn instances(self) -> Option<Rows<Instance>> {
        [self.Instances, self.Items, self.DBInstances].into_iter().flatten().find(Rows::is_present)
    }
}

/// One row of a listing; the three products share most of their field names.
#[derive(Debug, Default, Deserialize)]
#[allow(missing_docs, non_snake_case)]
#[serde(default)]
pub(super) struct Instance {
    #[serde(alias = "InstanceId")]
    pub DBInstanceId: Loose,
    #[serde(alias = "InstanceName")]
    pub DBInstanceDescription: Loose,
    #[serde(alias = "InstanceStatus")]
    pub DBInstanceStatus: Loose,
    /// RDS: MySQL, PostgreSQL, SQLServer, MariaDB; dds: MongoDB.
    pub Engine: Loose,
    pub EngineVersion: Loose,
    /// Redis: Redis, Tair, Memcache.
    pub InstanceType: Loose,
    /// Redis: standard, cluster, rwsplit.
    pub ArchitectureType: Loose,
    /// RDS: Primary, Readonly; dds: replicate, sharding.
    pub DBInstanceType: Loose,
    pub LockMode: Loose,
    /// RDS: the primary of a read-only instance.
    pub MasterInstanceId: Loose,
    /// Redis: the distributed instance of which it is a part.
    pub GlobalInstanceId: Loose,
    pub Tags: Option<Row<Rows<Tag>>>,
}

/// DescribeInstanceAttribute and DescribeDBInstanceAttribute: a list with the one instance that was asked for, in each
/// product's own container.
#[derive(Debug, Default, Deserialize)]
#[allow(missing_docs, non_snake_case)]
#[serde(default)]
pub struct Attributes {
    /// Redis.
    Instances: Option<Rows<Attribute>>,
    /// RDS.
    Items: Option<Rows<Attribute>>,
    /// dds.
    DBInstances: Option<Rows<Attribute>>,
}

impl Attributes {
    /// The one row of this instance; `None` where there is none, or more than one.
    pub(super) fn of(self, id: &str) -> Option<Attribute> {
        let rows = [self.Instances, self.Items, self.DBInstances].into_iter().flatten();
        let rows = rows.flat_map(|rows| rows.into_rows().0);
        let mut own = rows.filter(|row| row.DBInstanceId.text() == Some(id));
        own.next().filter(|_| own.next().is_none())
    }
}

/// What a renewal needs to know of an instance beside its certificate.
#[derive(Debug, Default, Deserialize)]
#[allow(missing_docs, non_snake_case)]
#[serde(default)]
pub(super) struct Attribute {
    #[serde(alias = "InstanceId")]
    pub DBInstanceId: Loose,
    #[serde(alias = "InstanceStatus")]
    pub DBInstanceStatus: Loose,
    pub LockMode: Loose,
    /// RDS: `00:00Z-02:00Z`.
    pub MaintainTime: Loose,
    /// Redis and dds: `18:00Z`.
    pub MaintainStartTime: Loose,
    pub MaintainEndTime: Loose,
    /// RDS: one of its hosts, not always the protected one.
    pub ConnectionString: Loose,
}

/// ModifyInstanceSSL and ModifyDBInstanceSSL. Whatever else is answered, this is always there.
#[derive(Debug, Default, Deserialize)]
#[allow(missing_docs, non_snake_case)]
#[serde(default)]
pub(super) struct Modified {
    #[serde(alias = "requestId")]
    pub RequestId: Loose,
}

/// A tag in a listing.
#[derive(Debug, Default, Deserialize)]
#[allow(missing_docs, non_snake_case)]
#[serde(default)]
pub(super) struct Tag {
    pub Key: Loose,
    pub Value: Loose,
}

/// ListTagResources of RDS.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, non_snake_case)]
pub struct TagPage {
    pub TagResources: Rows<TagResource>,
    #[serde(default)]
    pub NextToken: Loose,
}

/// A tag of one resource.
#[derive(Debug, Default, Deserialize)]
#[allow(missing_docs, non_snake_case)]
#[serde(default)]
pub struct TagResource {
    pub ResourceId: Loose,
    pub TagKey: Loose,
    pub TagValue: Loose,
}

/// DescribeInstanceSSL (Redis) and DescribeDBInstanceSSL (RDS, dds). Three APIs, three spellings of one field.
#[derive(Debug, Default, Deserialize)]
#[allow(missing_docs, non_snake_case)]
#[serde(default)]
pub struct Ssl {
    /// Redis and RDS.
    SSLEnabled: Loose,
    /// dds.
    SSLStatus: Loose,
    /// Redis and dds.
    SSLExpiredTime: Loose,
    /// RDS.
    SSLExpireTime: Loose,
    /// Redis and dds.
    CertCommonName: Loose,
    /// RDS: the one protected host.
    ConnectionString: Loose,
    pub RequireUpdate: Loose,
    /// `aliyun` or `custom`.
    pub CAType: Loose,
    /// RDS PostgreSQL with CAType aliyun.
    pub SSLCreateTime: Loose,
    /// RDS PostgreSQL: the certificate itself, PEM.
    pub ServerCert: Loose,
    /// RDS PostgreSQL: `success`, `setting` or `failed`.
    pub LastModifyStatus: Loose,
    pub ModifyStatusReason: Loose,
    /// An older page shows the fields one level deeper.
    pub items: Vec<Row<Ssl>>,
}

impl Ssl {
    /// Whether TLS is on, in the product's own word.
    pub(super) fn enabled(&self) -> &Loose {
        first(&self.SSLEnabled, &self.SSLStatus)
    }

    /// The end of the certificate.
    pub(super) fn ends(&self) -> &Loose {
        first(&self.SSLExpiredTime, &self.SSLExpireTime)
    }

    /// The name that the certificate is for.
    pub(super) fn host(&self) -> &Loose {
        first(&self.CertCommonName, &self.ConnectionString)
    }

    /// The fields, from wherever they are.
    pub fn unwrap_items(mut self) -> Self {
        match self.items.pop() {
            Some(Row::Read(inner)) => inner,
            _ => self,
        }
    }
}

/// The one that says something.
fn first<'l>(one: &'l Loose, other: &'l Loose) -> &'l Loose {
    if *one == Loose::Absent { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_row_does_not_cost_the_others() {
        let json = r#"{"TotalCount":"3","Instances":{"KVStoreInstance":[{"InstanceId":"r-1"},null,7,{"InstanceId":{}}]}}"#;
        let page: Page = serde_json::from_str(json).expect("readable");
        assert_eq!(page.total(), Some(3));
        let (rows, odd) = page.instances().expect("a list").into_rows();
        assert_eq!((rows.len(), odd), (2, 2));
        assert_eq!((rows[0].DBInstanceId.text(), &rows[1].DBInstanceId), (Some("r-1"), &Loose::Odd));
    }

    #[test]
    fn a_listing_without_its_container_is_no_listing() {
        let listed =
            |json: &str| serde_json::from_str::<Page>(json).ok().map(|page| page.instances().is_some());
        for (name, json, want) in [
            ("rows", r#"{"Items":{"DBInstance":[]}}"#, Some(true)),
            (
                "two spellings",
                r#"{"Items":{},"Instances":{"KVStoreInstance":[]},"TotalCount":0,"TotalRecordCount":0}"#,
                Some(true),
            ),
            ("nothing", r#"{"RequestId":"x"}"#, Some(false)),
            ("null", r#"{"Items":null}"#, Some(false)),
            ("no list in it", r#"{"Items":{}}"#, Some(false)),
            ("a list for the container", r#"{"Items":[]}"#, None),
            ("an object for the list", r#"{"Items":{"DBInstance":{}}}"#, None),
        ] {
            assert_eq!(listed(json), want, "{name}");
        }
    }

    #[test]
    fn a_private_key_is_skipped_by_the_parser() {
        let json = r#"{"SSLEnabled":"on","ServerKey":"-----BEGIN PRIVATE KEY-----PLANTED","ServerCert":"c"}"#;
        let ssl: Ssl = serde_json::from_str(json).expect("readable");
        assert!(!format!("{ssl:?}").contains("PLANTED"));
    }

    #[test]
    fn the_older_wrapped_form_is_read() {
        let json =
            r#"{"items":[{"SSLEnabled":"Yes","SSLExpireTime":"2027-01-01T00:00:00Z"}],"requestId":"x"}"#;
        let ssl = serde_json::from_str::<Ssl>(json).expect("readable").unwrap_items();
        assert_eq!(ssl.enabled().text(), Some("Yes"));
    }
}
