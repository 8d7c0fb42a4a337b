//! Huawei Cloud: distributed caches (DCS).

pub mod credentials;
pub mod settings;

use super::{Calls, ProviderKind};

/// Its entry in the list of clouds.
pub(super) const KIND: ProviderKind = ProviderKind {
    name: "huawei",
    services: &["dcs"],
    has_projects: true,
    endpoint_keys: settings::ENDPOINTS,
    calls: |_| Calls::default(),
    read_policy: "policies/huawei-read.json",
    renew_policy: None,
    settings: settings::read,
    build: None,
};
