//! The three products: what they are called, and how their listings are asked for.

use crate::provider::Calls;

/// A product of Alibaba Cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Product {
    /// Redis and Tair (R-kvstore).
    Redis,
    /// RDS.
    Rds,
    /// MongoDB (dds).
    Mongodb,
}

/// The calls of a product that `notafter` makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Which regions there are.
    Regions,
    /// Which instances there are.
    List,
    /// The certificate of one instance.
    Ssl,
    /// Tags, where the listing has none.
    Tags,
    /// Condition and maintenance window of one instance.
    Attribute,
    /// A new certificate for one instance.
    Modify,
}

impl Product {
    /// Every product.
    pub const ALL: [Self; 3] = [Self::Redis, Self::Rds, Self::Mongodb];

    /// The product behind a service label.
    pub fn of_service(service: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|product| product.service() == service)
    }

    /// The service label.
    pub fn service(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Rds => "rds",
            Self::Mongodb => "mongodb",
        }
    }

    /// The product code in the endpoint table.
    pub fn code(self) -> &'static str {
        match self {
            Self::Redis => "r-kvstore",
            Self::Rds => "rds",
            Self::Mongodb => "dds",
        }
    }

    /// Version of its API.
    pub fn version(self) -> &'static str {
        match self {
            Self::Redis => "2015-01-01",
            Self::Rds => "2014-08-15",
            Self::Mongodb => "2015-12-01",
        }
    }

    /// Rows a page: the most that each product takes (Redis 50, RDS 100, dds exactly 30, 50 or 100).
    pub fn page_size(self) -> usize {
        match self {
            Self::Redis => 50,
            Self::Rds | Self::Mongodb => 100,
        }
    }

    /// Listings that together show everything: dds lists replica sets and sharded clusters apart.
    pub fn listings(self) -> &'static [Option<&'static str>] {
        match self {
            Self::Redis | Self::Rds => &[None],
            Self::Mongodb => &[Some("replicate"), Some("sharding")],
        }
    }

    /// The parameter that names an instance.
    pub fn id_parameter(self) -> &'static str {
        match self {
            Self::Redis => "InstanceId",
            Self::Rds | Self::Mongodb => "DBInstanceId",
        }
    }

    /// The name of a call as permission policies spell it; also the label `action`, because RDS and dds share the
    /// names of their calls but not their quotas.
    pub fn action(self, operation: Operation) -> &'static str {
        match (self, operation) {
            (Self::Redis, Operation::Regions) => "kvstore:DescribeRegions",
            (Self::Redis, Operation::List) => "kvstore:DescribeInstances",
            (Self::Redis, Operation::Ssl) => "kvstore:DescribeInstanceSSL",
            (Self::Redis, Operation::Tags) => "kvstore:ListTagResources",
            (Self::Redis, Operation::Attribute) => "kvstore:DescribeInstanceAttribute",
            (Self::Redis, Operation::Modify) => "kvstore:ModifyInstanceSSL",
            (Self::Rds, Operation::Regions) => "rds:DescribeRegions",
            (Self::Rds, Operation::List) => "rds:DescribeDBInstances",
            (Self::Rds, Operation::Ssl) => "rds:DescribeDBInstanceSSL",
            (Self::Rds, Operation::Tags) => "rds:ListTagResources",
            (Self::Rds, Operation::Attribute) => "rds:DescribeDBInstanceAttribute",
            (Self::Rds, Operation::Modify) => "rds:ModifyDBInstanceSSL",
            (Self::Mongodb, Operation::Regions) => "dds:DescribeRegions",
            (Self::Mongodb, Operation::List) => "dds:DescribeDBInstances",
            (Self::Mongodb, Operation::Ssl) => "dds:DescribeDBInstanceSSL",
            (Self::Mongodb, Operation::Tags) => "dds:ListTagResources",
            (Self::Mongodb, Operation::Attribute) => "dds:DescribeDBInstanceAttribute",
            (Self::Mongodb, Operation::Modify) => "dds:ModifyDBInstanceSSL",
        }
    }

    /// The calls that are made for a service, and those that only a renewal makes.
    pub(super) fn calls_of(service: &str) -> Calls {
        let Some(product) = Self::of_service(service) else { return Calls::default() };
        match product {
            Self::Redis => Calls {
                scopes: &["kvstore:DescribeRegions"],
                listing: &["kvstore:DescribeInstances"],
                detail: &["kvstore:DescribeInstanceSSL"],
                renewal: &["kvstore:DescribeInstanceAttribute", "kvstore:ModifyInstanceSSL"],
                beside: &[],
            },
            Self::Rds => Calls {
                scopes: &["rds:DescribeRegions"],
                listing: &["rds:DescribeDBInstances", "rds:ListTagResources"],
                detail: &["rds:DescribeDBInstanceSSL"],
                renewal: &["rds:DescribeDBInstanceAttribute", "rds:ModifyDBInstanceSSL"],
                beside: &[],
            },
            Self::Mongodb => Calls {
                scopes: &["dds:DescribeRegions"],
                listing: &["dds:DescribeDBInstances"],
                detail: &["dds:DescribeDBInstanceSSL"],
                renewal: &["dds:DescribeDBInstanceAttribute", "dds:ModifyDBInstanceSSL"],
                beside: &[],
            },
        }
    }
}
