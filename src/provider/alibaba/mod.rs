//! Alibaba Cloud: Redis (Tair), RDS and MongoDB.

pub mod settings;

use super::ProviderKind;

/// Its entry in the list of clouds.
pub(super) const KIND: ProviderKind = ProviderKind {
    name: "alibaba",
    services: &["redis", "rds", "mongodb"],
    has_projects: false,
    endpoint_keys: settings::ENDPOINTS,
    built: true,
    settings: settings::read,
};
