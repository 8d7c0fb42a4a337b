//! The three products and what runs on their instances.

/// The three products that issue certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// Redis and Tair (`R-kvstore`).
    Redis,
    /// MySQL, PostgreSQL, SQL Server, MariaDB (`Rds`).
    Rds,
    /// MongoDB (`Dds`).
    MongoDb,
}

impl Product {
    /// Every product, in the order of their labels in the configuration.
    pub const ALL: [Self; 3] = [Self::Redis, Self::Rds, Self::MongoDb];

    /// The label `cloud_service`.
    pub fn service(self) -> &'static str {
        ["redis", "rds", "mongodb"][self as usize]
    }

    /// The version of its API; no two products share one, so it tells them apart on one port.
    pub fn version(self) -> &'static str {
        ["2015-01-01", "2014-08-15", "2015-12-01"][self as usize]
    }

    /// What its action names begin with in a RAM policy.
    pub fn ram_prefix(self) -> &'static str {
        ["kvstore", "rds", "dds"][self as usize]
    }

    /// What its hosts begin with.
    pub fn host_prefix(self) -> &'static str {
        ["r-kvstore", "rds", "mongodb"][self as usize]
    }

    /// The status of an instance that can be worked on.
    pub fn ready(self) -> &'static str {
        ["Normal", "Running", "Running"][self as usize]
    }

    /// The status of an instance whose certificate is being replaced.
    pub fn modifying(self) -> &'static str {
        ["SSLModifying", "SSL_MODIFYING", "SSLModifying"][self as usize]
    }
}

/// What runs on an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Engine {
    /// Redis with one shard.
    Redis,
    /// Redis with several shards.
    RedisCluster,
    /// Tair, the vendor's own Redis.
    Tair,
    /// RDS for MySQL.
    MySql,
    /// RDS for PostgreSQL: its answer carries certificate and private key.
    PostgreSql,
    /// RDS for SQL Server.
    SqlServer,
    /// RDS for MariaDB: has no TLS.
    MariaDb,
    /// MongoDB replica set.
    MongoReplica,
    /// MongoDB sharded cluster: missing from the default list.
    MongoSharded,
}

impl Engine {
    /// The product that offers it.
    pub fn product(self) -> Product {
        match self {
            Self::Redis | Self::RedisCluster | Self::Tair => Product::Redis,
            Self::MySql | Self::PostgreSql | Self::SqlServer | Self::MariaDb => Product::Rds,
            Self::MongoReplica | Self::MongoSharded => Product::MongoDb,
        }
    }

    /// The cloud's own word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Redis | Self::RedisCluster => "Redis",
            Self::Tair => "Tair",
            Self::MySql => "MySQL",
            Self::PostgreSql => "PostgreSQL",
            Self::SqlServer => "SQLServer",
            Self::MariaDb => "MariaDB",
            Self::MongoReplica | Self::MongoSharded => "MongoDB",
        }
    }

    /// A version that instances of today have.
    pub fn usual_version(self) -> &'static str {
        match self {
            Self::Redis | Self::RedisCluster | Self::Tair => "7.0",
            Self::MySql => "8.0",
            Self::PostgreSql => "16.0",
            Self::SqlServer => "2022_std",
            Self::MariaDb => "10.6",
            Self::MongoReplica | Self::MongoSharded => "6.0",
        }
    }
}
