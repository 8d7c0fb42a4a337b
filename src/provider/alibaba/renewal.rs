//! How each engine is asked for a new certificate: the parameters of the three Modify calls, and nothing beside them.
//!
//! Whatever else those calls take changes settings (`ForceEncryption`, `TlsVersion`, access lists) and is never sent. What the
//! vendor does not document is marked; the planner and whoever confirms treat it as unproven.

use super::product::Product;
use crate::domain::renewal::method::{Capability, Deferring, Method, OwnMethod, Restarts};

/// Redis and Tair: at once, and connections break for seconds.
static REDIS: Method = Method {
    action: "ModifyInstanceSSL",
    id: "InstanceId",
    fixed: &[("SSLEnabled", "Update")],
    host: None,
    own: None,
    deferring: None,
    restarts: Restarts::Yes,
    ready: &["Normal"],
    changing_tls: &["SSLModifying"],
    changing: &[
        "Changing",
        "Transforming",
        "Migrating",
        "BackupRecovering",
        "MinorVersionUpgrading",
        "MajorVersionUpgrading",
        "NetworkModifying",
        "Flushing",
        "Restarting",
        "Rebooting",
    ],
};

/// RDS for MySQL and PostgreSQL: TLS is turned on again, for the host that it protects already. Another host would take
/// the protection with it, and without `CAType` a certificate of the customer's would silently become one of the cloud's.
static RDS: Method = Method {
    action: "ModifyDBInstanceSSL",
    id: "DBInstanceId",
    fixed: &[("SSLEnabled", "1"), ("CAType", "aliyun")],
    host: Some("ConnectionString"),
    own: Some(OwnMethod {
        fixed: &[("SSLEnabled", "1"), ("CAType", "custom")],
        certificate: "ServerCert",
        key: "ServerKey",
    }),
    deferring: None,
    restarts: Restarts::Unknown,
    ready: &["Running"],
    changing_tls: &["SSL_MODIFYING"],
    changing: CHANGING,
};

/// MySQL before 8.0: documented to restart.
static RDS_MYSQL_5: Method = Method { restarts: Restarts::Yes, ..RDS };

/// SQL Server: `2` is what the vendor's own tool sends; only `0` and `1` are documented.
static RDS_SQL_SERVER: Method = Method { fixed: &[("SSLEnabled", "2")], own: None, ..RDS };

/// MongoDB restarts node by node, at once or in the maintenance window.
static MONGODB: Method = Method {
    action: "ModifyDBInstanceSSL",
    id: "DBInstanceId",
    fixed: &[("SSLAction", "Update")],
    host: None,
    own: None,
    deferring: Some(Deferring { at_once: ("SwitchMode", "0"), in_window: ("SwitchMode", "1") }),
    restarts: Restarts::Yes,
    ready: &["Running"],
    changing_tls: &["SSLModifying"],
    changing: CHANGING,
};

/// Words of RDS and MongoDB for changes that end by themselves. One that is missing here counts as "not running", which
/// holds back as well.
const CHANGING: &[&str] = &[
    "Rebooting",
    "Restarting",
    "Restoring",
    "Importing",
    "Transing",
    "DBInstanceClassChanging",
    "DBInstanceNetTypeChanging",
    "EngineVersionUpgrading",
    "GuardSwitching",
    "NodeCreating",
    "NodeDeleting",
];

/// How an instance is renewed.
pub(super) fn capability(service: &str, engine: &str) -> Capability {
    let method = match Product::of_service(service) {
        Some(Product::Redis) => &REDIS,
        Some(Product::Mongodb) => &MONGODB,
        Some(Product::Rds) => match engine.to_ascii_lowercase() {
            engine if engine.starts_with("mysql 5.") => &RDS_MYSQL_5,
            engine if engine.starts_with("mysql") || engine.starts_with("postgresql") => &RDS,
            engine if engine.starts_with("sqlserver") => &RDS_SQL_SERVER,
            _ => return Capability::UnknownEngine,
        },
        None => return Capability::UnknownEngine,
    };
    Capability::Call(method)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::renewal::method::{Begins, Call};

    fn call(service: &str, engine: &str, begins: Begins) -> Option<Call> {
        match capability(service, engine) {
            Capability::Call(method) => Some(method.call("ID", Some("HOST"), None, begins)),
            _ => None,
        }
    }

    #[test]
    fn each_engine_gets_its_documented_parameters_and_no_others() {
        let (now, in_window) = (Begins::AtOnce, Begins::InCloudWindow);
        for (service, engine, begins, want) in [
            ("redis", "Redis 7.0 cluster", now, "ModifyInstanceSSL InstanceId=ID SSLEnabled=Update"),
            ("redis", "Tair 1.0", in_window, "ModifyInstanceSSL InstanceId=ID SSLEnabled=Update"),
            (
                "rds",
                "MySQL 8.0",
                now,
                "ModifyDBInstanceSSL DBInstanceId=ID ConnectionString=HOST SSLEnabled=1 CAType=aliyun",
            ),
            (
                "rds",
                "PostgreSQL 15.0",
                now,
                "ModifyDBInstanceSSL DBInstanceId=ID ConnectionString=HOST SSLEnabled=1 CAType=aliyun",
            ),
            (
                "rds",
                "SQLServer 2019_std",
                now,
                "ModifyDBInstanceSSL DBInstanceId=ID ConnectionString=HOST SSLEnabled=2",
            ),
            ("rds", "MariaDB 10.3", now, ""),
            ("rds", "", now, ""),
            (
                "mongodb",
                "MongoDB 4.4 replicate",
                now,
                "ModifyDBInstanceSSL DBInstanceId=ID SSLAction=Update SwitchMode=0",
            ),
            (
                "mongodb",
                "MongoDB 4.4 sharding",
                in_window,
                "ModifyDBInstanceSSL DBInstanceId=ID SSLAction=Update SwitchMode=1",
            ),
            ("other", "", now, ""),
        ] {
            let text = call(service, engine, begins).map_or_else(String::new, |call| {
                let parameters = call.parameters.iter().map(|(name, value)| format!(" {name}={value}"));
                format!("{}{}", call.action, parameters.collect::<String>())
            });
            assert_eq!(text, want, "{service} {engine}");
        }
    }

    #[test]
    fn what_restarts_is_said_as_far_as_it_is_documented() {
        for (service, engine, want) in [
            ("redis", "Redis 7.0", Restarts::Yes),
            ("rds", "MySQL 5.7", Restarts::Yes),
            ("rds", "MySQL 8.0", Restarts::Unknown),
            ("rds", "PostgreSQL 15.0", Restarts::Unknown),
            ("mongodb", "MongoDB 4.4", Restarts::Yes),
        ] {
            let found = call(service, engine, Begins::AtOnce).map(|call| call.restarts);
            assert_eq!(found, Some(want), "{engine}");
        }
    }
}
