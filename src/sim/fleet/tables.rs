//! Who and what the fleet consists of: accounts, regions, names, engines and their shares.

use crate::sim::alibaba::Engine;

/// One of the accounts of the fleet.
pub(super) struct Owner {
    /// Name in the configuration.
    pub(super) name: &'static str,
    /// The cloud's number for it.
    pub(super) uid: &'static str,
    /// Its access key.
    pub(super) key_id: &'static str,
    /// And the secret of it.
    pub(super) key_secret: &'static str,
    /// Value of the tag `env`.
    pub(super) env: &'static str,
    /// Where it has instances, as positions in `REGIONS`.
    pub(super) regions: &'static [usize],
    /// Share of the instances, in percent.
    pub(super) share: u64,
}

/// The accounts.
pub(super) const OWNERS: [Owner; 5] = [
    Owner {
        name: "prod-cn",
        uid: "1386520000000001",
        key_id: "LTAI5tDemoProdCn",
        key_secret: "demo-secret-of-prod-cn",
        env: "prod",
        regions: &[0, 1, 2],
        share: 45,
    },
    Owner {
        name: "prod-intl",
        uid: "5123980000000002",
        key_id: "LTAI5tDemoProdIntl",
        key_secret: "demo-secret-of-prod-intl",
        env: "prod",
        regions: &[3, 4],
        share: 22,
    },
    Owner {
        name: "staging",
        uid: "1386520000000003",
        key_id: "LTAI5tDemoStaging",
        key_secret: "demo-secret-of-staging",
        env: "staging",
        regions: &[0],
        share: 15,
    },
    Owner {
        name: "data-platform",
        uid: "1386520000000004",
        key_id: "LTAI5tDemoData",
        key_secret: "demo-secret-of-data-platform",
        env: "prod",
        regions: &[1, 2],
        share: 14,
    },
    Owner {
        name: LEGACY,
        uid: "1386520000000005",
        key_id: "LTAI4FDemoLegacy",
        key_secret: "demo-secret-of-legacy",
        env: "legacy",
        regions: &[0],
        share: 4,
    },
];

/// The account whose key was switched off.
pub(in crate::sim) const LEGACY: &str = "legacy";

/// Id, Chinese and English name, and what ids of its instances begin with.
pub(super) const REGIONS: [(&str, &str, &str, &str); 6] = [
    ("cn-hangzhou", "华东1（杭州）", "China (Hangzhou)", "bp1"),
    ("cn-shanghai", "华东2（上海）", "China (Shanghai)", "uf6"),
    ("cn-beijing", "华北2（北京）", "China (Beijing)", "2ze"),
    ("ap-southeast-1", "新加坡", "Singapore", "t4n"),
    ("eu-central-1", "德国（法兰克福）", "Germany (Frankfurt)", "gw8"),
    ("me-east-1", "阿联酋（迪拜）", "UAE (Dubai)", "eb3"),
];

/// What systems are about, in English and Chinese.
pub(super) const SUBJECTS: [(&str, &str); 16] = [
    ("orders", "订单"),
    ("payments", "支付"),
    ("users", "用户"),
    ("inventory", "库存"),
    ("coupons", "优惠券"),
    ("search", "搜索"),
    ("sessions", "会话"),
    ("logistics", "物流"),
    ("risk", "风控"),
    ("marketing", "营销"),
    ("reports", "报表"),
    ("messages", "消息"),
    ("billing", "账单"),
    ("catalog", "商品"),
    ("recommend", "推荐"),
    ("gateway", "网关"),
];

/// Teams, and who answers for them.
pub(super) const TEAMS: [(&str, &str); 6] = [
    ("trade", "王伟"),
    ("payments", "alice"),
    ("growth", "李娜"),
    ("platform", "bob"),
    ("data", "张敏"),
    ("sre", "carol"),
];

/// Engines and their shares in percent.
pub(super) const ENGINES: [(Engine, u64); 9] = [
    (Engine::Redis, 28),
    (Engine::RedisCluster, 10),
    (Engine::Tair, 5),
    (Engine::MySql, 25),
    (Engine::PostgreSql, 10),
    (Engine::SqlServer, 5),
    (Engine::MariaDb, 3),
    (Engine::MongoReplica, 10),
    (Engine::MongoSharded, 4),
];
